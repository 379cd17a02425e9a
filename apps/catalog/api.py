"""Items, locations and suppliers, for programs."""

from __future__ import annotations

from typing import Any

import django_filters
from rest_framework import mixins, serializers

from apps.catalog import selectors
from apps.catalog.models import Item, Location, Supplier
from apps.tenants.rest import TenantViewSet


class ItemSerializer(serializers.ModelSerializer[Item]):
    class Meta:
        model = Item
        fields = ["id", "sku", "title", "category", "brand", "unit_of_measure", "unit_cost", "cost_origin", "price",
                  "status"]


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
                  "review_period_days", "origin"]


class SupplierViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Suppliers: who is bought from, and the terms that hold for all that they sell."""

    serializer_class = SupplierSerializer

    def rows(self) -> Any:
        return selectors.suppliers()
