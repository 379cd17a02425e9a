"""Letting days in: served from stock, judged daily, planned on Mondays, and never twice, whoever dies."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.catalog.models import Item, Location, Supplier
from apps.demo import pipeline, selectors, services
from apps.demo.management import watch
from apps.demo.recast.shops import ENDS_ON, STANDS_ON
from apps.ingestion.models import ImportFile
from apps.inventory import services as inventory
from apps.inventory.models import StockLevel, StockMovement
from apps.inventory.services import WantedLine
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.running import Running
from apps.jobs.services import NotNow, enqueue, start_nights
from apps.sales.models import SaleLine
from apps.tenants.models import Role, Tenant, User
from apps.tenants.scope import tenant_context
from apps.tenants.services import add_person
from tests.integration.demo.shops import (
    BREAD,
    BUNS,
    CAKE,
    EACH_DAY,
    OPENING,
    clear_queue,
    last_record,
    loaded_shop,
    queued,
    run_next,
)
from tests.rows import make_tenant_row, make_user

pytestmark = pytest.mark.django_db(transaction=True)
DAY = dt.timedelta(days=1)


def ask(tenant: Tenant, days: int = 1) -> dt.date:
    with tenant_context(tenant.pk):
        return services.let_days_in(days=days, actor=None)


def let_in(tenant: Tenant, days: int = 1) -> None:
    """Close days by running the demo's own jobs alone; judging and planning are taken as done."""
    ask(tenant, days)
    for _day in range(days):
        assert run_next() == ("demo.advance", "done")
        following = last_record(tenant, "feedback.judge").input
        clear_queue()
        if "demo.advance" in following["then"]:
            with tenant_context(tenant.pk):
                enqueue(kind_name="demo.advance", input={**following, "then": []})


def result(tenant: Tenant) -> dict[str, Any]:
    found: dict[str, Any] = last_record(tenant, "demo.advance").result or {}
    return found


def today(tenant: Tenant) -> dt.date:
    return Tenant.objects.get(pk=tenant.pk).today()


def send_order(tenant: Tenant, sku: str, quantity: int, expected_on: dt.date) -> None:
    with tenant_context(tenant.pk):
        placed = inventory.open_purchase_orders(
            lines=[WantedLine(recommendation_id=1, item_id=Item.objects.get(sku=sku).pk,
                              location_id=Location.objects.get().pk, supplier_id=Supplier.objects.get().pk,
                              quantity=quantity, unit_cost=Decimal("1.2"), expected_on=expected_on)],
            as_of=STANDS_ON, plan_id=None, actor=None)
        inventory.approve_order(order_id=placed[1], actor=None)
        inventory.mark_sent(order_id=placed[1], sent_on=STANDS_ON, actor=None)


