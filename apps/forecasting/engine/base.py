"""The words every model shares: the panel it learns from, the grid it answers on, and the contract it keeps."""

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.calendar import weekdays
from apps.forecasting.engine.censoring import Recovered, recover
from apps.forecasting.engine.forecast import FEWEST_UNITS, Forecast
from apps.forecasting.engine.frames import FrameError, NotEnoughHistory
from apps.forecasting.engine.grid import WEEK, Grid
from apps.forecasting.engine.reasons import EVERY, Reasons, SomeRows

__all__ = ["ArtifactError", "Forecast", "Forecaster", "Grid", "NotFitted", "OnProgress", "Panel", "silent"]

Floats = NDArray[np.float32]
Artifact = dict[str, bytes]
OnProgress = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and a sentence; what it raises stops the work."""


def silent(fraction: float, sentence: str) -> None:
    """Take note of progress without telling anyone."""


class NotFitted(RuntimeError):
    """The model was asked to forecast before it was fitted, or without a panel to forecast from."""


class ArtifactError(ValueError):
    """A saved model cannot be read back: a file is missing, or was written by another kind of model."""


def as_day(moment: Any) -> np.datetime64:
    """Return anything date-like as a day (datetime64[D])."""
    day: np.datetime64 = pd.Timestamp(moment).to_datetime64().astype("datetime64[D]")
    return day


BELIEVED = 10.0  # times the largest day before
SOLD_DAYS = 5
KIND_SERIES = 20
SERVED = 0.999
ALWAYS_BELIEVED = 20.0  # units of a day, however few were sold before
HOLIDAYS = "holidays"
"""Public holidays, among the names of what a model does not look at."""
PACE_DAYS = 26 * WEEK
"""Days over which a series' pace is taken, where the history has so many."""


def _believable(units: Floats) -> Floats:
    """The most units that each day may count as [n, T], from the days before it alone: no later day changes it."""
    if not units.size:
        return units
    known = np.nan_to_num(units)  # of an unknown day nothing follows
    largest = np.zeros_like(known)
    largest[:, 1:] = np.maximum.accumulate(known, axis=1)[:, :-1]
    has_sold = known > 0
    sold_days: NDArray[np.int64] = np.cumsum(has_sold, axis=1) - has_sold
    before = np.where(sold_days >= SOLD_DAYS, largest, largest.max(axis=0))
    found: Floats = np.where(before > 0, np.maximum(BELIEVED * before, ALWAYS_BELIEVED), np.inf).astype(units.dtype)
    return found


