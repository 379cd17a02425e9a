"""Dynamic programs for one item: lots for known demand, and the best there is on small cases without a formula.

The optimal policies under lost sales and for goods that spoil are yardsticks: how much does a simple rule lose. Their
states grow with every period of lead time or life, so that sizes are bounded, and what is too large is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from apps.optimization.engine import ragged
from apps.optimization.engine.frames import Floats, InputError, Ints
from apps.optimization.engine.inputs import Numbers

LARGEST_TABLE = 10_000_000
"""Outcomes (state, order, demand) that a case may have: about 100 MB and a tenth of a second for each sweep."""
TOLERANCE = 1e-7
"""How exactly costs are found, as a share of them."""
SWEEPS = 100_000
LAZY = 0.02
"""Share of a step not taken: keeps values from going round where states come in turns."""


@dataclass(frozen=True)
class LotPlan:
    """What to order in each period [n, T], and what ordering, buying and holding cost in all [n]."""

    order_quantity: Floats
    cost: Floats


@dataclass(frozen=True)
class Optimum:
    """The best policy there is, and beside it the best of those that order up to a level; cost per period."""

    cost: float
    states: Ints
    """[m, k]: what a state is stands with the function that made it."""
    order_quantity: Ints
    """[m]: the best order in each state."""
    base_stock: int
    base_stock_cost: float


def wagner_whitin(
    demand: ArrayLike, order_cost: ArrayLike, holding_cost: ArrayLike, unit_cost: ArrayLike = 0.0
) -> LotPlan:
    """The cheapest lots for known demand (Wagner and Whitin 1958; FoSCT 3.7), all items at a time.

    An order arrives at once and serves the demand of whole periods until the next one.

    demand: units [n, T]; order_cost: per order, unit_cost: per unit, holding_cost: per unit in stock at the end of a
    period; each one number, or [n, 1], or [n, T], or [T] for all items.
    Raises InputError where a number is missing or below 0.
    """
    check = Numbers("lots")
    known = check.read("demand", demand, least=0, dimensions=2)
    columns = [
        check.read(name, values, least=0, dimensions=2)
        for name, values in (("order_cost", order_cost), ("holding_cost", holding_cost), ("unit_cost", unit_cost))
    ]
    try:
        order, holding, unit = (np.broadcast_to(column, known.shape) for column in columns)
    except ValueError:
        n, periods = known.shape
        check.problems.append(f"lots: costs do not match the demand of {n} items in {periods} periods.")
    check.raise_if_any()
    n, periods = known.shape
    kept = np.concatenate([np.zeros((n, 1)), np.cumsum(holding, axis=1)], axis=1)  # holding a unit up to each period
    best = np.full((n, periods + 1), np.inf)
    best[:, 0] = 0.0
    ordered_in = np.zeros((n, periods + 1), dtype=np.int64)  # of the order that serves the period before; -1: none does
    for first in range(periods):
        carried = unit[:, first, None] + kept[:, first:periods] - kept[:, first, None]
        cost = (best[:, first] + order[:, first])[:, None] + np.cumsum(known[:, first:] * carried, axis=1)
        idle = (known[:, first] == 0) & (best[:, first] < best[:, first + 1])
        best[idle, first + 1], ordered_in[idle, first + 1] = best[idle, first], -1
        better = cost < best[:, first + 1 :]
        best[:, first + 1 :] = np.where(better, cost, best[:, first + 1 :])
        ordered_in[:, first + 1 :] = np.where(better, first, ordered_in[:, first + 1 :])
    total = np.concatenate([np.zeros((n, 1)), np.cumsum(known, axis=1)], axis=1)
    quantity = np.zeros((n, periods))
    rows, end = np.arange(n), np.full(n, periods)
    while (end > 0).any():
        chosen = ordered_in[rows, end]
        orders = (end > 0) & (chosen >= 0)
        quantity[rows[orders], chosen[orders]] = (total[rows, end] - total[rows, chosen])[orders]
        end = np.where(chosen >= 0, chosen, np.maximum(end - 1, 0))
    return LotPlan(quantity, best[:, periods])


def lost_sales(pmf: ArrayLike, *, lead_time: int, holding_cost: float, shortage_cost: float) -> Optimum:
    """The best policy where unserved demand is lost and orders are on their way for periods (Zipkin 2008).

    A period: an order is placed, demand comes, stock left over costs `holding_cost` and a lost unit `shortage_cost`,
    and the order of lead_time - 1 periods ago arrives. A state is the stock on hand and what arrives after this period,
    after the next, .. [m, lead_time]. No more is ever on hand and on its way than the backordering newsvendor of
    lead_time + 1 periods would have (Zipkin 2008, Theorem 9).

    pmf: chances of a demand of 0 .. K - 1; lead_time: whole periods, at least 1.
    Raises InputError where a number is wrong, or the case has more than LARGEST_TABLE outcomes.
    """
    check = Numbers("lost sales")
    lead = int(check.read("lead_time", lead_time, least=1, whole=True, dimensions=0))
    holding = float(check.read("holding_cost", holding_cost, above=0, dimensions=0))
    shortage = float(check.read("shortage_cost", shortage_cost, above=0, dimensions=0))
    chances = _one_demand(check, pmf)
    most = _quantile(chances, lead + 1, shortage / (shortage + holding))
    _check_size("lost sales", most + 1, lead + 1, len(chances), simplex=True)
    states = _up_to(most, lead)
    room = most - states.sum(axis=1)
    pair, order = _pairs(room)
    units = np.arange(len(chances))
    left = np.maximum(states[pair, :1] - units, 0)
    arriving = [*(states[pair, place, None] for place in range(1, lead)), order[:, None]]
    following = np.broadcast_arrays(left + arriving[0], *arriving[1:])
    place = np.zeros((most + 1,) * lead, dtype=np.int64)
    place[tuple(states.T)] = np.arange(len(states))
    lost = np.maximum(units - states[:, :1], 0)
    kept = np.maximum(states[:, :1] - units, 0)
    cost = (holding * kept + shortage * lost) @ chances
    program = _Program(ragged.starts(room + 1), order, place[tuple(following)], cost[pair], chances)
    return program.solved(states, most, is_convex=True)


def perishable(
    pmf: ArrayLike,
    *,
    lifetime: int,
    unit_cost: float,
    holding_cost: float,
    shortage_cost: float,
    outdate_cost: float,
) -> Optimum:
    """The best policy for goods that keep for `lifetime` periods, issued oldest first (Nahmias 1975; Fries 1975).

    A period: an order is placed and arrives fresh, demand comes and takes the oldest units first, a lost unit costs
    `shortage_cost`; what has reached its last period is thrown away for `outdate_cost` a unit, and what is left costs
    `holding_cost`. A state is how many units have 1, 2, .. lifetime - 1 periods left [m, lifetime - 1]. The a-th unit
    of an order is sold only where the demand of its life is a or more, which bounds what can be worth ordering.

    pmf: chances of a demand of 0 .. K - 1; lifetime: whole periods, at least 1; money per unit.
    Raises InputError where a number is wrong, or the case has more than LARGEST_TABLE outcomes.
    """
    check = Numbers("perishable")
    life = int(check.read("lifetime", lifetime, least=1, whole=True, dimensions=0))
    unit = float(check.read("unit_cost", unit_cost, least=0, dimensions=0))
    holding = float(check.read("holding_cost", holding_cost, least=0, dimensions=0))
    shortage = float(check.read("shortage_cost", shortage_cost, above=0, dimensions=0))
    outdate = float(check.read("outdate_cost", outdate_cost, least=0, dimensions=0))
    chances = _one_demand(check, pmf)
    if unit + outdate == 0:
        check.problems.append("perishable: units cost nothing to buy and to throw away, so that no order is too large.")
        check.raise_if_any()
    most = _quantile(chances, life, max(shortage - unit, 0.0) / (shortage + outdate))
    _check_size("perishable", most + 1, life, len(chances), simplex=False)
    shape = (most + 1,) * (life - 1)
    states = np.indices(shape, dtype=np.int64).reshape(life - 1, math.prod(shape)).T
    pair, order = _pairs(np.full(len(states), most))
    ages = np.concatenate([states[pair], order[:, None]], axis=1)
    units = np.arange(len(chances))
    before = np.cumsum(ages, axis=1) - ages
    left = [np.maximum(ages[:, [age]] - np.maximum(units - before[:, [age]], 0), 0) for age in range(life)]
    lost = np.maximum(units - ages.sum(axis=1)[:, None], 0)
    held = sum(left[1:], start=np.zeros(lost.shape, dtype=np.int64))
    cost = unit * order + (shortage * lost + outdate * left[0] + holding * held) @ chances
    following = np.zeros(lost.shape, dtype=np.int64)
    for age in range(1, life):
        following = following * (most + 1) + left[age]
    program = _Program(ragged.starts(np.full(len(states), most + 1)), order, following, cost, chances)
    return program.solved(states, most, is_convex=False)


@dataclass(frozen=True)
class _Program:
    """Each state's orders end to end, state i's at start[i] .. start[i + 1], with what follows and what they cost."""

    start: Ints
    order: Ints
    following: Ints
    """[pairs, K]: the state after each demand."""
    cost: Floats
    """[pairs]: expected cost of the period."""
    chances: Floats

    def solved(self, states: Ints, most: int, *, is_convex: bool) -> Optimum:
        """The best policy and the best base stock up to `most`; where its cost is convex, the first that is beaten by
        none below it."""
        values, cost = self._iterated(None)
        each = self.cost + values[self.following] @ self.chances
        lowest = np.minimum.reduceat(each, self.start[:-1])
        chosen = np.flatnonzero(each <= np.repeat(lowest, np.diff(self.start)) + TOLERANCE * (1 + abs(cost)))
        state = np.searchsorted(self.start, chosen, side="right") - 1
        first = chosen[np.unique(state, return_index=True)[1]]
        position, room = states.sum(axis=1), np.diff(self.start) - 1
        best, best_cost = most, np.inf
        for level in range(most, -1, -1):
            taken = self.start[:-1] + np.clip(level - position, 0, room)
            found = self._iterated(taken)[1]
            if found < best_cost:
                best, best_cost = level, found
            elif is_convex and found > best_cost:
                break
        return Optimum(cost, states, self.order[first], best, best_cost)

    def _iterated(self, taken: Ints | None) -> tuple[Floats, float]:
        """Relative values of the states and the cost per period, of the best policy or of the orders `taken`.

        Whatever the values, the least and the largest change of a sweep bound the cost per period (Odoni 1969).
        """
        following = self.following if taken is None else self.following[taken]
        cost = self.cost if taken is None else self.cost[taken]
        values = np.zeros(len(self.start) - 1)
        for _ in range(SWEEPS):
            swept = cost + values[following] @ self.chances
            if taken is None:
                swept = np.minimum.reduceat(swept, self.start[:-1])
            change = swept - values
            low, high = float(change.min()), float(change.max())
            if high - low <= TOLERANCE * max(abs(high), TOLERANCE):
                return values, (low + high) / 2
            values += (1 - LAZY) * (change - low)
        raise InputError(["The cost per period does not settle; demand is too rare for this length of a period."])


def _one_demand(check: Numbers, pmf: ArrayLike) -> Floats:
    chances = check.demand("pmf", pmf)
    if len(chances) != 1:
        check.problems.append(f"{check.name}: pmf tells of {len(chances)} items; one is solved at a time.")
    elif chances[0, 0] == 1:
        check.problems.append(f"{check.name}: nothing is ever asked for.")
    check.raise_if_any()
    return np.trim_zeros(chances[0], "b")


def _quantile(chances: Floats, periods: int, share: float) -> int:
    """The smallest number of units that demand of so many periods does not exceed with this chance."""
    over = np.ones(1)
    for _ in range(periods):
        over = np.convolve(over, chances)
    return int(np.argmax(np.cumsum(over) >= share - TOLERANCE))


def _check_size(name: str, levels: int, dimensions: int, demands: int, *, simplex: bool) -> None:
    outcomes = float(demands)
    for dimension in range(dimensions):
        outcomes *= (levels + dimension) / (dimension + 1) if simplex else levels
    if outcomes > LARGEST_TABLE or float(levels) ** (dimensions - simplex) > LARGEST_TABLE:
        raise InputError(
            [f"{name}: the case has {outcomes:,.0f} outcomes, more than {LARGEST_TABLE:,}; count in larger units."]
        )


def _up_to(most: int, dimensions: int) -> Ints:
    """Every state [m, dimensions] of whole numbers that add up to `most` or less."""
    grown = np.arange(most + 1)[:, None]
    for _ in range(dimensions - 1):
        row, last = _pairs(most - grown.sum(axis=1))
        grown = np.column_stack([grown[row], last])
    return grown.astype(np.int64)


def _pairs(room: Ints) -> tuple[Ints, Ints]:
    """(row, 0 .. room[row]) of every row, end to end."""
    lengths = room + 1
    return np.repeat(np.arange(len(room)), lengths), ragged.spans(np.zeros(len(room), dtype=np.int64), lengths)
