"""What all models have in common that learn week by week from every series: what they are asked, and how they answer.

Each row asks what a series will sell in the n-th week from an origin (direct forecasts, the distance a feature). The
answer is a multiple of the series' own level, so that big and small sellers teach each other.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import PACE_DAYS, Artifact, Panel
from apps.forecasting.engine.calendar import weekdays
from apps.forecasting.engine.features import Codes, Rows, Weeks, level, pooled_groups, rows_at
from apps.forecasting.engine.frames import NothingToLearn
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.reasons import EVERY, Reasons, SomeRows
from apps.forecasting.engine.rhythm import weekday_shares

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

AHEAD = (1, 2, 3, 4)
"""Weeks ahead that are learned; later ones are answered as the last, with their own calendar and promotions."""
FIRST_ORIGIN = 4
"""Weeks of history below which no row is made."""
ENOUGH_ROWS = 200_000
"""Where the last origins give fewer rows than this, earlier ones are learned from too: a shop of few items has few."""
FEWEST_ROWS = 10
"""Rows below which there is nothing to learn from."""
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
    units    [r] float32 units per wholly available week, over the season's share of it
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

        Where they are fewer than ENOUGH_ROWS before any is left out, of earlier origins as well.

        Raises NothingToLearn where none of them has a sale, or there are hardly any.
        """
        weeks = Weeks.of(panel, 0)
        first = panel.n_days - weeks.n_weeks * WEEK
        names: tuple[str, ...] = ()
        blocks, units, levels, seen = [], [], [], 0
        earliest = weeks.n_weeks - max(PACE_DAYS // WEEK, origins) if panel.pace else 0  # of before, survivors are left
        for origin in range(weeks.n_weeks - 1, max(earliest, FIRST_ORIGIN) - 1, -1):
            if weeks.n_weeks - 1 - origin >= origins and seen >= ENOUGH_ROWS:
                break
            aheads = [ahead for ahead in AHEAD if origin + ahead <= weeks.n_weeks]
            usual = level(weeks, origin)
            forecast_then = (weeks.exposure[:, :origin].sum(axis=1) > 1) & panel.regular(first + origin * WEEK)
            for ahead, rows in zip(aheads, week_rows(panel, weeks, codes, origin, aheads), strict=True):
                turn = (np.arange(panel.n_series) + origin + ahead) % thin == 0
                answered = forecast_then & (weeks.exposure[:, origin + ahead - 1] > 0)
                seen += int(answered.sum())
                kept = answered & turn
                names = rows.names
                blocks.append(rows.values[kept])
                units.append(weeks.rate[kept, origin + ahead - 1])
                levels.append(usual[kept])
        if sum(map(len, units)) < FEWEST_ROWS or not any(block.any() for block in units):
            raise NothingToLearn(model, panel.n_days)
        told = f"{sum(map(len, units))} rows up to {panel.cutoff.astype(object):%-d %b %Y}"
        return cls(names, np.concatenate(blocks), np.concatenate(units), np.concatenate(levels), told)


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked of a model to forecast some weeks.

    values        for each week ahead, rows [n, F] under the names it knows
    levels        [n] the series' level now
    shares        [n, 7 K] what share of its week each day sells
    season        [K] how many times its usual each week sells
    ever_on_sale  [n] bool
    """

    values: list[Floats]
    levels: Floats
    shares: Doubles
    season: Floats
    ever_on_sale: NDArray[np.bool_]

    @classmethod
    def of(cls, panel: Panel, codes: dict[str, Codes], names: Sequence[str], n_weeks: int) -> "Asked":
        """Ask for the `n_weeks` weeks after the panel's cutoff."""
        weeks = Weeks.of(panel, n_weeks)
        values = []
        for place, rows in enumerate(week_rows(panel, weeks, codes, weeks.n_weeks, list(range(1, n_weeks + 1)))):
            block = rows.under(names)  # of promotions, the shop may know others by now than when it was trained
            block[:, names.index("ahead")] = min(place + 1, AHEAD[-1])
            values.append(block)
        return cls(
            values,
            level(weeks, weeks.n_weeks),
            weekday_shares(panel, frames.DEPARTMENT)[:, weekdays(panel.future_days(n_weeks * WEEK))] / WEEK,
            weeks.season[weeks.n_weeks :],
            np.asarray(weeks.exposure.any(axis=1)),
        )


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

    @abstractmethod
    def parted(self, values: Floats, levels: Floats, covariates: Collection[str]) -> Reasons:
        """Return what moves `answers`: where they start, and what each part of the columns adds [n]."""

    def daily_means(self, panel: Panel, days: int) -> Floats:
        """Answer week by week and spread each week over its days, as the item's department sells by weekday."""
        n_weeks = -(-days // WEEK)
        asked = Asked.of(panel, self.codes, self.names, n_weeks)
        weekly = np.empty((panel.n_series, n_weeks), dtype=np.float32)
        for place, values in enumerate(asked.values):
            usual = self.answers(values, asked.levels)
            weekly[:, place] = np.where(asked.ever_on_sale, usual * asked.season[place], 0.0)
        return (np.repeat(weekly, WEEK, axis=1) * asked.shares)[:, :days].astype(np.float32)

    def reasons(self, panel: Panel, days: int, rows: SomeRows = EVERY) -> Reasons:
        """Return what moves the sums of the first `days` days, of some rows."""
        asked = Asked.of(panel, self.codes, self.names, -(-days // WEEK))
        told = []
        for place, values in enumerate(asked.values):
            share = asked.shares[rows, place * WEEK : min((place + 1) * WEEK, days)].sum(axis=1, dtype=np.float64)
            week = self.parted(values[rows], asked.levels[rows], panel.covariates.keys())
            week = week.in_season(float(asked.season[place]))
            told.append(week.times(np.where(asked.ever_on_sale[rows], share, 0.0)))
        return Reasons.added(told)

    def settings(self) -> dict[str, Any]:
        """Return the labels in the order of their numbers."""
        return {"labels": {name: list(codes.names) for name, codes in self.codes.items()}}
