"""Alerts that wait for someone, the worst first."""

from __future__ import annotations

from django.db.models import Case, IntegerField, QuerySet, Value, When

from apps.alerts.models import Alert

Severity, State = Alert.Severity, Alert.State

UNRESOLVED = (State.OPEN, State.SEEN)


def _by_severity() -> Case:
    return Case(When(severity=Severity.CRITICAL, then=Value(0)), When(severity=Severity.WARNING, then=Value(1)),
                default=Value(2), output_field=IntegerField())


def open_alerts() -> QuerySet[Alert]:
    """What is not resolved, the worst first, the newest first among equals."""
    return Alert.objects.filter(state__in=UNRESOLVED).order_by(_by_severity(), "-last_seen_at", "-pk")


def told_of_by_resolved(code: str) -> set[int]:
    """What the alerts of a code told of that a person has resolved."""
    found = Alert.objects.filter(code=code, state=State.RESOLVED).exclude(told_of=[]).values_list("told_of", flat=True)
    return {int(each) for told_of in found for each in told_of}


def resolved_alerts() -> QuerySet[Alert]:
    return Alert.objects.filter(state=State.RESOLVED).order_by("-resolved_at", "-pk")
