"""A download is read by the spreadsheets of the shop's country as it was meant: no formula, no other number."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.tenants.downloads import Cell, csv_file
from apps.tenants.figures import NUMBERS, numbers_as


@pytest.mark.parametrize(("locale", "line"), [
    ("en-us", 'Käse,"a,b;",1234.5,-0.25,1000,,2017-12-04'), ("de-de", 'Käse;"a,b;";1234,5;-0,25;1000;;2017-12-04'),
    ("fr-fr", 'Käse;"a,b;";1234,5;-0,25;1000;;2017-12-04'), ("de-ch", 'Käse;"a,b;";1234.5;-0.25;1000;;2017-12-04'),
])
def test_a_file_has_the_shops_separator_and_decimal_mark(locale: str, line: str) -> None:
    rows: list[list[Cell]] = [["Käse", "a,b;", 1234.5, Decimal("-0.2500"), 1000, None, dt.date(2017, 12, 4)]]
    with numbers_as(locale):
        lines = csv_file(rows * 2)
    assert b"".join(lines) == f"\ufeff{line}\r\n{line}\r\n".encode(), "though it is read when the page is over"


@example(["\r0"], "de-ch")
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1),
       st.sampled_from(sorted(NUMBERS)))
def test_no_text_is_a_formula_and_each_comes_back(texts: list[str], locale: str) -> None:
    with numbers_as(locale):
        written = b"".join(csv_file([texts])).decode("utf-8-sig")
    [read] = csv.reader(io.StringIO(written, newline=""), delimiter="," if locale == "en-us" else ";")
    for text, cell in zip(texts, read, strict=True):
        assert cell in (text, f"'{text}")
        assert not cell.startswith(("=", "@", "\t", "\r"))
