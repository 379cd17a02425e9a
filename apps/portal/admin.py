"""Usage, for operators: who holds how much of what their tier allows, and whose jobs the workers run."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.portal.models import Usage
from apps.portal.selectors.usage import usage
from apps.tenants.figures import file_size
from apps.tenants.operators import LookOnlyAdmin


@admin.register(Usage)
class UsageAdmin(LookOnlyAdmin):
    """All tenants side by side, the largest first; counted whenever a tenant's lists are derived."""

    list_display = ("tenant", "tier", "items_of_limit", "planned_items", "lines", "people_of_limit", "files",
                    "jobs_run", "worker_time", "refreshed_at")
    list_display_links = None
    list_filter = ("tenant__tier", "tenant__status")
    search_fields = ("tenant__name", "tenant__slug")
    ordering = ("-order_lines",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Usage]:
        return usage()

    @admin.display(description=_("tier"), ordering="tenant__tier")
    def tier(self, row: Usage) -> str:
        return row.tenant.get_tier_display()

    @admin.display(description=_("items"), ordering="items")
    def items_of_limit(self, row: Usage) -> str:
        return _of(row.items, row.tenant.limit("items"))

    @admin.display(description=_("order lines"), ordering="order_lines")
    def lines(self, row: Usage) -> str:
        return number_format(row.order_lines, force_grouping=True)

    @admin.display(description=_("people"), ordering="people")
    def people_of_limit(self, row: Any) -> str:
        return _of(row.people or 0, row.tenant.limit("people"))

    @admin.display(description=_("files"), ordering="stored_bytes")
    def files(self, row: Usage) -> str:
        return file_size(row.stored_bytes)

    @admin.display(description=_("jobs, 30 days"), ordering="jobs")
    def jobs_run(self, row: Any) -> int:
        return row.jobs or 0

    @admin.display(description=_("workers busy, 30 days"), ordering="running_time")
    def worker_time(self, row: Any) -> str:
        minutes = round((row.running_time or dt.timedelta()).total_seconds() / 60)
        return gettext("%(hours)d h %(minutes)d min") % {"hours": minutes // 60, "minutes": minutes % 60}


def _of(count: int, limit: int) -> str:
    return gettext("%(count)s of %(limit)s") % {"count": number_format(count, force_grouping=True),
                                                "limit": number_format(limit, force_grouping=True)}
