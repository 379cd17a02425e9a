"""A sale that dwarfs all others of its item is shown to a person, who confirms or corrects it, once and for good."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.test import Client

from apps.alerts.selectors import open_alerts, resolved_alerts
from apps.alerts.services import mark_seen
from apps.ingestion import services
from apps.ingestion.services import NotCorrected
from apps.jobs.models import Job
from apps.jobs.running import Running
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
    with pytest.raises(NotCorrected, match="never said more than 100000"):
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


def test_they_raise_an_alert_when_they_appear_which_ends_when_a_person_has_spoken_of_all(shop: Tenant) -> None:
    def refreshed() -> list[tuple[str, str]]:
        job = Job.objects.create(tenant=shop, kind="sales.refresh", queue="light", state="running", attempts=1)
        with outside_scope():
            refresh(Running(job_id=job.pk, tenant_id=shop.pk, kind=job.kind, attempt=1,
                            input={"as_of": MONDAY.isoformat()}))
        return alerts_open()

    one = "1 sale is far above all others of its item"
    assert refreshed() == refreshed() == [(one, "open")]
    alert = open_alerts().get()
    assert alert.link == "/data/unusual/" and alert.reason.startswith("100,000 of A in order typed, usually 2. ")
    mark_seen(alert_id=alert.pk)
    assert refreshed() == [(one, "seen")], "nothing new has come"
    take(ORDERS + f"again,1,{LAST} 10:00,B,70000,5,5\n", name="again.csv")
    assert refreshed() == [("2 sales are far above all others of their items", "open")]
    first, second = sales.unusual_sales(MONDAY)
    services.correct_sale(line_id=second.line_id, quantity=Decimal(2), actor=make_user())
    assert alerts_open() == [(one, "open")]
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
