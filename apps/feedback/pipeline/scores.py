"""Forecasts against what happened: errors of weekly and two-week sums, by segment, as rows to save."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine import models
from apps.forecasting.engine.backtest import LEVELS, MONEY_WEEKS, abc_classes, inside_band, pinball
from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.distribution import negative_binomial_quantiles
from apps.forecasting.engine.forecast import Forecast
from apps.forecasting.engine.grid import WEEK, Grid

HORIZONS = {"week_1": (0, 7), "week_2": (7, 14), "week_3": (14, 21), "week_4": (21, 28), "days_14": (0, 14)}
SCORED_DAYS = 28
ALL = "all"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Segments:
    """How series fall into groups: kind -> the label of each series [n]."""

    labels: Mapping[str, NDArray[np.str_]]

    @classmethod
    def of(cls, panel: Panel) -> Segments:
        """All together, by department, and by the share of what was sold in the half year before."""
        return cls({ALL: np.full(panel.n_series, ALL), "category": departments(panel), "abc": money_classes(panel)})


def departments(panel: Panel) -> NDArray[np.str_]:
    """The department of each series, or the first part of its category path."""
    told = panel.labels("department")
    path = np.char.partition(panel.labels("category"), " > ")[:, 0] if panel.n_series else told
    return np.where(told != "", told, path)


def money_classes(panel: Panel) -> NDArray[np.str_]:
    """A, B or C of each series by its sales of the last 26 weeks in money."""
    return abc_classes(panel.sales[:, -MONEY_WEEKS * WEEK:].sum(axis=1, dtype=np.float64) * panel.prices())


def due_horizons(days_known: int) -> list[str]:
    """The horizons that lie wholly in the days that have happened."""
    return [name for name, (_, end) in HORIZONS.items() if end <= days_known]


def sums(panel: Panel, first: int, days: int) -> Floats:
    """Units sold in `days` days from the panel's column `first` on [n]; NaN where the item was not wholly available."""
    window = slice(first, first + days)
    known = (panel.available[:, window] == 1).all(axis=1)
    return np.where(known, panel.sales[:, window].sum(axis=1, dtype=np.float64), np.nan)


def rows(forecast: Forecast, now: Panel, segments: Segments, horizons: list[str]) -> list[dict[str, Any]]:
    """Scores of one forecast: a row for each horizon and segment, all but run, model and date of ForecastScore.

    now: what has happened since, with the forecast's series in the forecast's order. A series whose item could not be
    bought throughout the horizon is left out: what it would have sold is not known.
    """
    first = int((forecast.cutoff - now.dates[0]).astype(np.int64)) + 1
    daily = forecast.daily_mean
    found = []
    for horizon in horizons:
        start, end = HORIZONS[horizon]
        mean = daily[:, start:end].sum(axis=1, dtype=np.float64)
        actual = sums(now, first + start, end - start)
        variance = forecast.variance_of(mean)
        seen = np.nan_to_num(actual)
        loss = pinball(seen, negative_binomial_quantiles(mean, variance, LEVELS))
        figures = {
            "actual_units": actual, "absolute_error": np.abs(mean - actual), "error": mean - actual,
            "squared_error": (mean - actual) ** 2, "pinball": loss,
            "covered_80": inside_band(seen, mean, variance, 0.8), "covered_95": inside_band(seen, mean, variance, 0.95)}
        found += [{"horizon": horizon, **row} for row in by_segment(figures, segments, np.isfinite(actual))]
    return found


def by_segment(figures: Mapping[str, Floats], segments: Segments, scored: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Sums of the figures over the scored series of each segment; coverages as shares."""
    found = []
    for kind, labels in segments.labels.items():
        names, code = np.unique(labels[scored], return_inverse=True)
        count = np.bincount(code, minlength=len(names))
        added = {name: np.bincount(code, values[scored], len(names)) for name, values in figures.items()}
        for place, name in enumerate(names):
            row = {figure: float(values[place]) for figure, values in added.items()}
            for covered in ("covered_80", "covered_95"):
                row[covered] /= count[place]
            found.append({"segment_kind": kind, "segment": str(name)[:120], "series": int(count[place]), **row})
    return found


def rival_forecasts(then: Panel) -> dict[str, Forecast]:
    """What the simple models would have said, fitted on nothing but what was known then."""
    grid = Grid(days=SCORED_DAYS)
    return {name: models.make(name).fit(then).predict(grid) for name in models.RIVALS}


def wape(row: Mapping[str, float]) -> float | None:
    """Absolute errors as a share of what was sold; None where nothing was."""
    return row["absolute_error"] / row["actual_units"] if row["actual_units"] > 0 else None
