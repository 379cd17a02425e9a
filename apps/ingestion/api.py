"""Sale lines and stock counts in, in bulk; what became of them; and the ledger as it stands."""

from __future__ import annotations

from typing import Any

import django_filters
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.ingestion import services
from apps.ingestion.models import ImportFile, RowIssue
from apps.sales import selectors as sales
from apps.tenants.models import Permission
from apps.tenants.rest import TenantViewSet, Unprocessable

MOST_ROWS = 10_000
LONGEST_KEY = 200
IDEMPOTENCY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, description=(
    "Your own name for this batch: sent again, it answers as the first time and adds nothing."))


class ImportSerializer(serializers.ModelSerializer[ImportFile]):
    """A batch or file and its rows: read = applied + duplicate + set aside + rejected, once applied."""

    class Meta:
        model = ImportFile
        fields = ["id", "kind", "name", "sha256", "state", "rows_read", "rows_applied", "rows_duplicate",
                  "rows_set_aside", "rows_rejected", "rules", "error", "job_id", "created_at", "applied_at"]


class IssueSerializer(serializers.ModelSerializer[RowIssue]):
    class Meta:
        model = RowIssue
        fields = ["row_number", "outcome", "rule", "column", "value"]


class ImportDetailSerializer(ImportSerializer):
    issues = IssueSerializer(many=True, read_only=True, help_text="The first 100 rows that were not applied.")

    class Meta(ImportSerializer.Meta):
        fields = [*ImportSerializer.Meta.fields, "issues"]


class ImportViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Imports: every batch and file that came in, and what became of its rows."""

    serializer_class = ImportSerializer

    def rows(self) -> Any:
        return ImportFile.objects.order_by("-id")

    @extend_schema(responses=ImportDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        found = self.get_object()
        found.issues = RowIssue.objects.filter(file=found).order_by("row_number")[:100]
        return Response(ImportDetailSerializer(found).data)


class BulkViewSet(TenantViewSet):
    """What all bulk doors have in common: a list of rows in, 202 and the import out."""

    kind: str
    row_serializer: type[serializers.Serializer[Any]]
    to_change = Permission.IMPORT

    def receive(self, request: Request) -> Response:
        rows = request.data.get("rows") if isinstance(request.data, dict) else None
        if not isinstance(rows, list) or not 0 < len(rows) <= MOST_ROWS:
            raise serializers.ValidationError({"rows": [_("Send a list of 1 to %(most)s rows.") % {"most": MOST_ROWS}]})
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > LONGEST_KEY:
            raise serializers.ValidationError({"Idempotency-Key": [
                _("It has %(count)d characters; at most %(most)d are kept, so that no two keys are one.") % {
                    "count": len(key), "most": LONGEST_KEY}]})
        columns = list(self.row_serializer().fields)
        for place, row in enumerate(rows):
            if not isinstance(row, dict):
                raise serializers.ValidationError({f"rows.{place}": [_("A row is an object of columns and values.")]})
            if unknown := sorted(set(row) - set(columns)):
                raise serializers.ValidationError(
                    {f"rows.{place}": [_("Unknown columns: %(unknown)s. Known are: %(known)s.") % {
                        "unknown": ", ".join(unknown), "known": ", ".join(columns)}]})
            if nested := sorted(name for name, value in row.items() if isinstance(value, dict | list)):
                raise serializers.ValidationError(
                    {f"rows.{place}.{nested[0]}": [_("Send a text, a number, true, false or null.")]})
        try:
            file, _is_new = services.receive_batch(
                kind=self.kind, columns=columns, rows=rows, label=self.program, key=key)
        except services.KeyReused as error:
            raise Unprocessable(str(error)) from error
        except services.FileRefused as error:
            raise serializers.ValidationError({"rows": [str(error)]}) from error
        return Response(ImportSerializer(file).data, status=status.HTTP_202_ACCEPTED,
                        headers={"Location": f"/api/v1/imports/{file.pk}/"})


class SaleLineRowSerializer(serializers.Serializer[Any]):
    """A sale line as it is sent. Values are checked row by row when the batch is read; see its import."""

    order_id = serializers.CharField()
    line_id = serializers.CharField(required=False, help_text="Your name for the line, the same whenever it is sent.")
    occurred_at = serializers.CharField(help_text="ISO 8601 with offset")
    sku = serializers.CharField()
    title = serializers.CharField(required=False)
    location = serializers.CharField(required=False)
    quantity = serializers.DecimalField(max_digits=14, decimal_places=3)
    shelf_price = serializers.DecimalField(max_digits=14, decimal_places=4, required=False)
    paid_price = serializers.DecimalField(max_digits=14, decimal_places=4, required=False)
    discount = serializers.DecimalField(max_digits=14, decimal_places=4, required=False)
    promotion = serializers.CharField(required=False)
    customer = serializers.CharField(required=False, help_text="Only a keyed pseudonym of it is kept.")
    currency = serializers.CharField(required=False)
    status = serializers.CharField(required=False)


class SaleLineBatchSerializer(serializers.Serializer[Any]):
    rows = SaleLineRowSerializer(many=True)


class SaleLineSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    order_id = serializers.CharField()
    external_line_id = serializers.CharField()
    revision = serializers.IntegerField()
    item_id = serializers.IntegerField()
    location_id = serializers.IntegerField()
    quantity = serializers.DecimalField(max_digits=14, decimal_places=3)
    shelf_price = serializers.DecimalField(max_digits=14, decimal_places=4, allow_null=True)
    paid_price = serializers.DecimalField(max_digits=14, decimal_places=4, allow_null=True)
    discount = serializers.DecimalField(max_digits=14, decimal_places=4)
    currency = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()


class SaleLineFilter(django_filters.FilterSet):
    item_id = django_filters.NumberFilter()
    order_id = django_filters.CharFilter()


class SaleLineViewSet(mixins.ListModelMixin, BulkViewSet):
    """The ledger of sale lines. A correction is a further revision; nothing is ever changed."""

    serializer_class = SaleLineSerializer
    row_serializer = SaleLineRowSerializer
    filterset_class = SaleLineFilter
    kind = ImportFile.Kind.ORDERS

    def rows(self) -> Any:
        return sales.sale_lines()

    def get_queryset(self) -> Any:
        return self.nobodys(ImportFile) if self.is_described else self.rows()

    @extend_schema(request=SaleLineBatchSerializer, responses={202: ImportSerializer}, parameters=[IDEMPOTENCY])
    def create(self, request: Request) -> Response:
        """Send sale lines, up to 10,000 at once."""
        return self.receive(request)


class StockCountRowSerializer(serializers.Serializer[Any]):
    """A count of an item at a location, as it is sent."""

    sku = serializers.CharField()
    location = serializers.CharField(required=False)
    on_hand = serializers.DecimalField(max_digits=14, decimal_places=3)
    counted_at = serializers.CharField(
        required=False, help_text="ISO 8601 with offset; a day alone means its close. Sales of the day of a count are "
                                  "taken to be in it already.")


class StockCountBatchSerializer(serializers.Serializer[Any]):
    rows = StockCountRowSerializer(many=True)


class StockCountViewSet(BulkViewSet):
    """Stock counts: what a shop reports to be on hand."""

    serializer_class = StockCountBatchSerializer
    row_serializer = StockCountRowSerializer
    kind = ImportFile.Kind.STOCK

    def get_queryset(self) -> Any:
        return self.nobodys(ImportFile)

    @extend_schema(request=StockCountBatchSerializer, responses={202: ImportSerializer}, parameters=[IDEMPOTENCY])
    def create(self, request: Request) -> Response:
        """Send stock counts, up to 10,000 at once."""
        return self.receive(request)
