"""Schedules keep the hours, serve all demand, cost least on small cases, and never claim more than is proved."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.math_opt.python import mathopt
from scipy import optimize

from apps.optimization.engine import lot_sizing
from apps.optimization.engine.dynamic import wagner_whitin
from apps.optimization.engine.frames import InputError
from apps.optimization.engine.lot_sizing import Lots, LotSchedule, schedule_lots

SMALL = Lots(
    demand=[[10, 20, 0, 30], [5, 5, 25, 10]], capacity=45, setup_cost=[40, 25], setup_time=[3, 2], unit_time=1,
    holding_cost=[1, 0.5],
)


def case(seed: int, items: int, periods: int) -> Lots:
    """Demand with idle periods; hours that hold a third more than an even load."""
    stream = np.random.default_rng(seed)
    demand = stream.integers(1, 20, (items, periods)) * (stream.random((items, periods)) < 0.8)
    times = stream.uniform(0, 6, items)
    unit_time = stream.uniform(0.5, 2, items)
    work = unit_time @ np.cumsum(demand, axis=1) + times.sum()
    hours = (work / np.arange(1, periods + 1)).max() * stream.uniform(1.0, 1.4)
    return Lots(demand, hours, stream.uniform(5, 90, items), times, unit_time, stream.uniform(0.1, 3, items))


def by_trying(lots: Lots) -> float:
    """Every choice of set-ups, and for each the cheapest lots as a linear program; inf where none fits."""
    demand = np.asarray(lots.demand, dtype=float)
    n, periods = demand.shape
    times, unit, holding, costs = (
        np.broadcast_to(column, n) for column in (lots.setup_time, lots.unit_time, lots.holding_cost, lots.setup_cost)
    )
    asked = np.cumsum(demand, axis=1)
    up_to = np.kron(np.eye(n), np.tril(np.ones((periods, periods))))  # lots, item by item -> cumulative lots
    load = np.kron(unit, np.eye(periods))
    lowest = np.inf
    for chosen in itertools.product([0, 1], repeat=n * periods):
        setup = np.array(chosen).reshape(n, periods)
        room = np.broadcast_to(lots.capacity, periods) - times @ setup
        if (room < 0).any():
            continue
        solved = optimize.linprog(
            holding.repeat(periods) @ up_to,
            A_ub=np.vstack([load, -up_to]),
            b_ub=np.concatenate([room, -asked.reshape(-1)]),
            bounds=[(0, 1e4 * on) for on in chosen],
        )
        if solved.status == 0:
            lowest = min(lowest, float((costs @ setup).sum() + solved.fun - (holding @ asked).sum()))
    return lowest


def assert_whole(lots: Lots, found: LotSchedule) -> None:
    demand = np.asarray(lots.demand)
    made = found.order_quantity
    n = len(demand)
    cost, time, unit, holding = (
        np.broadcast_to(column, n) for column in (lots.setup_cost, lots.setup_time, lots.unit_time, lots.holding_cost)
    )
    assert made.min() >= 0
    assert found.stock == pytest.approx(np.cumsum(made - demand, axis=1), abs=1e-3)
    assert found.stock.min() >= 0
    assert (unit @ made + time @ (made > 0) <= np.asarray(lots.capacity) * (1 + 1e-6)).all()
    assert found.cost == pytest.approx((cost @ (made > 0)).sum() + (holding @ found.stock).sum())
    assert found.bound <= found.cost


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(1, 5), (2, 3)]))
def test_no_other_schedule_is_cheaper(seed: int, size: tuple[int, int]) -> None:
    lots = case(seed, *size)
    found = schedule_lots(lots, seconds=20)
    lowest = by_trying(lots)
    if found.status == "infeasible":
        assert lowest == np.inf
    else:
        assert_whole(lots, found)
        assert found.status == "optimal"
        assert found.cost == pytest.approx(lowest, rel=1e-5)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_hours_enough_for_all_leave_each_item_its_own_lots(seed: int) -> None:
    lots = replace(case(seed, 3, 6), capacity=10_000)
    found = schedule_lots(lots, seconds=20)
    alone = wagner_whitin(lots.demand, np.reshape(lots.setup_cost, (3, 1)), np.reshape(lots.holding_cost, (3, 1)))
    assert_whole(lots, found)
    assert found.cost == pytest.approx(alone.cost.sum(), rel=1e-6)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6))
def test_both_descriptions_and_both_solvers_agree(seed: int) -> None:
    read = lot_sizing._read(case(seed, 3, 5), 20)
    costs = []
    for build in (lot_sizing._stock_model, lot_sizing._facility_model):
        for solver in (mathopt.SolverType.GSCIP, mathopt.SolverType.HIGHS):
            answer = lot_sizing._run(build(read), solver, 20)
            costs.append(np.inf if answer.made is None else lot_sizing._priced(read, answer.made)[0])
    assert costs == pytest.approx([costs[0]] * 4, rel=2e-4)


def test_what_is_left_open_is_told_as_feasible(monkeypatch: pytest.MonkeyPatch) -> None:
    """A best plan whose bound is one unit of money short of a proof."""
    run = lot_sizing._run

    def unproved(model: lot_sizing._Model, solver: mathopt.SolverType, seconds: float) -> lot_sizing._Answer:
        answer = run(model, solver, seconds)
        return replace(answer, bound=answer.bound - 1, is_settled=False)

    best = schedule_lots(SMALL)
    monkeypatch.setattr(lot_sizing, "_run", unproved)
    found = schedule_lots(SMALL)
    assert_whole(SMALL, found)
    assert found.status == "feasible"
    assert found.cost == pytest.approx(best.cost)
    assert found.gap * found.cost == pytest.approx(1)


def test_no_plan_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lot_sizing, "_run", lambda *_: lot_sizing._Answer(None, 3.0, False))
    found = schedule_lots(SMALL)
    assert (found.status, found.cost, found.bound) == ("unknown", np.inf, 3.0)
    assert np.isnan(found.gap)


def test_set_ups_that_leave_too_little_time_are_told() -> None:
    """Two set-ups leave too little of the second period, and the first has no hour to spare; their sum would do."""
    lots = replace(SMALL, demand=[[10, 20], [0, 20]], capacity=[13, 45], setup_time=[3, 3])
    found = schedule_lots(lots, seconds=10)
    assert found.status == "infeasible"
    assert not found.order_quantity.any()


def test_nothing_asked_for_makes_nothing() -> None:
    found = schedule_lots(replace(SMALL, demand=np.zeros((2, 4))))
    assert (found.status, found.cost, found.gap) == ("optimal", 0.0, 0.0)
    assert not found.order_quantity.any()


@pytest.mark.parametrize(
    ("lots", "sentence"),
    [
        (replace(SMALL, demand=[[-1, 2, 3, 4]] * 2), "lots: demand is below 0 in 2 places (first: 0, 0)."),
        (replace(SMALL, demand=[[np.nan, 2, 3, 4]] * 2), "lots: demand is missing or no finite number in 2 places"),
        (replace(SMALL, unit_time=0), "lots: unit_time is not above 0"),
        (replace(SMALL, capacity=[45, 45]), "lots: capacity tells of 2 periods, demand of 4."),
        (replace(SMALL, setup_cost=[1, 2, 3]), "lots: demand tells of 2 items, the costs and times of another number."),
        (replace(SMALL, capacity=[30, 30, 9, 30]), "up to period 2 there are 69 hours, but demand needs at least 70."),
        (replace(SMALL, capacity=[19, 99, 99, 99]), "up to period 0 there are 19 hours, but demand needs at least 20."),
    ],
)
def test_bad_numbers_are_refused_in_a_sentence(lots: Lots, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        schedule_lots(lots)
    assert sentence in str(refused.value)


def test_beside_tensorflow_it_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", ModuleType("tensorflow"))
    with pytest.raises(RuntimeError, match="a process of their own"):
        schedule_lots(SMALL)
