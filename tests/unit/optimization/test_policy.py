"""The expected cost of every quantity is exact on the paths, and its optimum agrees with textbook answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from apps.optimization.engine import policy
from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.frames import read_arrivals, read_items
from apps.optimization.engine.policy import Outlook, lead_time_draws, outlook
from tests.unit.optimization.shops import arrivals_frame, item_rows, items_frame, poisson, steady


def look_at(items: object, demand: ArrayDemand, *arrivals: tuple[str, int, int], seed: int = 0) -> Outlook:
    known = read_items(items)  # type: ignore[arg-type]
    return outlook(known, read_arrivals(arrivals_frame(*arrivals), known), demand, seed=seed)


def walked(
    on_hand: int, demand: list[int], arriving: dict[int, int], arrives_on: int, ends_on: int, quantity: int
) -> tuple[int, int, int]:
    """One path, day by day, in plain Python: (unit-days held in the window, lost in the window, lost before it)."""
    stock, owed = max(on_hand, 0), max(-on_hand, 0)
    held = lost = lost_before = 0
    for day in range(ends_on):
        stock += arriving.get(day, 0)
        if day == arrives_on:
            stock += quantity
        paid = min(owed, stock)
        stock, owed = stock - paid, owed - paid
        if day == arrives_on:
            lost, owed = lost + owed, 0
        missing = max(demand[day] - stock, 0)
        stock = max(stock - demand[day], 0)
        if day < arrives_on:
            lost_before += missing
        else:
            lost += missing
            held += stock
    return held, lost, lost_before


@settings(max_examples=30, deadline=None)
@given(item_rows, st.integers(0, 50), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), max_size=3))
def test_every_quantity_costs_what_walking_the_paths_costs(
    row: dict[str, object], seed: int, arrivals: list[tuple[int, int]]
) -> None:
    frame = items_frame(row)
    demand = poisson([0.9], days=28, paths=7, seed=seed)
    seen = look_at(frame, demand, *[("item-0", day, units) for day, units in arrivals], seed=seed)
    known = seen.items
    first, second = lead_time_draws(known, 7, seed=seed)
    arriving: dict[int, int] = {}
    for day, units in arrivals:
        arriving[day] = arriving.get(day, 0) + units
    on_hand = int(known.on_hand[0])
    for quantity in (0, 1, 2, 3, 5, 11, 30, 80):
        walks = []
        for path in range(7):
            arrives_on = min(int(first[0, path]), 28)
            ends_on = min(max(int(known.review_period_days[0] + second[0, path]), arrives_on), 28)
            daily = demand.array[0, path].tolist()
            walks.append(walked(on_hand, daily, arriving, arrives_on, ends_on, quantity))
        held, lost, before = np.mean(walks, axis=0)
        asked = np.array([0]), np.array([quantity])
        assert seen.lost_units(*asked)[0] == pytest.approx(lost)
        assert seen.lost_before[0] == pytest.approx(before)
        expected = known.holding_cost[0] * held + known.shortage_cost[0] * lost
        assert seen.window_cost(*asked)[0] == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(item_rows, st.integers(0, 50))
def test_the_best_units_are_the_cheapest_of_all_and_the_best_lot_the_cheapest_allowed(
    row: dict[str, object], seed: int
) -> None:
    seen = look_at(items_frame(row), poisson([0.9], paths=9, seed=seed))
    tried = np.arange(0, 120)
    rows = np.zeros_like(tried)
    cost = seen.window_cost(rows, tried)
    assert cost[seen.best_units[0]] == pytest.approx(cost.min(), abs=1e-7)
    known = seen.items
    allowed = (tried == 0) | ((tried >= known.moq[0]) & (tried <= known.ceiling[0]) & (tried % known.pack_size[0] == 0))
    lot = seen.best_lot()[0]
    assert allowed[lot]
    assert cost[lot] == pytest.approx(cost[allowed].min(), abs=1e-7)


@settings(max_examples=30, deadline=None)
@given(item_rows, st.integers(0, 50))
def test_costs_are_convex_in_the_quantity(row: dict[str, object], seed: int) -> None:
    seen = look_at(items_frame(row), poisson([0.9], paths=9, seed=seed))
    tried = np.arange(0, 200)
    for cost in (seen.window_cost(np.zeros_like(tried), tried), seen.cost(np.zeros_like(tried), tried)):
        assert (np.diff(cost, 2) >= -1e-9).all()


@settings(max_examples=30, deadline=None)
@given(item_rows, st.integers(0, 50), st.integers(1, 9))
def test_more_stock_never_orders_more(row: dict[str, object], seed: int, more: int) -> None:
    demand = poisson([0.9], paths=9, seed=seed)
    here = look_at(items_frame(row), demand)
    there = look_at(items_frame({**row, "on_hand": int(here.items.on_hand[0]) + more}), demand)
    assert there.best_units[0] <= here.best_units[0]
    assert there.best_lot()[0] <= here.best_lot()[0]


def test_the_newsvendor_of_the_textbook() -> None:
    """Price 7, cost 5, demand normal(50, 20), what is left is worthless: order 38.7 (en.wikipedia.org, Newsvendor)."""
    drawn = np.maximum(np.rint(np.random.default_rng(0).normal(50, 20, size=(1, 40_000, 1))), 0).astype(np.int64)
    terms = {"lead_time_days": 0.0, "review_period_days": 1, "holding_cost_rate": 365.0, "shortage_cost": 2.0}
    assert look_at(items_frame(terms), ArrayDemand(drawn)).best_units[0] == pytest.approx(38.7, abs=0.8)


def test_the_critical_fractile_is_met_to_the_unit() -> None:
    demand = poisson([4.0], days=1, paths=5000)
    terms = {"lead_time_days": 0.0, "review_period_days": 1, "holding_cost_rate": 36.5, "shortage_cost": 2.0}
    fractile = 2.0 / (2.0 + 0.5)
    expected = np.quantile(demand.array.reshape(-1), fractile, method="inverted_cdf")
    assert look_at(items_frame(terms), demand).best_units[0] == expected


def test_the_order_up_to_level_is_the_poisson_base_stock() -> None:
    """With daily review and no stockout before the order, S is the critical fractile of demand over L + 1 days."""
    demand = poisson([6.0], days=10, paths=20_000)
    terms = {"lead_time_days": 1.0, "review_period_days": 1, "holding_cost_rate": 36.5, "shortage_cost": 49.5}
    seen = look_at(items_frame({**terms, "on_hand": 11}), demand, ("item-0", 0, 5))
    assert seen.lost_before[0] < 0.01
    assert 16 + seen.best_units[0] == stats.poisson.ppf(0.99, 12.0)


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 0.0), (5.0, 0.0), (4.5, 0.0), (5.0, 1.0), (17.0, 3.5), (45.0, 9.0)])
def test_lead_times_have_the_mean_and_spread_of_the_terms(mean: float, spread: float) -> None:
    known = read_items(items_frame({"lead_time_days": mean, "lead_time_spread_days": spread}))
    for drawn in lead_time_draws(known, 4000, seed=3):
        assert (drawn >= 0).all()
        assert drawn.mean() == pytest.approx(mean, abs=0.02)
        # Whole days add 1/12 to a variance: left in, the spread of one day would come out at 1.04.
        assert drawn.std() == pytest.approx(spread if spread else (mean % 1 * (1 - mean % 1)) ** 0.5, abs=0.025)


def test_an_items_lead_times_depend_on_its_id_and_the_seed_alone() -> None:
    terms = {"lead_time_days": 9.0, "lead_time_spread_days": 4.0}
    both = read_items(items_frame(terms, terms))
    alone = read_items(items_frame(terms, terms).iloc[[1]])
    first, second = lead_time_draws(both, 50, seed=1)
    assert (lead_time_draws(alone, 50, seed=1)[0][0] == first[1]).all()
    assert (first[0] != first[1]).any()
    assert (first != second).any()
    assert (lead_time_draws(both, 50, seed=2)[0] != first).any()


def test_the_outlook_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"lead_time_days": float(days), "on_hand": 4, "lead_time_spread_days": 1.0} for days in (2, 20, 3, 9, 2)]
    demand = poisson([1.0, 2.0, 0.3, 0.0, 5.0], days=49)
    whole = look_at(items_frame(*rows), demand)
    monkeypatch.setattr(policy, "BLOCK_CELLS", 1)
    pieces = look_at(items_frame(*rows), demand)
    for name in ("start", "step", "held", "lost", "stockout_day", "days_of_cover", "order_by_day", "expected_demand"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))


def test_a_curve_of_coarse_cells_is_exact_at_their_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = items_frame({"lead_time_days": 2.0, "lead_time_spread_days": 1.0})
    fine = look_at(frame, poisson([9.0], seed=4))
    monkeypatch.setattr(policy, "CURVE_CELLS", 16)
    coarse = look_at(frame, poisson([9.0], seed=4))
    assert coarse.step[0] > 1
    edges = np.arange(0, 200, coarse.step[0])
    rows = np.zeros_like(edges)
    np.testing.assert_allclose(coarse.window_cost(rows, edges), fine.window_cost(rows, edges))
    assert coarse.best_units[0] == pytest.approx(fine.best_units[0], abs=int(coarse.step[0]))


def test_stockout_cover_and_order_by_day_on_a_shop_one_can_count() -> None:
    """10 units, 2 a day, 3 days of lead time: days 0 to 4 are served, so an order must leave by day 2."""
    seen = look_at(items_frame({"on_hand": 10}, {"on_hand": 10}, {"on_hand": 100}), steady([2, 0, 2]))
    assert seen.stockout_day.tolist()[0] == 5
    assert seen.stockout_day_early.tolist()[0] == 5
    assert seen.days_of_cover.tolist() == [5.0, np.inf, 50.0]
    assert seen.order_by_day.tolist()[0] == 2
    assert seen.risk_before_arrival.tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(seen.stockout_day[1:]).all()
    assert np.isnan(seen.order_by_day[1:]).all()
    assert seen.best_units.tolist() == [10, 0, 0]


@pytest.mark.parametrize(("margin", "risk"), [(21.0, 0.25), (7.0, 0.5), (343.0, 0.02)])
def test_the_order_by_day_is_the_last_that_keeps_the_cost_optimal_risk(margin: float, risk: float) -> None:
    """Path k runs out on day k. A unit costs 1 a day to hold, so 7 a review: 7 / (7 + margin) of the paths may."""
    sales = np.zeros((1, 28, 28), dtype=np.int64)
    sales[0, np.arange(28), np.arange(28)] = 5
    terms = {"on_hand": 4, "unit_cost": 365.0, "holding_cost_rate": 1.0, "shortage_cost": margin, "lead_time_days": 2.0}
    [day] = look_at(items_frame(terms), ArrayDemand(sales)).order_by_day
    run_out_before = [np.mean(np.arange(28) < ordered_on + 2) for ordered_on in range(26)]
    assert day == max([on for on, share in enumerate(run_out_before) if share <= risk], default=0)


def test_what_comes_after_the_protection_period_is_no_part_of_the_position() -> None:
    """3 days of lead time and 7 of review: what comes on day 9 counts, what comes on day 10 is the next order's."""
    seen = look_at(items_frame({"on_hand": 5}), steady([2]), ("item-0", 9, 4), ("item-0", 10, 100))
    assert (seen.on_order[0], seen.position[0]) == (4, 9)


def test_an_arrival_counts_from_its_day_on() -> None:
    """3 units at 1 a day last through day 2; 4 more on day 5 come too late for days 3 and 4."""
    terms = {"on_hand": 3, "lead_time_days": 6.0, "review_period_days": 1}
    seen = look_at(items_frame(terms), steady([1]), ("item-0", 5, 4))
    assert seen.lost_before[0] == 2
    assert seen.on_order[0] == 4
    assert seen.best_units[0] == 0


def test_units_owed_are_delivered_first() -> None:
    owing = items_frame({"on_hand": -4, "lead_time_days": 2.0, "review_period_days": 3})
    assert look_at(owing, steady([1])).best_units[0] == 4 + 3
    assert look_at(owing, steady([1]), ("item-0", 0, 4)).best_units[0] == 3
    assert look_at(owing, steady([1])).stockout_day[0] == 0
