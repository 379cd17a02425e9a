"""The API: keys let in what they may, an outsider gets nothing, and every refusal is a problem document."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from apps.catalog.models import Item, Location, Supplier, SupplyTerm
from apps.catalog.services import furnish_tenant
from apps.forecasting.models import ForecastRun, SeriesForecast
from apps.ingestion.services import apply_file, note_state
from apps.inventory.models import PurchaseOrder, PurchaseOrderLine
from apps.jobs.models import Job, JobRecord
from apps.optimization.models import Plan, Recommendation
from apps.tenants.models import ApiKey, AuditEntry, Permission, Tenant
from apps.tenants.scope import tenant_context
from apps.tenants.services import issue_key, revoke_key
from config.api import router
from tests.rows import make_row, make_tenant_row
from tests.servers import TestServers

pytestmark = pytest.mark.django_db

RESOURCES = [prefix for prefix, viewset, _ in router.registry if hasattr(viewset, "list")]


class Program:
    """A program with a key of one tenant."""

    def __init__(self, tenant: Tenant, *permissions: str) -> None:
        self.tenant = tenant
        self.key, self.secret = issue_key(tenant=tenant, name="till", permissions=permissions, actor=None)
        self.client = Client(headers={"Authorization": f"Bearer {self.secret}"})

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query)

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(f"/api/v1/{path}", body or {}, content_type="application/json")


@pytest.fixture(autouse=True)
def forget_limits(servers: TestServers) -> None:
    cache.clear()


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant_row()


@pytest.fixture
def program(tenant: Tenant) -> Program:
    return Program(tenant, Permission.READ, Permission.PLAN, Permission.OPERATE, Permission.IMPORT)


@pytest.fixture
def rows(tenant: Tenant) -> dict[str, Any]:
    """One row of everything that the API shows, of one tenant."""
    with tenant_context(tenant.pk):
        order = make_row(PurchaseOrder, status="draft")
        make_row(PurchaseOrderLine, order=order, quantity=10, received_quantity=0)
        job = Job.objects.create(tenant=tenant, kind="test.kind", queue="light", state="failed")
        JobRecord.objects.create(job=job, input={"asked": "for"})
        return {"purchase-orders": order, "jobs": job, "items": make_row(Item, title="Secret soap")}


@pytest.mark.parametrize("resource", RESOURCES)
def test_every_resource_lists_to_its_own_and_shows_an_outsider_nothing(
        resource: str, program: Program, rows: dict[str, Any]) -> None:
    outsider = Program(make_tenant_row(), *(permission for permission in Permission if permission != "administer"))
    assert program.get(f"{resource}/").status_code == 200
    theirs = outsider.get(f"{resource}/")
    assert theirs.status_code == 200
    assert theirs.json()["results"] == []
    for row in rows.values():
        assert outsider.get(f"{resource}/{row.pk}/").status_code == 404
        for action in ("approve", "send", "cancel", "receive", "change_line", "remove_line", "retry", "decide",
                       "dismiss"):
            assert outsider.post(f"{resource}/{row.pk}/{action}/").status_code in (400, 404, 405)


@pytest.mark.parametrize("resource", RESOURCES)
def test_without_a_live_key_nothing_opens(resource: str, program: Program) -> None:
    for client in (Client(), Client(headers={"Authorization": "Bearer sw_made_up"})):
        response = client.get(f"/api/v1/{resource}/")
        assert response.status_code == 401
        assert response["Content-Type"] == "application/problem+json"
        assert response["WWW-Authenticate"].startswith("Bearer")
    revoke_key(key=program.key, actor=None)
    assert program.get(f"{resource}/").status_code == 401


def test_a_key_that_may_read_changes_nothing(tenant: Tenant, rows: dict[str, Any]) -> None:
    reader = Program(tenant, Permission.READ)
    response = reader.post(f"purchase-orders/{rows['purchase-orders'].pk}/approve/")
    assert response.status_code == 403
    assert "plan" in response.json()["detail"]
    with tenant_context(tenant.pk):
        assert PurchaseOrder.objects.get().status == "draft"


def test_goods_that_nobody_sent_for_are_expected_as_if_somebody_did_today(program: Program, tenant: Tenant,
                                                                          rows: dict[str, Any]) -> None:
    today = tenant.today()
    with tenant_context(tenant.pk):
        PurchaseOrder.objects.update(ordered_on=today - dt.timedelta(days=3), expected_on=today + dt.timedelta(days=1))
        PurchaseOrderLine.objects.update(expected_on=today)
    found = program.get(f"purchase-orders/{rows['purchase-orders'].pk}/").json()
    assert [found["expected_on"], found["lines"][0]["expected_on"]] == [
        (today + dt.timedelta(days=days)).isoformat() for days in (4, 3)]


def test_an_order_goes_from_draft_to_received_and_its_goods_come_in_once(program: Program, tenant: Tenant,
                                                                        rows: dict[str, Any]) -> None:
    order = rows["purchase-orders"].pk
    assert program.post(f"purchase-orders/{order}/approve/").json()["status"] == "approved"
    assert program.post(f"purchase-orders/{order}/send/").json()["status"] == "sent"
    [line] = program.get(f"purchase-orders/{order}/").json()["lines"]
    note = {"reference": "note-1", "lines": [{"line_id": line["id"], "quantity": "4"}]}
    for _ in range(2):
        answered = program.post(f"purchase-orders/{order}/receive/", note).json()
        assert (answered["status"], answered["lines"][0]["received_quantity"]) == ("partly_received", "4.000")
    more = {"reference": "note-2", "lines": [{"line_id": line["id"], "quantity": "7"}]}
    refused = program.post(f"purchase-orders/{order}/receive/", more)
    assert refused.status_code == 409 and "11 instead of 10. Send allow_more" in refused.json()["detail"]
    with tenant_context(tenant.pk):
        levels = program.get("stock-levels/").json()["results"]
    assert [level["on_hand"] for level in levels] == ["4.000"]
    taken = program.post(f"purchase-orders/{order}/receive/", {**more, "allow_more": True}).json()
    assert (taken["status"], taken["lines"][0]["received_quantity"]) == ("received", "11.000")
    refused = program.post(f"purchase-orders/{order}/approve/")
    assert refused.status_code == 409
    assert refused["Content-Type"] == "application/problem+json"


def test_a_quantity_that_breaks_a_pack_is_ordered_only_where_the_program_says_so(program: Program,
                                                                                tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        line = make_row(Recommendation, plan=make_row(Plan, is_replay=False), state="open", quantity=12,
                        waterfall={"units": {"need": 12}, "moq": 1, "pack_size": 6})
    path, wanted = f"recommendations/{line.pk}/decide/", {"quantity": 13, "reason": "a party"}
    refused = program.post(path, wanted)
    assert refused.status_code == 409 and "the nearest are 12 and 18. Send allow_odd" in refused.json()["detail"]
    assert program.post(path, {**wanted, "allow_odd": True}).json()["quantity"] == 13


def test_a_program_changes_a_drafts_lines_and_takes_them_off_as_it_decided_on_them(program: Program,
                                                                                   tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        supplier, location = make_row(Supplier), make_row(Location)
        plan = make_row(Plan, is_replay=False, as_of=tenant.today())
        lines = [make_row(Recommendation, plan=plan, state="open", quantity=12, supplier=supplier, location=location,
                          waterfall={"units": {"need": 12}, "moq": 1, "pack_size": 6}) for _ in range(2)]
    order = [program.post(f"recommendations/{line.pk}/decide/").json()["purchase_order_id"] for line in lines][-1]
    path = f"purchase-orders/{order}/"
    first = program.get(path).json()
    line, other = first["lines"]
    wanted = {"line_id": line["id"], "quantity": 13, "seen": first["mark"]}
    refused = program.post(f"{path}change_line/", wanted)
    assert refused.status_code == 409 and "the nearest are 12 and 18. Send allow_odd" in refused.json()["detail"]
    refused = program.post(f"{path}change_line/", {**wanted, "allow_odd": True})
    assert refused.status_code == 400 and "Say why" in refused.content.decode()
    reader = Program(tenant, Permission.READ)
    assert reader.post(f"{path}change_line/", wanted).status_code == 403
    assert reader.post(f"{path}remove_line/", wanted).status_code == 403
    changed = program.post(f"{path}change_line/", {**wanted, "allow_odd": True, "reason": "a party"}).json()
    assert [each["quantity"] for each in changed["lines"]] == ["13.000", "12.000"]
    assert program.post(f"{path}change_line/", {"line_id": 10 ** 6, "quantity": 12}).status_code == 409
    with tenant_context(tenant.pk):
        sent = make_row(PurchaseOrderLine, order=make_row(PurchaseOrder, status="sent"), quantity=10)
    for act, body in (("change_line", {"quantity": 12}), ("remove_line", {})):
        refused = program.post(f"{path}{act}/", {"line_id": sent.pk, **body})
        assert refused.status_code == 409 and "has no such line" in refused.json()["detail"]
    before, now = first["mark"], changed["mark"]
    for act, body in (("approve", {}), ("change_line", {"line_id": other["id"], "quantity": 6, "reason": "less"}),
                      ("remove_line", {"line_id": other["id"]})):
        refused = program.post(f"{path}{act}/", {**body, "seen": before})
        assert refused.status_code == 409 and "Somebody has changed" in refused.json()["detail"], act
    assert program.get(path).json()["mark"] == now
    assert len(program.post(f"{path}remove_line/", {"line_id": line["id"]}).json()["lines"]) == 1
    assert program.post(f"{path}remove_line/", {"line_id": other["id"]}).json()["status"] == "cancelled"
    assert {each["state"] for each in program.get("recommendations/").json()["results"]} == {"open"}


def test_a_text_with_line_breaks_is_one_value_and_no_further_rows(program: Program, tenant: Tenant) -> None:
    title = "Nice,,,,,,,,,\nF1,,2026-01-05T10:00:00Z,FORGED,t,,999,,1,,,,,\n(F2)\n(F3)\nend"
    body = {"rows": [{"order_id": "O1", "occurred_at": "2026-01-05T10:00:00Z", "sku": "A", "title": title,
                      "quantity": "1"}]}
    file_id = program.post("sale-lines/", body).json()["id"]
    with tenant_context(tenant.pk):
        file = apply_file(file_id=file_id)
        assert (file.rows_read, file.rows_applied) == (1, 1)
        assert [item.sku for item in Item.objects.all()] == ["A"]


def test_a_batch_that_was_refused_can_be_sent_again_once_there_is_room(program: Program, tenant: Tenant) -> None:
    body = {"rows": [{"order_id": "1", "occurred_at": "2026-01-05T10:00:00Z", "sku": "A", "quantity": "1"}]}
    file_id = program.post("sale-lines/", body).json()["id"]
    with tenant_context(tenant.pk):
        note_state(file_id=file_id, state="refused", error="no room")
    again = program.post("sale-lines/", body).json()
    assert (again["id"], again["state"]) == (file_id, "queued")


def test_what_does_not_fit_says_where(program: Program, rows: dict[str, Any]) -> None:
    response = program.post(f"purchase-orders/{rows['purchase-orders'].pk}/receive/",
                            {"reference": "n", "lines": [{"line_id": "x"}]})
    assert response.status_code == 400
    assert {error["field"] for error in response.json()["errors"]} == {"lines.0.line_id", "lines.0.quantity"}


def test_a_job_shows_its_record_and_can_be_run_again(program: Program, rows: dict[str, Any]) -> None:
    assert program.get(f"jobs/{rows['jobs'].pk}/").json()["input"] == {"asked": "for"}
    assert program.get("jobs/", state="done").json()["results"] == []
    assert program.post(f"jobs/{rows['jobs'].pk}/cancel/").status_code == 409


def test_pages_go_on_where_they_stopped_while_rows_come_in(program: Program, tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        made = [make_row(Item).pk for _ in range(5)]
    first = program.get("items/", page_size=2).json()
    with tenant_context(tenant.pk):
        make_row(Item)
    seen, page = [row["id"] for row in first["results"]], first
    while page["next"]:
        page = program.client.get(page["next"]).json()
        seen += [row["id"] for row in page["results"]]
    assert seen == sorted(made, reverse=True)


def test_a_program_says_on_what_terms_an_item_is_bought(program: Program, tenant: Tenant) -> None:
    def patch(who: Program, **body: Any) -> Any:
        return who.client.patch(f"/api/v1/items/{item.pk}/terms/", body, content_type="application/json")

    with tenant_context(tenant.pk):
        furnish_tenant(tenant)
        item = make_row(Item, unit_cost=None, price=10)
    assert "lead_time_days" in program.get(f"items/{item.pk}/terms/").json()["assumed"]
    assert patch(program, pack_size=6).status_code == 409, "nobody sells it yet"
    with tenant_context(tenant.pk):
        make_row(SupplyTerm, item=item, is_preferred=True)
    held = patch(program, lead_time_days="9.5", pack_size=12).json()
    assert (held["lead_time_days"], held["pack_size"]) == (9.5, 12)
    assert "lead_time_days" not in held["assumed"]
    assert patch(program, lead_time_days=None).json()["lead_time_days"] != 9.5
    for body in ({"pack_size": 0}, {"lead_time_days": "nan"}, {"lead_time": 3}, {}, {"unit_cost": "1e12"}):
        assert patch(program, **body).status_code == 400, body
    assert patch(Program(tenant, Permission.READ, Permission.PLAN), pack_size=6).status_code == 403
    assert patch(Program(make_tenant_row(), Permission.IMPORT), pack_size=6).status_code == 404
    first, _second = AuditEntry.objects.filter(tenant=tenant, action="term.changed").order_by("pk")
    assert first.detail["after"] == {"lead_time_days": "9.50", "pack_size": "12"}
    assert first.actor_label.startswith("till")


def test_a_forecast_says_why_it_is_so_in_parts_that_add_up(program: Program, tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        run = make_row(ForecastRun, is_replay=False, is_complete=True, parts=["trend", "mailer"], explained_days=14,
                       days=0, weeks=0)
        make_row(SeriesForecast, run=run, reasons=[20.0, -6.5, 12.0], similar_items=1234)
        make_row(SeriesForecast, run=run)
    found = program.get("forecasts/").json()["results"]
    told, untold = sorted(found, key=lambda each: each["why"] is None)
    why = told["why"]
    assert (why["starts_on"], why["days"]) == (run.as_of.isoformat(), 14)
    assert (why["usual"], why["parts"], why["total"]) == (20, {"trend": -6.5, "mailer": 12}, 25.5)
    assert untold["why"] is None
    assert (told["similar_items"], untold["similar_items"], untold["basis"]) == (1234, None, "")
    assert told["basis"] == "New item: forecast from 1,234 similar items, so it may be far off."


def test_a_method_that_is_not_offered_is_no_lack_of_permission(program: Program) -> None:
    assert program.client.delete("/api/v1/items/").status_code == 405


def test_a_tenants_requests_are_limited_and_it_is_told_when_to_come_back() -> None:
    small = Program(make_tenant_row(limits={"requests_per_minute": 3}), Permission.READ)
    assert [small.get("items/").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = small.get("items/")
    assert 0 < int(refused["Retry-After"]) <= 60
    assert Program(make_tenant_row(), Permission.READ).get("items/").status_code == 200, "others are not held up"


def test_the_last_use_of_a_key_is_noted(program: Program) -> None:
    program.get("items/")
    used = ApiKey.objects.get(pk=program.key.pk).last_used_at
    assert used is not None
    assert dt.datetime.now(tz=dt.UTC) - used < dt.timedelta(minutes=1)


def test_the_document_names_every_resource_and_the_docs_page_runs_no_inline_script(client: Client) -> None:
    document = client.get("/api/schema/", headers={"Accept": "application/json"})
    assert document.status_code == 200
    described = document.content.decode()
    assert all(f"/api/v1/{resource}/" in described for resource in RESOURCES)
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert "'unsafe-inline'" not in page["Content-Security-Policy"].split("script-src")[1].split(";")[0]
    assert "http://cdn" not in page.content.decode() and "https://cdn" not in page.content.decode()


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_list_asks_the_database_the_same_however_many_rows_there_are(
        resource: str, program: Program, tenant: Tenant, django_assert_max_num_queries: Callable[..., Any]) -> None:
    with django_assert_max_num_queries(15):
        assert program.get(f"{resource}/").status_code == 200


class TestBulk:
    ROWS = [{"order_id": "A1", "sku": "soap", "title": "Soap", "occurred_at": "2017-12-01T10:00:00-05:00",
             "quantity": 2, "shelf_price": "3.50", "customer": "jane@example.test"},
            {"order_id": "A1", "sku": "rope", "title": "Rope", "occurred_at": "2017-12-01T10:00:00-05:00",
             "quantity": "two", "shelf_price": "9"}]

    def send(self, program: Program, rows: Any, key: str = "batch-1") -> Any:
        return program.client.post("/api/v1/sale-lines/", {"rows": rows}, content_type="application/json",
                                   headers={"Idempotency-Key": key})

    def test_a_batch_is_accepted_whole_read_by_a_job_and_every_row_accounted_for(
            self, program: Program, tenant: Tenant) -> None:
        accepted = self.send(program, self.ROWS)
        assert accepted.status_code == 202
        with tenant_context(tenant.pk):
            apply_file(file_id=accepted.json()["id"])
        told = program.client.get(accepted["Location"]).json()
        assert (told["rows_read"], told["rows_applied"], told["rows_rejected"]) == (2, 1, 1)
        assert [(issue["row_number"], issue["column"], issue["value"]) for issue in told["issues"]] == [
            (3, "quantity", "two")]
        [line] = program.get("sale-lines/").json()["results"]
        assert (line["order_id"], line["quantity"]) == ("A1", "2.000")
        assert "jane" not in str(program.get("sale-lines/").content)

    def test_the_same_key_answers_as_the_first_time_and_another_body_under_it_is_refused(
            self, program: Program) -> None:
        first, second = self.send(program, self.ROWS), self.send(program, self.ROWS)
        assert second.status_code == 202
        assert second.json()["id"] == first.json()["id"]
        assert self.send(program, self.ROWS[:1]).status_code == 422
        assert self.send(program, self.ROWS, key="batch-2").json()["id"] != first.json()["id"]
        told = self.send(program, self.ROWS, key="k" * 201)
        assert told.status_code == 400 and "at most 200" in told.json()["errors"][0]["message"]

    @pytest.mark.parametrize("rows", [None, [], "x", [1], [{"colour": "red"}], [{"sku": [1]}]])
    def test_what_is_no_batch_says_what_is_wanted(self, program: Program, rows: Any) -> None:
        refused = self.send(program, rows)
        assert refused.status_code == 400
        assert refused.json()["errors"]

    def test_a_key_without_the_permission_brings_nothing_in(self, tenant: Tenant) -> None:
        assert self.send(Program(tenant, Permission.READ), self.ROWS).status_code == 403
