"""What is saved of a forecast redraws it: the same means, bands and sample paths, for all series or for one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator

import numpy as np
import pytest

from apps.catalog.models import Item, Location
from apps.forecasting import selectors, services
from apps.forecasting.engine.explanation import USUAL, Explanation
from apps.forecasting.engine.forecast import Forecast
from apps.forecasting.engine.grid import Grid
from apps.forecasting.engine.reasons import PARTS
from apps.forecasting.models import ForecastRun, ItemBacktest, SeriesForecast
from apps.forecasting.services import ItemScores, Made
from apps.sales.selectors import COLUMN_OF_KIND, UNFORESEEN
from apps.tenants.scope import tenant_context
from tests.rows import make_row, make_tenant_row

AS_OF = dt.date(2017, 12, 4)
GRID = Grid(days=28, weeks=5)


@pytest.fixture
def scope(db: None) -> Generator[None]:
    with tenant_context(make_tenant_row().pk):
        yield


def some_forecast(n_items: int, seed: int = 3) -> Forecast:
    location = make_row(Location)
    items = [make_row(Item) for _ in range(n_items)]
    drawn = np.random.default_rng(seed)
    return Forecast(
        model="tsb", unique_ids=np.array([f"{item.pk}/{location.pk}" for item in items], dtype=np.str_),
        cutoff=np.datetime64("2017-12-03", "D"), grid=GRID,
        mean=drawn.gamma(1.0, 2.0, (n_items, GRID.n_steps)).astype(np.float32),
        level_variance=drawn.gamma(1.0, 0.3, n_items).astype(np.float32),
        day_dispersion=drawn.gamma(1.0, 0.5, n_items).astype(np.float32),
        weekday_profile=np.array([1.1, 0.9, 0.8, 1.0, 1.2, 1.3, 0.7], dtype=np.float32))


def saved(forecast: Forecast, as_of: dt.date = AS_OF, *, is_replay: bool = False) -> ForecastRun:
    return services.save_forecast(forecast=forecast, made=Made(as_of=as_of, data_fingerprint="f", is_replay=is_replay))


def test_a_saved_forecast_redraws_the_very_same_paths(scope: None) -> None:
    forecast = some_forecast(7)
    redrawn = selectors.demand_paths(saved(forecast))
    assert list(redrawn.unique_ids) == list(forecast.unique_ids)
    np.testing.assert_array_equal(redrawn.paths(np.arange(7), 50, days=42),
                                  forecast.paths(np.arange(7), 50, services.SEED, 42))
    np.testing.assert_array_equal(redrawn.forecast.daily_mean, forecast.daily_mean)


def test_one_item_alone_gives_the_paths_it_has_among_all(scope: None) -> None:
    forecast = some_forecast(5)
    run = saved(forecast)
    item_id = int(forecast.unique_ids[3].split("/")[0])
    alone = selectors.demand_paths(run, item_id)
    assert alone.forecast.n_series == 1
    np.testing.assert_array_equal(alone.paths([0], 20)[0], forecast.paths([3], 20, services.SEED)[0])


def test_an_items_forecast_has_the_engines_means_and_bands_step_by_step(scope: None) -> None:
    forecast = some_forecast(3)
    saved(forecast)
    [series] = selectors.item_forecast(int(forecast.unique_ids[1].split("/")[0])).series
    assert [step.mean for step in series.steps] == forecast.mean[1].astype(float).tolist()
    bands = forecast.quantiles(services.LEVELS)[1]
    assert [[step.quantiles[level] for level in services.LEVELS] for step in series.steps] == bands.tolist()
    assert [step.days for step in series.steps] == GRID.steps.tolist()
    assert series.steps[0].starts_on == AS_OF
    assert series.steps[28].starts_on == AS_OF + dt.timedelta(days=28)
    assert series.steps[29].starts_on == AS_OF + dt.timedelta(days=35)


def test_why_a_forecast_is_so_is_saved_with_it_and_adds_up_over_places(scope: None) -> None:
    forecast = some_forecast(3)
    parts = {"trend": np.array([1.0, -2.0, 0.5]), "mailer": np.array([0.0, 3.0, 0.25])}
    why = Explanation("tsb", forecast.unique_ids, 14, np.array([10.0, 20.0, 30.0]), parts)
    run = services.save_forecast(forecast=forecast, why=why, made=Made(as_of=AS_OF, data_fingerprint="f"))
    rows = list(SeriesForecast.objects.filter(run=run).order_by("pk"))
    told = selectors.why_of(run, rows)
    assert told == selectors.Why(AS_OF, 14, 60.0, {"trend": -0.5, "mailer": 3.25})
    assert told.total == 62.75
    assert selectors.why_of(run, rows[:1]) == selectors.Why(AS_OF, 14, 10.0, {"trend": 1.0, "mailer": 0.0})
    assert selectors.why_of(saved(forecast), list(SeriesForecast.objects.exclude(run=run))) is None


def test_an_item_outside_the_forecast_is_ordered_on_request(scope: None) -> None:
    assert not selectors.item_forecast(1).is_on_request, "without any forecast nothing is known"
    saved(some_forecast(1))
    assert selectors.item_forecast(make_row(Item).pk).is_on_request


def test_the_latest_run_is_of_the_latest_day_and_never_a_replay(scope: None) -> None:
    forecast = some_forecast(1)
    newest, older = saved(forecast), saved(forecast, AS_OF - dt.timedelta(days=7))
    saved(forecast, is_replay=True)
    assert selectors.latest_run() == newest
    assert selectors.latest_run(AS_OF - dt.timedelta(days=1)) == older
    assert selectors.runs(is_replay=True).count() == 1


def test_old_series_go_and_their_heads_stay(scope: None) -> None:
    forecast = some_forecast(2)
    old = saved(forecast, AS_OF - dt.timedelta(days=services.KEPT_DAYS + 1))
    saved(forecast)
    assert not SeriesForecast.objects.filter(run=old).exists()
    assert SeriesForecast.objects.count() == 2
    assert ForecastRun.objects.count() == 2


def test_a_forecast_of_nothing_is_a_run_without_series(scope: None) -> None:
    run = saved(some_forecast(0))
    assert run.series == 0
    assert selectors.demand_paths(run).paths([], 5).shape == (0, 5, GRID.horizon_days)


def test_a_backtest_keeps_its_items_and_says_nothing_where_nothing_was_measured(scope: None) -> None:
    ids = some_forecast(3).unique_ids
    backtest = services.save_backtest(
        as_of=AS_OF, champion="tsb", report={"scores": []}, verdict={},
        items=ItemScores(unique_ids=ids, actual=np.array([1.0, 2, 3]), champion_error=np.array([0.5, 1, 1.5]),
                         baseline_error=np.array([1.0, 1, 1]), covered_80=np.array([0.75, np.nan, 1])))
    rows = ItemBacktest.objects.filter(backtest=backtest).order_by("item_id")
    assert [row.covered_80 for row in rows] == [0.75, None, 1.0]
    assert [row.actual for row in rows] == [1.0, 2.0, 3.0]


def test_every_part_of_an_explanation_has_words_of_its_own() -> None:
    kinds = list(COLUMN_OF_KIND.values())
    names = [USUAL, *PARTS, *kinds, *(f"{kind}{UNFORESEEN}" for kind in kinds), "discount", "price"]
    told = [selectors.part_words(name) for name in names]
    assert all(meaning for _title, meaning in told)
    assert len({title for title, _meaning in told}) == len(names)
    assert selectors.part_words("mailer_unforeseen")[0] == "Mailer, unplanned"
    assert selectors.part_words("pay_day") == ("Pay day", "")
