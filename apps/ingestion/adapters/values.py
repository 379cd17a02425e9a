"""Values as they stand in files, a column at a time: numbers, moments and words of any common way of writing."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_PLAIN_NUMBER = r"^-?\d{1,12}(\.\d{1,6})?$"
_NUMBER = r"^[+-]?(\d{1,15}(\.\d{0,12})?|\.\d{1,12})$"
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.]\d{1,6})?)?)?$"
_ISO_ZONED = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.]\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)$"
_PARTED = (r"^(?P<a>\d{1,4})(?P<s>[./-])(?P<b>\d{1,2})[./-](?P<c>\d{1,4})"
           r"(?:[ ,T]+(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<x>\d{2})(?:[.,]\d+)?)?\s*(?P<p>[AaPp][.]?[Mm][.]?)?)?$")
_MONTHS = {name: number for number, names in enumerate((
    "jan january januar jänner janvier enero ene", "feb february februar février fév febrero",
    "mar march märz mär mrz mars marzo", "apr april avril avr abril abr", "may mai mayo",
    "jun june juni juin junio", "jul july juli juillet juil julio", "aug august août aou agosto ago",
    "sep sept september septembre septiembre", "oct october oktober okt octobre octubre",
    "nov november novembre noviembre", "dec december dezember dez décembre déc diciembre dic"), start=1)
    for name in names.split()}
_NAMED = re.compile(r"^(?:[^\W\d_]+,?\s+)?(?:(?P<d1>\d{1,2})[.\s-]+(?:de\s+)?(?P<m1>[^\W\d_]+)[.,]?[\s-]+(?:de\s+)?|"
                    r"(?P<m2>[^\W\d_]+)[.]?\s+(?P<d2>\d{1,2})(?:st|nd|rd|th)?,?\s+)(?P<y>\d{4})"
                    r"(?:[ ,T]+(?:at\s+)?(?P<t>\d{1,2}:\d{2}(?::\d{2})?)\s*(?P<p>[AaPp][Mm])?)?$")


def texts(column: pa.StringArray) -> pa.StringArray:
    """Values without blanks around them; an empty one is null."""
    trimmed = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def mask(values: pa.Array) -> Mask:
    """A boolean column as a mask; null is False."""
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)


def by_distinct(column: pa.Array, parse: Callable[[pa.Array], list[pa.Array]]) -> list[pa.Array]:
    """Parse each distinct value once, and give every row its own."""
    encoded = column.dictionary_encode()
    return [pc.take(result, encoded.indices) for result in parse(encoded.dictionary)]


def numbers(column: pa.StringArray, style: str) -> tuple[pa.DoubleArray, Mask]:
    """Numbers, and which of the values are none. `style` is "point" (1,234.56) or "comma" (1.234,56)."""
    parsed, bad = by_distinct(column, lambda values: _numbers(values, style))
    return parsed, mask(bad)


def _numbers(values: pa.StringArray, style: str) -> list[pa.Array]:
    is_plain = pc.match_substring_regex(values, _PLAIN_NUMBER)
    if style == "comma" or pc.all(pc.fill_null(is_plain, True)).as_py() is False:
        cleaned = pc.replace_substring_regex(values, r"[\s  ']|[$€£¥￥₹]|(?i:usd|eur|gbp|cny|rmb|chf|cad|aud)", "")
        cleaned = pc.replace_substring_regex(cleaned, r"^\((.*)\)$", r"-\1")
        cleaned = pc.replace_substring_regex(cleaned, r"^([\d.,]+)-$", r"-\1")
        if style == "comma":
            # A thousands point stands before three digits; any other point is a decimal one and no number here.
            grouped = pc.match_substring_regex(cleaned, r"^[+-]?\d{1,3}(\.\d{3})*(,\d*)?$|^[+-]?\d+(,\d*)?$")
            cleaned = pc.if_else(grouped, pc.replace_substring(pc.replace_substring(cleaned, ".", ""), ",", "."),
                                 pa.scalar("no", pa.string()))
        else:
            grouped = pc.match_substring_regex(cleaned, r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$")
            cleaned = pc.if_else(grouped, pc.replace_substring(cleaned, ",", ""), cleaned)
    else:
        cleaned = values
    is_number = pc.match_substring_regex(cleaned, _NUMBER)
    kept = pc.if_else(is_number, pc.replace_substring_regex(cleaned, r"^\+", ""), pa.scalar(None, pa.string()))
    return [pc.cast(kept, pa.float64()), pc.and_not(pc.is_valid(values), pc.fill_null(is_number, False))]


_CLOCK = r":|\dT\d"
_TO_ITS_CLOSE = np.timedelta64(24 * 60 * 60 - 1, "s")


def moments(column: pa.StringArray, order: str, zone: str, *,
            is_closing: bool = False) -> tuple[pa.TimestampArray, Mask]:
    """Moments in UTC, and which of the values are none.

    `order` says how 03/04/2017 is meant: "dmy" or "mdy". A moment without an offset is one of the time zone `zone`;
    a date alone is its midnight, or with `is_closing` the day's last second.
    """
    parsed, bad = by_distinct(column, lambda values: _moments(values, order, zone, is_closing))
    return parsed, mask(bad)


def _moments(values: pa.StringArray, order: str, zone: str, is_closing: bool) -> list[pa.Array]:
    count = len(values)
    text = pc.replace_substring_regex(values, r"\s*(UTC|GMT)$", "Z")
    text = pc.replace_substring_regex(text, r"\s+([+-]\d{2}:?\d{2})$", r"\1")
    text = pc.replace_substring_regex(text, r"\s*Uhr$", "")
    text = pc.replace_substring_regex(text, r"^((?:19|20)\d{2})([01]\d)([0-3]\d)$", r"\1-\2-\3")
    local = np.full(count, np.datetime64("NaT", "us"))
    absolute = np.full(count, np.datetime64("NaT", "us"))
    zoned = mask(pc.match_substring_regex(text, _ISO_ZONED))
    plain = mask(pc.match_substring_regex(text, _ISO))
    _cast_where(absolute, text, zoned, pa.timestamp("us", "UTC"))
    _cast_where(local, text, plain, pa.timestamp("us"))
    rest = ~zoned & ~plain & mask(pc.is_valid(text))
    if rest.any():
        chosen = pc.filter(text, pa.array(rest))
        chosen = pc.replace_substring_regex(chosen, r"^(\d{4})年(\d{1,2})月(\d{1,2})[日号]", r"\1-\2-\3")
        found = _parted(chosen, order)
        unknown = np.isnat(found)
        if unknown.any():
            found[unknown] = [_named_moment(each) for each in pc.filter(chosen, pa.array(unknown)).to_pylist()]
        local[rest] = found
    has_local = ~np.isnat(local)
    if is_closing:
        local[has_local & ~mask(pc.match_substring_regex(text, _CLOCK))] += _TO_ITS_CLOSE
    if has_local.any():
        moved = pc.assume_timezone(pa.array(local[has_local]), zone, ambiguous="earliest", nonexistent="latest")
        absolute[has_local] = pc.cast(moved, pa.timestamp("us")).to_numpy(zero_copy_only=False)
    bad = mask(pc.is_valid(values)) & np.isnat(absolute)
    return [pa.array(absolute, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")), pa.array(bad)]


def _cast_where(into: NDArray[np.datetime64], text: pa.StringArray, where: Mask, kind: pa.DataType) -> None:
    """Cast the values that look right; one that is no day of the calendar leaves its own place empty."""
    if not where.any():
        return
    chosen = pc.filter(text, pa.array(where))
    try:
        into[where] = pc.cast(pc.cast(chosen, kind), pa.timestamp("us")).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        into[where] = [_cast_one(each, kind) for each in chosen.to_pylist()]


@lru_cache(maxsize=100_000)
def _cast_one(text: str, kind: pa.DataType) -> np.datetime64:
    try:
        found = pa.scalar(text).cast(kind).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return np.datetime64("NaT", "us")
    return np.datetime64(found.value, "us")


def _parted(text: pa.StringArray, order: str) -> NDArray[np.datetime64]:
    """Days written as three numbers, with or without a time; NaT where they are none."""
    parts = pc.extract_regex(text, _PARTED)
    fits = mask(pc.is_valid(parts))

    def number(name: str, empty: int = 0) -> NDArray[np.int64]:
        found = pc.struct_field(parts, name)
        found = pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)
        return np.asarray(pc.fill_null(pc.cast(found, pa.int64()), empty).to_numpy(zero_copy_only=False))

    first, second, third = number("a"), number("b"), number("c")
    with_points = mask(pc.equal(pc.struct_field(parts, "s"), "."))
    leads_year = first > 31
    month_first = (order == "mdy") & ~with_points & ~leads_year
    year = np.where(leads_year, first, third)
    month = np.where(leads_year, second, np.where(month_first, first, second))
    day = np.where(leads_year, third, np.where(month_first, second, first))
    year = np.where(year < 100, year + 2000, year)
    hour, minute, second_of = number("h"), number("m"), number("x")
    half = pc.utf8_lower(pc.struct_field(parts, "p"))
    is_pm, is_am = mask(pc.starts_with(half, "p")), mask(pc.starts_with(half, "a"))
    sane_half = ~(is_pm | is_am) | ((hour >= 1) & (hour <= 12))
    hour = np.where(is_pm & (hour < 12), hour + 12, np.where(is_am & (hour == 12), 0, hour))
    fits &= ((month >= 1) & (month <= 12) & (day >= 1) & (year >= 1900) & (year < 2200) & (hour < 24) & (minute < 60)
             & (second_of < 60) & sane_half)
    months = (np.where(fits, year, 1970) - 1970) * 12 + np.where(fits, month, 1) - 1
    starts = months.astype("datetime64[M]")
    days = starts.astype("datetime64[D]") + (np.where(fits, day, 1) - 1)
    fits &= days.astype("datetime64[M]") == starts
    seconds = ((hour * 60 + minute) * 60 + second_of).astype("timedelta64[s]")
    found: NDArray[np.datetime64] = days.astype("datetime64[us]") + seconds
    found[~fits] = np.datetime64("NaT")
    return found


@lru_cache(maxsize=100_000)
def _named_moment(text: str) -> np.datetime64:
    """A day whose month is a word: 5 Jan 2017, January 5, 2017 3:20 PM, 5. März 2017."""
    nothing = np.datetime64("NaT", "us")
    found = _NAMED.match(text) if len(text) < 60 else None
    if found is None:
        return nothing
    month = _MONTHS.get((found["m1"] or found["m2"]).casefold())
    if month is None:
        return nothing
    hours = [int(part) for part in (found["t"] or "0:0").split(":")]
    if found["p"]:
        hours[0] = hours[0] % 12 + (12 if found["p"].lower() == "pm" else 0)
    clock = ":".join(f"{part:02d}" for part in [*hours, 0][:3])
    try:
        return np.datetime64(f"{found['y']}-{month:02d}-{int(found['d1'] or found['d2']):02d}T{clock}", "us")
    except ValueError:
        return nothing


def dates(column: pa.StringArray, order: str) -> tuple[pa.Date32Array, Mask]:
    """Days, and which of the values are none; of a moment, the day that it names."""
    bare = pc.replace_substring_regex(column, r"([T ]\d{1,2}:\d{2}.*)$", "")
    parsed, bad = moments(bare, order, "UTC")
    return pc.cast(parsed, pa.timestamp("us")).cast(pa.date32(), safe=False), bad


_YES = ("yes", "y", "true", "1", "x", "ja", "oui", "si", "sí", "是", "wahr", "vrai", "known", "ahead")


def flags(column: pa.StringArray) -> pa.BooleanArray:
    """Whether a value says yes; null where there is none."""
    return pc.is_in(pc.utf8_lower(column), value_set=pa.array(_YES)) if len(column) else pa.array([], pa.bool_())
