"""From facts to a plan in memory: the engine's frames put together, the engine run, its answer made ready to save."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from apps.inventory.services import MOST_UNITS
from apps.optimization.selectors import LONGEST_COVER_DAYS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from apps.forecasting.selectors import DemandPaths
    from apps.optimization.engine.demand import Demand
    from apps.optimization.engine.replenish import Plan as EnginePlan

PATHS = 200
WEEK = 7
SETTLED = "decided"
GONE = "supplier_gone"
COST = "cost"
PRICE_MOVES = 0.02  # an average price moves a little every day: by less than this share it is the same
MOST_MONEY = 1e12  # of a line, so that the sum of all stays exact

LINE_COLUMNS = (
    "item_id", "location_id", "supplier_id", "quantity", "unit_cost", "price", "on_hand", "on_order", "mean_demand",
    "lead_time_days", "review_period_days", "days_of_cover", "stockout_on", "order_by_on", "arrives_on",
    "lost_units_without", "lost_units_with", "avoided_lost_sales", "net_gain", "binding", "assumed", "simulated",
    "moq", "pack_size", "previous_quantity", "driver", "change_saves",
)  # fmt: skip


class SamplePaths(Protocol):
    """A saved forecast that draws its sample paths again; day 0 is `run.as_of`."""

    @property
    def run(self) -> Any: ...

    @property
    def unique_ids(self) -> NDArray[Any]: ...

    @property
    def days(self) -> int: ...

    def paths(self, rows: Any, n_paths: int = ..., seed: int | None = ..., days: int | None = ...) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Note:
    """Something about a plan that a person should know: a code, and the numbers and names of its sentence."""

    code: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Cash:
    """The money a plan may spend: the budget, and what orders since a day have taken of it."""

    budget: float | None = None
    spent: float = 0.0
    since: dt.date | None = None

    @classmethod
    def of(cls, limits: Mapping[str, Any]) -> Cash:
        """The cash of a plan, out of the limits that were kept of it."""
        since = limits.get("cash_since")
        return cls(budget=limits.get("cash_budget"), spent=limits.get("cash_spent") or 0.0,
                   since=dt.date.fromisoformat(since) if since else None)

    @property
    def left(self) -> float | None:
        return None if self.budget is None else max(self.budget - self.spent, 0.0)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """All that a plan depends on; `previous` is what it is compared with and held steady against.

    items: the engine's columns, and item_id, location_id, assumed and simulated (lists of names), is_settled.
    arrivals: unique_id, day, quantity. gone: suppliers of whom nothing can be ordered, a what-if alone.
    """

    as_of: dt.date
    run: Any
    items: pd.DataFrame
    arrivals: pd.DataFrame
    demand: Demand
    cash: Cash
    supplier_minimums: Mapping[str, float]
    previous: pd.DataFrame | None
    previous_model: str = ""
    notes: tuple[Note, ...] = ()
    gone: frozenset[str] = frozenset()

    def fingerprint(self) -> str:
        """The same facts give the same text: without the previous plan, which only steadies what follows from them."""
        digest = hashlib.sha256()
        for frame in (self.items, self.arrivals):
            digest.update(frame.to_csv(index=False).encode())
        run = self.run
        digest.update(json.dumps([
            self.as_of.isoformat(), run.as_of.isoformat(), run.model, run.version_id, run.seed, run.data_fingerprint,
            self.cash.left, sorted(self.supplier_minimums.items()), [note.code for note in self.notes], PATHS,
        ]).encode())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Solved:
    """A plan before it is saved: its head's figures, and LINE_COLUMNS with the waterfall's, a row an item."""

    status: str
    notes: tuple[Note, ...]
    lines: pd.DataFrame
    changes: dict[str, Any]
    order_value: float
    gap: float
    cash_price: float
    expected_cost: float
    """Of holding and of `lost_margin`, until the order after this one would have come; of all items."""
    lost_margin: float


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What holds for a plan beside the facts of its items.

    supplier_minimums: what each supplier's order has to come to; None takes it from the terms. settled: series on which
    somebody has decided lately; they are looked at and not ordered again. thin: by the name of an assumption, the
    series whose demand rests on it (a short history, one unusual sale). active_item_ids: None for all that have terms.
    previous: an earlier plan's lines, as `selectors.previous_lines` gives them, and the model that forecast for it.
    gone_supplier_ids: suppliers of whom nothing can be ordered.
    """

    cash: Cash = Cash()
    supplier_minimums: Mapping[int, float] | None = None
    settled: Sequence[str] = ()
    thin: Mapping[str, Sequence[str]] = field(default_factory=dict)
    active_item_ids: Sequence[int] | None = None
    previous: pd.DataFrame | None = None
    previous_model: str = ""
    gone_supplier_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the apps below know of a day, and the rules that hold: all that `prepare` puts together."""

    as_of: dt.date
    paths: DemandPaths
    terms: pd.DataFrame
    positions: pd.DataFrame
    arrivals: pd.DataFrame
    rules: Rules

    def inputs(self) -> Inputs:
        return prepare(as_of=self.as_of, paths=self.paths, terms=self.terms, positions=self.positions,
                       arrivals=self.arrivals, rules=self.rules)


def prepare(*, as_of: dt.date, paths: SamplePaths, terms: pd.DataFrame, positions: pd.DataFrame,
            arrivals: pd.DataFrame, rules: Rules) -> Inputs:
    """Put the engine's frames together from what the apps below know.

    terms: the earning_terms of sales. positions: item_id, location_id, on_hand, counted_at (NaT: never), origin.
    arrivals: item_id, location_id, date, quantity. Where a shop's stock is simulated, so is that of an item of which
    none was made up: there is nothing that anybody could count.
    """
    import numpy as np
    import pandas as pd

    keys = pd.Series(paths.unique_ids.astype(str), dtype=object).str.split("/", expand=True)
    series = pd.DataFrame({"unique_id": paths.unique_ids.astype(str).astype(object)})
    series["item_id"] = keys[0].astype(np.int64) if len(series) else np.zeros(0, np.int64)
    series["location_id"] = keys[1].astype(np.int64) if len(series) else np.zeros(0, np.int64)
    series["row"] = np.arange(len(series))
    items = series.merge(terms, on="item_id", how="inner")
    if rules.active_item_ids is not None:
        items = items[items["item_id"].isin(list(rules.active_item_ids))]
    stock = positions[["item_id", "location_id", "on_hand", "counted_at", "origin"]]
    items = items.merge(stock, on=["item_id", "location_id"], how="left").sort_values("row", ignore_index=True)

    priced = items["unit_cost"].notna() & items["price"].notna()
    if (positions["origin"] == "simulated").any():
        items.loc[items["counted_at"].isna(), "origin"] = "simulated"
    uncounted = items["counted_at"].isna() & (items["origin"] != "simulated")
    notes = _notes(items, priced, uncounted)
    items, uncounted = items[priced].reset_index(drop=True), uncounted[priced].reset_index(drop=True)
    grounds = {"on_hand": uncounted,
               **{name: items["unique_id"].isin(list(series)) for name, series in rules.thin.items()}}
    items["on_hand"] = np.floor(items["on_hand"].astype(float).fillna(0.0) + 1e-6).astype(np.int64)
    items["assumed"] = [[*names, *(name for name, rests in grounds.items() if rests.iloc[place])]
                        for place, names in enumerate(items["assumed"])]
    items["simulated"] = [[*names, "on_hand"] if origin == "simulated" else list(names)
                          for names, origin in zip(items["simulated"], items["origin"], strict=True)]
    items["is_settled"] = items["unique_id"].isin(list(rules.settled))
    items["shortage_cost"] = (items["price"] - items["unit_cost"]).clip(lower=0.0)
    items["supplier_id"] = items["supplier_id"].astype(str)
    items["moq"], items["pack_size"] = items["moq"].clip(lower=1), items["pack_size"].clip(lower=1)

    coming = arrivals.assign(unique_id=arrivals["item_id"].astype(str) + "/" + arrivals["location_id"].astype(str))
    days = pd.to_datetime(coming["date"]) - pd.Timestamp(as_of)
    coming = pd.DataFrame({"unique_id": coming["unique_id"].astype(object), "day": days.dt.days.astype(np.int64),
                           "quantity": np.rint(coming["quantity"].astype(float)).astype(np.int64)})
    wanted = minimums_of(terms) if rules.supplier_minimums is None else rules.supplier_minimums
    minimums = {str(supplier): float(value) for supplier, value in wanted.items()
                if value > 0 and supplier not in rules.gone_supplier_ids}
    return Inputs(as_of=as_of, run=paths.run, items=items.drop(columns=["row", "counted_at", "origin"]),
                  arrivals=coming, demand=_demand(paths, items, as_of), cash=rules.cash, supplier_minimums=minimums,
                  previous=rules.previous, previous_model=rules.previous_model,
                  notes=notes, gone=frozenset(map(str, rules.gone_supplier_ids)))


def minimums_of(terms: pd.DataFrame) -> dict[int, float]:
    """Each supplier's minimum order value, where it has one."""
    known = terms[(terms["supplier_id"] > 0) & terms["minimum_order_value"].notna()]
    largest = known.groupby("supplier_id")["minimum_order_value"].max()
    return dict(zip(largest.index.tolist(), largest.tolist(), strict=True))


