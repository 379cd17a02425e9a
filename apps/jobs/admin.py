"""Jobs across tenants, for operators: what waits, what runs, what failed. Their input and result are the tenant's."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from apps.jobs.models import Job, JobRecord
from apps.tenants.operators import TenantOwnedAdmin


@admin.register(Job)
class JobAdmin(ModelAdmin):
    list_display = ("id", "tenant", "kind", "queue", "state", "percent", "attempts", "worker", "created_at",
                    "started_at", "finished_at")
    list_filter = ("state", "queue", "kind")
    search_fields = ("tenant__name", "kind")
    list_select_related = ("tenant",)
    ordering = ("-id",)

    @admin.display(description=_("progress"), ordering="progress")
    def percent(self, job: Job) -> str:
        return f"{job.progress:.0%}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(JobRecord)
class JobRecordAdmin(TenantOwnedAdmin):
    list_display = ("job_id", "note")
