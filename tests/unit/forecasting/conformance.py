"""What every model promises, whichever it is; the test modules say which models they hold to it."""

from collections.abc import Callable

import numpy as np
import pytest

from apps.forecasting.engine.backtest import poisoned
from apps.forecasting.engine.base import Forecast, Forecaster, Grid, NotFitted, Panel
from apps.forecasting.engine.explanation import explain
from apps.forecasting.engine.frames import NotEnoughHistory
from apps.forecasting.engine.models import fit_or_fall_back
from tests.unit.forecasting import shops

GRID = Grid(days=28, weeks=3)
HELD_BACK_DAYS = 21
LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
MakeModel = Callable[[], Forecaster]


def bits(forecast: Forecast) -> tuple[bytes, ...]:
    """Return everything that a forecast draws from, byte by byte."""
    parts = (forecast.mean, forecast.level_variance, forecast.day_dispersion, forecast.weekday_profile)
    return tuple(part.tobytes() for part in parts)


class Conformance:
    """Subclasses give a class-scoped fixture `make_model`: a callable that returns a new, quick model."""

    def test_answers_every_series_and_step_with_finite_numbers_that_are_not_negative(
        self, forecast: Forecast, known: Panel
    ) -> None:
        assert forecast.mean.shape == (known.n_series, GRID.n_steps)
        assert forecast.mean.dtype == np.float32
        assert forecast.cutoff == known.cutoff
        for part in (forecast.mean, forecast.level_variance, forecast.day_dispersion, forecast.weekday_profile):
            assert np.isfinite(part).all()
            assert (part >= 0).all()
        assert forecast.mean.sum() > 0

    def test_the_same_seed_gives_the_same_forecast_to_the_bit_whatever_happens_after_the_cutoff(
        self, make_model: MakeModel, whole: Panel, known: Panel, forecast: Forecast
    ) -> None:
        again = make_model().fit(poisoned(whole, known.cutoff).upto(known.cutoff)).predict(GRID)
        assert bits(again) == bits(forecast)

    def test_a_model_read_back_from_its_files_forecasts_the_same(
        self, fitted: Forecaster, known: Panel, forecast: Forecast
    ) -> None:
        files = fitted.to_artifact()
        assert all(isinstance(content, bytes) for content in files.values())
        assert bits(type(fitted).from_artifact(files).predict(GRID, known)) == bits(forecast)

    def test_a_model_read_back_asks_for_a_panel(self, fitted: Forecaster) -> None:
        with pytest.raises(NotFitted):
            type(fitted).from_artifact(fitted.to_artifact()).predict(GRID)

    def test_an_unfitted_model_says_so(self, make_model: MakeModel) -> None:
        with pytest.raises(NotFitted):
            make_model().predict(GRID)
        with pytest.raises(NotFitted):
            make_model().to_artifact()

    @pytest.mark.parametrize("days", [14, 10])
    def test_an_explanation_adds_up_to_the_forecast(self, fitted: Forecaster, known: Panel, days: int) -> None:
        told = explain(fitted, days, known)
        forecast = fitted.predict(Grid(days=28), known)
        assert told.total == pytest.approx(forecast.sum_mean(days), rel=1e-4, abs=1e-5)
        assert all(np.isfinite(part).all() for part in told.parts.values())
        some = explain(fitted, days, known, np.array([5, 2]))
        assert some.unique_ids.tolist() == known.ids[[5, 2]].tolist()
        assert some.total == pytest.approx(told.total[[5, 2]], rel=1e-4, abs=1e-5)

    def test_quantiles_never_fall_with_the_level(self, forecast: Forecast) -> None:
        assert (np.diff(forecast.quantiles(LEVELS), axis=2) >= 0).all()
        assert (np.diff(forecast.sum_quantiles(LEVELS, 14), axis=1) >= 0).all()

    def test_paths_agree_with_the_mean_and_the_quantiles_of_days_and_sums(self, forecast: Forecast) -> None:
        n_paths, forecast = 1500, forecast.take(np.arange(8))
        drawn = forecast.paths(np.arange(8), n_paths, seed=5)
        sums = drawn[:, :, :14].sum(axis=2)
        mean, variance = forecast.sum_mean(14), forecast.variance_of(forecast.sum_mean(14))
        assert (np.abs(sums.mean(axis=1) - mean) <= 5 * np.sqrt(variance / n_paths)).all()
        for place, level in enumerate(LEVELS):
            reached = (sums <= forecast.sum_quantiles(LEVELS, 14)[:, place, None]).mean(axis=1)
            short = (sums < forecast.sum_quantiles(LEVELS, 14)[:, place, None]).mean(axis=1)
            assert (reached > level - 0.06).all()
            assert (short < level + 0.06).all()

    def test_a_model_leaves_no_trace_in_the_panel_or_in_another_model(
        self, make_model: MakeModel, fitted: Forecaster, known: Panel, forecast: Forecast
    ) -> None:
        before = (known.y.tobytes(), known.available.tobytes(), *(v.tobytes() for v in known.covariates.values()))
        make_model().fit(shops.panel(seed=8)).predict(GRID)
        assert bits(fitted.predict(GRID)) == bits(forecast)
        assert before == (
            known.y.tobytes(), known.available.tobytes(), *(v.tobytes() for v in known.covariates.values())
        )  # fmt: skip

    def test_progress_rises_to_the_end_and_what_the_listener_raises_stops_the_work(
        self, make_model: MakeModel, known: Panel
    ) -> None:
        class Cancelled(Exception):
            pass

        def cancel(fraction: float, sentence: str) -> None:
            assert 0 <= fraction <= 1
            assert sentence
            raise Cancelled

        with pytest.raises(Cancelled):
            make_model().fit(known, cancel)

    def test_no_series_or_no_day_is_named_as_too_little_history(self, make_model: MakeModel, known: Panel) -> None:
        with pytest.raises(NotEnoughHistory, match="days of history"):
            make_model().fit(known.take(np.zeros(0, dtype=int)))

    @pytest.mark.parametrize(
        "sales",
        [
            pytest.param(np.random.default_rng(1).poisson(2.0, (5, 10)), id="ten days"),
            pytest.param(np.random.default_rng(1).poisson(2.0, (1, 120)), id="one series"),
            pytest.param(np.full((3, 120), 4), id="constant"),
            pytest.param(np.zeros((3, 120)), id="never a sale"),
            pytest.param(np.where(np.arange(360).reshape(3, 120) % 11 == 0, np.nan, 2.0), id="days unknown"),
            pytest.param(np.random.default_rng(1).poisson(2.0, (4, 1)), id="one day"),
        ],
    )
    def test_poor_histories_get_a_forecast_from_the_model_or_with_a_reason_from_the_fallback(
        self, make_model: MakeModel, sales: np.ndarray
    ) -> None:
        panel = shops.panel_of(sales)
        model, reason = fit_or_fall_back(make_model(), panel)
        assert bool(reason) == (type(model) is not type(make_model()))
        forecast = model.predict(GRID)
        assert np.isfinite(forecast.mean).all()
        assert (forecast.mean >= 0).all()
        assert (forecast.mean < 10 * np.nanmax(sales) * 7 + 1).all()
        assert forecast.paths([0], 5, seed=1).shape == (1, 5, GRID.horizon_days)
