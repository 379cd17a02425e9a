"""The honest judge: every model at the same cutoffs, refitted at each, scored on what was sold after.

Metrics, over the series of a segment at one cutoff (a = sold, f = forecast mean):

per day        mse, rmse, mae, wape = sum|a - f| / sum a, bias = sum(f - a) / sum a, mase (mean of each series' mae over
               the mean absolute difference of its days one week apart, before the cutoff)
sum_*          the same sums of the first `sum_days` days (the protection period): sum_wape, sum_bias, and
sum_pinball    the mean over LEVELS of the pinball loss of the sum's quantiles, as a share of units sold
scaled_pinball the mean over series of that loss divided by the series' scale: the root mean square of its own sums
               around their mean before the cutoff (never below the square root of one unit)
coverage_50 .. the share of sums inside the central 50, 80, 95 % band. Units are whole, so a sum on the edge of a band
               counts in part, by the nonrandomised PIT of Czado, Gneiting and Held (2009): a calibrated model scores
               0.50, 0.80, 0.95 however few units there are
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import Forecast, Forecaster, Grid, OnProgress, Panel, as_day, silent
from apps.forecasting.engine.dispersion import SUM_DAYS
from apps.forecasting.engine.distribution import negative_binomial_below
from apps.forecasting.engine.frames import FrameError, NotEnoughHistory
from apps.forecasting.engine.grid import WEEK
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
ABC_SHARES: Final = (0.8, 0.95)
"""Class A makes up the first 80 % of money, B the next 15 %, C the rest."""
MONEY_WEEKS: Final = 26
EVERYTHING: Final = "all"


@dataclass(frozen=True, eq=False)
class BacktestResult:
    """What a backtest found.

    scores   model, cutoff, segment_kind (all, category, abc, week), segment, metric, value
    series   model, cutoff, unique_id, category, abc, actual, forecast, pinball, scale, money, inside_50/80/95:
             one row per series, of the sums over `sum_days` days
    seconds  model, cutoff, fit_seconds, predict_seconds
    notes    model, cutoff, note: why a model was not scored at a cutoff
    sum_days days that the sums cover
    """

    scores: pd.DataFrame
    series: pd.DataFrame
    seconds: pd.DataFrame
    notes: pd.DataFrame
    sum_days: int

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
        )


SCORE_COLUMNS: Final = ["model", frames.CUTOFF, "segment_kind", "segment", "metric", "value"]
SERIES_COLUMNS: Final = [
    "model", frames.CUTOFF, frames.UNIQUE_ID, "category", "abc", "actual", "forecast", "pinball", "scale", "money",
    *(f"inside_{round(100 * band)}" for band in BANDS),
]  # fmt: skip
SECONDS_COLUMNS: Final = ["model", frames.CUTOFF, "fit_seconds", "predict_seconds"]
NOTE_COLUMNS: Final = ["model", frames.CUTOFF, "note"]


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

    def stage(name: str, day: np.datetime64) -> Callable[[OnProgress], _Stage]:
        return lambda told: _backtest_one(panel, name, models[name], day, grid, sum_days, told)

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
    )


@dataclass(frozen=True, eq=False)
class _Stage:
    """One model at one cutoff: its rows of the result, or the note that says why there are none."""

    scores: pd.DataFrame | None = None
    series: pd.DataFrame | None = None
    seconds: tuple[Any, ...] = ()
    note: tuple[Any, ...] = ()


def _backtest_one(
    panel: Panel,
    name: str,
    make_model: MakeModel,
    day: np.datetime64,
    grid: Grid,
    sum_days: int,
    on_progress: OnProgress,
) -> _Stage:
    """Fit one model on what was known on `day`, forecast, and score."""
    known = panel.upto(day)
    stamp = pd.Timestamp(day)
    on_sale = np.asarray(known.available.any(axis=1))
    told = f"{known.n_series} series as known on {stamp:%-d %b %Y}"
    on_progress(0.0, f"{name}: {told}" if name else told)
    try:
        began = perf_counter()
        model = make_model().fit(known, on_progress)
        fitted = perf_counter()
        forecast = model.predict(grid)
        done = perf_counter()
    except NotEnoughHistory as reason:
        return _Stage(note=(name, stamp, str(reason)))
    scored = _Scored(panel, known, forecast, on_sale, sum_days)
    return _Stage(
        scores=scored.scores(name, stamp),
        series=scored.series(name, stamp),
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


def abc_classes(money: Doubles) -> NDArray[np.str_]:
    """Return A, B or C for each series [n] by its share of money, the largest first."""
    order = np.argsort(-money, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(money[order])[:-1]]) / max(float(money.sum()), 1e-12)
    classes = np.empty(len(money), dtype="<U1")
    classes[order] = np.where(before < ABC_SHARES[0], "A", np.where(before < ABC_SHARES[1], "B", "C"))
    return classes


def pinball(actual: Doubles, quantiles: NDArray[np.int32], levels: Sequence[float] = LEVELS) -> Doubles:
    """Return the pinball loss of quantiles [n, Q] against `actual` [n], averaged over levels [n]."""
    level = np.asarray(levels)
    short = actual[:, None] - quantiles
    loss: Doubles = np.maximum(level * short, (level - 1.0) * short).mean(axis=1)
    return loss


def inside_band(actual: Doubles, mean: Doubles, variance: Doubles, band: float) -> Doubles:
    """Return how much of each sum [n] lies in the central band, 0 to 1: the PIT's mass of that sum inside it."""
    below = negative_binomial_below(actual - 1, mean, variance)
    mass = np.maximum(negative_binomial_below(actual, mean, variance) - below, 1e-12)
    low, high = (1 - band) / 2, (1 + band) / 2
    return np.clip((np.minimum(below + mass, high) - np.maximum(below, low)) / mass, 0.0, 1.0)


