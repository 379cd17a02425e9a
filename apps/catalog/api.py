"""Items, locations and suppliers, for programs."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.catalog import selectors
from apps.catalog.models import Item, Location, Supplier
from apps.catalog.services import change_term
from apps.tenants.models import Permission
from apps.tenants.rest import Conflict, TenantViewSet


class ItemSerializer(serializers.ModelSerializer[Item]):
    class Meta:
        model = Item
        fields = ["id", "sku", "title", "category", "brand", "unit_of_measure", "unit_cost", "cost_origin", "price",
                  "status"]


class TermChangeSerializer(serializers.Serializer[Any]):
    """What the supplier asks for an item; null falls back to the supplier's own terms and the planning rules."""

    lead_time_days = serializers.DecimalField(max_digits=6, decimal_places=2, min_value=0, max_value=365,
                                              required=False, allow_null=True)
    lead_time_spread_days = serializers.DecimalField(max_digits=6, decimal_places=2, min_value=0, max_value=120,
                                                     required=False, allow_null=True)
    moq = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False, allow_null=True)
    pack_size = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False, allow_null=True)
    unit_cost = serializers.DecimalField(max_digits=14, decimal_places=4, min_value=0, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown or not attrs:
            raise serializers.ValidationError(
                f"Unknown: {', '.join(unknown) or 'nothing'}. Send one or more of {', '.join(self.fields)}.")
        return attrs


class TermSerializer(serializers.Serializer[Any]):
    """The terms that hold for an item, and which of them nobody has said."""

    supplier_id = serializers.IntegerField(allow_null=True)
    lead_time_days = serializers.FloatField()
    lead_time_spread_days = serializers.FloatField()
    review_period_days = serializers.IntegerField()
    moq = serializers.IntegerField()
    pack_size = serializers.IntegerField()
    unit_cost = serializers.DecimalField(max_digits=14, decimal_places=4, allow_null=True)
    minimum_order_value = serializers.DecimalField(max_digits=14, decimal_places=2, allow_null=True)
    assumed = serializers.ListField(child=serializers.CharField(), help_text="The names that the planning rules fill.")
    simulated = serializers.ListField(child=serializers.CharField(), help_text="The names that a demo made up.")


class ItemFilter(django_filters.FilterSet):
    """By sku or status, or by words in the title. Declared one by one: fields are read in nobody's scope."""

    sku = django_filters.CharFilter()
    status = django_filters.ChoiceFilter(choices=Item.Status.choices)
    title = django_filters.CharFilter(lookup_expr="icontains")


class ItemViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Items: what is bought and sold. A sku is not unique; `id` is."""

    serializer_class = ItemSerializer
    filterset_class = ItemFilter

    def rows(self) -> Any:
        return selectors.items()

    @extend_schema(responses=TermSerializer)
    @action(detail=True, to_change=Permission.IMPORT)
    def terms(self, request: Request, pk: str) -> Response:
        """The terms on which an item is bought."""
        return self._told(self.get_object())

    @extend_schema(request=TermChangeSerializer, responses=TermSerializer)
    @terms.mapping.patch
    def change_terms(self, request: Request, pk: str) -> Response:
        """Say what the supplier asks for the item; what is left out stays, and the next plan follows."""
        item = self.get_object()
        given = TermChangeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        supplier = selectors.suppliers().filter(pk=selectors.terms_of_items([item.pk])[item.pk]["supplier_id"]).first()
        if supplier is None:
            raise Conflict("Nobody is known to sell this item: import suppliers and their terms first.")
        change_term(item=item, supplier=supplier, actor=None, label=self.program, **given.validated_data)
        return self._told(item)

    @staticmethod
    def _told(item: Item) -> Response:
        return Response(TermSerializer(selectors.terms_of_items([item.pk])[item.pk]).data)


class LocationSerializer(serializers.ModelSerializer[Location]):
    class Meta:
        model = Location
        fields = ["id", "code", "name"]


class LocationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Locations: where stock stands and sales happen."""

    serializer_class = LocationSerializer

    def rows(self) -> Any:
        return selectors.locations()


class SupplierSerializer(serializers.ModelSerializer[Supplier]):
    class Meta:
        model = Supplier
        fields = ["id", "name", "currency", "email", "lead_time_days", "lead_time_spread_days", "minimum_order_value",
                  "review_period_days", "simulated"]


class SupplierViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Suppliers: who is bought from, and the terms that hold for all that they sell."""

    serializer_class = SupplierSerializer

    def rows(self) -> Any:
        return selectors.suppliers()
