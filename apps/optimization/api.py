"""Recommendations, for programs: what to buy, why, and a decision on each; and what would be planned if."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.jobs.api import JobSerializer
from apps.optimization import selectors, services
from apps.optimization.models import Changes, Decision, Recommendation, Scenario, ScenarioLine
from apps.tenants.models import Permission
from apps.tenants.rest import Conflict, TenantViewSet


class RecommendationSerializer(serializers.ModelSerializer[Recommendation]):
    as_of = serializers.DateField(source="plan.as_of", read_only=True)

    class Meta:
        model = Recommendation
        fields = ["id", "plan_id", "as_of", "item_id", "location_id", "supplier_id", "quantity", "unit_cost", "price",
                  "on_hand", "on_order", "mean_demand", "lead_time_days", "review_period_days", "days_of_cover",
                  "stockout_on", "order_by_on", "arrives_on", "lost_units_without", "lost_units_with",
                  "avoided_lost_sales", "net_gain", "waterfall", "binding", "assumed", "simulated", "change", "state"]
        extra_kwargs = {"price": {"help_text": "What one sold brings: what customers paid on average over 91 days, "
                                               "or the item's price where fewer than three were sold."}}


class RecommendationFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=Recommendation.State.choices)
    supplier_id = django_filters.NumberFilter()
    item_id = django_filters.NumberFilter()


class DecideSerializer(serializers.Serializer[Any]):
    quantity = serializers.IntegerField(min_value=1, max_value=999_999_999, required=False, allow_null=True,
                                        default=None,
                                        help_text="Leave it out to take the advised quantity.")
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="",
                                   help_text="Needed where the quantity is another than advised.")
    allow_odd = serializers.BooleanField(
        source="may_be_odd", default=False,
        help_text="Order a quantity that is no whole packs, below the minimum quantity, or ten times the advised one "
                  "or more. Without it, such a quantity is answered by 409.")


class DismissSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=300)


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    class Meta:
        model = Decision
        fields = ["id", "recommendation_id", "kind", "quantity", "reason", "decided_by", "decided_on",
                  "purchase_order_id"]


class RecommendationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Recommendations of the current plan. The parts of `waterfall` add up exactly to `quantity`."""

    serializer_class = RecommendationSerializer
    filterset_class = RecommendationFilter
    to_change = Permission.PLAN

    def rows(self) -> Any:
        return selectors.recommendations(selectors.current_plan()).select_related("plan")

    @extend_schema(request=DecideSerializer, responses=DecisionSerializer)
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str) -> Response:
        """Approve into a purchase order line; approving twice is one decision and one line."""
        return self._decided(services.decide, DecideSerializer(data=request.data))

    @extend_schema(request=DismissSerializer, responses=DecisionSerializer)
    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, pk: str) -> Response:
        """Say no, and why."""
        return self._decided(services.dismiss, DismissSerializer(data=request.data))

    @extend_schema(request=None, responses={202: JobSerializer})
    @action(detail=False, methods=["post"])
    def plan(self, request: Request) -> Response:
        """Ask for a new plan as of today: the same facts give the same plan."""
        job = services.request_plan(as_of=self.tenant.today())
        return Response(JobSerializer(job).data, status=status.HTTP_202_ACCEPTED,
                        headers={"Location": f"/api/v1/jobs/{job.pk}/"})

    def _decided(self, change: Any, given: serializers.Serializer[Any]) -> Response:
        given.is_valid(raise_exception=True)
        try:
            made = change(recommendation_id=self.get_object().pk, as_of=self.tenant.today(), actor=None,
                          label=self.program, **given.validated_data)
        except services.OddLot as error:
            raise Conflict(f"{error} Send allow_odd to order it all the same.") from error
        except services.NotOpen as error:
            raise Conflict(str(error)) from error
        except services.ReasonMissing as error:
            raise serializers.ValidationError({"reason": [str(error)]}) from error
        return Response(DecisionSerializer(made).data)


LINES_TOLD = 100


def _factor(least: str, words: str) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=8, decimal_places=6, min_value=Decimal(least), max_value=Decimal(10),
                                    required=False, coerce_to_string=False, help_text=words)


class ChangesSerializer(serializers.Serializer[Any]):
    """What a scenario changes; what is left out stays. Without a supplier or kind, of all items."""

    lead_days = serializers.IntegerField(min_value=-180, max_value=180, required=False,
                                         help_text="Added to lead times.")
    lead_supplier_id = serializers.IntegerField(required=False, min_value=1, max_value=2 ** 62)
    demand_factor = _factor("0", "Times the forecast.")
    demand_kind = serializers.CharField(max_length=300, required=False, help_text="A department or a category.")
    budget_factor = _factor("0", "Times the cash of the planning rules.")
    budget = serializers.DecimalField(max_digits=14, decimal_places=2, min_value=Decimal(0), required=False,
                                      coerce_to_string=False, help_text="The most that the plan may spend.")
    gone_supplier_id = serializers.IntegerField(required=False, min_value=1, max_value=2 ** 62,
                                                help_text="Nothing can be ordered from this supplier.")
    cost_factor = _factor("0.1", "Times unit costs; what customers pay stays.")
    cost_supplier_id = serializers.IntegerField(required=False, min_value=1, max_value=2 ** 62)

    @staticmethod
    def read(given: dict[str, Any]) -> Changes:
        values: dict[str, Any] = {name: float(value) if isinstance(value, Decimal) else value
                                  for name, value in given.items()}
        return Changes(**values)


class WhatIfSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False, allow_blank=True, default="",
                                 help_text="Left out, it is named by its changes.")
    changes = ChangesSerializer()


class ScenarioSerializer(serializers.ModelSerializer[Scenario]):
    is_stale = serializers.SerializerMethodField(help_text="A newer plan stands than it was compared with.")

    class Meta:
        model = Scenario
        fields = ["id", "name", "changes", "plan_id", "before", "after", "is_as_planned", "is_stale", "planned_at",
                  "job_id", "made_by", "created_at"]
        extra_kwargs = {"before": {"help_text": "The figures of the plan without the changes."},
                        "after": {"help_text": "The same with them; empty until it is reckoned."},
                        "planned_at": {"help_text": "When it was reckoned; null until then."},
                        "is_as_planned": {"help_text": "`before` is the plan itself: its facts still stand."}}

    def get_is_stale(self, row: Scenario) -> bool:
        return row.planned_at is not None and row.plan_id != self.context["plan_id"]


class ScenarioLineSerializer(serializers.ModelSerializer[ScenarioLine]):
    class Meta:
        model = ScenarioLine
        fields = ["item_id", "location_id", "supplier_id", "quantity_before", "quantity_after", "cost_before",
                  "cost_after", "lost_before", "lost_after"]


class SupplierChangeSerializer(serializers.Serializer[Any]):
    supplier_id = serializers.IntegerField(allow_null=True)
    lines_before = serializers.IntegerField()
    lines_after = serializers.IntegerField()
    money_before = serializers.DecimalField(max_digits=24, decimal_places=4)
    money_after = serializers.DecimalField(max_digits=24, decimal_places=4)


class ScenarioDetailSerializer(ScenarioSerializer):
    """A scenario with what changes: by supplier, and the lines that change most."""

    suppliers = SupplierChangeSerializer(many=True, read_only=True)
    lines = ScenarioLineSerializer(many=True, read_only=True)

    class Meta(ScenarioSerializer.Meta):
        fields = [*ScenarioSerializer.Meta.fields, "suppliers", "lines"]


class AskedSerializer(serializers.Serializer[Any]):
    scenario = ScenarioSerializer()
    job = JobSerializer()


class ScenarioViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """What would be planned if lead times, demand, cash, costs or suppliers were otherwise; orders nothing."""

    serializer_class = ScenarioSerializer
    to_change = Permission.PLAN

    def rows(self) -> Any:
        return selectors.scenarios()

    def get_serializer_context(self) -> dict[str, Any]:
        plan = None if self.is_described else selectors.current_plan()
        return {**super().get_serializer_context(), "plan_id": plan.pk if plan else None}

    @extend_schema(responses=ScenarioDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        found = self.get_object()
        found.suppliers = selectors.supplier_changes([found])
        found.lines = selectors.scenario_lines(found)[:LINES_TOLD]
        return Response(ScenarioDetailSerializer(found, context=self.get_serializer_context()).data)

    @extend_schema(request=WhatIfSerializer, responses={202: AskedSerializer})
    def create(self, request: Request) -> Response:
        """Ask what would be planned: a job reckons it beside the plan that stands."""
        given = WhatIfSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        changes = ChangesSerializer.read(given.validated_data["changes"])
        try:
            made, job = services.make_scenario(changes=changes, name=given.validated_data["name"], actor=None,
                                               label=self.program)
        except services.CannotTry as error:
            raise serializers.ValidationError({"changes": {name or "non_field_errors": [problem]
                                                           for name, problem in error.problems.items()}}) from error
        return self._asked(made, job)

    @extend_schema(request=None, responses={202: AskedSerializer})
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Reckon it again, beside the plan that stands now."""
        found = self.get_object()
        return self._asked(found, services.run_scenario(scenario=found))

    def _asked(self, scenario: Scenario, job: Any) -> Response:
        scenario.job_id = job.pk
        told = ScenarioSerializer(scenario, context=self.get_serializer_context()).data
        return Response({"scenario": told, "job": JobSerializer(job).data}, status=status.HTTP_202_ACCEPTED,
                        headers={"Location": f"/api/v1/jobs/{job.pk}/"})
