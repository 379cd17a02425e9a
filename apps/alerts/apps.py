"""Registers the app, and lets it hear of jobs that failed for good."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AlertsConfig(AppConfig):
    name = "apps.alerts"
    label = "alerts"
    verbose_name = _("Alerts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.alerts.services import raise_for_failed_job
        from apps.jobs.services import on_failed

        on_failed(raise_for_failed_job)
