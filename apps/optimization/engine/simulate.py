"""Any policy replayed over history: the same demand and lead times for all, and what each sells, misses and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.optimization.engine.frames import Floats, InputError, Ints, Items, read_arrivals, read_items
from apps.optimization.engine.policies import WEEK, Policy, View
from apps.optimization.engine.policy import lead_time_quantiles, shuffles

YEAR_DAYS = 365
COUNTED = ("demand", "sold", "lost", "late", "ordered", "orders", "received", "stockout_days", "stock", "tied_up")
MONEY = ("margin", "holding", "lost_margin", "cost", "profit")
MEASURES = (*COUNTED, *MONEY)


@dataclass(frozen=True)
class Replay:
    """What a policy did on the days that count: measures by item and week [n, weeks] (the last week may be shorter)."""

    unique_ids: NDArray[np.object_]
    measures: dict[str, Floats]
    """MEASURES, units or money.

    demand = sold + lost. late: sold, but not there on the day it was asked for (with backorders). orders: how many were
    placed. stockout_days: days that ended with an empty shelf. stock: each evening's, added up over days; tied_up: with
    what is on order. margin: (price - unit cost) of what was sold. holding: of each evening's stock. lost_margin:
    shortage cost of what was lost or late. cost: holding + lost_margin. profit: margin - holding; purchases count when
    they are sold, so this is the cash made with closing stock valued at its cost.
    """
    unit_cost: Floats
    """[n]"""
    days: int
    """How many days count."""
    opening_stock: Ints
    """On the morning of the first day that counts [n], before its deliveries; below zero where units are owed."""
    closing_stock: Ints
    opening_on_order: Ints
    closing_on_order: Ints

    @property
    def weeks(self) -> int:
        return int(self.measures["profit"].shape[1])

    @property
    def closing_value(self) -> Floats:
        """Of the closing stock at its cost, in money [n]; what is owed counts against it."""
        return self.closing_stock * self.unit_cost

    @property
    def fill_rate(self) -> float:
        """Share of the units asked for that were served on that day; 1 where nothing was asked for."""
        return self.totals()["fill_rate"]

    def of(self, rows: Ints) -> Replay:
        """The replay of some of the items."""
        return Replay(
            self.unique_ids[rows],
            {name: values[rows] for name, values in self.measures.items()},
            self.unit_cost[rows],
            self.days,
            *(units[rows] for units in (self.opening_stock, self.closing_stock)),
            *(units[rows] for units in (self.opening_on_order, self.closing_on_order)),
        )

    def totals(self) -> dict[str, float]:
        """Every figure of `table`, without its interval."""
        return {name: float(value) for name, value in _figures(self._sums().sum(axis=1), self.days).items()}

    def table(
        self,
        *,
        groups: NDArray[np.object_] | None = None,
        level: float = 0.95,
        draws: int = 500,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Tidy: figure, value, low, high, over all items and all days that count.

        MEASURES but stock and tied_up, and: fill_rate; average_stock (units) and average_stock_value (money), of the
        evenings; money_tied_up, the same with what is on order; turns = cost of what was sold in a year / average
        stock value, 0 without stock; closing_value. low, high: the percentile interval of a bootstrap that draws
        items (groups of items, where given [n]) with replacement: what other items like these might have shown.
        """
        by_group = _by_group(self._sums().T, groups)
        value = _figures(by_group.sum(axis=0), self.days)
        drawn = value
        if len(by_group):
            drawn = _figures((_resampled(len(by_group), draws, seed) @ by_group).T, self.days)
        low, high = (1 - level) / 2, (1 + level) / 2
        rows = [(name, float(value[name]), *np.quantile(drawn[name], [low, high]).tolist()) for name in value]
        return pd.DataFrame(rows, columns=["figure", "value", "low", "high"])

    def frame(self) -> pd.DataFrame:
        """Tidy: unique_id, week (0 is the first that counts), and MEASURES."""
        return pd.DataFrame(
            {
                "unique_id": np.repeat(self.unique_ids, self.weeks),
                "week": np.tile(np.arange(self.weeks), len(self.unique_ids)),
                **{name: values.reshape(-1) for name, values in self.measures.items()},
            }
        )

    def _sums(self) -> Floats:
        """What figures are made of [len(SUMS), n]: see _figures."""
        by_item = {name: values.sum(axis=1) for name, values in self.measures.items()}
        return np.stack(
            [
                *(by_item[name] for name in MEASURES),
                by_item["stock"] * self.unit_cost,
                by_item["tied_up"] * self.unit_cost,
                by_item["sold"] * self.unit_cost,
                self.closing_value,
            ]
        )


