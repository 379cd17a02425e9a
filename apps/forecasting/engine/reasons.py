"""What moves a forecast, as each model tells it: units in parts that add up.

What adds up in logarithms is told in units by the logarithmic mean of Divisia's index (LMDI; B. W. Ang, Energy Policy
32, 2004): a part's share of the change from `a` to `b` is its logarithm times (b - a) / (log b - log a), so that
nothing is left over.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

SomeRows = slice | NDArray[np.int64]
EVERY: Final = slice(None)

STOCKOUTS: Final = "stockouts"
RECENT: Final = "recent_sales"
TREND: Final = "trend"
SEASON: Final = "season"
HOLIDAY: Final = "holiday"
KIND: Final = "kind"
TOTALS: Final = "totals"
SIMILAR: Final = "similar_items"
PARTS: Final = (STOCKOUTS, RECENT, TREND, SEASON, HOLIDAY, KIND, TOTALS, SIMILAR)
"""The parts that are not named after a covariate, in the order in which they are told."""

THEMES: Final = {
    **dict.fromkeys(("category_week", "category_month", "everyone_week", "everyone_month", "ahead"), TREND),
    **dict.fromkeys(("month_position", "day_of_month", "weekday"), SEASON),
    **dict.fromkeys(("holidays", "days_to_holiday", "holiday", "to_holiday"), HOLIDAY),
}
"""Feature -> what it is a part of. What is not here, nor named after a covariate or a label, tells of RECENT sales."""
COVARIATE_ENDINGS: Final = (
    *("now", "against_usual", "last", "mean_4", "mean_8", "mean_26", "without", "uplift"),
    *("ahead", "ahead_change", "week_before", "usual", "then", "change", "wait", "since"),
)
"""How features end that tell of a covariate, week by week or day by day."""


@dataclass(frozen=True, eq=False)
class Reasons:
    """What a model starts from and what moves it, in units [n]: `base` and all `parts` add up to its forecast."""

    base: Doubles
    parts: Mapping[str, Doubles]

    @classmethod
    def mean(cls, several: Sequence["Reasons"]) -> "Reasons":
        """Return the reasons for the mean of several forecasts."""
        none = np.zeros_like(several[0].base)
        named = dict.fromkeys(name for each in several for name in each.parts)
        return cls(
            np.mean([each.base for each in several], axis=0),
            {name: np.mean([each.parts.get(name, none) for each in several], axis=0) for name in named},
        )

    @classmethod
    def added(cls, several: Sequence["Reasons"]) -> "Reasons":
        """Return the reasons for the sum of several forecasts."""
        return cls.mean(several).times(float(len(several)))

    @classmethod
    def joined(cls, several: Sequence["Reasons"]) -> "Reasons":
        """Return the reasons for the forecasts of some series after those of others, told in the same parts."""
        return cls(
            np.concatenate([each.base for each in several]),
            {name: np.concatenate([each.parts[name] for each in several]) for name in several[0].parts},
        )

    def in_season(self, factor: float) -> "Reasons":
        """Return the reasons for a forecast that is so many times as large by the season of the year."""
        change = np.sum([self.base, *self.parts.values()], axis=0) * (factor - 1)
        return Reasons(self.base, {**self.parts, SEASON: self.parts.get(SEASON, 0.0) + change})

    def times(self, factor: Doubles | float) -> "Reasons":
        """Return the reasons for a forecast that is so many times as large ([n], or the same for all)."""
        return Reasons(self.base * factor, {name: part * factor for name, part in self.parts.items()})


def theme_of(column: str, covariates: Collection[str], labels: Collection[str]) -> str:
    """Return the part that a feature belongs to: a covariate's name, KIND for a label, or one of THEMES."""
    told = [name for name in covariates if column in {f"{name}_{ending}" for ending in COVARIATE_ENDINGS}]
    if told:
        return max(told, key=len)
    return KIND if column in labels else THEMES.get(column, RECENT)


def by_theme(
    values: Doubles, columns: Sequence[str], covariates: Collection[str], labels: Collection[str]
) -> dict[str, Doubles]:
    """Return the sums [n] of the columns [n, F] that belong to each part."""
    themes = np.array([theme_of(column, covariates, labels) for column in columns])
    return {str(theme): values[:, themes == theme].sum(axis=1) for theme in np.unique(themes)}


def in_units(start: Doubles, logs: Mapping[str, Doubles]) -> Reasons:
    """Return what each part adds to `start` [n], above 0, where their logs [n] add up (LMDI; see above)."""
    change = np.sum([np.zeros_like(start), *logs.values()], axis=0)
    some = np.abs(change) > 1e-8
    mean = np.where(some, np.expm1(change) / np.where(some, change, 1.0), 1.0)
    return Reasons(start, {name: start * mean * log for name, log in logs.items()})
