"""The honest judge: every model at the same cutoffs, refitted at each, scored on what was sold after.

Metrics, over the series of a segment at one cutoff (a = sold, f = forecast mean):

per day        mse, rmse, mae, wape = sum|a - f| / sum a, bias = sum(f - a) / sum a, mase (mean of each series' mae over
               the mean absolute difference of its days one week apart, before the cutoff), rmsse (mean of each
               series' root mean squared scaled error) and, of all series, wrmsse (series, categories and their total,
               each level weighted by money); both as in the M5 competition, see hierarchy.py
sum_*          the same sums of the first `sum_days` days (the protection period): sum_wape, sum_bias, and
sum_pinball    the mean over LEVELS of the pinball loss of the sum's quantiles, as a share of units sold
scaled_pinball the mean over series of that loss divided by the series' scale: the root mean square of its own sums
               around their mean before the cutoff (never below the square root of one unit)
crps           the continuous ranked probability score of the sum's whole distribution, as a share of units sold
coverage_50 .. the share of sums inside the central 50, 80, 95 % band. Units are whole, so a sum on the edge of a band
               counts in part, by the nonrandomised PIT of Czado, Gneiting and Held (2009): a calibrated model scores
               0.50, 0.80, 0.95 however few units there are

Segments are all series, each category, each class of money (A to C), each cell of money and steadiness (AX to CZ), each
way of selling (smooth, erratic, intermittent, lumpy; young, of which nothing can be told); of days, each week of the
horizon and, where promotions are known ahead, the days `on promotion` and the `other days`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import Forecast, Forecaster, Grid, OnProgress, Panel, as_day, silent
from apps.forecasting.engine.calendar import weekdays
from apps.forecasting.engine.dispersion import SUM_DAYS
from apps.forecasting.engine.distribution import negative_binomial_below, negative_binomial_crps
from apps.forecasting.engine.frames import FrameError, NotEnoughHistory
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.hierarchy import Level, hierarchy, wrmsse
from apps.forecasting.engine.newcomers import with_newcomers
from apps.forecasting.engine.segments import abc_classes, demand_classes, money, promoted_days, xyz_classes
from apps.forecasting.engine.stages import run_stages

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
MakeModel = Callable[[], Forecaster]

LEVELS: Final = (0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995)
"""The quantile levels of the M5 uncertainty competition."""
BANDS: Final = (0.5, 0.8, 0.95)
SCALE_SUMS: Final = 13
"""Sums before the cutoff that a series' scale is taken from."""
EVERYTHING: Final = "all"
ON_PROMOTION, OTHER_DAYS = "on promotion", "other days"


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """What a backtest found.

    scores   model, cutoff, segment_kind (all, category, abc, abc_xyz, demand, week, promotion), segment, metric, value
    series   model, cutoff, unique_id, category, abc, cell, actual, forecast, variance, pinball, scale, money,
             inside_50/80/95: one row per series, of the sums over `sum_days` days, and actual_1, forecast_1, actual_2,
             ... of each whole week of them
    seconds  model, cutoff, fit_seconds, predict_seconds
    notes    model, cutoff, note: why a model was not scored at a cutoff
    sum_days days that the sums cover
    by_weekday  model, cutoff, category, weekday (Monday 0), units, absolute, error: what was sold, missed and foretold
             too high on all days of the horizon that are known; sums, so that any rows of them add up
    """

    scores: pd.DataFrame
    series: pd.DataFrame
    seconds: pd.DataFrame
    notes: pd.DataFrame
    sum_days: int
    by_weekday: pd.DataFrame = field(default_factory=lambda: _stack([], WEEKDAY_COLUMNS))

    def table(self, metric: str, segment_kind: str = EVERYTHING, segment: str = EVERYTHING) -> pd.DataFrame:
        """Return one metric as models (rows) by cutoffs (columns)."""
        picked = self.scores[
            (self.scores["metric"] == metric)
            & (self.scores["segment_kind"] == segment_kind)
            & (self.scores["segment"] == segment)
        ]
        return picked.pivot_table(index="model", columns=frames.CUTOFF, values="value", sort=False)

    @property
    def cutoffs(self) -> list[pd.Timestamp]:
        """The cutoffs that were scored, in order."""
        return sorted(pd.Timestamp(cutoff) for cutoff in self.series[frames.CUTOFF].unique())

    def merged(self, other: "BacktestResult") -> "BacktestResult":
        """Return both results as one: the same cutoffs for other models, or other cutoffs for the same."""
        if other.sum_days != self.sum_days:
            raise ValueError("Backtests over sums of different lengths cannot be merged.")
        return BacktestResult(
            scores=_stack([self.scores, other.scores], SCORE_COLUMNS),
            series=_stack([self.series, other.series], SERIES_COLUMNS),
            seconds=_stack([self.seconds, other.seconds], SECONDS_COLUMNS),
            notes=_stack([self.notes, other.notes], NOTE_COLUMNS),
            sum_days=self.sum_days,
            by_weekday=_stack([self.by_weekday, other.by_weekday], WEEKDAY_COLUMNS),
        )


