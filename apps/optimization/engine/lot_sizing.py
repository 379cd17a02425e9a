"""Lots of several items that share the hours of each period: a mixed-integer program; one of the doors to OR-Tools.

Whether an item is set up in a period is what is hard. Two descriptions of the same plans, both far tighter than the
textbook's "no lot without a set-up", serve two ends:
- stock: lots and stocks, with those (l, S) inequalities up front that describe the plans of one item without limits on
  its lots (Pochet and Wolsey 1994): small, and good plans are found soon;
- facility: how much of each period's demand is made in which period (Krarup and Bilde 1977): larger, and its cuts give
  the better bound.

SCIP on the second proves the easy cases. What is left open after SHARE of the time goes to HiGHS on both, side by side;
the cheapest plan and the highest bound are told. Seconds limit the search, so that where they end it, the plan depends
on the machine.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from numpy.typing import ArrayLike, NDArray
from ortools.math_opt.python import mathopt

from apps.optimization.engine.frames import Flags, Floats, InputError
from apps.optimization.engine.inputs import Numbers

SHARE = 0.25
"""Of the time, given to SCIP on its own."""
EXACT = 1e-6
"""A gap of this share of the cost is none."""
NEGLIGIBLE = 1e-6
"""A lot of this share of the item's demand is a solver's rounding."""


@dataclass(frozen=True)
class Lots:
    """What is to be made: n items in T periods, nothing in stock at the beginning.

    demand: units [n, T]; capacity: hours of each period, one number or [T]; setup_cost, setup_time: per lot, [n] or one
    number for all items; unit_time: hours for a unit; holding_cost: per unit in stock at the end of a period.
    """

    demand: ArrayLike
    capacity: ArrayLike
    setup_cost: ArrayLike
    setup_time: ArrayLike
    unit_time: ArrayLike
    holding_cost: ArrayLike


@dataclass(frozen=True)
class LotSchedule:
    """The plan found, and what is proved about it."""

    status: str
    """'optimal'; 'feasible': cheaper plans may exist, none below `bound`; 'infeasible': set-ups leave too little time;
    'unknown': no plan was found in time."""
    order_quantity: Floats
    """Units [n, T]; zeros where there is no plan."""
    stock: Floats
    """Units [n, T] at the ends of periods."""
    cost: float
    """Of set-ups and holding; inf where there is no plan."""
    bound: float
    """No plan costs less."""

    @property
    def gap(self) -> float:
        """The share of the cost that a better plan may save at most; nan where there is no plan."""
        if not np.isfinite(self.cost):
            return np.nan
        return (self.cost - self.bound) / self.cost if self.cost > 0 else 0.0


def schedule_lots(lots: Lots, *, seconds: float = 60.0) -> LotSchedule:
    """The cheapest lots of all items within the hours of each period, or the best found in `seconds` on two cores.

    Raises InputError where a number is missing or below 0, a unit takes no time, or the hours up to some period are
    less than the units asked for by then and one set-up for each item take; RuntimeError in a process that has loaded
    TensorFlow, beside which MathOpt was seen to crash.
    """
    if "tensorflow" in sys.modules:
        raise RuntimeError("Lots are scheduled in a process of their own: MathOpt crashes beside TensorFlow.")
    case = _read(lots, seconds)
    if not case.demand.any():
        nothing = np.zeros(case.demand.shape)
        return LotSchedule("optimal", nothing, nothing, 0.0, 0.0)
    found = [_run(_facility_model(case), mathopt.SolverType.GSCIP, SHARE * seconds)]
    if not found[0].is_settled:
        models = (_stock_model(case), _facility_model(case))
        with ThreadPoolExecutor(len(models)) as pool:
            found += pool.map(lambda model: _run(model, mathopt.SolverType.HIGHS, (1 - SHARE) * seconds), models)
    bound = max(answer.bound for answer in found)
    plans = [_priced(case, answer.made) for answer in found if answer.made is not None]
    if not plans:
        nothing = np.zeros(case.demand.shape)
        status = "infeasible" if any(answer.is_settled for answer in found) else "unknown"
        return LotSchedule(status, nothing, nothing, np.inf, bound)
    cost, made, stock = min(plans, key=lambda plan: plan[0])
    is_best = cost - bound <= EXACT * cost
    return LotSchedule("optimal" if is_best else "feasible", made, stock, cost, min(bound, cost))


@dataclass(frozen=True)
class _Case:
    demand: Floats
    capacity: Floats
    """[T]."""
    setup_cost: Floats
    setup_time: Floats
    unit_time: Floats
    holding_cost: Floats

    @property
    def largest(self) -> Floats:
        """[n, T]: no lot is larger than what its period has hours for, or than what is still asked for."""
        hours = np.maximum(self.capacity - self.setup_time[:, None], 0.0) / self.unit_time[:, None]
        asked = np.cumsum(self.demand[:, ::-1], axis=1)[:, ::-1]
        return np.minimum(hours, asked)

    def ahead(self, item: int, first: int) -> NDArray[np.int64]:
        """The periods from `first` on in which the item is asked for."""
        return first + np.flatnonzero(self.demand[item, first:])


@dataclass(frozen=True)
class _Model:
    program: mathopt.Model
    made: list[list[list[tuple[float, mathopt.Variable]]]] = field(default_factory=list)
    """Item by item, period by period: the terms that add up to the units made."""

    def units(self, values: dict[mathopt.Variable, float]) -> Floats:
        return np.array([[sum(part * values[v] for part, v in terms) for terms in item] for item in self.made])


@dataclass(frozen=True)
class _Answer:
    made: Floats | None
    bound: float
    is_settled: bool
    """The best plan is known, or that there is none."""


def _read(lots: Lots, seconds: float) -> _Case:
    check = Numbers("lots")
    demand = check.read("demand", lots.demand, least=0, dimensions=2)
    capacity = check.read("capacity", lots.capacity, least=0)
    columns = [
        check.read("setup_cost", lots.setup_cost, least=0),
        check.read("setup_time", lots.setup_time, least=0),
        check.read("unit_time", lots.unit_time, above=0),
        check.read("holding_cost", lots.holding_cost, least=0),
    ]
    check.read("seconds", seconds, above=0, dimensions=0)
    n, periods = demand.shape
    if len(capacity) not in (1, periods):
        check.problems.append(f"lots: capacity tells of {len(capacity)} periods, demand of {periods}.")
    if any(len(column) not in (1, n) for column in columns):
        check.problems.append(f"lots: demand tells of {n} items, the costs and times of another number.")
    check.raise_if_any()
    cost, time, unit, holding = (np.broadcast_to(column, n) for column in columns)
    case = _Case(demand, np.broadcast_to(capacity, periods), cost, time, unit, holding)
    asked = np.cumsum(demand, axis=1)
    needed = unit @ asked + time @ (asked > 0)
    short = np.cumsum(case.capacity) < needed * (1 - EXACT)
    if short.any():
        first = int(np.argmax(short))
        hours = float(np.cumsum(case.capacity)[first])
        raise InputError(
            [f"lots: up to period {first} there are {hours:g} hours, but demand needs at least {needed[first]:g}."]
        )
    return case


def _stock_model(case: _Case) -> _Model:
    """Lots, stocks and set-ups, with s(k - 1) >= what is asked for in k .. l, less what the set-ups in k .. l can serve
    of it: sum over j of d(j) (1 - y(k) - .. - y(j))."""
    program = mathopt.Model()
    model = _Model(program)
    n, periods = case.demand.shape
    cost, hours = _Terms(), [_Terms() for _ in range(periods)]
    largest, before = case.largest, np.pad(np.cumsum(case.demand, axis=1), ((0, 0), (1, 0)))
    for i in range(n):
        made = [program.add_variable(lb=0.0) for _ in range(periods)]
        stock = [program.add_variable(lb=0.0) for _ in range(periods)]
        setup = _setups(case, program, i, cost, hours)
        model.made.append([[(1.0, variable)] for variable in made])
        for t in range(periods):
            opening = stock[t - 1] if t else 0.0
            program.add_linear_constraint(opening + made[t] - stock[t] == case.demand[i, t])
            program.add_linear_constraint(made[t] <= largest[i, t] * setup[t])
            cost.add(case.holding_cost[i], stock[t])
            hours[t].add(case.unit_time[i], made[t])
            for last in case.ahead(i, t):
                asked = before[i, last + 1] - before[i, t : last + 1]
                served = mathopt.LinearSum(float(asked[j - t]) * setup[j] for j in range(t, last + 1))
                program.add_linear_constraint(opening + served >= asked[0])
    return _closed(case, model, cost, hours)


def _facility_model(case: _Case) -> _Model:
    """The share of each period's demand made in each period up to it, and set-ups."""
    program = mathopt.Model()
    model = _Model(program)
    n, periods = case.demand.shape
    cost, hours = _Terms(), [_Terms() for _ in range(periods)]
    largest = case.largest
    for i in range(n):
        setup = _setups(case, program, i, cost, hours)
        serves: list[list[mathopt.Variable]] = [[] for _ in range(periods)]
        model.made.append([[] for _ in range(periods)])
        for t in range(periods):
            for due in case.ahead(i, t):
                share = program.add_variable(lb=0.0, ub=1.0)
                units = float(case.demand[i, due])
                program.add_linear_constraint(share <= setup[t])
                cost.add(case.holding_cost[i] * (due - t) * units, share)
                hours[t].add(case.unit_time[i] * units, share)
                model.made[i][t].append((units, share))
                serves[due].append(share)
            lot = mathopt.LinearSum(units * share for units, share in model.made[i][t])
            program.add_linear_constraint(lot <= largest[i, t] * setup[t])
        for due in case.ahead(i, 0):
            program.add_linear_constraint(mathopt.LinearSum(serves[due]) == 1.0)
    return _closed(case, model, cost, hours)


