"""What a plan says of itself in words: which limit binds and with which figures, and why a quantity is what it is."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.catalog.selectors import assumption_words, simulation_words
from apps.optimization.models import Plan, Scenario
from apps.optimization.selectors import binding_notes, binding_words, change_words
from apps.tenants.figures import rounded_units
from apps.tenants.templatetags.stockwright import badge, day_short, money, money_round, sign, tone, units

register = template.Library()

MONEY = frozenset({"budget", "left_out", "wanted", "cheapest_line", "smallest_order", "minimum", "reachable", "gap"})
EXACT_MONEY = frozenset({"cash_price"})


def sentences(items: int = 2) -> dict[str, str]:
    """A sentence for each thing that a plan may say, with the names of its figures, for so many items."""
    return {
        "no_items": _("There is nothing to plan: no item sells often enough to be forecast."),
        "nothing_needed": ngettext(
            "Nothing needs ordering: stock and orders on their way cover what is expected to sell of %(items)s item.",
            "Nothing needs ordering: stock and orders on their way cover what is expected to sell of all %(items)s "
            "items.", items),
        "not_worth_a_lot": ngettext(
            "%(items)s item could use a few units, and is not worth the smallest lot it can be bought in.",
            "Of %(items)s items that could use a few units, none is worth the smallest lot it can be bought in.",
            items),
        "budget_binds": _("Cash binds: %(budget)s leaves out orders worth %(left_out)s of %(wanted)s. One more unit of "
                          "money would save %(cash_price)s."),
        "budget_below_cheapest_line": _("The cash of %(budget)s is below the cheapest line: %(item)s for "
                                        "%(cheapest_line)s."),
        "moq_above_budget": ngettext(
            "The smallest order of %(items)s item costs more than the cash of %(budget)s: %(item)s, %(moq)s units for "
            "%(smallest_order)s.",
            "The smallest order of %(items)s items costs more than the cash of %(budget)s; the first is %(item)s: "
            "%(moq)s units for %(smallest_order)s.", items),
        "moq_above_maximum": ngettext(
            "The smallest order of %(items)s item is above the largest allowed: %(item)s, %(moq)s against "
            "%(max_order_quantity)s units.",
            "The smallest order of %(items)s items is above the largest allowed; the first is %(item)s: %(moq)s "
            "against %(max_order_quantity)s units.", items),
        "supplier_minimum_above_budget": _("%(supplier)s takes orders from %(minimum)s; the cash is %(budget)s."),
        "supplier_minimum_unreachable": _("%(supplier)s takes orders from %(minimum)s; all its items at their largest "
                                          "come to %(reachable)s."),
        "supplier_minimum_not_worth": _("%(supplier)s takes orders from %(minimum)s; what is needed comes to "
                                        "%(wanted)s, and filling it up would cost more than waiting."),
        "supplier_minimum_topped_up": _("%(supplier)s takes orders from %(minimum)s; what was needed came to "
                                        "%(wanted)s and was filled up."),
        "gap": _("A better plan may save at most %(gap)s more."),
        "decided": ngettext(
            "%(items)s item was decided on less than its ordering period ago: nothing more is advised for it until "
            "that is over.",
            "%(items)s items were decided on less than their ordering period ago: nothing more is advised for them "
            "until it is over.", items),
        "supplier_gone": ngettext(
            "%(supplier)s is gone: %(items)s item that is bought there cannot be ordered.",
            "%(supplier)s is gone: %(items)s items that are bought there cannot be ordered.", items),
        "without_price": ngettext(
            "%(items)s item has neither a cost nor a price, so nothing can be weighed for it: give one of the two.",
            "%(items)s items have neither a cost nor a price, so nothing can be weighed for them: give one of the two.",
            items),
        "without_margin": ngettext(
            "%(items)s item sells at or below its cost: running out of it costs nothing, so it is not ordered.",
            "%(items)s items sell at or below their cost: running out of them costs nothing, so they are not ordered.",
            items),
        "without_stock": ngettext(
            "Nobody has counted %(items)s of %(planned)s items: it is planned as if nothing were there but what has "
            "come in since. Count it, and import the stock.",
            "Nobody has counted %(items)s of %(planned)s items: they are planned as if nothing were there but what has "
            "come in since. Count them, and import the stock.", items),
        "without_supplier": ngettext(
            "%(items)s of %(planned)s items has no supplier: the shop's defaults stand in for its terms.",
            "%(items)s of %(planned)s items have no supplier: the shop's defaults stand in for their terms.",
            items),
    }


TONES = {
    "nothing_needed": "circle-check", "decided": "clipboard-check", "supplier_minimum_topped_up": "truck",
    "gap": "info-circle", "supplier_gone": "truck",
}


@register.filter
def note_words(note: dict[str, Any], currency: str) -> str:
    """A plan's note as a sentence."""
    shown = {name: _figure(name, value, currency) for name, value in note["numbers"].items()}
    return sentences(int(note["numbers"].get("items", 2)))[note["code"]] % shown


