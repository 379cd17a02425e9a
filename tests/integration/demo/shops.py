"""A tiny recast shop: three items, four weeks of purchases, and the days of its December, on a shelf of its own."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from apps.demo import services
from apps.demo.adapters import shelf
from apps.demo.recast.naming import ITEMS, MANIFEST, ORDERS, PROMOTIONS, STOCK, SUPPLIERS, day_file, later_days
from apps.demo.recast.shops import SMALL_SHOP, STANDS_ON
from apps.jobs import services as jobs
from apps.jobs.models import Job, JobRecord
from apps.jobs.worker import run
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context

ORDER_COLUMNS = ("order_id,line_id,occurred_at,sku,title,location,channel,quantity,shelf_price,paid_price,discount,"
                 "promotion,customer,currency,status")
BREAD, BUNS, CAKE = "101", "102", "103"
OPENING = {BREAD: 4, BUNS: 50, CAKE: 1}
EACH_DAY = {BREAD: 3, BUNS: 2, CAKE: 1}
NOBODYS_SKU = "999"


def order_rows(day: dt.date, wanted: dict[str, int], store: str = "312") -> list[str]:
    at = f"{day}T18:30:00-05:00"
    return [f"{day:%Y%m%d}{store},{sku},{at},{sku},,{store},store,{quantity},2.5,2,{0.5 * quantity},,7,USD,completed"
            for sku, quantity in wanted.items()]


def orders_file(rows: list[str]) -> str:
    return "\n".join([ORDER_COLUMNS, *rows]) + "\n"


def files() -> dict[str, str]:
    history = [row for back in range(28, 0, -1)
               for row in order_rows(STANDS_ON - dt.timedelta(days=back), EACH_DAY, store=str(300 + back % 3))]
    history += order_rows(STANDS_ON - dt.timedelta(days=1), {NOBODYS_SKU: 1}, store="399")
    made = {
        ITEMS: "sku,title,category,brand,unit_of_measure,unit_cost,price,status\n" + "".join(
            f"{sku},{title},Bakery > {title},National brand,each,1.2,2.5,active\n"
            for sku, title in ((BREAD, "Bread"), (BUNS, "Buns"), (CAKE, "Cake"))),
        SUPPLIERS: "supplier,sku,lead_time_days,lead_time_spread_days,moq,pack_size,unit_cost,minimum_order_value,"
                   "review_period_days,currency\n" + "".join(
                       f"Dorbury Bakers,{sku},3,0.5,1,2,1.2,10,7,USD\n" for sku in (BREAD, BUNS, CAKE)),
        STOCK: "sku,location,on_hand,counted_at\n" + "".join(
            f"{sku},main,{on_hand},{STANDS_ON}T00:00:00-05:00\n" for sku, on_hand in OPENING.items()),
        PROMOTIONS: "sku,location,kind,starts_on,ends_on,share,known_ahead\n"
                    f"{BREAD},,mailer,2017-11-27,2017-12-10,0.4,yes\n",
        ORDERS: orders_file(history),
    }
    for day in later_days():
        is_closed = (day.month, day.day) == (12, 25)
        made[day_file(ORDERS, day)] = orders_file([] if is_closed else order_rows(day, EACH_DAY))
        if day.weekday() == 0:
            made[day_file(PROMOTIONS, day)] = ("sku,location,kind,starts_on,ends_on,share,known_ahead\n"
                                               f"{BUNS},,display,{day},{day + dt.timedelta(days=6)},0.3,no\n")
    return made


def manifest(made: dict[str, str]) -> dict[str, Any]:
    lines = {"lines": 110, "set_aside": 1, "kept": 109}
    return {"lines": {"all": lines}, "items": 3, "suppliers": {"makers": 1, "wholesalers": 0},
            "files": [{"name": name, "rows": text.count("\n") - 1, "bytes": len(text)} for name, text in made.items()]}


def put_on_shelf(tenant: Tenant) -> None:
    made = files()
    for name, text in made.items():
        default_storage.save(shelf.path_of(tenant.pk, name), ContentFile(text.encode()))
    default_storage.save(shelf.path_of(tenant.pk, MANIFEST), ContentFile(json.dumps(manifest(made)).encode()))


def stocked_shop() -> Tenant:
    tenant = services.make_shop(slug=SMALL_SHOP.slug)
    put_on_shelf(tenant)
    return tenant


def loaded_shop() -> Tenant:
    """A shop whose history is in; what would follow its loading is taken out of the queue."""
    tenant = stocked_shop()
    with tenant_context(tenant.pk):
        services.ask_for_load(is_quick=True)
    assert run_next() == ("demo.load", "done")
    clear_queue()
    return tenant


def run_next(queue: str = "light") -> tuple[str, str]:
    """Run the next job of a queue, as a worker does: its kind and what became of it."""
    running = jobs.claim(queue=queue, worker="test")
    assert running is not None, "nothing waits"
    run(running)
    return running.kind, Job.objects.get(pk=running.job_id).state


def clear_queue() -> None:
    Job.objects.filter(state="queued").update(state="cancelled")


def queued() -> list[str]:
    return list(Job.objects.filter(state="queued").order_by("pk").values_list("kind", flat=True))


def last_record(tenant: Tenant, kind: str) -> JobRecord:
    job = Job.objects.filter(tenant=tenant, kind=kind).order_by("-pk")[0]
    with tenant_context(tenant.pk):
        found: JobRecord = JobRecord.objects.get(job_id=job.pk)
    return found
