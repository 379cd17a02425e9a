"""The ledger of sale lines, the daily demand derived from it, and promotions as facts."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.tenants.tables import TenantForeignKey, TenantModel

PERSON = "person "  # what the source of a line begins with where a person has said it
LARGE_QUANTITY = 20  # a line of less is never out of the ordinary


class SaleLine(TenantModel):
    """One line of one order, written once. A correction takes back what was stated and states anew, signed.

    The state of a line is the sum of its revisions; a witness adds nothing, and remembers that a newer version said
    the same. No customer is in here, only a keyed pseudonym.
    """

    class Entry(models.IntegerChoices):
        TAKEN_BACK = -1, _("taken back")
        WITNESS = 0, _("confirmed")
        STATED = 1, _("stated")

    channel = TenantForeignKey("catalog.Channel", models.PROTECT)
    external_line_id = models.CharField(max_length=120)
    revision = models.PositiveIntegerField(default=0)
    entry = models.SmallIntegerField(choices=Entry, default=Entry.STATED)
    order_id = models.CharField(_("order"), max_length=80)
    item = TenantForeignKey("catalog.Item", models.PROTECT)
    location = TenantForeignKey("catalog.Location", models.PROTECT)
    customer = models.CharField(_("customer's pseudonym"), max_length=24, blank=True)
    quantity = models.DecimalField(_("quantity"), max_digits=14, decimal_places=3)
    shelf_price = models.DecimalField(_("shelf price"), max_digits=14, decimal_places=4, null=True)
    paid_price = models.DecimalField(_("paid price"), max_digits=14, decimal_places=4, null=True)
    discount = models.DecimalField(_("discount"), max_digits=14, decimal_places=4, default=0)
    promotion = models.CharField(_("promotion"), max_length=80, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    occurred_at = models.DateTimeField(_("sold"))
    version_at = models.DateTimeField(default=timezone.now, help_text=_("The moment of which the source speaks"))
    recorded_at = models.DateTimeField(_("recorded"), default=timezone.now)
    source = models.CharField(max_length=40, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "channel", "external_line_id", "revision"],
                                    name="sales_line_revision_once"),
        ]
        indexes = [
            models.Index(fields=["tenant", "item", "occurred_at"], name="sales_line_item_when"),
            models.Index(fields=["tenant", "occurred_at"], condition=models.Q(quantity__gte=LARGE_QUANTITY),
                         name="sales_line_large"),
            models.Index(fields=["tenant", "occurred_at"], condition=models.Q(source__startswith=PERSON),
                         name="sales_line_person"),
        ]


class DailyDemand(TenantModel):
    """What an item sold at a location on one of the tenant's own days; always rebuildable from the ledger."""

    item = TenantForeignKey("catalog.Item", models.CASCADE)
    location = TenantForeignKey("catalog.Location", models.CASCADE)
    date = models.DateField(_("day"))
    units = models.DecimalField(_("units"), max_digits=14, decimal_places=3)
    orders = models.PositiveIntegerField(_("order lines"))
    revenue = models.DecimalField(_("revenue"), max_digits=16, decimal_places=4)
    shelf_value = models.DecimalField(_("value at shelf price"), max_digits=16, decimal_places=4)
    discount = models.DecimalField(_("discount"), max_digits=16, decimal_places=4)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "item", "location", "date"], name="sales_daily_once")]
        indexes = [models.Index(fields=["tenant", "date"], name="sales_daily_date")]


class Promotion(TenantModel):
    """A promotion as a fact: what, where, when, how widely, and whether it was known beforehand."""

    class Kind(models.TextChoices):
        MAILER = "mailer", _("mailer")
        DISPLAY = "display", _("display")
        PRICE = "price", _("price")
        OTHER = "other", _("other")

    item = TenantForeignKey("catalog.Item", models.CASCADE)
    location = TenantForeignKey("catalog.Location", models.CASCADE, null=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("to"))
    share = models.FloatField(_("share of stores or days"), default=1.0)
    is_known_ahead = models.BooleanField(_("known beforehand"), default=False)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "item", "location", "kind", "starts_on"],
                                    name="sales_promotion_once", nulls_distinct=False),
            models.CheckConstraint(condition=models.Q(ends_on__gte=models.F("starts_on")),
                                   name="sales_promotion_ends_after_start"),
            models.CheckConstraint(condition=models.Q(share__gte=0, share__lte=1), name="sales_promotion_share"),
        ]
