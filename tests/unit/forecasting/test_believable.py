"""One slip of a keyboard bends one series a little and no other: a day is believed by the days before it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.grid import Grid
from apps.forecasting.engine.models import make
from tests.unit.forecasting import shops


def believed(sales: np.ndarray) -> np.ndarray:
    return np.asarray(shops.panel_of(sales).sales)


@given(arrays(np.float64, (3, 12), elements=st.sampled_from([0.0, 1.0, 3.0, 30.0, 400.0, 1e9])), st.integers(1, 12))
def test_what_is_believed_of_a_day_does_not_hang_on_later_days(sales: np.ndarray, days: int) -> None:
    np.testing.assert_array_equal(believed(sales)[:, :days], believed(sales[:, :days]))


def test_a_day_counts_as_ten_times_the_largest_before_it_and_small_ones_as_they_are() -> None:
    usual = [2.0, 3.0, 1.0, 3.0, 2.0, 1.0]
    np.testing.assert_array_equal(believed(np.array([[*usual, 100_000.0], [*usual, 29.0]]))[:, -1], [30, 29])
    slow = [1.0, 1.0, 1.0, 1.0, 1.0]
    np.testing.assert_array_equal(believed(np.array([[*slow, 24.0], [*slow, 20.0]]))[:, -1], [20, 20])


def test_an_unknown_day_hides_no_slip() -> None:
    days = pd.date_range("2025-01-01", periods=8)
    history = pd.DataFrame({"unique_id": "a", "ds": days, "y": [2.0, np.nan, 2, 2, 2, 2, 2, 1e6]})
    assert Panel.from_frames(history).sales[0, -1] == 20


def test_a_new_item_is_measured_by_the_whole_shop() -> None:
    sales = np.array([[4.0, 4, 4, 4, 4, 4], [0, 0, 0, 0, 0, 1e6]])
    np.testing.assert_array_equal(believed(sales)[1], [0, 0, 0, 0, 0, 40])


@pytest.mark.parametrize("name", ["eight_week_mean", "tsb", "lightgbm"])
def test_one_slip_leaves_the_forecasts_of_all_others_where_they_were(name: str) -> None:
    sales = np.random.default_rng(0).poisson(2, (60, 168)).astype(float)
    slipped = sales.copy()
    slipped[7, -10] = 1e8
    given_ = {"rounds": 20, "rows_in_leaf": 20, "origins": 8} if name == "lightgbm" else {}
    right, wrong = (make(name, **given_).fit(shops.panel_of(each)).predict(Grid(days=28, weeks=4))
                    for each in (sales, slipped))
    others = np.arange(60) != 7
    np.testing.assert_allclose(wrong.mean[others].mean(), right.mean[others].mean(), rtol=0.03)
    upper = [forecast.sum_quantiles([0.9], 14)[others].mean() for forecast in (wrong, right)]
    assert upper[0] == pytest.approx(upper[1], rel=0.1)
