"""Figures, marks, tables and charts look the same everywhere, and nothing that a shop wrote becomes markup."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.paginator import Paginator
from django.template import Context, Template
from django.test import RequestFactory, override_settings
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from apps.tenants import figures
from apps.tenants.figures import numbers_as
from apps.tenants.templatetags import stockwright as sw

CLONE = Path(__file__).resolve().parent.parent.parent.parent


def drawn(source: str, query: str = "", **values: Any) -> str:
    request = RequestFactory().get(f"/list/?{query}")
    return Template("{% load stockwright %}" + source).render(Context({"request": request, **values}))


@pytest.mark.parametrize(("figure", "shown"), [
    (sw.money(Decimal("1234.5"), "USD"), "$1,234.50"), (sw.money(-2, "EUR"), "−€2.00"), (sw.money(7, "JPY"), "¥7"),
    (sw.money(Decimal("0.004"), "USD"), "$0.00"), (sw.money(5, "XAF"), "XAF\u00a05.00"),
    (sw.money_round(1234567.8, "GBP"), "£1,234,568"), (sw.money_short(999, "USD"), "$999"),
    (sw.money_short(12_345, "USD"), "$12.3k"), (sw.money_short(-3_400_000, "USD"), "−$3.4M"),
    (sw.units(3), "3"), (sw.units(3.25), "3.2"), (sw.units(Decimal("3.000")), "3"), (sw.units(1234.6), "1,235"),
    (sw.days(1), "1 day"), (sw.days(12), "12 days"), (sw.days(2.5), "2.5 days"), (sw.days(0), "0 days"),
    (sw.share(0.453), "45%"), (sw.share(0.453, 1), "45.3%"), (sw.share(-0.075), "−8%"), (sw.decimals(2, 3), "2.000"),
    (sw.file_size(1), "1 byte"), (sw.file_size(999), "999 bytes"), (sw.file_size(1_034_138), "1 MB"),
    (sw.file_size(999_600), "1 MB"), (sw.file_size(12_300), "12 KB"), (sw.file_size(3_456_000_000), "3.5 GB"),
    (sw.sign(3), "+3"), (sw.sign(-3), "−3"), (sw.sign(0), "0"), (sw.sign("$5"), "+$5"), (sw.sign("−$5"), "−$5"),
    (sw.sign("$0"), "$0"), (sw.day(dt.date(2017, 12, 4)), "4 Dec 2017"), (sw.day("2017-12-04T10:00:00"), "4 Dec 2017"),
    (sw.day_short(dt.date(2017, 12, 4)), "Mon 4 Dec"), (sw.duration(4.4), "4 s"), (sw.duration(125), "2 min 5 s"),
    (sw.duration(4320), "1 h 12 min"),
])
def test_figures(figure: str, shown: str) -> None:
    assert figure == shown


def test_sizes_and_lists_of_a_report_are_written_as_the_shop_writes_them() -> None:
    with numbers_as("de-de"):
        assert drawn("{{ size|file_size }}", size=3_456_000) == "3,5 MB"
        assert sw.plain_facts({"weeks": ["2017-12-04", 1234.5]}) == [("weeks", "4 Dec 2017, 1.234,50")]


@pytest.mark.parametrize(("locale", "language", "shown"), [
    ("de-DE", "de", "1.234,5"), ("de-ch", "de", "1’234.5"), ("fr-FR", "en", "1\u202f234,5"), ("it", "en", "1,234.5"),
    ("en-us", "en", "1,234.5")])
def test_a_job_writes_in_the_language_of_its_shop_or_in_the_installations_own(
        locale: str, language: str, shown: str) -> None:
    with override_settings(LANGUAGES=[("en", "English"), ("de", "Deutsch")], LANGUAGE_CODE="en"), translation.override(
            "de" if language == "en" else "en"):
        before = translation.get_language()
        with figures.written_for(locale):
            assert (translation.get_language(), figures.exact(1234.5)) == (language, shown)
        assert (translation.get_language(), figures.exact(1234.5)) == (before, "1,234.5")


def test_a_report_shows_a_dash_where_a_page_shows_one_that_says_why() -> None:
    assert figures.share(None) == figures.sign(figures.share(None)) == figures.day("") == "–"
    assert sw.share(None) == sw.sign(sw.share(None)) == sw.unknown() != "–"


@pytest.mark.parametrize(("locale", "typed", "plain"), [
    ("en-us", "1,234.5", "1234.5"), ("en-us", "0.25", "0.25"), ("en-us", "1,234", "1234"), ("en-us", "1.234", "1.234"),
    ("de-de", "1.234,5", "1234.5"), ("de-de", "0,25", "0.25"), ("de-de", "0.25", "0.25"), ("de-de", "1.234", "1234"),
    ("de-de", "0.125", "0.125"), ("de-de", "1234.567", "1234.567"), ("de-de", "−3", "-3"),
    ("de-de", " 12.50 ", "12.50"), ("fr-fr", "1\u202f234,5", "1234.5"), ("fr-fr", "1 234", "1234"),
    ("fr-fr", "12.50", "12.50"), ("de-ch", "1’234.5", "1234.5"), ("de-ch", "1'234.5", "1234.5"),
    ("en-us", "1234567", "1234567"),
])
def test_a_number_is_understood_as_the_shop_writes_it(locale: str, typed: str, plain: str) -> None:
    with numbers_as(locale):
        assert figures.plain_number(typed) == plain


@pytest.mark.parametrize(("locale", "typed", "example"), [
    ("en-us", "1.234,5", "1,234.5"), ("en-us", "0,25", "1,234.5"), ("en-us", "1,2,3.5", "1,234.5"),
    ("en-us", "12,34.5", "1,234.5"), ("en-us", "1234,567", "1,234.5"), ("en-us", "0,125", "1,234.5"),
    ("de-de", "1,234.5", "1.234,5"), ("de-de", "1.234.5", "1.234,5"), ("de-de", "1.23,5", "1.234,5"),
    ("fr-fr", "1.234", "1\u202f234,5"), ("fr-fr", "12 34", "1\u202f234,5"), ("de-ch", "1,5", "1’234.5"),
    ("en-us", "many", "1,234.5"), ("en-us", "1 234", "1,234.5"), ("en-us", "1e3", "1,234.5"), ("en-us", "-", "1,234.5"),
])
def test_a_number_that_is_written_otherwise_is_refused_with_an_example(locale: str, typed: str, example: str) -> None:
    with numbers_as(locale), pytest.raises(figures.NotANumber) as refused:
        figures.plain_number(typed)
    assert typed in str(refused.value) and f"write it like {example}" in str(refused.value)


LOCALES = st.sampled_from(sorted(figures.NUMBERS))


@given(st.decimals(min_value=-10**9, max_value=10**9, places=4), st.integers(0, 5), LOCALES)
def test_a_number_that_is_shown_comes_back_as_it_was(value: Decimal, decimals: int, locale: str) -> None:
    with numbers_as(locale):
        assert Decimal(figures.plain_number(figures.exact(value))) == value
        assert Decimal(figures.plain_number(figures.number(value, decimals))) == round(value, decimals)


def readings(typed: str) -> dict[str, Decimal]:
    """What a text means to the shops that would write it so, digit for digit and mark for mark."""
    found = {}
    for locale, (group, point, _is_after) in figures.NUMBERS.items():
        whole, _mark, decimals = typed.partition(point)
        digits = whole.replace(group, "")
        with contextlib.suppress(ArithmeticError), numbers_as(locale):
            value = Decimal(f"{digits}.{decimals}" if decimals else digits)
            if typed in (figures.number(value, len(decimals)), f"{value:f}".replace(".", point)):
                found[locale] = value
    return found


@given(st.from_regex(r"[1-9][0-9]{0,3}([.,’\u202f][0-9]{1,4}){0,3}", fullmatch=True), LOCALES)
def test_what_is_no_number_of_this_shop_and_of_others_two_is_refused(typed: str, locale: str) -> None:
    meant = readings(typed)
    with numbers_as(locale):
        try:
            read = Decimal(figures.plain_number(typed))
        except figures.NotANumber:
            assert locale not in meant
        else:
            assert {meant[locale]} == {read} if locale in meant else set(meant.values()) == {read}


@pytest.mark.parametrize(("locale", "euros", "units", "short"), [
    ("en-us", "−€1,234.50", "1,234,567", "€12.3k"), ("de-de", "−1.234,50\u00a0€", "1.234.567", "12,3k\u00a0€"),
    ("de-AT", "−1.234,50\u00a0€", "1.234.567", "12,3k\u00a0€"),
    ("fr-fr", "−1\u202f234,50\u00a0€", "1\u202f234\u202f567", "12,3k\u00a0€"),
    ("de-ch", "−€1’234.50", "1’234’567", "€12.3k"), ("sw-ke", "−€1,234.50", "1,234,567", "€12.3k"),
])
def test_numbers_are_written_as_the_shop_writes_them(locale: str, euros: str, units: str, short: str) -> None:
    with numbers_as(locale):
        assert (sw.money(-1234.5, "EUR"), sw.units(1234567), sw.money_short(12_345, "EUR")) == (euros, units, short)
    assert sw.units(1234) == "1,234"


@pytest.mark.parametrize("name", ["money", "money_round", "money_short", "units", "days", "share", "decimals", "day",
                                  "day_short", "moment", "duration", "sign"])
@pytest.mark.parametrize("missing", [None, ""])
def test_what_is_not_known_is_a_dash_that_says_so(name: str, missing: str | None) -> None:
    assert drawn("{{ value|" + name + " }}", value=missing) == str(sw.unknown())


@given(st.decimals(min_value=-10**9, max_value=10**9, places=2))
def test_money_loses_no_cent(amount: Decimal) -> None:
    read = sw.money(amount, "USD").replace("−", "-").replace("$", "").replace(",", "")
    assert Decimal(read) == amount


@given(st.text(max_size=30))
def test_no_text_becomes_markup(text: str) -> None:
    hostile = f"<img src=x onerror=alert(1)>{text}"
    page = drawn('{% badge "x" label=text %}{% icon "x" text %}{% stat text text note=text %}'
                 '{% card title=text %}{{ text }}{% endcard %}{% empty title=text text=text %}{% endempty %}'
                 '{% sparkline values text %}{% share_bar 0.5 "primary" text %}{% chart "bars" "c" data text %}'
                 '{% page_header title=text lead=text %}{% endpage_header %}', text=hostile, values=[1, 2],
                 data={"x": [hostile], "series": [{"name": hostile, "values": [1]}]})
    assert "<img" not in page


def test_blocks_keep_the_markup_inside_them() -> None:
    assert "<b>x</b>" in drawn('{% card title="t" %}<b>x</b>{% endcard %}')
    assert "<a href=/>go</a>" in drawn('{% empty title="t" %}<a href=/>go</a>{% endempty %}')


def test_no_component_has_inline_style_or_script() -> None:
    for template in (CLONE / "templates").rglob("*.html"):
        text = template.read_text()
        assert not re.search(r"\sstyle\s*=|<style|\son[a-z]+\s*=\s*[\"']|javascript:", text), template
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), template


def test_every_icon_that_a_template_names_is_on_the_sheet() -> None:
    sheet = set(re.findall(r'<symbol id="([^"]+)"', (CLONE / "static/img/icons.svg").read_text()))
    for template in (CLONE / "templates").rglob("*.html"):
        named = re.findall(r'{% icon "([^"]+)"|icon="([^"]+)"', template.read_text())
        assert {first or second for first, second in named} <= sheet, template


def test_a_heading_sorts_one_way_then_the_other_and_starts_at_the_first_page() -> None:
    heading = '{% sort_header "money" "Money" first="desc" %}'
    assert 'href="?q=a&amp;sort=-money"' in drawn(heading, "q=a&page=3")
    down, up = drawn(heading, "sort=-money"), drawn(heading, "sort=money")
    assert 'aria-sort="descending"' in down and 'href="?sort=money"' in down
    assert 'aria-sort="ascending"' in up and 'href="?sort=-money"' in up
    assert "aria-sort" not in drawn(heading, "sort=other")


def test_pages_keep_the_filters() -> None:
    page = Paginator(range(95), 10).page(2)
    text = drawn("{% pagination page %}", "q=a&page=2", page=page)
    assert "11–20 of 95" in text and 'href="?q=a&amp;page=3"' in text and 'href="?q=a&amp;page=1"' in text
    cursors = drawn("{% pagination page %}", "after=x&q=a", page=SimpleNamespace(previous="p", next="n", total=None))
    assert 'href="?q=a&amp;before=p"' in cursors and 'href="?q=a&amp;after=n"' in cursors


def test_a_filter_bar_shows_what_is_chosen_and_keeps_the_order() -> None:
    text = drawn('{% filter_bar %}{% filter_select "abc" "Class" options %}{% endfilter_bar %}', "abc=B&sort=-x&page=2",
                 options=["A", "B"])
    assert '<option value="B" selected>' in text and '<input type="hidden" name="sort" value="-x">' in text
    assert "Clear" in text and "Clear" not in drawn("{% filter_bar %}{% endfilter_bar %}", "sort=-x")


LINES = {"x": ["2017-12-03", "2017-12-04"], "unit": "units",
         "series": [{"name": "sold", "values": [1, None]}, {"name": "forecast", "values": [None, 2.5]}],
         "bands": [{"name": "80%", "low": [None, 1], "high": [None, 4]}],
         "markers": [{"x": "2017-12-04", "label": "today"}]}
CHARTS: dict[str, tuple[dict[str, Any], list[list[str]]]] = {
    "line": (LINES, [["3 Dec 2017", "1", "–", "–"], ["4 Dec 2017", "–", "2.5", "1 – 4"]]),
    "bars": ({"x": ["A"], "unit": "share", "series": [{"name": "s", "values": [0.5]}]}, [["A", "50.0%"]]),
    "waterfall": ({"steps": [{"label": "Need", "value": 5}, {"label": "Cash", "value": -2},
                             {"label": "To buy", "value": 3, "kind": "total"}]},
                  [["Need", "+5"], ["Cash", "−2"], ["To buy", "3"]]),
    "calibration": ({"series": [{"name": "m", "points": [[0.8, 0.77]]}, {"name": "b", "points": [[0.5, 0.6]]}]},
                    [["50%", "–", "60.0%"], ["80%", "77.0%", "–"]]),
    "heatmap": ({"x": ["w1", "w2"], "y": ["Dairy"], "values": [[0.1, None]], "unit": "share"},
                [["Dairy", "10.0%", "–"]]),
}


@pytest.mark.parametrize("kind", CHARTS)
def test_every_chart_has_its_table_from_the_same_data(kind: str) -> None:
    data, rows = CHARTS[kind]
    assert sw.CHART_TABLES[kind](data)["rows"] == rows
    text = drawn('{% chart kind "c" data "Title" %}', kind=kind, data=data)
    assert f'data-chart="{kind}"' in text and 'id="c-data"' in text
    for row in rows:
        assert all(cell in text for cell in row)


def test_the_script_draws_every_kind_that_there_is_a_table_for() -> None:
    script = (CLONE / "static/js/charts.js").read_text()
    kinds = re.search(r"const KINDS = {(.*?)};", script)
    assert kinds is not None and set(re.findall(r"(?:^|[ ,])(\w+)(?=[:,]| *$)", kinds[1])) >= set(sw.CHART_TABLES)


def test_a_report_is_read_out_plainly() -> None:
    assert sw.plain_facts({"as_of": "2017-12-04", "is_new": True, "items": 1234, "wape": 0.4567, "then": ["a", "b"],
                           "rows": [{}, {}], "empty": None}) == [
        ("as of", "4 Dec 2017"), ("is new", "yes"), ("items", "1,234"), ("wape", "0.46"), ("then", "a, b"),
        ("rows", "2 entries"), ("empty", "–")]
