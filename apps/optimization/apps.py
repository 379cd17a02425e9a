"""Registers the app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OptimizationConfig(AppConfig):
    name = "apps.optimization"
    label = "optimization"
    verbose_name = _("Replenishment")
    default_auto_field = "django.db.models.BigAutoField"
