"""Days, weeks and months at the shell's door.

The engine thinks in days. A week's or a month's units are spread evenly over its days on the way in, and the days of a
forecast are added up to weeks or months on the way out, with the width that sums over so many days have.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.distribution import negative_binomial_quantiles
from apps.forecasting.engine.forecast import Forecast, quantile_column
from apps.forecasting.engine.frames import FrameError
from apps.forecasting.engine.grid import WEEK, Grid

Freq = Literal["D", "W", "M"]
FREQS: Final[tuple[Freq, ...]] = ("D", "W", "M")
NAMES: Final = {"D": "day", "W": "week", "M": "month"}
LEVELS: Final = (0.01, 0.025, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.975, 0.99)

Days = NDArray[np.datetime64]


@dataclass(frozen=True)
class Periods:
    """The periods of one frame: a week is the seven days from its `ds` on, a month the whole month that `ds` lies in.

    last      ds of the last known period
    at_end    months are called by their last day, not by the first
    """

    freq: Freq
    last: np.datetime64
    at_end: bool = False

    @classmethod
    def of(cls, history: pd.DataFrame, freq: Freq) -> "Periods":
        """Read how the periods of `history` are called; raises FrameError where they do not fit `freq`."""
        days = frames.clean_days(history, "history")
        if not len(days):
            raise FrameError("The history frame has no rows.")
        if freq == "W" and len(odd := np.unique((days - days.max()).astype(np.int64) % WEEK)) > 1:
            raise FrameError(f"The history frame has weeks that begin on {len(odd)} different weekdays.")
        if freq == "M":
            months = days.astype("datetime64[M]")
            first, last = months.astype("datetime64[D]"), (months + 1).astype("datetime64[D]") - 1
            if not ((days == first).all() or (days == last).all()):
                raise FrameError("The history frame has months that are neither all first nor all last days.")
            return cls(freq, days.max(), at_end=bool((days == last).all() and (days != first).any()))
        return cls(freq, days.max())

    def first_days(self, days: Days) -> Days:
        """Return the first day of the period that each `ds` calls."""
        return days.astype("datetime64[M]").astype("datetime64[D]") if self.freq == "M" else days

    def lengths(self, days: Days) -> NDArray[np.int64]:
        """Return how many days the period that each `ds` calls has."""
        if self.freq != "M":
            return np.full(len(days), WEEK if self.freq == "W" else 1, dtype=np.int64)
        months = days.astype("datetime64[M]")
        starts, ends = months.astype("datetime64[D]"), (months + 1).astype("datetime64[D]")
        lengths: NDArray[np.int64] = (ends - starts).astype(np.int64)
        return lengths

    def ahead(self, horizon: int) -> Days:
        """Return the `ds` of the `horizon` periods after the last one."""
        count = np.arange(1, horizon + 1)
        if self.freq != "M":
            days: Days = self.last + count * np.timedelta64(WEEK if self.freq == "W" else 1, "D")
            return days
        months = self.last.astype("datetime64[M]") + count
        named: Days = (months + 1).astype("datetime64[D]") - 1 if self.at_end else months.astype("datetime64[D]")
        return named

    @property
    def cutoff(self) -> np.datetime64:
        """The last known day."""
        last = np.array([self.last])
        day: np.datetime64 = (self.first_days(last) + self.lengths(last) - 1)[0]
        return day

    def by_day(self, frame: pd.DataFrame, name: str) -> pd.DataFrame:
        """Return the frame with a row for every day of its periods: `y` spread over them, everything else as it was."""
        if self.freq == "D":
            return frame
        called = frames.clean_days(frame, name)
        lengths = self.lengths(called)
        rows = np.repeat(np.arange(len(frame)), lengths)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        spread = frame.iloc[rows].reset_index(drop=True)
        spread[frames.DS] = (self.first_days(called)[rows] + within.astype("timedelta64[D]")).astype("datetime64[ns]")
        if frames.Y in spread:
            spread[frames.Y] = frames.clean_numbers(frame, frames.Y, name)[rows] / lengths[rows]
        return spread

    def grid(self, horizon: int) -> Grid:
        """Return the grid of the next `horizon` periods."""
        if self.freq == "W":
            return Grid(days=0, weeks=horizon)
        return Grid(days=int(self.lengths(self.ahead(horizon)).sum()))

    def table(self, forecast: Forecast, horizon: int) -> pd.DataFrame:
        """Return unique_id, ds, mean and the quantiles at LEVELS, one row for each series and period."""
        called = self.ahead(horizon)
        if self.freq == "M":
            ends = np.cumsum(self.lengths(called))
            added = np.concatenate([np.zeros((forecast.n_series, 1)), np.cumsum(forecast.daily_mean, axis=1)], axis=1)
            mean = added[:, ends] - added[:, ends - self.lengths(called)]
        else:
            mean = forecast.mean.astype(np.float64)
        told = pd.DataFrame({
            frames.UNIQUE_ID: np.repeat(forecast.unique_ids, horizon),
            frames.DS: np.tile(called.astype("datetime64[ns]"), forecast.n_series),
            "mean": mean.reshape(-1),
        })
        quantiles = negative_binomial_quantiles(mean, forecast.variance_of(mean), LEVELS).reshape(-1, len(LEVELS))
        for place, level in enumerate(LEVELS):
            told[quantile_column(level)] = quantiles[:, place]
        return told
