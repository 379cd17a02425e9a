"""Frames come in whole or are refused in one sentence, and a panel knows nothing later than its cutoff."""

import dataclasses
from functools import partial

import numpy as np
import pandas as pd
import pytest

from apps.forecasting.engine.backtest import backtest
from apps.forecasting.engine.base import PACE_DAYS, Grid, Panel
from apps.forecasting.engine.calendar import UnknownCountry, days_to_holiday, month_position, public_holidays, weekdays
from apps.forecasting.engine.dispersion import Dispersion, Traits
from apps.forecasting.engine.frames import FrameError, NotEnoughHistory
from apps.forecasting.engine.models import make
from apps.forecasting.engine.weekly import Lessons, kind_codes
from tests.unit.forecasting import shops

DAYS = pd.to_datetime(["2024-01-02", "2024-01-05", "2024-01-03"])
HISTORY = pd.DataFrame({"unique_id": ["a", "a", "b"], "ds": DAYS, "y": [2.0, 1.0, 4.0]})
FIRST_AND_LAST = HISTORY.index != 1


@pytest.mark.parametrize(
    ("history", "sentence"),
    [
        (HISTORY.drop(columns="y"), "The history frame lacks the column y."),
        (HISTORY.drop(columns="ds"), "The history frame lacks the column ds."),
        (HISTORY.assign(unique_id=HISTORY["unique_id"].where(FIRST_AND_LAST)), "has 1 rows without a unique_id."),
        (HISTORY.assign(ds=HISTORY["ds"].where(FIRST_AND_LAST)), "The history frame has 1 rows without a ds."),
        (HISTORY.assign(ds=["yesterday", "", "3"]), "The history frame has a ds that is not a date."),
        (HISTORY.assign(ds=HISTORY["ds"] + pd.Timedelta(hours=3)), "a time of day; give whole days."),
        (HISTORY.assign(ds=HISTORY["ds"].dt.tz_localize("UTC")), "a time zone; give the shop's own days"),
        (HISTORY.assign(y=["two", "1", "4"]), "The history frame has a y that is not a number."),
        (HISTORY.assign(y=[-1.0, 1, 4]), "The history frame has 1 rows with a y below zero."),
        (HISTORY.assign(y=[np.inf, 1, 4]), "The history frame has an infinite y."),
        (HISTORY.assign(available=[2.0, 1, 1]), "The history frame has an available outside 0 to 1."),
        (pd.concat([HISTORY, HISTORY[:1]]), "The history frame has 1 rows that repeat a unique_id and ds."),
    ],
)
def test_each_fault_of_a_history_has_its_sentence(history: pd.DataFrame, sentence: str) -> None:
    with pytest.raises(FrameError, match=sentence.replace("(", r"\(")) as refusal:
        Panel.from_frames(history)
    assert str(refusal.value).count(". ") == 0


def test_faults_of_the_other_frames_are_named_too() -> None:
    with pytest.raises(FrameError, match="static frame has 1 rows that repeat"):
        Panel.from_frames(HISTORY, pd.DataFrame({"unique_id": ["a", "a"]}))
    with pytest.raises(FrameError, match="covariates frame lacks the column mailer"):
        Panel.from_frames(HISTORY, None, HISTORY.rename(columns={"y": "display"}), known_ahead=["mailer"])
    with pytest.raises(FrameError, match="mailer cannot be known ahead"):
        Panel.from_frames(HISTORY, known_ahead=["mailer"])


def test_days_without_a_row_are_zeros_from_the_start_and_unknown_before_it() -> None:
    panel = Panel.from_frames(HISTORY)
    assert list(panel.ids) == ["a", "b"]
    assert panel.cutoff == np.datetime64("2024-01-05")
    np.testing.assert_array_equal(panel.y, [[2, 0, 0, 1], [np.nan, 4, 0, 0]])
    np.testing.assert_array_equal(panel.available, [[1, 1, 1, 1], [0, 1, 1, 1]])


def test_unavailable_days_are_unknown_and_never_zero() -> None:
    history = HISTORY.assign(available=[0.0, 0.5, np.nan])
    np.testing.assert_array_equal(Panel.from_frames(history).available[:, [0, 3]], [[0, 0.5], [0, 1]])
    assert np.isnan(Panel.from_frames(history).y[0, 0])
    assert np.isnan(Panel.from_frames(history.assign(y=[1.0, np.nan, 1])).y[0, 3])


