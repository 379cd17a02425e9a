"""The way of a purchase order: drafted from decisions, edited, approved, sent, received, or cancelled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Sum
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.alerts import services as alerts
from apps.inventory.models import MOST_UNITS, PurchaseOrder, PurchaseOrderLine, Receipt
from apps.inventory.selectors import NO_WAIT, SENT_STATUSES, mark_of, overdue_for_sending, plain, wait_to_be_sent
from apps.inventory.services.changes import LineEdit, tell_items_changed, tell_line_edited, tell_lines_dropped
from apps.tenants.models import User
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import record_audit

Status = PurchaseOrder.Status

UNSENT_CODE = "order.unsent"
_ORDERS_LOCK = 0x504F  # the class of the advisory lock under which orders are opened and cancelled


class NotPossible(ValueError):
    """The order is in a state in which this cannot be done; the message says which."""


class ChangedMeanwhile(NotPossible):
    """The draft's lines are no longer those that whoever asks has seen; the message says so."""


class MoreThanOrdered(NotPossible):
    """More would come in than was ordered, which somebody has to say is so; the message says of what."""


@dataclass(frozen=True, kw_only=True)
class WantedLine:
    """A decided recommendation: what to order of which supplier."""

    recommendation_id: int
    item_id: int
    location_id: int
    supplier_id: int
    quantity: int
    unit_cost: Decimal
    expected_on: dt.date
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ReceivedLine:
    """What came in on one order line."""

    line_id: int
    quantity: Decimal


@transaction.atomic
def open_purchase_orders(*, lines: Sequence[WantedLine], as_of: dt.date, plan_id: int | None, actor: User | None,
                         label: str = "") -> dict[int, int]:
    """Put decided recommendations on draft orders, one for each supplier and location: recommendation -> order.

    A draft that the supplier already has takes the lines, unless the item is on it. A recommendation that already has
    a line keeps that one: asking twice adds nothing.
    """
    tenant = tenant_by_id(current_tenant_id())
    lock_orders()
    placed = dict(PurchaseOrderLine.objects.filter(recommendation_id__in=[line.recommendation_id for line in lines])
                  .values_list("recommendation_id", "order_id"))
    fresh = sorted((line for line in lines if line.recommendation_id not in placed),
                   key=lambda line: (line.supplier_id, line.location_id, line.item_id))
    groups = {key: list(group) for key, group in groupby(fresh, key=lambda line: (line.supplier_id, line.location_id))}
    drafts = _drafts({supplier_id for supplier_id, _location in groups}, as_of)
    waits = {draft.pk: draft.wait for draft, _taken in drafts.values()}  # type: ignore[attr-defined]
    orders: list[PurchaseOrder] = []
    rows: list[tuple[PurchaseOrder, WantedLine]] = []
    for key, group in groups.items():
        draft, taken = drafts.get(key, (None, set()))
        order: PurchaseOrder | None = None
        for line in group:
            if draft is not None and line.item_id not in taken:
                rows.append((draft, line))
                continue
            if order is None:
                order = PurchaseOrder(supplier_id=key[0], location_id=key[1], currency=tenant.currency,
                                      ordered_on=as_of, plan_id=plan_id, created_by=_name(actor, label),
                                      created_at=tenant.now())
                orders.append(order)
            rows.append((order, line))
    for new, number in zip(orders, _next_numbers(as_of.year, len(orders)), strict=True):
        new.number = number
    PurchaseOrder.objects.bulk_create(orders)
    PurchaseOrderLine.objects.bulk_create([
        PurchaseOrderLine(order=order, item_id=line.item_id, quantity=line.quantity, unit_cost=line.unit_cost,
                          expected_on=line.expected_on - waits.get(order.pk, NO_WAIT),
                          recommendation_id=line.recommendation_id, note=line.note)
        for order, line in rows])  # all lines of an order count their lead times from its one day
    touched = {order.pk: order for order, _line in rows}
    _expect_with_last_line(list(touched))
    if rows:
        record_audit(tenant=tenant, actor=actor, label=label, action="order.lines_added",
                     target=", ".join(order.number for order in touched.values()), detail={"lines": len(rows)})
    return placed | {line.recommendation_id: order.pk for order, line in rows}


