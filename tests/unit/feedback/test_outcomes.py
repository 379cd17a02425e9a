"""What came of advice: a made-up shop that loses no unit from its books, outcomes by hand, and overrides in money."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.feedback.pipeline.judge import override_gain, stock_matrices
from apps.feedback.pipeline.proof import break_even
from apps.feedback.pipeline.world import World, drawn_lead_days, stock_outcomes

MONDAY = dt.date(2017, 10, 2)


def line(quantity: int, lead: float = 3, review: float = 7, item: int = 7, **more: float) -> pd.DataFrame:
    return pd.DataFrame([{"item_id": item, "location_id": 1, "quantity": quantity, "lead_time_days": lead,
                          "lead_time_spread_days": 0.0, "review_period_days": review, **more}])


def world(opening: int = 10, item: int = 7) -> World:
    made = World(MONDAY)
    made.join(np.array([f"{item}/1"]), np.array([opening]))
    return made


def test_an_order_comes_after_its_lead_time_and_can_be_sold_on_that_day() -> None:
    shop = world(opening=2)
    shop.order(line(5, lead=3))
    shop.live(np.full((1, 7), 1.0))
    assert shop.served[0].tolist() == [1, 1, 0, 1, 1, 1, 1]
    assert shop.closing[0].tolist() == [1, 0, 0, 4, 3, 2, 1]
    assert shop.wanted[0].sum() - shop.served[0].sum() == 1


def test_what_is_on_its_way_is_known_by_its_expected_day_and_the_late_comes_tomorrow() -> None:
    shop = world()
    shop.order(line(4, lead=5))
    assert shop.arrivals()["date"].tolist() == [pd.Timestamp(MONDAY + dt.timedelta(days=5))]
    shop.coming["comes"] += 30
    shop.live(np.zeros((1, 7)))
    assert shop.arrivals()["date"].tolist() == [pd.Timestamp(MONDAY + dt.timedelta(days=8))]
    assert shop.arrivals()["quantity"].tolist() == [4]


def test_a_series_that_joins_later_brings_its_stock_and_no_past() -> None:
    shop = world()
    shop.live(np.ones((1, 7)))
    shop.join(np.array(["7/1", "9/1"]), np.array([99, 6]))
    assert shop.on_hand.tolist() == [3, 6], "who is here already keeps what is there"
    assert shop.wanted.shape == shop.served.shape == shop.closing.shape == (2, 7)
    assert shop.positions()["item_id"].tolist() == [7, 9]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=6), st.integers(0, 20))
def test_no_unit_is_lost_from_the_books(weeks: list[tuple[int, int]], opening: int) -> None:
    shop = world(opening)
    for order, asked in weeks:
        shop.order(line(order, lead=4))
        shop.live(np.full((1, 7), float(asked)))
    ordered = sum(order for order, _ in weeks)
    assert shop.on_hand[0] + shop.coming["quantity"].sum() + shop.served.sum() == opening + ordered
    assert (shop.closing >= 0).all()
    assert (shop.served <= shop.wanted).all()


def test_lead_times_are_drawn_the_same_again_and_scatter_around_their_mean() -> None:
    ids = pd.Series([f"{item}/1" for item in range(4000)])
    mean, spread = np.full(4000, 14.0), np.full(4000, 3.0)
    drawn = drawn_lead_days(ids, MONDAY, mean, spread)
    np.testing.assert_array_equal(drawn, drawn_lead_days(ids, MONDAY, mean, spread))
    np.testing.assert_array_equal(drawn[7:9], drawn_lead_days(ids[7:9], MONDAY, mean[7:9], spread[7:9]))
    assert drawn.mean() == pytest.approx(14, abs=0.2)
    assert drawn.std() == pytest.approx(3, abs=0.2)


def test_a_line_is_judged_from_its_arrival_until_the_next_one_could_arrive() -> None:
    wanted, served = np.ones((1, 20)), np.ones((1, 20))
    served[0, 5:7] = 0
    closing = np.full((1, 20), 3.0)
    closing[0, 4:7] = 0
    found = stock_outcomes(line(6, review=7), np.array([0]), np.array([3]), wanted, served, closing)
    assert found[["demand_units", "served_units", "lost_units", "days_out", "closing_units", "end"]].iloc[0].tolist() \
        == [7, 5, 2, 3, 3, 9], "days 3 to 9"


@pytest.mark.parametrize(("start", "row"), [(14, 0), (3, -1)])
def test_a_line_whose_time_is_not_over_or_that_nobody_knows_is_not_judged(start: int, row: int) -> None:
    days = np.ones((1, 20))
    assert stock_outcomes(line(6), np.array([row]), np.array([start]), days, days, days).empty


def test_stock_stands_still_between_movements_and_is_unknown_before_the_first() -> None:
    moved = pd.DataFrame({"item_id": [7, 7], "location_id": [1, 1], "closing": [5.0, 3.0], "sold": [0.0, 2.0],
                          "wanted": [0.0, 4.0], "received": [5.0, 0.0],
                          "date": [MONDAY + dt.timedelta(days=2), MONDAY + dt.timedelta(days=4)]})
    wanted, served, closing, rows = stock_matrices(line(1), moved, MONDAY, MONDAY + dt.timedelta(days=6))
    np.testing.assert_array_equal(closing, [[np.nan, np.nan, 5, 5, 3, 3]])
    assert (wanted[0, 4], served[0, 4], rows.tolist()) == (4, 2, [0])


def judged(advised: int, decided: int, *, lost: float, served: float, closing: float) -> float:
    lines = line(advised, review=73, decided_quantity=decided, lost_units=lost, served_units=served,
                 closing_units=closing, unit_cost=10.0, price=14.0).assign(followed=advised == decided)
    return float(override_gain(lines, 0.25).iloc[0])  # holding a unit for 73 days: 0.50


def test_ordering_less_than_advised_costs_the_margin_of_what_was_lost_and_saves_the_rest() -> None:
    assert judged(10, 4, lost=2, served=8, closing=0) == pytest.approx(-2 * 4 + 4 * 0.5)


def test_ordering_more_than_advised_earns_what_it_served_and_holds_the_rest() -> None:
    assert judged(4, 10, lost=0, served=8, closing=2) == pytest.approx((6 - 2) * 4 - 2 * 0.5)


def test_following_the_advice_is_no_override() -> None:
    assert np.isnan(judged(4, 4, lost=3, served=1, closing=0))


def sides(ours: float, rule: float) -> dict[str, dict[str, float]]:
    return {"ours": {"closing_value": ours}, "rule": {"closing_value": rule}}


def test_the_share_at_which_both_sides_come_out_even() -> None:
    share = break_even(50.0, sides(300.0, 100.0)) or 0.0
    assert share == pytest.approx(0.75)
    assert 50.0 - (1 - share) * (300.0 - 100.0) == pytest.approx(0)


@pytest.mark.parametrize(("gain", "ours", "rule"), [(50.0, 100.0, 300.0), (500.0, 300.0, 100.0), (5.0, 100.0, 100.0)])
def test_no_such_share_is_told_where_the_verdict_does_not_turn_on_it(gain: float, ours: float, rule: float) -> None:
    assert break_even(gain, sides(ours, rule)) is None