class _Terms:
    """A weighted sum that grows."""

    def __init__(self) -> None:
        self.parts: list[mathopt.LinearTerm] = []

    def add(self, weight: float, variable: mathopt.Variable) -> None:
        self.parts.append(float(weight) * variable)


def _setups(
    case: _Case, program: mathopt.Model, item: int, cost: _Terms, hours: list[_Terms]
) -> list[mathopt.Variable]:
    setup = [program.add_binary_variable() for _ in range(case.demand.shape[1])]
    for t, variable in enumerate(setup):
        cost.add(case.setup_cost[item], variable)
        hours[t].add(case.setup_time[item], variable)
    return setup


def _closed(case: _Case, model: _Model, cost: _Terms, hours: list[_Terms]) -> _Model:
    for t, terms in enumerate(hours):
        model.program.add_linear_constraint(mathopt.LinearSum(terms.parts) <= case.capacity[t])
    model.program.minimize(mathopt.LinearSum(cost.parts))
    return model


def _run(model: _Model, solver: mathopt.SolverType, seconds: float) -> _Answer:
    limits = mathopt.SolveParameters(time_limit=timedelta(seconds=seconds))
    result = mathopt.solve(model.program, solver, params=limits)
    reason = result.termination.reason
    made = model.units(result.variable_values()) if result.has_primal_feasible_solution() else None
    bound = max(float(result.termination.objective_bounds.dual_bound), 0.0)
    is_settled = reason in (mathopt.TerminationReason.OPTIMAL, mathopt.TerminationReason.INFEASIBLE)
    return _Answer(made, bound, is_settled)


def _priced(case: _Case, made: Floats) -> tuple[float, Floats, Floats]:
    """(cost, made, stock) of a solver's plan: its roundings put right, and its cost reckoned anew."""
    made = np.where(made > NEGLIGIBLE * case.demand.sum(axis=1, keepdims=True), made, 0.0)
    stock = np.cumsum(made - case.demand, axis=1)
    stock = np.where(stock > NEGLIGIBLE * case.demand.sum(axis=1, keepdims=True), stock, 0.0)
    begun: Flags = made > 0
    cost = float((case.setup_cost @ begun).sum() + (case.holding_cost @ stock).sum())
    return cost, made, stock
