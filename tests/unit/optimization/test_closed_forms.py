"""The textbook's answers are the textbook's, the cheapest of all that can be tried, and monotone where they must be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from apps.optimization.engine import closed_forms as cf
from apps.optimization.engine.closed_forms import NormalDemand, PoissonDemand
from apps.optimization.engine.frames import InputError

few = settings(max_examples=30, deadline=None)
money = st.floats(0.1, 50)
rates = st.floats(0.1, 12)
leads = st.floats(0, 4, allow_subnormal=False)
terms = st.fixed_dictionaries({"holding_cost": st.floats(0.2, 5), "backorder_cost": st.floats(0.5, 40)})


# Answers in print. FoSCT: Snyder and Shen, Fundamentals of Supply Chain Theory, 2nd ed. (2019).


def test_lot_sizes_in_print() -> None:
    """FoSCT, examples 3.1 and 3.8 (Joe's corner store)."""
    lot = cf.economic_order_quantity(1300, 8, 0.225)
    assert lot.order_quantity[0] == pytest.approx(304.05, abs=0.01)
    assert lot.cost[0] == pytest.approx(68.41, abs=0.01)
    waits = cf.economic_order_quantity_with_backorders(1300, 8, 0.225, 5)
    assert waits.order_quantity[0] == pytest.approx(310.81, abs=0.01)
    assert waits.backorders[0] / waits.order_quantity[0] == pytest.approx(0.0431, abs=1e-4)
    assert waits.cost[0] == pytest.approx(66.92, abs=0.01)


def test_the_newsvendor_in_print() -> None:
    """FoSCT, examples 4.3 (normal) and 4.7 (Poisson); stockpyl's manual for the newspapers as Poisson demand."""
    paper = cf.newsvendor(NormalDemand(50, 8), 0.18, 0.70)
    assert paper.order_quantity[0] == pytest.approx(56.60, abs=0.01)
    assert paper.cost[0] == pytest.approx(1.998, abs=0.001)
    counted = cf.newsvendor(PoissonDemand([6, 50]), [1, 0.18], [4, 0.70])
    assert counted.order_quantity.tolist() == [8, 56]
    assert counted.cost == pytest.approx([3.5701069, 1.7972352])


def test_reorder_points_in_print() -> None:
    """FoSCT, examples 5.8 (r, Q) and 4.7 (s, S)."""
    found = cf.reorder_point_and_lot(
        demand_rate=1.5, lead_time=2, order_cost=100, holding_cost=20, backorder_cost=150
    )
    assert (found.reorder_point[0], found.order_quantity[0]) == (3, 5)
    assert found.cost[0] == pytest.approx(107.92, abs=0.01)
    levels = cf.reorder_levels(cf.poisson_pmf(6), lead_time=0, order_cost=5, holding_cost=1, backorder_cost=4)
    assert (levels.reorder_point[0], levels.order_up_to_level[0]) == (4, 10)
    assert levels.cost[0] == pytest.approx(8.034, abs=0.001)


def test_s_s_policies_in_print() -> None:
    """Zheng and Federgruen 1991, table I (after Veinott and Wagner 1965): Poisson, K 64, h 1, p 9, no lead time."""
    means = [10, 15, 20, 21, 22, 23, 24, 51, 52, 55, 59]
    found = cf.reorder_levels(cf.poisson_pmf(means), lead_time=0, order_cost=64, holding_cost=1, backorder_cost=9)
    assert found.reorder_point.tolist() == [6, 10, 14, 15, 16, 17, 18, 43, 44, 47, 51]
    assert found.order_up_to_level.tolist() == [40, 49, 62, 65, 68, 52, 54, 110, 112, 118, 126]
    assert found.cost == pytest.approx(
        [35.022, 42.698, 49.173, 50.406, 51.632, 52.757, 53.518, 71.611, 72.246, 74.149, 76.679], abs=0.001
    )


def test_erlangs_table() -> None:
    """Erlang's B, as tabled: 10 erlang on 10 and on 15 lines, 1 on 1."""
    lost = cf.lost_sales_base_stock([10, 15, 1, 0], demand_rate=[5, 5, 0.5, 3], lead_time=2)
    assert 1 - lost.fill_rate == pytest.approx([0.21458, 0.03650, 0.5, 1.0], abs=1e-5)


# What costs least of all that can be tried.


@few
@given(rates, money, st.floats(0.05, 3), st.floats(0.5, 20))
def test_no_other_lot_is_cheaper(rate: float, order: float, holding: float, backorder: float) -> None:
    lot = cf.economic_order_quantity(rate, order, holding)
    tried = lot.order_quantity * np.linspace(0.2, 5, 97)
    assert (order * rate / tried + holding * tried / 2).min() >= lot.cost[0] * (1 - 1e-12)
    waits = cf.economic_order_quantity_with_backorders(rate, order, holding, backorder)
    size, owed = np.meshgrid(waits.order_quantity * np.linspace(0.3, 3, 61), waits.backorders * np.linspace(0, 3, 61))
    cost = (order * rate + holding * (size - owed) ** 2 / 2 + backorder * owed**2 / 2) / size
    assert cost.min() >= waits.cost[0] * (1 - 1e-12)
    assert waits.cost[0] <= lot.cost[0]


@few
@given(st.integers(1, 5), st.booleans(), st.integers(0, 10**6))
def test_no_other_lot_is_cheaper_under_discounts(count: int, is_incremental: bool, seed: int) -> None:
    stream = np.random.default_rng(seed)
    demand, order, rate = stream.uniform(1, 100, 4), stream.uniform(1, 50, 4), stream.uniform(0.05, 1, 4)
    breaks = np.concatenate([np.zeros((4, 1)), np.cumsum(stream.uniform(1, 40, (4, count - 1)), axis=1)], axis=1)
    unit = 20 - np.cumsum(stream.uniform(0.1, 3, (4, count)), axis=1)
    best = (cf.incremental_discount if is_incremental else cf.all_units_discount)(demand, order, rate, breaks, unit)
    for item in range(4):
        tried = np.concatenate([np.linspace(0.5, 600, 3_000), breaks[item, 1:], best.order_quantity[[item]]])
        bracket = np.searchsorted(breaks[item], tried, side="right") - 1
        paid = unit[item, bracket] * tried
        if is_incremental:
            widths = np.clip(tried[:, None] - breaks[item], 0, np.append(np.diff(breaks[item]), np.inf))
            paid = widths @ unit[item]
        cost = (order[item] + paid) * demand[item] / tried + rate[item] * paid / 2
        assert best.cost[item] == pytest.approx(cost.min(), rel=1e-9)
        assert best.cost[item] == pytest.approx(cost[-1])
        assert best.bracket[item] == bracket[-1]


@few
@given(st.integers(0, 10**6), money, money)
def test_no_other_quantity_is_cheaper_for_one_season(seed: int, over: float, under: float) -> None:
    pmf = np.random.default_rng(seed).dirichlet(np.full(9, 0.5), 3)
    units = np.arange(9)
    cost = pmf @ (over * np.maximum(units[:, None] - units, 0).T + under * np.maximum(units - units[:, None], 0).T)
    found = cf.newsvendor_discrete(pmf, over, under)
    assert found.cost == pytest.approx(cost.min(axis=1))
    assert found.cost == pytest.approx(cost[np.arange(3), found.order_quantity.astype(int)])
    drawn = np.random.default_rng(seed).gamma(1.0, 5.0, (3, 25))
    sampled = cf.newsvendor_samples(drawn, over, under)
    each = drawn[:, :, None] - drawn[:, None, :]  # quantity less demand
    tried = (over * np.maximum(each, 0) + under * np.maximum(-each, 0)).mean(axis=2)
    assert sampled.cost == pytest.approx(tried.min(axis=1))


def test_poisson_and_its_listed_chances_agree() -> None:
    means = np.array([0.0, 0.3, 4.0, 40.0])
    listed = cf.newsvendor_discrete(cf.poisson_pmf(means), 1.0, 7.0)
    closed = cf.newsvendor(PoissonDemand(means), 1.0, 7.0)
    assert listed.order_quantity.tolist() == closed.order_quantity.tolist()
    for name in ("cost", "service_level", "fill_rate"):
        assert getattr(listed, name) == pytest.approx(getattr(closed, name), abs=1e-9)


def expected_cost(level: int, mean: float, *, holding_cost: float, backorder_cost: float) -> float:
    """G(y), added up demand by demand."""
    units = np.arange(int(mean + 12 * np.sqrt(mean) + 40))
    chances = stats.poisson.pmf(units, mean)
    over, under = np.maximum(level - units, 0), np.maximum(units - level, 0)
    return float(chances @ (holding_cost * over + backorder_cost * under))


@settings(max_examples=15, deadline=None)
@given(st.floats(0.05, 4), st.floats(0, 3), money, terms)
def test_no_other_reorder_point_and_lot_is_cheaper(
    rate: float, lead: float, order: float, costs: dict[str, float]
) -> None:
    given_terms = {"demand_rate": rate, "lead_time": lead, "order_cost": order, **costs}
    found = cf.reorder_point_and_lot(**given_terms)
    low, high = -20, 60
    level_cost = np.array([expected_cost(level, rate * lead, **costs) for level in range(low + 1, high + 61)])
    running = np.concatenate([[0], np.cumsum(level_cost)])
    points, lots = np.meshgrid(np.arange(low, high), np.arange(1, 60), indexing="ij")
    every = (order * rate + running[points - low + lots] - running[points - low]) / lots
    if found.order_quantity[0] < 60:
        assert found.cost[0] == pytest.approx(every.min(), rel=1e-7)
    assert cf.reorder_point_cost(found.reorder_point, found.order_quantity, **given_terms) == pytest.approx(
        found.cost, rel=1e-9
    )


def long_run_cost(
    point: int, level: int, pmf: np.ndarray, order: float, *, holding_cost: float, backorder_cost: float
) -> float:
    """(s, S) without a lead time as a Markov chain of inventory positions after ordering, solved for its long run."""
    size = level - point
    chain = np.zeros((size, size))  # state j: the position is level - j
    for j in range(size):
        for step, chance in enumerate(pmf):
            chain[j, j + step if j + step < size else 0] += chance
    lasting = np.linalg.lstsq(
        np.vstack([chain.T - np.eye(size), np.ones(size)]), np.append(np.zeros(size), 1.0), rcond=None
    )[0]
    units = np.arange(len(pmf))
    cost = 0.0
    for j in range(size):
        left = level - j - units
        ordered = pmf[units >= size - j].sum() * order
        kept = holding_cost * np.maximum(left, 0) + backorder_cost * np.maximum(-left, 0)
        cost += lasting[j] * (ordered + pmf @ kept)
    return float(cost)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.5, 12), terms)
