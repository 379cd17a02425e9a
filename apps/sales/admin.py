"""What operators see of sales, once they have chosen a tenant."""

from django.contrib import admin

from apps.sales.models import Promotion, SaleLine
from apps.tenants.operators import TenantOwnedAdmin


@admin.register(SaleLine)
class SaleLineAdmin(TenantOwnedAdmin):
    list_display = ("id", "order_id", "quantity", "paid_price", "currency", "occurred_at")


@admin.register(Promotion)
class PromotionAdmin(TenantOwnedAdmin):
    list_display = ("id", "kind", "starts_on", "ends_on", "share")
