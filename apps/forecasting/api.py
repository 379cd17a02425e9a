"""For programs: forecasts, one item's day by day and then week by week; and where a contest's champion errs."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import mixins, serializers

from apps.forecasting import selectors
from apps.forecasting.models import Backtest, ItemPair, ItemShape, KindForecast, SeriesForecast
from apps.tenants.rest import TenantViewSet


class StepSerializer(serializers.Serializer[Any]):
    starts_on = serializers.DateField()
    days = serializers.IntegerField(help_text="1 for a day, 7 for a week")
    mean = serializers.FloatField()
    quantiles = serializers.DictField(child=serializers.FloatField(), help_text="By level, such as q0.95")


class WhySerializer(serializers.Serializer[Any]):
    starts_on = serializers.DateField()
    days = serializers.IntegerField()
    usual = serializers.FloatField(help_text="As many units as the last eight weeks sold in so many days")
    parts = serializers.DictField(child=serializers.FloatField(), help_text="Units more or fewer, such as trend")
    total = serializers.FloatField(help_text="The forecast of these days: usual and all parts together")


class SeriesForecastSerializer(serializers.ModelSerializer[SeriesForecast]):
    as_of = serializers.DateField(source="run.as_of")
    model = serializers.CharField(source="run.model")
    steps = serializers.SerializerMethodField()
    similar_items = serializers.IntegerField(
        allow_null=True, help_text="Of a new item: how many similar ones its forecast is drawn from")
    basis = serializers.SerializerMethodField(help_text="Of a new item: what its forecast is made of, in words")
    why = serializers.SerializerMethodField()

    class Meta:
        model = SeriesForecast
        fields = ["id", "item_id", "location_id", "as_of", "model", "similar_items", "basis", "steps", "why"]

    def get_basis(self, row: SeriesForecast) -> str:
        return selectors.new_item_words(row.similar_items)

    @extend_schema_field(WhySerializer(allow_null=True))
    def get_why(self, row: SeriesForecast) -> dict[str, Any] | None:
        found = selectors.why_of(row.run, [row])
        return dict(WhySerializer(found).data) if found else None

    def get_steps(self, row: SeriesForecast) -> list[dict[str, Any]]:
        found = [{"starts_on": step.starts_on, "days": step.days, "mean": step.mean,
                  "quantiles": {f"q{level:.3g}": value for level, value in step.quantiles.items()}}
                 for step in selectors.steps_of(row.run, row)]
        return list(StepSerializer(found, many=True).data)


class ItemFilter(django_filters.FilterSet):
    item_id = django_filters.NumberFilter()


class SeriesFilter(ItemFilter):
    location_id = django_filters.NumberFilter()


class ForecastViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Forecasts of the newest run: mean and quantiles of demand by step. Quantiles of days are never to be added up."""

    serializer_class = SeriesForecastSerializer
    filterset_class = SeriesFilter

    def rows(self) -> Any:
        return selectors.newest_series()


class KindSerializer(serializers.ModelSerializer[KindForecast]):
    as_of = serializers.DateField(source="run.as_of")
    level = serializers.SerializerMethodField(help_text="shop, department or category")

    class Meta:
        model = KindForecast
        fields = ["id", "as_of", "level", "name", "items", "past", "mean", "low", "high", "units", "units_low",
                  "units_high", "money"]

    def get_level(self, row: KindForecast) -> str:
        return KindForecast.Level(row.level).name.lower()


class KindFilter(django_filters.FilterSet):
    level = django_filters.ChoiceFilter(
        choices=[(level.name.lower(), level.label) for level in KindForecast.Level], method="of_level")
    name = django_filters.CharFilter()

    def of_level(self, rows: Any, _name: str, value: str) -> Any:
        return rows.filter(level=KindForecast.Level[value.upper()])


class KindViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """What the whole shop, each department and each category is forecast to sell: weeks, and the first four together.

    Means are what the items' forecasts add up to; bands are wider than those of items that stray each by itself.
    """

    serializer_class = KindSerializer
    filterset_class = KindFilter

    def rows(self) -> Any:
        return selectors.kinds()


