"""Why each quantity: the waterfall of limits, what binds, and the named results of plans that cannot be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.optimization.engine.frames import MONEY_STEP, PARTS, Ints, Limits, to_steps
from apps.optimization.engine.policy import Outlook

WORDS = {
    "no_items": "There are no items to plan.",
    "nothing_needed": "Nothing needs ordering: stock and orders on their way cover expected demand for all %(items)s "
    "items.",
    "not_worth_a_lot": "Of %(items)s items that could use a few units, none is worth the smallest lot it can be bought "
    "in.",
    "budget_binds": "The budget of %(budget)s leaves out orders worth %(left_out)s of %(wanted)s; one more unit of "
    "money would save %(cash_price)s.",
    "budget_below_cheapest_line": "The budget of %(budget)s is below the cheapest line: %(unique_id)s for "
    "%(cheapest_line)s.",
    "moq_above_budget": "The smallest order of %(items)s items costs more than the budget of %(budget)s (first: "
    "%(unique_id)s, %(moq)s units for %(smallest_order)s).",
    "moq_above_maximum": "The smallest order of %(items)s items is above the largest allowed (first: %(unique_id)s, "
    "%(moq)s against %(max_order_quantity)s units).",
    "supplier_minimum_above_budget": "%(supplier_id)s takes orders from %(minimum)s; the budget is %(budget)s.",
    "supplier_minimum_unreachable": "%(supplier_id)s takes orders from %(minimum)s; all its items at their largest "
    "come to %(reachable)s.",
    "supplier_minimum_not_worth": "%(supplier_id)s takes orders from %(minimum)s; what is needed comes to %(wanted)s, "
    "and filling it up would cost more than waiting.",
    "supplier_minimum_topped_up": "%(supplier_id)s takes orders from %(minimum)s; what is needed came to %(wanted)s "
    "and was filled up.",
    "gap": "A better plan may save at most %(gap)s more.",
}
"""One English sentence for each code, with the names of its numbers: the caller may translate it."""

IMPOSSIBLE = frozenset(
    {
        "budget_below_cheapest_line",
        "moq_above_budget",
        "moq_above_maximum",
        "supplier_minimum_above_budget",
        "supplier_minimum_unreachable",
    }
)
"""Limits that leave no choice, whatever the gain."""


@dataclass(frozen=True)
class Finding:
    """A limit that shaped the plan: its code (a key of WORDS) and the numbers in its sentence."""

    code: str
    numbers: Mapping[str, str | int | float]

    def __str__(self) -> str:
        shown = {k: f"{v:,.2f}" if isinstance(v, float) else v for k, v in self.numbers.items()}
        return WORDS[self.code] % shown


@dataclass(frozen=True)
class Stages:
    """Six plans [n], each with one more limit than the one before, in the order of the waterfall."""

    need: Ints
    """Mean demand over the protection period less the position, in whole units, nothing below zero."""
    units: Ints
    """What costs least, in units, for each item alone."""
    lots: Ints
    """The same in whole packs, nothing or at least the MOQ, at most the largest order."""
    minimums: Ints
    """All items of each supplier together, its minimum order value added."""
    budget: Ints
    """All items together, the cash budget added."""
    final: Ints
    """Quantities too near to the previous plan's to be worth changing kept as they were."""

    @property
    def in_order(self) -> tuple[Ints, ...]:
        return (self.need, self.units, self.lots, self.minimums, self.budget, self.final)


