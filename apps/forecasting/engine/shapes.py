"""Which items sell with the same shape of the week or the year, and what that shape is.

A shape is told of parts of a cycle: seven weekdays, twelve months. What an item sold in a part is compared with what it
would have sold there at an even pace, and drawn towards the shop's own shape as if it had sold PRIOR_UNITS in each part
that way (the posterior mean of a gamma-Poisson rate), so that few sales make no season. Logs of these indices are put
into a few clusters by k-means (Lloyd 1982; seeds as in Arthur and Vassilvitskii 2007). A cluster is named where its
peak is one stretch of the cycle; where it has none it is even; else it keeps no name.

One year is one witness: that something sold most in July does not say that it will again.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

Doubles = NDArray[np.float64]
Whole = NDArray[np.int64]

LEAST_UNITS: Final = 100.0
"""Units sold below which an item has no shape to be told."""
PRIOR_UNITS: Final = 20.0
LEAST_DAYS: Final = 5
"""Days of a part below which nothing is known of it."""
CLUSTERS: Final = 6
PEAK: Final = 1.2
"""Times an even pace from which a part belongs to the peak."""
SEED: Final = 1

EVEN, MOST, UNNAMED = "even", "most", ""


@dataclass(frozen=True)
class Shape:
    """The shape of one cluster: `index` times an even pace in each part, 0 where nothing is known.

    `kind` is EVEN, MOST (sold from the `first` part to the `last`, maybe over the end of the cycle) or UNNAMED; without
    such a peak both are -1.
    """

    kind: str
    first: int
    last: int
    index: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Shapes:
    """The clusters found, the largest first, and which of them each item is in [n]; -1 where it sold too little."""

    shapes: list[Shape]
    of_item: Whole


def shapes(units: Doubles, days: Doubles, clusters: int = CLUSTERS) -> Shapes:
    """Put items into clusters by shape.

    units [n, parts] sold in each part; days [n, parts] on which the item could be sold there: of days without stock, or
    before its first sale, nothing is known. A part in which no item
    had LEAST_DAYS is left out; an item needs LEAST_UNITS, and so many days in every other part.
    """
    of_item = np.full(len(units), -1)
    known = (days >= LEAST_DAYS).any(axis=0)
    enough = (units[:, known].sum(axis=1) >= LEAST_UNITS) & (days[:, known] >= LEAST_DAYS).all(axis=1)
    told = np.flatnonzero(enough)
    if not known.any() or not len(told):
        return Shapes([], of_item)
    index = np.zeros((len(told), units.shape[1]))
    index[:, known] = indices(units[told][:, known], days[told][:, known])
    points = np.log(index[:, known])
    wanted = min(clusters, len(np.unique(points.round(6), axis=0)))
    in_order = np.lexsort(points.T)  # so that it is all the same in which order items come
    label = np.empty(len(points), dtype=np.int64)
    label[in_order] = kmeans2(points[in_order], wanted, iter=100, minit="++", seed=SEED)[1]
    sizes = np.bincount(label, minlength=wanted)
    order = np.argsort(-sizes, kind="stable")
    of_item[told] = np.argsort(order)[label]
    filled = order[: np.count_nonzero(sizes)]
    return Shapes([named(index[label == cluster].mean(axis=0)) for cluster in filled], of_item)


def indices(units: Doubles, days: Doubles) -> Doubles:
    """Return how many times an even pace each item sells in each part [n, parts]; they average 1."""
    usual = units.sum(axis=0) / days.sum(axis=0)
    usual = np.maximum(usual / usual.mean(), 1e-3)
    pace = units.sum(axis=1) / (days * usual).sum(axis=1)
    index = (PRIOR_UNITS * usual + units) / (PRIOR_UNITS + pace[:, None] * days)
    return np.asarray(index / index.mean(axis=1, keepdims=True))


def named(index: Doubles) -> Shape:
    """Name a shape by its peak, where that is one stretch of at most half the cycle."""
    told = tuple(float(value) for value in index)
    high = index >= PEAK
    if not high.any():
        return Shape(EVEN if (index[index > 0] > 2 - PEAK).all() else UNNAMED, -1, -1, told)
    starts = np.flatnonzero(high & ~np.roll(high, 1))
    if len(starts) != 1 or 2 * np.count_nonzero(high) > len(index):
        return Shape(UNNAMED, -1, -1, told)
    first = int(starts[0])
    return Shape(MOST, first, (first + int(np.count_nonzero(high)) - 1) % len(index), told)