@dataclass(frozen=True, eq=False)
class Panel:
    """All series side by side, day by day, as they are known at the end of the last day.

    ids         [n] text, sorted
    dates       [T] datetime64[D], without gaps; the last one is the cutoff
    y           [n, T] float32 units sold, or of a day that was sold out what is to be expected behind it; NaN where
                unknown (not yet on sale, or not available)
    available   [n, T] float32, the share of the day the item could be bought; 0 exactly where y is NaN. A day that was
                sold out counts as all but whole (SERVED), so that nobody takes its `y` for what was sold
    static      one row per series: labels (category, department, brand and whatever was given; text), price (NaN where
                unknown)
    covariates  name -> [n, T + horizon_days] float32; beyond T only those in `known_ahead` hold anything but 0
    known_ahead names of the covariates whose future is known at the cutoff
    country     ISO code whose public holidays count, or None
    categories  covariate of words -> its words; the covariate holds their places, and place 0 is the empty word
    told        covariate known ahead -> days from dates[0] on that are told of it; later ones are not known to be 0
    sold_out    [n, T] float32 units sold on days that ended sold out, NaN on all others; None where there are none
    pace        units a week below which nobody asks for a forecast of a series (see `regular`); 0 asks for all

    Arrays are read-only: no model can leave a trace in the panel of another.
    """

    ids: NDArray[np.str_]
    dates: NDArray[np.datetime64]
    y: Floats
    available: Floats
    static: pd.DataFrame
    covariates: Mapping[str, Floats] = field(default_factory=dict)
    known_ahead: frozenset[str] = frozenset()
    country: str | None = None
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    told: Mapping[str, int] = field(default_factory=dict)
    sold_out: Floats | None = None
    pace: float = 0.0

    def __post_init__(self) -> None:
        for array in (self.ids, self.dates, self.y, self.available, self.sold_out, *self.covariates.values()):
            if array is not None:
                array.setflags(write=False)

    @classmethod
    def from_frames(
        cls,
        history: pd.DataFrame,
        static: pd.DataFrame | None = None,
        covariates: pd.DataFrame | None = None,
        *,
        known_ahead: Sequence[str] = (),
        cutoff: Any = None,
        grid: Grid | None = None,
        country: str | None = None,
        pace: float = 0.0,
    ) -> Self:
        """Build the panel known at the end of `cutoff` (default: the last day of `history`).

        history     unique_id, ds, y, optional available (0 to 1) and sold_out (0 or 1). A day without a row, from the
                    series' start on, is a day without a sale; a day with available 0 or NaN, or y NaN, is unknown and
                    never a zero. Of a day that ended sold out, y is the least that was asked for (`censoring.py`);
                    one without a sale tells nothing, and is unknown.
        static      unique_id, then any of category, department, brand, price, start, and labels of any other name.
                    Where given, its rows are the series; otherwise the ids in `history` are. `start` is the first day
                    on sale (default: first row).
        covariates  unique_id, ds, columns of numbers or of words. Absent rows mean 0 or no word, except `price`, whose
                    last value holds.
        known_ahead names of the covariates known beyond the cutoff, for the `horizon_days` of `grid`.
        pace        units a week below which nobody asks for a forecast.

        A day of more than BELIEVED times the largest before it, of the series itself or, while that has sold on fewer
        than SOLD_DAYS, of any, counts as that many: one slip of a keyboard would else bend all series of a model that
        learns from them together. Rows after the cutoff are forgotten. Raises FrameError for a frame that cannot be
        used.
        """
        row_ids = frames.clean_ids(history, "history")
        days = frames.clean_days(history, "history")
        y = frames.clean_numbers(history, frames.Y, "history")
        if (y < 0).any():
            raise FrameError(f"The history frame has {int((y < 0).sum())} rows with a y below zero.")
        available, sold_out = _availability(history), _sold_out(history)
        last = as_day(cutoff) if cutoff is not None else (days.max() if len(days) else None)
        grid = grid or Grid()

        known = _clean_static(static)
        ids = np.array(sorted(known.index) if static is not None else sorted(set(row_ids)), dtype=np.str_)
        kept = np.flatnonzero(days <= last) if last is not None else np.zeros(0, dtype=np.int64)
        dates = (
            np.arange(days[kept].min(), last + np.timedelta64(1, "D"), dtype="datetime64[D]")
            if len(kept) and last is not None
            else np.zeros(0, dtype="datetime64[D]")
        )
        index = pd.Index(ids)
        rows = index.get_indexer(pd.Index(row_ids.iloc[kept]))
        kept, rows = kept[rows >= 0], rows[rows >= 0].astype(np.int64)
        columns = (days[kept] - dates[0]).astype(np.int64) if len(dates) else np.zeros(0, dtype=np.int64)
        frames.refuse_repeats(rows, columns, max(len(dates), 1), "history")

        shape = (len(ids), len(dates))
        exposure = np.ones(shape, dtype=np.float32)
        units = np.zeros(shape, dtype=np.float32)
        units[rows, columns] = y[kept]
        exposure[rows, columns] = np.where(np.isnan(y[kept]), 0, available[kept])
        first = np.full(len(ids), len(dates), dtype=np.int64)
        np.minimum.at(first, rows, columns)
        static_frame = known.reindex(ids)
        if frames.START in static_frame.columns and len(dates):
            told = static_frame[frames.START].to_numpy(dtype="datetime64[ns]").astype("datetime64[D]")
            offset = np.where(np.isnat(told), len(dates), (told - dates[0]).astype(np.int64))
            first = np.minimum(first, offset)
        exposure[np.arange(len(dates))[None, :] < first[:, None]] = 0
        units = np.minimum(units, _believable(units))
        ended = np.zeros(shape, dtype=bool)
        ended[rows, columns] = sold_out[kept]
        units, exposure, bounds = _observed(units, exposure, ended, dates)
        dense = _dense_covariates(covariates, index, dates, grid, frozenset(known_ahead))
        return cls(
            ids=ids,
            dates=dates,
            y=units,
            available=exposure,
            static=static_frame.drop(columns=frames.START, errors="ignore").reset_index(),
            covariates=dense.values,
            known_ahead=frozenset(known_ahead),
            country=country,
            categories=dense.categories,
            told=dense.told,
            sold_out=bounds,
            pace=pace,
        )

    @property
    def n_series(self) -> int:
        """How many series there are."""
        return len(self.ids)

    @property
    def n_days(self) -> int:
        """How many days of history there are."""
        return len(self.dates)

    @property
    def cutoff(self) -> np.datetime64:
        """The last known day; raises NotEnoughHistory where there is none."""
        if not self.n_days:
            raise NotEnoughHistory("A panel", 0, 1)
        last: np.datetime64 = self.dates[-1]
        return last

    @cached_property
    def sales(self) -> Floats:
        """`y` with 0 where it is unknown [n, T]; always to be weighed with `available`."""
        filled: Floats = np.nan_to_num(self.y, nan=0.0)
        filled.setflags(write=False)
        return filled

    @property
    def recorded(self) -> Floats:
        """Units that were sold [n, T], 0 where unknown: without the demand behind days that were sold out."""
        return self.sales if self.sold_out is None else np.where(np.isnan(self.sold_out), self.sales, self.sold_out)

    def recovered(self) -> Recovered:
        """Return what was asked for, as far as can be known: also on days, or parts of days, without stock."""
        bounds = np.full_like(self.y, np.nan) if self.sold_out is None else self.sold_out
        return recover(self.recorded, self.available, ~np.isnan(bounds), weekdays(self.dates))

    def regular(self, days: int | None = None) -> NDArray[np.bool_]:
        """Return which series were forecast at the end of the first `days` days [n], of all that there are by default.

        Those that were on sale and sold at least `pace` a week over the last PACE_DAYS days, all if `pace` is 0. Who
        learns from the past of items that sell today learns from survivors: what was forecast then, and has gone quiet
        since, is missing, and so forecasts come out too high. So a panel holds those too, and asks for each day of the
        past who was forecast then.
        """
        until = self.n_days if days is None else days
        on_sale = np.asarray(self.available[:, :until].any(axis=1))
        if not self.pace or not until:
            return on_sale
        since = max(until - PACE_DAYS, 0)
        least = max(self.pace * (until - since) / WEEK, FEWEST_UNITS)
        sells: NDArray[np.bool_] = self.recorded[:, since:until].sum(axis=1, dtype=np.float64) >= least
        return on_sale & sells

    def lately_regular(self) -> NDArray[np.bool_]:
        """Return which series are forecast now, or were on a day that models learn from [n].

        Looked at once a fortnight, as far back as PACE_DAYS, where there were four weeks to tell by.
        """
        earlier = range(self.n_days - 2 * WEEK, max(self.n_days - PACE_DAYS, 4 * WEEK) - 1, -2 * WEEK)
        return np.asarray(np.any([self.regular(day) for day in (self.n_days, *earlier)], axis=0))

    def future_days(self, days: int) -> NDArray[np.datetime64]:
        """Return the `days` days after the cutoff."""
        return self.cutoff + np.arange(1, days + 1).astype("timedelta64[D]")

    def told_days(self, name: str) -> int:
        """Return how many days, counted from the first, are told of a covariate."""
        held = self.covariates[name].shape[1]
        return min(self.told.get(name, held), held) if name in self.known_ahead else self.n_days

    def kinds(self) -> list[str]:
        """Return the static labels that put series into kinds: at least KIND_SERIES of them to a kind, on average."""
        labels = [column for column in self.static.columns if column not in (frames.UNIQUE_ID, frames.PRICE)]
        return [column for column in labels if len(set(self.labels(column))) * KIND_SERIES <= max(self.n_series, 1)]

    def labels(self, column: str) -> NDArray[np.str_]:
        """Return a static label [n], the empty text where it is unknown or the column was not given."""
        if column not in self.static.columns:
            return np.full(self.n_series, frames.UNKNOWN_LABEL, dtype=np.str_)
        return self.static[column].to_numpy(dtype=np.str_)

    def prices(self) -> Floats:
        """Return the static price [n], 1 where it is unknown: it weighs series and never enters a forecast."""
        if frames.PRICE not in self.static.columns:
            return np.ones(self.n_series, dtype=np.float32)
        prices: Floats = self.static[frames.PRICE].fillna(1.0).to_numpy(dtype=np.float32)
        return prices

    def upto(self, cutoff: Any) -> "Panel":
        """Return the panel as it was known at the end of `cutoff`.

        Everything later is forgotten, except what covariates in `known_ahead` foretell. Raises FrameError where the
        cutoff lies outside the panel's days.
        """
        day = as_day(cutoff)
        if not self.n_days or not self.dates[0] <= day <= self.dates[-1]:
            raise FrameError(f"The cutoff {day} lies outside the days of the panel.")
        kept = int((day - self.dates[0]).astype(np.int64)) + 1
        return self._cut(kept)

    def before(self, days: int) -> "Panel":
        """Return the panel as it was known `days` days ago."""
        return self._cut(self.n_days - days)

    def _cut(self, kept: int) -> "Panel":
        if kept == self.n_days:
            return self
        covariates = {}
        for name, values in self.covariates.items():
            horizon = values.shape[1] - self.n_days
            if name in self.known_ahead:
                covariates[name] = values[:, : kept + horizon]
            else:
                covariates[name] = np.concatenate(
                    [values[:, :kept], np.zeros((self.n_series, horizon), dtype=np.float32)], axis=1
                )
        y, available, bounds = self.y[:, :kept], self.available[:, :kept], self.sold_out
        if bounds is not None:  # what is expected behind a day may know no later one
            bounds = bounds[:, :kept]
            y, available = _with_demand(y, available, bounds, self.dates[:kept])
        return replace(
            self, dates=self.dates[:kept], y=y, available=available, covariates=covariates, sold_out=bounds
        )

    def take(self, rows: ArrayLike) -> "Panel":
        """Return the panel of some series, by position or by mask."""
        picked = np.asarray(rows)
        if picked.dtype == bool:
            picked = np.flatnonzero(picked)
        return replace(
            self,
            ids=self.ids[picked],
            y=self.y[picked],
            available=self.available[picked],
            static=self.static.iloc[picked].reset_index(drop=True),
            covariates={name: values[picked] for name, values in self.covariates.items()},
            sold_out=None if self.sold_out is None else self.sold_out[picked],
        )

    def with_sales(self, units: Floats, available: Floats, sold_out: NDArray[np.bool_]) -> "Panel":
        """Return the panel with other units sold, availability and days that ended sold out, all [n, T]."""
        y, available, bounds = _observed(units, available, sold_out, self.dates)
        return replace(self, y=y, available=available, sold_out=bounds)

    def without(self, names: Sequence[str]) -> "Panel":
        """Return the panel without these covariates, and with no public holidays where HOLIDAYS is among them."""
        if not names:
            return self
        kept = self.with_covariates([name for name in self.covariates if name not in names])
        return replace(kept, country=None) if HOLIDAYS in names else kept

    def with_covariates(self, names: Sequence[str], *, known_ahead: Sequence[str] | None = None) -> "Panel":
        """Return the panel with only the covariates in `names`; `known_ahead` may be told anew.

        A covariate that becomes known ahead keeps what the panel holds of its future, so hand in a panel built with
        it known ahead; one that no longer is loses its future.
        """
        ahead = self.known_ahead if known_ahead is None else frozenset(known_ahead)
        covariates = {}
        for name in names:
            values = self.covariates[name]
            if name not in ahead and name in self.known_ahead:
                values = np.concatenate(
                    [values[:, : self.n_days], np.zeros_like(values[:, self.n_days :])], axis=1, dtype=np.float32
                )
            covariates[name] = values
        words = {name: self.categories[name] for name in names if name in self.categories}
        return replace(self, covariates=covariates, known_ahead=ahead & frozenset(names), categories=words)


