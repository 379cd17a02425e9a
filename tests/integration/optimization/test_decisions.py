"""A decision is made once: as advised, otherwise with a reason, or not at all with a reason."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection

from apps.inventory import services as inventory
from apps.inventory.models import PurchaseOrder, PurchaseOrderLine
from apps.optimization import selectors, services
from apps.optimization.models import Decision, Recommendation
from apps.optimization.services import Choice, NotOpen, OddLot, ReasonMissing
from apps.tenants.models import AuditEntry
from apps.tenants.scope import tenant_context
from tests.integration.inventory.shops import MONDAY
from tests.integration.inventory.test_purchase_orders import at_once
from tests.integration.optimization.planned_shops import DAY, make_planned_shop, open_lines, run_plan


@pytest.mark.django_db
def test_an_approval_is_a_decision_and_an_order_line_once() -> None:
    shop = make_planned_shop()
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        line = open_lines()[0]
        decision = services.decide(recommendation_id=line.pk, as_of=MONDAY + DAY, actor=None, label="Ada")
        assert (decision.kind, decision.quantity, decision.decided_by) == ("approved", line.quantity, "Ada")
        assert services.decide(recommendation_id=line.pk, as_of=MONDAY, actor=None) == decision
        [ordered] = PurchaseOrderLine.objects.all()
        assert (ordered.recommendation_id, ordered.order_id) == (line.pk, decision.purchase_order_id)
        assert ordered.expected_on == MONDAY + 6 * DAY
        with pytest.raises(NotOpen):
            services.dismiss(recommendation_id=line.pk, reason="too late", as_of=MONDAY, actor=None)


@pytest.mark.django_db
def test_another_quantity_and_a_dismissal_need_a_reason() -> None:
    shop = make_planned_shop()
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        first, second = open_lines()[:2]
        with pytest.raises(ReasonMissing, match="Say why Item"):
            services.decide(recommendation_id=first.pk, quantity=first.quantity + 6, as_of=MONDAY, actor=None)
        with pytest.raises(ReasonMissing, match="Dismiss"):
            services.decide(recommendation_id=first.pk, quantity=0, reason="none", as_of=MONDAY, actor=None)
        with pytest.raises(ReasonMissing, match="weighed against what happens"):
            services.dismiss(recommendation_id=second.pk, reason=" ", as_of=MONDAY, actor=None)
        assert not Decision.objects.exists() and not PurchaseOrder.objects.exists()
        edited = services.decide(recommendation_id=first.pk, quantity=first.quantity + 6, reason="a party",
                                 as_of=MONDAY, actor=None)
        assert (edited.kind, edited.reason) == ("edited", "a party")
        assert PurchaseOrderLine.objects.get().quantity == first.quantity + 6
        dismissed = services.dismiss(recommendation_id=second.pk, reason="delisted", as_of=MONDAY, actor=None)
        assert services.dismiss(recommendation_id=second.pk, reason="again", as_of=MONDAY, actor=None) == dismissed


@pytest.mark.django_db
def test_what_is_advised_is_never_odd_and_what_is_not_advised_is_only_asked_for_a_reason() -> None:
    shop = make_planned_shop(2)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        advised, nothing = open_lines()
        Recommendation.objects.filter(pk=advised.pk).update(quantity=7)
        assert services.decide(recommendation_id=advised.pk, quantity=7, as_of=MONDAY, actor=None).kind == "approved"
        Recommendation.objects.filter(pk=nothing.pk).update(quantity=0)
        with pytest.raises(ReasonMissing):
            services.decide(recommendation_id=nothing.pk, quantity=6, as_of=MONDAY, actor=None)
        with pytest.raises(OddLot, match="7 is no whole number of packs of 6; the nearest are 6 and 12"):
            services.decide(recommendation_id=nothing.pk, quantity=7, reason="a fair", as_of=MONDAY, actor=None)
        edited = services.decide(recommendation_id=nothing.pk, quantity=6, reason="a fair", as_of=MONDAY, actor=None)
        assert (edited.kind, edited.quantity) == ("edited", 6)


@pytest.mark.django_db
@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, " 1 more line is so."), (7, " 2 more lines are so.")])
def test_of_many_odd_quantities_five_are_named_and_the_others_counted(count: int, more: str) -> None:
    shop = make_planned_shop(8)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        lines = open_lines()
        choices = [Choice(recommendation_id=line.pk, quantity=line.quantity + (place < count), reason="a fair")
                   for place, line in enumerate(lines)]
        with pytest.raises(OddLot) as asked:
            services.decide_many(choices=choices, as_of=MONDAY, actor=None)
        assert str(asked.value).count("is no whole number") == 5
        assert str(asked.value).endswith(more) and (" so." in str(asked.value)) is bool(more)
        assert not Decision.objects.exists()


@pytest.mark.django_db
def test_lines_of_an_older_plan_are_passed_over() -> None:
    shop = make_planned_shop()
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        stale, *fresh = open_lines()
        Recommendation.objects.filter(pk=stale.pk).update(state="superseded")
        choices = [Choice(recommendation_id=line.pk) for line in (stale, *fresh)]
        decided = services.decide_many(choices=choices, as_of=MONDAY, actor=None)
        assert (len(decided.decisions), decided.passed_over) == (3, 1)
        with pytest.raises(NotOpen, match="a newer plan replaced it"):
            services.decide(recommendation_id=stale.pk, as_of=MONDAY, actor=None)


@pytest.mark.django_db
def test_what_was_cancelled_before_it_came_is_open_again_and_may_be_decided_otherwise() -> None:
    shop = make_planned_shop(3)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        first, second, third = open_lines()
        choices = [Choice(recommendation_id=line.pk) for line in (first, second, third)]
        for order_id in services.decide_many(choices=choices, as_of=MONDAY, actor=None).order_ids:
            inventory.cancel_order(order_id=order_id, reason="", actor=None)
        assert {line.pk for line in open_lines()} == {first.pk, second.pk, third.pk}
        assert selectors.decisions_of([first.pk]) == {}
        again = services.decide(recommendation_id=first.pk, quantity=first.quantity + 6, reason="a party", as_of=MONDAY,
                                actor=None)
        assert services.decide(recommendation_id=first.pk, as_of=MONDAY, actor=None) == again
        ordered = PurchaseOrderLine.objects.get(recommendation_id=first.pk)
        assert (ordered.order_id, ordered.quantity) == (again.purchase_order_id, first.quantity + 6)
        assert ordered.order.status == "draft"
        dismissed = services.dismiss(recommendation_id=second.pk, reason="not now", as_of=MONDAY, actor=None)
        assert services.dismiss(recommendation_id=second.pk, reason="again", as_of=MONDAY, actor=None) == dismissed
        assert selectors.decisions_of([first.pk, second.pk]) == {first.pk: again, second.pk: dismissed}
        assert [line.pk for line in open_lines()] == [third.pk]


@pytest.mark.django_db
def test_a_drafts_line_is_decided_anew_by_the_rules_of_the_plan_and_the_last_decision_stands() -> None:
    shop = make_planned_shop(2)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        line = open_lines()[0]
        order_id = services.decide(recommendation_id=line.pk, as_of=MONDAY, actor=None).purchase_order_id
        assert order_id is not None
        ordered = PurchaseOrderLine.objects.get(recommendation_id=line.pk)

        def change(quantity: int, reason: str = "", **given: Any) -> PurchaseOrderLine:
            inventory.change_line(order_id=order_id, line_id=ordered.pk, quantity=quantity, reason=reason,
                                  as_of=MONDAY + DAY, actor=None, label="Ada", **given)
            found: PurchaseOrderLine = PurchaseOrderLine.objects.get(pk=ordered.pk)
            return found

        with pytest.raises(OddLot, match="no whole number of packs of 6"):
            change(line.quantity + 1, "a party")
        with pytest.raises(OddLot, match="is 10 times"):
            change(line.quantity * 10, "a party")
        with pytest.raises(ReasonMissing, match="Say why Item"):
            change(line.quantity + 1, " ", may_be_odd=True)
        with pytest.raises(inventory.NotPossible, match="take it off the order"):
            change(0, "none")
        assert Decision.objects.count() == 1 and change(line.quantity).quantity == line.quantity
        assert Decision.objects.count() == 1, "the same quantity is no decision"
        changed = change(line.quantity + 1, "a party", may_be_odd=True)
        assert changed.quantity == line.quantity + 1
        assert changed.note == f"{line.quantity} were advised; changed by Ada: a party"
        last = selectors.decisions_of([line.pk])[line.pk]
        assert (last.kind, last.quantity, last.reason, last.decided_by, last.decided_on, last.purchase_order_id) == (
            "edited", line.quantity + 1, "a party", "Ada", MONDAY + DAY, order_id)
        assert [each.pk for each in selectors.decisions_between(MONDAY, MONDAY + DAY)] == [last.pk]
        audit = AuditEntry.objects.get(tenant=shop.tenant, action="order.line_changed")
        assert audit.detail == {"item": line.item.sku, "before": str(line.quantity), "after": str(line.quantity + 1),
                                "reason": "a party"}
        back = change(line.quantity)
        assert back.quantity == line.quantity and back.note == "", "what is advised needs no reason"
        assert selectors.decisions_of([line.pk])[line.pk].kind == "approved"
        inventory.approve_order(order_id=order_id, actor=None)
        with pytest.raises(inventory.NotPossible, match="Only a draft can be changed; PO-2017-0001 is approved"):
            change(line.quantity + 6, "a party")
        with pytest.raises(inventory.NotPossible, match="Only a draft"):
            inventory.remove_line(order_id=order_id, line_id=ordered.pk, reason="", actor=None)


@pytest.mark.django_db
def test_a_line_taken_off_a_draft_is_open_again_and_the_last_one_cancels_the_order() -> None:
    shop = make_planned_shop(4)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        first, second = [line for line in open_lines() if line.supplier_id == shop.suppliers[0].pk]
        choices = [Choice(recommendation_id=line.pk) for line in (first, second)]
        [order_id] = services.decide_many(choices=choices, as_of=MONDAY, actor=None).order_ids

        def take_off(line: Recommendation) -> str:
            ordered = PurchaseOrderLine.objects.get(recommendation_id=line.pk)
            return inventory.remove_line(order_id=order_id, line_id=ordered.pk, reason="by mistake", actor=None).status

        PurchaseOrderLine.objects.filter(recommendation_id=first.pk).update(expected_on=MONDAY + 30 * DAY)
        assert take_off(first) == "draft"
        assert first.pk in {line.pk for line in open_lines()} and selectors.decisions_of([first.pk]) == {}
        assert PurchaseOrder.objects.get().expected_on == MONDAY + 5 * DAY, "its last line is another one now"
        assert AuditEntry.objects.get(tenant=shop.tenant, action="order.line_removed").detail["reason"] == "by mistake"
        again = services.decide(recommendation_id=first.pk, as_of=MONDAY, actor=None)
        assert again.purchase_order_id == order_id, "and may be put on the same draft"
        assert take_off(first) == "draft"
        assert take_off(second) == "cancelled"
        assert {first.pk, second.pk} <= {line.pk for line in open_lines()}


@pytest.mark.django_db
def test_neither_what_a_newer_plan_replaced_nor_what_has_come_is_opened_again() -> None:
    shop = make_planned_shop(4)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        lines = open_lines()
        choices = [Choice(recommendation_id=line.pk) for line in lines]
        came, other = services.decide_many(choices=choices, as_of=MONDAY, actor=None).order_ids
        inventory.approve_order(order_id=came, actor=None)
        inventory.mark_sent(order_id=came, sent_on=MONDAY, actor=None)
        part, whole = PurchaseOrderLine.objects.filter(order_id=came).order_by("pk")
        inventory.receive_lines(order_id=came, lines=[inventory.ReceivedLine(line_id=part.pk, quantity=Decimal(1))],
                                received_on=MONDAY, reference="van", actor=None)
        inventory.cancel_order(order_id=came, reason="", actor=None)
        assert [line.pk for line in open_lines()] == [whole.recommendation_id]
    run_plan(shop, MONDAY + DAY)
    with tenant_context(shop.tenant.pk):
        inventory.cancel_order(order_id=other, reason="", actor=None)
        assert Recommendation.objects.filter(pk__in=[line.pk for line in lines], state="open").count() == 0


@pytest.mark.django_db(transaction=True)
def test_who_decides_and_who_edits_or_cancels_orders_comes_after_one_another() -> None:
    shop = make_planned_shop(2)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        ordered, other = open_lines()
        order_id = services.decide(recommendation_id=ordered.pk, as_of=MONDAY, actor=None).purchase_order_id
        assert order_id is not None
        line_id = PurchaseOrderLine.objects.get().pk
    of_line: dict[str, Any] = {"order_id": order_id, "line_id": line_id, "reason": "a fair", "actor": None}
    changes: list[Callable[[], object]] = [
        lambda: services.decide(recommendation_id=other.pk, as_of=MONDAY, actor=None),
        lambda: inventory.change_line(**of_line, quantity=ordered.quantity + 6, as_of=MONDAY),
        lambda: inventory.remove_line(**of_line),
        lambda: inventory.cancel_order(order_id=order_id, reason="", actor=None)]
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with tenant_context(shop.tenant.pk):
            inventory.lock_orders()
            list(Recommendation.objects.select_for_update())
            list(PurchaseOrder.objects.select_for_update())
            is_held.set()
            may_end.wait(60)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert is_held.wait(30)
        for change in changes:
            with (pytest.raises(OperationalError, match="lock timeout") as refused, tenant_context(shop.tenant.pk)):
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '200ms'")
                change()
            assert "locking tuple" not in str(refused.value), "no row was asked for before"
    finally:
        may_end.set()
        holder.join()


@pytest.mark.django_db(transaction=True)
def test_two_approvals_at_once_are_one_decision_and_one_line() -> None:
    shop = make_planned_shop()
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        choices = [Choice(recommendation_id=line.pk) for line in open_lines()]
    seen: list[tuple[Decision, ...]] = []

    def approve() -> None:
        with tenant_context(shop.tenant.pk):
            seen.append(services.decide_many(choices=choices, as_of=MONDAY, actor=None).decisions)

    at_once(approve, approve)
    with tenant_context(shop.tenant.pk):
        assert seen[0] == seen[1] and len(seen[0]) == 4
        assert (Decision.objects.count(), PurchaseOrderLine.objects.count(), PurchaseOrder.objects.count()) == (4, 4, 2)


@pytest.mark.django_db(transaction=True)
def test_approving_and_dismissing_at_once_ends_in_one_of_them() -> None:
    shop = make_planned_shop(2)
    run_plan(shop)
    with tenant_context(shop.tenant.pk):
        line = open_lines()[0]

    def within(act: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            with tenant_context(shop.tenant.pk):
                act()
        return run

    choices = [Choice(recommendation_id=line.pk)]
    approve = within(lambda: services.decide_many(choices=choices, as_of=MONDAY, actor=None))
    dismiss = within(lambda: services.dismiss_many(recommendation_ids=[line.pk], reason="no", as_of=MONDAY, actor=None))
    at_once(approve, dismiss)
    with tenant_context(shop.tenant.pk):
        decision = Decision.objects.get()
        assert PurchaseOrderLine.objects.count() == (decision.kind == "approved")