def lock_orders() -> None:
    """Orders of one tenant are opened, edited and cancelled one after another: their numbers have no gaps.

    Who decides locks advice before orders, who edits or cancels orders before advice: all come here first.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_ORDERS_LOCK, current_tenant_id() % 2**31])


def _next_numbers(year: int, count: int) -> list[str]:
    """The numbers that follow the year's last one: orders are made in the order of their numbers, under a lock."""
    prefix = f"PO-{year}-"
    newest = PurchaseOrder.objects.filter(number__startswith=prefix).order_by("-pk").values_list("number", flat=True)
    last = int((newest.first() or "0").removeprefix(prefix))
    return [f"{prefix}{last + place:04d}" for place in range(1, count + 1)]


def _drafts(supplier_ids: set[int], as_of: dt.date) -> dict[tuple[int, int], tuple[PurchaseOrder, set[int]]]:
    """The newest draft of each supplier and location, with its `wait` to be sent, and the items that are on it."""
    drafts = {(order.supplier_id, order.location_id): (order, set[int]()) for order in PurchaseOrder.objects
              .select_for_update().filter(status=Status.DRAFT, supplier_id__in=supplier_ids)
              .annotate(wait=wait_to_be_sent(as_of)).order_by("pk")}
    items = {order.pk: taken for order, taken in drafts.values()}
    for order_id, item_id in PurchaseOrderLine.objects.filter(order_id__in=items).values_list("order_id", "item_id"):
        items[order_id].add(item_id)
    return drafts


