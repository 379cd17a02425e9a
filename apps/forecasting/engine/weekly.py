"""What all models have in common that learn week by week from every series: what they are asked, and how they answer.

Each row asks what a series will sell in the n-th week from an origin (direct forecasts, the distance a feature). The
answer is a multiple of the series' own level, so that big and small sellers teach each other.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import Artifact, Panel
from apps.forecasting.engine.calendar import weekdays
from apps.forecasting.engine.features import Codes, Rows, Weeks, level, pooled_groups, rows_at
from apps.forecasting.engine.frames import NothingToLearn
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.rhythm import weekday_shares

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

AHEAD = (1, 2, 3, 4)
"""Weeks ahead that are learned; later ones are answered as the last, with their own calendar and promotions."""
FIRST_ORIGIN = 4
"""Weeks of history below which no row is made."""
KIND_LABELS = (frames.CATEGORY, frames.DEPARTMENT, frames.BRAND)


def kind_codes(panel: Panel) -> dict[str, Codes]:
    """Return the numbers of the kinds of item in `panel`."""
    return {name: Codes.learn(panel.labels(name)) for name in KIND_LABELS}


def told_codes(settings: Mapping[str, Any]) -> dict[str, Codes]:
    """Return the numbers that `WeekByWeek.settings` told."""
    return {name: Codes(tuple(labels)) for name, labels in settings["labels"].items()}


def week_rows(panel: Panel, weeks: Weeks, codes: dict[str, Codes], origin: int, aheads: list[int]) -> list[Rows]:
    """Return one block of rows for each week ahead of `origin`, kinds of item among the columns."""
    kinds = {name: known.of(panel.labels(name)) for name, known in codes.items()}
    return rows_at(weeks, origin, aheads, pooled_groups(panel), kinds)


@dataclass(frozen=True, eq=False)
class Lessons:
    """Rows with their answers: what was sold in the week that each asks for.

    names    [F] of the columns
    values   [r, F] float32, NaN where missing
    units    [r] float32 units per wholly available week
    levels   [r] float32 the series' level at the origin, above 0
    told     what they are, in words
    """

    names: tuple[str, ...]
    values: Floats
    units: Floats
    levels: Floats
    told: str

    @classmethod
    def of(cls, panel: Panel, codes: dict[str, Codes], origins: int, thin: int, model: str) -> "Lessons":
        """Make the rows of the last `origins` origins, of each `thin` (series, origin, week ahead) one.

        Raises NothingToLearn where none of them has a sale.
        """
        weeks = Weeks.of(panel, 0)
        names: tuple[str, ...] = ()
        blocks, units, levels = [], [], []
        for origin in range(weeks.n_weeks - 1, max(weeks.n_weeks - 1 - origins, FIRST_ORIGIN - 1), -1):
            aheads = [ahead for ahead in AHEAD if origin + ahead <= weeks.n_weeks]
            usual = level(weeks, origin)
            on_sale = weeks.exposure[:, :origin].sum(axis=1) > 1
            for ahead, rows in zip(aheads, week_rows(panel, weeks, codes, origin, aheads), strict=True):
                turn = (np.arange(panel.n_series) + origin + ahead) % thin == 0
                kept = on_sale & turn & (weeks.exposure[:, origin + ahead - 1] > 0)
                names = rows.names
                blocks.append(rows.values[kept])
                units.append(weeks.rate[kept, origin + ahead - 1])
                levels.append(usual[kept])
        if not any(block.any() for block in units):
            raise NothingToLearn(model, panel.n_days)
        told = f"{sum(map(len, units))} rows up to {panel.cutoff.astype(object):%-d %b %Y}"
        return cls(names, np.concatenate(blocks), np.concatenate(units), np.concatenate(levels), told)


@dataclass(eq=False)
class WeekByWeek(ABC):
    """What was learned from lessons.

    codes  the numbers it knows the kinds of item by
    names  the columns that rows have to have, in order
    """

    codes: dict[str, Codes]
    names: list[str]

    @abstractmethod
    def answers(self, values: Floats, levels: Floats) -> Doubles:
        """Return units per week [n] for rows [n, F] of series at these levels [n]."""

    @abstractmethod
    def files(self) -> Artifact:
        """Return what was learned, as named files."""

    def daily_means(self, panel: Panel, days: int) -> Floats:
        """Answer week by week and spread each week over its days, as the item's department sells by weekday."""
        n_weeks = -(-days // WEEK)
        weekly = self.weekly_means(panel, n_weeks)
        shares = weekday_shares(panel, frames.DEPARTMENT)[:, weekdays(panel.future_days(n_weeks * WEEK))] / WEEK
        return (np.repeat(weekly, WEEK, axis=1) * shares)[:, :days].astype(np.float32)

    def weekly_means(self, panel: Panel, n_weeks: int) -> Floats:
        """Return units per week for the `n_weeks` weeks after the panel's cutoff [n, n_weeks]."""
        weeks = Weeks.of(panel, n_weeks)
        origin = weeks.n_weeks
        levels = level(weeks, origin)
        ever_on_sale = weeks.exposure.any(axis=1)
        means = np.empty((panel.n_series, n_weeks), dtype=np.float32)
        blocks = week_rows(panel, weeks, self.codes, origin, list(range(1, n_weeks + 1)))
        for place, rows in enumerate(blocks):
            values = rows.under(self.names)  # of promotions, the shop may know others by now than when it was trained
            values[:, self.names.index("ahead")] = min(place + 1, AHEAD[-1])
            means[:, place] = np.where(ever_on_sale, self.answers(values, levels), 0.0)
        return means

    def settings(self) -> dict[str, Any]:
        """Return the labels in the order of their numbers."""
        return {"labels": {name: list(codes.names) for name, codes in self.codes.items()}}
