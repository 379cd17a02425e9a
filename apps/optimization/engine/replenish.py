"""The plan: demand, then policy, then solver, then explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from apps.optimization.engine import explain, frames, ragged, stability
from apps.optimization.engine.demand import Demand
from apps.optimization.engine.explain import Finding, Stages
from apps.optimization.engine.frames import Ints, Limits
from apps.optimization.engine.policy import CURVE_CELLS, Outlook, outlook
from apps.optimization.engine.solver import Choices, solve

SMALLEST_GAIN = 0.5


@dataclass(frozen=True)
class Plan:
    """What to order today, and why.

    status: `optimal` (no better plan exists, or none better by more than solver.GAP of what this one
    saves), `feasible` (a better one may exist: see `gap`), `empty` (nothing is worth
    ordering), `infeasible` (something is, but a limit forbids every order; the first finding names it).
    """

    status: str
    findings: tuple[Finding, ...]
    lines: pd.DataFrame
    """See explain.lines."""
    suppliers: pd.DataFrame
    """See explain.suppliers."""
    changes: pd.DataFrame
    """See stability.changes."""
    order_value: float
    expected_cost: float
    """Of holding and lost margin over the protection periods, in money."""
    saves: float
    """Expected cost saved against ordering nothing."""
    gap: float
    """Money that a better plan may save at most."""
    cash_price: float
    """Expected cost saved by one more unit of money in the budget; 0 where it does not bind."""

    @property
    def summary(self) -> Mapping[str, str | float | int | list[str]]:
        return {
            "status": self.status,
            "items": len(self.lines),
            "lines": int((self.lines["order_quantity"] > 0).sum()),
            "order_value": self.order_value,
            "expected_cost": self.expected_cost,
            "saves": self.saves,
            "gap": self.gap,
            "cash_price": self.cash_price,
            "findings": [str(finding) for finding in self.findings],
        }


def plan(
    items: pd.DataFrame,
    arrivals: pd.DataFrame | None,
    demand: Demand,
    *,
    limits: Limits | None = None,
    previous: pd.DataFrame | None = None,
    smallest_gain: float = SMALLEST_GAIN,
    seed: int = 0,
) -> Plan:
    """What to order today of every item.

    items: see frames.read_items. arrivals: what is on order, see frames.read_arrivals. demand: sample paths for the
    rows of `items`; day 0 is the planning day itself. limits: see frames.Limits. previous: the `lines` of an earlier
    plan (at least frames.PREVIOUS_COLUMNS); a quantity moves from it only where that saves `smallest_gain` (money).
    What earns nothing (shortage_cost 0) is not bought. The result depends on these alone; an item's lead times are
    drawn from the seed and its id.

    Raises frames.InputError, with one sentence for each thing wrong, where the frames cannot be planned with. Limits
    that nothing can satisfy are no error: they are the plan's status and findings.
    """
    limits = frames.read_limits(limits or Limits())
    known = frames.read_items(items)
    # What nothing is gained by selling fills up no supplier's minimum either, and is not kept from an earlier plan.
    known = replace(known, ceiling=np.where(known.shortage_cost > 0, known.ceiling, 0))
    before = frames.read_previous(previous)
    look = outlook(known, frames.read_arrivals(arrivals, known), demand, seed=seed)

    minimum = explain.minimum_steps(look, limits)
    budget = None if limits.cash_budget is None else int(np.floor(limits.cash_budget * frames.MONEY_STEP + 1e-6))
    lots = look.best_lot()
    largest = _largest(look, lots, minimum, limits.max_cover_days)
    solution = solve(_choices(look, lots, largest), minimum, budget)
    final = solution.quantity
    if before is not None:
        final = stability.kept_quantities(
            look,
            final,
            before,
            smallest_gain=smallest_gain,
            cash_price=solution.cash_price,
            minimum=minimum,
            budget=budget,
        )
    need = np.maximum(np.rint(look.expected_demand - look.position), 0).astype(np.int64)
    stages = Stages(need, look.best_units, lots, solution.without_budget, solution.quantity, final)
    reachable = np.zeros(len(minimum), dtype=np.int64)
    np.add.at(reachable, known.supplier, largest * known.unit_cost_steps)
    lines = explain.lines(look, stages)
    unproved = 0.0 if solution.is_best else solution.gap
    found = explain.findings(
        look, stages, limits, reachable=reachable, gap=unproved, cash_price=solution.cash_price
    )
    return Plan(
        status=_status(final, found, is_best=solution.is_best),
        findings=tuple(found),
        lines=lines,
        suppliers=explain.suppliers(look, stages, limits),
        changes=stability.changes(look, lines, before),
        order_value=float((final * known.unit_cost_steps).sum() / frames.MONEY_STEP),
        expected_cost=float(lines["expected_cost"].sum()),
        saves=float((lines["expected_cost_without"] - lines["expected_cost"]).sum()),
        gap=solution.gap,
        cash_price=solution.cash_price,
    )


def _largest(look: Outlook, lots: Ints, minimum: Ints, max_cover_days: float) -> Ints:
    """The largest quantity of each item worth a look.

    Its own best lot; and at a supplier that is ordered from and has a minimum, what reaches the minimum on its own, but
    no more than the longest cover (or one smallest lot, if that is more).
    """
    items = look.items
    ordered_from = np.zeros(len(minimum), dtype=bool)
    ordered_from[items.supplier[lots > 0]] = True
    may_top_up = (ordered_from & (minimum > 0))[items.supplier] & (items.unit_cost > 0)
    pack_cost = np.maximum(items.pack_size * items.unit_cost_steps, 1)
    alone = -(-minimum[items.supplier] // pack_cost) * items.pack_size
    cover = np.ceil(look.daily_demand * max_cover_days - look.position).astype(np.int64)
    cover = np.maximum(-(-cover // items.pack_size) * items.pack_size, items.moq)
    topped = np.minimum(np.minimum(np.maximum(alone, items.moq), cover), items.ceiling)
    topped = np.where(may_top_up & (topped >= items.moq), topped, 0)
    return np.maximum(lots, topped)


def _choices(look: Outlook, lots: Ints, largest: Ints) -> Choices:
    """Nothing, and whole packs from the MOQ to the largest quantity, the best lot always among them.

    An item with more packs than a cost curve has cells is offered every second, third, ... of them.
    """
    items = look.items
    packs = np.where(largest > 0, (largest - items.moq) // items.pack_size + 1, 0)
    stride = np.maximum(-(-packs // CURVE_CELLS), 1) * items.pack_size
    smallest = items.moq + np.where(lots > 0, (lots - items.moq) % stride, 0)
    count = np.where(largest > 0, (largest - smallest) // stride + 1, 0)
    start = ragged.starts(count + 1)
    place = ragged.spans(np.zeros(len(items), dtype=np.int64), count + 1)
    rows = np.repeat(np.arange(len(items)), count + 1)
    quantity = np.where(place > 0, smallest[rows] + (place - 1) * stride[rows], 0)
    return Choices(start, quantity, look.cost(rows, quantity), items.unit_cost_steps, items.supplier)


def _status(final: Ints, found: list[Finding], *, is_best: bool) -> str:
    if final.any():
        return "optimal" if is_best else "feasible"
    return "infeasible" if any(finding.code in explain.IMPOSSIBLE for finding in found) else "empty"
