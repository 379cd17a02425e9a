"""Dynamic programs find what trying everything finds, agree with tables in print, and refuse what is too large."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from apps.optimization.engine import closed_forms, dynamic
from apps.optimization.engine.closed_forms import poisson_pmf
from apps.optimization.engine.dynamic import Optimum, lost_sales, perishable, wagner_whitin
from apps.optimization.engine.frames import InputError

few = settings(max_examples=15, deadline=None)


def test_lots_in_print() -> None:
    """Snyder and Shen, Fundamentals of Supply Chain Theory, 2nd ed., example 3.9: 210 and 150 units, 1,380 in all."""
    found = wagner_whitin([90, 120, 80, 70], 500, 2)
    assert found.order_quantity.tolist() == [[210, 0, 150, 0]]
    assert found.cost.tolist() == [1380]


def lots_by_trying(demand: np.ndarray, order: np.ndarray, holding: np.ndarray, unit: np.ndarray) -> float:
    """The cheapest of every set of periods to order in, each unit bought in the cheapest of them at hand."""
    periods, lowest = len(demand), np.inf
    for chosen in itertools.product([False, True], repeat=periods):
        cost = sum(order[t] for t in range(periods) if chosen[t])
        for period in range(periods):
            ways = [unit[t] + holding[t:period].sum() for t in range(period + 1) if chosen[t]]
            if demand[period]:
                cost += demand[period] * min(ways, default=np.inf)
        lowest = min(lowest, cost)
    return float(lowest)


@few
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_no_other_lots_are_cheaper(periods: int, seed: int) -> None:
    stream = np.random.default_rng(seed)
    demand = stream.integers(0, 9, (3, periods)) * stream.integers(0, 2, (3, periods)).astype(float)
    order, holding, unit = (stream.uniform(0, top, (3, periods)) for top in (30, 2, 3))
    found = wagner_whitin(demand, order, holding, unit)
    stock = np.cumsum(found.order_quantity - demand, axis=1)
    assert stock.min() >= -1e-9
    assert stock[:, -1] == pytest.approx(0)
    paid = order * (found.order_quantity > 0) + holding * stock + unit * found.order_quantity
    assert paid.sum(axis=1) == pytest.approx(found.cost)
    for item in range(3):
        assert found.cost[item] == pytest.approx(lots_by_trying(demand[item], order[item], holding[item], unit[item]))


@pytest.mark.parametrize(
    ("shortage", "lead_time", "best", "base_stock"),
    [(4, 1, 4.04, 4.16), (4, 2, 4.40, 4.64), (9, 1, 5.44, 5.55), (9, 2, 6.09, 6.32), (39, 2, 9.11, 9.19)],
)
def test_lost_sales_in_print(shortage: float, lead_time: int, best: float, base_stock: float) -> None:
    """Zipkin, Old and new methods for lost-sales inventory systems (Operations Research 2008): Poisson demand of 5."""
    found = lost_sales(poisson_pmf(5), lead_time=lead_time, holding_cost=1, shortage_cost=shortage)
    assert found.cost == pytest.approx(best, abs=0.006)
    assert found.base_stock_cost == pytest.approx(base_stock, abs=0.006)


def long_run(cost: np.ndarray, chain: np.ndarray, state: list[int]) -> float:
    """The least average cost of a decision process as a linear program over how often each (state, order) is met.

    cost [pairs], chain [pairs, states], state [pairs].
    """
    count = chain.shape[1]
    belongs = np.zeros((len(state), count))
    belongs[np.arange(len(state)), state] = 1
    balance = np.vstack([(belongs - chain).T, np.ones(len(state))])
    solved = optimize.linprog(cost, A_eq=balance, b_eq=np.append(np.zeros(count), 1.0))
    assert solved.status == 0
    return float(solved.x @ cost)


Outcome = Callable[[tuple[int, ...], int, int], tuple[tuple[int, ...], float]]


def best_by_program(pmf: np.ndarray, states: list[tuple[int, ...]], largest: int, outcome: Outcome) -> float:
    """outcome(state, order, demand) -> the next state and the cost; states that are not listed are out of reach."""
    place = {state: number for number, state in enumerate(states)}
    costs, rows, owner = [], [], []
    for state, order in itertools.product(states, range(largest + 1)):
        ends = [outcome(state, order, units) for units in range(len(pmf))]
        if any(end not in place for end, _ in ends):
            continue
        row = np.zeros(len(states))
        for chance, (end, _) in zip(pmf, ends, strict=True):
            row[place[end]] += chance
        rows.append(row)
        costs.append(sum(chance * paid for chance, (_, paid) in zip(pmf, ends, strict=True)))
        owner.append(place[state])
    return long_run(np.array(costs), np.array(rows), owner)


@few
@given(st.integers(1, 2), st.integers(0, 10**6), st.floats(0.2, 3), st.floats(1, 20))
def test_lost_sales_are_the_best_of_all_policies(lead: int, seed: int, holding: float, shortage: float) -> None:
    pmf = np.random.default_rng(seed).dirichlet(np.ones(4))

    def outcome(state: tuple[int, ...], order: int, units: int) -> tuple[tuple[int, ...], float]:
        on_hand, *arriving = state
        kept, lost = max(on_hand - units, 0), max(units - on_hand, 0)
        first, *rest = [*arriving, order]
        return (kept + first, *rest), holding * kept + shortage * lost

    found = lost_sales(pmf, lead_time=lead, holding_cost=holding, shortage_cost=shortage)
    wider = [state for state in itertools.product(range(11), repeat=lead) if sum(state) <= 10]
    assert found.cost == pytest.approx(best_by_program(pmf, wider, 4, outcome), rel=1e-5)
    assert found.base_stock_cost >= found.cost * (1 - 1e-6)
    assert_reached(found, pmf, outcome)


@few
@given(st.integers(1, 3), st.integers(0, 10**6), st.floats(0.1, 2), st.floats(0, 1), st.floats(2, 20), st.floats(0, 3))
def test_perishables_are_the_best_of_all_policies(
    life: int, seed: int, unit: float, holding: float, shortage: float, outdate: float
) -> None:
    pmf = np.random.default_rng(seed).dirichlet(np.ones(3))

    def outcome(state: tuple[int, ...], order: int, units: int) -> tuple[tuple[int, ...], float]:
        ages, wanted = [*state, order], units
        for age in range(life):
            taken = min(ages[age], wanted)
            ages[age], wanted = ages[age] - taken, wanted - taken
        paid = unit * order + shortage * wanted + outdate * ages[0] + holding * sum(ages[1:])
        return tuple(ages[1:]), paid

    found = perishable(
        pmf, lifetime=life, unit_cost=unit, holding_cost=holding, shortage_cost=shortage, outdate_cost=outdate
    )
    every = list(itertools.product(range(2 * life + 1), repeat=life - 1))
    assert found.cost == pytest.approx(best_by_program(pmf, every, 2 * life, outcome), rel=1e-5)
    assert found.base_stock_cost >= found.cost * (1 - 1e-6)
    assert_reached(found, pmf, outcome)


def assert_reached(found: Optimum, pmf: np.ndarray, outcome: Outcome) -> None:
    """The orders told for each state lead to the cost that is told, from wherever they are begun."""
    told = zip(found.states.tolist(), found.order_quantity.tolist(), strict=True)
    orders = {tuple(state): order for state, order in told}
    place = {state: number for number, state in enumerate(orders)}
    chain, cost = np.zeros((len(place), len(place))), np.zeros(len(place))
    for state, order in orders.items():
        for units, chance in enumerate(pmf):
            end, paid = outcome(state, order, units)
            chain[place[state], place[end]] += chance
            cost[place[state]] += chance * paid
    lazy = np.linalg.matrix_power((chain + np.eye(len(place))) / 2, 4096)
    assert lazy @ cost == pytest.approx(np.full(len(place), found.cost), rel=1e-4)


def test_goods_of_one_period_are_newspapers() -> None:
    pmf = poisson_pmf(4)
    found = perishable(pmf, lifetime=1, unit_cost=1, holding_cost=0.1, shortage_cost=6, outdate_cost=1)
    paper = closed_forms.newsvendor_discrete(pmf, 1 + 1, 6 - 1)
    assert found.base_stock == found.order_quantity[0] == paper.order_quantity[0]
    assert found.cost == pytest.approx(paper.cost[0] + 1 * 4, rel=1e-6)


def test_a_longer_life_never_costs_more_and_more_lead_time_never_less() -> None:
    pmf = poisson_pmf(1.5)
    costs = [
        perishable(pmf, lifetime=life, unit_cost=1, holding_cost=0.1, shortage_cost=6, outdate_cost=1).cost
        for life in (1, 2, 3)
    ]
    assert costs == sorted(costs, reverse=True)
    waits = [lost_sales(pmf, lead_time=lead, holding_cost=1, shortage_cost=9).cost for lead in (1, 2, 3)]
    assert waits == sorted(waits)


def test_what_is_dear_to_buy_is_not_bought() -> None:
    found = perishable([0.5, 0.5], lifetime=2, unit_cost=5, holding_cost=0, shortage_cost=3, outdate_cost=0)
    assert found.order_quantity.max() == 0
    assert found.cost == pytest.approx(1.5, rel=1e-6)


PERISHABLE = {"lifetime": 2, "unit_cost": 1, "holding_cost": 0, "shortage_cost": 5, "outdate_cost": 0}
LOST = {"lead_time": 1, "holding_cost": 1, "shortage_cost": 4}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: wagner_whitin([[1, -2]], 1, 1), "lots: demand is below 0 in 1 place (first: 0, 1)."),
        (lambda: wagner_whitin([1, np.nan], 1, 1), "lots: demand is missing or no finite number in 1 place"),
        (lambda: wagner_whitin([1, 2], -1, 1), "lots: order_cost is below 0"),
        (lambda: wagner_whitin([1, 2], [1, 2, 3], 1), "lots: costs do not match the demand of 1 items in 2 periods."),
        (lambda: lost_sales([0.5, 0.5], **{**LOST, "lead_time": 0}), "lost sales: lead_time is below 1."),
        (lambda: lost_sales([0.5, 0.5], **{**LOST, "holding_cost": 0}), "lost sales: holding_cost is not above 0."),
        (lambda: lost_sales([1.0], **LOST), "lost sales: nothing is ever asked for."),
        (lambda: lost_sales([[0, 1], [0, 1]], **LOST), "lost sales: pmf tells of 2 items; one is solved at a time."),
        (lambda: lost_sales(poisson_pmf(50), **{**LOST, "lead_time": 5}), "outcomes, more than 10,000,000"),
        (lambda: perishable([0.5, 0.6], **PERISHABLE), "perishable: the chances in pmf do not add up to 1"),
        (lambda: perishable([0.5, 0.5], **{**PERISHABLE, "lifetime": 0}), "perishable: lifetime is below 1."),
        (lambda: perishable([0.5, 0.5], **{**PERISHABLE, "unit_cost": 0}), "units cost nothing to buy and to throw"),
        (lambda: perishable(poisson_pmf(20), **{**PERISHABLE, "lifetime": 6}), "outcomes, more than 10,000,000"),
    ],
)
def test_bad_numbers_are_refused_in_a_sentence(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        call()
    assert sentence in str(refused.value)


def test_what_does_not_settle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamic, "SWEEPS", 3)
    with pytest.raises(InputError, match="does not settle"):
        lost_sales(poisson_pmf(5), **LOST)