def test_no_other_reorder_levels_are_cheaper(seed: int, order: float, costs: dict[str, float]) -> None:
    pmf = np.random.default_rng(seed).dirichlet(np.full(4, 0.7))
    given_terms = {"lead_time": 0, "order_cost": order, **costs}
    found = cf.reorder_levels(pmf, **given_terms)  # type: ignore[arg-type]
    point, level = int(found.reorder_point[0]), int(found.order_up_to_level[0])
    assert found.cost[0] == pytest.approx(long_run_cost(point, level, pmf, order, **costs), rel=1e-6)
    for s in range(-6, 5):
        for top in range(s + 1, 16):
            cost = cf.reorder_levels_cost(s, top, pmf, **given_terms)  # type: ignore[arg-type]
            assert cost >= found.cost[0] * (1 - 1e-9)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.2, 3), st.integers(0, 2), st.integers(1, 3), terms)
def test_reorder_levels_of_nearly_free_orders_are_the_base_stock(
    mean: float, lead: int, review: int, costs: dict[str, float]
) -> None:
    levels = cf.reorder_levels(
        cf.poisson_pmf(mean), lead_time=lead, review_period=review, order_cost=1e-9, **costs
    )
    best = cf.order_up_to_for_cost(PoissonDemand(mean), lead_time=lead, review_period=review, **costs)
    seen = cf.order_up_to(PoissonDemand(mean), best, lead_time=lead, review_period=review)
    expected = costs["holding_cost"] * seen.on_hand[0] + costs["backorder_cost"] * seen.backorders[0]
    assert levels.cost[0] == pytest.approx(expected, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([PoissonDemand, NormalDemand]), rates, leads, st.integers(0, 3), st.floats(0.3, 0.995))
