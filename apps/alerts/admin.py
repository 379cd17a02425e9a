"""What operators see of alerts, once they have chosen a tenant."""

from django.contrib import admin

from apps.alerts.models import Alert
from apps.tenants.operators import TenantOwnedAdmin


@admin.register(Alert)
class AlertAdmin(TenantOwnedAdmin):
    list_display = ("title", "severity", "state", "raised_at")
