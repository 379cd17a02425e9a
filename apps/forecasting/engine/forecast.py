"""A forecast: means, quantiles, and the recipe from which the same sample paths are drawn again.

Sales of series i on day t are drawn as

    level_i ~ Gamma with mean 1 and variance level_variance_i          one draw per path, shared by all its days
    y_it    ~ negative binomial with mean  mean_it * level_i
                               and variance mean_it * level_i * (1 + day_dispersion_i), independent between days

The level makes days of a path move together, so sums over days are as wide as they were seen to be; the day's own
dispersion is linear in the mean (a compound Poisson: people who buy several at once). Given the level, sums over days
are of the same family, so for any set of days with total mean M

    variance of the sum = M * (1 + day_dispersion) + level_variance * M^2

Quantiles, of one step or of a sum, are those of the negative binomial with this mean and variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apps.forecasting.engine.calendar import weekdays
from apps.forecasting.engine.distribution import negative_binomial_quantiles
from apps.forecasting.engine.grid import WEEK, Grid

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

FEWEST_UNITS = 1e-9
"""A mean below this draws nothing; it keeps shapes of distributions above zero."""
LEAST_LEVEL = 1e-6
"""A mean of drawn levels below this is not raised to 1: all of them are nothing."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """What each series will sell on each step of a grid, and how sure we are.

    model            name of the model
    unique_ids       [n] text
    cutoff           last known day
    grid             the steps
    mean             [n, S] float32 units per step
    level_variance   [n] float32, variance of the level that all days of a path share
    day_dispersion   [n] float32, variance of a day beyond the Poisson's, per unit of its mean
    weekday_profile  [7] float32, Monday first, mean 1: how the weekly steps spread over their days
    notes            in sentences, what was done otherwise than the model's name says
    similar          [n] of how many similar items the forecast of a new one is made (`newcomers.py`), 0 for others;
                     None where nobody looked
    """

    model: str
    unique_ids: NDArray[np.str_]
    cutoff: np.datetime64
    grid: Grid
    mean: Floats
    level_variance: Floats
    day_dispersion: Floats
    weekday_profile: Floats
    notes: tuple[str, ...] = ()
    similar: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        for array in (self.unique_ids, self.mean, self.level_variance, self.day_dispersion, self.weekday_profile):
            array.setflags(write=False)

    @property
    def n_series(self) -> int:
        """How many series there are."""
        return len(self.unique_ids)

    @cached_property
    def daily_mean(self) -> Floats:
        """Return the mean of each day [n, horizon_days], weekly steps spread by the weekday profile."""
        single = self.mean[:, : self.grid.days]
        later_days = self.cutoff + np.arange(self.grid.days + 1, self.grid.horizon_days + 1).astype("timedelta64[D]")
        shares = (self.weekday_profile[weekdays(later_days)] / WEEK).astype(np.float32)
        spread = np.repeat(self.mean[:, self.grid.days :], WEEK, axis=1) * shares
        return np.concatenate([single, spread], axis=1)

    def take(self, rows: ArrayLike) -> Forecast:
        """Return the forecast of some series, by position or by mask."""
        picked = np.asarray(rows)
        return replace(
            self,
            unique_ids=self.unique_ids[picked],
            mean=self.mean[picked],
            level_variance=self.level_variance[picked],
            day_dispersion=self.day_dispersion[picked],
            similar=None if self.similar is None else self.similar[picked],
        )

    def variance_of(self, total_mean: ArrayLike) -> Doubles:
        """Return the variance of sums with the given means, [n] or [n, k]."""
        total = np.asarray(total_mean, dtype=np.float64)
        shape = (-1,) + (1,) * (total.ndim - 1)
        level, day = self.level_variance.reshape(shape), self.day_dispersion.reshape(shape)
        return total * (1.0 + day) + level * total**2

    def quantiles(self, levels: Sequence[float]) -> NDArray[np.int32]:
        """Return the quantiles of each step, [n, S, Q] units, never falling with the level."""
        return negative_binomial_quantiles(self.mean, self.variance_of(self.mean), levels)

    def sum_mean(self, days: ArrayLike) -> Doubles:
        """Return the mean of the sum over the first `days` days, one number for all series or one for each [n].

        Raises ValueError where the grid does not reach so far.
        """
        reach = np.broadcast_to(np.asarray(days, dtype=np.int64), (self.n_series,))
        if len(reach) and (reach.min() < 0 or reach.max() > self.grid.horizon_days):
            raise ValueError(f"The forecast covers {self.grid.horizon_days} days, not {int(reach.max())}.")
        cumulative = np.zeros((self.n_series, self.grid.horizon_days + 1))
        np.cumsum(self.daily_mean, axis=1, dtype=np.float64, out=cumulative[:, 1:])
        return cumulative[np.arange(self.n_series), reach]

    def sum_quantiles(self, levels: Sequence[float], days: ArrayLike) -> NDArray[np.int32]:
        """Return quantiles of the sum over the first `days` days (a number, or [n]), [n, Q] units."""
        total = self.sum_mean(days)
        return negative_binomial_quantiles(total, self.variance_of(total), levels)

    def paths(self, rows: ArrayLike, n_paths: int, seed: int, days: int | None = None) -> NDArray[np.int32]:
        """Draw sample paths, [r, n_paths, days] units, for the series at positions `rows`.

        The draw of a series depends on (seed, unique_id) alone: an item redrawn by itself, or for fewer days, gives
        the same paths. `days` defaults to the whole horizon.
        """
        picked = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        reach = self.grid.horizon_days if days is None else days
        if reach > self.grid.horizon_days:
            raise ValueError(f"The forecast covers {self.grid.horizon_days} days, not {reach}.")
        drawn = np.empty((len(picked), n_paths, reach), dtype=np.int32)
        for place, row in enumerate(picked):
            drawn[place] = self._draw(int(row), n_paths, seed, reach)
        return drawn

    def _draw(self, row: int, n_paths: int, seed: int, days: int) -> NDArray[np.int32]:
        """Draw one series' paths [n_paths, days]; day by day, so that fewer days are a prefix of more."""
        key = blake2b(f"{seed}\x1f{self.unique_ids[row]}".encode(), digest_size=16).digest()
        stream = np.random.Generator(np.random.Philox(key=np.frombuffer(key, dtype="<u8")))
        variance, dispersion = float(self.level_variance[row]), float(self.day_dispersion[row])
        level = stream.gamma(1.0 / variance, variance, size=n_paths) if variance > 0 else np.ones(n_paths)
        level /= max(float(level.mean()), LEAST_LEVEL)  # the few levels' mean, by which all days would be off together
        mean = np.maximum(self.daily_mean[row, :days, None] * level[None, :], FEWEST_UNITS)
        if dispersion > 0:
            units = stream.negative_binomial(mean / dispersion, 1.0 / (1.0 + dispersion))
        else:
            units = stream.poisson(mean)
        return np.minimum(units.T, np.iinfo(np.int32).max).astype(np.int32)

    def to_frame(self, levels: Sequence[float] = ()) -> pd.DataFrame:
        """Return unique_id, ds (first day of the step), days (its length), cutoff, mean and q<level> columns."""
        import pandas as pd

        from apps.forecasting.engine import frames

        steps = self.grid.n_steps
        starts = self.cutoff + (self.grid.starts).astype("timedelta64[D]")
        frame = pd.DataFrame(
            {
                frames.UNIQUE_ID: np.repeat(self.unique_ids, steps),
                frames.DS: np.tile(starts.astype("datetime64[ns]"), self.n_series),
                "days": np.tile(self.grid.steps, self.n_series),
                frames.CUTOFF: self.cutoff.astype("datetime64[ns]"),
                "mean": self.mean.reshape(-1),
            }
        )
        if levels:
            quantiles = self.quantiles(levels).reshape(-1, len(levels))
            for place, level in enumerate(levels):
                frame[quantile_column(level)] = quantiles[:, place]
        return frame

    def recipe_frame(self) -> pd.DataFrame:
        """Return unique_id, level_variance and day_dispersion: what, beside the means, paths are drawn from."""
        import pandas as pd

        from apps.forecasting.engine import frames

        return pd.DataFrame(
            {
                frames.UNIQUE_ID: self.unique_ids,
                "level_variance": self.level_variance,
                "day_dispersion": self.day_dispersion,
            }
        )


def quantile_column(level: float) -> str:
    """Return the column name of a quantile: q0.50, q0.95, q0.975."""
    text = f"{level:.4f}".rstrip("0")
    return "q" + (text if len(text) >= 4 else f"{level:.2f}")
