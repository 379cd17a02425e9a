"""Registers the app, and gives every new tenant its planning defaults and first location."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    name = "apps.catalog"
    label = "catalog"
    verbose_name = _("Catalog")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.catalog.services import furnish_tenant
        from apps.tenants.services import on_tenant_made

        on_tenant_made(furnish_tenant)
