"""An order's way from decision to shelf: numbered without gaps, moved one step at a time, received once."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.alerts.selectors import open_alerts
from apps.inventory import selectors, services
from apps.inventory.models import PurchaseOrder, PurchaseOrderLine, StockMovement
from apps.inventory.services import ChangedMeanwhile, MoreThanOrdered, NotPossible, ReceivedLine, WantedLine
from apps.tenants.models import AuditEntry
from apps.tenants.scope import tenant_context
from tests.integration.forecasting.selling_shops import run_job
from tests.integration.inventory.shops import (
    MONDAY,
    Shop,
    assert_levels_are_the_sums_of_their_movements,
    counts,
    make_shop,
)

DAY = dt.timedelta(days=1)


def wanted(shop: Shop, place: int, quantity: int = 6, *, recommendation: int = 0, supplier: int = 0) -> WantedLine:
    return WantedLine(recommendation_id=recommendation or 100 + place, item_id=shop.items[place].pk,
                      location_id=shop.location.pk, supplier_id=shop.suppliers[supplier].pk, quantity=quantity,
                      unit_cost=Decimal("2.50"), expected_on=MONDAY + 5 * DAY)


def open_orders(*lines: WantedLine, as_of: dt.date = MONDAY) -> dict[int, int]:
    return services.open_purchase_orders(lines=lines, as_of=as_of, plan_id=1, actor=None, label="a test")


def sent_order(shop: Shop, *lines: WantedLine) -> PurchaseOrder:
    [order_id] = set(open_orders(*lines).values())
    services.approve_order(order_id=order_id, actor=None)
    return services.mark_sent(order_id=order_id, sent_on=MONDAY, actor=None)


def lines_of(order: PurchaseOrder) -> list[PurchaseOrderLine]:
    return list(selectors.order_lines(order.pk, MONDAY))


@pytest.mark.django_db
def test_decided_lines_go_on_one_order_a_supplier_and_a_second_time_adds_nothing() -> None:
    shop = make_shop(4)
    with tenant_context(shop.tenant.pk):
        lines = [wanted(shop, 0), wanted(shop, 1, supplier=1), wanted(shop, 2)]
        placed = open_orders(*lines)
        assert placed[100] == placed[102] != placed[101]
        assert open_orders(*lines) == placed
        assert open_orders(wanted(shop, 3)) == {103: placed[100]}, "the draft that is there takes more lines"
        found = {order.number: order for order in selectors.orders(MONDAY)}
        assert sorted(found) == ["PO-2017-0001", "PO-2017-0002"]
        first = found["PO-2017-0001"]
        assert (first.line_count, first.money, first.units) == (3, Decimal("45"), 18)  # type: ignore[attr-defined]
        assert first.expected_on == MONDAY + 5 * DAY
        again = open_orders(wanted(shop, 0, recommendation=900))
        assert again[900] not in placed.values(), "an item stands on an order once"


@pytest.mark.django_db
def test_numbers_start_anew_each_year_and_for_each_tenant() -> None:
    shop, other = make_shop(), make_shop()
    with tenant_context(shop.tenant.pk):
        open_orders(wanted(shop, 0))
        open_orders(wanted(shop, 1, supplier=1), as_of=dt.date(2018, 1, 2))
    with tenant_context(other.tenant.pk):
        open_orders(wanted(other, 0))
        assert [order.number for order in selectors.orders(MONDAY)] == ["PO-2017-0001"]
    with tenant_context(shop.tenant.pk):
        assert {order.number for order in selectors.orders(MONDAY)} == {"PO-2017-0001", "PO-2018-0001"}


@pytest.mark.django_db
def test_the_next_number_follows_the_last_one_however_long_it_is_and_looks_at_no_other() -> None:
    shop = make_shop()
    with tenant_context(shop.tenant.pk):
        PurchaseOrder.objects.bulk_create([
            PurchaseOrder(number=f"PO-2017-{n:04d}", supplier=shop.suppliers[0], location=shop.location, currency="USD",
                          status="received")
            for n in range(9_990, 10_010)])
        with CaptureQueriesContext(connection) as asked:
            open_orders(wanted(shop, 0), wanted(shop, 1, supplier=1))
        assert sorted(order.number for order in selectors.orders(MONDAY))[-2:] == ["PO-2017-9998", "PO-2017-9999"]
        assert {"PO-2017-10010", "PO-2017-10011"} <= {order.number for order in selectors.orders(MONDAY)}
        [numbers] = [each["sql"] for each in asked if "PO-2017-%" in each["sql"]]
        assert numbers.endswith("LIMIT 1")


@pytest.mark.django_db
def test_an_order_takes_its_steps_in_order_and_says_why_not_otherwise() -> None:
    shop = make_shop()
    with tenant_context(shop.tenant.pk):
        [order_id] = open_orders(wanted(shop, 0)).values()
        with pytest.raises(NotPossible, match="Only an approved order can be sent; PO-2017-0001 is draft"):
            services.mark_sent(order_id=order_id, sent_on=MONDAY, actor=None)
        with pytest.raises(NotPossible, match="an order that was sent"):
            services.receive_rest(order_id=order_id, received_on=MONDAY, reference="x", actor=None)
        services.approve_order(order_id=order_id, actor=None)
        services.approve_order(order_id=order_id, actor=None)
        order = services.mark_sent(order_id=order_id, sent_on=MONDAY + 2 * DAY, actor=None)
        assert order.ordered_on == MONDAY + 2 * DAY
        [line] = lines_of(order)
        assert line.expected_on == order.expected_on == MONDAY + 7 * DAY, "lead times count from the sending"
        with pytest.raises(NotPossible, match="Only a draft"):
            services.approve_order(order_id=order_id, actor=None)
        services.receive_rest(order_id=order_id, received_on=MONDAY, reference="x", actor=None)
        with pytest.raises(NotPossible, match="nothing left to cancel"):
            services.cancel_order(order_id=order_id, reason="", actor=None)
        actions = AuditEntry.objects.filter(tenant=shop.tenant, target="PO-2017-0001").order_by("pk")
        assert [entry.action for entry in actions] == [
            "order.lines_added", "order.approved", "order.sent", "order.received"]


@pytest.mark.django_db
def test_goods_come_in_by_parts_each_once_and_more_than_ordered_once_somebody_says_so() -> None:
    shop = make_shop()
    milk, bread, _ = shop.items
    with tenant_context(shop.tenant.pk):
        services.set_counts(table=counts(shop, (milk, 1)))
        order = sent_order(shop, wanted(shop, 0), wanted(shop, 1))
        first, second = lines_of(order)

        def receive(reference: str, *parts: tuple[PurchaseOrderLine, float], may_exceed: bool = False) -> str:
            given = [ReceivedLine(line_id=line.pk, quantity=Decimal(str(quantity))) for line, quantity in parts]
            return services.receive_lines(order_id=order.pk, lines=given, received_on=MONDAY + 4 * DAY,
                                          reference=reference, actor=None, may_exceed=may_exceed).status

        assert receive("van 1", (first, 4)) == "partly_received"
        assert receive("van 1", (first, 4)) == "partly_received"
        with pytest.raises(NotPossible, match="Item 0 was already received under “van 1”, 4 of it"):
            receive("van 1", (second, 1), (first, 2))
        with pytest.raises(NotPossible, match="already received"):
            services.receive_rest(order_id=order.pk, received_on=MONDAY, reference="van 1", actor=None)
        assert shop.level(milk) == 5
        arrivals = selectors.arrivals_frame(MONDAY)
        assert arrivals[["item_id", "quantity"]].values.tolist() == [[milk.pk, 2], [bread.pk, 6]]
        with pytest.raises(NotPossible, match="less than nothing"):
            receive("van 2", (first, -3))
        with pytest.raises(NotPossible, match="no such line"):
            services.receive_lines(order_id=order.pk, lines=[ReceivedLine(line_id=10**9, quantity=Decimal(1))],
                                   received_on=MONDAY, reference="van 2", actor=None)
        with pytest.raises(MoreThanOrdered, match="Item 0, 9 instead of 6"):
            receive("van 3", (second, 1), (first, 5))
        assert shop.level(milk) == 5, "none of such a delivery is taken"
        assert receive("van 3", (first, 5), may_exceed=True) == "partly_received"
        assert selectors.arrivals_frame(MONDAY)["quantity"].tolist() == [6], "of the bread alone"
        assert receive("van 4", (second, 6)) == "received"
        assert (shop.level(milk), shop.level(bread)) == (10, 6), "the bread was not counted before: it starts here"
        assert selectors.over_received(order.pk) == ["Item 0"]
        assert selectors.arrivals_frame(MONDAY).empty
        assert StockMovement.objects.filter(kind="receipt").count() == 3
        assert_levels_are_the_sums_of_their_movements()


@pytest.mark.django_db
def test_a_supplier_who_keeps_dates_delivers_what_is_due_once() -> None:
    shop = make_shop()
    with tenant_context(shop.tenant.pk):
        sent_order(shop, wanted(shop, 0), wanted(shop, 1))
        open_orders(wanted(shop, 2, supplier=1))
        assert services.receive_due(on=MONDAY + 4 * DAY, label="the supplier") == 0
        assert services.receive_due(on=MONDAY + 5 * DAY, label="the supplier") == 2
        assert services.receive_due(on=MONDAY + 6 * DAY, label="the supplier") == 0
        assert selectors.order_counts() == {"received": 1, "draft": 1}


@pytest.mark.django_db
def test_what_was_never_sent_comes_no_earlier_than_if_it_were_sent_today_and_raises_an_alert() -> None:
    shop = make_shop()
    with tenant_context(shop.tenant.pk):
        [draft, sent] = dict.fromkeys(open_orders(wanted(shop, 0), wanted(shop, 1, supplier=1)).values())
        services.approve_order(order_id=sent, actor=None)
        services.mark_sent(order_id=sent, sent_on=MONDAY, actor=None)

        def arrivals(days: int) -> list[int]:
            dates = selectors.arrivals_frame(MONDAY + days * DAY).sort_values("item_id")["date"]
            return [(date - MONDAY).days for date in dates]

        def alert(days: int) -> list[tuple[str, str]]:
            services.tell_unsent(as_of=MONDAY + days * DAY)
            return [(alert.title, alert.severity) for alert in open_alerts()]

        assert [arrivals(days) for days in (0, 3, 30)] == [[5, 5], [8, 5], [35, 5]]
        assert [alert(days) for days in (0, 2)] == [[], []]
        assert alert(3) == [("Order PO-2017-0001 was drafted but never sent", "warning")]
        services.approve_order(order_id=draft, actor=None)
        assert alert(5) == [("Order PO-2017-0001 was approved but never sent", "critical")]
        assert "counted as coming on 14 Dec 2017" in open_alerts().get().reason
        coming = selectors.still_to_come()
        assert coming.unsent_money == 15 and coming.next_on == MONDAY + 5 * DAY
        services.mark_sent(order_id=draft, sent_on=MONDAY + 6 * DAY, actor=None)
        assert alert(6) == [] and arrivals(6) == [11, 5]


@pytest.mark.django_db
def test_an_order_waits_to_be_sent_until_it_is_and_every_reader_counts_the_same_wait() -> None:
    shop = make_shop()
    with tenant_context(shop.tenant.pk):
        [order_id] = open_orders(wanted(shop, 0)).values()

        def seen(days: int) -> tuple[int, set[int]]:
            today = MONDAY + days * DAY
            [(wait, due_on)] = selectors.orders(today).values_list("wait", "due_on")  # type: ignore[misc]
            [line_due_on] = selectors.order_lines(order_id, today).values_list("due_on", flat=True)  # type: ignore[misc]
            [(_item, _place, arrives_on, _units)] = selectors.arrivals(today)
            return wait.days, {(day - MONDAY).days for day in (due_on, line_due_on, arrives_on)}

        assert [seen(days) for days in (0, 3)] == [(0, {5}), (3, {8})]
        services.approve_order(order_id=order_id, actor=None)
        services.mark_sent(order_id=order_id, sent_on=MONDAY + 4 * DAY, actor=None)
        assert [seen(days) for days in (4, 30)] == [(0, {9})] * 2


@pytest.mark.django_db
def test_a_draft_that_takes_lines_later_counts_their_lead_times_from_one_day_and_its_wait_from_the_first() -> None:
    shop = make_shop()
    with tenant_context(shop.tenant.pk):
        [order_id] = open_orders(wanted(shop, 0)).values()
        open_orders(replace(wanted(shop, 1), expected_on=MONDAY + 8 * DAY), as_of=MONDAY + 3 * DAY)
        assert selectors.arrivals_frame(MONDAY + 3 * DAY)["date"].tolist() == [MONDAY + 8 * DAY] * 2
        assert selectors.placed_since(MONDAY + 3 * DAY, MONDAY + 3 * DAY).lines == 2
    assert run_job(shop, "inventory.unsent", MONDAY + 3 * DAY) == {"orders": 1}, "by a night that makes no plan"
    with tenant_context(shop.tenant.pk):
        services.approve_order(order_id=order_id, actor=None)
        order = services.mark_sent(order_id=order_id, sent_on=MONDAY + 4 * DAY, actor=None)
        assert [line.expected_on for line in lines_of(order)] == [MONDAY + 9 * DAY] * 2 == [order.expected_on] * 2


@pytest.mark.django_db
def test_nothing_is_done_to_a_draft_whose_lines_are_no_longer_those_that_were_seen() -> None:
    shop = make_shop()
    with tenant_context(shop.tenant.pk):
        [order_id] = set(open_orders(wanted(shop, 0), wanted(shop, 1)).values())
        order = PurchaseOrder.objects.get(pk=order_id)
        PurchaseOrderLine.objects.update(recommendation_id=None)

        def mark() -> str:
            return selectors.mark_of(PurchaseOrderLine.objects.filter(order=order))

        def change(line: PurchaseOrderLine, quantity: int, seen: str) -> None:
            services.change_line(order_id=order_id, line_id=line.pk, quantity=quantity, reason="", as_of=MONDAY,
                                 actor=None, seen=seen)

        first, second = lines_of(order)
        opened = mark()
        change(first, 720, opened)
        change(first, 720, opened)  # sent twice it is done once
        for act in (partial(services.approve_order, order_id=order_id, actor=None, seen=opened),
                    partial(change, first, 12, opened),
                    partial(services.remove_line, order_id=order_id, line_id=second.pk, reason="", actor=None,
                            seen=opened)):
            with pytest.raises(ChangedMeanwhile, match="Somebody has changed PO-2017-0001 since you opened it"):
                act()
        opened = mark()
        services.remove_line(order_id=order_id, line_id=first.pk, reason="", actor=None, seen=opened)
        with pytest.raises(ChangedMeanwhile):
            services.remove_line(order_id=order_id, line_id=second.pk, reason="", actor=None, seen=opened)
        opened = mark()
        open_orders(wanted(shop, 2))
        with pytest.raises(ChangedMeanwhile):
            services.approve_order(order_id=order_id, actor=None, seen=opened)
        assert [(line.item_id, int(line.quantity)) for line in lines_of(order)] == [
            (shop.items[place].pk, 6) for place in (1, 2)]
        assert services.approve_order(order_id=order_id, actor=None, seen=mark()).status == "approved"
        assert services.approve_order(order_id=order_id, actor=None, seen=opened).status == "approved", "as it is"


@pytest.mark.django_db
def test_a_line_of_another_order_is_out_of_a_drafts_reach() -> None:
    shop = make_shop()
    with tenant_context(shop.tenant.pk):
        [sent_line] = lines_of(sent_order(shop, wanted(shop, 0)))
        [draft_id] = set(open_orders(wanted(shop, 1), wanted(shop, 2)).values())
        acts: list[Callable[[], Any]] = [
            partial(services.change_line, order_id=draft_id, line_id=sent_line.pk, quantity=7, reason="more",
                    as_of=MONDAY, actor=None),
            partial(services.remove_line, order_id=draft_id, line_id=sent_line.pk, reason="", actor=None)]
        for act in acts:
            with pytest.raises(NotPossible, match="PO-2017-0002 has no such line"):
                act()
        assert PurchaseOrderLine.objects.get(pk=sent_line.pk).quantity == 6


@pytest.mark.django_db
def test_a_draft_is_expected_with_its_last_line_once_a_later_one_is_taken_off() -> None:
    shop = make_shop()
    with tenant_context(shop.tenant.pk):
        [order_id] = set(open_orders(
            wanted(shop, 0), replace(wanted(shop, 1), expected_on=MONDAY + 30 * DAY)).values())
        order = PurchaseOrder.objects.get(pk=order_id)
        assert order.expected_on == MONDAY + 30 * DAY
        _soon, late = lines_of(order)
        services.remove_line(order_id=order_id, line_id=late.pk, reason="", actor=None)
        order.refresh_from_db()
        assert order.expected_on == MONDAY + 5 * DAY


@pytest.mark.django_db
def test_a_cancelled_order_is_expected_no_more_and_keeps_what_came() -> None:
    shop = make_shop()
    milk = shop.items[0]
    with tenant_context(shop.tenant.pk):
        order = sent_order(shop, wanted(shop, 0))
        [line] = lines_of(order)
        services.receive_lines(order_id=order.pk, lines=[ReceivedLine(line_id=line.pk, quantity=Decimal(2))],
                               received_on=MONDAY, reference="van", actor=None)
        for _twice in range(2):
            services.cancel_order(order_id=order.pk, reason="out of stock there", actor=None)
        cancelled = selectors.order(order.pk, MONDAY)
        assert cancelled is not None and cancelled.note == "out of stock there", "a second time changes nothing"
        assert AuditEntry.objects.filter(tenant=shop.tenant, action="order.cancelled").count() == 1
        assert shop.level(milk) == 2
        assert selectors.arrivals_frame(MONDAY).empty
        assert selectors.placed_since(MONDAY, MONDAY).orders == 0


@pytest.mark.django_db
def test_the_csv_of_an_order_has_a_row_a_line_with_plain_figures() -> None:
    shop = make_shop()
    with tenant_context(shop.tenant.pk):
        order = sent_order(shop, wanted(shop, 0, 12))
        found = selectors.order(order.pk, MONDAY + 3 * DAY)
        assert found is not None
        header, row = selectors.order_rows(found, MONDAY + 3 * DAY)
        assert len(header) == len(row)
        assert row == ["PO-2017-0001", "Alder Foods", "sku-0", "Item 0", 12, Decimal("2.5"), "USD", 30,
                       dt.date(2017, 12, 9), 0]


def at_once(*acts: Callable[[], Any]) -> None:
    """Run on threads and connections of their own, released together; the first error is raised here."""
    gate, errors = threading.Barrier(len(acts), timeout=20), []

    def run(act: Callable[[], Any]) -> None:
        try:
            gate.wait()
            act()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    if errors:
        raise errors[0]


@pytest.mark.django_db(transaction=True)
def test_orders_opened_at_once_are_numbered_without_gap_or_double() -> None:
    shop = make_shop(8)
    with tenant_context(shop.tenant.pk):
        shop.suppliers += [type(shop.suppliers[0]).objects.create(name=f"Supplier {n}") for n in range(6)]

    def place(number: int) -> None:
        with tenant_context(shop.tenant.pk):
            open_orders(wanted(shop, number, supplier=number))

    at_once(*[partial(place, number) for number in range(8)])
    with tenant_context(shop.tenant.pk):
        assert sorted(order.number for order in selectors.orders(MONDAY)) == [f"PO-2017-{n:04d}" for n in range(1, 9)]


@pytest.mark.django_db(transaction=True)
def test_one_recommendation_ordered_twice_at_once_is_one_line() -> None:
    shop = make_shop()

    def place() -> None:
        with tenant_context(shop.tenant.pk):
            open_orders(wanted(shop, 0))

    at_once(place, place)
    with tenant_context(shop.tenant.pk):
        assert PurchaseOrder.objects.count() == PurchaseOrderLine.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_delivery_received_twice_at_once_moves_stock_once() -> None:
    shop = make_shop()
    with tenant_context(shop.tenant.pk):
        order = sent_order(shop, wanted(shop, 0))
        [line] = lines_of(order)

    def receive() -> None:
        with tenant_context(shop.tenant.pk):
            services.receive_lines(order_id=order.pk, lines=[ReceivedLine(line_id=line.pk, quantity=Decimal(6))],
                                   received_on=MONDAY, reference="van", actor=None)

    at_once(receive, receive)
    with tenant_context(shop.tenant.pk):
        assert shop.level(shop.items[0]) == 6
        assert_levels_are_the_sums_of_their_movements()


@pytest.mark.django_db
def test_a_delivery_note_is_one_however_it_is_typed_and_no_sum_bursts_the_books() -> None:
    shop = make_shop(1)
    with tenant_context(shop.tenant.pk):
        order = sent_order(shop, wanted(shop, 0, 6))
        [line] = lines_of(order)

        def receive(quantity: int, reference: str) -> None:
            services.receive_lines(order_id=order.pk, lines=[ReceivedLine(line_id=line.pk, quantity=Decimal(quantity))],
                                   received_on=MONDAY, reference=reference, actor=None, may_exceed=True)

        for typed in ("LS-1", "ls-1", " LS-1  "):
            receive(2, typed)
            assert lines_of(order)[0].received_quantity == 2
        with pytest.raises(NotPossible, match="look at the quantity"):
            receive(1_000_000_000, "LS-2")
