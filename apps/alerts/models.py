"""An alert: what is wrong or needs someone, how bad, why, and where to look."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.tenants.tables import TenantModel


class Alert(TenantModel):
    """Something that needs a person; the same thing twice while it is open is one alert."""

    class Severity(models.TextChoices):
        INFO = "info", _("to know")
        WARNING = "warning", _("to look at")
        CRITICAL = "critical", _("urgent")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        SEEN = "seen", _("seen")
        RESOLVED = "resolved", _("resolved")

    severity = models.CharField(_("severity"), max_length=10, choices=Severity)
    code = models.CharField(_("code"), max_length=60)
    subject = models.CharField(max_length=120, blank=True)
    title = models.CharField(_("title"), max_length=200)
    reason = models.TextField(_("reason"), blank=True)
    link = models.CharField(_("link"), max_length=300, blank=True)
    told_of = models.JSONField(default=list, help_text=_("What it told of, by id: only another one is news"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    raised_at = models.DateTimeField(_("raised"), default=timezone.now)
    last_seen_at = models.DateTimeField(_("last time"), default=timezone.now)
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code", "subject"], name="alerts_alert_open_once",
                                    condition=~models.Q(state="resolved")),
        ]
        indexes = [models.Index(fields=["tenant", "state", "-raised_at"], name="alerts_alert_recent")]

    def __str__(self) -> str:
        return self.title
