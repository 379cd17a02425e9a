"""Each rule orders what its definition says, from levels given or forecast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from apps.optimization.engine.demand import ArrayDemand, Demand
from apps.optimization.engine.frames import InputError
from apps.optimization.engine.policies import (
    BY_NAME,
    Cover,
    LastSeason,
    Level,
    MinMax,
    OrderUpTo,
    Planned,
    Policy,
    RecentSales,
    ReorderUpTo,
    SeasonalNaive,
    View,
)
from apps.optimization.engine.simulate import replay
from tests.unit.optimization.shops import item_rows, items_frame

Units = NDArray[np.int64]


class Watched:
    """Keeps what a policy sees and decides."""

    def __init__(self, policy: Policy) -> None:
        self.policy, self.views, self.decided = policy, list[View](), list[Units]()

    def orders(self, view: View) -> Units:
        self.views.append(view)
        self.decided.append(self.policy.orders(view))
        return self.decided[-1]


def morning(items: pd.DataFrame, history: Units) -> View:
    """The view of the first morning of a replay."""
    watched = Watched(OrderUpTo(0))
    replay(items, None, np.zeros((len(items), 1), dtype=np.int64), watched, history=history)
    return watched.views[0]


def shop(*stock: int) -> View:
    return morning(items_frame(*[{"on_hand": units} for units in stock]), np.ones((len(stock), 7), dtype=np.int64))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (OrderUpTo(10), [6, 5, 4, 0]),
        (OrderUpTo(np.array([4, 6, 10, 30])), [0, 1, 4, 18]),
        (OrderUpTo(9.2), [6, 5, 4, 0]),
        (ReorderUpTo(5, 10), [6, 5, 0, 0]),
        (MinMax(5, 10), [6, 0, 0, 0]),
        (MinMax(np.array([0, 6, 6, 13]), lambda view: np.add(view.terms.on_hand, 2.0, dtype=np.float64)), [0, 2, 0, 2]),
    ],
    ids=["R,S", "by item", "a part of a unit", "at or below", "below", "a function"],
)
def test_rules_order_what_they_say(policy: Policy, expected: list[int]) -> None:
    assert policy.orders(shop(4, 5, 6, 12)).tolist() == expected


def test_a_forecast_level_is_demand_of_lead_time_and_review_and_a_buffer() -> None:
    """2 a day, alternately 1 and 3 (a day's standard deviation is 1), for 3 + 7 days."""
    history = np.tile([1, 3], (1, 28))
    view = morning(items_frame({}), history)
    assert Cover(RecentSales())(view).tolist() == [20.0]
    assert Cover(RecentSales(), spreads=2.0)(view) == pytest.approx([20 + 2 * 10**0.5])
    assert Cover(RecentSales(), more_days=4)(view).tolist() == [28.0]
    varied = morning(items_frame({"lead_time_spread_days": 1.5}), history)
    assert Cover(RecentSales(), spreads=2.0)(varied) == pytest.approx([20 + 2 * (10 * 1 + 4 * 1.5**2) ** 0.5])


def test_the_last_season_comes_again() -> None:
    week = np.array([[5, 0, 0, 1, 0, 0, 2], [1, 1, 1, 1, 1, 1, 1]])
    items = items_frame({"lead_time_days": 1.0}, {"lead_time_days": 1.5})
    view = morning(items, np.tile(week, 9))
    expected, spread = LastSeason()(view, np.array([8.0, 8.5]))
    assert expected.tolist() == [8 + 5, 8.5]
    assert spread.tolist() == [0.0, 0.0], "it never erred"
    assert SeasonalNaive().orders(view).tolist() == [13, 9]
    erring = morning(items, np.concatenate([np.tile(week, 9), np.tile(week + 2, 1)], axis=1))
    assert LastSeason()(erring, np.ones(2))[1] == pytest.approx([(4 * 7 / 56) ** 0.5] * 2)
    assert SeasonalNaive(spreads=1.0).orders(erring)[0] > SeasonalNaive().orders(erring)[0]
    assert LastSeason()(erring, np.array([7.0, 3.25]))[0] == pytest.approx([8 + 14, 3.25 * 3])


@settings(max_examples=25, deadline=None)
@given(st.lists(item_rows, min_size=1, max_size=4), st.sampled_from(list(BY_NAME)), st.integers(0, 99))
def test_orders_keep_to_packs_the_moq_the_largest_order_and_the_calendar(
    rows: list[dict[str, Any]], name: str, seed: int
) -> None:
    items = items_frame(*rows)
    draw = np.random.default_rng(seed)
    watched = Watched(BY_NAME[name])
    done = replay(
        items, None, draw.poisson(1.5, (len(rows), 30)), watched, history=draw.poisson(1.5, (len(rows), 20)), seed=seed
    )
    for view, quantity in zip(watched.views, watched.decided, strict=True):
        terms, some = view.terms, quantity > 0
        assert (quantity % terms.pack_size == 0).all()
        assert (quantity[some] >= terms.moq[some]).all()
        assert (quantity <= terms.ceiling).all()
        assert (view.due == (view.day % items["review_period_days"] == 0)).all()
    placed = sum((np.where(view.due, units, 0) for view, units in zip(watched.views, watched.decided, strict=True)),
                 start=np.zeros(len(rows), dtype=np.int64))
    assert (done.measures["ordered"].sum(axis=1) == placed).all()


@pytest.mark.parametrize("name", BY_NAME)
def test_a_shop_without_a_past_orders_nothing_and_does_not_fail(name: str) -> None:
    view = morning(items_frame({}, {}), np.zeros((2, 0), dtype=np.int64))
    assert BY_NAME[name].orders(view).tolist() == [0, 0]


@pytest.mark.parametrize("level", [np.nan, np.array([1.0, np.inf])])
def test_a_level_that_is_no_number_is_said(level: Level) -> None:
    with pytest.raises(InputError, match="a level is missing or no number"):
        OrderUpTo(level).orders(shop(1, 2))


def test_a_plan_told_that_shortages_cost_more_orders_more() -> None:
    view = morning(items_frame(*[{"holding_cost_rate": 20.0}] * 2), np.ones((2, 7), dtype=np.int64))
    paths = np.random.default_rng(0).poisson(1.0, (2, 80, 28))

    def forecast(view: View) -> Demand:
        return ArrayDemand(paths)

    usual, more = (Planned(forecast, shortage=by).orders(view) for by in (1.0, np.array([1.0, 6.0])))
    assert usual[0] == more[0] > 0
    assert more[1] > usual[1]