def _figure(name: str, value: Any, currency: str) -> str:
    if name in EXACT_MONEY:
        return money(value, currency)
    if name in MONEY:
        return money_round(value, currency) if abs(value) >= 100 else money(value, currency)
    return str(value) if isinstance(value, str) else units(value)


@register.filter
def note_icon(note: dict[str, Any]) -> str:
    return TONES.get(note["code"], "alert-triangle")


@register.filter
def binds(code: str) -> str:
    """What kept a quantity from being the best one for its item alone."""
    return binding_words().get(code, code)


@register.filter
def names_of(codes: list[str]) -> str:
    """Which figures of a line are assumed."""
    return ", ".join(assumption_words().get(code, code) for code in codes)


@register.filter
def made_up_names(codes: list[str]) -> str:
    """Which figures of a line are simulated."""
    return ", ".join(simulation_words().get(code, code) for code in codes)


@register.simple_tag
def runs_out_words(line: Any, as_of: dt.date, today: dt.date) -> str:
    """When a line's item runs out; of an older plan the day that it gave, and of which day that is told."""
    if line.is_stock_unknown:
        return _("not known")
    if as_of != today:
        words = day_short(line.stockout_on) if line.stockout_on else _("not soon")
        note = _("as of %(day)s") % {"day": day_short(as_of)}
        return format_html('{}<span class="cell-sub">{}</span>', words, note)
    if line.stockout_on is None:
        return _("not soon")
    if line.on_hand <= 0:
        return _("is out")
    return _("today") if line.stockout_on == today else day_short(line.stockout_on)


@register.simple_tag
def order_by_words(day: dt.date | None, today: dt.date) -> str:
    """By when a line has to be ordered; where no day presses, that it can wait."""
    if day is None:
        return format_html('<span class="text-secondary" title="{}">{}</span>',
                           _("Ordering it later would cost next to nothing."), _("no hurry"))
    return _("today") if day <= today else day_short(day)


@register.simple_tag
def state_badge(state: str) -> SafeString:
    """How far a line of the plan is. An order is approved; a line is put on one."""
    return badge(state, label=_("on an order") if state == "approved" else "")


@register.simple_tag
def advised_note(line: Any, decided: int | str | None) -> str:
    """Where a line was ordered otherwise than advised, that what is told of it is told of what was advised."""
    if line.state != "approved" or not decided or int(decided) == line.quantity:
        return ""
    return ngettext("Figures are of the %(advised)s advised; %(ordered)s was ordered.",
                    "Figures are of the %(advised)s advised; %(ordered)s were ordered.", int(decided)) % {
        "advised": units(line.quantity), "ordered": units(decided)}


@register.filter
def decision_words(kind: str) -> str:
    return {"approved": _("Ordered as advised"), "edited": _("Ordered otherwise than advised"),
            "dismissed": _("Dismissed")}[kind]


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
def waterfall_rows(line: Any) -> list[dict[str, Any]]:
    """A line's waterfall as rows: each part in units, in money and in what it saves, with its share of the widest.

    Parts of zero are left out; the rows still add up exactly to the line's quantity.
    """
    found = line.waterfall["units"]
    widest = max((abs(value) for value in found.values()), default=0) or 1
    return [{"code": code, "label": label, "meaning": meaning, "units": found[code],
             "money": line.waterfall["money"][code], "saves": line.waterfall["saves"][code],
             "share": abs(found[code]) / widest, "tone": "primary" if found[code] > 0 else "danger"}
            for code, (label, meaning) in parts().items() if found.get(code)]


@register.simple_tag
def below_cost_words() -> str:
    """What is said of an item whose customers lately paid no more for it than it costs."""
    return _("Sold at or below its cost: nothing is gained by buying it.")


