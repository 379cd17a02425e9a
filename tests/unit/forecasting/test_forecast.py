"""Distributions, quantiles, sums and sample paths agree with each other and with what they are redrawn from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from apps.forecasting.engine.base import Grid
from apps.forecasting.engine.dispersion import (
    SPREAD_OF_USUAL,
    USUAL_LEVEL_VARIANCE,
    Dispersion,
    Traits,
    day_dispersion,
    unrest,
)
from apps.forecasting.engine.distribution import (
    negative_binomial_below,
    negative_binomial_crps,
    negative_binomial_quantiles,
)
from apps.forecasting.engine.forecast import Forecast, quantile_column
from tests.unit.forecasting import shops

LEVELS = (0.005, 0.1, 0.5, 0.9, 0.995)


def made(
    mean: np.ndarray, level_variance: float = 0.3, day_dispersion: float = 0.8, grid: Grid | None = None
) -> Forecast:
    n = len(mean)
    return Forecast(
        model="made",
        unique_ids=np.array([f"item-{number}" for number in range(n)]),
        cutoff=np.datetime64("2024-03-03"),
        grid=grid or Grid(mean.shape[1]),
        mean=mean.astype(np.float32),
        level_variance=np.full(n, level_variance, dtype=np.float32),
        day_dispersion=np.full(n, day_dispersion, dtype=np.float32),
        weekday_profile=np.array([0.8, 0.8, 0.8, 0.9, 1.0, 1.3, 1.4], dtype=np.float32),
    )


@given(mean=st.floats(1e-6, 300), excess=st.floats(1e-3, 30), level=st.floats(0.001, 0.999))
def test_quantiles_are_the_negative_binomials(mean: float, excess: float, level: float) -> None:
    size = mean / excess
    found = int(negative_binomial_quantiles([mean], [mean * (1 + excess)], [level])[0, 0])
    chance = size / (size + mean)
    assert nbinom.cdf(found, size, chance) >= level - 1e-9
    assert found == 0 or nbinom.cdf(found - 1, size, chance) < level + 1e-9


@given(mean=st.floats(0.01, 200), level=st.floats(0.01, 0.99))
def test_without_excess_they_are_poissons(mean: float, level: float) -> None:
    found = int(negative_binomial_quantiles([mean], [mean], [level])[0, 0])
    assert poisson.cdf(found, mean) >= level - 1e-4
    assert found == 0 or poisson.cdf(found - 1, mean) < level + 1e-4


def test_nothing_expected_is_nothing_at_every_level() -> None:
    assert not negative_binomial_quantiles([0.0], [0.0], LEVELS).any()
    assert negative_binomial_below([-1, 0], [0.0, 0.0], [0.0, 0.0]) == pytest.approx([0, 1], abs=1e-9)


@pytest.mark.parametrize(("mean", "variance"), [
    (0.01, 0.01), (0.3, 0.3), (0.3, 4.0), (0.02, 40.0), (3.0, 3.0), (3.0, 3.001), (3.0, 60.0), (30.0, 31.0),
    (30.0, 4_000.0), (300.0, 250.0), (300.0, 300.0), (300.0, 9_000.0), (300.0, 200_000.0), (4_000.0, 1e6)])
def test_the_ranked_probability_score_is_the_sum_over_all_whole_numbers(mean: float, variance: float) -> None:
    size = mean**2 / max(variance - mean, mean**2 / 1e7)
    every = np.arange(int(nbinom.isf(1e-13, size, size / (size + mean))) + 2)
    below = nbinom.cdf(every, size, size / (size + mean))
    for sold in (0, 1, int(mean), int(mean + 3 * np.sqrt(variance)) + 1):
        beyond = max(sold - len(every), 0)  # where the distribution function is 1 and the sum has not reached sold
        brute = ((below - (every >= sold)) ** 2).sum() + beyond
        assert negative_binomial_crps([sold], [mean], [variance])[0] == pytest.approx(brute, rel=1e-7, abs=1e-9)


def test_a_forecast_that_is_sure_is_scored_by_how_far_it_is_off() -> None:
    assert negative_binomial_crps([0.0, 3.0, 2.5], [0.0] * 3, [0.0] * 3) == pytest.approx([0.0, 3.0, 2.5], abs=1e-9)


def test_scores_of_many_forecasts_are_those_of_each_by_itself() -> None:
    stream = np.random.default_rng(4)
    mean = stream.gamma(0.5, 20.0, 9_000)
    variance, sold = mean * (1 + mean), stream.poisson(mean)
    every = negative_binomial_crps(sold, mean, variance)
    some = [0, 4_095, 4_096, 8_999]
    alone = [negative_binomial_crps([sold[row]], [mean[row]], [variance[row]])[0] for row in some]
    assert every[some] == pytest.approx(alone)


def test_the_true_distribution_has_the_best_score() -> None:
    size, mean = 2.0, 8.0
    sold = np.random.default_rng(1).negative_binomial(size, size / (size + mean), 20_000)
    truth = mean + mean**2 / size
    score = {(level, spread): negative_binomial_crps(sold, np.full(20_000, level), np.full(20_000, spread)).mean()
             for level in (6.0, mean, 10.0) for spread in (12.0, truth, 90.0)}
    assert min(score, key=lambda pair: score[pair]) == (mean, truth)


def test_more_units_than_can_be_kept_are_as_many_as_can_be_kept() -> None:
    forecast = made(np.full((1, 14), 9e10), day_dispersion=0.3)
    most = np.iinfo(np.int32).max
    assert (forecast.quantiles(LEVELS) == most).all() and (forecast.sum_quantiles(LEVELS, 14) == most).all()
    assert (forecast.paths([0], 20, seed=1) == most).mean() > 0.9
    assert (forecast.paths([0], 20, seed=1) > 0).all()


def test_levels_outside_zero_to_one_are_refused() -> None:
    for level in (0.0, 1.0, -0.5):
        with pytest.raises(ValueError, match="above 0 and below 1"):
            negative_binomial_quantiles([1.0], [2.0], [level])


def test_paths_have_the_mean_and_variance_that_the_recipe_says_for_days_and_for_sums() -> None:
    forecast = made(np.full((1, 28), 2.0))
    drawn = forecast.paths([0], 40_000, seed=1)[0]
    for days in (1, 14, 28):
        sums = drawn[:, :days].sum(axis=1)
        mean = 2.0 * days
        assert sums.mean() == pytest.approx(mean, rel=0.02)
        assert sums.var() == pytest.approx(mean * 1.8 + 0.3 * mean**2, rel=0.05)


def test_days_of_a_path_move_together_as_the_shared_level_says() -> None:
    drawn = made(np.full((1, 14), 5.0)).paths([0], 40_000, seed=2)[0].astype(float)
    expected = 0.3 * 25 / (5 * 1.8 + 0.3 * 25)
    assert np.corrcoef(drawn[:, 0], drawn[:, 13])[0, 1] == pytest.approx(expected, abs=0.03)
    alone = made(np.full((1, 14), 5.0), level_variance=0.0).paths([0], 40_000, seed=2)[0].astype(float)
    assert np.corrcoef(alone[:, 0], alone[:, 13])[0, 1] == pytest.approx(0.0, abs=0.03)


def test_an_item_redrawn_alone_or_for_fewer_days_gives_the_same_paths() -> None:
    forecast = made(np.random.default_rng(1).gamma(1, 1, (5, 28)))
    whole = forecast.paths(np.arange(5), 50, seed=9)
    np.testing.assert_array_equal(forecast.take([3]).paths([0], 50, seed=9)[0], whole[3])
    np.testing.assert_array_equal(forecast.paths([4, 2], 50, seed=9, days=10), whole[[4, 2], :, :10])
    assert (forecast.paths([0], 50, seed=10) != whole[0]).any()
    assert (whole[0] != whole[1]).any()


def test_paths_have_the_forecasts_mean_however_few_are_drawn() -> None:
    forecast = made(np.full((20, 28), 30.0), level_variance=0.5, day_dispersion=0.5)
    sums = forecast.paths(np.arange(20), 200, seed=4).sum(axis=2)
    assert sums.mean(axis=1) == pytest.approx(forecast.sum_mean(28), rel=0.02)


def test_a_poisson_recipe_draws_poisson_paths() -> None:
    drawn = made(np.full((1, 7), 3.0), level_variance=0.0, day_dispersion=0.0).paths([0], 20_000, seed=3)
    assert drawn.var() == pytest.approx(3.0, rel=0.03)


def test_weekly_steps_spread_over_their_days_and_keep_their_total() -> None:
    forecast = made(np.array([[1.0, 2.0, 14.0, 21.0]]), grid=Grid(days=2, weeks=2))
    daily = forecast.daily_mean[0]
    assert daily[:2].tolist() == [1.0, 2.0]
    assert daily[2:9].sum() == pytest.approx(14.0, rel=1e-5)
    assert daily[9:].sum() == pytest.approx(21.0, rel=1e-5)
    assert forecast.daily_mean[0, 2] == pytest.approx(14 * 0.8 / 7, rel=1e-5)  # the third day after a Sunday


def test_sums_may_reach_differently_far_for_each_series() -> None:
    forecast = made(np.ones((3, 28)))
    np.testing.assert_allclose(forecast.sum_mean([0, 7, 28]), [0, 7, 28])
    np.testing.assert_array_equal(forecast.sum_quantiles([0.5], [0, 7, 28])[0], [0])
    with pytest.raises(ValueError, match="covers 28 days, not 29"):
        forecast.sum_mean(29)
    with pytest.raises(ValueError, match="covers 28 days, not 29"):
        forecast.paths([0], 1, seed=1, days=29)


def test_frames_carry_steps_and_quantiles() -> None:
    frame = made(np.ones((2, 5)), grid=Grid(days=3, weeks=2)).to_frame([0.5, 0.975])
    assert list(frame.columns) == ["unique_id", "ds", "days", "cutoff", "mean", "q0.50", "q0.975"]
    assert frame["days"].tolist() == [1, 1, 1, 7, 7] * 2
    assert frame["ds"].iloc[4].isoformat() == "2024-03-14T00:00:00"
    assert [quantile_column(level) for level in (0.5, 0.05, 0.975, 0.1)] == ["q0.50", "q0.05", "q0.975", "q0.10"]


def test_dispersion_is_found_again_in_what_was_drawn_with_it() -> None:
    stream = np.random.default_rng(5)
    mean = stream.uniform(5, 60, 6000)
    own = np.full(6000, 0.6)
    size = mean**2 / (0.6 * mean + 0.2 * mean**2)
    sold = stream.negative_binomial(size, size / (size + mean)).astype(float)
    fitted = Dispersion.fit(mean, sold, Traits(own, np.full(len(own), np.nan)))
    found = mean * (1 + fitted.scale * own) + fitted.level_variance(mean, np.full(6000, np.nan)) * mean**2
    expected = mean * 1.6 + 0.2 * mean**2
    assert np.median(found / expected) == pytest.approx(1.0, abs=0.1)
    assert Dispersion.from_settings(fitted.settings()) == fitted


@pytest.mark.parametrize("sold", [10.0, 30.0])
def test_one_error_moves_the_usual_spread_a_little_and_a_thousand_move_it_far(sold: float) -> None:
    """Foretold 10: a fortnight that hit, or sold three times that, says little by itself."""

    def moved(n: int) -> float:
        fitted = Dispersion.fit(np.full(n, 10.0), np.full(n, sold), Traits(np.zeros(n), np.zeros(n)))
        return abs(float(np.log(fitted.level_variance(np.array([10.0]), np.zeros(1))[0] / USUAL_LEVEL_VARIANCE)))

    assert moved(1) < SPREAD_OF_USUAL < moved(1000)


def test_steady_and_unsteady_series_that_sell_as_much_get_bands_of_their_own() -> None:
    stream = np.random.default_rng(9)
    n = 6000
    mean, steady = stream.uniform(10, 60, n), np.arange(n) % 2 == 0
    own = np.where(steady, -0.8, 0.8) + stream.normal(0, 0.05, n)
    truth = np.where(steady, 0.05, 0.4)
    size = 1 / (truth + 1e-9)
    sold = stream.negative_binomial(size, size / (size + mean)).astype(float)
    fitted = Dispersion.fit(mean, sold, Traits(np.zeros(n), own))
    level = fitted.level_variance(mean, own)
    assert min(fitted.powers) > 0
    for kind in (steady, ~steady):
        variance = mean + level * mean**2
        below = [negative_binomial_below(sold - step, mean, variance)[kind] for step in (1, 0)]
        share = stream.random(kind.sum())
        pit = below[0] + share * (below[1] - below[0])
        assert ((pit > 0.1) & (pit < 0.9)).mean() == pytest.approx(0.8, abs=0.03)
    untold = fitted.level_variance(mean, np.full(n, np.nan))
    assert level[steady].mean() < untold.mean() < level[~steady].mean()
    assert Dispersion.from_settings(fitted.settings()) == fitted


def test_unrest_counts_by_as_much_as_it_tells_at_each_size() -> None:
    """Small sellers stray as their weeks did; the weeks of large ones swing by what forecasts know of."""
    stream = np.random.default_rng(12)
    n = 12_000
    is_large = np.arange(n) >= n // 2
    mean = np.where(is_large, stream.uniform(60, 200, n), stream.uniform(3, 15, n))
    own = stream.normal(0, 0.7, n)
    truth = np.where(is_large, 0.1, 0.1 * np.exp(own))
    sold = stream.negative_binomial(1 / truth, 1 / (1 + truth * mean)).astype(float)
    fitted = Dispersion.fit(mean, sold, Traits(np.zeros(n), own))
    swing = fitted.level_variance(np.array([8.0, 8.0, 120.0, 120.0]), np.array([-0.7, 0.7, -0.7, 0.7]))
    assert swing[1] / swing[0] > 2.5
    assert swing[3] / swing[2] < 1.5


def test_where_unrest_tells_nothing_it_changes_nothing() -> None:
    stream = np.random.default_rng(11)
    mean = stream.uniform(10, 60, 4000)
    sold = stream.negative_binomial(5, 5 / (5 + mean)).astype(float)
    fitted = Dispersion.fit(mean, sold, Traits(np.zeros(4000), stream.normal(0, 0.5, 4000)))
    assert not any(fitted.powers)


def test_no_unrest_is_believed_beyond_measure() -> None:
    rule = Dispersion(1.0, (2.0,), (0.2,), (0.0,), (1.0,))
    wild = rule.level_variance(np.full(3, 10.0), np.array([2.0, 9.0, -9.0]))
    assert wild == pytest.approx([0.2 * np.e**2, 0.2 * np.e**2, 0.2 / np.e**2])


def test_a_rule_that_was_saved_without_unrest_still_reads_as_it_did() -> None:
    old = Dispersion.from_settings({"scale": 1.0, "log_means": [1.0, 3.0], "level_variances": [0.4, 0.2]})
    assert old.level_variance(np.exp([1.0, 3.0]), np.array([5.0, -5.0])) == pytest.approx([0.4, 0.2])


def test_unrest_is_the_index_of_dispersion_of_whole_weeks() -> None:
    sales = np.tile([2.0] * 7 + [4.0] * 7, (3, 5))
    known = np.ones((3, 70))
    known[1, :40] = 0
    known[2, -3:] = 0
    told = unrest(shops.panel_of(sales, known))
    assert told[0] == pytest.approx(np.log((49 * 10 / 9 + 0.2) / (21 + 0.2)))
    assert np.isnan(told[1]), "four whole weeks say nothing"
    assert told[2] == pytest.approx(np.log((np.var([14, 28] * 4 + [14], ddof=1) + 0.2) / (182 / 9 + 0.2)), rel=1e-6)


def test_own_days_tell_buyers_of_one_from_buyers_of_many() -> None:
    stream = np.random.default_rng(7)
    ones = stream.poisson(2.0, (20, 182))
    sixes = 6 * stream.poisson(2.0 / 6, (20, 182))
    dispersion = day_dispersion(shops.panel_of(np.concatenate([ones, sixes])))
    assert dispersion[:20].mean() < 0.4
    assert dispersion[20:].mean() == pytest.approx(5.0, rel=0.25)