def _expect_with_last_line(order_ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("""
            UPDATE inventory_purchaseorder ordered SET expected_on = last.expected_on
            FROM (SELECT order_id, max(expected_on) AS expected_on FROM inventory_purchaseorderline
                  WHERE tenant_id = %(tenant)s AND order_id = ANY(%(orders)s) GROUP BY 1) last
            WHERE ordered.tenant_id = %(tenant)s AND ordered.id = last.order_id""",
                       {"tenant": current_tenant_id(), "orders": order_ids})


@transaction.atomic
def change_line(*, order_id: int, line_id: int, quantity: int, reason: str, as_of: dt.date, actor: User | None,
                label: str = "", may_be_odd: bool = False, seen: str = "") -> PurchaseOrder:
    """Order another quantity on a draft's line, as whoever advised it lets pass: see `on_line_edited`.

    `seen` is the mark of the lines that were shown (`selectors.mark_of`): ChangedMeanwhile once they are others.
    """
    lock_orders()
    order, line = _line_of_draft(order_id, line_id)
    if not 0 < quantity <= MOST_UNITS:
        raise NotPossible(_("So much of %(item)s cannot be ordered: to order none of it, take it off the order.")
                          % {"item": line.item})
    before, line.quantity = line.quantity, Decimal(quantity)
    if line.quantity == before:
        return order
    _compare(order, seen)
    if line.recommendation_id is not None:
        line.note = tell_line_edited(LineEdit(
            recommendation_id=line.recommendation_id, order_id=order.pk, quantity=quantity, reason=reason,
            may_be_odd=may_be_odd, as_of=as_of, decided_by=_name(actor, label)))
    line.save(update_fields=["quantity", "note"])
    tell_items_changed(item_ids=[line.item_id])
    return _audited(order, "order.line_changed", actor, label, item=line.item.sku, before=plain(before),
                    after=plain(line.quantity), reason=reason)


@transaction.atomic
def remove_line(*, order_id: int, line_id: int, reason: str, actor: User | None, label: str = "",
                seen: str = "") -> PurchaseOrder:
    """Take a line off a draft as it was `seen`, so that it may be ordered again; the last one takes the order with it.
    """
    lock_orders()
    order, line = _line_of_draft(order_id, line_id)
    _compare(order, seen)
    if not PurchaseOrderLine.objects.filter(order=order).exclude(pk=line.pk).exists():
        return cancel_order(order_id=order_id, reason=reason, actor=actor, label=label)
    with connection.cursor() as cursor:  # receipts, which Django would delete too, are a ledger; a draft has none
        cursor.execute("DELETE FROM inventory_purchaseorderline WHERE tenant_id = %s AND id = %s",
                       [order.tenant_id, line.pk])
    _expect_with_last_line([order.pk])
    if line.recommendation_id is not None:
        tell_lines_dropped(recommendation_ids=[line.recommendation_id])
    tell_items_changed(item_ids=[line.item_id])
    return _audited(order, "order.line_removed", actor, label, item=line.item.sku, quantity=plain(line.quantity),
                    reason=reason)


def _line_of_draft(order_id: int, line_id: int) -> tuple[PurchaseOrder, PurchaseOrderLine]:
    order = _locked(order_id)
    if order.status != Status.DRAFT:
        raise NotPossible(_("Only a draft can be changed; %(number)s is %(status)s.") % _words(order))
    line = PurchaseOrderLine.objects.select_related("item").filter(order=order, pk=line_id).first()
    if line is None:
        raise NotPossible(_("%(number)s has no such line.") % _words(order))
    return order, line


def _compare(order: PurchaseOrder, seen: str) -> None:
    """Refuse to go on from lines that are no longer as they were seen; nothing is said of what nobody claims to see."""
    if seen and seen != mark_of(PurchaseOrderLine.objects.filter(order=order)):
        raise ChangedMeanwhile(_("Somebody has changed %(number)s since you opened it, so nothing was done: look at it "
                                 "as it is now.") % _words(order))


@transaction.atomic
def approve_order(*, order_id: int, actor: User | None, label: str = "", seen: str = "") -> PurchaseOrder:
    """Say that a draft may be sent, as it was `seen`."""
    order = _locked(order_id)
    if order.status == Status.APPROVED:
        return order
    if order.status != Status.DRAFT:
        raise NotPossible(_("Only a draft can be approved; %(number)s is %(status)s.") % _words(order))
    _compare(order, seen)
    order.status, order.approved_at = Status.APPROVED, _now(order)
    order.save(update_fields=["status", "approved_at"])
    _tell_items_of(order)
    return _audited(order, "order.approved", actor, label)


@transaction.atomic
def mark_sent(*, order_id: int, sent_on: dt.date, actor: User | None, label: str = "") -> PurchaseOrder:
    """Say that the supplier has the order; lead times count from this day on."""
    order = _locked(order_id)
    if order.status == Status.SENT:
        return order
    if order.status != Status.APPROVED:
        raise NotPossible(_("Only an approved order can be sent; %(number)s is %(status)s.") % _words(order))
    later = sent_on - (order.ordered_on or sent_on)
    PurchaseOrderLine.objects.filter(order=order).update(expected_on=F("expected_on") + later)
    if order.expected_on is not None:
        order.expected_on += later
    order.ordered_on = sent_on
    order.status, order.sent_at = Status.SENT, _now(order)
    order.save(update_fields=["status", "sent_at", "ordered_on", "expected_on"])
    _tell_items_of(order)
    alerts.resolve_of(code=UNSENT_CODE, subject=order.number)
    return _audited(order, "order.sent", actor, label)


@transaction.atomic
def tell_unsent(*, as_of: dt.date) -> int:
    """Raise an alert for each order that waits too long to be sent, resolve those that do not; how many wait."""
    found = overdue_for_sending(as_of)
    for order in found:
        first_on = order.first_on  # type: ignore[attr-defined]
        title = (_("Order %(number)s was approved but never sent") if order.status == Status.APPROVED
                 else _("Order %(number)s was drafted but never sent"))
        now_on = first_on + order.wait  # type: ignore[attr-defined]
        alerts.raise_alert(
            code=UNSENT_CODE, subject=order.number, severity="critical" if first_on <= as_of else "warning",
            title=title % _words(order), link=f"/orders/{order.pk}/",
            reason=_("Its goods were meant to come from %(first)s on, and are counted as coming on %(now)s, as if it "
                     "were sent today: nothing else is advised in their place. Send the order, or cancel it.") % {
                         "first": date_format(first_on, "j M Y"), "now": date_format(now_on, "j M Y")})
    alerts.resolve_others(code=UNSENT_CODE, subjects=[order.number for order in found])
    return len(found)


@transaction.atomic
def cancel_order(*, order_id: int, reason: str, actor: User | None, label: str = "") -> PurchaseOrder:
    """Expect nothing more on an order; what has come in stays, what has not may be ordered again."""
    lock_orders()
    order = _locked(order_id)
    if order.status == Status.CANCELLED:
        return order
    if order.status == Status.RECEIVED:
        raise NotPossible(_("%(number)s has come in whole; there is nothing left to cancel.") % _words(order))
    order.status, order.closed_at = Status.CANCELLED, _now(order)
    if reason:
        order.note = f"{order.note}\n{reason}".strip()
    order.save(update_fields=["status", "closed_at", "note"])
    alerts.resolve_of(code=UNSENT_CODE, subject=order.number)
    lines = PurchaseOrderLine.objects.filter(order=order)
    idle = lines.filter(received_quantity=0, recommendation_id__isnull=False).order_by("recommendation_id")
    dropped = list(idle.values_list("recommendation_id", flat=True))
    idle.update(recommendation_id=None)  # a recommendation stands on one line
    tell_lines_dropped(recommendation_ids=[pk for pk in dropped if pk])
    _tell_items_of(order)
    return _audited(order, "order.cancelled", actor, label, reason=reason)


_RECEIVE = """
WITH given AS (
    SELECT unnest(%(lines)s::bigint[]) AS line_id, unnest(%(quantities)s::numeric[]) AS quantity
), receipt AS (
    INSERT INTO inventory_receipt (tenant_id, line_id, quantity, received_on, reference, delivery_note, recorded_at)
    SELECT %(tenant)s, line_id, quantity, %(day)s, %(reference)s, %(note)s, clock_timestamp()
    FROM given ORDER BY line_id
    RETURNING id, line_id, quantity
), moved AS (
    INSERT INTO inventory_stockmovement
           (tenant_id, item_id, location_id, kind, occurred_on, quantity, reference, recorded_at)
    SELECT %(tenant)s, line.item_id, %(location)s, 'receipt', %(day)s, receipt.quantity, 'receipt ' || receipt.id,
           clock_timestamp()
    FROM receipt JOIN inventory_purchaseorderline line ON line.tenant_id = %(tenant)s AND line.id = receipt.line_id
    RETURNING item_id, quantity
), stocked AS (
    INSERT INTO inventory_stocklevel (tenant_id, item_id, location_id, on_hand, mode, origin, updated_at)
    SELECT %(tenant)s, item_id, %(location)s, quantity, 'derived', 'given', now() FROM moved ORDER BY item_id
    ON CONFLICT (tenant_id, item_id, location_id)
    DO UPDATE SET on_hand = inventory_stocklevel.on_hand + excluded.on_hand, updated_at = now()
)
UPDATE inventory_purchaseorderline line SET received_quantity = line.received_quantity + receipt.quantity
FROM receipt WHERE line.tenant_id = %(tenant)s AND line.id = receipt.line_id
"""


@transaction.atomic
def receive_lines(*, order_id: int, lines: Sequence[ReceivedLine], received_on: dt.date, reference: str,
                  actor: User | None, label: str = "", delivery_note: str | None = None,
                  may_exceed: bool = False) -> PurchaseOrder:
    """Take in some of an order's lines: stock moves once for each line and reference.

    What came counts, be it fewer than was ordered, or more: MoreThanOrdered unless somebody says that it `may_exceed`.
    The reference is the delivery note, unless another is given. The same again changes nothing; another quantity of a
    line under a known reference is NotPossible, since nobody can tell a correction from a second delivery.
    """
    order = _locked(order_id)
    known = {line.pk: line for line in PurchaseOrderLine.objects.select_for_update().filter(order=order).order_by("pk")}
    reference = " ".join(reference.split())  # people write one number with other blanks and in other letters
    seen = dict(Receipt.objects.filter(line_id__in=known, reference__iexact=reference).order_by()
                .values_list("line_id").annotate(quantity=Sum("quantity")))
    fresh: dict[int, Decimal] = {}
    for given in sorted(lines, key=lambda line: line.line_id):
        if given.quantity != 0:
            fresh[given.line_id] = fresh.get(given.line_id, Decimal(0)) + given.quantity
    for line_id in seen.keys() & fresh.keys():
        if fresh.pop(line_id) != seen[line_id]:
            raise NotPossible(_("%(item)s was already received under “%(reference)s”, %(came)s of it: give what came "
                                "since then a number of its own.") % {
                "item": known[line_id].item, "reference": reference, "came": plain(seen[line_id])})
    if not fresh:
        return order
    if order.status not in SENT_STATUSES:
        raise NotPossible(_("Goods come in on an order that was sent; %(number)s is %(status)s.") % _words(order))
    for line_id, quantity in fresh.items():
        line = known.get(line_id)
        if line is None:
            raise NotPossible(_("%(number)s has no such line.") % _words(order))
        if quantity < 0:
            raise NotPossible(_("No less than nothing can come in on %(number)s.") % _words(order))
        line.received_quantity += quantity
        if line.received_quantity > MOST_UNITS:
            raise NotPossible(_("So much of %(item)s cannot come in: look at the quantity.") % {"item": line.item})
    _ask_about_more([known[line_id] for line_id in fresh], order, may_exceed)
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "tenant": order.tenant_id, "location": order.location_id, "day": received_on, "reference": reference,
            "note": reference if delivery_note is None else delivery_note,
            "lines": list(fresh), "quantities": list(fresh.values()),
            "items": [known[line_id].item_id for line_id in fresh]}
        cursor.execute("SELECT id FROM inventory_stocklevel WHERE tenant_id = %(tenant)s AND item_id = ANY(%(items)s) "
                       "AND location_id = %(location)s ORDER BY item_id FOR UPDATE", parameters)
        cursor.execute(_RECEIVE, parameters)
    if all(line.received_quantity >= line.quantity for line in known.values()):
        order.status, order.closed_at = Status.RECEIVED, _now(order)
    else:
        order.status = Status.PARTLY_RECEIVED
    order.save(update_fields=["status", "closed_at"])
    tell_items_changed(item_ids=parameters["items"])
    return _audited(order, "order.received", actor, label, lines=len(fresh), reference=reference)