def lines(outlook: Outlook, stages: Stages) -> pd.DataFrame:
    """One row per item, in the items' order: the order, the outlook without and with it, and the waterfall.

    unique_id, supplier_id; order_quantity (units), order_value (money); on_hand, on_order, position, expected_demand
    (units; the last two over the protection period); stockout_day, stockout_day_early, order_by_day (offsets from the
    planning day, nan: not in sight); days_of_cover, days_of_cover_after (on hand alone; with orders on their way and
    this one); risk_before_arrival (a chance); expected_lost_units_without, expected_lost_units_with (until the
    protection period ends), expected_lost_sales_avoided (money: lost margin); expected_cost_without, expected_cost
    (money); binds (code of the last limit that moved the quantity, empty for none).

    The waterfall: each of PARTS in units, adding up exactly to order_quantity; `<part>_value` at unit cost, adding up
    to order_value; `<part>_saves`, the fall in expected cost that the step brings (below zero: what the limit costs),
    adding up to expected_cost_without - expected_cost.
    """
    items, rows = outlook.items, np.arange(len(outlook.items))
    quantity = stages.final
    nothing = np.zeros_like(quantity)
    costs = [outlook.cost(rows, plan) for plan in (nothing, *stages.in_order)]
    lost_without, lost_with = outlook.lost_units(rows, nothing), outlook.lost_units(rows, quantity)
    before = outlook.lost_before
    with np.errstate(divide="ignore", invalid="ignore"):
        after = np.maximum(items.on_hand + outlook.on_order + quantity, 0) / outlook.daily_demand
    frame = {
        "unique_id": items.unique_ids,
        "supplier_id": items.supplier_ids[items.supplier] if len(items) else np.zeros(0, dtype=object),
        "order_quantity": quantity,
        "order_value": quantity * items.unit_cost_steps / MONEY_STEP,
        "on_hand": items.on_hand,
        "on_order": outlook.on_order,
        "position": outlook.position,
        "expected_demand": outlook.expected_demand,
        "stockout_day": outlook.stockout_day,
        "stockout_day_early": outlook.stockout_day_early,
        "order_by_day": outlook.order_by_day,
        "risk_before_arrival": outlook.risk_before_arrival,
        "days_of_cover": outlook.days_of_cover,
        "days_of_cover_after": np.where(outlook.daily_demand > 0, after, np.inf),
        "expected_lost_units_without": before + lost_without,
        "expected_lost_units_with": before + lost_with,
        "expected_lost_sales_avoided": items.shortage_cost * (lost_without - lost_with),
        "expected_cost_without": items.shortage_cost * before + costs[0],
        "expected_cost": items.shortage_cost * before + costs[-1],
        "binds": _binds(outlook, stages),
    }
    plans = (nothing, *stages.in_order)
    for number, part in enumerate(PARTS):
        units = plans[number + 1] - plans[number]
        frame[part] = units
        frame[f"{part}_value"] = units * items.unit_cost_steps / MONEY_STEP
        frame[f"{part}_saves"] = costs[number] - costs[number + 1]
    return pd.DataFrame(frame)


def suppliers(outlook: Outlook, stages: Stages, limits: Limits) -> pd.DataFrame:
    """One row per supplier: supplier_id, minimum_order_value, wanted_value (its items alone), order_value, lines."""
    items = outlook.items
    count = len(items.supplier_ids)
    return pd.DataFrame(
        {
            "supplier_id": items.supplier_ids,
            "minimum_order_value": minimum_steps(outlook, limits) / MONEY_STEP,
            "wanted_value": _spend(outlook, stages.lots) / MONEY_STEP,
            "order_value": _spend(outlook, stages.final) / MONEY_STEP,
            "lines": np.bincount(items.supplier, weights=stages.final > 0, minlength=count).astype(np.int64),
        }
    )


def minimum_steps(outlook: Outlook, limits: Limits) -> Ints:
    """Minimum order value of each supplier, in steps of money; 0 where there is none."""
    minimum = {str(supplier): float(value) for supplier, value in limits.supplier_minimums.items()}
    values = [minimum.get(supplier, 0.0) for supplier in outlook.items.supplier_ids]
    return to_steps(np.array(values, dtype=np.float64))


def findings(
    outlook: Outlook, stages: Stages, limits: Limits, *, reachable: Ints, gap: float, cash_price: float
) -> list[Finding]:
    """Every limit that shaped the plan, those that made it impossible first.

    reachable: [suppliers] the value of all its items at their largest, in steps of money.
    """
    items = outlook.items
    if not len(items):
        return [Finding("no_items", {})]
    if not stages.final.any() and not stages.units.any():
        return [Finding("nothing_needed", {"items": len(items)})]
    found = [*_lot_findings(outlook, stages), *_supplier_findings(outlook, stages, limits, reachable)]
    if limits.cash_budget is not None:
        found += _cash_findings(outlook, stages, limits.cash_budget, cash_price)
    if gap > 0:
        found.append(Finding("gap", {"gap": gap}))
    return sorted(found, key=lambda finding: finding.code not in IMPOSSIBLE)


def _spend(outlook: Outlook, quantity: Ints) -> Ints:
    spend = np.zeros(len(outlook.items.supplier_ids), dtype=np.int64)
    np.add.at(spend, outlook.items.supplier, quantity * outlook.items.unit_cost_steps)
    return spend


