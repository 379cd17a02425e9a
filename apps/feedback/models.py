"""Verdicts: forecasts against what happened, decisions against their outcomes, and the proof in money."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from apps.tenants.tables import TenantForeignKey, TenantModel


class ForecastScore(TenantModel):
    """How one model's forecast of one run did over one stretch of its horizon, for one segment."""

    run = TenantForeignKey("forecasting.ForecastRun", models.CASCADE)
    model = models.CharField(max_length=60)
    is_champion = models.BooleanField(default=False)
    segment_kind = models.CharField(max_length=20)
    segment = models.CharField(max_length=120)
    horizon = models.CharField(max_length=20)
    series = models.PositiveIntegerField()
    actual_units = models.FloatField()
    absolute_error = models.FloatField()
    error = models.FloatField()
    squared_error = models.FloatField()
    pinball = models.FloatField(null=True)
    covered_80 = models.FloatField(null=True)
    covered_95 = models.FloatField(null=True)
    scored_through = models.DateField()

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "run", "model", "segment_kind", "segment", "horizon"],
                                               name="feedback_score_once")]


class Outcome(TenantModel):
    """What came of one recommendation: days without stock, units lost, units left over."""

    recommendation = TenantForeignKey("optimization.Recommendation", models.CASCADE)
    judged_through = models.DateField()
    demand_units = models.FloatField()
    served_units = models.FloatField()
    lost_units = models.FloatField()
    days_out = models.PositiveSmallIntegerField()
    closing_units = models.FloatField()
    followed = models.BooleanField()
    decided_quantity = models.FloatField(null=True)
    override_gain = models.DecimalField(max_digits=24, decimal_places=2, null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "recommendation"], name="feedback_outcome_once")]


class Judgement(TenantModel):
    """One evening's verdict in one report: accuracy, outcomes, overrides, drift."""

    as_of = models.DateField()
    report = models.JSONField(default=dict)
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "as_of"], name="feedback_judgement_once")]


class Proof(TenantModel):
    """The last 13 weeks replayed in money: this advice against the rule that most stores use."""

    as_of = models.DateField()
    report = models.JSONField(default=dict)
    gain = models.DecimalField(max_digits=24, decimal_places=2)
    gain_low = models.DecimalField(max_digits=24, decimal_places=2)
    gain_high = models.DecimalField(max_digits=24, decimal_places=2)
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "as_of"], name="feedback_proof_once")]