def test_static_rows_are_the_series_sold_or_not() -> None:
    static = pd.DataFrame({"unique_id": ["c", "a"], "category": ["x", None], "start": ["2024-01-04", "2024-01-01"]})
    panel = Panel.from_frames(HISTORY, static)
    assert list(panel.ids) == ["a", "c"]
    assert list(panel.labels("category")) == ["", "x"]
    np.testing.assert_array_equal(panel.y[1], [np.nan, np.nan, 0, 0])


def test_an_empty_history_is_a_panel_of_no_days_that_says_so() -> None:
    panel = Panel.from_frames(HISTORY[:0])
    assert (panel.n_series, panel.n_days) == (0, 0)
    with pytest.raises(NotEnoughHistory):
        _ = panel.cutoff


def test_covariates_are_zero_where_absent_and_a_price_holds() -> None:
    told = pd.DataFrame(
        {"unique_id": "a", "ds": pd.to_datetime(["2024-01-03", "2024-01-06"]), "mailer": [0.5, 1], "price": [3.0, 9.0]}
    )
    panel = Panel.from_frames(HISTORY, None, told, known_ahead=["mailer"], grid=Grid(3))
    np.testing.assert_array_equal(panel.covariates["mailer"][0], [0, 0.5, 0, 0, 1, 0, 0])
    np.testing.assert_array_equal(panel.covariates["price"][0], [np.nan, 3, 3, 3, 0, 0, 0])


def test_a_panel_up_to_a_day_is_the_panel_that_was_built_on_that_day() -> None:
    grid = Grid(28)
    history, static, covariates = shops.frames(n_series=6, n_days=60)
    later = Panel.from_frames(history, static, covariates, known_ahead=["mailer"], cutoff="2024-02-29", grid=grid)
    then = Panel.from_frames(history, static, covariates, known_ahead=["mailer"], cutoff="2024-02-10", grid=grid)
    cut = later.upto("2024-02-10")
    np.testing.assert_array_equal(cut.y, then.y)
    np.testing.assert_array_equal(cut.dates, then.dates)
    for name in ("mailer", "display"):
        np.testing.assert_array_equal(cut.covariates[name], then.covariates[name])
    assert not cut.covariates["display"][:, cut.n_days :].any()
    with pytest.raises(FrameError):
        later.upto("2025-01-01")


def test_a_panel_cannot_be_written_to() -> None:
    panel = shops.panel(n_series=2, n_days=30)
    with pytest.raises(ValueError, match="read-only"):
        panel.y[0, 0] = 5


def test_a_plan_can_be_taken_away_or_only_its_future() -> None:
    panel = shops.panel(n_series=3, n_days=60)
    assert list(panel.with_covariates([]).covariates) == []
    past_only = panel.with_covariates(["mailer"], known_ahead=[])
    assert not past_only.covariates["mailer"][:, panel.n_days :].any()
    assert panel.covariates["mailer"][:, panel.n_days :].any()


def test_a_grid_covers_the_protection_period_in_whole_weeks() -> None:
    for protection_days in range(1, 183):
        grid = Grid.covering(protection_days)
        assert protection_days <= grid.horizon_days <= max(28, protection_days + 6)
        assert grid.steps.sum() == grid.horizon_days
        assert len(grid.steps) == grid.n_steps
    assert Grid.covering(1000).horizon_days == 26 * 7


def test_a_grid_adds_days_up_to_its_steps() -> None:
    grid = Grid(days=3, weeks=2)
    np.testing.assert_array_equal(
        grid.totals(np.arange(17, dtype=np.float32)[None, :]), [[0, 1, 2, sum(range(3, 10)), sum(range(10, 17))]]
    )
    np.testing.assert_array_equal(grid.starts, [1, 2, 3, 4, 11])


def test_the_calendar_agrees_with_pandas_and_knows_holidays_by_country() -> None:
    days = np.arange("2023-01-01", "2024-12-31", dtype="datetime64[D]")
    np.testing.assert_array_equal(weekdays(days), pd.DatetimeIndex(days).dayofweek)
    position = month_position(days)
    assert (position[pd.DatetimeIndex(days).day == 1] == 0).all()
    assert 0.9 < position.max() < 1
    christmas = np.array(["2024-12-24", "2024-12-25"], dtype="datetime64[D]")
    np.testing.assert_array_equal(public_holidays(christmas, "US"), [False, True])
    np.testing.assert_array_equal(public_holidays(christmas, None), [False, False])
    np.testing.assert_array_equal(days_to_holiday(christmas, "US"), [1, 0])
    with pytest.raises(UnknownCountry):
        public_holidays(christmas, "XX")


