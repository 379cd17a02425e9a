"""What the engine asks of demand: sample paths, a block of items at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from apps.optimization.engine.frames import Floats, InputError, Ints

Paths = NDArray[np.integer[Any]]


class Demand(Protocol):
    """Sample paths of daily demand.

    Day 0 is the planning day itself, not yet sold: with sales known up to a cutoff, the planning day is the day after.
    """

    @property
    def n_paths(self) -> int: ...

    @property
    def days(self) -> int:
        """How many days ahead paths reach."""

    def paths(self, rows: Ints, days: int) -> Paths:
        """Whole units [len(rows), n_paths, days] for these rows of the items frame.

        The same row gives the same paths in whatever block it is asked for.
        """


@dataclass(frozen=True)
class ArrayDemand:
    """Paths that are all in memory: whole units [n, P, D]."""

    array: Paths

    @property
    def n_paths(self) -> int:
        return int(self.array.shape[1])

    @property
    def days(self) -> int:
        return int(self.array.shape[2])

    def paths(self, rows: Ints, days: int) -> Paths:
        return self.array[rows, :, :days]


@dataclass(frozen=True)
class DrawnDemand:
    """Paths that a function draws block by block: `draw(rows, days) -> units [len(rows), n_paths, days]`."""

    draw: Callable[[Ints, int], Paths]
    n_paths: int
    days: int

    def paths(self, rows: Ints, days: int) -> Paths:
        return self.draw(rows, days)


@dataclass(frozen=True)
class IndependentDemand:
    """Paths whose days are independent: Poisson, or negative binomial where `shape` is given.

    mean: units a day [n, D]; shape: [n], the variance is mean + mean**2 / shape.
    """

    mean: Floats
    n_paths: int = 200
    seed: int = 0
    shape: Floats | None = None

    @property
    def days(self) -> int:
        return int(self.mean.shape[1])

    def paths(self, rows: Ints, days: int) -> Paths:
        drawn = np.empty((len(rows), self.n_paths, days), dtype=np.int32)
        for place, row in enumerate(rows):
            generator = np.random.default_rng((self.seed, int(row)))
            mean = np.broadcast_to(self.mean[row], (self.n_paths, self.days))
            if self.shape is not None:
                mean = generator.gamma(self.shape[row], mean / self.shape[row])
            drawn[place] = generator.poisson(mean)[:, :days]
        return drawn


def checked_paths(demand: Demand, rows: Ints, days: int) -> Paths:
    """A block of paths, or an InputError that says what is wrong with it."""
    block = np.asarray(demand.paths(rows, days))
    expected = (len(rows), demand.n_paths, days)
    if block.shape != expected:
        raise InputError([f"demand: a block of shape {block.shape} came where {expected} was asked for."])
    if not np.issubdtype(block.dtype, np.integer):
        raise InputError([f"demand: paths are {block.dtype}; they must be whole units."])
    if block.size and block.min() < 0:
        raise InputError(["demand: a path holds a day below zero."])
    return block