def _observed(
    units: Floats, available: Floats, sold_out: NDArray[np.bool_], dates: NDArray[np.datetime64]
) -> tuple[Floats, Floats, Floats | None]:
    """Return what a panel holds of units sold, availability and days that ended sold out."""
    tells = sold_out & (units > 0) & (available > 0)
    available = np.where(sold_out & ~tells, np.float32(0), available)
    units = np.where(available == 0, np.float32(np.nan), units)
    if not tells.any():
        return units, available, None
    bounds = np.where(tells, units, np.float32(np.nan))
    return *_with_demand(units, available, bounds, dates), bounds


def _with_demand(
    units: Floats, available: Floats, bounds: Floats, dates: NDArray[np.datetime64]
) -> tuple[Floats, Floats]:
    """Return units and availability with the demand to be expected behind days that were sold out at `bounds`."""
    out = ~np.isnan(bounds)
    sold = np.where(out, bounds, np.nan_to_num(units))
    demand = recover(sold, available, out, weekdays(dates), hindsight=False).demand
    return np.where(out, SERVED * demand, units).astype(np.float32), np.where(out, np.float32(SERVED), available)


def _sold_out(history: pd.DataFrame) -> NDArray[np.bool_]:
    if frames.SOLD_OUT not in history.columns:
        return np.zeros(len(history), dtype=bool)
    told = np.nan_to_num(frames.clean_numbers(history, frames.SOLD_OUT, "history"), nan=0.0)
    if not np.isin(told, (0, 1)).all():
        raise FrameError("The history frame has a sold_out that is neither 0 nor 1.")
    return np.asarray(told == 1)