def replay(
    items: pd.DataFrame,
    arrivals: pd.DataFrame | None,
    demand: NDArray[np.integer[Any]],
    policy: Policy,
    *,
    history: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
    run_in_days: int = 0,
    unmet: Literal["lost", "backorder"] = "lost",
    lead_times: Mapping[str, Sequence[int]] | None = None,
) -> Replay:
    """Let a policy run a shop through `demand` (units [n, T], rows as in `items`).

    Each day: deliveries come in; items whose review is due (every review_period_days, from the first day on) are put to
    the policy; the day's demand is served from stock and the rest is lost, or with `backorder` owed until goods come.
    An order's lead time is drawn for its item and day from the seed, so it is the same for every policy; none of it
    shows before the goods are there.
    items: see frames.read_items; units owed at the start (on_hand below 0) are written off, unless backorders are kept.
    arrivals: on order at the start, at their dates. history: units sold before the first day [n, H], for policies that
    look back. run_in_days: how many of the first days are lived but not counted. lead_times: whole days that a
    supplier's past orders took, by supplier_id; its orders take one of them, each as often as the others, and the
    policy still expects goods after lead_time_days.

    Raises frames.InputError where a frame cannot be used, or the policy orders anything but whole units of at least 0.
    """
    known = read_items(items)
    n, days = len(known), _checked_days(demand, len(known), run_in_days, unmet)
    # Days come first within: what is read and written day by day lies together.
    wanted = np.ascontiguousarray(demand.T, dtype=np.int64)
    before = 0 if history is None else history.shape[1]
    sold = np.zeros((before + days, n), dtype=np.int64)
    if history is not None:
        sold[:before] = history.T
    sold_out = np.zeros((days, n), dtype=bool)
    counts = _Counts(n, days - run_in_days)
    road = _Pipeline(known, items, arrivals, _lead_times(known, days, seed, lead_times or {}))
    shelf = np.maximum(known.on_hand, 0) if unmet == "lost" else known.on_hand.copy()
    opening, opening_on_order = shelf, road.on_order.copy()
    shown, shown_out, terms, frame = _read_only(sold), _read_only(sold_out), _frozen(known), items.copy()
    for day in range(days):
        if day == run_in_days:
            opening, opening_on_order = shelf, road.on_order.copy()
        today = before + day
        shelf = shelf + road.arriving(day)
        due = day % known.review_period_days == 0
        if due.any():
            view = View(
                day=day,
                terms=replace(terms, on_hand=_copied(shelf)),
                sold=shown[:today].T,
                sold_out=shown_out[:day].T,
                on_order=_copied(road.on_order),
                due=_copied(due),
                frame=frame,
                expected=partial(road.expected, day),
            )
            shelf = shelf + road.order(day, np.where(due, _checked_orders(policy.orders(view), n), 0))
        missed = np.maximum(wanted[day] - np.maximum(shelf, 0), 0)
        sold[today] = wanted[day] - missed if unmet == "lost" else wanted[day]
        shelf = shelf - sold[today]
        sold_out[day] = shelf <= 0
        if day >= run_in_days:
            counts.add(
                day - run_in_days,
                demand=wanted[day],
                sold=sold[today],
                lost=wanted[day] - sold[today],
                late=missed - (wanted[day] - sold[today]),
                ordered=road.ordered[day],
                orders=road.ordered[day] > 0,
                received=road.coming[day],
                stockout_days=sold_out[day],
                stock=np.maximum(shelf, 0),
                tied_up=np.maximum(shelf, 0) + road.on_order,
            )
    return Replay(
        unique_ids=known.unique_ids,
        measures=_in_money(known, counts.by_week),
        unit_cost=known.unit_cost,
        days=days - run_in_days,
        opening_stock=opening,
        closing_stock=shelf,
        opening_on_order=opening_on_order,
        closing_on_order=road.on_order,
    )


