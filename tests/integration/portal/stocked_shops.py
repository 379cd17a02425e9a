"""A shop with a plan and with sales behind it, and its summaries derived."""

from __future__ import annotations

import datetime as dt
from typing import Any

from apps.portal.services import Refreshed, refresh_summaries
from apps.sales.models import DailyDemand
from apps.tenants.scope import tenant_context
from tests.integration.inventory.shops import MONDAY, Shop
from tests.integration.optimization.planned_shops import make_planned_shop, run_plan

DAY = dt.timedelta(days=1)


def sell(shop: Shop, place: int, days_ago: int, units: float, revenue: float | None = None) -> None:
    DailyDemand.objects.create(
        item=shop.items[place], location=shop.location, date=MONDAY - days_ago * DAY, units=units, orders=1,
        revenue=units * 3 if revenue is None else revenue, shelf_value=units * 3, discount=0)


def make_stocked_shop(items: int = 4, **fields: Any) -> Shop:
    """Every item sold two a day for ten weeks, is nearly gone, and is in the plan of today."""
    shop = make_planned_shop(items, **{"demo_date": MONDAY, **fields})
    with tenant_context(shop.tenant.pk):
        DailyDemand.objects.bulk_create([
            DailyDemand(item=item, location=shop.location, date=MONDAY - days_ago * DAY, units=2, orders=1, revenue=6,
                        shelf_value=6, discount=0)
            for item in shop.items for days_ago in range(1, 71)])
    run_plan(shop)
    refreshed(shop)
    return shop


def refreshed(shop: Shop) -> Refreshed:
    with tenant_context(shop.tenant.pk):
        return refresh_summaries(as_of=MONDAY)
