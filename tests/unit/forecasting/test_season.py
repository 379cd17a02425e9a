"""The season of the year: found where there is one, left alone where there is none, and told among the reasons."""

import numpy as np
import pytest

from apps.forecasting.engine.base import Grid
from apps.forecasting.engine.features import Weeks, daily_season
from apps.forecasting.engine.models import make
from apps.forecasting.engine.season import NEEDED_WEEKS, yearly_season
from tests.unit.forecasting import shops

WEEKS = 130
SWING = 1 + 0.5 * np.sin(2 * np.pi * np.arange(WEEKS + 4) / 52)


def sold(swing: np.ndarray, *, growth: float = 0.0, n_series: int = 60, seed: int = 4) -> np.ndarray:
    """Units a week [n, J] of items that swing alike, each with a level of its own."""
    stream = np.random.default_rng(seed)
    level = stream.gamma(2.0, 4.0, n_series)[:, None]
    rate = level * swing[:WEEKS] * np.exp(growth * np.arange(WEEKS))
    return np.asarray(stream.poisson(rate), dtype=np.float32)


@pytest.mark.parametrize("growth", [0.0, 0.005, -0.004])
def test_the_swing_of_the_year_is_found_whatever_the_trend(growth: float) -> None:
    rate = sold(SWING, growth=growth)
    found = yearly_season(rate, np.ones_like(rate), 4)
    assert found.shape == (WEEKS + 4,)
    logs, expected = np.log(found), np.log(SWING) - np.log(SWING[:52]).mean()
    assert np.corrcoef(logs, expected)[0, 1] > 0.97
    assert 0.7 < float(logs @ expected / (expected @ expected)) < 1, "a few years are drawn a little towards none"


def test_noise_is_hardly_taken_for_a_season() -> None:
    rate = sold(np.ones(WEEKS + 4))
    np.testing.assert_allclose(yearly_season(rate, np.ones_like(rate), 4), 1, atol=0.03)


def test_a_swing_that_did_not_come_again_is_not_believed() -> None:
    once = np.where(np.arange(WEEKS + 4) < 52, SWING, 1.0)
    rate = sold(once)
    found = yearly_season(rate, np.ones_like(rate), 4)
    assert np.abs(found - 1).max() < 0.5 * np.abs(yearly_season(sold(SWING), np.ones_like(rate), 4) - 1).max()


def test_items_that_come_on_sale_or_run_out_are_no_season() -> None:
    rate, exposure = sold(np.ones(WEEKS + 4)), np.ones((60, WEEKS), dtype=np.float32)
    exposure[:30, :40] = 0
    exposure[::2, 90:100] = 0
    np.testing.assert_allclose(yearly_season(rate * (exposure > 0), exposure, 4), 1, atol=0.04)


def test_a_short_history_or_an_empty_one_has_no_season() -> None:
    rate = sold(SWING)
    short = rate[:, : NEEDED_WEEKS - 1]
    assert (yearly_season(short, np.ones_like(short), 3) == 1).all()
    assert (yearly_season(np.zeros_like(rate), np.ones_like(rate), 3) == 1).all()
    assert len(yearly_season(np.zeros((0, 80), np.float32), np.zeros((0, 80), np.float32), 2)) == 82


def test_what_follows_the_season_errs_less_and_says_why() -> None:
    daily = np.repeat(sold(SWING) / 7, 7, axis=1)
    panel, grid = shops.panel_of(daily), Grid(28)
    known = panel.before(28)
    came = panel.sales[:, -28:].sum()

    def miss(name: str) -> float:
        return float(abs(make(name).fit(known).predict(grid).daily_mean.sum() / came - 1))

    assert miss("seasonal_mean") < 0.5 * miss("eight_week_mean")
    for name in ("ridge", "lightgbm"):
        model = make(name).fit(known)
        why = model.reasons(28)
        told = why.base + sum(why.parts.values())
        np.testing.assert_allclose(told, model.predict(grid).daily_mean.sum(axis=1), rtol=1e-4)
        assert np.sign(why.parts["season"].sum()) == np.sign(SWING[WEEKS - 2] - 1), name


def test_the_season_by_day_is_that_of_the_weeks_and_one_before_the_first_whole_week() -> None:
    daily = np.repeat(sold(SWING) / 7, 7, axis=1)
    panel = shops.panel_of(daily[:, 4:])
    past, ahead = daily_season(panel, 10)
    weeks = Weeks.of(panel, 2)
    assert (past[:3] == 1).all()
    np.testing.assert_array_equal(past[3:], np.repeat(weeks.season[: weeks.n_weeks], 7))
    np.testing.assert_array_equal(ahead, np.repeat(weeks.season[weeks.n_weeks :], 7)[:10])
