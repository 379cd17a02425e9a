"""What the portal's pages say of stock and terms: days of cover, where a term comes from."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.optimization.selectors import cover_days
from apps.portal.models import ItemSummary
from apps.portal.selectors.item import EmptyShelf
from apps.portal.selectors.items import empty_shelves
from apps.tenants import figures
from apps.tenants.templatetags.stockwright import badge, day_short, days, units, unknown

register = template.Library()

OVER_A_YEAR_DAYS = 365


@register.filter
def whole_days(value: float | str | None) -> str:
    """Days of cover: whole, and above a year only that."""
    if value in (None, ""):
        return unknown()
    if 0 < float(value) < 1:
        return _("under a day")
    return _("over a year") if float(value) > OVER_A_YEAR_DAYS else days(cover_days(float(value)))


def _is_todays(summary: ItemSummary, today: dt.date) -> bool:
    return summary.lasts_from in (None, today)


@register.simple_tag
def as_of_note(summary: ItemSummary, today: dt.date) -> str:
    """From which day an item's cover and run-out day are reckoned, where that is not today."""
    return "" if _is_todays(summary, today) else _("as of %(day)s") % {"day": day_short(summary.lasts_from)}


@register.simple_tag
def runs_out(summary: ItemSummary, today: dt.date) -> str:
    """When an item's stock ends, what is on its way counted."""
    if summary.planning == ItemSummary.Planning.PLANNED and summary.on_hand is not None and summary.on_hand <= 0:
        return _("is out")
    if summary.stockout_on == today and _is_todays(summary, today):
        return _("today")
    return day_short(summary.stockout_on)


@register.simple_tag
def lasts_note(summary: ItemSummary | None, today: dt.date, place: str = "") -> str:
    """What stands under how long an item's stock lasts."""
    if summary is None or summary.on_hand is None:
        return ""
    if summary.on_hand <= 0:
        return _("out of stock")
    if summary.days_of_cover is None:
        return _("nothing sold in half a year")
    if summary.lasts_from is None:
        return _("at the pace of the last half year")
    if summary.stockout_on is None:
        words = _("no stockout in sight")
    elif summary.stockout_on == today and _is_todays(summary, today):
        words = _("likely out today")
    else:
        words = _("likely out %(day)s") % {"day": day_short(summary.stockout_on)}
    words = _("of expected sales; %(words)s") % {"words": words}
    if place:
        words = _("%(words)s at %(place)s") % {"words": words, "place": place}
    note = as_of_note(summary, today)
    return _("%(words)s, %(note)s") % {"words": words, "note": note} if note else words


@register.simple_tag
def empty_shelf_words(shelf: EmptyShelf) -> str:
    """On how many days an item had run out of late, and what was not sold for that."""
    days = {"days": figures.units(shelf.days), "out": figures.units(shelf.days_out),
            "ended": figures.units(shelf.days_sold_out)}
    if not shelf.days_out:
        words = _("Sold out on %(ended)s of the last %(days)s days") % days
    elif shelf.days_sold_out:
        words = _("Out of stock on %(out)s of the last %(days)s days, and sold out on %(ended)s more") % days
    else:
        words = _("Out of stock on %(out)s of the last %(days)s days") % days
    if round(shelf.lost) < 1:
        return _("%(words)s: less than one unit was not sold for that.") % {"words": words}
    return ngettext("%(words)s: about %(units)s unit was not sold for that (between %(low)s and %(high)s).",
                    "%(words)s: about %(units)s units were not sold for that (between %(low)s and %(high)s).",
                    round(shelf.lost)) % {
        "words": words, "units": figures.units(round(shelf.lost)), "low": figures.units(shelf.low),
        "high": figures.units(shelf.high)}


@register.inclusion_tag("portal/_empty_shelves.html", takes_context=True)
def empty_shelves_card(context: template.Context) -> dict[str, Any]:
    """A card on what planned items did not sell of late because they had run out."""
    return {"found": empty_shelves(), "request": context["request"]}


@register.simple_tag
def term_badge(term: dict[str, Any], name: str) -> SafeString:
    """Where a term comes from, when the shop did not say it."""
    if name in term["assumed"]:
        return badge("assumed")
    return badge("simulated") if name in term["simulated"] else SafeString("")


@register.filter
def rest_units(line: Any) -> str:
    """What is still to come on an order line."""
    return units(line.quantity - line.received_quantity)
