"""Items, locations, suppliers and their terms, and the names that shops know them by."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.tenants.tables import TenantForeignKey, TenantModel


class Origin(models.TextChoices):
    """Where a figure comes from; a missing one is assumed from the tenant's defaults."""

    GIVEN = "given", _("given")
    SIMULATED = "simulated", _("simulated")


class Channel(TenantModel):
    """A way that sales and items come in: a shop, a till, a file."""

    class Kind(models.TextChoices):
        FILE = "file", _("file")
        SHOPIFY = "shopify", "Shopify"
        WOOCOMMERCE = "woocommerce", "WooCommerce"
        API = "api", "API"

    slug = models.SlugField(_("short name"), max_length=60, db_index=False)
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind, default=Kind.FILE)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="catalog_channel_once")]

    def __str__(self) -> str:
        return self.name


class Location(TenantModel):
    """Where stock stands and sales happen."""

    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=120)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "code"], name="catalog_location_once")]

    def __str__(self) -> str:
        return self.name


class Item(TenantModel):
    """Something bought and sold. A sku is not unique: ExternalId says which item a shop means."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        DISCONTINUED = "discontinued", _("discontinued")

    sku = models.CharField(_("SKU"), max_length=120)
    title = models.CharField(_("title"), max_length=300)
    category = models.CharField(_("category"), max_length=300, blank=True, help_text=_("A path: Food > Dairy > Milk"))
    brand = models.CharField(_("brand"), max_length=120, blank=True)
    unit_of_measure = models.CharField(_("unit"), max_length=40, blank=True)
    unit_cost = models.DecimalField(_("unit cost"), max_digits=14, decimal_places=4, null=True, blank=True)
    cost_origin = models.CharField(max_length=10, choices=Origin, default=Origin.GIVEN)
    price = models.DecimalField(_("price"), max_digits=14, decimal_places=4, null=True, blank=True)
    price_seen_at = models.DateTimeField(null=True, blank=True)  # the sale that showed the price; NULL: it was said
    status = models.CharField(_("status"), max_length=14, choices=Status, default=Status.ACTIVE)
    has_sku = models.BooleanField(default=True)  # without one, the title stands in its place
    is_stated = models.BooleanField(default=True)  # by a file of items; False: other files only named it
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "sku"], name="catalog_item_sku")]
        constraints = [
            models.CheckConstraint(condition=models.Q(unit_cost=None) | models.Q(unit_cost__gte=0),
                                   name="catalog_item_cost_not_negative"),
            models.CheckConstraint(condition=models.Q(price=None) | models.Q(price__gte=0),
                                   name="catalog_item_price_not_negative"),
        ]

    def __str__(self) -> str:
        return self.title or self.sku

    @property
    def shown_sku(self) -> str:
        return str(self.sku if self.has_sku else _("no SKU"))

    @property
    def department(self) -> str:
        return self.category.split(" > ")[0]


class ExternalId(TenantModel):
    """What a channel calls an item or a location: the identity that doors go by."""

    class Kind(models.TextChoices):
        ITEM = "item", _("item")
        LOCATION = "location", _("location")

    channel = TenantForeignKey(Channel, models.CASCADE)
    kind = models.CharField(max_length=10, choices=Kind)
    value = models.CharField(max_length=200)
    item = TenantForeignKey(Item, models.CASCADE, null=True)
    location = TenantForeignKey(Location, models.CASCADE, null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "channel", "kind", "value"], name="catalog_external_once"),
            models.CheckConstraint(name="catalog_external_points_at_its_kind", condition=(
                models.Q(kind="item", item__isnull=False, location__isnull=True)
                | models.Q(kind="location", location__isnull=False, item__isnull=True))),
        ]
        indexes = [models.Index(fields=["tenant", "item"], name="catalog_external_item")]


class Supplier(TenantModel):
    """Who is bought from, and the terms that hold for all that they sell."""

    name = models.CharField(_("name"), max_length=160)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    lead_time_days = models.FloatField(_("lead time, days"), null=True, blank=True)
    lead_time_spread_days = models.FloatField(_("lead time spread, days"), null=True, blank=True)
    minimum_order_value = models.DecimalField(_("minimum order value"), max_digits=14, decimal_places=2, null=True,
                                              blank=True)
    review_period_days = models.PositiveSmallIntegerField(_("ordered every, days"), null=True, blank=True)
    simulated = ArrayField(models.CharField(max_length=30), default=list, blank=True)  # the names of what was made up

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="catalog_supplier_once")]

    def __str__(self) -> str:
        return self.name


class SupplyTerm(TenantModel):
    """What one supplier asks for one item; what is empty falls back to the supplier, then to the defaults."""

    item = TenantForeignKey(Item, models.CASCADE)
    supplier = TenantForeignKey(Supplier, models.CASCADE)
    lead_time_days = models.FloatField(_("lead time, days"), null=True, blank=True)
    lead_time_spread_days = models.FloatField(_("lead time spread, days"), null=True, blank=True)
    moq = models.PositiveIntegerField(_("minimum quantity"), null=True, blank=True)
    pack_size = models.PositiveIntegerField(_("pack of"), null=True, blank=True)
    unit_cost = models.DecimalField(_("unit cost"), max_digits=14, decimal_places=4, null=True, blank=True)
    is_preferred = models.BooleanField(_("preferred"), default=True)
    simulated = ArrayField(models.CharField(max_length=30), default=list, blank=True)  # the names of what was made up

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "item", "supplier"], name="catalog_term_once"),
            models.UniqueConstraint(fields=["tenant", "item"], condition=models.Q(is_preferred=True),
                                    name="catalog_term_one_preferred"),
            models.CheckConstraint(condition=models.Q(pack_size=None) | models.Q(pack_size__gte=1),
                                   name="catalog_term_pack_at_least_one"),
        ]
        indexes = [models.Index(fields=["tenant", "supplier"], name="catalog_term_supplier")]


class PlanningDefaults(TenantModel):
    """What is assumed where the merchant has not said; wherever one is used, it is marked "assumed"."""

    lead_time_days = models.FloatField(_("lead time, days"), default=14)
    lead_time_spread_days = models.FloatField(_("lead time spread, days"), default=4)
    review_period_days = models.PositiveSmallIntegerField(_("ordered every, days"), default=7)
    cost_share = models.FloatField(_("unit cost as a share of the price"), default=0.6)
    holding_cost_rate = models.FloatField(_("cost of holding stock, share of its value in a year"), default=0.25)
    cash_budget = models.DecimalField(_("cash for one plan"), max_digits=14, decimal_places=2, null=True, blank=True)
    planned_units_per_week = models.FloatField(_("planned from this many units a week"), default=0.25)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="catalog_defaults_once"),
            models.CheckConstraint(condition=models.Q(cost_share__gt=0, cost_share__lt=1),
                                   name="catalog_defaults_cost_share"),
            models.CheckConstraint(condition=models.Q(lead_time_days__gte=0, lead_time_spread_days__gte=0,
                                                      review_period_days__gte=1, holding_cost_rate__gte=0,
                                                      planned_units_per_week__gte=0),
                                   name="catalog_defaults_not_negative"),
        ]