def _availability(history: pd.DataFrame) -> Floats:
    if frames.AVAILABLE not in history.columns:
        return np.ones(len(history), dtype=np.float32)
    available = np.nan_to_num(frames.clean_numbers(history, frames.AVAILABLE, "history"), nan=0.0)
    if ((available < 0) | (available > 1)).any():
        raise FrameError("The history frame has an available outside 0 to 1.")
    return available


def _clean_static(static: pd.DataFrame | None) -> pd.DataFrame:
    """Return the static frame by unique_id, labels as text, price as float, start as days."""
    if static is None:
        return pd.DataFrame(index=pd.Index([], name=frames.UNIQUE_ID, dtype=object))
    ids = frames.clean_ids(static, "static")
    if ids.duplicated().any():
        raise FrameError(f"The static frame has {int(ids.duplicated().sum())} rows that repeat a unique_id.")
    known = pd.DataFrame(index=pd.Index(ids, name=frames.UNIQUE_ID))
    for column in static.columns:
        if column not in (frames.UNIQUE_ID, frames.PRICE, frames.START):
            known[column] = static[column].astype(object).where(static[column].notna(), "").astype(str).to_numpy()
    if frames.PRICE in static.columns:
        known[frames.PRICE] = frames.clean_numbers(static, frames.PRICE, "static")
    if frames.START in static.columns:
        try:
            known[frames.START] = pd.to_datetime(static[frames.START]).to_numpy(dtype="datetime64[ns]")
        except (ValueError, TypeError) as error:
            raise FrameError("The static frame has a start that is not a date.") from error
    return known


