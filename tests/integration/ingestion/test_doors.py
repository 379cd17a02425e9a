"""The doors: jobs that apply a file once, pages that say what came of it, deliveries that must be signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import socket
import time
from io import BytesIO, StringIO
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from django.conf import settings as django_settings
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from hypothesis import HealthCheck, given, settings

from apps.catalog.models import Item
from apps.catalog.services import make_channel
from apps.ingestion import pipeline, selectors, services
from apps.ingestion.models import Connection, Delivery, ImportFile
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.running import GiveUp, LeaseLost, Running
from apps.jobs.worker import run
from apps.sales.models import SaleLine
from apps.tenants.models import Membership, Role, Tenant
from apps.tenants.scope import tenant_context
from tests.integration.ingestion.shops import ORDERS, counts, make_shop, sold, store, take
from tests.rows import make_user
from tests.unit.ingestion.test_shopify import BODY, bodies, json_values

MOST_QUERIES = 15
SECRET = "a signing secret of the shop"


def signed_in(tenant: Tenant, role: str = Role.OWNER) -> Client:
    user = make_user()
    Membership.objects.create(tenant=tenant, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


def claimed(kind_queue: str = "light") -> Running:
    running = jobs.claim(queue=kind_queue, worker="test")
    assert running is not None
    return running


# --- Files and jobs -----------------------------------------------------------------------------------------------

@pytest.fixture
def tenant(transactional_db: None) -> Tenant:
    return make_shop()


def confirmed(tenant: Tenant, text: str) -> ImportFile:
    with tenant_context(tenant.pk):
        return services.confirm_file(file=store(text), actor=None)


def test_a_confirmed_file_is_read_by_a_job_that_starts_the_planning(tenant: Tenant) -> None:
    file = confirmed(tenant, ORDERS + "1,1,2025-01-05,A,2,3,\n")
    result = pipeline.apply_file(claimed())
    assert (result["rows_read"], result["applied"]) == (1, 1)
    with tenant_context(tenant.pk):
        assert selectors.file_by_id(file.pk).state == "applied"  # type: ignore[union-attr]
        assert sold() == {("A", "2025-01-05"): 2}
        assert Job.objects.filter(tenant=tenant, kind="sales.refresh", state="queued").count() == 1


def test_nothing_is_planned_before_the_first_sale(tenant: Tenant) -> None:
    """Else the first file, of suppliers, would lead to an alert that a forecast failed for want of sales."""
    with tenant_context(tenant.pk):
        services.confirm_file(file=store("supplier,sku,lead_time_days\nAlder,A,6\n", "suppliers"), actor=None)
    pipeline.apply_file(claimed())
    assert list(Job.objects.filter(tenant=tenant, state="queued").values_list("kind", flat=True)) == ["portal.refresh"]


def test_a_killed_worker_and_its_follower_apply_once(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    confirmed(tenant, ORDERS + "1,1,2025-01-05,A,2,3,\n")
    first = claimed()

    class Killed(BaseException):
        """As a worker dies: in the middle of its transaction."""

    def die(self: Running) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(Running, "hold", die)
        with pytest.raises(Killed):
            pipeline.apply_file(first)
    with tenant_context(tenant.pk):
        assert SaleLine.objects.count() == 0
    Job.objects.filter(pk=first.job_id).update(lease_until="2000-01-01T00:00Z")
    jobs.sweep()
    second = claimed()
    pipeline.apply_file(second)
    jobs.finish(running=second, result=None)
    with pytest.raises(LeaseLost):  # the first was only slow: it may not write any more
        pipeline.apply_file(first)
    with tenant_context(tenant.pk):
        assert SaleLine.objects.count() == 1


@pytest.mark.parametrize("ending", ["cancelled while it waits", "cancelled while it is read", "its worker goes away",
                                    "it fails for good"])
def test_a_file_whose_reading_ends_undone_says_why_and_is_read_when_confirmed_again(
        tenant: Tenant, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = confirmed(tenant, ORDERS + "1,1,2025-01-05,A,2,3,\n")
    head = Job.objects.get(kind="ingestion.apply_file")
    if ending == "cancelled while it waits":
        with tenant_context(tenant.pk):
            jobs.cancel(job=head, actor=None, label="Olivia")
    else:
        Job.objects.update(max_attempts=1)

        def cancel() -> None:
            with tenant_context(tenant.pk):
                jobs.cancel(job=head, actor=None, label="Olivia")
            connection.close()

        really_hold = Running.hold

        def interrupted(self: Running) -> None:
            if ending == "it fails for good":
                raise OSError("the disk is full")
            person = Thread(target=cancel)
            person.start()
            person.join()
            really_hold(self)

        running = claimed()
        if ending == "its worker goes away":
            with tenant_context(tenant.pk):
                services.note_state(file_id=file.pk, state="applying", job_id=head.pk)
            cancel()
            Job.objects.update(lease_until="2000-01-01T00:00Z")
            jobs.sweep()
        else:
            with monkeypatch.context() as interrupting:
                # the last moment: everything is written, and nothing is committed
                interrupting.setattr(Running, "hold", interrupted)
                run(running)
    reason = "the disk is full" if ending == "it fails for good" else "Olivia asked for it to stop."
    client = signed_in(tenant)
    shown = page(client, f"/data/imports/{file.pk}/")
    assert reason in shown and "changed nothing" in shown and "Read the file" in shown
    with tenant_context(tenant.pk):
        assert SaleLine.objects.count() == 0
        file.refresh_from_db()
        assert file.state == "stored"
        again = services.confirm_file(file=file, actor=None)
        assert (again.state, again.error) == ("queued", "")
    run(claimed())
    with tenant_context(tenant.pk):
        assert sold() == {("A", "2025-01-05"): 2}
        file.refresh_from_db()
        assert file.state == "applied"


def test_a_file_does_not_wait_for_a_job_that_is_over_and_is_no_other_kind_while_it_waits(tenant: Tenant) -> None:
    file = confirmed(tenant, ORDERS + "1,1,2025-01-05,A,2,3,\n")
    with tenant_context(tenant.pk):
        assert services.change_kind(file=file, kind="items").kind == "orders"
        assert services.confirm_file(file=file, actor=None).job_id == file.job_id
        with CaptureQueriesContext(connection) as asked:
            services.confirm_file(file=file, actor=None)
        assert not any("FOR UPDATE" in each["sql"] for each in asked), "whoever reads it holds it until the end"
    Job.objects.update(state="failed")  # as by whatever ended it without a word to the file
    assert "Read the file" in page(signed_in(tenant), f"/data/imports/{file.pk}/")
    with tenant_context(tenant.pk):
        assert services.confirm_file(file=file, actor=None).job_id != file.job_id
    run(claimed())
    with tenant_context(tenant.pk):
        assert SaleLine.objects.count() == 1


def test_what_tells_lines_apart_does_not_change_once_a_file_was_read(tenant: Tenant) -> None:
    text = "order,receipt,line,code,sku,date,quantity,price,was\n1,8,1,X,A,2025-01-05,2,3,4\n"
    as_read = {"order_id": "order", "line_id": "line", "sku": "sku"}
    with tenant_context(tenant.pk):
        file, twin = take(text, mapping=as_read), store(text, mapping={**as_read, "order_id": "receipt"})
        for other in ({"order_id": "receipt"}, {"order_id": ""}, {"line_id": ""}, {"sku": "code"}):
            with pytest.raises(services.FileRefused, match=r"count its sales twice.*Order: order, Line"):
                services.confirm_file(file=file, actor=None, mapping=other)
        with pytest.raises(services.FileRefused, match="count its sales twice"):
            services.confirm_file(file=twin, actor=None)
        services.change_kind(file=services.change_kind(file=file, kind="items"), kind="orders")
        with pytest.raises(services.FileRefused, match="count its sales twice"):
            services.confirm_file(file=file, actor=None, mapping={**as_read, "order_id": "receipt"})
        services.confirm_file(file=file, actor=None, mapping={**as_read, "shelf_price": "was"})
    run(claimed())
    with tenant_context(tenant.pk):
        assert sold() == {("A", "2025-01-05"): 2}
        nameless = take("date,sku,units\n03/04/2025,A,1\n", None, options={"dates": "mdy"})
        with pytest.raises(services.FileRefused, match="count its sales twice"):
            services.confirm_file(file=nameless, actor=None, options={"dates": "dmy"})
        unread = take("date,sku,units\n03/04/2025,A,x\n", None, options={"dates": "mdy"})
        services.confirm_file(file=unread, actor=None, options={"dates": "dmy"})


def test_a_file_that_cannot_be_read_is_given_up_with_its_sentence(tenant: Tenant) -> None:
    file = confirmed(tenant, ORDERS + "1,1,2025-01-05,A,2,3," + "3" * 4_000_000)
    with pytest.raises(GiveUp, match="megabyte"):
        pipeline.apply_file(claimed())
    with tenant_context(tenant.pk):
        found = ImportFile.objects.get(pk=file.pk)
        assert (found.state, "megabyte" in found.error) == ("refused", True)
        assert SaleLine.objects.count() == 0


def test_files_lie_under_their_tenant(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        file = store(ORDERS + "1,1,2025-01-05,A,2,3,\n", name="../../Orders of März.csv")
    assert file.path.startswith(f"tenants/{tenant.pk}/imports/{file.sha256}-")
    assert ".." not in file.path


def test_the_shell_command_says_what_came_of_every_row(tenant: Tenant, tmp_path: Any) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("Beleg,date,sku,qty\n1,2025-01-05,A,1\n2,2025-01-05,A,x\n")
    said = StringIO()
    call_command("import_csv", str(path), "--tenant", tenant.slug, "--kind", "orders", "--map", "order_id=Beleg",
                 "--fold-locations", "main", stdout=said)
    words = said.getvalue()
    assert "2 rows read" in words
    assert "1 applied" in words
    assert "1 rejected: This is not a number" in words
    for arguments, complaint in ((["--tenant", "nobody"], "no tenant"),
                                 (["--tenant", tenant.slug, "--map", "sku="], "missing")):
        with pytest.raises(CommandError, match=complaint):
            call_command("import_csv", str(path), "--kind", "orders", *arguments, stdout=StringIO())


# --- Pages --------------------------------------------------------------------------------------------------------

def page(client: Client, path: str, status: int = 200) -> str:
    with CaptureQueriesContext(connection) as asked:
        response = client.get(path)
        body = b"".join(response) if response.streaming else response.content
    statements = [query["sql"] for query in asked if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert response.status_code == status, (response.status_code, path)
    assert len(statements) <= MOST_QUERIES, "\n".join(statements)
    return body.decode()


def test_every_page_stands_with_nothing_and_with_something(tenant: Tenant) -> None:
    client = signed_in(tenant)
    assert "Nothing has come in yet" in page(client, "/data/")
    assert "No file has come in yet" in page(client, "/data/imports/")
    assert "No shop is connected" in page(client, "/data/connections/")
    Tenant.objects.filter(pk=tenant.pk).update(demo_date="2025-01-09")
    with tenant_context(tenant.pk):
        file = take(ORDERS + "1,1,2025-01-05,A,2,3,\n2,1,2025-01-08,A,x,3,\n3,1,2025-01-08,A,0,3,\n"
                             "4,1,2025-01-08,A,1,3,\n")
        titled = take("order,date,sku,qty,title\n5,2025-01-05,A,1,Apple\n5,2025-01-05,,1,apple\n")
        services.connect_shopify(name="Shop", shop_domain="shop.myshopify.com", secret=SECRET, actor=None)
    health = page(client, "/data/")
    assert "This is not a number" in health
    assert "Quantity of zero" in health
    for shown in (health, page(client, f"/data/imports/{titled.pk}/")):
        assert "counted for the item of the same title" in shown
    assert "Tue 7 Jan" in health  # a gap between two days with sales
    assert "Lead time" in health
    assert "file.csv" in page(client, "/data/imports/")
    shown = page(client, f"/data/imports/{file.pk}/")
    assert "Download the rejected rows" in shown
    assert "x" in page(client, f"/data/imports/{file.pk}/?rule=number")
    rows = page(client, f"/data/imports/{file.pk}/rows/")
    assert "2,1,2025-01-08,A,x,3," in rows
    assert client.post(f"/data/imports/{file.pk}/set-aside/", follow=True).status_code == 200
    assert "it waits no more" in page(client, f"/data/imports/{file.pk}/")
    assert "shop.myshopify.com" in page(client, "/data/connections/")
    page(client, "/data/imports/999999/", 404)


def test_the_page_that_maps_columns_names_those_that_nothing_uses(tenant: Tenant) -> None:
    client = signed_in(tenant)
    with tenant_context(tenant.pk):
        file = store("Artikelnummer;Bezeichnung;Lieferant;VK-Preis;Farbe\nA;Apfel;Hof;1,50;rot\n", None)
        read = store(ORDERS + "1,1,2025-01-05,A,2,3,\n")
        mended = store("import row,import file,sku,title\n2,999,A,Apple\n", None)
    shown = page(client, f"/data/imports/{file.pk}/")
    assert '<p id="unused">Not used: <b>Lieferant</b>, <b>Farbe</b></p>' in shown
    assert "To use Lieferant too, send this file once more as one of suppliers and terms." in shown
    assert "Not used:" not in page(client, f"/data/imports/{read.pk}/") + page(client, f"/data/imports/{mended.pk}/")


@pytest.mark.parametrize(("kind", "text"), [
    ("promotions", "sku,from,to\nA,2025-01-13,2025-01-20\nB,soon,2025-01-20\nC,2025-01-13,later\n"),
    ("orders", "order,date,sku,qty\n1,2025-01-05,A,1\n,2025-01-05,A,1\n2,2025-01-05,A,x\n")])
def test_the_page_of_a_file_says_how_each_rejected_row_is_mended(tenant: Tenant, kind: str, text: str) -> None:
    client = signed_in(tenant, Role.PLANNER)
    with tenant_context(tenant.pk):
        file = take(text, kind)
    path = f"/data/imports/{file.pk}/"
    shown = page(client, path)
    assert "each row that it names then waits no more" in shown and "Upload the mended rows" in shown
    assert "1 of them says nothing by which it could be known again" in shown
    head, *rows = page(client, f"{path}rows/").removeprefix("\ufeff").splitlines()
    for wrong, right in (("soon", "2025-01-13"), ("later", "2025-01-20"), ("#1,,", "#1,9,"), (",A,x", ",A,1")):
        rows = [row.replace(wrong, right) for row in rows]
    mended = SimpleUploadedFile("mended.csv", "\n".join([head, *rows]).encode())
    sent = client.post("/data/imports/", {"file": mended, "kind": ""})
    with tenant_context(tenant.pk):
        again = services.apply_file(file_id=int(sent["Location"].split("/")[-2]))
        assert (again.kind, counts(again)) == (kind, (2, 2, 0, 0, 0))
    shown = page(client, path)
    assert "2 of them came again or were set aside" in shown and "Upload the mended rows" not in shown


def test_every_page_counts_the_rows_to_mend_alike(tenant: Tenant) -> None:
    client = signed_in(tenant)
    with tenant_context(tenant.pk):
        file = take("order,date,sku,qty\n1,2025-01-05,A,x\n2,2025-01-05,A,y\n3,2025-01-05,A,z\n4,never,A,1\n")
        take("order,date,sku,qty\n2,2025-01-05,A,1\n4,2025-01-05,A,1\n")
        items = take("sku,title,price\nA,Apple,dear\n", "items")
        file.refresh_from_db()
        assert (file.rows_rejected, file.rows_waiting, items.rows_waiting) == (4, 2, 1)
        assert selectors.waiting_by_rule(file) == {"number": 2}
        numbers, dates = selectors.rejected_counts(selectors.counts_by_kind())
        assert (numbers.rule.code, numbers.count, numbers.waiting) == ("number", 4, 3)
        assert (dates.rule.code, dates.count, dates.waiting) == ("moment", 1, 0)
    health, of_file, files = (page(client, path) for path in (
        "/data/", f"/data/imports/{file.pk}/", "/data/imports/"))
    assert re.search(r"Rejected rows to mend.*?>3<", health, re.DOTALL)
    assert re.findall(r'data-label="Waiting">(\d+)<', health) == ["1", "2"]  # of items, of order lines
    assert "3 of them wait to be mended." in health and "None of them waits any more." in health
    assert "2 of them wait to be mended." in of_file and "None of them waits any more." in of_file
    assert of_file.count("waits no more</span>") == 2
    assert "2 to mend" in files and files.count("to mend") == 1
    lines = page(client, f"/data/imports/{file.pk}/rows/").splitlines()
    assert len(lines) == 1 + 2


def test_a_person_uploads_confirms_and_watches(tenant: Tenant) -> None:
    client = signed_in(tenant, Role.PLANNER)
    text = ("Beleg;date;sku;Menge;price\n" + "".join(f"{n};03/04/2025;A;1;1,50\n" for n in range(5))).encode()
    sent = client.post("/data/imports/", {"file": SimpleUploadedFile("a.csv", text), "kind": "orders"})
    assert sent.status_code == 302
    path = sent["Location"]
    shown = page(client, path)
    assert "could be read in two ways" in shown
    form = {"kind": "orders", "column_order_id": "", "column_occurred_at": "date", "column_sku": "sku",
            "column_quantity": "Menge", "column_shelf_price": "price", "numbers": "comma", "dates": "dmy",
            "unknown_items": "make", "fold_locations": ""}
    refused = client.post(path, {**form, "column_quantity": ""})
    assert refused.status_code == 422
    assert "missing" in refused.content.decode()
    assert "each row is an order of its own" in shown
    assert client.post(path, {**form, "column_order_id": "Beleg"}).status_code == 302
    waiting = page(client, path)
    assert "/progress/" in waiting
    pipeline.apply_file(claimed())
    assert "Rows read" in page(client, path)
    with tenant_context(tenant.pk):
        assert sold() == {("A", "2025-04-03"): 5}


def test_a_file_that_may_hold_anything_is_asked_about_and_not_guessed(tenant: Tenant) -> None:
    client = signed_in(tenant, Role.PLANNER)
    upload = SimpleUploadedFile("fehlt.csv", b"SKU;Menge\nA;3\nB;4\n")
    sent = client.post("/data/imports/", {"file": upload, "kind": ""})
    path = sent["Location"]
    shown = page(client, path)
    assert "What does it hold?" in shown
    assert '<option value="" selected>' in shown
    assert "not known yet" in page(client, "/data/imports/")
    assert client.post(path, {"kind": ""}).status_code == 422
    with tenant_context(tenant.pk), pytest.raises(services.FileRefused, match="SKU, Menge"):
        services.confirm_file(file=ImportFile.objects.get(), actor=None)
    assert client.post(path, {"kind": "stock"}).status_code == 302
    assert "What its columns mean" in page(client, path)
    with tenant_context(tenant.pk):
        assert ImportFile.objects.get().mapping == {"sku": "SKU", "on_hand": "Menge"}


def test_viewers_look_and_change_nothing(tenant: Tenant) -> None:
    client = signed_in(tenant, Role.VIEWER)
    with tenant_context(tenant.pk):
        file = store(ORDERS + "1,1,2025-01-05,A,2,3,\n")
        known, _secret = services.connect_shopify(name="S", shop_domain="s.example.test", secret=SECRET, actor=None)
    assert "Send it" not in page(client, "/data/imports/")
    assert "Read the file" not in page(client, f"/data/imports/{file.pk}/")
    for path in ("/data/imports/", f"/data/imports/{file.pk}/", "/data/connections/",
                 f"/data/connections/{known.pk}/disconnect/"):
        assert client.post(path).status_code == 403


def test_another_tenants_files_are_not_there(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        file = take(ORDERS + "1,1,2025-01-05,A,x,3,\n")
    outsider = signed_in(make_shop())
    for path in (f"/data/imports/{file.pk}/", f"/data/imports/{file.pk}/rows/"):
        assert outsider.get(path).status_code == 404
    assert "file.csv" not in page(outsider, "/data/imports/")


def test_a_secret_is_shown_once_and_never_kept_in_the_open(tenant: Tenant) -> None:
    client = signed_in(tenant)
    made = client.post("/data/connections/", {"name": "Shop", "shop_domain": "https://Shop.myshopify.com/"})
    text = made.content.decode()
    assert f"/hooks/shopify/{tenant.slug}/" in text
    secret = text.split('id="hook-secret">')[1].split("<")[0]
    assert secret not in page(client, "/data/connections/")
    with tenant_context(tenant.pk):
        kept = Connection.objects.get()
        assert (secret in kept.secret, kept.shop_domain) == (False, "shop.myshopify.com")
        body = b"{}"
        signature = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
        assert services.signed_by(body=body, signature=signature, shop_domain="") == kept


# --- The live door ------------------------------------------------------------------------------------------------

@pytest.fixture
def connected(tenant: Tenant) -> Tenant:
    with tenant_context(tenant.pk):
        services.connect_shopify(name="Shop", shop_domain="shop.myshopify.com", secret=SECRET, actor=None)
    return tenant


def test_a_shop_that_was_never_connected_cannot_be_disconnected(tenant: Tenant) -> None:
    assert signed_in(tenant).post("/data/connections/1000000/disconnect/").status_code == 404


def send(tenant_slug: str, body: Any, *, delivery: str = "d-1", topic: str = "orders/create", secret: str = SECRET,
         **headers: str) -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = base64.b64encode(hmac.digest(secret.encode(), raw, hashlib.sha256)).decode()
    return Client().post(f"/hooks/shopify/{tenant_slug}/", raw, content_type="application/json", headers={
        "X-Shopify-Hmac-Sha256": signature, "X-Shopify-Topic": topic, "X-Shopify-Webhook-Id": delivery,
        "X-Shopify-Shop-Domain": "shop.myshopify.com", **headers}).status_code


def test_a_broker_that_takes_connections_and_says_nothing_holds_no_door(
        connected: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(connected)
    with tenant_context(connected.pk):
        file = store(ORDERS + "1,1,2025-01-05,A,2,3,\n")
    form = {"kind": "orders", **{f"column_{name}": name for name in ORDERS.strip().split(",")}, "numbers": "point",
            "dates": "mdy", "unknown_items": "make", "fold_locations": ""}
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        broker = Celery(broker=address, set_as_current=False)
        broker.conf.broker_transport_options = django_settings.CELERY_BROKER_TRANSPORT_OPTIONS
        monkeypatch.setattr(jobs, "current_app", broker)
        with override_settings(CACHES={"default": {**django_settings.CACHES["default"], "LOCATION": address}}):
            began = time.monotonic()
            assert send(connected.slug, BODY) == 200
            assert send(connected.slug, BODY, delivery="d-2") == 200
            assert client.post(f"/data/imports/{file.pk}/", form).status_code == 302
            assert time.monotonic() - began < 6, "two waits of a second, for all three; the rest is work"
    assert jobs.sweep()["queues_rung"] == 1
    assert Job.objects.filter(state="queued").count() == 3


def work() -> None:
    while (running := jobs.claim(queue="light", worker="test")) is not None:
        if running.kind == "ingestion.apply_delivery":
            pipeline.apply_delivery(running)
        jobs.finish(running=running, result=None)


def test_a_signed_order_is_kept_before_the_answer_and_applied_by_a_job(connected: Tenant) -> None:
    assert send(connected.slug, BODY) == 200
    with tenant_context(connected.pk):
        kept = Delivery.objects.get()
        assert (kept.state, json.loads(bytes(kept.body))) == ("pending", BODY)
        assert sold() == {}
    work()
    with tenant_context(connected.pk):
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.outcome) == (
            "applied", {"lines": 3, "applied": 2, "unchanged": 0, "set_aside": {"gift_card": 1}, "rejected": {},
                        "items": [Item.objects.get(sku="A-1").pk]})
        assert sold() == {("A-1", "2026-01-05"): 3}
        assert set(SaleLine.objects.values_list("customer", flat=True)) != {""}


def test_a_replay_is_answered_and_changes_nothing(connected: Tenant) -> None:
    assert [send(connected.slug, BODY), send(connected.slug, BODY), send(connected.slug, BODY, delivery="d-2")] == [
        200, 200, 200]
    work()
    with tenant_context(connected.pk):
        assert sold() == {("A-1", "2026-01-05"): 3}
        found = selectors.delivery_counts()
        assert (found.accepted, found.applied, found.duplicate, found.rejected, found.pending) == (3, 1, 2, 0, 0)


def test_deliveries_out_of_order_end_in_the_newest_state(connected: Tenant) -> None:
    newer = {**BODY, "updated_at": "2026-01-06T10:00:00-05:00",
             "line_items": [{**BODY["line_items"][0], "current_quantity": 1}, *BODY["line_items"][1:]]}
    cancelled = {**newer, "updated_at": "2026-01-07T10:00:00-05:00", "cancelled_at": "2026-01-07T10:00:00-05:00"}
    send(connected.slug, newer, delivery="d-2", topic="orders/updated")
    work()
    send(connected.slug, BODY, delivery="d-1")
    work()
    with tenant_context(connected.pk):
        assert sold() == {("A-1", "2026-01-05"): 2}
    send(connected.slug, cancelled, delivery="d-3", topic="orders/updated")
    work()
    send(connected.slug, newer, delivery="d-4", topic="orders/updated")
    work()
    with tenant_context(connected.pk):
        assert sold() == {}


def test_a_file_of_history_and_live_deliveries_are_one_ledger(connected: Tenant) -> None:
    send(connected.slug, BODY)
    work()
    with tenant_context(connected.pk):
        file = take("Name,Email,Financial Status,Currency,Created at,Lineitem quantity,Lineitem name,Lineitem price,"
                    "Lineitem sku,Lineitem discount\n"
                    "#1001,Ann@example.test,paid,USD,2026-01-05 10:00:00 -0500,2,Apple,5.00,A-1,0.90\n"
                    "#1001,Ann@example.test,,,2026-01-05 10:00:00 -0500,1,Apple,5.00,A-1,0.00\n", None)
        assert counts(file) == (2, 0, 2, 0, 0)
        assert sold() == {("A-1", "2026-01-05"): 3}


def test_a_title_that_two_items_have_makes_no_third_of_a_delivered_line_without_a_sku(connected: Tenant) -> None:
    with tenant_context(connected.pk):
        take("sku,title\nA-1,Apple\nA-2,apple\n", "items")
    nameless = {**BODY["line_items"][0], "sku": None, "name": "Apple"}
    send(connected.slug, {**BODY, "line_items": [nameless]})
    named = {**nameless, "sku": "A-1"}
    send(connected.slug, {**BODY, "name": "#1002", "line_items": [nameless, named]}, delivery="d-2")
    work()
    with tenant_context(connected.pk):
        assert Item.objects.count() == 2
        assert sold() == {("A-1", "2026-01-05"): 2}
        told = "1 line has no SKU, and several items have its title: give it its SKU in the shop."
        assert list(Delivery.objects.order_by("pk").values_list("state", "outcome__rejected__two_titles", "error")) == [
            ("rejected", 1, told), ("applied", 1, told)]


def test_a_delivery_with_refused_lines_is_read_anew_when_it_comes_again(connected: Tenant) -> None:
    with tenant_context(connected.pk):
        take("sku,title\nA-1,Apple\nA-2,apple\n", "items")
    nameless = {**BODY["line_items"][0], "sku": None, "name": "Apple"}
    body = {**BODY, "line_items": [nameless, {**nameless, "id": 99, "sku": "A-1"}]}
    seen = []
    for title in ("Apple", "apple", "Pear"):
        with tenant_context(connected.pk):
            Item.objects.filter(sku="A-2").update(title=title)
        assert send(connected.slug, body) == 200
        work()
        with tenant_context(connected.pk):
            delivery = Delivery.objects.get()
            outcome = delivery.outcome
            seen.append((delivery.state, outcome["applied"], outcome["unchanged"], outcome["rejected"]))
    assert seen == [("applied", 1, 0, {"two_titles": 1}), ("applied", 0, 1, {"two_titles": 1}), ("applied", 1, 1, {})]
    assert (delivery.error, delivery.times_received) == ("", 3)
    with tenant_context(connected.pk):
        assert sold() == {("A-1", "2026-01-05"): 4}


def test_a_delivery_that_makes_a_day_more_than_can_be_true_is_rejected_with_the_reason(connected: Tenant) -> None:
    with tenant_context(connected.pk):
        take("order,date,sku,qty\n" + "".join(f"{n},2026-01-05,A-1,1000000000\n" for n in range(99)))
    send(connected.slug, {**BODY, "line_items": [{**BODY["line_items"][0], "quantity": 10**9,
                                                  "current_quantity": 10**9}]})
    work()
    with tenant_context(connected.pk):
        delivery = Delivery.objects.get()
        assert (delivery.state, "on 5 Jan 2026 add up to more than can be true" in delivery.error) == ("rejected", True)
        assert sold() == {("A-1", "2026-01-05"): 99e9}


def test_a_file_and_a_delivery_that_meet_make_one_item_of_one_sku(connected: Tenant) -> None:
    send(connected.slug, BODY)

    def deliver() -> None:
        work()
        connection.close()

    delivering = Thread(target=deliver)
    with tenant_context(connected.pk):
        take(ORDERS + "1,1,2026-01-05,A-1,2,3,\n")
        delivering.start()
        with connection.cursor() as cursor:  # nobody waits for what is not committed yet, but for whoever makes items
            waits = False
            while delivering.is_alive() and not waits:
                cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
                [waits] = cursor.fetchone()
    delivering.join()
    with tenant_context(connected.pk):
        assert sold() == {("A-1", "2026-01-05"): 5}
        assert Item.objects.count() == 1


@pytest.mark.parametrize("secret", ["another secret", ""])
def test_a_wrong_signature_is_refused_and_nothing_is_kept(connected: Tenant, secret: str) -> None:
    assert send(connected.slug, BODY, secret=secret) == 401
    with tenant_context(connected.pk):
        assert Delivery.objects.count() == 0


def test_what_is_unknown_too_large_or_closed_is_refused(connected: Tenant) -> None:
    assert send("no-such-shop", BODY) == 401, "as for a wrong signature: nobody finds out who is a tenant here"
    assert send(connected.slug, b"x" * (2 * 1024 * 1024 + 1)) == 413
    assert Client().get(f"/hooks/shopify/{connected.slug}/").status_code == 405
    with tenant_context(connected.pk):
        services.disconnect(connection_id=Connection.objects.get().pk, actor=None)
    assert send(connected.slug, BODY) == 401
    connected.status = Tenant.Status.SUSPENDED
    connected.save()
    assert send(connected.slug, BODY) == 401


def test_a_delivery_that_names_another_shop_of_the_same_app_is_not_this_ones(connected: Tenant) -> None:
    """Apps sign for all their shops with one secret."""
    assert send(connected.slug, BODY, **{"X-Shopify-Shop-Domain": "stranger.myshopify.com"}) == 401
    with tenant_context(connected.pk):
        assert not Delivery.objects.exists()


def test_a_shop_whose_channel_a_file_made_before_is_heard(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        make_channel(slug="shopify", kind="file")
        services.connect_shopify(name="Shop", shop_domain="shop.myshopify.com", secret=SECRET, actor=None)
    assert send(tenant.slug, BODY) == 200


def test_a_rejected_delivery_that_comes_again_is_tried_again(connected: Tenant) -> None:
    send(connected.slug, BODY)
    with tenant_context(connected.pk):
        services.reject_delivery(delivery_pk=Delivery.objects.get().pk, reason="no room")
    Job.objects.update(state="done")
    assert send(connected.slug, BODY) == 200
    work()
    with tenant_context(connected.pk):
        [delivery] = Delivery.objects.all()
        assert (delivery.state, delivery.error, delivery.times_received) == ("applied", "", 2)


def test_too_many_deliveries_wait_and_the_unsigned_do_not_count(
        connected: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr("apps.ingestion.webhooks.MOST_A_MINUTE", 2)
    monkeypatch.setattr("apps.ingestion.webhooks.time.time", lambda: 1_000_000_030)
    for number in range(5):
        send(connected.slug, BODY, delivery=f"d-{number}", secret="another")
    assert [send(connected.slug, BODY, delivery=f"d-{number}") for number in range(3)] == [200, 200, 429]
    monkeypatch.setattr("apps.ingestion.webhooks.time.time", lambda: 1_000_000_090)
    assert send(connected.slug, BODY, delivery="d-2") == 200
    cache.clear()


def test_a_delivery_whose_job_fails_for_good_is_rejected_with_the_jobs_words(
        connected: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_given: Any) -> None:
        raise RuntimeError("no room on the disk\0")

    monkeypatch.setattr(services, "apply_delivery", broken)
    send(connected.slug, BODY)
    with tenant_context(connected.pk):
        Job.objects.update(max_attempts=1)
    run(claimed())
    with tenant_context(connected.pk):
        [delivery] = Delivery.objects.all()
        assert delivery.state == "rejected" and "no room on the disk" in delivery.error


def test_a_rejected_delivery_can_be_asked_for_again_once_there_is_room(connected: Tenant) -> None:
    Tenant.objects.filter(pk=connected.pk).update(limits={"items": 0})
    send(connected.slug, BODY)
    run(claimed())
    with tenant_context(connected.pk):
        assert "room for 0 items" in Delivery.objects.get(state="rejected").error
        Tenant.objects.filter(pk=connected.pk).update(limits={})
        jobs.retry(job=Job.objects.get(kind="ingestion.apply_delivery"), actor=None)
    run(claimed())
    with tenant_context(connected.pk):
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.error) == ("applied", "")


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies() | json_values)
def test_any_body_is_answered_and_ends_applied_or_rejected_with_its_reason(connected: Tenant, body: Any) -> None:
    assert send(connected.slug, body, delivery=str(uuid4())) == 200
    running = claimed()
    pipeline.apply_delivery(running)
    jobs.finish(running=running, result=None)
    with tenant_context(connected.pk):
        found = selectors.delivery_counts()
        assert found.pending == 0
        assert found.accepted == Delivery.objects.count() == found.applied + found.duplicate + found.rejected
        delivery = Delivery.objects.latest("id")
        assert bool(delivery.error) == (delivery.state == "rejected")


def test_a_body_that_is_no_order_is_rejected_with_its_reason(connected: Tenant) -> None:
    send(connected.slug, b"not json", delivery="d-1")
    send(connected.slug, {"name": "#1"}, delivery="d-2")
    send(connected.slug, BODY, delivery="d-3", topic="products/update")
    work()
    with tenant_context(connected.pk):
        assert [(each.state, bool(each.error)) for each in Delivery.objects.order_by("id")] == [("rejected", True)] * 3
        found = selectors.delivery_counts()
        assert (found.accepted, found.rejected, found.pending) == (3, 3, 0)


def test_one_shops_signature_opens_no_other_shops_door(connected: Tenant) -> None:
    other = make_shop()
    with tenant_context(other.pk):
        services.connect_shopify(name="Other", shop_domain="other.myshopify.com", secret="another one", actor=None)
    assert send(other.slug, BODY) == 401


def test_a_stored_upload_may_be_any_stream(tenant: Tenant) -> None:
    with tenant_context(tenant.pk):
        file = services.store_file(kind="items", name="i.csv", source=BytesIO(b"sku,title\nA,Apple\n"))
        assert services.apply_file(file_id=file.pk).rows_applied == 1


@pytest.mark.parametrize("created_at", ["9999-12-31T23:59:59-11:00", "0001-01-01T00:00:00+10:00",
                                        "2099-01-01T00:00:00+00:00"])
def test_a_date_that_cannot_be_true_is_rejected(connected: Tenant, created_at: str) -> None:
    send(connected.slug, {**BODY, "created_at": created_at, "updated_at": created_at})
    work()
    with tenant_context(connected.pk):
        assert Delivery.objects.get().state == "rejected"


def test_a_body_nested_without_end_is_rejected(connected: Tenant) -> None:
    send(connected.slug, b"[" * 100_000)
    work()
    with tenant_context(connected.pk):
        assert Delivery.objects.get().state == "rejected"


def test_a_part_of_a_file_that_a_full_disk_left_is_not_taken_for_the_file(tenant: Tenant) -> None:
    body = b"sku,title\n" + b"".join(b"A%d,Apple %d\n" % (n, n) for n in range(100))
    with tenant_context(tenant.pk):
        first = services.store_file(kind="items", name="i.csv", source=BytesIO(body))
        default_storage.delete(first.path)
        default_storage.save(first.path, ContentFile(body[:500]))
        again = services.store_file(kind="items", name="i.csv", source=BytesIO(body))
        assert services.apply_file(file_id=again.pk).rows_applied == 100


def test_a_file_without_end_is_refused_while_it_comes_in_and_a_large_one_is_not(tenant: Tenant, settings: Any) -> None:
    class Endless(BytesIO):
        """A file that has no end, and counts what is taken of it."""

        taken = 0

        def read(self, size: int | None = -1) -> bytes:
            self.taken += size or 0
            return b"sku,title\n" * ((size or 0) // 10)

    assert settings.LARGEST_FILE_GB * 2**30 > 300_000_000, "a file of some million lines must pass"
    settings.LARGEST_FILE_GB = 0.003
    source, client = Endless(), signed_in(tenant)
    with tenant_context(tenant.pk), pytest.raises(services.FileRefused, match=r"larger than 0\.003 GB"):
        services.store_file(kind="items", name="i.csv", source=source)
    assert source.taken < 6 * 2**20
    for size, status in ((3_300_000, 422), (4_400_000, 413)):
        sent = client.post("/data/imports/", {"file": SimpleUploadedFile("a.csv", b"a,b\n" * (size // 4)), "kind": ""})
        assert (sent.status_code, "0.003 GB" in sent.content.decode()) == (status, True)
    with tenant_context(tenant.pk):
        assert not ImportFile.objects.exists()


def test_the_same_count_after_another_one_is_news(tenant: Tenant) -> None:
    def count(units: str) -> tuple[ImportFile, bool]:
        return services.receive_batch(kind="stock", columns=["sku", "on_hand"], rows=[{"sku": "A", "on_hand": units}],
                                      key="", label="test")

    with tenant_context(tenant.pk):
        assert [count(units)[1] for units in ("5", "3", "5")] == [True, True, True]
