"""Whatever a plan says, there is a sentence for it, with the figures that the engine gives."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.optimization.engine.explain import WORDS
from apps.optimization.engine.frames import PARTS
from apps.optimization.templatetags.plan_words import no_need_words, note_words, parts, sentences, waterfall_rows

RENAMED = {"unique_id": "item", "supplier_id": "supplier"}


def figures(sentence: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", sentence))


@pytest.mark.parametrize("code", sorted(WORDS))
def test_every_finding_of_the_engine_has_a_sentence_with_its_own_figures(code: str) -> None:
    allowed = {RENAMED.get(name, name) for name in figures(WORDS[code])}
    assert figures(sentences(1)[code]) == figures(sentences()[code]) <= allowed


@pytest.mark.parametrize("code", sorted(sentences()))
def test_a_note_is_told_with_money_as_money(code: str) -> None:
    numbers = {name: "Tea" if name in ("item", "supplier") else 1234.5 for name in figures(sentences()[code])}
    told = note_words({"code": code, "numbers": numbers}, "EUR")
    assert "%(" not in told
    if "budget" in numbers:
        assert "€1,235" in told or "€1,234" in told


def test_every_part_of_the_waterfall_has_a_name() -> None:
    assert set(PARTS) <= set(parts())


@given(st.lists(st.integers(-500, 500), min_size=len(PARTS), max_size=len(PARTS)))
def test_the_rows_of_a_waterfall_add_up_to_the_line(values: list[int]) -> None:
    units = dict(zip(PARTS, values, strict=True))
    line = SimpleNamespace(waterfall={"units": units, "money": units, "saves": units}, quantity=sum(values))
    rows = waterfall_rows(line)
    assert sum(row["units"] for row in rows) == line.quantity
    assert all(0 < row["share"] <= 1 for row in rows)


@pytest.mark.parametrize(("on_hand", "on_order", "sales", "words"), [
    (1200, 34, 12.5, "Nothing is needed: the 1,234 on hand and on order cover the 12 that are expected to sell until"),
    (0, 0, 0.4, "Nothing is needed: 0.4 are expected to sell until the next order has come, less than half a unit more "
                "than the 0 on hand and on order."),
    (0, 0, 0, "Nothing is needed: no sales are expected until"),
])
def test_why_nothing_is_needed_is_said_in_words(on_hand: int, on_order: int, sales: float, words: str) -> None:
    line = SimpleNamespace(waterfall={"units": {"need": 0}}, on_hand=on_hand, on_order=on_order, mean_demand=sales,
                           price=3, unit_cost=2)
    assert no_need_words(line).startswith(words)
    assert no_need_words(SimpleNamespace(**{**vars(line), "waterfall": {"units": {"need": 3}}})) == ""
