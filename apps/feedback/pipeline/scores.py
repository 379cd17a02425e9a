"""Forecasts against what happened: errors of weekly and two-week sums, by segment, as rows to save."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.forecasting.engine import models
from apps.forecasting.engine.backtest import LEVELS, inside_band, pinball
from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.distribution import negative_binomial_quantiles
from apps.forecasting.engine.forecast import Forecast
from apps.forecasting.engine.grid import Grid
from apps.forecasting.engine.newcomers import with_newcomers
from apps.forecasting.engine.segments import abc_classes, money

HORIZONS = {"week_1": (0, 7), "week_2": (7, 14), "week_3": (14, 21), "week_4": (21, 28), "days_14": (0, 14)}
SCORED_DAYS = 28
ALL = "all"

Floats = NDArray[np.float64]
OutDays = list[tuple[int, int, dt.date, bool]]


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
    return abc_classes(money(panel))


def due_horizons(days_known: int) -> list[str]:
    """The horizons that lie wholly in the days that have happened."""
    return [name for name, (_, end) in HORIZONS.items() if end <= days_known]


def rows(forecast: Forecast, sold: Floats, segments: Segments, horizons: list[str]) -> list[dict[str, Any]]:
    """Scores of one forecast: a row for each horizon and segment, all but run, model and date of ForecastScore.

    sold: units on each day from the day after the forecast's cutoff on [n, days], in the forecast's order; NaN where
    unknown. A series with an unknown day in a horizon is left out there: what it would have sold is not known.
    """
    daily = forecast.daily_mean
    found = []
    for horizon in horizons:
        start, end = HORIZONS[horizon]
        mean = daily[:, start:end].sum(axis=1, dtype=np.float64)
        actual = sold[:, start:end].sum(axis=1)
        variance = forecast.variance_of(mean)
        seen = np.nan_to_num(actual)
        loss = pinball(seen, negative_binomial_quantiles(mean, variance, LEVELS))
        figures = {
            "actual_units": seen, "absolute_error": np.abs(mean - seen), "error": mean - seen,
            "squared_error": (mean - seen) ** 2, "pinball": loss,
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
    return {name: with_newcomers(models.make(name).fit(then).predict(grid), then) for name in models.RIVALS}


def sold_matrix(unique_ids: NDArray[np.str_], units: pd.DataFrame, since: dt.date, until: dt.date,
                unknown: list[dt.date]) -> Floats:
    """What series sold on each day from `since` to before `until` [n, days]; NaN on the days in `unknown`.

    units: item_id, location_id, date, units (`sales.selectors.units_frame`); a day without a row is a day without sale.
    """
    sold = np.zeros((len(unique_ids), (until - since).days))
    here, cells = _cells(sold, unique_ids, units, since)
    sold[cells] = units["units"].to_numpy(dtype=np.float64)[here]
    sold[:, [(day - since).days for day in unknown if since <= day < until]] = np.nan
    return sold


def without_empty_shelves(sold: Floats, unique_ids: NDArray[np.str_], since: dt.date, out: OutDays) -> Floats:
    """What series sold, as in `sold_matrix`, and NaN on days on which they had run out: what was asked for is unknown.

    out: `sales.selectors.out_days`.
    """
    known = sold.copy()
    _here, cells = _cells(known, unique_ids, pd.DataFrame(out, columns=["item_id", "location_id", "date", "sold"]),
                          since)
    known[cells] = np.nan
    return known


def _cells(matrix: Floats, unique_ids: NDArray[np.str_], rows: pd.DataFrame, since: dt.date
           ) -> tuple[NDArray[np.bool_], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Which rows of item_id, location_id and date lie in a matrix of series and days from `since` on, and where."""
    names = rows["item_id"].astype(str) + "/" + rows["location_id"].astype(str)
    place: Any = pd.Index(unique_ids.astype(object)).get_indexer(pd.Index(names.astype(object)))
    column: Any = ((pd.to_datetime(rows["date"]) - pd.Timestamp(since)).dt.days).to_numpy()
    here = (place >= 0) & (column >= 0) & (column < matrix.shape[1])
    return here, (place[here], column[here])
