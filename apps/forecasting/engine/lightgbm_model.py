"""Boosted trees over all series at once, week by week.

The loss is Tweedie's, the likelihood of many zeros and a long tail. Tails are fitted on weeks that the trees had not
seen.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import Artifact, NotFitted, OnProgress, Panel
from apps.forecasting.engine.boosting import Trees, grow_trees, read_trees
from apps.forecasting.engine.reasons import Reasons, by_theme, in_units
from apps.forecasting.engine.trained import Knob, Trained
from apps.forecasting.engine.weekly import KIND_LABELS, Lessons, WeekByWeek, kind_codes, told_codes

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(eq=False)
class WeeklyTrees(WeekByWeek):
    """Grown trees."""

    trees: Trees
    threads: int

    def answers(self, values: Floats, levels: Floats) -> Doubles:
        """Return the trees' multiples of the levels."""
        answers: Doubles = np.exp(self.trees.logs(values, self.threads) + np.log(levels))
        return answers

    def parted(self, values: Floats, levels: Floats, covariates: Collection[str]) -> Reasons:
        """Return Shapley's values of the logs, in units."""
        logs = self.trees.contributions(values)
        start = np.exp(logs[:, -1] + np.log(levels.astype(np.float64)))
        return in_units(start, by_theme(logs[:, :-1], self.names, covariates, KIND_LABELS))

    def files(self) -> Artifact:
        """Return the trees."""
        return self.trees.files()


@dataclass(eq=False)
class LightGBM(Trained):
    """Global, direct, probabilistic gradient boosting on weekly rates, spread over days by weekday.

    rounds, learning_rate, leaves, rows_in_leaf   as LightGBM means them
    tweedie_power   1 is Poisson's variance, 2 the gamma's
    origins         weeks to stand after when making rows, counted back from the cutoff; more where rows are few
    thin            of each `thin` (series, origin, week ahead) one is a row: more origins for the same work
    """

    name: ClassVar[str] = "lightgbm"
    family: ClassVar[str] = "trees"
    complexity: ClassVar[int] = 10
    knobs: ClassVar[Mapping[str, Knob]] = {
        "rounds": Knob(60, 240, by_factors=True),
        "learning_rate": Knob(0.02, 0.2, by_factors=True),
        "leaves": Knob(7, 48, by_factors=True),
        "rows_in_leaf": Knob(20, 1000, by_factors=True),
        "tweedie_power": Knob(1.05, 1.7),
        "origins": Knob(10, 30),
    }

    rounds: int = 200
    learning_rate: float = 0.06
    leaves: int = 31
    rows_in_leaf: int = 200
    tweedie_power: float = 1.3
    origins: int = 20
    thin: int = 1

    def grow(self, panel: Panel, thin: int, on_progress: OnProgress) -> WeeklyTrees:
        """Grow trees on the weeks of the last `origins` origins."""
        codes = kind_codes(panel)
        lessons = Lessons.of(panel, codes, self.origins, thin * self.thin, self.name)
        trees = grow_trees(
            lessons.values,
            lessons.units,
            lessons.names,
            kinds=KIND_LABELS,
            base=np.log(lessons.levels),
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
            told=f"LightGBM: {lessons.told}",
            on_progress=on_progress,
        )
        return WeeklyTrees(codes, trees.names, trees, self.threads)

    @classmethod
    def read(cls, files: Mapping[str, bytes], settings: Mapping[str, Any]) -> WeeklyTrees:
        """Return the trees and labels that `WeeklyTrees` told."""
        trees = read_trees(files, cls.name)
        return WeeklyTrees(told_codes(settings), trees.names, trees, settings["parameters"]["threads"])

    def importance(self) -> dict[str, float]:
        """Return each feature's share of the loss that splits on it took away, largest first."""
        if not isinstance(self.grown_, WeeklyTrees):
            raise NotFitted(f"{self.name} has not been fitted.")
        return self.grown_.trees.importance()
