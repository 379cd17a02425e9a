"""Registers the app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ForecastingConfig(AppConfig):
    name = "apps.forecasting"
    label = "forecasting"
    verbose_name = _("Forecasting")
    default_auto_field = "django.db.models.BigAutoField"
