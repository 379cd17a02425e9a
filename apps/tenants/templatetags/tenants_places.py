"""What pages say of shops: whether a demo is here, and what the audit trail holds."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext as _

from apps.tenants import selectors
from apps.tenants.models import AuditEntry

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
    }


@register.simple_tag
def audit_words(action: str) -> str:
    """What was done, in words; an action of a room above keeps its own name."""
    return audit_actions().get(action) or action.replace(".", " · ").replace("_", " ")


@register.filter
def audit_detail(entry: AuditEntry) -> list[tuple[str, Any, Any]]:
    """The detail as (name, before, after); before is None where nothing was there."""
    detail = entry.detail or {}
    if isinstance(detail.get("before"), dict) and isinstance(detail.get("after"), dict):
        return [(name, detail["before"].get(name), value) for name, value in detail["after"].items()]
    if set(detail) == {"before", "after"}:
        return [(str(_("changed")), detail["before"], detail["after"])]
    return [(name.replace("_", " "), None, ", ".join(map(str, value)) if isinstance(value, list) else value)
            for name, value in detail.items()]