def test_levels_reach_what_is_asked_and_one_less_does_not(
    kind: type, mean: float, lead: float, review: int, wanted: float
) -> None:
    demand = PoissonDemand(mean) if kind is PoissonDemand else NormalDemand(mean, mean / 5)
    times = {"lead_time": lead, "review_period": review}
    less = 1 if kind is PoissonDemand else 1e-3
    for find, told in (
        (cf.order_up_to_for_service_level, "service_level"),
        (cf.order_up_to_for_fill_rate, "fill_rate"),
    ):
        level = find(demand, wanted, **times)
        reached = getattr(cf.order_up_to(demand, level, **times), told)[0]
        assert reached >= wanted - 1e-9
        if level[0] >= less:
            assert getattr(cf.order_up_to(demand, level - less, **times), told)[0] < wanted + 1e-9


@settings(max_examples=20, deadline=None)
@given(st.booleans(), rates, leads, st.integers(0, 3), terms)
def test_no_other_level_is_cheaper(
    is_whole: bool, mean: float, lead: float, review: int, costs: dict[str, float]
) -> None:
    demand = PoissonDemand(mean) if is_whole else NormalDemand(mean, mean / 3)
    times = {"lead_time": lead, "review_period": review}
    best = cf.order_up_to_for_cost(demand, **times, **costs)
    tried = best + np.arange(-15, 16) * (1 if is_whole else mean / 10)
    seen = cf.order_up_to(demand, tried, **times)
    cost = costs["holding_cost"] * seen.on_hand + costs["backorder_cost"] * seen.backorders
    assert cost[15] <= cost.min() * (1 + 1e-9) + 1e-9


