"""What kinds of item are forecast to sell: their items' forecasts added up, and as unsure as past sums were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.forecasting.engine.aggregates import USUAL_UNSURE, aggregate, unsure_by
from apps.forecasting.engine.base import Forecast, Grid
from apps.forecasting.engine.dispersion import SUM_DAYS


def made_up(n_series: int, seed: int, grid: Grid | None = None) -> Forecast:
    stream = np.random.default_rng(seed)
    grid = grid or Grid(28, 4)
    return Forecast(
        model="made up",
        unique_ids=np.array([f"item-{n:03d}" for n in range(n_series)]),
        cutoff=np.datetime64("2024-03-03"),
        grid=grid,
        mean=stream.gamma(1, 2, (n_series, grid.n_steps)).astype(np.float32),
        level_variance=stream.gamma(1, 0.2, n_series).astype(np.float32),
        day_dispersion=stream.gamma(1, 1, n_series).astype(np.float32),
        weekday_profile=np.ones(7, dtype=np.float32),
    )


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 10**6), st.floats(0, 0.5))
def test_every_level_adds_up_to_the_next_and_a_group_of_one_is_its_item(
    n_series: int, n_groups: int, seed: int, unsure: float
) -> None:
    forecast = made_up(n_series, seed)
    members = np.random.default_rng(seed).integers(0, n_groups, n_series)
    groups = aggregate(forecast, members, np.array([f"kind-{n}" for n in range(members.max() + 1)]), unsure)
    whole = aggregate(forecast, np.zeros(n_series, dtype=np.int64), np.array(["all"]), unsure)
    np.testing.assert_allclose(groups.daily_mean.sum(axis=0), whole.daily_mean[0], rtol=1e-5)
    np.testing.assert_allclose(whole.daily_mean[0], forecast.daily_mean.sum(axis=0), rtol=1e-5)
    alone = aggregate(forecast, np.arange(n_series), forecast.unique_ids, 0.0)
    np.testing.assert_allclose(
        alone.variance_of(alone.sum_mean(SUM_DAYS)), forecast.variance_of(forecast.sum_mean(SUM_DAYS)), rtol=1e-4
    )


def test_the_variance_of_a_sum_is_that_of_its_items_and_what_they_stray_by_together() -> None:
    """Beside sums of sample paths, drawn item by item: those are independent of each other."""
    forecast = made_up(30, 7)
    paths = forecast.paths(np.arange(30), 20_000, seed=3, days=SUM_DAYS).sum(axis=2, dtype=np.float64).sum(axis=0)
    mean = forecast.sum_mean(SUM_DAYS).sum()
    for unsure in (0.0, 0.2):
        whole = aggregate(forecast, np.zeros(30, dtype=np.int64), np.array(["all"]), unsure)
        found = float(whole.variance_of(whole.sum_mean(SUM_DAYS))[0])
        assert found == pytest.approx(paths.var() + (unsure * mean) ** 2, rel=0.05)


def test_an_item_that_nobody_asks_for_makes_no_group_unsure_of_nothing() -> None:
    forecast = made_up(3, 1)
    nothing = Forecast(**{**vars(forecast), "mean": np.zeros_like(forecast.mean)})
    whole = aggregate(nothing, np.zeros(3, dtype=np.int64), np.array(["all"]), 0.1)
    assert whole.sum_quantiles([0.1, 0.9], SUM_DAYS).tolist() == [[0, 0]]


@given(st.sampled_from([0.03, 0.1, 0.3]), st.integers(0, 50))
def test_how_unsure_sums_are_is_found_again(unsure: float, seed: int) -> None:
    stream = np.random.default_rng(seed)
    mean = stream.gamma(2, 2000, 400)
    variance = 3 * mean
    error = stream.normal(0, np.sqrt(variance + (unsure * mean) ** 2))
    assert unsure_by(error, mean, variance) == pytest.approx(unsure, rel=0.25)


def test_errors_that_items_explain_leave_nothing_unsure_and_without_errors_the_usual_is_said() -> None:
    mean = np.full(500, 100.0)
    error = np.random.default_rng(2).normal(0, 20, 500)
    assert unsure_by(error, mean, np.full(500, 500.0)) < 0.04
    one = np.array([1.0])
    assert unsure_by(0 * one, 100 * one, one) > USUAL_UNSURE / 3, "one lucky sum proves little"
    nothing = np.zeros(0)
    assert unsure_by(nothing, nothing, nothing) == USUAL_UNSURE == unsure_by(np.zeros(3), np.zeros(3), np.ones(3))
