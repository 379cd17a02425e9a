"""The joint plan is the best there is on small cases, keeps every limit, and says how far from the best it is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.optimization.engine import solver
from apps.optimization.engine.solver import Choices, Solution, solve


@st.composite
def problems(draw: st.DrawFn) -> tuple[Choices, np.ndarray, int | None]:
    """Up to 8 items of up to 3 suppliers, 2 to 4 choices each; costs convex or of any shape."""
    n = draw(st.integers(1, 8))
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    is_convex = draw(st.booleans())
    quantities, costs, lengths = [], [], []
    for _ in range(n):
        more = generator.integers(1, 4)
        pack = generator.integers(1, 5)
        quantities.append(np.concatenate([[0], (generator.integers(1, 3) + np.arange(more)) * pack]))
        slopes = np.sort(generator.normal(-1, 4, more))
        costs.append(10 + (np.concatenate([[0], np.cumsum(slopes)]) if is_convex else generator.normal(0, 5, more + 1)))
        lengths.append(more + 1)
    suppliers = draw(st.integers(1, 3))
    choices = Choices(
        start=np.concatenate([[0], np.cumsum(lengths)]),
        quantity=np.concatenate(quantities).astype(np.int64),
        cost=np.concatenate(costs),
        unit_cost=generator.integers(draw(st.integers(0, 1)), 9, n),
        supplier=generator.integers(0, suppliers, n),
    )
    minimum = generator.choice([0, 10, 30, 60], suppliers)
    return choices, minimum, draw(st.none() | st.integers(0, 120))


def brute_force(choices: Choices, minimum: np.ndarray, budget: int | None) -> float:
    lists = [range(first, last) for first, last in itertools.pairwise(choices.start)]
    picks = np.array(list(itertools.product(*lists)))
    cash = choices.quantity[picks] * choices.unit_cost
    allowed = np.ones(len(picks), dtype=bool) if budget is None else cash.sum(axis=1) <= budget
    for number, least in enumerate(minimum):
        theirs = choices.supplier == number
        nothing = choices.quantity[picks][:, theirs].sum(axis=1) == 0
        allowed &= nothing | (cash[:, theirs].sum(axis=1) >= least)
    return float(choices.cost[picks].sum(axis=1)[allowed].min())


def cost_of(choices: Choices, quantity: np.ndarray) -> float:
    item = choices.item
    return float(choices.cost[choices.quantity == quantity[item]].sum())


def assert_limits(choices: Choices, solution: Solution, minimum: np.ndarray, budget: int | None) -> None:
    cash = solution.quantity * choices.unit_cost
    assert budget is None or cash.sum() <= budget
    for number, least in enumerate(minimum):
        theirs = choices.supplier == number
        assert solution.quantity[theirs].sum() == 0 or cash[theirs].sum() >= least


@settings(max_examples=60, deadline=None)
@given(problems())
def test_small_problems_match_brute_force(problem: tuple[Choices, np.ndarray, int | None]) -> None:
    choices, minimum, budget = problem
    solution = solve(choices, minimum, budget)
    assert_limits(choices, solution, minimum, budget)
    assert cost_of(choices, solution.quantity) == pytest.approx(brute_force(choices, minimum, budget), abs=1e-4)
    assert solution.is_best
    assert solution.gap <= 1e-4
    without = brute_force(choices, minimum, None)
    assert cost_of(choices, solution.without_budget) == pytest.approx(without, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_the_bound_of_a_large_problem_is_below_the_best_plan(problem: tuple[Choices, np.ndarray, int | None]) -> None:
    """The road for large problems, taken by small ones, so that brute force can judge its bound."""
    choices, minimum, budget = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver, "EXACT_CHOICES", 0)
        solution = solve(choices, minimum, budget)
    assert_limits(choices, solution, minimum, budget)
    best = brute_force(choices, minimum, budget)
    found = cost_of(choices, solution.quantity)
    assert best - 1e-6 <= found
    assert found - solution.gap <= best + 1e-5


def large(n: int = 1500, suppliers: int = 30, seed: int = 0) -> tuple[Choices, np.ndarray]:
    generator = np.random.default_rng(seed)
    packs = generator.choice([1, 2, 6, 12], n)
    count = 25
    slopes = np.sort(generator.normal(-0.5, 1.0, (n, count)), axis=1) * packs[:, None]
    choices = Choices(
        start=np.arange(n + 1) * (count + 1),
        quantity=(packs[:, None] * np.arange(count + 1)).reshape(-1),
        cost=np.concatenate([np.zeros((n, 1)), slopes.cumsum(axis=1)], axis=1).reshape(-1),
        unit_cost=generator.integers(5_000, 90_000, n),
        supplier=generator.integers(0, suppliers, n),
    )
    return choices, generator.integers(0, 60_000_000, suppliers)


@pytest.mark.parametrize("share", [None, 0.6, 0.1])
def test_large_problems_keep_the_limits_and_come_near_the_bound(share: float | None) -> None:
    choices, minimum = large()
    free = solve(choices, minimum, None)
    budget = None if share is None else int((free.quantity * choices.unit_cost).sum() * share)
    solution = solve(choices, minimum, budget)
    assert_limits(choices, solution, minimum, budget)
    worth = -cost_of(choices, solution.quantity)
    assert 0 <= solution.gap <= 0.005 * worth
    assert (solve(choices, minimum, budget).quantity == solution.quantity).all()


def test_more_money_never_costs_more_and_its_price_falls() -> None:
    choices, minimum = large(n=300, suppliers=5)
    nobody = np.zeros_like(minimum)
    spend = (solve(choices, nobody, None).quantity * choices.unit_cost).sum()
    solved = [solve(choices, nobody, int(spend * share)) for share in (0.1, 0.3, 0.6, 0.9, 1.0)]
    costs = [cost_of(choices, solution.quantity) for solution in solved]
    prices = [solution.cash_price for solution in solved]
    assert costs == sorted(costs, reverse=True)
    assert prices == sorted(prices, reverse=True)
    assert prices[-1] == 0.0
