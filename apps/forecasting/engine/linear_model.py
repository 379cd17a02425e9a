"""Ridge regression over all series at once, week by week: a straight line through every feature, drawn towards none.

The line answers as a multiple of the series' level, and each lesson weighs as much as its level: that is the weight of
a count, whose variance grows with its mean, and it makes the multiples of a group add up to what the group sold.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import (
    Artifact,
    ArtifactError,
    NotFitted,
    OnProgress,
    Panel,
    read_arrays,
    write_arrays,
)
from apps.forecasting.engine.reasons import Reasons, by_theme
from apps.forecasting.engine.trained import Knob, Trained
from apps.forecasting.engine.weekly import KIND_LABELS, Lessons, WeekByWeek, kind_codes, told_codes

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

LINE = "line.npz"
FURTHEST = 6.0
"""A feature further from its mean than so many times its spread counts as so far."""
LARGEST_MULTIPLE = 10.0
AT_ONCE = 65_536
"""Rows worked on at once."""


@dataclass(eq=False)
class Line(WeekByWeek):
    """A line through features that were centred and scaled.

    centre, spread   [F] weighted mean and standard deviation of each column in the lessons; a missing value is at the
                     mean. The spread of a column that tells nothing, or is the number of a kind, is infinite: a line
                     makes no sense of such numbers
    coefficients     [F] what one spread more adds to the multiple
    intercept        the multiple where every feature is at its mean
    """

    centre: Doubles
    spread: Doubles
    coefficients: Doubles
    intercept: float

    def answers(self, values: Floats, levels: Floats) -> Doubles:
        """Return the line's multiples of the levels, none below 0 or above LARGEST_MULTIPLE."""
        multiples = scaled(values, self.centre, self.spread) @ self.coefficients + self.intercept
        answers: Doubles = np.clip(multiples, 0.0, LARGEST_MULTIPLE) * levels
        return answers

    def parted(self, values: Floats, levels: Floats, covariates: Collection[str]) -> Reasons:
        """Return each feature's coefficient times how far it is from its mean; of what was cut off, all alike."""
        weight = levels.astype(np.float64)
        added = scaled(values, self.centre, self.spread) * self.coefficients
        change = added.sum(axis=1)
        base = float(np.clip(self.intercept, 0.0, LARGEST_MULTIPLE))
        kept = np.clip(self.intercept + change, 0.0, LARGEST_MULTIPLE) - base
        share = np.divide(kept, change, out=np.zeros_like(change), where=change != 0)
        parts = by_theme(added * (share * weight)[:, None], self.names, covariates, KIND_LABELS)
        return Reasons(base * weight, parts)

    def files(self) -> Artifact:
        """Return the line."""
        arrays = {"centre": self.centre, "spread": self.spread, "coefficients": self.coefficients}
        return {LINE: write_arrays({**arrays, "intercept": np.array(self.intercept)})}

    def settings(self) -> dict[str, Any]:
        """Return the labels in the order of their numbers, and the columns."""
        return {**super().settings(), "names": self.names}


def scaled(values: Floats, centre: Doubles, spread: Doubles) -> Doubles:
    """Return rows [r, F] in spreads from the mean, 0 where missing, at most FURTHEST away."""
    finite = np.where(np.isfinite(values), values, centre)
    return np.clip((finite - centre) / spread, -FURTHEST, FURTHEST)


def centres(values: Floats, weights: Doubles) -> tuple[Doubles, Doubles]:
    """Return the weighted mean and standard deviation [F] of what is not missing; infinite where all is the same."""
    total, first, second = np.zeros((3, values.shape[1]))
    for part in _parts(len(values)):
        known = np.isfinite(values[part])
        weight = np.where(known, weights[part, None], 0.0)
        finite = np.where(known, values[part], 0.0).astype(np.float64)
        total += weight.sum(axis=0)
        first += (weight * finite).sum(axis=0)
        second += (weight * finite**2).sum(axis=0)
    share = 1 / np.maximum(total, 1e-12)
    centre = first * share
    variance = second * share - centre**2
    tells = variance > 1e-9 * np.maximum(second * share, 1.0)
    return centre, np.where(tells, np.sqrt(np.maximum(variance, 1e-12)), np.inf)


