"""Boosted trees over all series at once, week by week.

Each row asks what a series will sell in the n-th week from an origin (direct forecasts, the distance a feature), and
the trees answer as a multiple of the series' own level, so that big and small sellers teach each other. The loss is
Tweedie's, the likelihood of many zeros and a long tail. Tails are fitted on weeks that the trees had not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import Artifact, NotFitted, OnProgress, Panel
from apps.forecasting.engine.baselines import weekday_shares
from apps.forecasting.engine.boosting import Trees, grow_trees, read_trees
from apps.forecasting.engine.calendar import weekdays
from apps.forecasting.engine.features import Codes, Rows, Weeks, level, pooled_groups, rows_at
from apps.forecasting.engine.frames import NothingToLearn
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.trained import Trained

Floats = NDArray[np.float32]

AHEAD = (1, 2, 3, 4)
"""Weeks ahead that are learned; later ones are answered as the last, with their own calendar and promotions."""
FIRST_ORIGIN = 4
"""Weeks of history below which no row is made."""
KIND_LABELS = (frames.CATEGORY, frames.DEPARTMENT, frames.BRAND)


@dataclass(eq=False)
class WeeklyTrees:
    """Grown trees with the numbers they know the kinds of item by."""

    trees: Trees
    codes: dict[str, Codes]
    threads: int

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
        offset = np.log(level(weeks, origin))
        ever_on_sale = weeks.exposure.any(axis=1)
        means = np.empty((panel.n_series, n_weeks), dtype=np.float32)
        names = self.trees.names  # of promotions, the shop may know others by now than when it was trained
        blocks = week_rows(panel, weeks, self.codes, origin, list(range(1, n_weeks + 1)))
        for place, rows in enumerate(blocks):
            values = rows.under(names)
            values[:, names.index("ahead")] = min(place + 1, AHEAD[-1])
            means[:, place] = np.where(ever_on_sale, np.exp(self.trees.logs(values, self.threads) + offset), 0.0)
        return means

    def files(self) -> Artifact:
        """Return the trees."""
        return self.trees.files()

    def settings(self) -> dict[str, Any]:
        """Return the labels in the order of their numbers."""
        return {"labels": {name: list(codes.names) for name, codes in self.codes.items()}}


def week_rows(panel: Panel, weeks: Weeks, codes: dict[str, Codes], origin: int, aheads: list[int]) -> list[Rows]:
    """Return one block of rows for each week ahead of `origin`, kinds of item among the columns."""
    kinds = {name: known.of(panel.labels(name)) for name, known in codes.items()}
    return rows_at(weeks, origin, aheads, pooled_groups(panel), kinds)


@dataclass(eq=False)
class LightGBM(Trained):
    """Global, direct, probabilistic gradient boosting on weekly rates, spread over days by weekday.

    rounds, learning_rate, leaves, rows_in_leaf   as LightGBM means them
    tweedie_power   1 is Poisson's variance, 2 the gamma's
    origins         weeks to stand after when making rows, counted back from the cutoff
    thin            of each `thin` (series, origin, week ahead) one is a row: more origins for the same work
    """

    name: ClassVar[str] = "lightgbm"
    family: ClassVar[str] = "trees"
    complexity: ClassVar[int] = 10

    rounds: int = 200
    learning_rate: float = 0.06
    leaves: int = 31
    rows_in_leaf: int = 200
    tweedie_power: float = 1.3
    origins: int = 20
    thin: int = 1

    def grow(self, panel: Panel, thin: int, on_progress: OnProgress) -> WeeklyTrees:
        """Grow trees on the weeks of the last `origins` origins."""
        thin *= self.thin
        codes = {name: Codes.learn(panel.labels(name)) for name in KIND_LABELS}
        weeks = Weeks.of(panel, 0)
        blocks, targets, levels = [], [], []
        for origin in range(weeks.n_weeks - 1, max(weeks.n_weeks - 1 - self.origins, FIRST_ORIGIN - 1), -1):
            aheads = [ahead for ahead in AHEAD if origin + ahead <= weeks.n_weeks]
            usual = level(weeks, origin)
            on_sale = weeks.exposure[:, :origin].sum(axis=1) > 1
            for ahead, rows in zip(aheads, week_rows(panel, weeks, codes, origin, aheads), strict=True):
                turn = (np.arange(panel.n_series) + origin + ahead) % thin == 0
                kept = on_sale & turn & (weeks.exposure[:, origin + ahead - 1] > 0)
                names = rows.names
                blocks.append(rows.values[kept])
                targets.append(weeks.rate[kept, origin + ahead - 1])
                levels.append(usual[kept])
        if not blocks or not np.concatenate(targets).any():
            raise NothingToLearn(self.name, panel.n_days)
        trees = grow_trees(
            np.concatenate(blocks),
            np.concatenate(targets),
            names,
            kinds=KIND_LABELS,
            base=np.log(np.concatenate(levels)),
            settings={
                "tweedie_variance_power": self.tweedie_power,
                "learning_rate": self.learning_rate,
                "num_leaves": self.leaves,
                "min_data_in_leaf": self.rows_in_leaf,
                "feature_fraction": 0.6,
                "lambda_l2": 5.0,
                "max_bin": 127,
                "cat_smooth": 50.0,
                "min_data_per_group": self.rows_in_leaf,
                "num_threads": self.threads,
                "seed": self.seed,
            },
            rounds=self.rounds,
            told=f"LightGBM: {sum(map(len, targets)):,} rows up to {panel.cutoff.astype(object):%-d %b %Y}",
            on_progress=on_progress,
        )
        return WeeklyTrees(trees, codes, self.threads)

    @classmethod
    def read(cls, files: Mapping[str, bytes], settings: Mapping[str, Any]) -> WeeklyTrees:
        """Return the trees and labels that `WeeklyTrees` told."""
        codes = {name: Codes(tuple(labels)) for name, labels in settings["labels"].items()}
        return WeeklyTrees(read_trees(files, cls.name), codes, settings["parameters"]["threads"])

    def importance(self) -> dict[str, float]:
        """Return each feature's share of the loss that splits on it took away, largest first."""
        if not isinstance(self.grown_, WeeklyTrees):
            raise NotFitted(f"{self.name} has not been fitted.")
        return self.grown_.trees.importance()