def walked(level: int, demand: np.ndarray, lead: int, review: int) -> tuple[float, float, float]:
    """(R, S) period by period in plain Python: share served from stock, mean stock and mean backorders at the ends."""
    arriving = np.zeros(len(demand) + lead + 1)
    net = position = float(level)
    served = held = owed = 0.0
    for day, units in enumerate(demand):
        if day % review == 0:
            arriving[day + lead] += level - position
            position = float(level)
        net += arriving[day]
        served += min(max(net, 0.0), units)
        net, position = net - units, position - units
        held, owed = held + max(net, 0.0), owed + max(-net, 0.0)
    return served / demand.sum(), held / len(demand), owed / len(demand)


@pytest.mark.parametrize(("lead", "review", "level"), [(0, 1, 5), (2, 1, 12), (3, 4, 20)])
def test_order_up_to_is_what_a_long_walk_sees(lead: int, review: int, level: int) -> None:
    demand = np.random.default_rng(1).poisson(3.0, 60_000)
    fill, held, owed = walked(level, demand, lead, review)
    seen = cf.order_up_to(PoissonDemand(3.0), level, lead_time=lead, review_period=review)
    assert seen.fill_rate[0] == pytest.approx(fill, abs=0.01)
    assert seen.on_hand[0] == pytest.approx(held, abs=0.06)
    assert seen.backorders[0] == pytest.approx(owed, abs=0.06)


@few
@given(rates, st.floats(0.1, 4), st.floats(0.3, 0.999), st.floats(0.1, 5), st.floats(0, 60))
def test_lost_sales(rate: float, lead: float, wanted: float, holding: float, shortage: float) -> None:
    """Erlang's B is the chance that a truncated Poisson law gives to its top; the best stocks are those of all."""
    tried = np.arange(90)
    seen = cf.lost_sales_base_stock(tried, demand_rate=rate, lead_time=lead)
    busy = stats.poisson.pmf(tried, rate * lead)
    assert 1 - seen.fill_rate == pytest.approx(busy / np.cumsum(busy), rel=1e-6)
    share = cf.lost_sales_for_fill_rate(wanted, demand_rate=rate, lead_time=lead)
    assert share.base_stock[0] == np.argmax(seen.fill_rate >= wanted)
    cost = holding * seen.on_hand + shortage * seen.lost_rate
    best = cf.lost_sales_for_cost(demand_rate=rate, lead_time=lead, holding_cost=holding, shortage_cost=shortage)
    assert holding * best.on_hand[0] + shortage * best.lost_rate[0] == pytest.approx(cost.min(), rel=1e-9)


def test_many_items_are_answered_as_one_by_one() -> None:
    stream = np.random.default_rng(3)
    rate, lead, order = stream.uniform(0.05, 9, 40), stream.uniform(0, 4, 40), stream.uniform(1, 90, 40)
    costs = {"holding_cost": 1.0, "backorder_cost": 12.0}
    together = cf.reorder_point_and_lot(demand_rate=rate, lead_time=lead, order_cost=order, **costs)
    for item in range(40):
        alone = cf.reorder_point_and_lot(
            demand_rate=rate[item], lead_time=lead[item], order_cost=order[item], **costs
        )
        assert alone.reorder_point[0] == together.reorder_point[item]
        assert alone.order_quantity[0] == together.order_quantity[item]


def test_nothing_asked_for_needs_no_stock() -> None:
    assert cf.economic_order_quantity(0, 5, 1).order_quantity.tolist() == [0]
    assert cf.all_units_discount(0, 0, 0.2, [0, 10], [3, 2]).cost.tolist() == [0]
    for find in (cf.order_up_to_for_fill_rate, cf.order_up_to_for_service_level):
        assert find(PoissonDemand(0), 0.99, lead_time=2, review_period=1).tolist() == [0]
    assert cf.order_up_to(PoissonDemand(0), 0, lead_time=2, review_period=1).fill_rate.tolist() == [1]
    assert cf.lost_sales_for_fill_rate(0.9, demand_rate=0, lead_time=3).base_stock.tolist() == [0]


