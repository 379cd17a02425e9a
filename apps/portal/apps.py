"""Registers the app, and lets its lists follow what people do."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    name = "apps.portal"
    label = "portal"
    verbose_name = _("Portal")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.inventory.services import on_items_changed
        from apps.portal.services import follow_items

        on_items_changed(follow_items)
