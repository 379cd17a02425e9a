"""Recommendations, for programs: what to buy, why, and a decision on each."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.jobs.api import JobSerializer
from apps.optimization import selectors, services
from apps.optimization.models import Decision, Recommendation
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
