"""What operators see of forecasting, once they have chosen a tenant."""

from django.contrib import admin

from apps.forecasting.models import ForecastRun
from apps.tenants.operators import TenantOwnedAdmin


@admin.register(ForecastRun)
class ForecastRunAdmin(TenantOwnedAdmin):
    list_display = ("as_of", "model", "series", "is_replay", "created_at")