class _Scored:
    """One forecast beside what was sold."""

    def __init__(self, panel: Panel, known: Panel, forecast: Forecast, on_sale: Bools, sum_days: int) -> None:
        rows = np.flatnonzero(on_sale)
        first = known.n_days
        days = min(forecast.grid.horizon_days, panel.n_days - first)
        available = panel.available[rows, first : first + days]
        whole_sum = (available[:, :sum_days] == 1).all(axis=1)
        rows, available = rows[whole_sum], available[whole_sum]
        self.ids = known.ids[rows]
        self.known_day = available == 1
        self.actual = panel.sales[rows, first : first + days].astype(np.float64)
        self.mean = forecast.daily_mean[rows, :days].astype(np.float64)
        picked = forecast.take(rows)
        self.sum_actual = self.actual[:, :sum_days].sum(axis=1)
        self.sum_mean = picked.sum_mean(sum_days)
        variance = picked.variance_of(self.sum_mean)
        self.pinball = pinball(self.sum_actual, picked.sum_quantiles(LEVELS, sum_days))
        self.inside = {band: inside_band(self.sum_actual, self.sum_mean, variance, band) for band in BANDS}
        before = known.take(rows)
        self.scale = series_scale(before, sum_days)
        self.naive = _weekly_difference(before)
        recent = before.sales[:, -MONEY_WEEKS * WEEK :].sum(axis=1, dtype=np.float64)
        self.money = recent * np.nan_to_num(before.prices(), nan=1.0)
        self.category = before.labels(frames.CATEGORY)
        self.abc = abc_classes(self.money)

    def series(self, model: str, cutoff: pd.Timestamp) -> pd.DataFrame:
        columns: dict[str, Any] = {
            "model": model,
            frames.CUTOFF: cutoff,
            frames.UNIQUE_ID: self.ids,
            "category": self.category,
            "abc": self.abc,
            "actual": self.sum_actual.astype(np.float32),
            "forecast": self.sum_mean.astype(np.float32),
            "pinball": self.pinball.astype(np.float32),
            "scale": self.scale.astype(np.float32),
            "money": self.money.astype(np.float32),
        }
        columns |= {f"inside_{round(100 * band)}": share.astype(np.float32) for band, share in self.inside.items()}
        return pd.DataFrame(columns)

    def scores(self, model: str, cutoff: pd.Timestamp) -> pd.DataFrame:
        """Return the metrics of all series, of each category, of each ABC class, and of each week of the horizon."""
        everyone = np.full(len(self.ids), EVERYTHING)
        parts = [
            self._by_group("all", everyone),
            self._by_group("category", self.category),
            self._by_group("abc", self.abc),
            self._by_week(),
        ]
        scores = pd.concat(parts, ignore_index=True)
        scores.insert(0, "model", model)
        scores.insert(1, frames.CUTOFF, cutoff)
        return scores

    def _by_group(self, kind: str, labels: NDArray[np.str_]) -> pd.DataFrame:
        error = np.where(self.known_day, self.mean - self.actual, 0.0)
        absolute, squared = np.abs(error).sum(axis=1), (error**2).sum(axis=1)
        days = self.known_day.sum(axis=1)
        sum_error = self.sum_mean - self.sum_actual
        per_series = {
            "squared": squared,
            "absolute": absolute,
            "error": error.sum(axis=1),
            "days": days,
            "units": np.where(self.known_day, self.actual, 0.0).sum(axis=1),
            "mase": np.divide(absolute, days * self.naive, out=np.zeros_like(absolute), where=days * self.naive > 0),
            "has_mase": (self.naive > 0).astype(np.float64),
            "sum_absolute": np.abs(sum_error),
            "sum_error": sum_error,
            "sum_units": self.sum_actual,
            "pinball": self.pinball,
            "scaled": self.pinball / self.scale,
            "count": np.ones(len(self.ids)),
        } | {f"inside_{round(100 * band)}": share for band, share in self.inside.items()}
        total = pd.DataFrame(per_series).groupby(labels).sum()
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
                "sum_wape": total["sum_absolute"] / sum_sold,
                "sum_bias": total["sum_error"] / sum_sold,
                "sum_pinball": total["pinball"] / sum_sold,
                "scaled_pinball": total["scaled"] / total["count"],
            }
            | {
                f"coverage_{round(100 * band)}": total[f"inside_{round(100 * band)}"] / total["count"]
                for band in BANDS
            }
        )
        return _tidy(kind, metrics)

    def _by_week(self) -> pd.DataFrame:
        """Return wape and bias of each whole week of the horizon, as sums over that week."""
        weeks = self.actual.shape[1] // WEEK
        shape = (len(self.ids), weeks, WEEK)
        known = self.known_day[:, : weeks * WEEK].reshape(shape).all(axis=2)
        actual = self.actual[:, : weeks * WEEK].reshape(shape).sum(axis=2) * known
        error = self.mean[:, : weeks * WEEK].reshape(shape).sum(axis=2) * known - actual
        units = np.maximum(actual.sum(axis=0), 1e-12)
        metrics = pd.DataFrame(
            {"wape": np.abs(error).sum(axis=0) / units, "bias": error.sum(axis=0) / units},
            index=[str(week) for week in range(1, weeks + 1)],
        )
        return _tidy("week", metrics[actual.sum(axis=0) > 0])


