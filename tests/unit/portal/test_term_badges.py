"""A figure that nobody gave says so, and one that the shop gave is never called made up."""

from __future__ import annotations

from apps.portal.templatetags.portal_figures import term_badge


def test_each_figure_says_where_it_comes_from_by_itself() -> None:
    term = {"assumed": ["price"], "simulated": ["unit_cost", "moq"]}
    assert "assumed" in term_badge(term, "price")
    for name, is_made_up in (("unit_cost", True), ("moq", True), ("pack_size", False), ("lead_time_days", False)):
        assert ("simulated" in term_badge(term, name)) is is_made_up
