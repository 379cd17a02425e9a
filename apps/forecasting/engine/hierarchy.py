"""The M5 competition's errors: scaled by how sales move from one day to the next, of items and of their totals.

Makridakis, Spiliotis, Assimakopoulos (2022), "M5 accuracy competition: Results, findings, and conclusions",
International Journal of Forecasting 38(4): of a series or an aggregate of series,

    RMSSE = sqrt(mean of squared errors / mean of squared differences of one day and the day before)

where the differences are those before the cutoff, from the first sale on. WRMSSE is, of each level of a hierarchy, the
mean weighted by money, and then the plain mean of the levels. A day on which a series could not be bought, or that is
not known, is no zero: it adds to no aggregate, neither to its errors nor to its differences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Level:
    """Aggregates of series, side by side.

    group  [n] which of them each series belongs to, 0 to k - 1
    scale  [k] mean squared difference of one day and the day before; 0 where sales never moved
    money  [k] what they weigh
    """

    group: Places
    scale: Doubles
    money: Doubles

    def rmsse(self, error: Doubles, known: Bools) -> Doubles:
        """Return the root mean squared scaled error of each aggregate [k]; NaN where there is nothing to scale by.

        error  [n, H] forecast less sold, 0 on days that are not known
        known  [n, H] whether the day is known; of an aggregate, whether it is of any of its series
        """
        squared = (_gathered(np.add, error, self.group) ** 2).sum(axis=1)
        days = _gathered(np.logical_or, known, self.group).sum(axis=1)
        found = np.full(len(self.scale), np.nan)
        np.divide(squared, days * self.scale, out=found, where=days * self.scale > 0)
        roots: Doubles = np.sqrt(found)
        return roots


def hierarchy(
    sales: Floats, available: Bools, money: Doubles, labels: Sequence[NDArray[np.str_]] = ()
) -> tuple[Level, ...]:
    """Return the levels from each series by itself, over their labels, to the total of all.

    sales, available  [n, T] days before the cutoff: units, and whether they are known
    money             [n] what each series weighs
    labels            [n] each; what has the same label has the same label at all levels after it
    """
    n = len(sales)
    stepped = available[:, 1:] & available[:, :-1]
    step: Doubles = np.where(stepped, np.diff(sales, axis=1), 0.0).astype(np.float64)
    begun = np.logical_or.accumulate(sales[:, :-1] > 0, axis=1)
    groups = [np.arange(n), *(np.unique(each, return_inverse=True)[1] for each in labels), np.zeros(n, dtype=np.int64)]
    places = groups[0]  # a series of each aggregate of the level below
    levels = []
    for group in groups if n else ():
        above = group[places]
        step, money = _gathered(np.add, step, above), _gathered(np.add, money, above)
        stepped, begun = _gathered(np.logical_or, stepped, above), _gathered(np.logical_or, begun, above)
        live = stepped & begun
        squared = np.square(step).sum(axis=1, where=live)
        levels.append(Level(group, squared / np.maximum(live.sum(axis=1), 1), money))
        places = np.unique(group, return_index=True)[1]
    return tuple(levels)


def wrmsse(levels: Sequence[Level], error: Doubles, known: Bools) -> float:
    """Return the weighted error of a hierarchy; what has no error weighs nothing, NaN where a level has no other."""
    found = [_weighted(level.rmsse(error, known), level.money) for level in levels]
    return sum(found) / len(found) if found else np.nan


def _weighted(error: Doubles, money: Doubles) -> float:
    weight = np.where(np.isnan(error), 0.0, money)
    total = float(weight.sum())
    return float(np.nansum(error * weight) / total) if total > 0 else np.nan


def _sorted(values: NDArray[Any], group: Places) -> tuple[NDArray[Any], Places]:
    """Return rows with those of a group side by side, and where each group begins."""
    if (np.diff(group) >= 0).all():
        return values, np.flatnonzero(np.diff(group, prepend=-1))
    order = np.argsort(group, kind="stable")
    return values[order], np.flatnonzero(np.diff(group[order], prepend=-1))


def _gathered(how: np.ufunc, values: NDArray[Any], group: Places) -> NDArray[Any]:
    """Return the rows of each group made one."""
    rows, starts = _sorted(values, group)
    return rows if len(starts) == len(rows) else np.asarray(how.reduceat(rows, starts, axis=0))
