"""What stands around every page: the way about, the shops of the person, and what waits for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import template
from django.utils.translation import gettext as _

from apps.portal.selectors import shell
from apps.tenants.models import Membership, Permission

register = template.Library()


@dataclass(frozen=True)
class Link:
    """A place in the sidebar, with what waits there."""

    path: str
    label: str
    icon: str
    is_here: bool
    count: int = 0
    count_label: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Shell:
    """Everything that base.html shows of the shop around the page."""

    groups: list[tuple[str, list[Link]]]
    places: list[Membership]
    alerts: int
    is_running: bool
    may_administer: bool


@register.simple_tag(takes_context=True)
def portal_shell(context: template.Context) -> Shell | None:
    """The shell for the shop in scope; None where there is no shop."""
    request: Any = context.get("request")
    membership = getattr(request, "membership", None)
    if membership is None:
        return None
    waiting = shell.waiting_counts()

    def link(path: str, label: str, icon: str, count: int = 0, count_label: str = "", tone: str = "") -> Link:
        is_here = request.path == path if path == "/" else request.path.startswith(path)
        return Link(path, label, icon, is_here, count, count_label, tone)

    groups = [
        ("", [
            link("/", _("Today"), "home"),
            link("/items/", _("Items"), "package"),
            link("/replenish/", _("Replenish"), "shopping-cart-plus", waiting.recommendations, _("to decide")),
            link("/orders/", _("Purchase orders"), "truck-delivery", waiting.orders, _("on their way or drafted")),
        ]),
        (_("Understand"), [
            link("/demand/", _("Demand"), "chart-area-line"),
            link("/plan/what-if/", _("What if"), "git-compare"),
            link("/data/", _("Data"), "database", waiting.files, _("files to confirm")),
            link("/accuracy/", _("Accuracy"), "target-arrow"),
            link("/models/", _("Models"), "trophy"),
        ]),
        (_("Run"), [
            link("/jobs/", _("Jobs"), "progress", waiting.jobs, _("waiting or running")),
            link("/alerts/", _("Alerts"), "bell", waiting.alerts, _("open"), "danger" if waiting.urgent else "warning"),
            link("/settings/", _("Settings"), "settings"),
        ]),
    ]
    return Shell(groups, shell.places_of(request.user), waiting.alerts, waiting.jobs > 0,
                 membership.may(Permission.ADMINISTER))
