"""A figure that nobody gave says so, and one that the shop gave is never called made up."""

from __future__ import annotations

import pytest

from apps.portal.templatetags.portal_figures import term_badge

MADE_UP = ("lead_time_days", "unit_cost", "moq", "pack_size", "minimum_order_value")


@pytest.mark.parametrize("name", MADE_UP)
def test_terms_of_a_demo_are_marked_simulated(name: str) -> None:
    assert "simulated" in term_badge({"assumed": [], "is_simulated": True}, name)


@pytest.mark.parametrize("is_simulated", [True, False])
def test_a_price_is_given_or_assumed_and_never_simulated(is_simulated: bool) -> None:
    assert term_badge({"assumed": [], "is_simulated": is_simulated}, "price") == ""
    assert "assumed" in term_badge({"assumed": ["price"], "is_simulated": is_simulated}, "price")


@pytest.mark.parametrize("name", MADE_UP)
def test_what_the_shop_said_carries_no_badge(name: str) -> None:
    assert term_badge({"assumed": [], "is_simulated": False}, name) == ""