def test_a_series_is_asked_for_while_it_sells_at_the_pace_and_learned_from_for_half_a_year_after() -> None:
    """A unit a day, then nothing: 26 weeks hold a unit a week until 26 - 26/7 weeks after the last sale."""
    last_sale = 200
    sales = np.zeros((2, 600), dtype=np.float32)
    sales[0, :last_sale] = 1
    sales[1] = 1
    panel = dataclasses.replace(shops.panel_of(sales), pace=1.0)
    turns = [day for day in range(1, panel.n_days + 1) if panel.regular(day)[0]]
    assert turns == list(range(1, last_sale + PACE_DAYS - PACE_DAYS // 7 + 1))
    for days_ago in (0, 100, 250, 399):
        then = panel.before(days_ago)
        assert panel.regular(then.n_days).tolist() == then.regular().tolist(), "no later day changes who was asked for"
        assert then.lately_regular().tolist() == [then.n_days - 14 * 13 <= turns[-1], True]
    everyone = dataclasses.replace(panel, pace=0.0)
    assert everyone.regular().all(), "without a pace all are asked for"


def test_who_learns_from_survivors_alone_forecasts_too_much() -> None:
    """Items come and go: each week one in twenty ends for good, and a new one takes its place."""
    stream = np.random.default_rng(5)
    n_series, days = 6000, np.arange(300)[None, :]
    start = stream.integers(-300, 200, n_series)
    ends = start + 7 * stream.geometric(1 / 20, n_series)
    alive = (days >= start[:, None]) & (days < ends[:, None])
    rate = stream.gamma(2.0, 1.0, n_series)[:, None] / 7
    panel = dataclasses.replace(shops.panel_of(stream.poisson(rate * np.ones_like(days)) * alive), pace=1.0)
    known = panel.before(28)
    asked = known.regular()
    sold = panel.sales[asked, -28:].sum()

    def bias(learned: Panel) -> float:
        daily = make("ridge").fit(learned).predict(Grid(28)).daily_mean
        return float(daily[np.isin(learned.ids, known.ids[asked])].sum() / sold - 1)

    survivors = dataclasses.replace(known.take(asked), pace=0.0)
    assert bias(survivors) > 0.15
    assert abs(bias(known.take(known.lately_regular()))) < 0.1


@pytest.fixture(scope="module")
def paced() -> Panel:
    """A steady item, one that went quiet 100 days ago, one too slow all along, one that began 60 days ago."""
    sales = np.zeros((40, 300), dtype=np.float32)
    sales[:, ::2] = 1
    sales[1, 200:] = 0
    sales[2] = 0
    sales[2, ::50] = 1
    sales[3, :240] = 0
    return dataclasses.replace(shops.panel_of(sales), pace=2.2)


def test_the_judge_scores_who_was_forecast_at_each_cutoff(paced: Panel) -> None:
    cutoffs = [paced.dates[-1 - back] for back in (110, 28, 14)]
    result = backtest(paced, {"tsb": partial(make, "tsb")}, cutoffs)
    for cutoff in cutoffs:
        known = paced.upto(cutoff)
        scored = set(result.series.loc[result.series["cutoff"] == pd.Timestamp(cutoff), "unique_id"])
        assert scored == set(known.ids[known.regular()]), cutoff
    assert [paced.upto(cutoff).regular()[:4].tolist() for cutoff in cutoffs] == [
        [True, True, False, False], [True, False, False, False], [True, False, False, False]]  # fmt: skip


def test_lessons_hold_nobody_who_was_not_forecast_then(paced: Panel) -> None:
    everyone = dataclasses.replace(paced, pace=0.0)
    codes = kind_codes(paced)
    asked = sum(int(paced.regular(300 - 7 * back).sum()) * min(back, 4) for back in range(1, 27))
    kept = Lessons.of(paced, codes, 20, 1, "lightgbm")
    assert len(kept.units) == asked
    assert len(Lessons.of(everyone, codes, 20, 1, "lightgbm").units) > len(kept.units)


def test_tails_are_fitted_on_who_was_forecast_then(paced: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    usual = Dispersion.fit

    def fit(forecasts: np.ndarray, actuals: np.ndarray, own: Traits) -> Dispersion:
        seen.append(forecasts)
        return usual(forecasts, actuals, own)

    monkeypatch.setattr(Dispersion, "fit", fit)
    for name in ("tsb", "ridge"):
        seen.clear()
        make(name).fit(paced)
        [forecasts] = seen
        told = np.isfinite(forecasts).reshape(-1, 40)
        backs = [14 * place for place in range(1, len(told) + 1)] if name == "tsb" else [42, 28, 14]
        for row, back in zip(told, backs, strict=True):
            assert row.tolist() == paced.before(back).regular().tolist(), (name, back)