@dataclass(frozen=True)
class Difference:
    """Money that one policy made more than another, over the whole replay, with its interval."""

    money: float
    low: float
    high: float
    level: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def difference(
    ours: Replay,
    theirs: Replay,
    *,
    measure: str = "profit",
    groups: NDArray[np.object_] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Difference:
    """The profit (or another measure) of `ours` less that of `theirs`, with the interval of a paired bootstrap.

    Groups of items (a category for each item [n]; each item its own where None) and weeks are both drawn with
    replacement, each draw weighing a group in a week by the product of the two counts (Owen 2007, the pigeonhole
    bootstrap): what items of a category share, and what a week brings to all, both widen the percentile interval.

    Raises ValueError where the two replays are not of the same items and weeks.
    """
    if list(ours.unique_ids) != list(theirs.unique_ids) or ours.weeks != theirs.weeks:
        raise ValueError("The two replays are not of the same items and weeks.")
    by_group = _by_group(ours.measures[measure] - theirs.measures[measure], groups)
    money = float(by_group.sum())
    if by_group.size == 0:
        return Difference(money, money, money, level)
    generator = np.random.default_rng(seed)
    n_groups, n_weeks = by_group.shape
    group_counts = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=draws)
    week_counts = generator.multinomial(n_weeks, np.full(n_weeks, 1 / n_weeks), size=draws)
    drawn = ((group_counts @ by_group) * week_counts).sum(axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Difference(money, float(low), float(high), level)


class _Pipeline:
    """Orders on their way: what is known of them, and, kept apart, when they come."""

    def __init__(self, items: Items, frame: pd.DataFrame, arrivals: pd.DataFrame | None, lead: Ints) -> None:
        """lead: of what is ordered on each day of the replay [T, n]."""
        self.ids = frame["unique_id"].to_numpy()
        self.usual_lead = np.rint(items.lead_time_days).astype(np.int64)
        self.lead, self.longest = lead, int(lead.max(initial=0))
        self.opening = read_arrivals(arrivals, items)
        self.ordered = np.zeros_like(lead)
        self.coming = np.zeros_like(lead)
        """Units that come on each day [T, n]; what comes later than that only stays on order."""
        self.on_order = np.bincount(self.opening.row, self.opening.quantity, len(items)).astype(np.int64)
        soon = self.opening.day < len(lead)
        np.add.at(self.coming, (self.opening.day[soon], self.opening.row[soon]), self.opening.quantity[soon])

    def arriving(self, day: int) -> Ints:
        came: Ints = self.coming[day]
        self.on_order -= came
        return came

    def order(self, day: int, quantity: Ints) -> Ints:
        """Take orders in; what has no lead time comes at once [n]."""
        self.ordered[day] = quantity
        comes = day + self.lead[day]
        rows = np.flatnonzero((quantity > 0) & (comes < len(self.lead)))
        self.coming[comes[rows], rows] += quantity[rows]
        at_once = np.where(comes == day, quantity, 0)
        self.on_order += quantity - at_once
        return at_once

    def expected(self, day: int) -> pd.DataFrame:
        """What was on order on the morning of a day, after its deliveries: see View.arrivals."""
        first = max(day - self.longest, 0)
        placed = np.arange(first, day)[:, None]
        when, row = np.nonzero((self.ordered[first:day] > 0) & (placed + self.lead[first:day] > day))
        later = self.opening.day > day
        rows = np.concatenate([self.opening.row[later], row])
        expected = np.concatenate([self.opening.day[later], first + when + self.usual_lead[row]])
        quantity = np.concatenate([self.opening.quantity[later], self.ordered[first + when, row]])
        return pd.DataFrame(
            {"unique_id": self.ids[rows], "day": np.maximum(expected - day, 1), "quantity": quantity}
        )


class _Counts:
    """Whole numbers added up by week and item [weeks, n]."""

    def __init__(self, n: int, days: int) -> None:
        self.by_week = {name: np.zeros((-(-days // WEEK), n), dtype=np.int64) for name in COUNTED}

    def add(self, day: int, **counted: NDArray[Any]) -> None:
        for name, units in counted.items():
            self.by_week[name][day // WEEK] += units


def _in_money(items: Items, by_week: Mapping[str, Ints]) -> dict[str, Floats]:
    """MEASURES by item and week, from COUNTED by week and item."""
    counted = {name: np.asarray(units.T, dtype=np.float64) for name, units in by_week.items()}
    margin = (items.price - items.unit_cost)[:, None] * counted["sold"]
    holding = items.holding_cost[:, None] * counted["stock"]
    lost_margin = items.shortage_cost[:, None] * (counted["lost"] + counted["late"])
    money = (margin, holding, lost_margin, holding + lost_margin, margin - holding)
    return counted | dict(zip(MONEY, money, strict=True))


def _figures(sums: Floats, days: int) -> dict[str, Floats]:
    """The figures of Replay.table from sums over items and days [len(SUMS), ...]: see Replay._sums."""
    of = dict(zip(MEASURES, sums, strict=False))
    stock_value, tied_up_value, cost_of_sales, closing_value = sums[len(MEASURES) :]
    stock, _tied_up = of.pop("stock"), of.pop("tied_up")
    length = max(days, 1)
    return {
        **of,
        "fill_rate": 1 - _share(of["lost"] + of["late"], of["demand"]),
        "average_stock": stock / length,
        "average_stock_value": stock_value / length,
        "money_tied_up": tied_up_value / length,
        "turns": _share(YEAR_DAYS * cost_of_sales, stock_value),
        "closing_value": closing_value,
    }


def _share(part: Floats, whole: Floats) -> Floats:
    whole = np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _by_group(by_item: Floats, groups: NDArray[np.object_] | None) -> Floats:
    """Rows [n, k] added up by group; every row stands alone where there are no groups."""
    if groups is None:
        return by_item
    labels = np.unique(groups.astype(str), return_inverse=True)[1]
    sums = np.zeros((int(labels.max(initial=-1)) + 1, by_item.shape[1]))
    np.add.at(sums, labels, by_item)
    return sums


def _resampled(n: int, draws: int, seed: int) -> Floats:
    """How often each of n comes in each draw with replacement [draws, n]."""
    drawn = np.random.default_rng(seed).integers(0, n, (draws, n)) + n * np.arange(draws)[:, None]
    return np.bincount(drawn.reshape(-1), minlength=n * draws).reshape(draws, n).astype(np.float64)


def _lead_times(items: Items, days: int, seed: int, by_supplier: Mapping[str, Sequence[int]]) -> Ints:
    """Of what is ordered on each day [T, n]: the gamma draws of policy.lead_time_draws, or a supplier's own days."""
    even = lead_time_quantiles(items, days)
    for supplier, took in by_supplier.items():
        given = np.asarray(took)
        if not len(given) or not np.issubdtype(given.dtype, np.integer) or given.min() < 0:
            raise InputError([f"lead times: those of supplier {supplier!r} must be whole days of at least 0."])
        rows = np.flatnonzero(items.supplier_ids[items.supplier] == supplier)
        even[rows] = np.sort(given)[(np.arange(days) * len(given)) // max(days, 1)]
    drawn = np.take_along_axis(even, shuffles(items, days, seed, 1), axis=1)
    return np.ascontiguousarray(drawn.T)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same memory, which nothing done to this array's flags makes writable."""
    return np.asarray(array.data.toreadonly()) if array.size else _copied(array)


def _copied(array: NDArray[Any]) -> NDArray[Any]:
    own = array.copy()
    own.flags.writeable = False
    return own


def _frozen(items: Items) -> Items:
    return replace(items, **{field.name: _copied(getattr(items, field.name)) for field in fields(items)})


def _checked_days(demand: NDArray[np.integer[Any]], n: int, run_in_days: int, unmet: str) -> int:
    if demand.ndim != 2 or demand.shape[0] != n:
        raise InputError([f"demand: an array of shape {demand.shape} came for {n} items; rows must be items."])
    if not np.issubdtype(demand.dtype, np.integer) or (demand.size and demand.min() < 0):
        raise InputError(["demand: the replay needs whole units of at least 0."])
    days = int(demand.shape[1])
    if run_in_days < 0 or (run_in_days and run_in_days >= days):
        raise InputError([f"run-in: {run_in_days} days of {days} are not to count; at least one day must."])
    if unmet not in ("lost", "backorder"):
        raise InputError([f"unmet: {unmet!r} is neither 'lost' nor 'backorder'."])
    return days


def _checked_orders(quantity: Ints, n: int) -> Ints:
    if quantity.shape != (n,) or not np.issubdtype(quantity.dtype, np.integer) or (n and quantity.min() < 0):
        raise InputError([f"policy: orders must be {n} whole numbers of at least 0."])
    return quantity
