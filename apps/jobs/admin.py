"""Jobs across tenants, for operators: what waits, what runs, what failed. Their input and result are the tenant's."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.jobs.models import Job, JobRecord
from apps.tenants.operators import LookOnlyAdmin, TenantOwnedAdmin


@admin.register(Job)
class JobAdmin(LookOnlyAdmin):
    list_display = ("id", "tenant", "kind", "queue", "state", "percent", "attempts", "worker", "created_at",
                    "started_at", "finished_at")
    list_filter = ("state", "queue", "kind")
    search_fields = ("tenant__name", "kind")
    list_select_related = ("tenant",)
    ordering = ("-id",)

    @admin.display(description=_("progress"), ordering="progress")
    def percent(self, job: Job) -> str:
        return f"{job.progress:.0%}"


@admin.register(JobRecord)
class JobRecordAdmin(TenantOwnedAdmin):
    list_display = ("job_id", "note")
