"""What operators see of catalog, once they have chosen a tenant."""

from django.contrib import admin

from apps.catalog.models import Channel, Item, Location, Supplier
from apps.tenants.operators import TenantOwnedAdmin


@admin.register(Item)
class ItemAdmin(TenantOwnedAdmin):
    list_display = ("sku", "title", "category", "brand", "price", "status")
    search_fields = ("sku", "title")


@admin.register(Location)
class LocationAdmin(TenantOwnedAdmin):
    list_display = ("code", "name")


@admin.register(Supplier)
class SupplierAdmin(TenantOwnedAdmin):
    list_display = ("name", "lead_time_days", "minimum_order_value")
    search_fields = ("name",)


@admin.register(Channel)
class ChannelAdmin(TenantOwnedAdmin):
    list_display = ("slug", "name", "kind")
