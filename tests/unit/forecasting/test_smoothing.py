"""Theta and Croston's method agree with statsforecast's where they mean the same, and read no unknown day as a zero."""

import numpy as np
import pytest
from statsforecast.models import CrostonClassic as TheirCroston
from statsforecast.models import CrostonSBA as TheirSBA
from statsforecast.models import Theta as TheirTheta

from apps.forecasting.engine.smoothing import CrostonSBA, Theta, theta_means
from tests.unit.forecasting import shops

WEEK = np.array([10.0, 12.0, 11.0, 9.0, 14.0, 22.0, 20.0])


def drifting(n_steps: int) -> np.ndarray:
    """A level that wanders upwards, seen through noise."""
    stream = np.random.default_rng(3)
    return np.asarray(100 + np.cumsum(stream.normal(0.4, 2.0, n_steps)) + stream.normal(0, 5.0, n_steps))


def test_theta_is_the_published_method_where_there_is_no_season() -> None:
    for n_steps in (60, 150, 365):
        y = drifting(n_steps)
        own = theta_means(y[None, :], 1, 14)[0]
        np.testing.assert_allclose(own, TheirTheta(season_length=1).forecast(y, 14)["mean"], rtol=0.01)


def test_theta_continues_a_season_and_half_of_a_slope() -> None:
    days = np.arange(140)
    y = np.tile(WEEK, 20) + 0.1 * days
    ahead = theta_means(y[None, :], 7, 14)[0]
    np.testing.assert_allclose(ahead.reshape(2, 7) - ahead.reshape(2, 7).mean(axis=1, keepdims=True),
                               np.tile(WEEK - WEEK.mean(), (2, 1)), atol=0.5)
    assert ahead[7:].mean() - ahead[:7].mean() == pytest.approx(0.35, abs=0.01)
    assert ahead[:7].mean() == pytest.approx(y[-7:].mean() + 0.7, abs=0.7)


def test_theta_takes_no_season_and_no_slope_from_noise() -> None:
    y = np.random.default_rng(2).poisson(3.0, (400, 84)).astype(float)
    ahead = theta_means(y, 7, 28)
    assert ahead.std(axis=1).mean() < 0.4, "of independent days, any rhythm is noise"
    assert ahead.mean() == pytest.approx(3.0, rel=0.03)


def test_theta_takes_no_unknown_step_for_a_zero_and_needs_no_filling() -> None:
    stream = np.random.default_rng(4)
    y = np.tile(WEEK, (5, 20))
    holes = np.where(stream.random(y.shape) < 0.4, np.nan, y)
    holes[0, :70] = np.nan
    np.testing.assert_allclose(theta_means(holes, 7, 7), np.tile(WEEK, (5, 1)), rtol=0.15)
    assert theta_means(np.where(np.isnan(holes), 0.0, holes), 7, 7).mean() < 0.75 * WEEK.mean()


def test_theta_of_a_series_depends_on_nothing_else() -> None:
    y = np.random.default_rng(5).poisson(2.0, (1100, 90)).astype(float)
    np.testing.assert_array_equal(theta_means(y, 7, 14)[1050], theta_means(y[1050:1051], 7, 14)[0])


@pytest.mark.parametrize("n_steps", [0, 1, 3, 7, 13])
def test_theta_answers_for_any_history_however_short(n_steps: int) -> None:
    means = theta_means(np.full((2, n_steps), 4.0), 7, 28)
    np.testing.assert_allclose(means, 4.0 if n_steps else 0.0)
    np.testing.assert_array_equal(theta_means(np.full((2, n_steps), np.nan), 7, 28), 0.0)


def test_half_a_day_of_availability_counts_as_half_a_day() -> None:
    panel = shops.panel_of(np.full((1, 56), 3.0), np.full((1, 56), 0.5))
    for model in (Theta(), CrostonSBA(debiased=False)):
        np.testing.assert_allclose(model.daily_mean(panel, 7), 6.0, rtol=1e-5)


def test_unavailable_days_are_left_out_and_never_count_as_zero() -> None:
    known_day = np.random.default_rng(4).random((3, 84)) > 0.4
    sales = np.where(known_day, 5.0, 0.0)
    for model in (Theta(), CrostonSBA(debiased=False)):
        np.testing.assert_allclose(model.daily_mean(shops.panel_of(sales, known_day), 7), 5.0, rtol=1e-3)


@pytest.mark.parametrize(("debiased", "theirs"), [(True, TheirSBA), (False, TheirCroston)])
def test_croston_follows_the_published_recursion(debiased: bool, theirs: type) -> None:
    sales = np.random.default_rng(6).poisson(0.3, (20, 150)).astype(float)
    own = CrostonSBA(debiased=debiased).daily_mean(shops.panel_of(sales), 28)
    published = [theirs().forecast(series, 1)["mean"][0] for series in sales]
    np.testing.assert_allclose(own.reshape(20, 4, 7).mean(axis=(1, 2)), published, rtol=1e-5)
