"""Plans, their recommendations line by line, what people decided on them, and what would be planned otherwise."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

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


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a scenario changes of the plan's facts; as it stands, nothing. Without a supplier or kind, of all items."""

    lead_days: int = 0
    """Added to the lead time, which ends at none."""
    lead_supplier_id: int | None = None
    demand_factor: float = 1.0
    demand_kind: str = ""
    """A department or a category."""
    budget_factor: float = 1.0
    budget: float | None = None
    """What the plan may spend, in place of its own budget."""
    gone_supplier_id: int | None = None
    """Of whom nothing can be ordered."""
    cost_factor: float = 1.0
    """Of unit costs; what is asked of customers stays."""
    cost_supplier_id: int | None = None

    @property
    def is_nothing(self) -> bool:
        return (self.lead_days == 0 and self.demand_factor == self.budget_factor == self.cost_factor == 1
                and self.budget is None and self.gone_supplier_id is None)

    @property
    def supplier_ids(self) -> dict[str, int]:
        """The suppliers that it names, by the name of the field."""
        named = {name: getattr(self, name) for name in ("lead_supplier_id", "gone_supplier_id", "cost_supplier_id")}
        return {name: pk for name, pk in named.items() if pk is not None}

    def given(self) -> dict[str, Any]:
        """What it changes, as it is kept: all that stays as it is left out."""
        usual = asdict(Changes())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


class Scenario(TenantModel):
    """What if: changes to a plan's facts under a name, and what would be planned then beside what is planned.

    `before` and `after` hold the figures of both sides and what binds, reckoned from the same facts but for the
    changes. Nothing else is touched by it.
    """

    name = models.CharField(_("name"), max_length=120)
    changes = models.JSONField(_("what changes"), default=dict)
    named = models.JSONField(default=dict)  # the suppliers that `changes` names, as they were called then
    plan = TenantForeignKey(Plan, models.SET_NULL, null=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    is_as_planned = models.BooleanField(default=True)  # `before` is the plan itself: its facts still stand
    planned_at = models.DateTimeField(_("reckoned"), null=True)
    job_id = models.BigIntegerField(null=True)
    made_by = models.CharField(_("by"), max_length=160)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "-id"], name="optimization_scenario_recent")]

    def __str__(self) -> str:
        return self.name

    @property
    def change(self) -> Changes:
        return Changes(**self.changes)


class ScenarioLine(TenantModel):
    """An item that is ordered on one side of a scenario or on both: how much, and at what cost."""

    scenario = TenantForeignKey(Scenario, models.CASCADE)
    item = TenantForeignKey("catalog.Item", models.PROTECT)
    location = TenantForeignKey("catalog.Location", models.PROTECT)
    supplier = TenantForeignKey("catalog.Supplier", models.PROTECT, null=True)
    quantity_before = models.PositiveIntegerField(_("quantity before"))
    quantity_after = models.PositiveIntegerField(_("quantity after"))
    cost_before = models.DecimalField(_("unit cost before"), max_digits=14, decimal_places=4)
    cost_after = models.DecimalField(_("unit cost after"), max_digits=14, decimal_places=4)
    lost_before = models.FloatField(_("expected lost units before"))
    lost_after = models.FloatField(_("expected lost units after"))

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "scenario", "item", "location"],
                                               name="optimization_scenario_line_once")]
