"""A small shop to try stock and orders on, and the temporary tables that its doors would fill."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Sum

from apps.catalog.models import Item, Location, Supplier
from apps.inventory.models import StockLevel, StockMovement
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context
from tests.rows import make_tenant_row

MONDAY = dt.date(2017, 12, 4)
COUNTED_AT = dt.datetime(2017, 12, 4, 5, tzinfo=dt.UTC)  # midnight in New York: the closing of 3 December


@dataclass
class Shop:
    """A tenant with a location, two suppliers and some items."""

    tenant: Tenant
    location: Location
    suppliers: list[Supplier]
    items: list[Item] = field(default_factory=list)

    def level(self, item: Item) -> float:
        return float(StockLevel.objects.get(item=item, location=self.location).on_hand)


def make_shop(items: int = 3, **fields: Any) -> Shop:
    tenant = make_tenant_row(**{"time_zone": "America/New_York", **fields})
    with tenant_context(tenant.pk):
        location = Location.objects.create(code="main", name="Main")
        suppliers = [Supplier.objects.create(name=name, lead_time_days=5) for name in ("Alder Foods", "Birch Foods")]
        made = [Item.objects.create(sku=f"sku-{number}", title=f"Item {number}", unit_cost=2, price=3)
                for number in range(items)]
    return Shop(tenant, location, suppliers, made)


def temp_table(name: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {name}")
        cursor.execute(f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP")
        for row in rows:
            cursor.execute(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(row))})", row)
    return name


def counts(shop: Shop, *rows: tuple[Item, float] | tuple[Item, float, dt.datetime]) -> str:
    return temp_table(
        "given_counts", "item_id bigint, location_id bigint, on_hand numeric, counted_at timestamptz, origin text",
        [(item.pk, shop.location.pk, on_hand, at[0] if at else COUNTED_AT, "given") for item, on_hand, *at in rows])


def sales(shop: Shop, *rows: tuple[Item, dt.date, float]) -> str:
    return temp_table("touched_days", "item_id bigint, location_id bigint, date date, units numeric",
                      [(item.pk, shop.location.pk, date, units) for item, date, units in rows])


def assert_levels_are_the_sums_of_their_movements() -> None:
    sums = dict(StockMovement.objects.order_by().values_list("item_id").annotate(Sum("quantity")))
    assert {level.item_id: level.on_hand for level in StockLevel.objects.all()} == {
        item_id: sums.get(item_id, Decimal(0)) for item_id in StockLevel.objects.values_list("item_id", flat=True)}
