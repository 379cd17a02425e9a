"""The grid a forecast is given on: single days first, whole weeks after."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WEEK = 7
LONGEST_DAYS = 26 * WEEK


@dataclass(frozen=True, slots=True)
class Grid:
    """`days` single days, then `weeks` steps of seven days each, counted from the day after the cutoff."""

    days: int = 28
    weeks: int = 0

    def __post_init__(self) -> None:
        if self.days < 0 or self.weeks < 0 or not self.days + self.weeks:
            raise ValueError("A grid needs at least one step.")

    @classmethod
    def covering(cls, protection_days: int, days: int = 28) -> "Grid":
        """Return the shortest grid of `days` days and whole weeks that reaches `protection_days`, up to 26 weeks."""
        reach = min(protection_days, LONGEST_DAYS)
        return cls(days=days, weeks=max(0, -(-(reach - days) // WEEK)))

    @property
    def steps(self) -> NDArray[np.int64]:
        """Return the length of each step in days [S]."""
        return np.concatenate([np.ones(self.days, dtype=np.int64), np.full(self.weeks, WEEK, dtype=np.int64)])

    @property
    def n_steps(self) -> int:
        """How many steps there are."""
        return self.days + self.weeks

    @property
    def horizon_days(self) -> int:
        """How many days the steps cover together."""
        return self.days + WEEK * self.weeks

    @property
    def starts(self) -> NDArray[np.int64]:
        """Return the first day of each step, 1 for the day after the cutoff [S]."""
        return np.cumsum(self.steps) - self.steps + 1

    def totals(self, daily: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add the days of `daily` [n, at least horizon_days] up to steps [n, S]."""
        weekly = daily[:, self.days : self.horizon_days].reshape(len(daily), self.weeks, WEEK).sum(axis=2)
        return np.concatenate([daily[:, : self.days], weekly], axis=1).astype(np.float32)
