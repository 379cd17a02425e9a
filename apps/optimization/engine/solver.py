"""One plan over all items: packs and MOQs, suppliers' minimum order values and a cash budget; a door to OR-Tools.

The choices of every item are a list of quantities with what each is expected to cost. What couples the items is money:
a supplier's order is worth at least its minimum or is not placed, and all orders together fit the budget.

Each step is exact about what it leaves to the next one:
1. A price on money (and a subsidy at suppliers below their minimum) separates the items; the best price, found by
   bisection, bounds from below what any plan costs (Lagrange; the lower hulls of the choices are sorted once, so that
   a trial price costs one pass).
2. Where a budget leaves no room for every supplier's minimum, a small program over suppliers chooses whom to order
   from: what a supplier's order is worth is convex in its value, drawn by tangents from below, so this too is a bound.
3. The plan at the best price, mended until it keeps every limit, bounds from above.
4. A choice whose reduced cost exceeds the distance between the bounds stands in no better plan. The few that remain go
   to CP-SAT, which counts money in whole numbers: no limit is broken by rounding.

The answer depends on the input alone: one worker, fixed seeds, limits on work and never on time. Every solution says
how far from the best plan it may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from ortools.linear_solver import pywraplp
from ortools.sat.python import cp_model

from apps.optimization.engine import ragged
from apps.optimization.engine.frames import MONEY_STEP, Flags, Floats, Ints

EXACT_CHOICES = 2_000
"""With no more choices than this in all, the best plan is searched for to the last step of money."""
GAP = 1e-4
"""With more, a plan this close to the bound, as a share of what the plan saves, counts as the best."""
MODEL_CHOICES = 4_000
"""Of more open choices than this, those of the lowest reduced cost go to the search."""
WORK = 1.0
"""Limit on each search's deterministic work, in CP-SAT's own unit (roughly a second each)."""
NODES = 2_000
"""Limit on the branches of the program that chooses suppliers."""
PRICE_STEPS = 60
COST_STEP = 1_000_000
TANGENTS = np.array([0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 4.0])
"""Prices of money, as multiples of the best one, at which a supplier's worth is drawn."""


@dataclass(frozen=True)
class Choices:
    """What may be ordered of each item: flat lists, item i's at start[i] .. start[i + 1], the first of them nothing."""

    start: Ints
    quantity: Ints
    cost: Floats
    """Expected cost in money."""
    unit_cost: Ints
    """[n], in steps of money."""
    supplier: Ints
    """[n], numbers 0 .. number of suppliers - 1."""

    @property
    def item(self) -> Ints:
        return np.repeat(np.arange(len(self.unit_cost)), np.diff(self.start))


@dataclass(frozen=True)
class Solution:
    """The chosen quantities [n], what is proved about them, and what a little more money would be worth."""

    quantity: Ints
    without_budget: Ints
    """The quantities [n] of the best plan that knows every limit but the budget."""
    gap: float
    """Money by which a better plan may be cheaper: 0 where none is."""
    is_best: bool
    """Whether the gap is zero, or too small to matter (GAP)."""
    cash_price: float
    """Expected cost saved by one more unit of money in the budget; 0 where the budget does not bind."""


def solve(choices: Choices, minimum: Ints, budget: int | None) -> Solution:
    """The cheapest plan: one choice per item, each supplier's order worth nothing or at least its minimum, within the
    budget.

    minimum: [suppliers] and budget, both in steps of money (frames.MONEY_STEP to the unit).
    """
    model = _Model(choices, minimum)
    relaxed = model.at_price(0.0)
    pick, gap = model.picks(relaxed.is_open, relaxed.upto), 0.0
    for supplier in np.flatnonzero(relaxed.is_open & (model.spent(relaxed.upto) > 0) & (minimum > 0)):
        items = model.members[supplier]
        pick[items], distance = _settle_supplier(model, items, relaxed, int(supplier), pick)
        gap += distance
    if budget is not None and int(model.cash[pick].sum()) > budget:
        return _settle_budget(model, budget, choices.quantity[pick])
    return _solution(model, pick, choices.quantity[pick], gap, 0.0)


def _solution(model: _Model, pick: Ints, free: Ints, gap: float, price: float) -> Solution:
    worth = abs(float(model.gain[pick].sum()))
    return Solution(model.choices.quantity[pick], free, gap, gap <= GAP * worth, price)


