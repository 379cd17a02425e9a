"""The frames at the engine's door: their columns, and one plain sentence for each thing that can be wrong with them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

UNIQUE_ID: Final = "unique_id"
DS: Final = "ds"
Y: Final = "y"
AVAILABLE: Final = "available"
SOLD_OUT: Final = "sold_out"
CUTOFF: Final = "cutoff"

CATEGORY: Final = "category"
DEPARTMENT: Final = "department"
BRAND: Final = "brand"
PRICE: Final = "price"
START: Final = "start"

STATIC_LABELS: Final = (CATEGORY, DEPARTMENT, BRAND)
HELD: Final = frozenset({PRICE})
"""Covariates whose last known value holds until the next one; absent rows of all others mean zero."""

UNKNOWN_LABEL: Final = ""


class FrameError(ValueError):
    """A frame cannot be used; the message is one sentence that says which column and why."""


class NotEnoughHistory(ValueError):
    """There is too little history for what was asked; the message says how much there is and how much is needed."""

    def __init__(self, wanted_by: str, days: int, needed_days: int) -> None:
        self.days = days
        self.needed_days = needed_days
        super().__init__(f"{wanted_by} needs {needed_days} days of history and there are {days}.")


class NothingToLearn(NotEnoughHistory):
    """There are days enough, but nothing happened on them that a model could learn from."""

    def __init__(self, wanted_by: str, days: int) -> None:
        super().__init__(wanted_by, days, days)
        self.args = (f"{wanted_by} needs sales to learn from and the {days} days of history have none it can use.",)


def require_columns(frame: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    """Raise FrameError unless `frame` has every column in `columns`."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise FrameError(f"The {name} frame lacks the column {', '.join(missing)}.")


def clean_ids(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return `unique_id` as text; raise FrameError where one is missing."""
    require_columns(frame, [UNIQUE_ID], name)
    if frame[UNIQUE_ID].isna().any():
        raise FrameError(f"The {name} frame has {int(frame[UNIQUE_ID].isna().sum())} rows without a unique_id.")
    return frame[UNIQUE_ID].astype(str)


def clean_days(frame: pd.DataFrame, name: str) -> NDArray[np.datetime64]:
    """Return `ds` as whole days (datetime64[D]) [rows]; raise FrameError for anything that is not a day."""
    require_columns(frame, [DS], name)
    column = frame[DS]
    if len(column) and not pd.api.types.is_datetime64_any_dtype(column.dtype):
        try:
            column = pd.to_datetime(column, format="ISO8601")
        except (ValueError, TypeError) as error:
            raise FrameError(f"The {name} frame has a ds that is not a date.") from error
    if column.isna().any():
        raise FrameError(f"The {name} frame has {int(column.isna().sum())} rows without a ds.")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        raise FrameError(f"The {name} frame has a ds with a time zone; give the shop's own days without one.")
    moments: NDArray[np.datetime64] = column.to_numpy(dtype="datetime64[ns]")
    days = moments.astype("datetime64[D]")
    if (days != moments).any():
        raise FrameError(f"The {name} frame has a ds with a time of day; give whole days.")
    return days


def clean_numbers(frame: pd.DataFrame, column: str, name: str) -> NDArray[np.float32]:
    """Return a column as float32 [rows], NaN where missing; raise FrameError for text and for infinities."""
    require_columns(frame, [column], name)
    try:
        values = frame[column].to_numpy(dtype=np.float32, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise FrameError(f"The {name} frame has a {column} that is not a number.") from error
    if np.isinf(values).any():
        raise FrameError(f"The {name} frame has an infinite {column}.")
    return values


def clean_covariate(frame: pd.DataFrame, column: str) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return a covariate [rows] and its words: none for numbers, else the values are places among them, 0 for no word.

    Raises FrameError for a column that is neither numbers nor words.
    """
    given = frame[column]
    if pd.api.types.is_numeric_dtype(given.dtype) or pd.api.types.is_bool_dtype(given.dtype):
        return clean_numbers(frame, column, "covariates"), ()
    if not all(value is None or isinstance(value, str | float) for value in given.dropna().unique()):
        raise FrameError(f"The covariates frame has a {column} that is neither numbers nor text.")
    text = given.astype(object).where(given.notna(), "").astype(str)
    places, words = pd.factorize(text, sort=True)
    if not len(words) or words[0] != "":
        return (places + 1).astype(np.float32), ("", *words)
    return places.astype(np.float32), tuple(words)


def refuse_repeats(rows: NDArray[np.int64], days: NDArray[np.int64], n_days: int, name: str) -> None:
    """Raise FrameError where a series has two rows for one day; `rows` and `days` are positions in the panel."""
    cells = rows * n_days + days
    repeated = len(cells) - len(np.unique(cells))
    if repeated:
        raise FrameError(f"The {name} frame has {repeated} rows that repeat a unique_id and ds.")
