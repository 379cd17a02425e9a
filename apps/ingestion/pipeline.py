"""What jobs do here: read a stored file, apply a stored delivery."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from apps.catalog.services import TooManyItems
from apps.ingestion import services
from apps.ingestion.models import ImportFile
from apps.jobs.running import GiveUp, Running
from apps.jobs.services import start_chain
from apps.sales import selectors as sales
from apps.sales.services import TooMuchADay, tell_unusual
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import tenant_by_id


def apply_file(running: Running) -> dict[str, Any]:
    """Read one file into the facts and, where it changed any, have the plan made anew."""
    file_id = int(running.input["file_id"])
    with tenant_context(running.tenant_id):
        services.note_state(file_id=file_id, state=ImportFile.State.APPLYING, job_id=running.job_id)
    try:
        with tenant_context(running.tenant_id):
            file = services.apply_file(file_id=file_id, on_progress=running.progress, hold=running.hold)
            if file.rows_applied:
                follow(running)
    except (services.FileRefused, TooManyItems) as refused:
        with tenant_context(running.tenant_id):
            services.note_state(file_id=file_id, state=ImportFile.State.REFUSED, error=str(refused))
        raise GiveUp(str(refused)) from refused
    return {"file_id": file_id, "rows_read": file.rows_read, "applied": file.rows_applied,
            "duplicate": file.rows_duplicate, "set_aside": file.rows_set_aside, "rejected": file.rows_rejected,
            "rules": file.rules}


def give_file_back(job_id: int, given: dict[str, Any], reason: str) -> None:
    """The job of a file ended undone: the file can be confirmed again, and says why it was not read."""
    services.give_file_back(file_id=int(given["file_id"]), job_id=job_id, reason=reason)


def follow(running: Running) -> None:
    """Ask for what new facts lead to, once for any number of files that come together."""
    tenant = tenant_by_id(running.tenant_id)
    if tenant.is_demo:
        return
    today, first = tenant.today(), sales.history_span().first_date
    has_sold = first is not None and first < today
    start_chain(chain=settings.JOBS_AFTER_IMPORT if has_sold else settings.JOBS_BEFORE_SALES, as_of=today)


def reject_delivery(job_id: int, given: dict[str, Any], reason: str) -> None:
    """The job of a delivery ended undone: the delivery does not wait for ever, and says why nothing came of it."""
    services.reject_delivery(delivery_pk=int(given["delivery_id"]), reason=reason)


def apply_delivery(running: Running) -> dict[str, Any]:
    """Apply one delivery of a connected shop."""
    try:
        with tenant_context(running.tenant_id):
            running.progress(0.1, _("Reading the delivery"))
            delivery = services.apply_delivery(delivery_pk=int(running.input["delivery_id"]))
            running.hold()
    except (services.NotUnderstood, TooMuchADay) as refused:
        with tenant_context(running.tenant_id):
            services.reject_delivery(delivery_pk=int(running.input["delivery_id"]), reason=str(refused))
        return {"delivery_id": running.input["delivery_id"], "rejected": str(refused)}
    except TooManyItems as refused:
        raise GiveUp(str(refused)) from refused
    if delivery.outcome.get("items"):  # of their own: meanwhile others may write into the ledger
        with tenant_context(running.tenant_id):
            running.hold()
            tell_unusual(as_of=tenant_by_id(running.tenant_id).today(), item_ids=delivery.outcome["items"])
    return {"delivery_id": delivery.pk, "outcome": delivery.outcome}
