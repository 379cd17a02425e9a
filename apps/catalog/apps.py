"""Registers the app, and gives every new tenant its planning defaults and first location."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    name = "apps.catalog"
    label = "catalog"
    verbose_name = _("Catalog")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.catalog.services import furnish_tenant  # noqa: PLC0415 - models are loaded only now
        from apps.tenants.services import on_tenant_made  # noqa: PLC0415

        on_tenant_made(furnish_tenant)
