"""Stock levels and purchase orders, for programs."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.inventory import selectors, services
from apps.inventory.models import MOST_UNITS, PurchaseOrder, PurchaseOrderLine, StockLevel
from apps.tenants.models import Permission
from apps.tenants.rest import Conflict, TenantViewSet


class StockLevelSerializer(serializers.ModelSerializer[StockLevel]):
    class Meta:
        model = StockLevel
        fields = ["id", "item_id", "location_id", "on_hand", "mode", "counted_at", "origin", "updated_at"]


class StockLevelFilter(django_filters.FilterSet):
    item_id = django_filters.NumberFilter()
    location_id = django_filters.NumberFilter()


class StockLevelViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Stock levels: what is on hand of an item at a location."""

    serializer_class = StockLevelSerializer
    filterset_class = StockLevelFilter

    def rows(self) -> Any:
        return selectors.levels()


DUE = "As written once the supplier has the order; until then, as if it were sent today."


class OrderLineSerializer(serializers.ModelSerializer[PurchaseOrderLine]):
    expected_on = serializers.DateField(source="due_on", read_only=True, allow_null=True, help_text=DUE)

    class Meta:
        model = PurchaseOrderLine
        fields = ["id", "item_id", "quantity", "received_quantity", "unit_cost", "expected_on", "recommendation_id",
                  "note"]


class OrderSerializer(serializers.ModelSerializer[PurchaseOrder]):
    mark = serializers.SerializerMethodField(
        help_text="A mark of its lines as they are. Send it back as `seen`, and what you ask is done on these alone.")
    lines = OrderLineSerializer(many=True, read_only=True)
    expected_on = serializers.DateField(source="due_on", read_only=True, help_text=DUE)
    below_minimum = serializers.DecimalField(
        max_digits=18, decimal_places=2, read_only=True, coerce_to_string=True,
        help_text="By how much it falls short of the smallest order that the supplier takes.")

    class Meta:
        model = PurchaseOrder
        fields = ["id", "number", "supplier_id", "location_id", "status", "currency", "ordered_on", "expected_on",
                  "below_minimum", "note", "created_at", "approved_at", "sent_at", "closed_at", "mark", "lines"]

    def get_mark(self, order: PurchaseOrder) -> str:
        return selectors.mark_of(order.lines.all())


class ReceivedLineSerializer(serializers.Serializer[Any]):
    line_id = serializers.IntegerField()
    quantity = serializers.DecimalField(max_digits=14, decimal_places=3, min_value=0, max_value=MOST_UNITS)


class ReceiptSerializer(serializers.Serializer[Any]):
    reference = serializers.CharField(max_length=80, help_text="Your delivery note's number: the same one counts once.")
    lines = ReceivedLineSerializer(many=True, allow_empty=False)
    allow_more = serializers.BooleanField(
        default=False, help_text="Take in more than was ordered. Without it, such a delivery is answered by 409.")


class CancelSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class SeenSerializer(serializers.Serializer[Any]):
    seen = serializers.CharField(
        max_length=64, required=False, allow_blank=True, default="",
        help_text="The order's `mark` when you read it. Where its lines are no longer those, the answer is 409.")


class LineSerializer(SeenSerializer):
    line_id = serializers.IntegerField()
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class ChangeLineSerializer(LineSerializer):
    quantity = serializers.IntegerField(min_value=1, max_value=999_999_999)
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True, default="",
                                   help_text="Needed where the quantity is another than advised.")
    allow_odd = serializers.BooleanField(
        source="may_be_odd", default=False,
        help_text="Order a quantity that is no whole packs, below the minimum quantity, or ten times the advised one "
                  "or more. Without it, such a quantity is answered by 409.")


class OrderFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=PurchaseOrder.Status.choices)
    supplier_id = django_filters.NumberFilter()


class OrderViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Purchase orders: draft, approved, sent, partly received, received, cancelled."""

    serializer_class = OrderSerializer
    filterset_class = OrderFilter
    to_change = Permission.PLAN

    def rows(self) -> Any:
        today = self.tenant.today()
        return selectors.orders(today).prefetch_related(Prefetch("lines", selectors.lines(today)))

    @extend_schema(request=ChangeLineSerializer, responses=OrderSerializer)
    @action(detail=True, methods=["post"])
    def change_line(self, request: Request, pk: str) -> Response:
        """Order another quantity on a draft's line."""
        given = ChangeLineSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._changed(services.change_line, order_id=int(pk), as_of=self.tenant.today(), **given.validated_data)

    @extend_schema(request=LineSerializer, responses=OrderSerializer)
    @action(detail=True, methods=["post"])
    def remove_line(self, request: Request, pk: str) -> Response:
        """Take a line off a draft: what was advised may be decided on again. The last one cancels the order."""
        given = LineSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._changed(services.remove_line, order_id=int(pk), **given.validated_data)

    @extend_schema(request=SeenSerializer, responses=OrderSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve a draft."""
        given = SeenSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._changed(services.approve_order, order_id=int(pk), **given.validated_data)

    @extend_schema(request=None, responses=OrderSerializer)
    @action(detail=True, methods=["post"])
    def send(self, request: Request, pk: str) -> Response:
        """Say that an approved order went to the supplier today."""
        return self._changed(services.mark_sent, order_id=int(pk), sent_on=self.tenant.today())

    @extend_schema(request=CancelSerializer, responses=OrderSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel what has not come in."""
        given = CancelSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._changed(services.cancel_order, order_id=int(pk), reason=given.validated_data["reason"])

    @extend_schema(request=ReceiptSerializer, responses=OrderSerializer)
    @action(detail=True, methods=["post"])
    def receive(self, request: Request, pk: str) -> Response:
        """Take lines in, in part or whole; the same reference moves stock once.

        More than was ordered is taken in only where `allow_more` says so.
        """
        given = ReceiptSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        lines = [services.ReceivedLine(**line) for line in given.validated_data["lines"]]
        return self._changed(services.receive_lines, order_id=int(pk), lines=lines, received_on=self.tenant.today(),
                             reference=given.validated_data["reference"],
                             may_exceed=given.validated_data["allow_more"])

    def _changed(self, change: Any, *, order_id: int, **given: Any) -> Response:
        self.get_object()
        try:
            change(order_id=order_id, actor=None, label=self.program, **given)
        except services.MoreThanOrdered as error:
            raise Conflict(f"{error} Send allow_more to take it in all the same.") from error
        except services.OddLot as error:
            raise Conflict(f"{error} Send allow_odd to order it all the same.") from error
        except services.ReasonMissing as error:
            raise serializers.ValidationError({"reason": [str(error)]}) from error
        except services.NotPossible as error:
            raise Conflict(str(error)) from error
        return Response(self.get_serializer(self.get_object()).data)