class LeastSquares:
    """The line with the least sum of weights * (targets - features @ coefficients - intercept)^2.

    Rows are added part by part, so that no more than a part of them is ever scaled at once.
    """

    def __init__(self, n_features: int) -> None:
        self.squares = np.zeros((n_features + 1, n_features + 1))  # the last column is the intercept's
        self.products = np.zeros(n_features + 1)

    def add(self, features: Doubles, targets: Doubles, weights: Doubles) -> None:
        """Take account of some rows: [r, F], [r] and [r]."""
        design = np.concatenate([features, np.ones((len(features), 1))], axis=1)
        weighed = design * weights[:, None]
        self.squares += weighed.T @ design
        self.products += weighed.T @ targets

    def solved(self, penalty: float) -> tuple[Doubles, float]:
        """Return coefficients [F] and intercept; `penalty` times all weights is put on each coefficient's square."""
        drawn = np.full(len(self.products), penalty * self.squares[-1, -1])
        drawn[-1] = 0.0
        found = np.linalg.solve(self.squares + np.diag(drawn), self.products).astype(np.float64)
        return found[:-1], float(found[-1])


def _parts(n_rows: int) -> list[slice]:
    return [slice(first, first + AT_ONCE) for first in range(0, n_rows, AT_ONCE)]


@dataclass(eq=False)
class Ridge(Trained):
    """Global, direct linear regression on weekly rates, spread over days by weekday.

    penalty  how hard coefficients are drawn to 0: as if so large a share of all weight said that they are
    origins  weeks to stand after when making rows, counted back from the cutoff; more where rows are few

    Nothing is drawn by chance: every seed gives the same line.
    """

    name: ClassVar[str] = "ridge"
    family: ClassVar[str] = "linear"
    complexity: ClassVar[int] = 5
    knobs: ClassVar[Mapping[str, Knob]] = {"penalty": Knob(1e-5, 0.1, by_factors=True), "origins": Knob(10, 40)}

    penalty: float = 0.001
    origins: int = 20

    def grow(self, panel: Panel, thin: int, on_progress: OnProgress) -> Line:
        """Solve the normal equations of the lessons."""
        codes = kind_codes(panel)
        lessons = Lessons.of(panel, codes, self.origins, thin, self.name)
        weights = lessons.levels.astype(np.float64)
        centre, spread = centres(lessons.values, weights)
        spread[[lessons.names.index(name) for name in KIND_LABELS]] = np.inf
        sums = LeastSquares(len(centre))
        parts = _parts(len(weights))
        for place, part in enumerate(parts):
            on_progress(place / len(parts), f"{self.name}: {lessons.told}")
            features = scaled(lessons.values[part], centre, spread)
            sums.add(features, lessons.units[part] / weights[part], weights[part])
        coefficients, intercept = sums.solved(self.penalty)
        on_progress(1.0, f"{self.name}: {lessons.told}")
        return Line(codes, list(lessons.names), centre, spread, coefficients, intercept)

    @classmethod
    def read(cls, files: Mapping[str, bytes], settings: Mapping[str, Any]) -> Line:
        """Return the line that `Line` told."""
        arrays, names = read_arrays(files, LINE, cls.name), [str(name) for name in settings["names"]]
        try:
            line = Line(
                told_codes(settings),
                names,
                arrays["centre"],
                arrays["spread"],
                arrays["coefficients"],
                float(arrays["intercept"]),
            )
        except KeyError as error:
            raise ArtifactError(f"The artifact of {cls.name} has a {LINE} that lacks {error}.") from error
        if not all(array.shape == (len(names),) for array in (line.centre, line.spread, line.coefficients)):
            raise ArtifactError(f"The artifact of {cls.name} has a {LINE} that does not fit its columns.")
        return line

    def coefficients(self) -> dict[str, float]:
        """Return what one spread more of each feature adds to the multiple of the level, the largest first."""
        if not isinstance(self.grown_, Line):
            raise NotFitted(f"{self.name} has not been fitted.")
        order = np.argsort(-np.abs(self.grown_.coefficients), kind="stable")
        return {self.grown_.names[place]: float(self.grown_.coefficients[place]) for place in order}
