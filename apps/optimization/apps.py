"""Registers the app, and lets advice follow what becomes of its orders."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OptimizationConfig(AppConfig):
    name = "apps.optimization"
    label = "optimization"
    verbose_name = _("Replenishment")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.inventory.services import on_line_edited, on_lines_dropped
        from apps.optimization.services import decide_edited, reopen

        on_line_edited(decide_edited)
        on_lines_dropped(reopen)
