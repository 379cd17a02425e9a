"""The judge scores everyone alike, by formulas that can be checked by hand, and lets nobody see the future."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from apps.forecasting.engine.backtest import (
    BANDS,
    Leak,
    backtest,
    inside_band,
    pinball,
    prove_no_leak,
    rolling_cutoffs,
    series_scale,
)
from apps.forecasting.engine.base import Floats, Grid, Panel
from apps.forecasting.engine.baselines import WindowMean
from apps.forecasting.engine.frames import FrameError
from apps.forecasting.engine.models import make
from apps.forecasting.engine.newcomers import with_newcomers
from tests.unit.forecasting import shops

MODELS = {name: partial(make, name) for name in ("weekday_mean", "eight_week_mean")}


class Peeking(WindowMean):
    """A model that keeps the panel it saw first, wherever it is told to stand: the leak that must be caught."""

    name = "peeking"

    def daily_mean(self, panel: Panel, days: int) -> Floats:
        everything = panel.y if panel.y.base is None else np.asarray(panel.y.base)
        return np.full((panel.n_series, days), np.nansum(everything[:, -1]), dtype=np.float32)


def test_metrics_are_those_of_the_formulas() -> None:
    panel = shops.panel(n_series=10, n_days=140)
    cutoff = panel.dates[-29]
    result = backtest(panel, {"eight_week_mean": MODELS["eight_week_mean"]}, [cutoff], Grid(28))
    known = panel.upto(cutoff)
    mean = WindowMean().fit(known).predict(Grid(28)).daily_mean.astype(float)
    actual = panel.sales[:, -28:].astype(float)
    whole = result.scores[result.scores["segment_kind"] == "all"].set_index("metric")["value"]
    assert whole["mse"] == pytest.approx(((actual - mean) ** 2).mean(), rel=1e-5)
    assert whole["rmse"] == pytest.approx(np.sqrt(((actual - mean) ** 2).mean()), rel=1e-5)
    assert whole["mae"] == pytest.approx(np.abs(actual - mean).mean(), rel=1e-5)
    assert whole["wape"] == pytest.approx(np.abs(actual - mean).sum() / actual.sum(), rel=1e-5)
    assert whole["bias"] == pytest.approx((mean - actual).sum() / actual.sum(), rel=1e-4)
    naive = np.abs(known.sales[:, 7:] - known.sales[:, :-7]).mean(axis=1)
    assert whole["mase"] == pytest.approx((np.abs(actual - mean).mean(axis=1) / naive).mean(), rel=1e-4)
    sums, foretold = actual[:, :14].sum(axis=1), mean[:, :14].sum(axis=1)
    assert whole["sum_wape"] == pytest.approx(np.abs(sums - foretold).sum() / sums.sum(), rel=1e-5)
    assert whole["series"] == 10
    by_category = result.scores.query("segment_kind == 'category' and metric == 'series'")["value"]
    assert by_category.sum() == 10
    assert set(result.scores.query("segment_kind == 'week'")["segment"]) == {"1", "2", "3", "4"}
    scale = [(np.diff(sold[np.flatnonzero(sold)[0] :]) ** 2).mean() for sold in known.sales.astype(float)]
    rmsse = np.sqrt(((actual - mean) ** 2).mean(axis=1) / scale)
    assert whole["rmsse"] == pytest.approx(rmsse.mean(), rel=1e-5)


def test_cells_of_money_and_steadiness_have_every_metric_and_split_all_series() -> None:
    panel = shops.panel(n_series=30, n_days=140)
    result = backtest(panel, MODELS, [panel.dates[-29]])
    one = result.scores[result.scores["model"] == "eight_week_mean"]
    cells = one[one["segment_kind"] == "abc_xyz"].pivot_table(index="segment", columns="metric", values="value")
    assert set(cells.index) == set(result.series["cell"]) <= {money + varied for money in "ABC" for varied in "XYZ"}
    assert {"coverage_50", "coverage_80", "coverage_95", "sum_wape", "rmsse", "crps"} <= set(cells)
    assert cells["series"].sum() == 30
    inside = result.series.query("model == 'eight_week_mean'").groupby("cell")["inside_80"].mean()
    assert cells["coverage_80"].to_numpy() == pytest.approx(inside[cells.index].to_numpy(), abs=1e-6)
    assert result.series["cell"].str[0].equals(result.series["abc"])


def test_days_on_promotion_stand_apart_from_the_others_and_both_make_up_the_whole() -> None:
    panel = shops.panel(n_series=30, n_days=140)
    cutoff = panel.dates[-29]
    result = backtest(panel, {"eight_week_mean": MODELS["eight_week_mean"]}, [cutoff])
    sold, mailed = panel.sales[:, -28:].astype(float), panel.covariates["mailer"][:, 112:140] > 0
    error = WindowMean().fit(panel.upto(cutoff)).predict(Grid(28)).daily_mean - sold
    apart = result.scores[result.scores["segment_kind"] == "promotion"].pivot_table(
        index="segment", columns="metric", values="value")
    for name, days in (("on promotion", mailed), ("other days", ~mailed)):
        assert apart.loc[name, "days"] == days.sum()
        assert apart.loc[name, "units"] == sold[days].sum()
        assert apart.loc[name, "wape"] == pytest.approx(np.abs(error[days]).sum() / sold[days].sum(), rel=1e-5)
        assert apart.loc[name, "bias"] == pytest.approx(error[days].sum() / sold[days].sum(), rel=1e-4)
    bias = apart["bias"].to_dict()
    assert bias["on promotion"] < -0.2 < bias["other days"], "what the mailer brings is missed"
    [[whole]] = result.table("wape").to_numpy()
    assert (apart["wape"] * apart["units"]).sum() / apart["units"].sum() == pytest.approx(whole, rel=1e-6)


def test_without_promotions_known_ahead_no_days_stand_apart() -> None:
    panel = shops.panel(n_series=5, n_days=112)
    result = backtest(panel.with_covariates(["display"]), MODELS, rolling_cutoffs(panel, 1))
    assert "promotion" not in set(result.scores["segment_kind"])


def test_errors_by_weekday_and_category_are_those_counted_one_by_one_and_add_up_to_the_whole() -> None:
    panel = shops.panel(n_series=11, n_days=150)
    available = panel.available.copy()
    available[2, 140:] = available[7, 133] = 0  # days that nothing is held against
    panel = replace(panel, available=available, y=np.where(available > 0, panel.y, np.nan))
    cutoffs = [panel.dates[-32], panel.dates[-15]]
    result = backtest(panel, MODELS, cutoffs, Grid(28))
    counted: dict[tuple[str, int], list[float]] = {}
    for cutoff in cutoffs:
        known = panel.upto(cutoff)
        foretold = with_newcomers(WindowMean().fit(known).predict(Grid(28)), known).daily_mean
        scored = result.series.query("model == 'eight_week_mean' and cutoff == @cutoff")["unique_id"]
        for row in np.flatnonzero(np.isin(panel.ids, scored.to_numpy(dtype=str))):
            for ahead, place in enumerate(range(known.n_days, min(known.n_days + 28, panel.n_days))):
                if available[row, place]:
                    cell = counted.setdefault(
                        (panel.labels("category")[row], pd.Timestamp(panel.dates[place]).dayofweek), [0.0] * 3)
                    off = float(foretold[row, ahead]) - float(panel.sales[row, place])
                    for order, value in enumerate((float(panel.sales[row, place]), abs(off), off)):
                        cell[order] += value
    own = result.by_weekday[result.by_weekday["model"] == "eight_week_mean"]
    found = own.groupby(["category", "weekday"])[["units", "absolute", "error"]].sum()
    assert set(found.index) == set(counted)
    expected = np.array([counted[str(category), int(day)] for category, day in found.index])
    assert found.to_numpy() == pytest.approx(expected, rel=1e-5, abs=1e-5)
    sums = result.by_weekday.groupby(["model", "cutoff"])[["units", "absolute", "error"]].sum()
    for metric, name in (("wape", "absolute"), ("bias", "error")):
        whole = (sums[name] / sums["units"]).unstack()
        assert whole.to_numpy() == pytest.approx(result.table(metric).loc[whole.index].to_numpy(), rel=1e-9)


def test_a_category_of_one_series_errs_by_weekday_as_the_series_does() -> None:
    panel = shops.panel(n_series=8, n_days=140)
    alone = replace(panel, static=panel.static.assign(category=panel.ids))
    result = backtest(alone, {"tsb": partial(make, "tsb")}, [panel.dates[-29]])
    one = result.by_weekday[result.by_weekday["category"] == panel.ids[3]]
    foretold = make("tsb").fit(panel.upto(panel.dates[-29])).predict(Grid(28)).daily_mean[3]
    off = (foretold - panel.sales[3, -28:]).reshape(4, 7)  # 140 days from a Monday on: the 28 begin with one
    assert one["weekday"].tolist() == list(range(7))
    assert one["absolute"].to_numpy() == pytest.approx(np.abs(off).sum(axis=0), rel=1e-5, abs=1e-6)
    assert one["error"].to_numpy() == pytest.approx(off.sum(axis=0), rel=1e-5, abs=1e-5)


def test_the_weeks_of_a_series_add_up_to_its_sum() -> None:
    panel = shops.panel(n_series=12, n_days=140)
    series = backtest(panel, MODELS, rolling_cutoffs(panel, 3)).series
    for kind in ("actual", "forecast"):
        both = series[f"{kind}_1"] + series[f"{kind}_2"]
        assert both.to_numpy() == pytest.approx(series[kind].to_numpy(), rel=1e-5)


def test_every_model_is_scored_at_every_cutoff_on_the_same_series() -> None:
    panel = shops.panel(n_series=8, n_days=140)
    cutoffs = rolling_cutoffs(panel, 4)
    result = backtest(panel, MODELS, cutoffs)
    assert result.cutoffs == sorted(result.cutoffs)
    assert len(result.cutoffs) == 4
    counts = result.series.groupby(["model", "cutoff"])["unique_id"].nunique()
    assert (counts == 8).all()
    assert len(counts) == 8
    assert result.table("sum_wape").shape == (2, 4)
    assert (result.seconds["fit_seconds"] >= 0).all()


def test_days_on_which_an_item_could_not_be_bought_are_not_held_against_a_forecast() -> None:
    sales, known = np.full((2, 84), 3.0), np.ones((2, 84))
    known[1, 75] = 0
    result = backtest(shops.panel_of(sales, known), MODELS, [shops.FIRST_DAY + np.timedelta64(69, "D")], Grid(14))
    assert set(result.series["unique_id"]) == {"item-000"}


def test_a_perfect_and_steady_forecast_has_no_error() -> None:
    panel = shops.panel_of(np.full((3, 84), 3.0))
    result = backtest(panel, MODELS, rolling_cutoffs(panel, 1), Grid(14))
    assert result.table("sum_wape").to_numpy() == pytest.approx(0.0, abs=1e-5)
    assert result.table("bias").to_numpy() == pytest.approx(0.0, abs=1e-5)
    rising = np.add.outer(np.arange(3.0), np.tile([2.0, 5.0, 5.0, 0.0, 1.0, 3.0, 8.0], 12))
    result = backtest(shops.panel_of(rising), {"weekday_mean": MODELS["weekday_mean"]}, rolling_cutoffs(panel, 1))
    for metric in ("rmsse", "wrmsse", "mase"):
        assert result.table(metric).to_numpy() == pytest.approx(0.0, abs=1e-5)
    assert 0 < result.table("crps").to_numpy() < 0.2, "a distribution that might have been another one is not perfect"


def test_errors_that_are_scaled_stay_the_same_in_other_units() -> None:
    panel = shops.panel(n_series=12, n_days=140)
    known = panel.available.copy()
    known[:3, 50:60] = 0
    sales = [backtest(shops.panel_of(factor * panel.sales, known), {"seasonal_naive": partial(make, "seasonal_naive")},
                      rolling_cutoffs(panel, 2)) for factor in (1, 12)]
    for metric in ("rmsse", "wrmsse"):
        once, dozens = (found.table(metric).to_numpy() for found in sales)
        assert (once > 0.5).all()
        assert dozens == pytest.approx(once, rel=1e-5)


def test_a_model_without_enough_history_is_noted_and_the_others_go_on() -> None:
    panel = shops.panel(n_series=4, n_days=68)
    result = backtest(panel, {"lightgbm": partial(make, "lightgbm"), **MODELS}, rolling_cutoffs(panel, 2))
    assert set(result.notes["model"]) == {"lightgbm"}
    assert "needs 56 days of history" in result.notes["note"].iloc[0]
    assert set(result.series["model"]) == set(MODELS)


def test_cutoffs_without_days_after_them_are_refused() -> None:
    panel = shops.panel(n_series=2, n_days=60)
    with pytest.raises(FrameError, match="do not leave 14 known days"):
        backtest(panel, MODELS, [panel.cutoff])
    with pytest.raises(FrameError, match="at least one cutoff"):
        backtest(panel, MODELS, [])
    assert rolling_cutoffs(shops.panel(n_series=1, n_days=30), 5) == []


def test_progress_never_falls_and_ends_at_one() -> None:
    told: list[float] = []
    panel = shops.panel(n_series=3, n_days=90)
    backtest(panel, MODELS, rolling_cutoffs(panel, 2), on_progress=lambda fraction, sentence: told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_leak_is_caught_and_an_honest_model_passes() -> None:
    panel = shops.panel(n_series=6, n_days=112)
    cutoff = panel.dates[-20]
    prove_no_leak(MODELS["eight_week_mean"], panel, cutoff)
    prove_no_leak(partial(make, "lightgbm", rounds=5, rows_in_leaf=5), panel, cutoff)
    with pytest.raises(Leak, match="peeking changed its mean"):
        prove_no_leak(Peeking, panel, cutoff)


def test_pinball_loss_by_hand() -> None:
    loss = pinball(np.array([10.0]), np.array([[8, 12]], dtype=np.int32), levels=(0.1, 0.9))
    assert loss[0] == pytest.approx((0.1 * 2 + 0.1 * 2) / 2)


@pytest.mark.parametrize("mean", [0.4, 3.0, 40.0])
def test_a_calibrated_forecast_covers_exactly_what_it_says_however_few_units(mean: float) -> None:
    stream = np.random.default_rng(1)
    size = 2.0
    sold = stream.negative_binomial(size, size / (size + mean), 60_000).astype(float)
    centre = np.full(60_000, mean)
    for band in BANDS:
        covered = inside_band(sold, centre, centre + centre**2 / size, band).mean()
        assert covered == pytest.approx(band, abs=0.01)


def test_a_series_scale_is_known_before_the_cutoff_and_at_least_one_unit() -> None:
    panel = shops.panel_of(np.stack([np.zeros(112), np.tile(np.repeat([0, 4], 14), 4)]))
    np.testing.assert_allclose(series_scale(panel), [1.0, 28.0])
