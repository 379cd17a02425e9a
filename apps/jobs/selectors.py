"""Jobs of the tenant in scope, with what they say."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from apps.jobs.kinds import all_kinds
from apps.jobs.models import Job, JobRecord
from apps.tenants.scope import current_tenant_id


@dataclass(frozen=True)
class JobView:
    """A job's head and record together, as a page shows them."""

    job: Job
    record: JobRecord | None

    @property
    def percent(self) -> int:
        return round(self.job.progress * 100)


def jobs() -> QuerySet[Job]:
    """The tenant's jobs, newest first."""
    return Job.objects.filter(tenant_id=current_tenant_id()).order_by("-id")


def with_records(found: list[Job]) -> list[JobView]:
    """Join jobs to their records: one query for all."""
    records = {record.job_id: record for record in JobRecord.objects.filter(job_id__in=[job.pk for job in found])}
    return [JobView(job, records.get(job.pk)) for job in found]


def recent_jobs(limit: int = 50) -> list[JobView]:
    return with_records(list(jobs()[:limit]))


def live_jobs() -> list[JobView]:
    """Jobs that wait or run, the running ones first."""
    live = jobs().filter(state__in=[Job.State.QUEUED, Job.State.RUNNING])
    return with_records(sorted(live, key=lambda job: (job.state != Job.State.RUNNING, job.pk)))


def job_view(job_id: int) -> JobView | None:
    found = with_records(list(jobs().filter(pk=job_id)))
    return found[0] if found else None


def latest_of_kind(kind_name: str) -> JobView | None:
    found = with_records(list(jobs().filter(kind=kind_name)[:1]))
    return found[0] if found else None


def is_any_live(kind_names: list[str]) -> bool:
    """Whether a job of any of these kinds waits or runs."""
    return jobs().filter(kind__in=kind_names, state__in=[Job.State.QUEUED, Job.State.RUNNING]).exists()


def listed_kinds() -> list[tuple[str, str]]:
    return [(kind.name, str(kind.title)) for kind in all_kinds() if kind.is_listed]
