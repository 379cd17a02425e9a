"""Whatever a plan says, there is a sentence for it, with the figures that the engine gives."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.optimization.engine.explain import WORDS
from apps.optimization.engine.frames import PARTS
from apps.optimization.templatetags.plan_words import note_words, parts, sentences, waterfall_rows

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
