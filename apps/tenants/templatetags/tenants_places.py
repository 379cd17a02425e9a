"""What pages say of shops: whether a demo is here, and what the audit trail holds."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from django import template
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.tenants import figures, selectors
from apps.tenants.models import AuditEntry, Permission, Role

register = template.Library()


@register.simple_tag
def has_demo() -> bool:
    """Whether a demo is here: the sign-in page then says where its figures come from."""
    return selectors.has_demo()


def audit_actions() -> dict[str, str]:
    return {
        "tenant.made": _("made the shop"), "tenant.changed": _("changed the shop"),
        "person.added": _("joined"), "person.role": _("changed a role"), "person.removed": _("removed a person"),
        "person.invited": _("invited"), "person.invitation_withdrawn": _("withdrew an invitation"),
        "key.issued": _("made an API key"), "key.revoked": _("revoked an API key"),
        "job.cancelled": _("stopped a job"), "job.retried": _("ran a job again"),
        "sale.quantity_said": _("said how many were sold"),
        "defaults.changed": _("changed the planning rules"), "term.changed": _("changed an item's terms"),
        "plan.dismissed": _("dismissed lines of the plan"), "scenario.made": _("asked what if"),
        "scenario.deleted": _("deleted a what-if"), "model.alias": _("put a model in its place"),
        "order.lines_added": _("put lines on an order"), "order.line_changed": _("changed a line of an order"),
        "order.line_removed": _("took a line off an order"), "order.approved": _("approved an order"),
        "order.sent": _("marked an order as sent"), "order.cancelled": _("cancelled an order"),
        "order.received": _("took goods in"),
        "file.confirmed": _("confirmed a file"), "file.rows_set_aside": _("set rejected rows aside"),
        "connection.made": _("connected a shop system"), "connection.closed": _("closed a connection"),
        "operator.looked_in": _("looked into the shop as an operator"), "demo.days_let_in": _("let days in"),
    }


@register.simple_tag
def audit_words(action: str) -> str:
    """What was done, in words."""
    return audit_actions().get(action) or action.replace(".", " · ").replace("_", " ")


def _figure(value: Any) -> str:
    """A number as the shop writes it; whatever is none stays as it is."""
    try:
        return figures.exact(Decimal(str(value)))
    except InvalidOperation:
        return str(value)


def _percent(value: Any) -> str:
    return _("%(n)s%%") % {"n": _figure(Decimal(str(value)) * 100)}


def _days(value: Any) -> str:
    return ngettext("%(n)s day", "%(n)s days", 1 if float(value) == 1 else 2) % {"n": _figure(value)}


def _words_of(choices: type[TextChoices]) -> dict[str, str]:
    return {str(value): str(label) for value, label in choices.choices}


Said = Callable[[Any], str]


def audit_fields() -> dict[str, tuple[str, Said | dict[str, str]]]:
    """What a detail may name: in words, and how its values are said."""
    return {
        "lead_time_days": (_("lead time"), _days), "lead_time_spread_days": (_("spread of the lead time"), _days),
        "review_period_days": (_("ordered every"), _days), "cost_share": (_("unit cost, of the price"), _percent),
        "holding_cost_rate": (_("cost of holding stock, a year"), _percent),
        "cash_budget": (_("cash for one plan"), _figure),
        "planned_units_per_week": (_("planned from, units a week"), _figure),
        "unit_cost": (_("unit cost"), _figure), "moq": (_("minimum quantity"), _figure),
        "pack_size": (_("pack of"), _figure), "lines": (_("lines"), _figure), "quantity": (_("quantity"), _figure),
        "item": (_("item"), str), "reason": (_("reason"), str), "reference": (_("delivery note"), str),
        "role": (_("role"), _words_of(Role)),
        "permissions": (_("may"), _words_of(Permission)), "kind": (_("what it holds"), {
            "orders": _("order lines"), "items": _("items"), "stock": _("stock"), "suppliers": _("suppliers"),
            "promotions": _("promotions")}),
        "numbers": (_("numbers are written"), {"point": "1,234.56", "comma": "1.234,56"}),
        "dates": (_("dates such as 03/04/2025 mean"), {"mdy": _("4 March"), "dmy": _("3 April")}),
        "unknown_items": (_("items that are not in the catalog"), {"make": _("are made"),
                                                                   "set_aside": _("are set aside")}),
        "fold_locations": (_("all locations into"), str), "origin": (_("origin"), {
            "given": _("given"), "simulated": _("simulated")}),
        "time_zone": (_("time zone"), str), "name": (_("name"), str), "currency": (_("currency"), str),
        "country": (_("country"), str), "locale": (_("numbers as in"), str),
    }


def _said(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_said(name, each) for each in value)
    if value in (None, "", "None"):
        return _("nothing")
    how = audit_fields().get(name, ("", str))[1]
    try:
        return str(how.get(value, value)) if isinstance(how, dict) else how(value)
    except (ArithmeticError, ValueError):
        return str(value)


@register.filter
def audit_target(entry: AuditEntry) -> str:
    """What it was done to: a name as it was written, a day as days are."""
    try:
        return figures.day(entry.target) if len(entry.target) == len("2017-12-04") else str(entry.target)
    except ValueError:
        return str(entry.target)


@register.filter
def audit_detail(entry: AuditEntry) -> list[tuple[str, str | None, str]]:
    """The detail in words as (name, before, after); before is None where it says nothing of that."""
    titles, detail = audit_fields(), dict(entry.detail or {})

    def title(name: str) -> str:
        return titles[name][0] if name in titles else name.replace("_", " ")

    found: list[tuple[str, str | None, str]] = []
    if {"before", "after"} <= detail.keys():
        before, after = detail.pop("before"), detail.pop("after")
        if isinstance(before, dict) and isinstance(after, dict):
            found = [(title(name), _said(name, before[name]) if name in before else None, _said(name, value))
                     for name, value in after.items()]
        else:
            name = {"sale.quantity_said": "quantity", "order.line_changed": "quantity", "person.role": "role"}.get(
                entry.action, "")
            found = [(title(name) or _("changed"), _said(name, before), _said(name, after))]
    for name, value in detail.items():
        parts = value.items() if isinstance(value, dict) else [(name, value)]
        found += [(title(part), None, _said(part, said)) for part, said in parts if said not in (None, "")]
    return found
