"""How much every tenant holds and lets workers do: for operators, across tenants."""

from __future__ import annotations

import datetime as dt

from django.db.models import Count, DurationField, ExpressionWrapper, F, OuterRef, QuerySet, Subquery, Sum
from django.utils import timezone

from apps.jobs.models import Job
from apps.portal.models import Usage
from apps.tenants.models import Membership

DAYS = 30


def usage() -> QuerySet[Usage]:
    """Each tenant's counts, with its people, and its jobs and their running time over the last 30 days."""
    people = Membership.objects.filter(tenant=OuterRef("tenant")).order_by().values("tenant")
    jobs = Job.objects.filter(tenant=OuterRef("tenant"), started_at__gte=timezone.now() - dt.timedelta(days=DAYS),
                              finished_at__isnull=False).order_by().values("tenant")
    ran = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    return Usage.objects.select_related("tenant").annotate(
        people=Subquery(people.annotate(n=Count("pk")).values("n")),
        jobs=Subquery(jobs.annotate(n=Count("pk")).values("n")),
        running_time=Subquery(jobs.annotate(time=Sum(ran)).values("time")))
