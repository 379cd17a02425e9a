"""What the portal's pages say of plans and tests: the waterfall, what moved a quantity, an error as a share."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.tenants.templatetags.stockwright import badge, days, share, units, unknown

register = template.Library()

OVER_A_YEAR_DAYS = 365


def parts() -> dict[str, tuple[str, str]]:
    """The steps of a waterfall in their order: what each is called, and what it means."""
    return {
        "need": (_("Need"), _("Expected sales until the next order has come, less what is on hand and on order.")),
        "buffer": (_("Buffer"), _("What chance is worth: lost margin against the cost of holding. May be below zero.")),
        "pack_moq": (_("Pack and minimum"), _("Rounded to whole packs and the supplier's minimum quantity.")),
        "supplier_minimum": (_("Supplier's minimum"), _("To reach the smallest order the supplier takes.")),
        "cash": (_("Cash"), _("What the plan's cash does not allow.")),
        "kept": (_("Kept"), _("The last plan's quantity stays: moving it would gain too little.")),
        "decided": (_("Decided"), _("Somebody has decided on this line lately: nothing is ordered twice.")),
    }


@register.simple_tag
def waterfall_of(advice: Any) -> dict[str, Any]:
    """A recommendation's waterfall as a chart's data; steps of zero are left out, the sum stays exact."""
    found = (advice.waterfall or {}).get("units", {})
    steps = [{"label": name, "value": found[code], "kind": "part", "note": meaning}
             for code, (name, meaning) in parts().items() if found.get(code)]
    return {"steps": [*steps, {"label": _("To buy"), "value": advice.quantity, "kind": "total"}], "unit": "units"}


@register.filter
def driver_words(driver: str) -> str:
    """Why a quantity moved since the last plan."""
    return {
        "demand": _("expected sales changed"), "stock": _("stock or what is on its way changed"),
        "new": _("newly planned"), "gone": _("no longer planned"), "decided": _("decided by somebody"),
        "buffer": _("the worth of a buffer changed"), "pack_moq": _("packs or minimum quantity"),
        "supplier_minimum": _("a supplier's minimum"), "cash": _("cash of the plan"),
        "kept": _("kept before, worth moving now"), "cost": _("the same quantity at another unit cost"),
    }.get(driver, driver.replace("_", " "))


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
    # The price is what the shop asks: it is given or assumed, never made up with a demo's terms.
    return badge("simulated") if term["is_simulated"] and name != "price" else SafeString("")


@register.filter
def error_share(scored: Any, name: str) -> str:
    """An item's absolute error as a share of what it sold."""
    return share(getattr(scored, name) / scored.actual) if scored.actual else ""


@register.filter
def rest_units(line: Any) -> str:
    """What is still to come on an order line."""
    return units(line.quantity - line.received_quantity)