# What cannot be calculated with is said in a sentence.

REORDER = {"demand_rate": 1, "lead_time": 1, "order_cost": 1, "holding_cost": 1, "backorder_cost": 1}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: cf.economic_order_quantity([1, -1], 1, 1), "EOQ: demand_rate is below 0 in 1 place (first: 1)."),
        (lambda: cf.economic_order_quantity(1, 1, 0), "EOQ: holding_cost is not above 0 in 1 place (first: 0)."),
        (lambda: cf.economic_order_quantity(np.nan, 1, 1), "EOQ: demand_rate is missing or no finite number"),
        (lambda: cf.economic_order_quantity("many", 1, 1), "EOQ: demand_rate holds something that is no number."),
        (lambda: cf.economic_order_quantity([[1]], 1, 1), "EOQ: demand_rate has 2 dimensions; it must have 1."),
        (lambda: cf.economic_order_quantity([1, 2], [1, 2, 3], 1), "EOQ: columns have different lengths (2, 3)."),
        (lambda: cf.all_units_discount(1, 1, 1, [0, 5, 5], [3, 2, 1]), "breaks must begin with 0 and rise."),
        (lambda: cf.all_units_discount(1, 1, 1, [0, 5], [3, 3]), "unit costs must fall from break to break."),
        (lambda: cf.incremental_discount(1, 1, 1, [0, 5], [3]), "there are 2 breaks and 1 unit costs."),
        (lambda: cf.newsvendor_discrete([0.5, 0.4], 1, 1), "the chances in pmf do not add up to 1"),
        (lambda: cf.newsvendor_discrete([], 1, 1), "pmf holds no chance at all."),
        (lambda: cf.newsvendor_samples([], 1, 1), "there are no samples."),
        (lambda: cf.newsvendor(NormalDemand(1, -1), 1, 1), "sd is below 0"),
        (lambda: cf.newsvendor(PoissonDemand(1), 0, 1), "overage_cost is not above 0"),
        (lambda: cf.order_up_to(PoissonDemand(1), 1.5, lead_time=1, review_period=1), "level is no whole number"),
        (lambda: cf.order_up_to(PoissonDemand(1), 1, lead_time=1, review_period=0.5), "review_period is no whole"),
        (
            lambda: cf.order_up_to_for_fill_rate(PoissonDemand(1), 1, lead_time=1, review_period=1),
            "fill_rate is not below 1",
        ),
        (lambda: cf.reorder_point_and_lot(**{**REORDER, "demand_rate": 0}), "demand_rate is not above 0"),
        (lambda: cf.reorder_point_cost(1, 0, **REORDER), "order_quantity is below 1"),
        (
            lambda: cf.reorder_levels([1.0], lead_time=0, order_cost=1, holding_cost=1, backorder_cost=1),
            "(s, S): nothing is ever asked for in 1 items (first: 0).",
        ),
        (
            lambda: cf.reorder_levels([0, 1], lead_time=0.5, order_cost=1, holding_cost=1, backorder_cost=1),  # type: ignore[arg-type]
            "(s, S): lead_time is no whole number.",
        ),
        (
            lambda: cf.reorder_levels_cost(2, 2, [0, 1], lead_time=0, order_cost=1, holding_cost=1, backorder_cost=1),
            "the reorder point does not lie below the order-up-to level.",
        ),
        (lambda: cf.lost_sales_base_stock(-1, demand_rate=1, lead_time=1), "base_stock is below 0"),
        (lambda: cf.poisson_pmf([1, -2]), "mean is below 0"),
    ],
)
def test_bad_numbers_are_refused_in_a_sentence(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        call()
    assert sentence in str(refused.value)


def test_lots_are_searched_for_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cf, "LARGEST_LOT", 50)
    with pytest.raises(InputError, match="larger than 50 units; count in larger units"):
        cf.reorder_point_and_lot(**{**REORDER, "order_cost": 1e6})
    with pytest.raises(InputError, match="larger than 50 units; count in larger units"):
        cf.reorder_levels([0, 1], lead_time=0, order_cost=1e6, holding_cost=1, backorder_cost=1)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InputError) as refused:
        cf.economic_order_quantity(-1, -1, 0)
    assert len(refused.value.problems) == 3