@dataclass(frozen=True)
class _Dense:
    """Covariates side by side: name -> [n, T + horizon_days] float32, their words, and how far each is told."""

    values: dict[str, Floats] = field(default_factory=dict)
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)


def _dense_covariates(
    covariates: pd.DataFrame | None,
    index: "pd.Index[str]",
    dates: NDArray[np.datetime64],
    grid: Grid,
    known_ahead: frozenset[str],
) -> _Dense:
    if covariates is None:
        if known_ahead:
            raise FrameError(f"No covariates were given, so {', '.join(sorted(known_ahead))} cannot be known ahead.")
        return _Dense()
    frames.require_columns(covariates, sorted(known_ahead), "covariates")
    row_ids = frames.clean_ids(covariates, "covariates")
    days = frames.clean_days(covariates, "covariates")
    names = [column for column in covariates.columns if column not in (frames.UNIQUE_ID, frames.DS)]
    n_days = len(dates) + grid.horizon_days
    if not len(dates):
        return _Dense({name: np.zeros((len(index), n_days), dtype=np.float32) for name in names})
    rows = index.get_indexer(pd.Index(row_ids))
    columns = (days - dates[0]).astype(np.int64)
    kept = np.flatnonzero((rows >= 0) & (columns >= 0) & (columns < n_days))
    rows, columns = rows[kept].astype(np.int64), columns[kept]
    frames.refuse_repeats(rows, columns, n_days, "covariates")
    dense = _Dense()
    for name in names:
        values, words = frames.clean_covariate(covariates, name)
        values = values[kept]
        if words:
            dense.categories[name] = words
        held = name in frames.HELD
        cells = np.full((len(index), n_days), np.nan if held else 0.0, dtype=np.float32)
        cells[rows, columns] = values if held else np.nan_to_num(values, nan=0.0)
        if name not in known_ahead:
            cells[:, len(dates) :] = np.nan if held else 0.0
        if held:
            cells = _hold_last(cells)
        if name in known_ahead:
            said = columns[~np.isnan(values)]
            dense.told[name] = max(int(said.max(initial=-1)) + 1, len(dates))
        else:
            cells[:, len(dates) :] = 0.0
        dense.values[name] = cells
    return dense