class _Model:
    """The choices relative to ordering nothing, their hulls, and each supplier's hull steps sorted by what they earn.

    Hull steps are sorted by supplier and ratio (change of cost per step of money); a prefix of a supplier's steps is
    the cheapest way to spend so much there, since the ratios of each item rise along its hull.
    """

    def __init__(self, choices: Choices, minimum: Ints) -> None:
        self.choices, self.minimum = choices, minimum
        self.is_small = len(choices.quantity) <= EXACT_CHOICES
        item = choices.item
        self.item = item
        self.gain = choices.cost - choices.cost[choices.start[:-1]][item]
        self.cash = choices.quantity * choices.unit_cost[item]
        before, after = _hull(self.gain, self.cash, choices.start)
        cash, gain = self.cash[after] - self.cash[before], self.gain[after] - self.gain[before]
        ratio = np.divide(gain, cash, out=np.full(len(gain), -np.inf), where=cash > 0)
        supplier = choices.supplier[item[after]]
        order = np.lexsort((ratio, supplier))
        self.step_before, self.step_after = before[order], after[order]
        self.step_item, self.step_ratio = item[self.step_after], ratio[order]
        self.step_cash, self.step_gain = cash[order], gain[order]
        self.step_start = np.searchsorted(supplier[order], np.arange(len(minimum) + 1)).astype(np.int64)
        by_supplier = np.argsort(choices.supplier, kind="stable")
        bounds = np.searchsorted(choices.supplier[by_supplier], np.arange(len(minimum) + 1))
        self.members = [by_supplier[bounds[s] : bounds[s + 1]] for s in range(len(minimum))]
        self.cumulated_cash = np.concatenate([[0], np.cumsum(self.step_cash)])
        self.cumulated_gain = np.concatenate([[0.0], np.cumsum(self.step_gain)])
        first = self.step_start[:-1]
        needed = self.cumulated_cash[first] + minimum
        self.enough = np.searchsorted(self.cumulated_cash, needed, side="left").astype(np.int64)
        self.can_open = self.enough <= self.step_start[1:]
        self.enough = np.minimum(np.maximum(self.enough, first), self.step_start[1:])

    def spent(self, upto: Ints) -> Ints:
        total: Ints = self.cumulated_cash[upto] - self.cumulated_cash[self.step_start[:-1]]
        return total

    def gained(self, upto: Ints) -> Floats:
        total: Floats = self.cumulated_gain[upto] - self.cumulated_gain[self.step_start[:-1]]
        return total

    def at_price(self, price: float, chosen: Flags | None = None) -> _AtPrice:
        """Every supplier's best relaxed order when a step of money costs `price`, and who is ordered from: whoever is
        worth it, or those `chosen`."""
        worth = np.concatenate([[0], np.cumsum(self.step_ratio < -price)])
        upto = self.step_start[:-1] + worth[self.step_start[1:]] - worth[self.step_start[:-1]]
        spent = self.spent(upto)
        value = self.gained(upto) + price * spent
        short = (spent < self.minimum) & self.can_open
        last = np.maximum(self.enough - 1, 0)
        ratio = np.zeros(len(self.minimum))
        ratio[short] = self.step_ratio[last[short]]
        topped = self.gained(last) + ratio * (self.minimum - self.spent(last)) + price * self.minimum
        value = np.where(short, topped, value)
        value = np.where(self.can_open, value, 0.0)
        item_price = np.where(short, -ratio, price)
        is_open = self.can_open & (value < 0) if chosen is None else chosen
        relaxed_spend = np.where(short, self.minimum, spent)
        upto = np.where(short, self.enough, upto)
        if chosen is None:
            opening = np.where(self.can_open, np.maximum(value, 0.0), np.inf)
            closing = np.where(self.minimum > 0, np.maximum(-value, 0.0), np.inf)
        else:
            opening, closing = np.where(chosen, 0.0, np.inf), np.where(chosen, np.inf, 0.0)
        spend = int(relaxed_spend[is_open].sum())
        return _AtPrice(price, value, item_price, is_open, opening, closing, upto, spend)

    def tangents(self, supplier: int, price: float) -> tuple[Floats, Floats]:
        """(offsets, slopes) of lines below what a supplier's order of each value changes the cost by: at its minimum,
        and where a step of money is worth `price` or a multiple of it (TANGENTS)."""
        first, end = self.step_start[supplier], self.step_start[supplier + 1]
        ratios = self.step_ratio[first:end]
        at = first + np.searchsorted(ratios, -price * TANGENTS, side="left")
        at = np.unique(np.clip([*at, self.enough[supplier] - 1, self.enough[supplier]], first, end - 1))
        at = at[np.isfinite(self.step_ratio[at])]
        slopes = self.step_ratio[at]
        spent = self.cumulated_cash[at] - self.cumulated_cash[first]
        return self.cumulated_gain[at] - self.cumulated_gain[first] - slopes * spent, slopes

    def picks(self, is_open: Flags, upto: Ints) -> Ints:
        """The choice of every item when the open suppliers take their steps up to `upto`."""
        pick = self.choices.start[:-1].copy()
        lengths = np.where(is_open, upto - self.step_start[:-1], 0)
        taken = self.step_after[ragged.spans(self.step_start[:-1], lengths)]
        np.maximum.at(pick, self.item[taken], taken)
        return pick


