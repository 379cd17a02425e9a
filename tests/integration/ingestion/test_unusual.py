"""A sale that dwarfs all others of its item is shown to a person, who confirms or corrects it, once and for good."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.test import Client

from apps.alerts.selectors import open_alerts, resolved_alerts
from apps.alerts.services import mark_seen, resolve
from apps.ingestion import pipeline, services
from apps.ingestion.services import NotCorrected
from apps.jobs.models import Job
from apps.jobs.running import LeaseLost, Running
from apps.sales import selectors as sales
from apps.sales.models import SaleLine
from apps.sales.pipeline import refresh
from apps.sales.selectors import UnusualSale
from apps.tenants.models import AuditEntry, Membership, Tenant
from apps.tenants.scope import outside_scope, tenant_context
from tests.integration.ingestion.shops import ORDERS, make_shop, sold, take
from tests.rows import make_user
from tests.servers import TestServers

pytestmark = pytest.mark.django_db
MONDAY = dt.date(2025, 3, 3)
LAST = MONDAY - dt.timedelta(days=1)
# One or two a day for a quarter, of three items; then one typed wrongly, one large within reason, one long ago.
USUAL = ORDERS + "".join(
    f"o{n},{sku},{LAST - dt.timedelta(days=n)} 09:00,{sku},{1 + n % 2},5,5\n" for n in range(90)
    for sku in ("A", "B", "C"))
TYPED = f"typed,1,{LAST} 10:00,A,100000,5,5\n"
LARGE = f"large,1,{LAST} 10:00,B,30,5,5\n"
OLD = f"old,1,{MONDAY - dt.timedelta(weeks=27)} 10:00,C,5000,5,5\n"


@pytest.fixture
def shop() -> Any:
    tenant = make_shop(demo_date=MONDAY)
    with tenant_context(tenant.pk):
        take(USUAL + TYPED + LARGE + OLD)
        yield tenant


def the_one() -> UnusualSale:
    (found,) = sales.unusual_sales(MONDAY)
    return found


def of_a() -> float:
    return sold()["A", LAST.isoformat()]


def test_only_what_dwarfs_a_quarter_of_the_item_is_unusual(shop: Tenant) -> None:
    found = the_one()
    assert (found.sku, found.order_id, found.quantity, found.usual, found.others) == ("A", "typed", 100_000, 2, 135)
    assert [sale.sku for sale in sales.unusual_sales(MONDAY - dt.timedelta(weeks=2))] == ["A", "C"]


def test_what_a_person_corrects_holds_against_the_same_file_and_yields_to_a_newer_statement(shop: Tenant) -> None:
    person = make_user()
    services.correct_sale(line_id=the_one().line_id, quantity=Decimal(2), actor=person)
    assert sales.unusual_sales(MONDAY) == []
    assert of_a() == 1 + 2
    assert list(Job.objects.values_list("kind", flat=True)) == ["forecasting.forecast"]  # and what follows it
    assert AuditEntry.objects.get(action="sale.quantity_said").detail == {"before": "100000", "after": "2"}
    take(ORDERS + TYPED, name="alone.csv")
    again = take(USUAL + TYPED, name="again.csv")
    assert (again.rows_applied, of_a()) == (0, 1 + 2)
    assert len(sales.sales_looked_at(MONDAY)) == 1
    take(ORDERS + TYPED.replace("100000", "7"), name="mended.csv")
    assert of_a() == 1 + 7
    assert sales.sales_looked_at(MONDAY) == [], "the source's newer word holds, no person's"


def test_what_a_person_confirms_stays_and_is_not_asked_again(shop: Tenant) -> None:
    found = the_one()
    services.correct_sale(line_id=found.line_id, quantity=Decimal(found.quantity), actor=make_user())
    assert sales.unusual_sales(MONDAY) == []
    assert [sale.quantity for sale in sales.sales_looked_at(MONDAY)] == [100_000]
    assert of_a() == 1 + 100_000


def test_a_slip_is_taken_back_and_no_more_is_said_than_the_source_did(shop: Tenant) -> None:
    services.correct_sale(line_id=the_one().line_id, quantity=Decimal(0), actor=make_user())
    (looked_at,) = sales.sales_looked_at(MONDAY)
    assert (looked_at.order_id, looked_at.quantity, looked_at.said_first) == ("typed", 0, 100_000)
    with pytest.raises(NotCorrected, match="never said more than 100,000 were"):
        services.correct_sale(line_id=looked_at.line_id, quantity=Decimal(100_001), actor=make_user())
    services.correct_sale(line_id=looked_at.line_id, quantity=Decimal(100_000), actor=make_user())
    assert of_a() == 1 + 100_000
    assert [sale.quantity for sale in sales.sales_looked_at(MONDAY)] == [100_000]


def test_a_correction_for_which_the_day_has_no_room_is_refused_with_a_sentence(shop: Tenant) -> None:
    services.correct_sale(line_id=the_one().line_id, quantity=Decimal(0), actor=make_user())
    (looked_at,) = sales.sales_looked_at(MONDAY)
    others = [10**9] * 99 + [10**9 - 50_000]
    take(ORDERS + "".join(f"full{n},1,{LAST} 11:00,A,{quantity},5,5\n" for n, quantity in enumerate(others)))
    full = of_a()
    with pytest.raises(NotCorrected, match="“A” on 2 Mar 2025 add up to more than can be true"):
        services.correct_sale(line_id=looked_at.line_id, quantity=Decimal(100_000), actor=make_user())
    assert of_a() == full == sum(others) + 1


def alerts_open() -> list[tuple[str, str]]:
    return [(alert.title, alert.state) for alert in open_alerts().filter(code="sales.unusual")]


ONE, TWO, THREE = ("1 sale is far above all others of its item", "2 sales are far above all others of their items",
                   "3 sales are far above all others of their items")


def ran(tenant: Tenant, kind: str, handler: Any, **given: Any) -> None:
    job = Job.objects.create(tenant=tenant, kind=kind, queue="light", state="running", attempts=1)
    with outside_scope():
        handler(Running(job_id=job.pk, tenant_id=tenant.pk, kind=kind, attempt=1, input=given))


def refreshed(tenant: Tenant) -> list[tuple[str, str]]:
    ran(tenant, "sales.refresh", refresh, as_of=MONDAY.isoformat())
    return alerts_open()


def sent(sku: str, quantity: int, order: int, **line: Any) -> int:
    """An order of one line, sent by a connected shop and not applied yet."""
    source, _secret = services.connect_shopify(name="S", shop_domain="s.example.test", secret="one", actor=None)
    at = f"{LAST}T11:00:00-05:00"
    body = {"id": order, "name": f"#{order}", "created_at": at, "updated_at": at, "currency": "USD", "line_items": [
        {"id": order, "sku": sku, "title": sku, "quantity": quantity, "price": "5.00", **line}]}
    kept, _is_new = services.record_delivery(source=source, topic="orders/create", delivery_id=f"d-{order}",
                                             body=json.dumps(body).encode())
    return int(kept.pk)


def delivered(tenant: Tenant, sku: str, quantity: int, order: int) -> list[tuple[str, str]]:
    ran(tenant, "ingestion.apply_delivery", pipeline.apply_delivery, delivery_id=sent(sku, quantity, order))
    return alerts_open()


def test_a_delivery_tells_of_what_it_brings_and_looks_at_no_other_item(shop: Tenant) -> None:
    assert delivered(shop, "B", 2, 1) == [], "the one of A was not told of, and is the night's to find"
    assert delivered(shop, "B", 50_000, 2) == [(ONE, "open")]
    assert open_alerts().get().reason.startswith("50,000 of B in order #2, usually 2. ")
    assert refreshed(shop) == [(TWO, "open")]
    assert open_alerts().get().reason.startswith("100,000 of A in order typed, usually 2; 50,000 of B in order #2, ")
    mark_seen(alert_id=open_alerts().get().pk)
    assert delivered(shop, "C", 2, 3) == [(TWO, "seen")], "others still count, and nothing is news"
    assert delivered(shop, "C", 30_000, 4) == [(THREE, "open")]
    assert open_alerts().get().reason.startswith("100,000 of A in order typed, usually 2; 50,000 of B in order #2, ")


def test_a_worker_that_was_replaced_applies_no_delivery_and_tells_of_none(
        shop: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, lines, holds = sent("B", 50_000, 1), SaleLine.objects.count(), [LeaseLost("gone")]

    def hold(_running: Running) -> None:
        if holds:
            raise holds.pop()
        holds.append(LeaseLost("gone"))

    monkeypatch.setattr(Running, "hold", hold)
    running = Running(job_id=1, tenant_id=shop.pk, kind="ingestion.apply_delivery", attempt=1,
                      input={"delivery_id": kept})
    for written in (0, 1):  # it was replaced before the ledger was written; and after that
        with outside_scope(), pytest.raises(LeaseLost):
            pipeline.apply_delivery(running)
        assert (SaleLine.objects.count(), alerts_open()) == (lines + written, [])


def test_a_delivery_that_sells_nothing_is_not_looked_at(shop: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    monkeypatch.setattr(pipeline, "tell_unusual", lambda **given: looked.append(given))
    delivered(shop, "G", 1, 1)
    kept = sent("H", 1, 2, gift_card=True)
    ran(shop, "ingestion.apply_delivery", pipeline.apply_delivery, delivery_id=kept)
    assert [len(given["item_ids"]) for given in looked] == [1]


def test_what_a_person_has_resolved_comes_back_with_the_next_such_sale_and_not_before(shop: Tenant) -> None:
    assert refreshed(shop) == [(ONE, "open")]
    resolve(alert_id=open_alerts().get().pk)
    assert refreshed(shop) == delivered(shop, "A", 2, 1) == delivered(shop, "B", 2, 2) == refreshed(shop) == []
    assert delivered(shop, "B", 50_000, 3) == [(TWO, "open")]
    resolve(alert_id=open_alerts().get().pk)
    assert refreshed(shop) == []
    services.correct_sale(line_id=sales.unusual_sales(MONDAY)[0].line_id, quantity=Decimal(2), actor=make_user())
    assert alerts_open() == [], "one less is nothing new"


def test_what_a_person_has_resolved_waits_quietly_once_what_came_after_it_is_dealt_with(shop: Tenant) -> None:
    refreshed(shop)
    resolve(alert_id=open_alerts().get().pk)
    assert delivered(shop, "B", 50_000, 1) == [(TWO, "open")]
    b = next(sale for sale in sales.unusual_sales(MONDAY) if sale.sku == "B")
    services.correct_sale(line_id=b.line_id, quantity=Decimal(2), actor=make_user())
    assert alerts_open() == [] == refreshed(shop), "of the one of A a person knows"
    assert delivered(shop, "C", 30_000, 2) == [(TWO, "open")]


def test_what_stopped_being_unusual_by_itself_is_news_when_it_is_so_again(shop: Tenant) -> None:
    assert refreshed(shop) == [(ONE, "open")]
    bulk = "".join(f"bulk,{n},{LAST} 09:00,A,{{0}},5,5\n" for n in range(3))
    take(ORDERS + bulk.format(99_000), name="bulk.csv")
    assert refreshed(shop) == []
    take(ORDERS + bulk.format(1), name="less.csv")
    assert refreshed(shop) == [(ONE, "open")]


def test_an_older_sale_that_its_item_comes_to_dwarf_is_news(shop: Tenant) -> None:
    first = f"n,1,{LAST - dt.timedelta(days=9)} 09:00,N,900,5,5\n"
    take(ORDERS + first, name="first.csv")
    assert delivered(shop, "B", 50_000, 1) == [(ONE, "open")]
    resolve(alert_id=open_alerts().get().pk)
    for order in range(2, 10):
        delivered(shop, "N", 1, order)
    assert alerts_open() == [(TWO, "open")]


@pytest.mark.django_db(transaction=True)
def test_who_looks_for_unusual_sales_holds_up_no_other_delivery(
        servers: TestServers, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = make_shop(demo_date=MONDAY)
    free: list[bool] = []

    def looking(**_given: Any) -> None:
        with psycopg.connect(servers.url("app")) as other:
            row = other.execute("SELECT pg_try_advisory_xact_lock(hashtext('sales.ledger'), %s::int)",
                                [tenant.pk]).fetchone()
            free.append(bool(row and row[0]))

    monkeypatch.setattr("apps.ingestion.pipeline.tell_unusual", looking)
    monkeypatch.setattr("apps.sales.services.tell_unusual", looking)
    with tenant_context(tenant.pk):
        kept = sent("A", 2, 1)
        jobs = [Job.objects.create(tenant=tenant, kind=kind, queue="light", state="running", attempts=1)
                for kind in ("ingestion.apply_delivery", "sales.refresh")]
    for job, handler in zip(jobs, (pipeline.apply_delivery, refresh), strict=True):
        handler(Running(job_id=job.pk, tenant_id=tenant.pk, kind=job.kind, attempt=1,
                        input={"delivery_id": kept, "as_of": MONDAY.isoformat()}))
    assert free == [True, True]


def test_they_raise_an_alert_when_they_appear_which_ends_when_a_person_has_spoken_of_all(shop: Tenant) -> None:
    assert refreshed(shop) == refreshed(shop) == [(ONE, "open")]
    alert = open_alerts().get()
    assert alert.link == "/data/unusual/" and alert.reason.startswith("100,000 of A in order typed, usually 2. ")
    mark_seen(alert_id=alert.pk)
    assert refreshed(shop) == [(ONE, "seen")], "nothing new has come"
    take(ORDERS + f"again,1,{LAST} 10:00,B,70000,5,5\n", name="again.csv")
    assert refreshed(shop) == [(TWO, "open")]
    first, second = sales.unusual_sales(MONDAY)
    services.correct_sale(line_id=second.line_id, quantity=Decimal(2), actor=make_user())
    assert alerts_open() == [(ONE, "open")]
    services.correct_sale(line_id=first.line_id, quantity=Decimal(first.quantity), actor=make_user())
    assert alerts_open() == [] and resolved_alerts().filter(code="sales.unusual").count() == 2


def test_what_else_a_source_says_of_a_sale_does_not_undo_the_correction(shop: Tenant) -> None:
    services.correct_sale(line_id=the_one().line_id, quantity=Decimal(0), actor=make_user())
    take(ORDERS + TYPED.replace(",5,5", ",5,4"), name="cheaper.csv")
    assert of_a() == 1


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_an_import_to_correct_a_sale(servers: TestServers) -> None:
    tenant, person = make_shop(demo_date=MONDAY), make_user()
    with tenant_context(tenant.pk):
        take(USUAL + TYPED)
        line = the_one().line_id
    with psycopg.connect(servers.url("app")) as importing:
        importing.execute("SELECT pg_advisory_xact_lock(hashtext('sales.ledger'), %s::int)", [tenant.pk])
        with pytest.raises(NotCorrected, match="right now"), tenant_context(tenant.pk):
            services.correct_sale(line_id=line, quantity=Decimal(0), actor=person)


def test_two_people_do_not_correct_each_other_unseen(shop: Tenant) -> None:
    found, person = the_one(), make_user()
    services.correct_sale(line_id=found.line_id, quantity=Decimal(0), actor=person)
    with pytest.raises(NotCorrected):
        services.correct_sale(line_id=found.line_id, quantity=Decimal(3), actor=person)
    assert of_a() == 1


def test_an_outsider_finds_and_corrects_nothing(shop: Tenant) -> None:
    line = the_one().line_id
    lines = SaleLine.objects.count()
    with outside_scope():
        other = make_shop(demo_date=MONDAY)
        with tenant_context(other.pk):
            assert sales.unusual_sales(MONDAY) == []
            assert sales.sales_looked_at(MONDAY) == []
            with pytest.raises(NotCorrected):
                services.correct_sale(line_id=line, quantity=Decimal(0), actor=make_user())
    assert (SaleLine.objects.count(), of_a()) == (lines, 100_001)


def test_the_page_shows_it_and_only_who_imports_may_say_what_is_right(client: Client) -> None:
    tenant = make_shop(demo_date=MONDAY)
    with tenant_context(tenant.pk):
        take(USUAL + TYPED)
        line = the_one().line_id
    for role, may in (("viewer", False), ("manager", True)):
        person = make_user()
        Membership.objects.create(tenant=tenant, user=person, role=role)
        client.force_login(person)
        page = client.get("/data/unusual/").content.decode()
        assert "100,000" in page
        assert ("It is right" in page) is may
        answer = client.post("/data/unusual/", {"line": line, "quantity": "many"}, follow=True)
        assert answer.status_code == (200 if may else 403)
        if may:
            assert "Write how many were really sold" in answer.content.decode()
        client.post("/data/unusual/", {"line": line, "quantity": "1"})
        with tenant_context(tenant.pk):
            assert of_a() == (2 if may else 100_001)
    (box,) = re.findall(r'<input[^>]*id="right-[^>]*>', client.get("/data/unusual/").content.decode())
    assert 'value="1"' in box and 'max="100000"' in box, "what holds now, and the most that may be said"
