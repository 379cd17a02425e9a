"""The demo's jobs: a shop's history brought in through the import, and its later days one by one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.catalog.services import TooManyItems
from apps.demo import services
from apps.demo.adapters import shelf
from apps.demo.recast.naming import ITEMS, ORDERS, PROMOTIONS, STOCK, SUPPLIERS, day_file
from apps.ingestion import selectors as ingestion_selectors
from apps.ingestion import services as ingestion
from apps.inventory.services import receive_due, tell_unsent
from apps.jobs.running import GiveUp, Part, Running
from apps.sales.services import tell_unusual
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import tenant_by_id

LABEL = "Demo"


@dataclass(frozen=True)
class Given:
    """A file of the shelf, what it holds, how it is read, and the share of a load's time that it takes."""

    name: str
    kind: str
    options: dict[str, str]
    share: float = 0.0
    day: dt.date | None = None

    def on(self, day: dt.date) -> Given:
        """The file that a later day adds to this one."""
        return Given(day_file(self.name, day), self.kind, self.options, day=day)

    def told(self, note: str) -> str:
        """What is done with it, for people: of a day's file they know the day."""
        return _("%(what)s: %(note)s") % {
            "what": date_format(self.day, "l j F") if self.day else self.name, "note": note}


SIMULATED = {"origin": "simulated", "unknown_items": "set_aside"}
SALES = Given(ORDERS, "orders", {"unknown_items": "set_aside", "fold_locations": "main"}, 0.80)
DISPLAYS = Given(PROMOTIONS, "promotions", {"unknown_items": "set_aside"}, 0.04)
# Items before what speaks of them; stock last, so that the history's sales find no level to move.
HISTORY = (Given(ITEMS, "items", SIMULATED, 0.08), Given(SUPPLIERS, "suppliers", SIMULATED, 0.05), SALES, DISPLAYS,
           Given(STOCK, "stock", SIMULATED, 0.03))
RECAST_SHARE = 0.1


def load_tenant(running: Running) -> dict[str, Any]:
    """Recast the purchases as import files and read the shop's history from them; run again, it reads what is left."""
    tenant = tenant_by_id(running.tenant_id)
    began = perf_counter()
    running.progress(0.01, _("Recasting a year of real purchases as the shop's files"))
    try:
        services.stock_shelf(tenant=tenant)
    except shelf.RecastFailed as failure:
        raise GiveUp(str(failure)) from failure
    result: dict[str, Any] = {"recast_seconds": round(perf_counter() - began, 1), "files": {}}
    done = RECAST_SHARE
    for given in HISTORY:
        following = done + (1 - RECAST_SHARE) * given.share
        counts = bring_in(running, tenant, given, running.part(done, following))
        if counts is None:
            raise GiveUp(_("The demo has no file %(name)s: load it anew.") % {"name": given.name})
        result["files"][given.name] = counts
        done = following
    result["seconds"] = round(perf_counter() - began, 1)
    return result


def bring_in(running: Running, tenant: Tenant, given: Given, part: Part) -> dict[str, Any] | None:
    """Read a file of the shelf through the import, whole or not at all; None where the shelf has no such file."""
    source = shelf.open_file(tenant.pk, given.name)
    if source is None:
        return None
    part(0.0, given.told(_("storing")))
    with source, tenant_context(tenant.pk):
        known = ingestion_selectors.files().filter(name=given.name, uploaded_by=LABEL, state="applied").first()
        if known is None:
            stored = ingestion.store_file(kind=given.kind, name=given.name, source=source, options=given.options,
                                          uploaded_by=LABEL)
            if stored.error:
                raise GiveUp(f"{given.name}: {stored.error}")
            try:
                known = ingestion.apply_file(
                    file_id=stored.pk, hold=running.hold,
                    on_progress=lambda share, note: part(share, given.told(note)))
            except (ingestion.FileRefused, TooManyItems) as refused:
                raise GiveUp(f"{given.name}: {refused}") from refused
    return {"rows": known.rows_read, "applied": known.rows_applied, "set_aside": known.rows_set_aside,
            "rejected": known.rows_rejected, "already_known": known.rows_duplicate, "seconds": known.seconds}


def advance_tenant(running: Running) -> dict[str, Any]:
    """Let the day in on which the shop stands: deliveries, then orders; then ask for what follows.

    The shop's date moves in the same transaction that asks for the judging, the planning and the next day. A job that
    finds the date moved was cut off after that, and has nothing left to do.
    """
    tenant = tenant_by_id(running.tenant_id)
    day, until = (dt.date.fromisoformat(running.input[name]) for name in ("as_of", "until"))
    if tenant.demo_date is None or tenant.demo_date > day:
        return {"day": day.isoformat(), "was_in_already": True}
    if tenant.demo_date < day or until <= day:
        raise GiveUp(_("The shop stands on %(today)s: the day after it cannot come in first.")
                     % {"today": date_format(tenant.demo_date, "j M Y")})
    began = perf_counter()
    words = {"day": date_format(day, "l j F")}
    running.progress(0.05, _("%(day)s: taking in what suppliers deliver") % words)
    with tenant_context(tenant.pk):
        running.hold()
        delivered = receive_due(on=day, label=LABEL)
    counts = bring_in(running, tenant, SALES.on(day), running.part(0.1, 0.85))
    if counts is None:
        raise GiveUp(_("The demo has no orders of %(day)s: load it anew.") % words)
    displays = bring_in(running, tenant, DISPLAYS.on(day), running.part(0.85, 0.95))
    running.progress(0.95, _("%(day)s: closing the day") % words)
    with tenant_context(tenant.pk):
        running.hold()
        today = services.close_day(day=day, until=until)
        tell_unsent(as_of=today)
        tell_unusual(as_of=today)
    return {"day": day.isoformat(), "today": today.isoformat(), "deliveries": delivered, "orders": counts,
            "displays": displays, "seconds": round(perf_counter() - began, 1)}


def start_contest(running: Running) -> dict[str, Any]:
    """The shop has its first plan: start the contest of models, once no other shop of the demo waits for its own."""
    return {"shops": services.start_contests()}