@dataclass(frozen=True)
class _AtPrice:
    price: float
    value: Floats
    """[suppliers]: what opening the supplier changes the cost by, relaxed, the price of money included."""
    item_price: Floats
    """[suppliers]: the price of money less the subsidy that lifts the supplier to its minimum."""
    is_open: Flags
    opening: Floats
    """[suppliers]: what ordering from it lifts the bound by."""
    closing: Floats
    """[suppliers]: what not ordering from it lifts the bound by."""
    upto: Ints
    """[suppliers]: the hull steps taken, the one that reaches the minimum included."""
    spend: int

    def bound(self, budget: int) -> float:
        return float(self.value[self.is_open].sum()) - self.price * budget


def _hull(gain: Floats, cash: Ints, start: Ints) -> tuple[Ints, Ints]:
    """Steps along each item's lower hull of (cash, gain): flat indices (before, after), in order within an item.

    Where money is of no concern (unit cost 0), one step from nothing to the cheapest choice.
    """
    item = np.repeat(np.arange(len(start) - 1), np.diff(start))
    first = start[:-1][item]
    costs_money = cash > cash[first]
    slope = np.divide(gain, cash, out=np.full(len(gain), np.inf), where=costs_money)
    steepest = np.minimum.reduceat(slope, start[:-1]) if len(slope) else slope
    tangent = costs_money & (slope == steepest[item])
    touched = np.maximum.accumulate(np.where(tangent, item, -1)) == item
    keep = (np.arange(len(gain)) == first) | touched
    is_free = ~np.logical_or.reduceat(costs_money, start[:-1]) if len(slope) else np.zeros(0, dtype=bool)
    if is_free.any():
        lowest = np.minimum.reduceat(gain, start[:-1])
        cheapest = is_free[item] & (gain == lowest[item]) & (gain < 0)
        once = np.flatnonzero(cheapest)
        keep[once[np.unique(item[once], return_index=True)[1]]] = True
    kept = np.flatnonzero(keep)
    while True:
        inner = (item[kept[1:-1]] == item[kept[:-2]]) & (item[kept[1:-1]] == item[kept[2:]])
        rise = gain[kept[1:]] - gain[kept[:-1]]
        run = cash[kept[1:]] - cash[kept[:-1]]
        above = inner & (rise[:-1] * run[1:] >= rise[1:] * run[:-1])
        if not above.any():
            break
        kept = kept[np.concatenate([[True], ~above, [True]])]
    joined = item[kept[1:]] == item[kept[:-1]]
    return kept[:-1][joined], kept[1:][joined]


def _settle_supplier(
    model: _Model, items: Ints, relaxed: _AtPrice, supplier: int, pick: Ints
) -> tuple[Ints, float]:
    """The picks of one supplier's items on their own: nothing, or the cheapest way up to its minimum; and the gap."""
    trimmed = pick.copy()
    _trim(model, trimmed, supplier, relaxed)
    upper = float(model.gain[trimmed[items]].sum())
    if upper > 0:
        trimmed, upper = model.choices.start[:-1], 0.0
    found, lower = _improve(model, items, relaxed, None, trimmed, float(relaxed.value[supplier]))
    return found[items], max(float(model.gain[found[items]].sum()) - lower, 0.0)


def _settle_budget(model: _Model, budget: int, free: Ints) -> Solution:
    """All items under the budget, which binds."""
    best, _ = _best_price(model, budget, None)
    lower = best.bound(budget)
    chosen, supplier_bound = _choose_suppliers(model, best, budget)
    at_best, at_feasible = _best_price(model, budget, chosen)
    pick = _within_budget(model, at_feasible, budget)
    items = np.arange(len(model.choices.unit_cost))
    if model.is_small:
        pick, lower = _improve(model, items, best, budget, pick, lower)
    else:
        pick, _ = _improve(model, items, at_best, budget, pick, at_best.bound(budget))
    gap = float(model.gain[pick].sum()) - max(lower, supplier_bound)
    return _solution(model, pick, free, max(gap, 0.0), at_best.price * MONEY_STEP)