def _ask_about_more(lines: Sequence[PurchaseOrderLine], order: PurchaseOrder, may_exceed: bool) -> None:
    """Refuse lines of which more came in than was ordered: a slip of the keyboard, or something to know of."""
    more = {line.pk: line.received_quantity for line in lines if line.received_quantity > line.quantity}
    if not more or may_exceed:
        return
    found = PurchaseOrderLine.objects.filter(pk__in=more).select_related("item").order_by("pk")
    raise MoreThanOrdered(_("More would come in on %(number)s than was ordered: %(items)s.") % {
        "number": order.number, "items": ", ".join(
            _("%(item)s, %(came)s instead of %(ordered)s") % {
                "item": line.item, "came": plain(more[line.pk]), "ordered": plain(line.quantity)} for line in found)})


@transaction.atomic
def receive_rest(*, order_id: int, received_on: dt.date, reference: str, actor: User | None,
                 label: str = "", delivery_note: str | None = None) -> PurchaseOrder:
    """Take in all that is still to come on an order."""
    order = _locked(order_id)
    if order.status not in SENT_STATUSES:
        raise NotPossible(_("Goods come in on an order that was sent; %(number)s is %(status)s.") % _words(order))
    rest = [ReceivedLine(line_id=line.pk, quantity=line.quantity - line.received_quantity)
            for line in PurchaseOrderLine.objects.filter(order=order, received_quantity__lt=F("quantity"))]
    return receive_lines(order_id=order_id, lines=rest, received_on=received_on, reference=reference, actor=actor,
                         label=label, delivery_note=delivery_note)


