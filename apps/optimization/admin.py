"""What operators see of optimization, once they have chosen a tenant."""

from django.contrib import admin

from apps.optimization.models import Plan, Recommendation
from apps.tenants.operators import TenantOwnedAdmin


@admin.register(Plan)
class PlanAdmin(TenantOwnedAdmin):
    list_display = ("as_of", "status", "lines", "money", "is_replay")


@admin.register(Recommendation)
class RecommendationAdmin(TenantOwnedAdmin):
    list_display = ("id", "item_id", "quantity", "unit_cost", "state")