def _notes(items: pd.DataFrame, priced: pd.Series[bool], uncounted: pd.Series[bool]) -> tuple[Note, ...]:
    counts = {
        "without_price": int((~priced).sum()),
        "without_margin": int((priced & (items["price"] <= items["unit_cost"])).sum()),
        "without_stock": int((priced & uncounted).sum()),
        "without_supplier": int((priced & (items["supplier_id"] == 0)).sum()),
    }
    return tuple(Note(code, {"items": count, "planned": int(priced.sum())}) for code, count in counts.items() if count)


def _demand(paths: SamplePaths, items: pd.DataFrame, as_of: dt.date) -> Demand:
    """The forecast's paths from the planning day on; beyond its horizon the last week goes on repeating."""
    import numpy as np

    from apps.optimization.engine.demand import DrawnDemand

    late = (as_of - paths.run.as_of).days
    rows = items["row"].to_numpy(dtype=np.int64)
    needed = np.ceil(items["lead_time_days"]) + np.maximum(np.ceil(items["review_period_days"]), 1)
    reach = max(paths.days - late, int(needed.max()) if len(items) else 1)

    def draw(wanted: NDArray[np.int64], days: int) -> NDArray[Any]:
        last = min(late + days, paths.days)
        drawn = paths.paths(rows[wanted], PATHS, None, last)
        beyond = np.arange(late + days - last)
        place = np.concatenate([np.arange(late, last), max(last - WEEK, 0) + beyond % min(WEEK, last)])
        return drawn if late == 0 and not len(beyond) else drawn[:, :, place]

    return DrawnDemand(draw, n_paths=PATHS, days=reach)