class PairSerializer(serializers.ModelSerializer[ItemPair]):
    other_sku = serializers.CharField(source="other.sku")
    relation = serializers.SerializerMethodField(help_text="with, or instead")
    words = serializers.SerializerMethodField(help_text="The evidence, in a sentence")

    class Meta:
        model = ItemPair
        fields = ["id", "item_id", "other_id", "other_sku", "relation", "place", "as_of", "orders", "together",
                  "buyers", "switchers", "expected", "surely", "words"]

    def get_relation(self, row: ItemPair) -> str:
        return ItemPair.Relation(row.relation).name.lower()

    def get_words(self, row: ItemPair) -> str:
        return selectors.pair_words(row)


class PairViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Items bought together, or instead of each other, far beyond chance. Associations and no causes, mined weekly.

    Every pair stands twice, once of each item. `surely`: at least so many times as often (as seldom) as by chance.
    """

    serializer_class = PairSerializer
    filterset_class = ItemFilter

    def rows(self) -> Any:
        return selectors.pairs()


class ShapeSerializer(serializers.ModelSerializer[ItemShape]):
    cycle = serializers.SerializerMethodField(help_text="week, or year")
    words = serializers.SerializerMethodField(help_text="Nothing where the shape is not a simple one")

    class Meta:
        model = ItemShape
        fields = ["id", "item_id", "cycle", "words", "alike", "as_of"]

    def get_cycle(self, row: ItemShape) -> str:
        return ItemShape.Cycle(row.cycle).name.lower()

    def get_words(self, row: ItemShape) -> str:
        return selectors.shape_words(row)


class ShapeViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """The shape of week and year that an item shares with others, in words, mined weekly from a year of sales."""

    serializer_class = ShapeSerializer
    filterset_class = ItemFilter

    def rows(self) -> Any:
        return selectors.shapes()


def seven(meaning: str) -> serializers.ListField:
    return serializers.ListField(child=serializers.FloatField(), min_length=7, max_length=7,
                                 help_text=f"{meaning}, Monday to Sunday")


class WeekdayErrorsSerializer(serializers.Serializer[Any]):
    segment = serializers.CharField(help_text="The category; empty for items without one")
    units = seven("Units sold, each day counted as often as it was foretold")
    missed = seven("Units missed, days above and below the forecast both counted")
    error = seven("Units foretold beyond what was sold")


class ItemErrorsSerializer(serializers.Serializer[Any]):
    item_id = serializers.IntegerField()
    location_id = serializers.IntegerField()
    price = serializers.FloatField(allow_null=True)
    sold = serializers.ListField(child=serializers.FloatField(allow_null=True), help_text="By week; null: not scored")
    foretold = serializers.ListField(child=serializers.FloatField(allow_null=True), help_text="By week")


class WorstItemsSerializer(serializers.Serializer[Any]):
    weeks = serializers.ListField(child=serializers.DateField(), help_text="The days that the weeks begin on")
    rows = ItemErrorsSerializer(many=True)
    cost_share = serializers.FloatField(help_text="What these items make of the cost of all errors, 0 to 1")


class ContestSerializer(serializers.ModelSerializer[Backtest]):
    by_weekday = serializers.SerializerMethodField()
    worst_items = serializers.SerializerMethodField()

    class Meta:
        model = Backtest
        fields = ["id", "as_of", "champion", "series", "by_weekday", "worst_items"]

    @extend_schema_field(WeekdayErrorsSerializer(many=True))
    def get_by_weekday(self, row: Any) -> list[dict[str, Any]]:
        return row.by_weekday or []

    @extend_schema_field(WorstItemsSerializer(allow_null=True))
    def get_worst_items(self, row: Any) -> dict[str, Any] | None:
        found: dict[str, Any] | None = row.worst_items
        return found


class ContestViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Contests of models: which won, and where its errors lie, by weekday and category and by item and week."""

    serializer_class = ContestSerializer

    def rows(self) -> Any:
        return selectors.contests()