def _binds(outlook: Outlook, stages: Stages) -> NDArray[np.object_]:
    items, lots, units = outlook.items, stages.lots, stages.units
    at_moq = (items.moq > items.pack_size) & ((lots == items.moq) | (lots == 0))
    at_ceiling = (units > lots) & (lots + items.pack_size > items.ceiling)
    names = np.select([lots == units, at_ceiling, at_moq], ["", "max_order_quantity", "moq"], "pack")
    for plan, before, name in (
        (stages.minimums, stages.lots, "supplier_minimum"),
        (stages.budget, stages.minimums, "cash"),
        (stages.final, stages.budget, "kept"),
    ):
        names = np.where(plan != before, name, names)
    return names.astype(object)


def _lot_findings(outlook: Outlook, stages: Stages) -> list[Finding]:
    items = outlook.items
    found = []
    blocked = np.flatnonzero((items.moq > items.ceiling) & (stages.units > 0))
    if len(blocked):
        first = blocked[0]
        numbers = {"moq": int(items.moq[first]), "max_order_quantity": int(items.ceiling[first])}
        found.append(
            Finding("moq_above_maximum", {"items": len(blocked), "unique_id": items.unique_ids[first], **numbers})
        )
    small = int(((stages.units > 0) & (items.moq <= items.ceiling)).sum())
    if small and not stages.lots.any() and not stages.final.any():
        found.append(Finding("not_worth_a_lot", {"items": small}))
    return found


def _supplier_findings(outlook: Outlook, stages: Stages, limits: Limits, reachable: Ints) -> list[Finding]:
    minimum, wanted = minimum_steps(outlook, limits), _spend(outlook, stages.lots)
    together = _spend(outlook, stages.minimums)
    budget = np.inf if limits.cash_budget is None else limits.cash_budget
    found = []
    is_wanted = np.zeros(len(minimum), dtype=bool)
    is_wanted[outlook.items.supplier[stages.lots > 0]] = True
    for number in np.flatnonzero(is_wanted & ((wanted < minimum) | (minimum > budget * MONEY_STEP))):
        numbers: dict[str, str | int | float] = {
            "supplier_id": outlook.items.supplier_ids[number],
            "minimum": float(minimum[number] / MONEY_STEP),
        }
        if reachable[number] < minimum[number]:
            reach = float(reachable[number] / MONEY_STEP)
            found.append(Finding("supplier_minimum_unreachable", {**numbers, "reachable": reach}))
            continue
        if minimum[number] / MONEY_STEP > budget:
            found.append(Finding("supplier_minimum_above_budget", {**numbers, "budget": float(budget)}))
            continue
        code = "supplier_minimum_topped_up" if together[number] else "supplier_minimum_not_worth"
        found.append(Finding(code, {**numbers, "wanted": float(wanted[number] / MONEY_STEP)}))
    return found


def _cash_findings(outlook: Outlook, stages: Stages, budget: float, cash_price: float) -> list[Finding]:
    items = outlook.items
    wanted = np.flatnonzero(stages.minimums > 0)
    if not len(wanted):
        return []
    cost = items.unit_cost_steps
    found = []
    smallest = items.moq[wanted] * cost[wanted]
    limit = int(to_steps(budget))
    too_large = (smallest > limit) & (items.moq[wanted] > items.pack_size[wanted])
    if too_large.any():
        first = wanted[int(np.argmax(too_large))]
        found.append(
            Finding(
                "moq_above_budget",
                {
                    "items": int(too_large.sum()),
                    "budget": budget,
                    "unique_id": items.unique_ids[first],
                    "moq": int(items.moq[first]),
                    "smallest_order": float(items.moq[first] * cost[first] / MONEY_STEP),
                },
            )
        )
    if (smallest > limit).all() and not too_large.all():
        cheapest = int(np.argmin(smallest))
        found.append(
            Finding(
                "budget_below_cheapest_line",
                {
                    "budget": budget,
                    "unique_id": items.unique_ids[wanted[cheapest]],
                    "cheapest_line": float(smallest[cheapest] / MONEY_STEP),
                },
            )
        )
    before, after = int((stages.minimums * cost).sum()), int((stages.budget * cost).sum())
    if before > limit and (after or not found):
        numbers: dict[str, str | int | float] = {
            "budget": budget,
            "wanted": before / MONEY_STEP,
            "left_out": (before - after) / MONEY_STEP,
            "cash_price": cash_price,
        }
        found.append(Finding("budget_binds", numbers))
    return found
