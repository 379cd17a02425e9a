"""Verdicts in plain words: over which weeks, of how many lines, too much as well as too little."""

from __future__ import annotations

from typing import Any

import pytest

from apps.feedback.pipeline import words
from apps.tenants.figures import numbers_as


def week(units: float, bias: float) -> dict[str, Any]:
    return {"week": "2017-12-04", "wape": 0.3, "bias": bias, "units": units, "rival": "tsb", "rival_wape": 0.4}


@pytest.mark.parametrize(("weeks", "sentence"), [
    ([week(10, 0.5), week(90, -0.5)], "Over all 2 weeks together they were 40% too low."),
    ([week(10, 0.5)], "In that week they were 50% too high in all."),
])
def test_too_high_or_too_low_is_told_over_all_weeks_by_what_each_sold(weeks: list[dict[str, Any]],
                                                                      sentence: str) -> None:
    assert words.of_accuracy(weeks)[-1] == sentence


def test_figures_are_written_as_the_shop_writes_them() -> None:
    group = {"is_replay": False, "lines": 4000, "fill_rate": 0.9, "demand_units": 12345.0, "days_out_share": 0.1,
             "over_lines": 1234, "over_bought": 1034, "over_least": 1001}
    changes = {"is_told": True, "n": 2345, "gain": -4321.0, "low": -9000.0, "high": -1.0}
    with numbers_as("de-de"):
        served, over, _before, bought = words.of_outcomes([group])
        assert "of 12.345 units" in served and over.startswith("Of 4.000 lines judged, 1.234 left")
        assert bought.startswith("1.034 were bought for, 1.001 of them")
        assert words.of_overrides(changes) == ["Changing the advice cost money: 2.345 changes lost 4.321."]


def test_what_was_left_over_is_told_beside_what_was_served() -> None:
    group = {"is_replay": False, "lines": 40, "fill_rate": 0.9, "demand_units": 100.0, "days_out_share": 0.1,
             "over_lines": 7, "over_bought": 5, "over_least": 4}
    served, over, before, bought = words.of_outcomes([group])
    assert "90% of 100 units" in served
    assert over == "Of 40 lines judged, 7 left more than 4 times what was expected to be asked for."
    assert before == "For 2 of these nothing was bought: it was there already."
    assert bought == "5 were bought for, 4 of them no more than the smallest order that can be placed."


@pytest.mark.parametrize(("over", "bought", "said"), [
    (0, 0, []), (3, 0, ["For 3 of these nothing was bought: it was there already."]),
    (1, 1, ["1 was bought for, 1 of it no more than the smallest order that can be placed."]),
])
def test_where_too_much_stock_came_from_is_told_where_there_is_any(over: int, bought: int, said: list[str]) -> None:
    assert words.of_overstock({"over_lines": over, "over_bought": bought, "over_least": bought}) == said
