"""One plan over all items: packs and MOQs, suppliers' minimum order values and a cash budget; the one door to OR-Tools.

The choices of every item are a list of quantities with what each is expected to cost. What couples the items is money:
a supplier's order is worth at least its minimum or is not placed, and all orders together fit the budget.

Three steps, each exact about what it leaves to the next one:
1. a price on money (and a subsidy at suppliers below their minimum) separates the items; the best price, found by
   bisection, bounds from below what any plan costs (Lagrange; the lower hulls of the choices are sorted once, so that
   a trial price costs one pass);
2. the plan at that price, mended until it keeps every limit, bounds from above;
3. a choice whose reduced cost exceeds the distance between the two bounds stands in no better plan. The few that
   remain go to CP-SAT, which counts money in whole numbers: no limit is broken by rounding.

The answer depends on the input alone: one worker, a fixed seed and a limit on deterministic work, never on time. When
the best plan is not proved, the solution says how far from it it may be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ortools.sat.python import cp_model

from apps.optimization.engine import ragged
from apps.optimization.engine.frames import MONEY_STEP, Flags, Floats, Ints

EXACT_CHOICES = 2_000
"""Up to so many open choices the best plan is proved to the last step of money."""
MODEL_CHOICES = 15_000
"""More open choices than this are cut to those of the lowest reduced cost, and the plan is not called proved."""
GAP = 1e-6
"""Beyond EXACT_CHOICES, a plan this close to the bound, as a share of what the plan is worth, counts as the best."""
WORK = 10.0
"""Limit on CP-SAT's deterministic work, in its own unit (roughly a second each)."""
PRICE_STEPS = 60
COST_STEP = 1_000_000


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
    cash_price: float
    """Expected cost saved by one more unit of money in the budget; 0 where the budget does not bind."""

    @property
    def is_proved(self) -> bool:
        return self.gap == 0.0


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
    free = choices.quantity[pick]
    if budget is None or int(model.cash[pick].sum()) <= budget:
        return Solution(free, free, gap, 0.0)
    return _settle_budget(model, budget, free)


class _Model:
    """The choices relative to ordering nothing, their hulls, and each supplier's hull steps sorted by what they earn.

    Hull steps are sorted by supplier and ratio (change of cost per step of money); a prefix of a supplier's steps is the
    cheapest way to spend so much there, since the ratios of each item rise along its hull.
    """

    def __init__(self, choices: Choices, minimum: Ints) -> None:
        self.choices, self.minimum = choices, minimum
        item = choices.item
        self.item = item
        self.gain = choices.cost - choices.cost[choices.start[:-1]][item]
        self.cash = choices.quantity * choices.unit_cost[item]
        before, after = _hull(self.gain, self.cash, choices.start)
        cash, gain = self.cash[after] - self.cash[before], self.gain[after] - self.gain[before]
        ratio = np.divide(gain, cash, out=np.full(len(gain), -np.inf), where=cash > 0)
        supplier = choices.supplier[item[after]]
        order = np.lexsort((ratio, supplier))
        self.step_after, self.step_ratio = after[order], ratio[order]
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
        return self.cumulated_cash[upto] - self.cumulated_cash[self.step_start[:-1]]

    def gained(self, upto: Ints) -> Floats:
        return self.cumulated_gain[upto] - self.cumulated_gain[self.step_start[:-1]]

    def at_price(self, price: float) -> _AtPrice:
        """Every supplier's best relaxed order when a step of money costs `price`."""
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
        is_open = self.can_open & (value < 0)
        relaxed_spend = np.where(short, self.minimum, spent)
        upto = np.where(short, self.enough, upto)
        return _AtPrice(price, value, item_price, is_open, upto, int(relaxed_spend[is_open].sum()))

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
    upto: Ints
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
    upper = float(model.gain[pick[items]].sum())
    if upper > 0:
        pick, upper = model.choices.start[:-1], 0.0
    found, gap = _improve(model, items, relaxed, None, pick, upper, float(relaxed.value[supplier]))
    return found[items], gap


def _settle_budget(model: _Model, budget: int, free: Ints) -> Solution:
    """All items under the budget, which binds."""
    low, high = 0.0, max(float(-model.step_ratio[np.isfinite(model.step_ratio)].min(initial=0.0)), 0.0) * 2 + 1.0
    best = model.at_price(low)
    for _ in range(PRICE_STEPS):
        middle = (low + high) / 2
        tried = model.at_price(middle)
        if tried.bound(budget) > best.bound(budget):
            best = tried
        if tried.spend > budget:
            low = middle
        else:
            high = middle
    pick = _within_budget(model, model.at_price(high), budget)
    items = np.arange(len(model.choices.unit_cost))
    upper, lower = float(model.gain[pick].sum()), best.bound(budget)
    pick, gap = _improve(model, items, best, budget, pick, upper, lower)
    return Solution(model.choices.quantity[pick], free, gap, best.price * MONEY_STEP)