@transaction.atomic
def receive_due(*, on: dt.date, label: str) -> int:
    """Take in every line that a sent order has due by a day, as a supplier does who keeps dates; how many lines."""
    due = (PurchaseOrderLine.objects
           .filter(order__status__in=SENT_STATUSES, expected_on__lte=on,
                   received_quantity__lt=F("quantity")).order_by("order_id", "pk"))
    count = 0
    for order_id, lines in groupby(list(due), key=lambda line: line.order_id):
        rest = [ReceivedLine(line_id=line.pk, quantity=line.quantity - line.received_quantity) for line in lines]
        receive_lines(order_id=order_id, lines=rest, received_on=on, reference=f"due {on}", actor=None, label=label)
        count += len(rest)
    return count


def _tell_items_of(order: PurchaseOrder) -> None:
    tell_items_changed(item_ids=PurchaseOrderLine.objects.filter(order=order).values_list("item_id", flat=True))


def _locked(order_id: int) -> PurchaseOrder:
    order: PurchaseOrder = PurchaseOrder.objects.select_for_update().get(pk=order_id)
    return order


def _now(order: PurchaseOrder) -> dt.datetime:
    """What an order's steps are dated by: people read them beside the shop's own days."""
    return tenant_by_id(order.tenant_id).now()


def _words(order: PurchaseOrder) -> dict[str, Any]:
    return {"number": order.number, "status": order.get_status_display()}


def _name(actor: User | None, label: str) -> str:
    return (label or (str(actor) if actor else "Stockwright"))[:160]


def _audited(order: PurchaseOrder, action: str, actor: User | None, label: str, **detail: Any) -> PurchaseOrder:
    record_audit(tenant=tenant_by_id(order.tenant_id), actor=actor, label=label, action=action, target=order.number,
                 detail=detail)
    return order
