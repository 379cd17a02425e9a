"""Days, weeks and months at the shell's door.

The engine thinks in days. A week's units are spread evenly over its days on the way in, a month's over SUM_DAYS days of
a calendar of the engine's own; on the way out they are added up again, with the width that sums over so many days have.
A month is told in SUM_DAYS days, however long it is, because bands are fitted on sums of so many: none of these sums
may begin in the middle of a month, whose second half its first gives away.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.dispersion import SUM_DAYS
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

    @property
    def days(self) -> int:
        """How many of the engine's days a period has."""
        return {"D": 1, "W": WEEK, "M": SUM_DAYS}[self.freq]

    def first_days(self, called: Days) -> Days:
        """Return the engine's first day of the period that each `ds` calls."""
        if self.freq != "M":
            return called
        days: Days = np.datetime64(0, "D") + SUM_DAYS * called.astype("datetime64[M]").astype(np.int64)
        return days

    def ahead(self, horizon: int) -> Days:
        """Return the `ds` of the `horizon` periods after the last one."""
        count = np.arange(1, horizon + 1)
        if self.freq != "M":
            days: Days = self.last + count * np.timedelta64(self.days, "D")
            return days
        months = self.last.astype("datetime64[M]") + count
        named: Days = (months + 1).astype("datetime64[D]") - 1 if self.at_end else months.astype("datetime64[D]")
        return named

    @property
    def cutoff(self) -> np.datetime64:
        """The engine's last known day."""
        day: np.datetime64 = self.first_days(np.array([self.last]))[0] + np.timedelta64(self.days - 1, "D")
        return day

    def by_day(self, frame: pd.DataFrame, name: str) -> pd.DataFrame:
        """Return the frame with a row for every day of its periods: `y` spread over them, everything else as it was."""
        if self.freq == "D":
            return frame
        if frames.SOLD_OUT in frame:
            raise FrameError(f"The {name} frame has sold_out by the {NAMES[self.freq]}: only a day can be sold out.")
        called = frames.clean_days(frame, name)
        rows = np.repeat(np.arange(len(frame)), self.days)
        within = np.tile(np.arange(self.days), len(frame)).astype("timedelta64[D]")
        spread = frame.iloc[rows].reset_index(drop=True)
        spread[frames.DS] = (self.first_days(called)[rows] + within).astype("datetime64[ns]")
        if frames.Y in spread:
            spread[frames.Y] = frames.clean_numbers(frame, frames.Y, name)[rows] / self.days
        return spread

    def grid(self, horizon: int) -> Grid:
        """Return the grid of the next `horizon` periods."""
        if self.freq == "D":
            return Grid(days=horizon)
        return Grid(days=0, weeks=horizon * self.days // WEEK)

    def table(self, forecast: Forecast, horizon: int) -> pd.DataFrame:
        """Return unique_id, ds, mean and the quantiles at LEVELS, one row for each series and period."""
        called = self.ahead(horizon)
        mean = forecast.mean.reshape(forecast.n_series, horizon, -1).sum(axis=2, dtype=np.float64)
        told = pd.DataFrame({
            frames.UNIQUE_ID: np.repeat(forecast.unique_ids, horizon),
            frames.DS: np.tile(called.astype("datetime64[ns]"), forecast.n_series),
            "mean": mean.reshape(-1),
        })
        quantiles = negative_binomial_quantiles(mean, forecast.variance_of(mean), LEVELS).reshape(-1, len(LEVELS))
        for place, level in enumerate(LEVELS):
            told[quantile_column(level)] = quantiles[:, place]
        return told
