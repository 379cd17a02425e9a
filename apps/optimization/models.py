"""Plans, their recommendations line by line, and what people decided on them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.tenants.tables import TenantForeignKey, TenantModel


class Plan(TenantModel):
    """What to buy as of one day, under that day's limits; the same inputs give the same plan."""

    class Status(models.TextChoices):
        OPTIMAL = "optimal", _("optimal")
        FEASIBLE = "feasible", _("good, not proved optimal")
        EMPTY = "empty", _("nothing to buy")
        INFEASIBLE = "infeasible", _("impossible under its limits")

    as_of = models.DateField(_("as of"))
    forecast_run = TenantForeignKey("forecasting.ForecastRun", models.PROTECT)
    previous = TenantForeignKey("self", models.SET_NULL, null=True)
    status = models.CharField(_("status"), max_length=12, choices=Status)
    binding = models.JSONField(_("what binds"), default=list)
    limits = models.JSONField(_("limits"), default=dict)
    cash_budget = models.DecimalField(_("cash for this plan"), max_digits=14, decimal_places=2, null=True)
    lines = models.PositiveIntegerField(_("lines"))
    money = models.DecimalField(_("money"), max_digits=24, decimal_places=2)
    avoided_lost_sales = models.DecimalField(_("lost sales avoided"), max_digits=24, decimal_places=2)
    changes = models.JSONField(_("what changed"), default=dict)
    inputs_hash = models.CharField(max_length=64)
    seed = models.BigIntegerField()
    is_replay = models.BooleanField(_("replayed"), default=False)
    job_id = models.BigIntegerField(null=True)
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "as_of", "inputs_hash"],
                                               name="optimization_plan_once")]
        indexes = [models.Index(fields=["tenant", "-as_of", "-id"], name="optimization_plan_recent")]


class Recommendation(TenantModel):
    """One line of a plan: buy this much of this item from this supplier, by when, and why exactly this much."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        APPROVED = "approved", _("approved")
        DISMISSED = "dismissed", _("dismissed")
        SUPERSEDED = "superseded", _("replaced by a newer plan")

    plan = TenantForeignKey(Plan, models.CASCADE)
    item = TenantForeignKey("catalog.Item", models.PROTECT)
    location = TenantForeignKey("catalog.Location", models.PROTECT)
    supplier = TenantForeignKey("catalog.Supplier", models.PROTECT)
    quantity = models.PositiveIntegerField(_("quantity"))
    unit_cost = models.DecimalField(_("unit cost"), max_digits=14, decimal_places=4)
    price = models.DecimalField(_("price"), max_digits=14, decimal_places=4)
    on_hand = models.FloatField(_("on hand"))
    on_order = models.FloatField(_("on order"))
    mean_demand = models.FloatField(_("mean demand over the protection period"))
    lead_time_days = models.FloatField(_("lead time, days"))
    review_period_days = models.FloatField(_("ordered every, days"))
    days_of_cover = models.FloatField(_("days of cover"))
    stockout_on = models.DateField(_("runs out"), null=True)
    order_by_on = models.DateField(_("order by"), null=True)
    arrives_on = models.DateField(_("would arrive"))
    lost_units_without = models.FloatField(_("expected lost units without it"))
    lost_units_with = models.FloatField(_("expected lost units with it"))
    avoided_lost_sales = models.DecimalField(_("lost sales avoided"), max_digits=24, decimal_places=2)
    net_gain = models.DecimalField(_("gain"), max_digits=24, decimal_places=2)
    waterfall = models.JSONField(_("why this quantity"), default=dict)
    binding = models.CharField(_("what binds"), max_length=30, blank=True)
    assumed = models.JSONField(_("assumed"), default=list)
    simulated = models.JSONField(_("simulated"), default=list)
    change = models.JSONField(_("what changed"), default=dict)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.OPEN)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "plan", "item", "location"],
                                               name="optimization_recommendation_once")]
        indexes = [models.Index(fields=["tenant", "plan", "-net_gain"], name="optimization_rec_worth"),
                   models.Index(fields=["tenant", "item", "-plan"], name="optimization_rec_item")]

    @property
    def is_stock_unknown(self) -> bool:
        """Nobody ever counted it: it was planned as if there were nothing, and when it runs out cannot be told."""
        return self.on_hand <= 0 and self.stockout_on is None

    @property
    def pack_size(self) -> int:
        """In which multiples the supplier sold it when it was planned."""
        return int(self.waterfall.get("pack_size") or 1)

    @property
    def moq(self) -> int:
        """The smallest order that the supplier took then, in whole packs."""
        return -(-int(self.waterfall.get("moq") or 1) // self.pack_size) * self.pack_size

    def good_quantities(self, quantity: int) -> list[int]:
        """The quantities next to one, itself if it is so, that are whole packs and no less than the smallest order."""
        down, up = quantity // self.pack_size * self.pack_size, -(-quantity // self.pack_size) * self.pack_size
        return sorted({max(near, self.moq) for near in (down, up)})


class Decision(TenantModel):
    """What a person decided on a recommendation; approving twice is one decision and one order line.

    While that order is a draft, and once it is cancelled and nothing of it came, the line may be decided on again: the
    last decision is the one that stands.
    """

    class Kind(models.TextChoices):
        APPROVED = "approved", _("approved")
        EDITED = "edited", _("approved with another quantity")
        DISMISSED = "dismissed", _("dismissed")

    recommendation = TenantForeignKey(Recommendation, models.PROTECT)
    kind = models.CharField(max_length=10, choices=Kind)
    quantity = models.PositiveIntegerField(_("quantity"))
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    decided_by = models.CharField(_("by"), max_length=160)
    purchase_order_id = models.BigIntegerField(null=True)
    decided_on = models.DateField(_("day"))
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "recommendation", "-id"], name="optimization_decision_newest")]
