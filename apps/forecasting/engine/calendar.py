"""What a calendar knows of a day, and nothing else does: weekday, place in the month, public holidays by country."""

from collections.abc import Iterable

import holidays
import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]

EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday; Monday is 0."""


class UnknownCountry(ValueError):
    """The `holidays` library knows no country by this code."""


def weekdays(days: Days) -> NDArray[np.int64]:
    """Return the weekday of each day, Monday 0 to Sunday 6, in the shape of `days` (datetime64[D])."""
    return (days.astype("datetime64[D]").astype(np.int64) + EPOCH_WEEKDAY) % 7


def month_position(days: Days) -> NDArray[np.float32]:
    """Return how far into its month each day is: 0 on the first, just under 1 on the last."""
    months = days.astype("datetime64[M]")
    first = months.astype("datetime64[D]")
    length = (months + 1).astype("datetime64[D]") - first
    passed = (days.astype("datetime64[D]") - first).astype(np.float32)
    position: NDArray[np.float32] = passed / length.astype(np.float32)
    return position


def public_holidays(days: Days, country: str | None) -> NDArray[np.bool_]:
    """Return which days are public holidays in `country` (ISO 3166-1 alpha-2; none where it is None).

    Raises UnknownCountry for a code that the `holidays` library does not have.
    """
    if country is None or not len(days):
        return np.zeros(len(days), dtype=bool)
    years: Iterable[int] = range(int(str(days.min())[:4]), int(str(days.max())[:4]) + 1)
    try:
        known = holidays.country_holidays(country, years=years)
    except NotImplementedError as error:
        raise UnknownCountry(f"No public holidays are known for the country code {country!r}.") from error
    return np.isin(days.astype("datetime64[D]"), np.array(sorted(known), dtype="datetime64[D]"))


def days_to_holiday(days: Days, country: str | None, *, at_most: int = 14) -> NDArray[np.float32]:
    """Return the days from each day to the next public holiday (0 on one), never more than `at_most`."""
    if not len(days):
        return np.zeros(0, dtype=np.float32)
    span = np.arange(days.min(), days.max() + np.timedelta64(at_most + 1, "D"), dtype="datetime64[D]")
    holiday_days = span[public_holidays(span, country)]
    if not len(holiday_days):
        return np.full(len(days), at_most, dtype=np.float32)
    following = np.searchsorted(holiday_days, days.astype("datetime64[D]"))
    has_next = following < len(holiday_days)
    next_day = holiday_days[np.minimum(following, len(holiday_days) - 1)]
    wait = (next_day - days.astype("datetime64[D]")).astype(np.int64)
    return np.where(has_next, np.minimum(wait, at_most), at_most).astype(np.float32)
