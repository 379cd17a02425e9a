"""Stock: a ledger of movements and the level it adds up to; purchase orders and what was received on them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.tenants.tables import TenantForeignKey, TenantModel

MOST_UNITS = 1_000_000_000  # of one line: more is a slip of the keyboard


class StockLevel(TenantModel):
    """What is on hand of an item at a location: the sum of its movements, kept in step with them."""

    class Mode(models.TextChoices):
        COUNTED = "counted", _("reported by counts")
        DERIVED = "derived", _("derived from sales")

    item = TenantForeignKey("catalog.Item", models.CASCADE)
    location = TenantForeignKey("catalog.Location", models.CASCADE)
    on_hand = models.DecimalField(_("on hand"), max_digits=20, decimal_places=3, default=0)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.DERIVED)
    counted_at = models.DateTimeField(_("counted"), null=True)
    origin = models.CharField(max_length=10, default="given")
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "item", "location"], name="inventory_level_once")]


class StockMovement(TenantModel):
    """A change of stock, written once; the same cause twice is one movement."""

    class Kind(models.TextChoices):
        COUNT = "count", _("count")
        SALE = "sale", _("sales of a day")
        RECEIPT = "receipt", _("receipt")
        ADJUSTMENT = "adjustment", _("adjustment")

    item = TenantForeignKey("catalog.Item", models.CASCADE)
    location = TenantForeignKey("catalog.Location", models.CASCADE)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    occurred_on = models.DateField(_("day"))
    quantity = models.DecimalField(_("quantity"), max_digits=20, decimal_places=3)
    wanted = models.DecimalField(_("wanted"), max_digits=20, decimal_places=3, null=True,
                                 help_text=_("Demand of the day where stock could not serve all of it"))
    reference = models.CharField(_("cause"), max_length=80)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "item", "location", "kind", "reference"],
                                               name="inventory_movement_once")]
        indexes = [models.Index(fields=["tenant", "item", "occurred_on"], name="inventory_movement_item_day"),
                   models.Index(fields=["tenant", "occurred_on"], name="inventory_movement_day")]


class PurchaseOrder(TenantModel):
    """An order to a supplier, from draft to received."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        APPROVED = "approved", _("approved")
        SENT = "sent", _("sent")
        PARTLY_RECEIVED = "partly_received", _("partly received")
        RECEIVED = "received", _("received")
        CANCELLED = "cancelled", _("cancelled")

    number = models.CharField(_("number"), max_length=30)
    supplier = TenantForeignKey("catalog.Supplier", models.PROTECT)
    location = TenantForeignKey("catalog.Location", models.PROTECT)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.DRAFT)
    currency = models.CharField(_("currency"), max_length=3)
    ordered_on = models.DateField(_("ordered"), null=True)
    expected_on = models.DateField(_("expected"), null=True)
    plan_id = models.BigIntegerField(null=True)
    note = models.TextField(_("note"), blank=True)
    created_by = models.CharField(_("by"), max_length=160, blank=True)
    created_at = models.DateTimeField(_("made"), default=timezone.now)
    approved_at = models.DateTimeField(_("approved"), null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    closed_at = models.DateTimeField(_("closed"), null=True)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "number"], name="inventory_order_number_once")]
        indexes = [models.Index(fields=["tenant", "status", "-id"], name="inventory_order_status")]

    def __str__(self) -> str:
        return self.number


class PurchaseOrderLine(TenantModel):
    """An item on an order: how much, at what cost, when it is expected, how much has come."""

    order = TenantForeignKey(PurchaseOrder, models.CASCADE, related_name="lines")
    item = TenantForeignKey("catalog.Item", models.PROTECT)
    quantity = models.DecimalField(_("quantity"), max_digits=14, decimal_places=3)
    received_quantity = models.DecimalField(_("received"), max_digits=14, decimal_places=3, default=0)
    unit_cost = models.DecimalField(_("unit cost"), max_digits=14, decimal_places=4)
    expected_on = models.DateField(_("expected"))
    recommendation_id = models.BigIntegerField(null=True)
    note = models.CharField(_("note"), max_length=600, blank=True)  # why it is another quantity than advised

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "order", "item"], name="inventory_order_item_once"),
            models.UniqueConstraint(fields=["tenant", "recommendation_id"], name="inventory_line_recommendation_once",
                                    condition=models.Q(recommendation_id__isnull=False)),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="inventory_line_quantity_positive"),
            models.CheckConstraint(condition=models.Q(received_quantity__gte=0),
                                   name="inventory_line_received_not_negative"),
        ]
        indexes = [models.Index(fields=["tenant", "item", "expected_on"], name="inventory_line_item_expected")]


class Receipt(TenantModel):
    """What came in on an order line, written once; it moves stock."""

    line = TenantForeignKey(PurchaseOrderLine, models.CASCADE)
    quantity = models.DecimalField(_("quantity"), max_digits=14, decimal_places=3)
    received_on = models.DateField(_("day"))
    reference = models.CharField(max_length=80)  # by which it counts once
    delivery_note = models.CharField(_("delivery note"), max_length=80, blank=True)  # as somebody named it
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "line", "reference"], name="inventory_receipt_once"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="inventory_receipt_positive"),
        ]
