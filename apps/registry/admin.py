"""What operators see of registry, once they have chosen a tenant."""

from django.contrib import admin

from apps.registry.models import ModelVersion
from apps.tenants.operators import TenantOwnedAdmin


@admin.register(ModelVersion)
class ModelVersionAdmin(TenantOwnedAdmin):
    list_display = ("name", "version", "model", "trained_through", "created_at")
