"""What the portal's pages say of terms and tests: days of cover, where a term comes from, an error as a share."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.tenants.templatetags.stockwright import badge, days, share, units, unknown

register = template.Library()

OVER_A_YEAR_DAYS = 365


@register.filter
def whole_days(value: float | str | None) -> str:
    """Days of cover: whole, and above a year only that."""
    if value in (None, ""):
        return unknown()
    return _("over a year") if float(value) > OVER_A_YEAR_DAYS else days(round(float(value)))


@register.simple_tag
def term_badge(term: dict[str, Any], name: str) -> SafeString:
    """Where a term comes from, when the shop did not say it."""
    if name in term["assumed"]:
        return badge("assumed")
    return badge("simulated") if name in term["simulated"] else SafeString("")


@register.filter
def error_share(scored: Any, name: str) -> str:
    """An item's absolute error as a share of what it sold."""
    return share(getattr(scored, name) / scored.actual) if scored.actual else ""


@register.filter
def rest_units(line: Any) -> str:
    """What is still to come on an order line."""
    return units(line.quantity - line.received_quantity)
