"""Jobs of the tenant in scope, with what they say."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.jobs.kinds import all_kinds
from apps.jobs.models import Job, JobRecord
from apps.tenants.scope import current_tenant_id


@dataclass(frozen=True)
class JobView:
    """A job's head and record together, as a page shows them; `ahead` is what runs while it waits."""

    job: Job
    record: JobRecord | None
    ahead: Job | None = None

    @property
    def percent(self) -> int:
        return round(self.job.progress * 100)

    @property
    def waits(self) -> str:
        """What a waiting job waits for; nothing for any other."""
        if self.job.state != Job.State.QUEUED:
            return ""
        seconds = round((self.job.run_after - timezone.now()).total_seconds())
        if seconds > 0:
            return ngettext("waits %(n)d second more", "waits %(n)d seconds more", seconds) % {"n": seconds}
        return _("waits for “%(job)s”") % {"job": self.ahead.title} if self.ahead else _("waits for its turn")

    @property
    def is_taken_up_again(self) -> bool:
        return self.job.state == Job.State.RUNNING and self.job.attempts > 1


def jobs() -> QuerySet[Job]:
    """The tenant's jobs, newest first."""
    return Job.objects.filter(tenant_id=current_tenant_id()).order_by("-id")


def with_records(found: list[Job], ahead: dict[str, Job] | None = None) -> list[JobView]:
    """Join jobs to their records, and to what runs in their queue: one query for all."""
    records = {record.job_id: record for record in JobRecord.objects.filter(job_id__in=[job.pk for job in found])}
    return [JobView(job, records.get(job.pk), (ahead or {}).get(job.queue)) for job in found]


def live_jobs() -> list[JobView]:
    """Jobs that wait or run, the running ones first."""
    live = sorted(jobs().filter(state__in=[Job.State.QUEUED, Job.State.RUNNING]),
                  key=lambda job: (job.state != Job.State.RUNNING, job.pk))
    return with_records(live, {job.queue: job for job in live if job.state == Job.State.RUNNING})


def job_view(job_id: int) -> JobView | None:
    """A job, and, while it waits, which of the tenant's own jobs runs in its queue."""
    found = list(jobs().filter(pk=job_id))
    if found and found[0].state == Job.State.QUEUED:
        running = jobs().filter(queue=found[0].queue, state=Job.State.RUNNING)[:1]
        return with_records(found, {job.queue: job for job in running})[0]
    return with_records(found)[0] if found else None


def running_in(queue: str) -> Job | None:
    """What a living worker does now in a queue, for whichever tenant: for operators, not for a tenant's pages."""
    return (Job.objects.filter(queue=queue, state=Job.State.RUNNING, lease_until__gt=timezone.now())
            .select_related("tenant").order_by("pk").first())


def latest_of_kind(kind_name: str) -> JobView | None:
    found = with_records(list(jobs().filter(kind=kind_name)[:1]))
    return found[0] if found else None


def is_any_live(kind_names: list[str]) -> bool:
    """Whether a job of any of these kinds waits or runs."""
    return jobs().filter(kind__in=kind_names, state__in=[Job.State.QUEUED, Job.State.RUNNING]).exists()


def listed_kinds() -> list[tuple[str, str]]:
    return [(kind.name, str(kind.title)) for kind in all_kinds() if kind.is_listed]
