"""What operators see of inventory, once they have chosen a tenant."""

from django.contrib import admin

from apps.inventory.models import PurchaseOrder, StockLevel
from apps.tenants.operators import TenantOwnedAdmin


@admin.register(StockLevel)
class StockLevelAdmin(TenantOwnedAdmin):
    list_display = ("item_id", "location_id", "on_hand", "mode", "updated_at")


@admin.register(PurchaseOrder)
class PurchaseOrderAdmin(TenantOwnedAdmin):
    list_display = ("number", "status", "currency", "ordered_on", "expected_on")
    search_fields = ("number",)