def solve(*, inputs: Inputs) -> Solved:
    """Run the engine, and make what it says ready to save."""
    import numpy as np

    from apps.optimization.engine import replenish
    from apps.optimization.engine.frames import ITEM_COLUMNS, Limits

    items = inputs.items
    settled = items["is_settled"].to_numpy(dtype=bool)
    gone = items["supplier_id"].isin(inputs.gone).to_numpy(dtype=bool)
    asked = items[list(ITEM_COLUMNS)].copy()
    largest = np.minimum(MOST_UNITS, MOST_MONEY / items["unit_cost"].clip(lower=1e-4))
    asked["max_order_quantity"] = np.where(settled | gone, 0.0, largest)
    asked.loc[settled | gone, "shortage_cost"] = 0.0  # looked at, and not wanted
    plan = replenish.plan(
        asked, inputs.arrivals, inputs.demand, previous=inputs.previous, seed=inputs.run.seed,
        limits=Limits(cash_budget=inputs.cash.left, supplier_minimums=inputs.supplier_minimums))
    lines = _lines(inputs, plan, settled)
    notes = [Note(finding.code, dict(finding.numbers)) for finding in plan.findings if finding.code != "no_items"]
    if not len(items) and not inputs.notes:
        notes.append(Note("no_items"))
    if settled.any():
        notes.append(Note(SETTLED, {"items": int(settled.sum())}))
    notes += [Note(GONE, {"supplier_id": supplier, "items": int(items["supplier_id"].eq(supplier).sum())})
              for supplier in sorted(inputs.gone)]
    lost = plan.lines["expected_lost_units_with"]
    unweighed = float(((items["shortage_cost"] - asked["shortage_cost"]) * lost).sum())  # by the engine
    return Solved(
        status=plan.status, notes=(*notes, *inputs.notes), lines=lines, changes=_changes(inputs, lines, plan),
        order_value=plan.order_value, gap=plan.gap, cash_price=plan.cash_price,
        expected_cost=plan.expected_cost + unweighed, lost_margin=float((items["shortage_cost"] * lost).sum()))