def _hold_last(values: Floats) -> Floats:
    """Fill each NaN with the last value before it in its row; NaN where there is none."""
    last_seen = np.where(np.isnan(values), -1, np.arange(values.shape[1])[None, :])
    np.maximum.accumulate(last_seen, axis=1, out=last_seen)
    held = np.take_along_axis(values, np.maximum(last_seen, 0), axis=1)
    held[last_seen < 0] = np.nan
    return held


class Forecaster(ABC):
    """A model: constructors only store, `fit` learns attributes that end in `_`, `predict` answers on a grid.

    name          how it is called in scores, registries and `models.MODELS`
    family        "baseline", "statistical", "linear", "trees", "ensemble" or "network"
    complexity    ties go to the smaller
    minimum_days  history below which `fit` raises NotEnoughHistory
    runs_alone    its library keeps seeds or sessions that threads would share: never fit two at once
    """

    name: ClassVar[str]
    family: ClassVar[str]
    complexity: ClassVar[int]
    minimum_days: ClassVar[int] = 1
    runs_alone: ClassVar[bool] = False

    @abstractmethod
    def fit(self, panel: Panel, on_progress: OnProgress = silent) -> Self:
        """Learn from `panel` and return self; the same panel and settings give the same model, bit for bit.

        Raises NotEnoughHistory where the panel is empty or shorter than `minimum_days`.
        """

    @abstractmethod
    def predict(self, grid: Grid, panel: Panel | None = None) -> Forecast:
        """Forecast the steps of `grid` that follow the panel's cutoff.

        panel: the history to forecast from; default the one the model was fitted on. A model read back from its
        artifact has none and must be given one (NotFitted otherwise).
        """

    def reasons(self, days: int, panel: Panel | None = None, rows: SomeRows = EVERY) -> Reasons:
        """Return what moves the forecast of the first `days` days, as `predict` makes it from `panel`, of some rows.

        A model that does not say more starts from its forecast, and nothing moves it.
        """
        return Reasons(self.predict(Grid(days=days), panel).sum_mean(days)[rows], {})

    @abstractmethod
    def to_artifact(self) -> Artifact:
        """Return the fitted model as named files; nothing in them is ever unpickled."""

    @classmethod
    @abstractmethod
    def from_artifact(cls, files: Mapping[str, bytes]) -> Self:
        """Return the model that `to_artifact` saved; raises ArtifactError for files that are not its own."""

    @classmethod
    def require_history(cls, panel: Panel) -> None:
        """Raise NotEnoughHistory where this model cannot learn from `panel`."""
        if not panel.n_series or panel.n_days < cls.minimum_days:
            raise NotEnoughHistory(cls.name, panel.n_days if panel.n_series else 0, cls.minimum_days)


def write_json(settings: Mapping[str, Any]) -> bytes:
    """Return settings as the bytes of a JSON file, keys sorted, so that the same settings give the same bytes."""
    return json.dumps(settings, sort_keys=True, allow_nan=False).encode()


def write_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as the bytes of a NumPy archive of plain numbers."""
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **arrays)
    return archive.getvalue()


def read_arrays(files: Mapping[str, bytes], file_name: str, model: str) -> dict[str, NDArray[Any]]:
    """Return the arrays in a file of an artifact; raise ArtifactError where it is no archive of plain numbers."""
    if file_name not in files:
        raise ArtifactError(f"The artifact of {model} lacks {file_name}.")
    try:
        with np.load(io.BytesIO(files[file_name]), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise ArtifactError(f"The artifact of {model} has a {file_name} that is no archive of numbers.") from error


def read_json(files: Mapping[str, bytes], file_name: str, model: str) -> dict[str, Any]:
    """Return the settings in a file of an artifact; raise ArtifactError where they are not `model`'s."""
    if file_name not in files:
        raise ArtifactError(f"The artifact of {model} lacks {file_name}.")
    try:
        settings = json.loads(files[file_name])
    except ValueError as error:
        raise ArtifactError(f"The artifact of {model} has a {file_name} that is not JSON.") from error
    if not isinstance(settings, dict) or settings.get("model") != model:
        raise ArtifactError(f"The artifact was not written by {model}.")
    return settings
