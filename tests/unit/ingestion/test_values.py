"""Numbers and dates in any common way of writing mean what a person would read."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ingestion.adapters import samples, values

NEW_YORK = "America/New_York"


def number(text: str, style: str = "point") -> float | None:
    parsed, bad = values.numbers(values.texts(pa.array([text])), style)
    assert bad[0] == (parsed[0].as_py() is None and text.strip() != "")
    found: float | None = parsed[0].as_py()
    return found


def moment(text: str, order: str = "mdy", zone: str = NEW_YORK) -> dt.datetime | None:
    parsed, bad = values.moments(values.texts(pa.array([text])), order, zone)
    assert bad[0] == (parsed[0].as_py() is None and text.strip() != "")
    found: dt.datetime | None = parsed[0].as_py()
    return found


@pytest.mark.parametrize(("text", "meant"), [
    ("12", 12), (" 3.50 ", 3.5), ("-2", -2), ("+7", 7), (".5", 0.5), ("1,234.50", 1234.5), ("1,234,567", 1234567),
    ("€ 3.20", 3.2), ("$1,000", 1000), ("(4.50)", -4.5), ("12-", -12), ("1 234.5", 1234.5), ("3.20 EUR", 3.2),
    ("", None), ("abc", None), ("1e5", None), ("1,23", None), ("12,34,567", None), ("1.2.3", None), ("--1", None),
    ("NaN", None), ("inf", None), ("two", None),
])
def test_numbers_with_a_decimal_point(text: str, meant: float | None) -> None:
    assert number(text) == meant


@pytest.mark.parametrize(("text", "meant"), [
    ("12", 12), ("3,50", 3.5), ("1.234,50", 1234.5), ("1.234.567", 1234567), ("3,20 €", 3.2), ("-0,5", -0.5),
    ("1.234", 1234), ("1.5", None), ("1,234.50", None), ("drei", None),
])
def test_numbers_with_a_decimal_comma(text: str, meant: float | None) -> None:
    assert number(text, "comma") == meant


@given(st.decimals(min_value=-10**9, max_value=10**9, places=4))
def test_a_number_written_in_either_style_is_the_same(value: Decimal) -> None:
    point = f"{value:,.4f}"
    comma = point.translate(str.maketrans(",.", ".,"))
    assert number(point) == number(comma, "comma") == float(value)


@pytest.mark.parametrize("text", [
    "2017-03-04T15:30:00-05:00", "2017-03-04 15:30:00 -0500", "2017-03-04T20:30:00Z", "2017-03-04 20:30:00 UTC",
    "2017-03-04 15:30", "2017-03-04T15:30:00", "3/4/2017 15:30", "03/04/2017 3:30 PM", "3/4/17 3:30pm",
    "4.3.2017 15:30", "04.03.2017, 15:30:00", "2017/3/4 15:30", "2017年3月4日 15:30", "4 March 2017 15:30",
    "March 4, 2017 3:30 PM", "4. März 2017 15:30", "4 de marzo de 2017 15:30", "4 mars 2017 15:30",
    "Mar 4, 2017 3:30 PM",
])
def test_one_moment_in_many_hands(text: str) -> None:
    assert moment(text) == dt.datetime(2017, 3, 4, 20, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize("text", ["2017-02-30", "31/31/2017", "13/13/2017", "2017-13-01 10:00", "yesterday", "43101",
                                  "25:00", "2017-11-31 10:00:00 -0500", "30.02.2017", "5 Foo 2017"])
def test_what_is_no_day_is_no_moment(text: str) -> None:
    assert moment(text) is None


def test_the_order_of_day_and_month_is_the_files_own() -> None:
    assert moment("3/4/2017", "mdy") == dt.datetime(2017, 3, 4, 5, tzinfo=dt.UTC)
    assert moment("3/4/2017", "dmy") == dt.datetime(2017, 4, 3, 4, tzinfo=dt.UTC)
    assert moment("13/4/2017", "mdy") is None


@given(st.datetimes(dt.datetime(1995, 1, 1), dt.datetime(2030, 1, 1)),
       st.sampled_from([NEW_YORK, "Asia/Shanghai", "UTC"]))
def test_a_local_time_is_the_tenants_own(when: dt.datetime, zone: str) -> None:
    when = when.replace(microsecond=0)
    meant = when.replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
    if meant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != when:
        return  # an hour that the clocks leave out
    for text in (when.isoformat(), f"{when:%m/%d/%Y %H:%M:%S}", f"{when:%d.%m.%Y %H:%M:%S}"):
        assert moment(text, "mdy", zone) == meant


def test_a_bad_value_among_good_ones_spoils_only_itself() -> None:
    parsed, bad = values.moments(values.texts(pa.array(["2017-01-01", "2017-02-30", "", "2017-01-02"])), "mdy", "UTC")
    assert [each.as_py() and each.as_py().day for each in parsed] == [1, None, None, 2]
    assert bad.tolist() == [False, True, False, False]


@pytest.mark.parametrize(("given_values", "delimiter", "style", "is_unclear"), [
    (["1.50", "2.75"], ",", "point", False), (["1,50", "2,75"], ";", "comma", False),
    (["1.234,50"], ",", "comma", False), (["1,234.50"], ";", "point", False), (["1,234"], ",", "point", True),
    (["1.234"], ";", "comma", True), (["12", "5"], ",", "point", False), (["1,5", "1.5"], ",", "point", True),
])
def test_the_style_of_numbers_is_seen_or_asked(given_values: list[str], delimiter: str, style: str,
                                               is_unclear: bool) -> None:
    assert samples.number_style(given_values, delimiter) == (style, is_unclear)


@pytest.mark.parametrize("usual", ["dmy", "mdy"])
@pytest.mark.parametrize(("given_values", "order", "is_unclear"), [
    (["25/12/2017", "1/2/2017"], "dmy", False), (["12/25/2017"], "mdy", False),
    (["1/2/2017", "3/4/2017"], "the usual", True), (["2017-01-02"], "the usual", False),
    (["25/12/2017", "12/25/2017"], "the usual", True), (["25/12/2017", "12/25/2017", "12/26/2017"], "mdy", True),
])
def test_the_order_of_dates_is_seen_or_asked(given_values: list[str], order: str, is_unclear: bool,
                                             usual: str) -> None:
    assert samples.date_order(given_values, usual) == (usual if order == "the usual" else order, is_unclear)
