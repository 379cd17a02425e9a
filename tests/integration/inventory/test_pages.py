"""Orders on screen: found, moved on, taken in by parts, printed; by planners, not by viewers or outsiders."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client
from django.utils import timezone

from apps.catalog.models import Supplier
from apps.inventory import services
from apps.inventory.models import PurchaseOrder, PurchaseOrderLine, StockLevel
from apps.tenants.models import AuditEntry, Tenant
from apps.tenants.scope import tenant_context
from tests.integration.inventory.people import page, signed_in
from tests.integration.inventory.shops import MONDAY, Shop, make_shop
from tests.integration.inventory.test_purchase_orders import open_orders, wanted

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    shop = make_shop(4, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        open_orders(wanted(shop, 0), wanted(shop, 1), wanted(shop, 2, supplier=1))
    return shop


def first_order(shop: Shop) -> PurchaseOrder:
    with tenant_context(shop.tenant.pk):
        order: PurchaseOrder = PurchaseOrder.objects.get(number="PO-2017-0001")
        return order


def step(client: Client, shop: Shop, way: str, /, **data: object) -> str:
    order = first_order(shop)
    response = client.post(f"/orders/{order.pk}/{way}/", data)
    assert response.status_code == 302 and response.headers["Location"] == f"/orders/{order.pk}/"
    return first_order(shop).status


def test_orders_are_listed_filtered_and_found(shop: Shop) -> None:
    client = signed_in(shop, "viewer")
    text = page(client, "/orders/")
    assert "PO-2017-0001" in text and "PO-2017-0002" in text and "Alder Foods" in text
    assert "PO-2017-0002" not in page(client, "/orders/?q=alder&status=draft&sort=-money")
    assert "No order fits these filters" in page(client, "/orders/?status=received")
    assert "No orders yet" in page(signed_in(make_shop()), "/orders/")


def test_an_order_goes_its_way_by_its_buttons(shop: Shop) -> None:
    client = signed_in(shop)
    text = page(client, f"/orders/{first_order(shop).pk}/")
    assert "Approve" in text and "Mark as sent" not in text and "Comes in now" not in text
    assert step(client, shop, "approve") == "approved"
    assert step(client, shop, "send") == "sent"
    text = page(client, f"/orders/{first_order(shop).pk}/")
    assert "Comes in now" in text and "Take it all in" in text
    with tenant_context(shop.tenant.pk):
        line, _other = PurchaseOrderLine.objects.filter(order=first_order(shop)).order_by("pk")
    typed = {f"received-{line.pk}": "4", "token": "the form's own"}
    assert step(client, shop, "receive", **typed) == "partly_received"
    assert step(client, shop, "receive", **typed) == "partly_received", "the same form sent twice counts once"
    assert step(client, shop, "receive", **{f"received-{line.pk}": "lots"}) == "partly_received"
    with tenant_context(shop.tenant.pk):
        assert StockLevel.objects.get(item=shop.items[0]).on_hand == 4
    more = {f"received-{line.pk}": "9", "reference": "form of the haulier"}
    asked = client.post(f"/orders/{first_order(shop).pk}/receive/", more)
    assert asked.status_code == 422
    assert "More would come in on PO-2017-0001 than was ordered: Item 0, 13 instead of 6." in asked.content.decode()
    assert 'value="9"' in asked.content.decode() and 'value="form of the haulier"' in asked.content.decode()
    with tenant_context(shop.tenant.pk):
        assert StockLevel.objects.get(item=shop.items[0]).on_hand == 4
    assert step(client, shop, "receive", act="more", **more) == "partly_received"
    text = page(client, f"/orders/{first_order(shop).pk}/")
    assert "More came in than was ordered of Item 0" in text
    assert "form of the haulier" in text and "the form's own" not in text
    assert step(client, shop, "receive", act="whole") == "received"
    with tenant_context(shop.tenant.pk):
        assert [level.on_hand for level in StockLevel.objects.order_by("item_id")] == [13, 6]
    text = page(client, f"/orders/{first_order(shop).pk}/")
    assert "Cancel the order" not in text
    who = AuditEntry.objects.get(tenant=shop.tenant, action="order.sent").actor_label
    assert text.count(f"<br>{who}") == 2, "who approved and who sent it"


def test_an_order_is_dated_by_the_shops_own_clock_and_is_called_ordered_once_it_was_sent(shop: Shop) -> None:
    client, path, this_year = signed_in(shop), f"/orders/{first_order(shop).pk}/", str(timezone.now().year)

    def figure(text: str, label: str) -> str:
        return re.sub(r"<[^>]+>|\s+", " ", text.split(f"<span>{label}</span>")[1].partition('class="stat"')[0])

    text = page(client, path)
    assert "Mon 4 Dec" in figure(text, "Drafted") and "not sent yet" in figure(text, "Drafted")
    assert "Ordered" not in text and "drafted Mon 4 Dec" in page(client, "/orders/")
    assert "Ordered" not in page(client, f"{path}print/") and "Drafted" in page(client, f"{path}print/")
    for number, way in enumerate(("approve", "send", "receive"), 1):
        Tenant.objects.filter(pk=shop.tenant.pk).update(demo_date=MONDAY + dt.timedelta(days=number))
        step(client, shop, way, act="whole")
    text = page(client, path)
    assert "Wed 6 Dec" in figure(text, "Ordered") and "Drafted</span>" not in text
    way = text.split("Its way")[1]
    days = re.findall(r">(\d+ Dec 2017), \d\d:\d\d</time>", way)
    assert days == [f"{day} Dec 2017" for day in (4, 5, 6, 7)] and this_year not in way
    assert "drafted Mon" not in page(client, "/orders/?q=alder")


def test_a_cancelled_order_says_that_it_never_went_out_and_nothing_is_expected(shop: Shop) -> None:
    client = signed_in(shop)
    step(client, shop, "cancel")
    text = page(client, f"/orders/{first_order(shop).pk}/")
    assert "never sent" in text and "nothing more" in text and "its last line" not in text
    paper = page(client, f"/orders/{first_order(shop).pk}/print/")
    assert "Drafted" in paper and "Ordered" not in paper and "Expected by" not in paper


def test_an_order_below_the_suppliers_minimum_says_so_and_asks_before_it_goes_on(shop: Shop) -> None:
    client = signed_in(shop)
    assert "data-confirm=\"This order" not in page(client, f"/orders/{first_order(shop).pk}/")
    with tenant_context(shop.tenant.pk):
        Supplier.objects.filter(pk=shop.suppliers[0].pk).update(minimum_order_value=100,
                                                                simulated=["minimum_order_value"])
    words = "This order is $70.00 below $100.00, the smallest order that Alder Foods takes."
    for way, status in (("approve", "approved"), ("send", "sent")):
        text = page(client, f"/orders/{first_order(shop).pk}/")
        assert text.count(words) == 2 and f'data-confirm="{words}' in text
        assert text.count("badge-purple") == 1, "the minimum is simulated"
        assert step(client, shop, way) == status
        assert "PO-2017-0001 is $70.00 below the smallest order that Alder Foods takes" in page(client, "/orders/")


def test_what_cannot_be_done_is_said_and_an_order_is_cancelled_with_a_reason(shop: Shop) -> None:
    client = signed_in(shop)
    assert step(client, shop, "send") == "draft"
    assert "Only an approved order can be sent" in page(client, f"/orders/{first_order(shop).pk}/")
    assert step(client, shop, "cancel", reason="supplier closed") == "cancelled"
    assert "supplier closed" in page(client, f"/orders/{first_order(shop).pk}/")


def test_a_page_that_is_no_longer_so_approves_changes_and_takes_off_nothing(shop: Shop) -> None:
    client, path = signed_in(shop), f"/orders/{first_order(shop).pk}/"
    with tenant_context(shop.tenant.pk):
        line, other = PurchaseOrderLine.objects.filter(order=first_order(shop)).order_by("pk")
    [seen] = set(re.findall(r'name="seen" value="(\w+)"', page(client, path)))
    assert page(client, path).count(f'name="seen" value="{seen}"') == 3, "the approval, and the box of each line"
    with tenant_context(shop.tenant.pk):
        PurchaseOrderLine.objects.filter(pk=line.pk).update(quantity=720)
    for way, data in (("approve", {}), (f"lines/{line.pk}", {"quantity": "12"}),
                      (f"lines/{other.pk}", {"act": "remove"})):
        assert step(client, shop, way, seen=seen, **data) == "draft"
        text = page(client, path)
        assert text.count("Somebody has changed PO-2017-0001 since you opened it, so nothing was done") == 1, way
        assert ">720</span>" in text and "Item 1" in text
    [seen] = set(re.findall(r'name="seen" value="(\w+)"', text))
    assert step(client, shop, "approve", seen=seen) == "approved"


def test_a_line_of_a_sent_order_is_not_changed_under_a_drafts_address(shop: Shop) -> None:
    client = signed_in(shop)
    with tenant_context(shop.tenant.pk):
        sent = PurchaseOrder.objects.get(number="PO-2017-0002")
        services.approve_order(order_id=sent.pk, actor=None)
        services.mark_sent(order_id=sent.pk, sent_on=MONDAY, actor=None)
        line = PurchaseOrderLine.objects.get(order=sent)
    for data in ({"quantity": "7", "reason": "more"}, {"act": "remove"}):
        assert step(client, shop, f"lines/{line.pk}", **data) == "draft"
        assert "PO-2017-0001 has no such line" in page(client, f"/orders/{first_order(shop).pk}/")
    with tenant_context(shop.tenant.pk):
        assert PurchaseOrderLine.objects.get(order=sent).quantity == 6


def test_what_was_typed_on_a_draft_that_is_approved_meanwhile_is_answered_in_words(shop: Shop) -> None:
    client, path = signed_in(shop), f"/orders/{first_order(shop).pk}/"
    with tenant_context(shop.tenant.pk):
        line, other = PurchaseOrderLine.objects.filter(order=first_order(shop)).order_by("pk")
        services.remove_line(order_id=first_order(shop).pk, line_id=other.pk, reason="", actor=None)
    words = "lots is no quantity: give a whole number."

    def answer(pk: int) -> str:
        response = client.post(f"{path}lines/{pk}/", {"quantity": "lots"})
        assert response.status_code == 422
        return response.content.decode()

    assert answer(line.pk).count(words) == 1, "beside the line"
    assert answer(other.pk).count(words) == 1, "whose line is gone"
    assert step(client, shop, "approve") == "approved"
    assert answer(line.pk).count(words) == 1, "whose boxes are gone"


def test_an_order_is_printed_and_exported(shop: Shop) -> None:
    client, order = signed_in(shop, "viewer"), first_order(shop)
    assert "Purchase order PO-2017-0001" in page(client, f"/orders/{order.pk}/print/")
    rows = page(client, f"/orders/{order.pk}/export/").splitlines()
    assert len(rows) == 3 and rows[1].startswith("PO-2017-0001,Alder Foods,sku-0,")


def test_an_order_nobody_sent_is_expected_on_one_day_wherever_it_stands(shop: Shop) -> None:
    later = MONDAY + dt.timedelta(days=3)
    Tenant.objects.filter(pk=shop.tenant.pk).update(demo_date=later)
    client, order = signed_in(shop), first_order(shop)
    paths = ("/orders/?q=alder", f"/orders/{order.pk}/", f"/orders/{order.pk}/print/", f"/items/{shop.items[0].pk}/")
    for path in paths:
        text = page(client, path)
        assert "12 Dec" in text and "9 Dec" not in text, path  # five days after the day on which it could be sent
    step(client, shop, "approve"), step(client, shop, "send")
    Tenant.objects.filter(pk=shop.tenant.pk).update(demo_date=later + dt.timedelta(days=7))
    for path in paths:
        text = page(client, path)
        assert "12 Dec" in text and "19 Dec" not in text, f"{path}: the supplier has it, and is late"


def test_a_viewer_sees_no_button_and_every_change_is_refused(shop: Shop) -> None:
    client, order = signed_in(shop, "viewer"), first_order(shop)
    text = page(client, f"/orders/{order.pk}/")
    assert "Item 0" in text and "Cancel the order" not in text and "/approve/" not in text
    for act in ("approve", "send", "receive", "cancel"):
        assert client.post(f"/orders/{order.pk}/{act}/").status_code == 403
    assert first_order(shop).status == "draft"


def test_an_outsider_finds_no_order_and_changes_none(shop: Shop) -> None:
    client, order = signed_in(make_shop(), "owner"), first_order(shop)
    for path in ("", "print/", "export/"):
        assert client.get(f"/orders/{order.pk}/{path}").status_code == 404
    for act in ("approve", "send", "cancel"):
        assert client.post(f"/orders/{order.pk}/{act}/").status_code == 404
    assert client.post(f"/orders/{order.pk}/receive/", {"act": "whole"}).status_code == 404
    assert first_order(shop).status == "draft"


def test_an_order_of_many_lines_asks_no_more_than_a_short_one() -> None:
    shop = make_shop(60, demo_date=MONDAY)
    with tenant_context(shop.tenant.pk):
        [order_id] = set(open_orders(*[wanted(shop, place) for place in range(60)]).values())
        services.approve_order(order_id=order_id, actor=None)
        services.mark_sent(order_id=order_id, sent_on=MONDAY, actor=None)
        services.receive_rest(order_id=order_id, received_on=MONDAY, reference="van", actor=None)
    client = signed_in(shop)
    for path in (f"/orders/{order_id}/", f"/orders/{order_id}/print/", f"/orders/{order_id}/export/"):
        assert "Item 59" in page(client, path)