class TestADay:
    def test_demand_is_served_from_stock_the_rest_is_lost_and_stock_never_falls_below_zero(self) -> None:
        tenant = loaded_shop()
        let_in(tenant, days=3)
        with tenant_context(tenant.pk):
            assert dict(StockLevel.objects.values_list("item__sku", "on_hand")) == {BREAD: 0, BUNS: 44, CAKE: 0}
            sales = StockMovement.objects.filter(kind="sale", item__sku=BREAD).order_by("occurred_on")
            assert list(sales.values_list("quantity", "wanted")) == [(-3, 3), (-1, 3), (0, 3)]

    def test_what_a_supplier_delivers_that_morning_serves_the_same_day(self) -> None:
        tenant = loaded_shop()
        send_order(tenant, CAKE, 6, expected_on=STANDS_ON + DAY)
        let_in(tenant, days=1)
        with tenant_context(tenant.pk):
            assert StockLevel.objects.get(item__sku=CAKE).on_hand == OPENING[CAKE] - EACH_DAY[CAKE]
        let_in(tenant, days=1)
        with tenant_context(tenant.pk):
            assert StockLevel.objects.get(item__sku=CAKE).on_hand == 6 - EACH_DAY[CAKE]
        assert result(tenant)["deliveries"] == 1

    def test_the_shop_stands_on_the_next_day_and_is_judged_by_this_one(self) -> None:
        tenant = loaded_shop()
        assert ask(tenant) == STANDS_ON + DAY
        run_next()
        assert today(tenant) == STANDS_ON + DAY
        judge = last_record(tenant, "feedback.judge").input
        assert (judge["as_of"], judge["then"]) == ("2017-12-05", ["portal.refresh"])

    def test_the_new_day_is_looked_at_for_orders_that_wait_and_sales_out_of_the_ordinary(
            self, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[tuple[str, dt.date]] = []
        for name in ("tell_unsent", "tell_unusual"):
            monkeypatch.setattr(pipeline, name, lambda *, as_of, name=name: told.append((name, as_of)))
        let_in(loaded_shop(), days=2)
        assert told == [(name, STANDS_ON + DAY * n) for n in (1, 2) for name in ("tell_unsent", "tell_unusual")]

    def test_what_is_done_meanwhile_is_told_of_the_day_and_not_of_its_file(
            self, monkeypatch: pytest.MonkeyPatch) -> None:
        notes: list[str] = []
        monkeypatch.setattr(Running, "progress", lambda _running, _share, note="": notes.append(note))
        let_in(loaded_shop())
        assert {"Monday 4 December: storing", "Monday 4 December: closing the day"} <= set(notes)
        assert {"orders.csv: storing", "items.csv: storing"} <= set(notes), "the history's files have no day"
        assert not any("2017" in note for note in notes)

    def test_each_monday_is_planned_and_the_week_goes_on_by_itself(self) -> None:
        steps = {STANDS_ON + DAY * n: services.steps_after(day=STANDS_ON + DAY * n, until=dt.date(2017, 12, 12))
                 for n in range(1, 9)}
        plan = ("forecasting.forecast", "optimization.plan", "portal.refresh")
        assert steps.pop(dt.date(2017, 12, 11)) == ("feedback.judge", *plan, "demo.advance")
        assert steps.pop(dt.date(2017, 12, 12)) == ("feedback.judge", "portal.refresh")
        assert set(steps.values()) == {("feedback.judge", "demo.advance")}

    def test_a_day_on_which_the_stores_were_closed_comes_in_too(self) -> None:
        tenant = loaded_shop()
        Tenant.objects.filter(pk=tenant.pk).update(demo_date=dt.date(2017, 12, 25))
        let_in(tenant)
        assert today(tenant) == dt.date(2017, 12, 26)
        assert result(tenant)["orders"]["rows"] == 0

    def test_displays_are_known_once_they_stand(self) -> None:
        tenant = loaded_shop()
        with tenant_context(tenant.pk):
            assert not ImportFile.objects.filter(name="promotions-2017-12-04.csv").exists()
        let_in(tenant, days=2)
        with tenant_context(tenant.pk):
            assert list(ImportFile.objects.filter(name__startswith="promotions-").values_list("name", flat=True)) == [
                "promotions-2017-12-04.csv"]


class TestNeverTwice:
    # Where the worker dies: before the n-th call of a function; the last one after the day was closed and committed.
    DEATHS = {
        "before anything was read": (pipeline, "bring_in", 1),
        "after the orders": (pipeline, "bring_in", 2),
        "before the day is closed": (services, "close_day", 1),
        "after the day was closed": (jobs, "finish", 1),
    }

    @pytest.mark.parametrize("moment", DEATHS)
    def test_a_worker_that_dies_in_a_day_is_followed_by_one_that_does_only_the_rest(
            self, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
        tenant = loaded_shop()
        send_order(tenant, BREAD, 4, expected_on=STANDS_ON)
        ask(tenant)
        owner, name, call = self.DEATHS[moment]
        really: Callable[..., Any] = getattr(owner, name)
        calls: list[str] = []

        def dies(*args: Any, **given: Any) -> Any:
            calls.append(name)
            if len(calls) == call:
                raise OSError("the machine went away")
            return really(*args, **given)

        monkeypatch.setattr(owner, name, dies)
        assert run_next() == ("demo.advance", "queued")
        if moment == "after the day was closed":
            assert queued() == ["demo.advance", "feedback.judge"]
        assert run_next() == ("demo.advance", "done")
        with tenant_context(tenant.pk):
            assert StockLevel.objects.get(item__sku=BREAD).on_hand == OPENING[BREAD] + 4 - EACH_DAY[BREAD]
            assert SaleLine.objects.count() == 29 * len(EACH_DAY)
            assert StockMovement.objects.filter(kind="receipt").count() == 1
            assert StockMovement.objects.filter(kind="sale", item__sku=BREAD).count() == 1
        assert today(tenant) == STANDS_ON + DAY
        assert queued() == ["feedback.judge"]

    def test_pressed_twice_it_is_one_day(self) -> None:
        tenant = loaded_shop()
        ask(tenant)
        with pytest.raises(NotNow, match="busy"):
            ask(tenant)
        assert queued() == ["demo.advance"]


class TestWatching:
    def test_who_waits_for_another_shops_job_is_told_which_and_a_job_taken_up_again_says_so(
            self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No worker is missed while the one there is is busy, however long that takes."""
        tenant, other = loaded_shop(), make_tenant_row(name="Next door")
        ask(tenant)
        with tenant_context(other.pk):
            ahead = enqueue(kind_name="ingestion.apply_file")
        now = timezone.now()
        Job.objects.filter(pk=ahead.pk).update(state="running", lease_until=now + dt.timedelta(minutes=1))
        moments, rounds, said = iter(range(0, 10**9, 200)), iter(range(6)), list[str]()

        def pause(_seconds: float) -> None:
            if next(rounds) == 3:
                Job.objects.filter(pk=ahead.pk).update(state="done")
                Job.objects.filter(kind="demo.advance").update(state="running", attempts=2)

        monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: next(moments), sleep=pause))
        is_done = iter([False] * 6 + [True])
        watch.Watch(said.append).until([tenant], lambda _tenant: next(is_done), ("demo.advance",))
        told = "\n".join(said)
        assert "Let a day in - waits for “Read a file” of Next door" in told
        assert "Let a day in - taken up again, attempt 2" in told

    def test_work_that_nobody_takes_up_is_not_waited_for_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tenant = loaded_shop()
        ask(tenant)
        moments = iter(range(0, 10**9, 200))
        monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: next(moments), sleep=lambda _pause: None))
        with pytest.raises(CommandError, match="are the workers running"):
            watch.Watch(lambda _text: None).until([tenant], lambda _tenant: False, ("demo.advance",))


    def test_where_no_broker_answers_that_is_said_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tenant = loaded_shop()
        monkeypatch.setattr(jobs, "current_app", Celery(broker="redis://127.0.0.1:1/0", set_as_current=False))
        with pytest.raises(CommandError, match="The broker does not answer"):
            call_command("let_days_in", "--tenant", tenant.slug)


def test_a_demo_has_no_nights() -> None:
    loaded_shop()
    real = make_tenant_row(slug="real")
    assert start_nights(chain=("sales.refresh",), hour=0) == 1
    assert last_record(real, "sales.refresh").input["then"] == []


class TestTheEnd:
    def test_after_31_december_the_year_is_over(self) -> None:
        tenant = loaded_shop()
        Tenant.objects.filter(pk=tenant.pk).update(demo_date=ENDS_ON)
        assert ask(tenant, days=7) == ENDS_ON + DAY
        assert run_next() == ("demo.advance", "done")
        clear_queue()
        with pytest.raises(services.YearIsOver, match="31 December"):
            ask(tenant)
        assert selectors.standing(Tenant.objects.get(pk=tenant.pk)).is_over
        out = io.StringIO()
        call_command("let_days_in", "--tenant", tenant.slug, stdout=out)
        assert "The year is over" in out.getvalue()

    def test_a_real_shops_days_pass_by_themselves(self) -> None:
        tenant = make_tenant_row(slug="real")
        with pytest.raises(services.NotADemo, match="no demo"):
            ask(tenant)
        with pytest.raises(CommandError, match="no demo"):
            call_command("let_days_in", "--tenant", "real")
        with pytest.raises(CommandError, match="no shop nowhere"):
            call_command("let_days_in", "--tenant", "nowhere")


class TestPages:
    def visit(self, client: Client, tenant: Tenant, role: str) -> User:
        person = make_user()
        add_person(tenant=tenant, user=person, role=role, actor=None)
        client.force_login(person)
        return person

    def test_a_manager_lets_a_day_in_by_a_button_and_sees_it_come(self, client: Client) -> None:
        tenant = loaded_shop()
        self.visit(client, tenant, Role.MANAGER)
        assert b'value="7"' in client.get("/demo/").content
        assert client.post("/demo/days/", {"days": "1"}).headers["Location"] == "/demo/"
        assert queued() == ["demo.advance"]
        busy = client.get("/demo/bar/", headers={"HX-Request": "true"}).content.decode()
        assert 'hx-trigger="every 2s"' in busy and "Let a day in" in busy and "<form" not in busy
        run_next()
        clear_queue()
        rested = client.get("/demo/bar/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/items/?q=b"})
        assert 'href="/items/?q=b"' in rested.content.decode() and "every 2s" not in rested.content.decode()
        assert "5 Dec" in rested.content.decode()

    def test_a_week_is_as_long_as_the_year_lets_it_be(self, client: Client) -> None:
        tenant = loaded_shop()
        self.visit(client, tenant, Role.OWNER)
        Tenant.objects.filter(pk=tenant.pk).update(demo_date=ENDS_ON - DAY)
        client.post("/demo/days/", {"days": "7"}, headers={"HX-Request": "true"})
        assert last_record(tenant, "demo.advance").input["until"] == "2018-01-01"

    def test_a_viewer_sees_where_the_shop_stands_and_can_let_nothing_in(self, client: Client) -> None:
        tenant = loaded_shop()
        self.visit(client, tenant, Role.VIEWER)
        page = client.get("/demo/").content.decode()
        assert "28" in page and 'action="/demo/days/"' not in page
        assert client.post("/demo/days/", {"days": "1"}).status_code == 403
        assert queued() == []

    def test_a_real_shop_has_neither_the_page_nor_the_bar(self, client: Client) -> None:
        tenant = make_tenant_row()
        self.visit(client, tenant, Role.OWNER)
        assert client.get("/demo/").status_code == 404
        assert client.post("/demo/days/", {"days": "1"}).status_code == 404
        assert b"demo-bar" not in client.get("/").content

    def test_the_page_asks_the_database_little_and_no_more_with_more_days(self, client: Client) -> None:
        tenant = loaded_shop()
        self.visit(client, tenant, Role.OWNER)

        def queries() -> int:
            with CaptureQueriesContext(connection) as asked:
                assert client.get("/demo/").status_code == 200
            return len([query for query in asked.captured_queries if "SAVEPOINT" not in query["sql"]])

        few = queries()
        let_in(tenant, days=3)
        assert few <= 15 and queries() <= few + 1  # the records of the days, once there are any
