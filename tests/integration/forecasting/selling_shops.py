"""A shop that has sold for some time, and forecasting's jobs run as a worker runs them."""

from __future__ import annotations

import datetime as dt
from importlib import import_module
from typing import Any

import numpy as np
from django.utils import timezone

from apps.catalog.models import Item, PlanningDefaults, SupplyTerm
from apps.inventory.models import StockLevel, StockMovement
from apps.jobs.kinds import kind
from apps.jobs.models import Job
from apps.jobs.running import Running
from apps.sales.models import DailyDemand, Promotion
from apps.tenants.scope import tenant_context
from tests.integration.inventory.shops import COUNTED_AT, MONDAY, Shop, make_shop

DAY = dt.timedelta(days=1)
WEEKDAYS = np.array([0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 0.9])


def make_selling_shop(items: int = 8, days: int = 30 * 7, *, a_day: float = 2.0, seed: int = 1, **fields: Any) -> Shop:
    """Items that sell around `a_day` units a day with a weekly rhythm, through the day before MONDAY."""
    shop = make_shop(items, **{"demo_date": MONDAY, **fields})
    drawn = np.random.default_rng(seed)
    with tenant_context(shop.tenant.pk):
        PlanningDefaults.objects.create(tenant=shop.tenant)
        for place, item in enumerate(shop.items):
            Item.objects.filter(pk=item.pk).update(category=["Food > Tea", "Home > Soap"][place % 2])
            SupplyTerm.objects.create(item=item, supplier=shop.suppliers[place % 2], pack_size=2, moq=2,
                                      lead_time_spread_days=1)
        sell(shop, [MONDAY - day * DAY for day in range(days, 0, -1)], a_day, drawn)
        Promotion.objects.bulk_create([
            Promotion(item=item, kind="mailer", starts_on=MONDAY - week * 7 * DAY, share=0.5, is_known_ahead=True,
                      ends_on=MONDAY - week * 7 * DAY + 6 * DAY)
            for item in shop.items[:2] for week in range(-2, days // 7, 4)])
    return shop


def sell(shop: Shop, days: list[dt.date], a_day: float, drawn: np.random.Generator) -> None:
    """Poisson sales on each of the days, in the scope that is open."""
    rows = []
    for item in shop.items:
        units = drawn.poisson(a_day * WEEKDAYS[[day.weekday() for day in days]])
        rows += [DailyDemand(item=item, location=shop.location, date=day, units=int(sold), orders=1,
                             revenue=3 * int(sold), shelf_value=3 * int(sold), discount=0)
                 for day, sold in zip(days, units, strict=True) if sold]
    DailyDemand.objects.bulk_create(rows)


def run_dry(shop: Shop, days: int, **fields: Any) -> None:
    """The first item was counted twelve weeks ago, and had run out `days` days ago."""
    item = shop.items[0]
    with tenant_context(shop.tenant.pk):
        DailyDemand.objects.filter(item=item, date__gte=MONDAY - days * DAY).delete()
        StockLevel.objects.create(item=item, location=shop.location, on_hand=0, counted_at=COUNTED_AT, **fields)
        StockMovement.objects.bulk_create([
            StockMovement(item=item, location=shop.location, kind="count", occurred_on=day, quantity=units,
                          reference=str(day)) for day, units in (
                (MONDAY - 84 * DAY, 500), (MONDAY - (days + 1) * DAY, -500))])


def run_job(shop: Shop, kind_name: str, as_of: dt.date = MONDAY, **given: Any) -> dict[str, Any]:
    """A job's result, its handler called outside every scope, as a worker calls it."""
    asked = kind(kind_name)
    job = Job.objects.create(tenant=shop.tenant, kind=kind_name, queue=asked.queue, state=Job.State.RUNNING,
                             attempts=1, started_at=timezone.now())
    running = Running(job_id=job.pk, tenant_id=shop.tenant.pk, kind=kind_name, attempt=1,
                      input={"as_of": as_of.isoformat(), **given})
    module, _, name = asked.handler.partition(":")
    result: dict[str, Any] = getattr(import_module(module), name)(running)
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    return result