def _within_budget(model: _Model, relaxed: _AtPrice, budget: int) -> Ints:
    """A plan that keeps every limit: suppliers that earn least for their money are left out until the rest fits, and
    what then remains goes to the best next steps."""
    is_open = relaxed.is_open.copy()
    spent, gained = model.spent(relaxed.upto), model.gained(relaxed.upto)
    is_open &= gained < 0
    worst_first = np.argsort(-gained / np.maximum(spent, 1), kind="stable")
    for supplier in worst_first:
        if int(spent[is_open].sum()) <= budget:
            break
        is_open[supplier] = False
    pick = model.picks(is_open, relaxed.upto)
    left = budget - int(model.cash[pick].sum())
    supplier = np.repeat(np.arange(len(model.minimum)), np.diff(model.step_start))
    ahead = (np.arange(len(supplier)) >= relaxed.upto[supplier]) & is_open[supplier] & (model.step_ratio < 0)
    waiting = np.flatnonzero(ahead)
    blocked: set[int] = set()
    for step in waiting[np.argsort(model.step_ratio[waiting], kind="stable")]:
        after = int(model.step_after[step])
        item, cash = int(model.item[after]), int(model.step_cash[step])
        if item in blocked:
            continue
        if cash > left:
            blocked.add(item)
            continue
        pick[item], left = after, left - cash
    return pick


def _improve(
    model: _Model, items: Ints, relaxed: _AtPrice, budget: int | None, pick: Ints, upper: float, lower: float
) -> tuple[Ints, float]:
    """The best plan over these items, from a plan that keeps the limits (`pick`, `upper`) and a bound (`lower`)."""
    gap = upper - lower
    if gap <= 1e-9 * max(1.0, abs(upper)):
        return pick, 0.0
    choices = model.choices
    lengths = np.diff(choices.start)[items]
    flat = ragged.spans(choices.start[:-1][items], lengths)
    start = ragged.starts(lengths)
    supplier = choices.supplier[model.item[flat]]
    reduced = model.gain[flat] + relaxed.item_price[supplier] * model.cash[flat]
    reduced -= np.repeat(np.minimum.reduceat(reduced, start[:-1]), lengths)
    opening = np.maximum(relaxed.value, 0.0)
    penalty = np.where(choices.quantity[flat] > 0, opening[supplier] + reduced, 0.0)
    closing = np.where(model.minimum > 0, np.maximum(-relaxed.value, 0.0), np.inf)
    is_nothing = choices.quantity[flat] == 0
    penalty = np.where(is_nothing, np.minimum(reduced, closing[supplier]), penalty)
    room = gap * (1 + 1e-9) + 1e-9
    can_open = model.can_open[supplier]
    kept = ((penalty <= room) & (can_open | is_nothing)) | np.isin(flat, pick[items])
    exact = True
    if int(kept.sum()) > MODEL_CHOICES:
        exact = False
        limit = np.partition(penalty[kept], MODEL_CHOICES)[MODEL_CHOICES]
        kept &= (penalty < limit) | np.isin(flat, pick[items]) | is_nothing
    tolerance = 0.0 if int(kept.sum()) <= EXACT_CHOICES else GAP * max(abs(upper), 1.0)
    if gap <= tolerance:
        return pick, 0.0
    found, bound = _search(model, flat[kept], budget, pick, tolerance)
    total = float(model.gain[found[items]].sum())
    if total >= upper:
        found, total = pick, upper
    proved = max(lower, bound) if exact else lower
    remaining = total - proved
    return found, 0.0 if remaining <= max(tolerance, 2e-6 * len(items)) else remaining


def _search(model: _Model, flat: Ints, budget: int | None, pick: Ints, tolerance: float) -> tuple[Ints, float]:
    """CP-SAT over the open choices `flat`: the picks and the proved bound; the plan in hand is its hint."""
    choices = model.choices
    sat = cp_model.CpModel()
    item = model.item[flat]
    gain = np.rint(model.gain[flat] * COST_STEP).astype(np.int64)
    cash = model.cash[flat]
    taken = [sat.new_bool_var("") for _ in range(len(flat))]
    bounds = np.flatnonzero(np.diff(item, prepend=-1, append=-1))
    for first, last in zip(bounds[:-1], bounds[1:], strict=True):
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
    for place, chosen in enumerate(np.isin(flat, pick)):
        sat.add_hint(taken[place], bool(chosen))
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