def _best_price(model: _Model, budget: int, chosen: Flags | None) -> tuple[_AtPrice, _AtPrice]:
    """The price of money with the highest bound, and the lowest tried at which the relaxed orders fit the budget."""
    low, high = 0.0, max(float(-model.step_ratio[np.isfinite(model.step_ratio)].min(initial=0.0)), 0.0) * 2 + 1.0
    best, fitting = model.at_price(low, chosen), model.at_price(high, chosen)
    for _ in range(PRICE_STEPS):
        middle = (low + high) / 2
        tried = model.at_price(middle, chosen)
        if tried.bound(budget) > best.bound(budget):
            best = tried
        if tried.spend > budget:
            low = middle
        else:
            high, fitting = middle, tried
    return best, fitting


def _choose_suppliers(model: _Model, best: _AtPrice, budget: int) -> tuple[Flags, float]:
    """Whom to order from [suppliers], and a bound on the cost of any plan.

    What a supplier's order of value x changes the cost by is at least a + slope * x, for each of its tangents.
    """
    program = pywraplp.Solver.CreateSolver("SCIP")
    program.SetSolverSpecificParametersAsString(f"limits/nodes = {NODES}")
    most = model.spent(model.step_start[1:]) / MONEY_STEP
    able = np.flatnonzero(model.can_open & (np.diff(model.step_start) > 0))
    is_open, values, worths = [], [], []
    for number in able:
        opened, value = program.BoolVar(""), program.NumVar(0.0, float(most[number]), "")
        worth = program.NumVar(-program.infinity(), 0.0, "")
        program.Add(value <= float(most[number]) * opened)
        program.Add(value >= float(model.minimum[number] / MONEY_STEP) * opened)
        for offset, slope in zip(*model.tangents(int(number), best.price), strict=True):
            program.Add(worth >= float(offset) * opened + float(slope * MONEY_STEP) * value)
        is_open.append(opened)
        values.append(value)
        worths.append(worth)
    program.Add(program.Sum(values) <= budget / MONEY_STEP)
    program.Minimize(program.Sum(worths))
    status = program.Solve()
    chosen = np.zeros(len(model.minimum), dtype=bool)
    if status not in (pywraplp.Solver.OPTIMAL, pywraplp.Solver.FEASIBLE):
        return best.is_open, -np.inf
    chosen[able] = [variable.solution_value() > 0.5 for variable in is_open]
    bound = program.Objective().BestBound()
    return chosen, bound - 1e-6 * abs(bound)


def _within_budget(model: _Model, relaxed: _AtPrice, budget: int) -> Ints:
    """A plan that keeps every limit: suppliers that earn least for their money are left out until the rest fits, and
    what then remains goes to the best next steps."""
    is_open = relaxed.is_open.copy()
    pick = model.picks(is_open, relaxed.upto)
    for supplier in np.flatnonzero(is_open & (model.minimum > 0)):
        _trim(model, pick, int(supplier), relaxed)
    item_supplier = model.choices.supplier
    count = len(model.minimum)
    spent = np.bincount(item_supplier, weights=model.cash[pick], minlength=count)
    gained = np.bincount(item_supplier, weights=model.gain[pick], minlength=count)
    is_open &= gained < 0
    for supplier in np.argsort(-gained / np.maximum(spent, 1.0), kind="stable"):
        if spent[is_open].sum() <= budget:
            break
        is_open[supplier] = False
    pick = np.where(is_open[item_supplier], pick, model.choices.start[:-1])
    _fill(model, pick, is_open, budget - int(model.cash[pick].sum()))
    return pick


def _trim(model: _Model, pick: Ints, supplier: int, relaxed: _AtPrice) -> None:
    """Take back steps not worth their money, the worst first, as far as the supplier's minimum still holds."""
    over = int(model.cash[pick[model.members[supplier]]].sum() - model.minimum[supplier])
    for step in range(int(relaxed.upto[supplier]) - 1, int(model.step_start[supplier]) - 1, -1):
        if model.step_ratio[step] <= -relaxed.price:
            break
        after, cash = int(model.step_after[step]), int(model.step_cash[step])
        item = int(model.item[after])
        if pick[item] == after and cash <= over:
            pick[item], over = model.step_before[step], over - cash


