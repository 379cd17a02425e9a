"""A job's head, which workers of all tenants read, and its record, which only its tenant does."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.jobs.kinds import QUEUE_TITLES, UnknownKind, kind
from apps.tenants.tables import TenantForeignKey, TenantModel


class Job(models.Model):
    """The head: what workers need to choose. It stands outside row-level security and holds no tenant's data."""

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(_("kind"), max_length=60)
    queue = models.CharField(_("queue"), max_length=10)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    dedupe_key = models.CharField(max_length=120, blank=True)
    progress = models.FloatField(_("progress"), default=0)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    max_attempts = models.PositiveSmallIntegerField(_("attempts at most"), default=3)
    workers_lost = models.PositiveSmallIntegerField(_("workers lost"), default=0)
    run_after = models.DateTimeField(_("not before"), default=timezone.now)
    lease_until = models.DateTimeField(_("held until"), null=True, blank=True)
    worker = models.CharField(_("worker"), max_length=80, blank=True)
    cancel_requested = models.BooleanField(_("to be cancelled"), default=False)
    created_at = models.DateTimeField(_("asked for"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="jobs_job_of_tenant"),
            models.UniqueConstraint(fields=["tenant", "kind", "dedupe_key"], name="jobs_job_once",
                                    condition=models.Q(state="queued") & ~models.Q(dedupe_key="")),
            models.CheckConstraint(condition=models.Q(progress__gte=0, progress__lte=1), name="jobs_progress_share"),
        ]
        indexes = [
            models.Index(fields=["queue", "run_after", "id"], name="jobs_job_waiting",
                         condition=models.Q(state="queued")),
            models.Index(fields=["lease_until"], name="jobs_job_held", condition=models.Q(state="running")),
            models.Index(fields=["tenant", "-id"], name="jobs_job_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"

    @property
    def title(self) -> str:
        try:
            return str(kind(self.kind).title)
        except UnknownKind:
            return self.kind

    @property
    def queue_title(self) -> str:
        return str(QUEUE_TITLES.get(self.queue, self.queue))

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED, self.State.CANCELLED)

    @property
    def seconds(self) -> float | None:
        """How long the last attempt has run, or ran."""
        if self.started_at is None:
            return None
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()


class JobRecord(TenantModel):
    """What a job was given, what it says while it runs, what came of it, and its story, line by line."""

    job = TenantForeignKey(Job, models.CASCADE, related_name="+")
    input = models.JSONField(default=dict)
    result = models.JSONField(null=True)
    note = models.TextField(blank=True)
    story = models.JSONField(default=list)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "job"], name="jobs_record_once")]
