"""Registers the app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IngestionConfig(AppConfig):
    name = "apps.ingestion"
    label = "ingestion"
    verbose_name = _("Ingestion")
    default_auto_field = "django.db.models.BigAutoField"