def _lines(inputs: Inputs, plan: EnginePlan, settled: NDArray[Any]) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    from apps.optimization.engine.frames import PARTS
    from apps.optimization.engine.replenish import SMALLEST_GAIN

    items, found = inputs.items, plan.lines
    margin = items["shortage_cost"].to_numpy()
    lost_without, lost_with = found["expected_lost_units_without"], found["expected_lost_units_with"]
    net_gain = found["expected_cost_without"] - found["expected_cost"]
    # What gains no more than a quantity is moved for loses nothing by waiting: no day presses.
    presses = (net_gain > SMALLEST_GAIN) | found["order_quantity"].eq(0)
    start = pd.Timestamp(inputs.as_of)

    def day(offset: pd.Series[float]) -> pd.Series[Any]:
        return start + pd.to_timedelta(offset, unit="D")

    lines = pd.DataFrame({
        "item_id": items["item_id"], "location_id": items["location_id"],
        "supplier_id": items["supplier_id"].astype(np.int64), "quantity": found["order_quantity"],
        "unit_cost": items["unit_cost"], "price": items["price"], "on_hand": found["on_hand"],
        "on_order": found["on_order"], "mean_demand": found["expected_demand"],
        "lead_time_days": items["lead_time_days"], "review_period_days": items["review_period_days"],
        "days_of_cover": found["days_of_cover"].clip(upper=LONGEST_COVER_DAYS),
        "stockout_on": day(found["stockout_day"]), "order_by_on": day(found["order_by_day"].where(presses)),
        "arrives_on": day(np.ceil(items["lead_time_days"])),
        "lost_units_without": lost_without, "lost_units_with": lost_with,
        "avoided_lost_sales": margin * (lost_without - lost_with),
        "net_gain": net_gain,
        "binding": np.where(settled, SETTLED, found["binds"].astype(str)),
        "assumed": items["assumed"].map(",".join), "simulated": items["simulated"].map(",".join),
        "moq": items["moq"], "pack_size": items["pack_size"],
    })
    before = _causes(inputs, plan)
    for column, name in (("previous_quantity", "previous_quantity"), ("driver", "driver"), ("saves", "change_saves")):
        lines[name] = items["unique_id"].map(before[column]) if len(before) else None
    lines["driver"] = np.where(settled & lines["driver"].notna(), SETTLED, lines["driver"])
    for part in PARTS:
        lines[part] = found[part]
        lines[f"{part}_value"] = found[f"{part}_value"]
        lines[f"{part}_saves"] = found[f"{part}_saves"]
    if settled.any():
        _tell_settled(lines, settled, PARTS)
    return lines