def _tidy(kind: str, metrics: pd.DataFrame) -> pd.DataFrame:
    """Return segment_kind, segment, metric, value from a table of segments by metrics; undefined values left out."""
    tidy = metrics.rename_axis("segment").reset_index().melt(id_vars="segment", var_name="metric")
    tidy.insert(0, "segment_kind", kind)
    return tidy.dropna(subset=["value"]).reset_index(drop=True)


def _weekly_difference(known: Panel) -> Doubles:
    """Return the mean absolute difference of days one week apart [n]: the denominator of MASE."""
    if known.n_days <= WEEK:
        return np.zeros(known.n_series)
    both = (known.available[:, WEEK:] > 0) & (known.available[:, :-WEEK] > 0)
    difference = np.abs(known.sales[:, WEEK:] - known.sales[:, :-WEEK]) * both
    mean: Doubles = difference.sum(axis=1, dtype=np.float64) / np.maximum(both.sum(axis=1), 1)
    return mean


def ablation(
    panel: Panel,
    make_model: MakeModel,
    variants: Mapping[str, Sequence[str]],
    cutoffs: Sequence[Any],
    grid: Grid | None = None,
    *,
    known_ahead: Sequence[str] | None = None,
    sum_days: int = SUM_DAYS,
    on_progress: OnProgress = silent,
) -> pd.DataFrame:
    """Return a model's scores with and without groups of covariates: variant, cutoff, metric, value.

    variants     name -> the covariates that the model may see, e.g. {"without": [], "with mailer": ["mailer"]}; the
                 name, where it is not empty, begins its sentences
    known_ahead  which of them are known ahead; default as the panel has it. To ask what a plan would be worth if it
                 were known ahead, hand in a panel built with it known ahead.
    """

    def stage(variant: str, names: Sequence[str]) -> Callable[[OnProgress], BacktestResult]:
        seen = panel.with_covariates(names, known_ahead=known_ahead)

        def run(told: OnProgress) -> BacktestResult:
            return backtest(
                seen,
                {variant: make_model},
                cutoffs,
                grid,
                sum_days=sum_days,
                on_progress=told,
            )

        return run

    results = run_stages([stage(*variant) for variant in variants.items()], on_progress=on_progress)
    parts = [
        found.scores.loc[found.scores["segment_kind"] == EVERYTHING, ["model", frames.CUTOFF, "metric", "value"]]
        for found in results
    ]
    return _stack([part.rename(columns={"model": "variant"}) for part in parts],
                  ["variant", frames.CUTOFF, "metric", "value"])


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
    clean = make_model().fit(panel.upto(cutoff)).predict(grid)
    blind = make_model().fit(poisoned(panel, cutoff).upto(cutoff)).predict(grid)
    for part in ("mean", "level_variance", "day_dispersion", "weekday_profile"):
        if getattr(clean, part).tobytes() != getattr(blind, part).tobytes():
            raise Leak(f"{clean.model} changed its {part} at {as_day(cutoff)} with what happened later.")
