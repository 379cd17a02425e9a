"""Raising alerts, and what people do about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.alerts.models import Alert
from apps.tenants.scope import current_tenant_id

if TYPE_CHECKING:
    from apps.jobs.models import Job

Severity, State = Alert.Severity, Alert.State

_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@transaction.atomic
def raise_alert(*, code: str, title: str, severity: str, subject: str = "", reason: str = "", link: str = "",
                told_of: Sequence[int] = ()) -> Alert:
    """Say that something needs a person; the same code and subject again, while it is not resolved, is one alert.

    A repeated one tells the newest reason; one that was seen and has become worse counts as not seen again.
    """
    alert: Alert
    alert, made = Alert.objects.select_for_update().exclude(state=State.RESOLVED).get_or_create(
        tenant_id=current_tenant_id(), code=code, subject=subject[:120],
        defaults={"severity": severity, "title": title[:200], "reason": reason, "link": link[:300],
                  "told_of": list(told_of)})
    if not made:
        if _RANK[Severity(severity)] > _RANK[Severity(alert.severity)]:
            alert.state = State.OPEN
        alert.severity, alert.title, alert.reason, alert.link = severity, title[:200], reason, link[:300]
        alert.told_of, alert.last_seen_at = list(told_of), timezone.now()
        alert.save(update_fields=["state", "severity", "title", "reason", "link", "told_of", "last_seen_at"])
    return alert


@transaction.atomic
def mark_seen(*, alert_id: int) -> Alert:
    """Someone knows; it stays on the list until it is resolved."""
    alert: Alert = Alert.objects.select_for_update().get(pk=alert_id)
    if alert.state == State.OPEN:
        alert.state = State.SEEN
        alert.save(update_fields=["state"])
    return alert


@transaction.atomic
def resolve(*, alert_id: int) -> Alert:
    """A person says that it is dealt with; the same thing later is a new alert, but for what it told of by id."""
    alert: Alert = Alert.objects.select_for_update().get(pk=alert_id)
    if alert.state != State.RESOLVED:
        alert.state, alert.resolved_at = State.RESOLVED, timezone.now()
        alert.save(update_fields=["state", "resolved_at"])
    return alert


@transaction.atomic
def resolve_of(*, code: str, subject: str = "") -> int:
    """What raised an alert has passed by itself; how many alerts that resolves."""
    return Alert.objects.exclude(state=State.RESOLVED).filter(code=code, subject=subject[:120]).update(
        state=State.RESOLVED, resolved_at=timezone.now(), told_of=[])


@transaction.atomic
def resolve_others(*, code: str, subjects: Sequence[str]) -> int:
    """What raised the alerts of a code holds for these subjects alone; how many others that resolves.

    Nobody has said that they are dealt with: what they told of is news where it comes again.
    """
    return Alert.objects.exclude(state=State.RESOLVED).filter(code=code).exclude(
        subject__in=[subject[:120] for subject in subjects]).update(
            state=State.RESOLVED, resolved_at=timezone.now(), told_of=[])


def raise_for_failed_job(job: Job, reason: str) -> None:
    """A job that failed for good needs someone; the same kind failing again is one alert."""
    raise_alert(code="job.failed", subject=job.kind, severity=Severity.WARNING, reason=reason, link=f"/jobs/{job.pk}/",
                title=_("%(job)s failed") % {"job": job.title})
