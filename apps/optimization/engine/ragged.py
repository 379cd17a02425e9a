"""Rows of unequal length laid end to end: row i of `flat` stands at start[i] .. start[i + 1]."""

from __future__ import annotations

import numpy as np

from apps.optimization.engine.frames import Ints


def starts(lengths: Ints) -> Ints:
    """Where each row begins, and after the last one the end of all: [n + 1]."""
    start = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=start[1:])
    return start


def spans(first: Ints, lengths: Ints) -> Ints:
    """The whole numbers first[i] .. first[i] + lengths[i] of each row, end to end."""
    start = starts(lengths)
    return np.arange(start[-1]) + np.repeat(first - start[:-1], lengths)