SCORE_COLUMNS: Final = ["model", frames.CUTOFF, "segment_kind", "segment", "metric", "value"]
SERIES_COLUMNS: Final = [
    "model", frames.CUTOFF, frames.UNIQUE_ID, "category", "abc", "cell", "actual", "forecast", "variance", "pinball",
    "scale", "money",
    *(f"inside_{round(100 * band)}" for band in BANDS),
]  # fmt: skip
SECONDS_COLUMNS: Final = ["model", frames.CUTOFF, "fit_seconds", "predict_seconds"]
NOTE_COLUMNS: Final = ["model", frames.CUTOFF, "note"]
WEEKDAY_COLUMNS: Final[list[str]] = ["model", frames.CUTOFF, "category", "weekday", "units", "absolute", "error"]


def _stack(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Return parts one under the other; the columns alone where there is nothing."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))


def rolling_cutoffs(
    panel: Panel, n_cutoffs: int, *, step_days: int = SUM_DAYS, ahead_days: int = SUM_DAYS
) -> list[np.datetime64]:
    """Return up to `n_cutoffs` cutoffs, `step_days` apart, oldest first; the last leaves `ahead_days` to score on.

    A cutoff with less than four weeks of history before it is not among them.
    """
    backs = [ahead_days + step_days * place for place in range(n_cutoffs)]
    return [panel.dates[-1 - back] for back in reversed(backs) if panel.n_days - back >= 4 * WEEK]


def backtest(
    panel: Panel,
    models: Mapping[str, MakeModel],
    cutoffs: Sequence[Any],
    grid: Grid | None = None,
    *,
    sum_days: int = SUM_DAYS,
    workers: int = 1,
    on_progress: OnProgress = silent,
) -> BacktestResult:
    """Fit and score every model at every cutoff.

    panel    the whole history; days after a cutoff are used to score and for nothing else
    models   name -> a callable that returns a new model; the order is that of running, cheapest first
    cutoffs  last known days, each with at least `sum_days` days of history after it (FrameError otherwise)
    grid     default 28 days; days beyond the history are not scored
    workers  how many fits run at once; the result does not depend on it. Models that have to run alone do

    A model that has too little history at a cutoff is noted and left out there; `on_progress` may raise to cancel.
    """
    grid = grid or Grid(days=max(28, sum_days))
    days = sorted({as_day(cutoff) for cutoff in cutoffs})
    if not days:
        raise FrameError("A backtest needs at least one cutoff.")
    last = panel.cutoff - np.timedelta64(sum_days, "D")
    late = [str(day) for day in days if day > last or day < panel.dates[0]]
    if late:
        raise FrameError(f"The cutoffs {', '.join(late)} do not leave {sum_days} known days after them.")

    truths: dict[np.datetime64, _Truth] = {}

    def truth(known: Panel) -> _Truth:  # the same for every model; two that ask at once get the first one's
        return truths.get(known.cutoff) or truths.setdefault(known.cutoff, _Truth.of(panel, known, grid, sum_days))

    def stage(name: str, day: np.datetime64) -> Callable[[OnProgress], _Stage]:
        return lambda told: _backtest_one(panel.upto(day), name, models[name], grid, truth, told)

    if any(make().runs_alone for make in models.values()):
        workers = 1
    stages = run_stages([stage(name, day) for name in models for day in days], workers, on_progress)
    on_progress(1.0, f"{len(stages)} backtests done")
    return BacktestResult(
        scores=_stack([found.scores for found in stages if found.scores is not None], SCORE_COLUMNS),
        series=_stack([found.series for found in stages if found.series is not None], SERIES_COLUMNS),
        seconds=pd.DataFrame([found.seconds for found in stages if found.seconds], columns=SECONDS_COLUMNS),
        notes=pd.DataFrame([found.note for found in stages if found.note], columns=NOTE_COLUMNS),
        sum_days=sum_days,
        by_weekday=_stack([found.by_weekday for found in stages if found.by_weekday is not None], WEEKDAY_COLUMNS),
    )


@dataclass(frozen=True, eq=False)
class _Stage:
    """One model at one cutoff: its rows of the result, or the note that says why there are none."""

    scores: pd.DataFrame | None = None
    series: pd.DataFrame | None = None
    by_weekday: pd.DataFrame | None = None
    seconds: tuple[Any, ...] = ()
    note: tuple[Any, ...] = ()


def _backtest_one(
    known: Panel,
    name: str,
    make_model: MakeModel,
    grid: Grid,
    truth: Callable[[Panel], "_Truth"],
    on_progress: OnProgress,
) -> _Stage:
    """Fit one model on what was known, forecast, and score."""
    stamp = pd.Timestamp(known.cutoff)
    told = f"{known.n_series} series as known on {stamp:%-d %b %Y}"
    on_progress(0.0, f"{name}: {told}" if name else told)
    try:
        began = perf_counter()
        model = make_model().fit(known, on_progress)
        fitted = perf_counter()
        forecast = with_newcomers(model.predict(grid), known)
        done = perf_counter()
    except NotEnoughHistory as reason:
        return _Stage(note=(name, stamp, str(reason)))
    scored = _Scored(truth(known), forecast)
    return _Stage(
        scores=scored.scores(name, stamp),
        series=scored.series(name, stamp),
        by_weekday=scored.by_weekday(name, stamp),
        seconds=(name, stamp, fitted - began, done - fitted),
    )


def series_scale(known: Panel, sum_days: int = SUM_DAYS) -> Doubles:
    """Return each series' scale [n]: how far its sums over `sum_days` days strayed from their mean, before the cutoff.

    The root mean square over up to 13 sums, never below the Poisson's for the series' mean nor below one unit.
    """
    count = min(SCALE_SUMS, known.n_days // sum_days)
    if not count:
        return np.ones(known.n_series)
    sums = known.sales[:, known.n_days - count * sum_days :].reshape(known.n_series, count, sum_days)
    sums = sums.sum(axis=2, dtype=np.float64)
    mean = sums.mean(axis=1)
    scale: Doubles = np.sqrt(np.maximum(np.maximum(sums.var(axis=1), mean), 1.0))
    return scale


def pinball(actual: Doubles, quantiles: NDArray[np.int32], levels: Sequence[float] = LEVELS) -> Doubles:
    """Return the pinball loss of quantiles [n, Q] against `actual` [n], averaged over levels [n]."""
    level = np.asarray(levels)
    short = actual[:, None] - quantiles
    loss: Doubles = np.maximum(level * short, (level - 1.0) * short).mean(axis=1)
    return loss


def inside_band(actual: Doubles, mean: Doubles, variance: Doubles, band: float) -> Doubles:
    """Return how much of each sum [n] lies in the central band, 0 to 1: the PIT's mass of that sum inside it."""
    return _inside(*_reached(actual, mean, variance), band)


def _reached(actual: Doubles, mean: Doubles, variance: Doubles) -> tuple[Doubles, Doubles]:
    """Return the probability of less than each sum, and that of the sum itself, [n] each."""
    below = negative_binomial_below(actual - 1, mean, variance)
    return below, np.maximum(negative_binomial_below(actual, mean, variance) - below, 1e-12)


def _inside(below: Doubles, mass: Doubles, band: float) -> Doubles:
    low, high = (1 - band) / 2, (1 + band) / 2
    return np.clip((np.minimum(below + mass, high) - np.maximum(below, low)) / mass, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class _Truth:
    """What was sold after a cutoff, and what was known of it before: the same for every model.

    Of the n series that were forecast at the cutoff (`Panel.regular`) and whose first `sum_days` days are known, in the
    panel's order.

    rows       [n] positions in the panel
    ids        [n] text
    known      [n, H] whether the day is known
    promoted   [n, H] whether there was a promotion that was known ahead
    actual     [n, H] units sold, 0 where unknown
    scale      [n] see `series_scale`
    naive      [n] see `_weekly_difference`
    money      [n] of the last 26 weeks
    category, abc, cell, demand  [n] text
    hierarchy  series, categories, total; none where n is 0
    """

    sum_days: int
    rows: NDArray[np.int64]
    ids: NDArray[np.str_]
    known: Bools
    promoted: Bools
    actual: Doubles
    scale: Doubles
    naive: Doubles
    money: Doubles
    category: NDArray[np.str_]
    abc: NDArray[np.str_]
    demand: NDArray[np.str_]
    cell: NDArray[np.str_]
    hierarchy: tuple[Level, ...]

    @classmethod
    def of(cls, panel: Panel, known: Panel, grid: Grid, sum_days: int) -> "_Truth":
        first = known.n_days
        days = slice(first, first + min(grid.horizon_days, panel.n_days - first))
        is_known = panel.available[:, days] == 1
        rows = np.flatnonzero(known.regular() & is_known[:, :sum_days].all(axis=1))
        before = known.take(rows)
        earned, category = money(before), before.labels(frames.CATEGORY)
        abc = abc_classes(earned)
        return cls(
            sum_days=sum_days,
            rows=rows,
            ids=before.ids,
            known=is_known[rows],
            promoted=promoted_days(panel, days)[rows],
            actual=panel.sales[rows, days].astype(np.float64),
            scale=series_scale(before, sum_days),
            naive=_weekly_difference(before),
            money=earned,
            category=category,
            abc=abc,
            demand=demand_classes(before),
            cell=np.char.add(abc, xyz_classes(before)),
            hierarchy=hierarchy(before.sales, before.available > 0, earned, [category]),
        )


class _Scored:
    """One forecast beside what was sold."""

    def __init__(self, truth: _Truth, forecast: Forecast) -> None:
        self.truth = truth
        days, sum_days = truth.known.shape[1], truth.sum_days
        picked = forecast.take(truth.rows)
        self.mean = picked.daily_mean[:, :days].astype(np.float64)
        self.error = np.where(truth.known, self.mean - truth.actual, 0.0)
        self.sum_actual = truth.actual[:, :sum_days].sum(axis=1)
        self.sum_mean = picked.sum_mean(sum_days)
        self.sum_variance = variance = picked.variance_of(self.sum_mean)
        self.pinball = pinball(self.sum_actual, picked.sum_quantiles(LEVELS, sum_days))
        self.crps = negative_binomial_crps(self.sum_actual, self.sum_mean, variance)
        reached = _reached(self.sum_actual, self.sum_mean, variance)
        self.inside = {band: _inside(*reached, band) for band in BANDS}

    def series(self, model: str, cutoff: pd.Timestamp) -> pd.DataFrame:
        columns: dict[str, Any] = {
            "model": model,
            frames.CUTOFF: cutoff,
            frames.UNIQUE_ID: self.truth.ids,
            "category": self.truth.category,
            "abc": self.truth.abc,
            "cell": self.truth.cell,
            "actual": self.sum_actual.astype(np.float32),
            "forecast": self.sum_mean.astype(np.float32),
            "variance": self.sum_variance.astype(np.float32),
            "pinball": self.pinball.astype(np.float32),
            "scale": self.truth.scale.astype(np.float32),
            "money": self.truth.money.astype(np.float32),
        }
        columns |= {f"inside_{round(100 * band)}": share.astype(np.float32) for band, share in self.inside.items()}
        for week in range(self.truth.sum_days // WEEK):
            days = slice(week * WEEK, (week + 1) * WEEK)
            columns[f"actual_{week + 1}"] = self.truth.actual[:, days].sum(axis=1).astype(np.float32)
            columns[f"forecast_{week + 1}"] = self.mean[:, days].sum(axis=1).astype(np.float32)
        return pd.DataFrame(columns)

    def by_weekday(self, model: str, cutoff: pd.Timestamp) -> pd.DataFrame:
        """Return units sold, missed and foretold too high of each category on each weekday, in WEEKDAY_COLUMNS."""
        ahead = np.datetime64(cutoff, "D") + np.arange(1, self.error.shape[1] + 1)
        is_weekday = (weekdays(ahead)[:, None] == np.arange(WEEK)).astype(np.float64)  # [H, 7]
        categories, place = np.unique(self.truth.category, return_inverse=True)
        found = {"category": np.repeat(categories, WEEK), "weekday": np.tile(np.arange(WEEK), len(categories))}
        for name, values in (("units", self.truth.actual), ("absolute", np.abs(self.error)), ("error", self.error)):
            total = np.zeros((len(categories), WEEK))
            np.add.at(total, place, np.where(self.truth.known, values, 0.0) @ is_weekday)
            found[name] = total.reshape(-1)
        table = pd.DataFrame(found)
        table.insert(0, "model", model)
        table.insert(1, frames.CUTOFF, cutoff)
        return table

    def scores(self, model: str, cutoff: pd.Timestamp) -> pd.DataFrame:
        """Return the metrics of every segment."""
        by_day = pd.concat({"week": self._by_week(), "promotion": self._by_promotion()})
        scores = _tidy(pd.concat([self._by_group(), by_day]))
        scores.insert(0, "model", model)
        scores.insert(1, frames.CUTOFF, cutoff)
        return scores

    def _per_series(self) -> pd.DataFrame:
        """Return what metrics are made of: a row for each series, to be added up."""
        truth = self.truth
        absolute, days = np.abs(self.error).sum(axis=1), truth.known.sum(axis=1)
        naive = days * truth.naive
        sum_error = self.sum_mean - self.sum_actual
        rmsse = self._rmsse()
        return pd.DataFrame({
            "squared": (self.error**2).sum(axis=1),
            "absolute": absolute,
            "error": self.error.sum(axis=1),
            "days": days,
            "units": np.where(truth.known, truth.actual, 0.0).sum(axis=1),
            "mase": np.divide(absolute, naive, out=np.zeros_like(absolute), where=naive > 0),
            "has_mase": (truth.naive > 0).astype(np.float64),
            "rmsse": np.nan_to_num(rmsse),
            "has_rmsse": np.isfinite(rmsse).astype(np.float64),
            "sum_absolute": np.abs(sum_error),
            "sum_error": sum_error,
            "sum_units": self.sum_actual,
            "pinball": self.pinball,
            "scaled": self.pinball / truth.scale,
            "crps": self.crps,
            "count": np.ones(len(truth.ids)),
        } | {f"inside_{round(100 * band)}": share for band, share in self.inside.items()})  # fmt: skip

    def _rmsse(self) -> Doubles:
        series = self.truth.hierarchy[:1]
        return series[0].rmsse(self.error, self.truth.known) if series else np.zeros(0)

    def _by_group(self) -> pd.DataFrame:
        """Return the metrics of all series, of each category, class and cell."""
        truth, per_series = self.truth, self._per_series()
        labels = {
            EVERYTHING: np.full(len(truth.ids), EVERYTHING),
            "category": truth.category,
            "abc": truth.abc,
            "abc_xyz": truth.cell,
            "demand": truth.demand,
        }
        total = pd.concat({kind: per_series.groupby(each).sum() for kind, each in labels.items()})
        sold, sum_sold = total["units"].where(total["units"] > 0), total["sum_units"].where(total["sum_units"] > 0)
        metrics = pd.DataFrame(
            {
                "series": total["count"],
                "units": total["sum_units"],
                "mse": total["squared"] / total["days"],
                "rmse": np.sqrt(total["squared"] / total["days"]),
                "mae": total["absolute"] / total["days"],
                "wape": total["absolute"] / sold,
                "bias": total["error"] / sold,
                "mase": total["mase"] / total["has_mase"].where(total["has_mase"] > 0),
                "rmsse": total["rmsse"] / total["has_rmsse"].where(total["has_rmsse"] > 0),
                "sum_wape": total["sum_absolute"] / sum_sold,
                "sum_bias": total["sum_error"] / sum_sold,
                "sum_pinball": total["pinball"] / sum_sold,
                "scaled_pinball": total["scaled"] / total["count"],
                "crps": total["crps"] / sum_sold,
            }
            | {
                f"coverage_{round(100 * band)}": total[f"inside_{round(100 * band)}"] / total["count"]
                for band in BANDS
            }
        )
        of_all = metrics.index.get_level_values(0) == EVERYTHING
        metrics["wrmsse"] = np.where(of_all, wrmsse(truth.hierarchy, self.error, truth.known), np.nan)
        return metrics

    def _by_promotion(self) -> pd.DataFrame:
        """Return wape and bias by the day, apart for days with a promotion; nothing where there are no such days."""
        truth = self.truth
        days = {ON_PROMOTION: truth.known & truth.promoted, OTHER_DAYS: truth.known & ~truth.promoted}
        absolute, metrics = np.abs(self.error), {}
        for name, chosen in days.items() if days[ON_PROMOTION].any() else ():
            units = float(truth.actual[chosen].sum())
            sold = units if units > 0 else np.nan
            metrics[name] = {
                "days": float(chosen.sum()),
                "units": units,
                "wape": float(absolute[chosen].sum()) / sold,
                "bias": float(self.error[chosen].sum()) / sold,
            }
        return pd.DataFrame.from_dict(metrics, orient="index")

    def _by_week(self) -> pd.DataFrame:
        """Return wape and bias of each whole week of the horizon, as sums over that week."""
        weeks = self.truth.actual.shape[1] // WEEK
        shape = (len(self.truth.ids), weeks, WEEK)
        known = self.truth.known[:, : weeks * WEEK].reshape(shape).all(axis=2)
        actual = self.truth.actual[:, : weeks * WEEK].reshape(shape).sum(axis=2) * known
        error = self.mean[:, : weeks * WEEK].reshape(shape).sum(axis=2) * known - actual
        units = np.maximum(actual.sum(axis=0), 1e-12)
        metrics = pd.DataFrame(
            {"wape": np.abs(error).sum(axis=0) / units, "bias": error.sum(axis=0) / units},
            index=[str(week) for week in range(1, weeks + 1)],
        )
        some = np.flatnonzero(actual.sum(axis=0) > 0)
        return metrics.iloc[some]


def _tidy(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return segment_kind, segment, metric, value from a table of both by metrics; undefined values left out."""
    keys = ["segment_kind", "segment"]
    tidy = metrics.rename_axis(keys).reset_index().melt(id_vars=keys, var_name="metric")
    return tidy.dropna(subset=["value"]).reset_index(drop=True)


def _weekly_difference(known: Panel) -> Doubles:
    """Return the mean absolute difference of days one week apart [n]: the denominator of MASE."""
    if known.n_days <= WEEK:
        return np.zeros(known.n_series)
    both = (known.available[:, WEEK:] > 0) & (known.available[:, :-WEEK] > 0)
    difference = np.abs(known.sales[:, WEEK:] - known.sales[:, :-WEEK]) * both
    mean: Doubles = difference.sum(axis=1, dtype=np.float64) / np.maximum(both.sum(axis=1), 1)
    return mean


class Leak(AssertionError):
    """A forecast changed when only the days after its cutoff did."""


def poisoned(panel: Panel, cutoff: Any, seed: int = 13) -> Panel:
    """Return the panel with everything that cannot be known at `cutoff` replaced by noise.

    Sales, availability, sold-out days and past-only covariates after the cutoff are replaced; what came before,
    covariates known ahead and the kinds of items stay.
    """
    kept = int((as_day(cutoff) - panel.dates[0]).astype(np.int64)) + 1
    noise = np.random.default_rng(seed)
    y, available = panel.y.copy(), panel.available.copy()
    later = (panel.n_series, panel.n_days - kept)
    available[:, kept:] = noise.integers(0, 2, later)
    y[:, kept:] = np.where(available[:, kept:] > 0, noise.poisson(1000.0, later), np.nan)
    bounds = panel.sold_out
    if bounds is not None:
        bounds = bounds.copy()
        bounds[:, kept:] = np.where(noise.random(later) < 0.5, y[:, kept:], np.nan)
    covariates = {}
    for name, values in panel.covariates.items():
        changed = values.copy()
        if name not in panel.known_ahead:
            words = len(panel.categories.get(name, ()))
            changed[:, kept : panel.n_days] = noise.integers(0, words, later) if words else noise.random(later)
        covariates[name] = changed
    return replace(panel, y=y, available=available, covariates=covariates, sold_out=bounds)


def prove_no_leak(make_model: MakeModel, panel: Panel, cutoff: Any, grid: Grid | None = None) -> None:
    """Raise Leak unless a model's forecast from `cutoff` stays the same to the last bit when the future is poisoned.

    Two models are made, fitted and asked: one on the panel, one on its poisoned copy, each as known at the cutoff.
    """
    grid = grid or Grid()
    seen, unseen = panel.upto(cutoff), poisoned(panel, cutoff).upto(cutoff)
    clean = with_newcomers(make_model().fit(seen).predict(grid), seen)
    blind = with_newcomers(make_model().fit(unseen).predict(grid), unseen)
    for part in ("mean", "level_variance", "day_dispersion", "weekday_profile"):
        if getattr(clean, part).tobytes() != getattr(blind, part).tobytes():
            raise Leak(f"{clean.model} changed its {part} at {as_day(cutoff)} with what happened later.")