def _fill(model: _Model, pick: Ints, is_open: Flags, left: int) -> None:
    """Spend what is left on the best next steps of the open suppliers."""
    supplier = np.repeat(np.arange(len(model.minimum)), np.diff(model.step_start))
    ahead = np.flatnonzero(is_open[supplier] & (model.step_ratio < 0) & (model.step_after > pick[model.step_item]))
    for step in ahead[np.argsort(model.step_ratio[ahead], kind="stable")]:
        item, cash = model.step_item[step], int(model.step_cash[step])
        if cash <= left and pick[item] == model.step_before[step]:
            pick[item], left = model.step_after[step], left - cash


def _improve(
    model: _Model, items: Ints, relaxed: _AtPrice, budget: int | None, pick: Ints, lower: float
) -> tuple[Ints, float]:
    """The best plan found over these items and the best bound, from a plan that keeps the limits and a bound."""
    upper = float(model.gain[pick[items]].sum())
    gap = upper - lower
    if gap <= 1e-9 * max(1.0, abs(upper)):
        return pick, upper
    choices = model.choices
    lengths = np.diff(choices.start)[items]
    flat = ragged.spans(choices.start[:-1][items], lengths)
    penalty = _penalties(model, relaxed, flat, ragged.starts(lengths))
    chosen = np.isin(flat, pick[items])
    kept = (penalty <= gap * (1 + 1e-9) + 1e-9) | chosen
    tolerance = 0.0 if model.is_small else GAP * abs(upper)
    if gap <= tolerance:
        return pick, lower
    is_complete = int(kept.sum()) <= MODEL_CHOICES
    if not is_complete:
        kept = (penalty < np.partition(penalty[kept], MODEL_CHOICES)[MODEL_CHOICES]) | chosen
    found, bound = _search(model, flat[kept], budget, pick, tolerance)
    total = float(model.gain[found[items]].sum())
    if total > upper:
        found, total = pick, upper
    if is_complete:
        lower = max(lower, min(bound, total))
    return found, total if total - lower <= len(items) / COST_STEP else lower


def _penalties(model: _Model, relaxed: _AtPrice, flat: Ints, start: Ints) -> Floats:
    """What choosing each of `flat` (item by item, from `start` on) lifts the bound by, at least."""
    choices = model.choices
    supplier = choices.supplier[model.item[flat]]
    reduced = model.gain[flat] + relaxed.item_price[supplier] * model.cash[flat]
    reduced -= np.repeat(np.minimum.reduceat(reduced, start[:-1]), np.diff(start))
    opening, closing = relaxed.opening[supplier], relaxed.closing[supplier]
    return np.where(choices.quantity[flat] > 0, opening + reduced, np.minimum(reduced, closing))


def _search(model: _Model, flat: Ints, budget: int | None, pick: Ints, tolerance: float) -> tuple[Ints, float]:
    """CP-SAT over the open choices `flat`: the picks and the proved bound; the plan in hand is its hint."""
    choices = model.choices
    sat = cp_model.CpModel()
    item = model.item[flat]
    gain = np.rint(model.gain[flat] * COST_STEP).astype(np.int64)
    cash = model.cash[flat]
    taken = [sat.new_bool_var("") for _ in range(len(flat))]
    bounds = np.flatnonzero(np.diff(item, prepend=-1, append=-1))
    for first, last in pairwise(bounds):
        sat.add_exactly_one(taken[first:last])
    supplier = choices.supplier[item]
    for number in np.unique(supplier[choices.quantity[flat] > 0]):
        least = int(model.minimum[number])
        if least == 0:
            continue
        theirs = np.flatnonzero((supplier == number) & (choices.quantity[flat] > 0))
        is_open = sat.new_bool_var("")
        for place in theirs:
            sat.add_implication(taken[place], is_open)
        spend = cp_model.LinearExpr.weighted_sum([taken[place] for place in theirs], cash[theirs].tolist())
        sat.add(spend >= least).only_enforce_if(is_open)
        sat.add_hint(is_open, bool(np.isin(flat[theirs], pick).any()))
    if budget is not None:
        sat.add(cp_model.LinearExpr.weighted_sum(taken, cash.tolist()) <= budget)
    for variable, in_hand in zip(taken, np.isin(flat, pick), strict=True):
        sat.add_hint(variable, bool(in_hand))
    sat.minimize(cp_model.LinearExpr.weighted_sum(taken, gain.tolist()))

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = WORK
    solver.parameters.absolute_gap_limit = tolerance * COST_STEP
    status = solver.solve(sat)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return pick, -np.inf
    found = pick.copy()
    chosen = np.array([solver.boolean_value(variable) for variable in taken])
    found[item[chosen]] = flat[chosen]
    return found, solver.best_objective_bound / COST_STEP
