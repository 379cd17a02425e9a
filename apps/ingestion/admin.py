"""What operators see of ingestion, once they have chosen a tenant."""

from django.contrib import admin

from apps.ingestion.models import Delivery, ImportFile
from apps.tenants.operators import TenantOwnedAdmin


@admin.register(ImportFile)
class ImportFileAdmin(TenantOwnedAdmin):
    list_display = ("name", "kind", "state", "rows_read", "rows_applied", "rows_rejected", "created_at")
    search_fields = ("name",)


@admin.register(Delivery)
class DeliveryAdmin(TenantOwnedAdmin):
    list_display = ("delivery_id", "topic", "state", "times_received", "received_at")