@register.simple_tag
def no_need_words(line: Any) -> str:
    """Why a line buys nothing at its price, or has no need of its own: a step of zero is left out of its waterfall."""
    if line.price <= line.unit_cost:
        return below_cost_words()
    if (line.waterfall or {}).get("units", {}).get("need"):
        return ""
    if line.mean_demand <= 0:
        return _("Nothing is needed: no sales are expected until the next order has come.")
    position = line.on_hand + line.on_order
    words = {"have": units(position), "sales": units(line.mean_demand)}
    if position < line.mean_demand:
        return _("Nothing is needed: %(sales)s are expected to sell until the next order has come, less than half a "
                 "unit more than the %(have)s on hand and on order.") % words
    return _("Nothing is needed: the %(have)s on hand and on order cover the %(sales)s that are expected to sell until "
             "the next order has come.") % words


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
        "terms": _("lead time or ordering period changed"), "model": _("another model forecasts"),
        "worth": _("cost or price changed"), "spread": _("demand or delivery is more or less sure"),
        "buffer": _("another buffer"), "pack_moq": _("packs or minimum quantity"),
        "supplier_minimum": _("a supplier's minimum"), "cash": _("cash of the plan"),
        "kept": _("kept before, worth moving now"), "cost": _("the same quantity at another unit cost"),
    }.get(driver, driver.replace("_", " "))


@register.simple_tag
def typed_quantity(ticked: Any, line: Any) -> str:
    """What stands in a line's quantity box: what somebody typed there, or what is advised."""
    return (ticked.typed.get(line.pk) if ticked else None) or str(line.quantity)


@register.simple_tag
def keeps_quantity(ticked: Any, line: Any) -> bool:
    """Whether somebody was asked about what stands in a line's box, and wants it all the same."""
    return bool(ticked) and ticked.keeps(line.pk)


@register.simple_tag
def typed_cost(ticked: Any, line: Any, currency: str) -> str:
    """What a line costs in the quantity that stands in its box, or as advised where that is none."""
    typed = ticked.typed_units(line.pk) if ticked else None
    return money_round((line.quantity if typed is None else typed) * line.unit_cost, currency)


@register.simple_tag
def is_ticked(ticked: Any, line: Any) -> bool:
    return bool(ticked) and line.pk in ticked.line_ids


# --- What if ------------------------------------------------------------------------------------------------------

@register.simple_tag
def changes_of(scenario: Scenario, currency: str) -> str:
    """What a scenario changes, in words."""
    return change_words(scenario.change, scenario.named, currency)


def figures_compared() -> list[tuple[str, str, str, str]]:
    """The figures of a scenario: their key, what they are called and mean, and how they are written."""
    return [
        ("money", _("To order"), "", "money"), ("lines", _("Lines"), "", "units"), ("units", _("Units"), "", "units"),
        ("suppliers", _("Suppliers"), "", "units"),
        ("cash_left", _("Cash to spend"), "", "limit"),
        ("lost_units", _("Expected lost units"), _("until the order after this one has come"), "loss_units"),
        ("lost_margin", _("Expected lost margin"), _("of those units"), "loss"),
        ("expected_cost", _("Expected cost"), _("lost margin, and holding what is in stock"), "loss"),
    ]


@register.simple_tag
def figure_rows(sides: list[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """Figures side by side, each but the first with how far it is from the first."""
    rows = []
    for key, label, meaning, kind in figures_compared():
        is_money = kind not in ("units", "loss_units")
        # rounded as they are shown, so that what is shown adds up
        figures = [value if value is None else round(value) if is_money else float(rounded_units(value))
                   for value in (side.get(key) for side in sides)]
        cells = []
        for value in figures:
            change = 0 if value is None or figures[0] is None else value - figures[0]
            text, moved = (money_round(each, currency) if is_money else units(each) for each in (value, change))
            cells.append({"text": _("no limit") if kind == "limit" and value is None else text,
                          "change": sign(moved) if change else "",
                          "tone": tone(-change) if kind.startswith("loss") else "text-secondary"})
        rows.append({"label": label, "meaning": meaning, "cells": cells})
    return rows


@register.filter
def binding_of(side: dict[str, Any]) -> list[dict[str, Any]]:
    return binding_notes(side)


@register.filter
def status_words(side: dict[str, Any]) -> str:
    """How a plan of one side stands: optimal, nothing to buy, impossible under its limits."""
    return str(Plan.Status(side["status"]).label)


@register.filter
def named_in(key: int | None, names: dict[int | None, str]) -> str:
    return names.get(key, "")