def _tell_settled(lines: pd.DataFrame, settled: NDArray[Any], parts: Sequence[str]) -> None:
    """What a settled line would need stands in its waterfall, taken back by the decision: nothing is ordered twice."""
    lines[SETTLED] = 0
    lines[f"{SETTLED}_value"] = lines[f"{SETTLED}_saves"] = 0.0
    for suffix in ("", "_value", "_saves"):
        need = lines.loc[settled, f"need{suffix}"]
        for part in parts[1:]:
            lines.loc[settled, f"{part}{suffix}"] = 0
        lines.loc[settled, f"{SETTLED}{suffix}"] = -need


def _causes(inputs: Inputs, plan: EnginePlan) -> pd.DataFrame:
    """The engine's changes by series; where need or buffer moved, the driver is what moved them.

    `terms` (lead time or ordering period), `model` (another one forecasts), `worth` (cost or price); else `demand`, or
    `spread` for a buffer that follows how sure the forecast is.
    """
    import numpy as np

    changes = plan.changes.set_index("unique_id")
    if not len(changes) or inputs.previous is None:
        return changes
    names = ["lead_time_days", "review_period_days", "unit_cost", "price"]
    now, before = (frame.set_index("unique_id")[names].reindex(changes.index).to_numpy(dtype=float)
                   for frame in (inputs.items, inputs.previous))
    moved = np.abs(now - before) > np.array([1e-6, 1e-6, 1e-6, PRICE_MOVES]) * np.abs(before)
    is_buffer = changes["driver"].eq("buffer").to_numpy()
    causes = np.select([moved[:, :2].any(axis=1), np.full(len(changes), inputs.previous_model != inputs.run.model),
                        is_buffer & moved[:, 2:].any(axis=1), is_buffer],
                       ["terms", "model", "worth", "spread"], changes["driver"])
    changes["driver"] = np.where(is_buffer | changes["driver"].eq("demand"), causes, changes["driver"])
    return changes


def _changes(inputs: Inputs, lines: pd.DataFrame, plan: EnginePlan) -> dict[str, Any]:
    """What moved since the previous plan, by the reason it moved for: lines, units and money.

    The reasons add up to what this plan buys more or less than the previous one, in units and in money.
    """
    import numpy as np

    if inputs.previous is None:
        return {}
    now = inputs.items[["unique_id", "is_settled", "unit_cost"]].assign(quantity=lines["quantity"])
    before = inputs.previous[["unique_id", "order_quantity", "unit_cost"]]
    both = now.merge(before, on="unique_id", how="outer", suffixes=("", "_before"))
    figures = both[["quantity", "order_quantity", "unit_cost", "unit_cost_before"]].astype(float).fillna(0.0)
    both["units"] = figures["quantity"] - figures["order_quantity"]
    both["money"] = (figures["quantity"] * figures["unit_cost"]
                     - figures["order_quantity"] * figures["unit_cost_before"]).round(4)
    told = _causes(inputs, plan)
    both["saves"] = both["unique_id"].map(told["saves"]).astype(float).fillna(0.0)
    driver = both["unique_id"].map(told["driver"])
    driver = driver.where(driver.notna() | both["money"].eq(0), COST)  # the same quantity at another cost
    both["driver"] = np.where(driver.notna() & both["is_settled"].eq(True), SETTLED, driver)
    moved = both[driver.notna()]

    def sums(group: pd.DataFrame) -> dict[str, Any]:
        return {"lines": len(group), "units": int(group["units"].sum()), "money": round(float(group["money"].sum()), 2),
                "saves": round(float(group["saves"].sum()), 2)}

    reasons = [{"driver": str(name), **sums(group)} for name, group in moved.groupby("driver", sort=True)]
    return {"reasons": sorted(reasons, key=lambda reason: -abs(reason["money"])), **sums(moved),
            "lines_before": int((figures["order_quantity"] > 0).sum()),
            "lines_after": int((lines["quantity"] > 0).sum())}
