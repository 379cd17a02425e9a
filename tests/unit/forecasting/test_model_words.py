"""What a page says of shares missed."""

from __future__ import annotations

from typing import Any

import pytest

from apps.forecasting.templatetags.model_words import beyond_all


@pytest.mark.parametrize(("found", "is_said"), [
    ([], False), ([[]], False), ([[{"wape": 1.0, "seconds": 9.0, "points": [3.0]}], {"rival_wape": None}], False),
    ([[{"wape": 0.4}], [{"rival_wape": 1.01}]], True), ([[{"metrics": {"sum_wape": 1.2}}]], True),
    ([{"2017-12-04": {"sum_wape": 1.15}}], True)])
def test_more_than_all_missed_is_explained_wherever_it_is_shown(found: list[Any], is_said: bool) -> None:
    assert ("more than was sold" in beyond_all(*found)) is is_said


def test_scores_that_are_not_shown_need_no_explanation() -> None:
    assert not beyond_all({"2017-12-04": {"sum_wape": 0.4, "wape": 1.3}}, named="sum_wape")
    assert not beyond_all([{"metrics": {"sum_wape": 0.4}, "by_cutoff": {"2017-12-04": {"wape": 1.3}}}])
