"""Derived tables: what lists of items read, and what operators see of a tenant's size. Never facts."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.tenants.tables import TenantForeignKey, TenantModel


class ItemSummary(TenantModel):
    """An item as the portal's lists show it; rebuilt by a job from what the apps below know."""

    class Planning(models.TextChoices):
        PLANNED = "planned", _("planned")
        ON_REQUEST = "on_request", _("order on request")
        UNSOLD = "unsold", _("not sold yet")

    class Demand(models.TextChoices):
        SMOOTH = "smooth", _("steadily")
        ERRATIC = "erratic", _("up and down")
        INTERMITTENT = "intermittent", _("now and then")
        LUMPY = "lumpy", _("in lumps")

    item = TenantForeignKey("catalog.Item", models.CASCADE)
    sku = models.CharField(max_length=120)
    title = models.CharField(max_length=300)
    category = models.CharField(max_length=300, blank=True)
    department = models.CharField(max_length=120, blank=True)
    brand = models.CharField(max_length=120, blank=True)
    supplier_name = models.CharField(max_length=160, blank=True)
    status = models.CharField(max_length=14)
    planning = models.CharField(max_length=12, choices=Planning)
    abc = models.CharField(max_length=1, blank=True)
    xyz = models.CharField(max_length=1, blank=True)  # empty, as the next, where it has been sold for under eight weeks
    demand = models.CharField(max_length=12, choices=Demand, blank=True)
    price = models.DecimalField(max_digits=14, decimal_places=4, null=True)
    unit_cost = models.DecimalField(max_digits=14, decimal_places=4, null=True)
    cost_origin = models.CharField(max_length=10, blank=True)
    on_hand = models.FloatField(null=True)
    on_order = models.FloatField(default=0)
    weekly_units = models.FloatField(default=0)
    units_28d = models.FloatField(default=0)
    revenue_28d = models.FloatField(default=0)
    last_sold_on = models.DateField(null=True)
    days_of_cover = models.FloatField(null=True)
    stockout_on = models.DateField(null=True)
    lasts_from = models.DateField(null=True)  # the day from which both are reckoned; none where nothing is forecast
    lasts_at = models.BigIntegerField(null=True)  # the location where it ends first, of which both are told
    recommended = models.PositiveBigIntegerField(default=0)
    money_at_risk = models.FloatField(default=0)
    days_out = models.PositiveIntegerField(default=0)  # of the weeks before the newest forecast, at all places together
    lost_units = models.FloatField(default=0)  # what was not sold for that, and the margin on it
    lost_margin = models.FloatField(default=0)
    refreshed_at = models.DateTimeField(default=timezone.now)

    @property
    def demand_told(self) -> str:
        """What its kind of demand means."""
        return str({
            "smooth": _("In nearly every week, and weeks with sales are alike."),
            "erratic": _("In nearly every week, but weeks differ much."),
            "intermittent": _("Weeks lie between its sales; those with sales are alike."),
            "lumpy": _("Weeks lie between its sales, and those with sales differ much."),
        }.get(self.demand, ""))

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "item"], name="portal_summary_once")]
        indexes = [
            models.Index(fields=["tenant", "-revenue_28d", "id"], name="portal_summary_revenue"),
            models.Index(fields=["tenant", "-money_at_risk", "id"], name="portal_summary_risk"),
            models.Index(fields=["tenant", "days_of_cover", "id"], name="portal_summary_cover"),
            models.Index(fields=["tenant", "-units_28d", "id"], name="portal_summary_units"),
            models.Index(fields=["tenant", "title", "id"], name="portal_summary_title"),
            models.Index(fields=["tenant", "sku", "id"], name="portal_summary_sku"),
            models.Index(fields=["tenant", "department", "-revenue_28d"], name="portal_summary_department"),
            GinIndex("tenant_id", OpClass(Upper("title"), "gin_trgm_ops"), name="portal_summary_search"),
        ]


class Usage(models.Model):
    """How much a tenant holds, in counts alone: operators see them side by side. Rebuilt with the lists."""

    tenant = models.OneToOneField("tenants.Tenant", models.CASCADE, primary_key=True, related_name="+")
    items = models.PositiveIntegerField(_("items"), default=0)
    planned_items = models.PositiveIntegerField(_("planned items"), default=0)
    order_lines = models.PositiveBigIntegerField(_("order lines"), default=0)
    stored_bytes = models.PositiveBigIntegerField(_("bytes of files"), default=0)
    refreshed_at = models.DateTimeField(_("counted"), default=timezone.now)

    class Meta:
        verbose_name = _("usage")
        verbose_name_plural = _("usage")

    def __str__(self) -> str:
        return str(self.tenant)
