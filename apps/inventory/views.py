"""Purchase orders as people handle them: looked through, edited, approved, sent, taken in, cancelled, printed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.inventory import selectors, services
from apps.inventory.forms import Delivery, Edited, NotAQuantity, typed_in
from apps.inventory.models import PurchaseOrder
from apps.inventory.services import MoreThanOrdered, NotPossible, OddLot, ReasonMissing
from apps.tenants.access import ShopRequest, needs
from apps.tenants.downloads import csv_file
from apps.tenants.figures import money as money_words
from apps.tenants.models import Permission
from apps.tenants.tables import is_id

PAGE = 50

Status = PurchaseOrder.Status


@require_safe
@needs(Permission.READ)
def orders(request: ShopRequest) -> HttpResponse:
    """All orders, filtered by status, supplier and search."""
    asked = request.GET
    supplier = asked.get("supplier", "")
    today = request.tenant.today()
    found = selectors.orders(today, status=asked.get("status", ""), search=asked.get("q", "").strip(),
                             supplier_id=int(supplier) if is_id(supplier) else None,
                             sort=asked.get("sort", selectors.DEFAULT_SORT))
    counts = selectors.order_counts()
    statuses = [(str(value), f"{label} ({counts[value]})") for value, label in Status.choices if value in counts]
    return render(request, "inventory/orders.html", {
        "page": Paginator(found, PAGE).get_page(asked.get("page")), "statuses": statuses, "counts": counts,
        "today": today, "default_sort": selectors.DEFAULT_SORT,
        "coming": selectors.still_to_come()})


def _found(request: ShopRequest, pk: int) -> PurchaseOrder:
    found = selectors.order(pk, request.tenant.today())
    if found is None:
        raise Http404
    return found


@require_safe
@needs(Permission.READ)
def order(request: ShopRequest, pk: int) -> HttpResponse:
    """One order: its lines, what came in, and its next step."""
    return _order(request, pk)


def _order(request: ShopRequest, pk: int, question: str = "", edited: Edited | None = None) -> HttpResponse:
    """The page of an order; with a question about what was typed on it, which stands there to be sent again."""
    found, today = _found(request, pk), request.tenant.today()
    lines, typed = list(selectors.order_lines(pk, today)), typed_in(request.POST)
    for line in lines:
        line.typed = typed.get(line.pk, "")  # type: ignore[attr-defined]
    if edited and (found.status != Status.DRAFT or edited.line_id not in {line.pk for line in lines}):
        messages.error(request, edited.error or edited.question)  # the line's own box, where it would stand, is gone
    return render(request, "inventory/order.html", {
        "order": found, "lines": lines, "receipts": selectors.receipts(pk)[:100], "today": today,
        "can_receive": found.status in selectors.SENT_STATUSES, "is_open": found.status in selectors.OPEN_STATUSES,
        "is_unsent": found.status in selectors.UNSENT_STATUSES,
        "who": selectors.people_of(found), "mark": selectors.mark_of(lines), "question": question, "edited": edited,
        "typed_note": request.POST.get("reference", ""), "token": request.POST.get("token") or uuid.uuid4().hex},
        status=422 if question or edited else 200)


@require_safe
@needs(Permission.READ)
def printable(request: ShopRequest, pk: int) -> HttpResponse:
    """The order alone, as the supplier gets it on paper."""
    found = _found(request, pk)
    return render(request, "inventory/print.html", {
        "order": found, "lines": selectors.order_lines(pk, request.tenant.today())})


@require_safe
@needs(Permission.READ)
def export(request: ShopRequest, pk: int) -> HttpResponse:
    """The order as a file for the supplier."""
    found = _found(request, pk)
    rows = selectors.order_rows(found, request.tenant.today())
    return HttpResponse(b"".join(csv_file(rows)), content_type="text/csv; charset=utf-8",
                        headers={"Content-Disposition": f'attachment; filename="{found.number}.csv"'})


def _changed(request: ShopRequest, pk: int, done: str, change: Callable[..., Any], **given: Any) -> HttpResponse:
    _found(request, pk)
    try:
        change(order_id=pk, actor=request.user, **given)
        messages.success(request, done)
        _tell_odd(request, _found(request, pk))
    except MoreThanOrdered:
        raise  # it may be asked for again
    except NotPossible as refusal:
        messages.error(request, str(refusal))
    return redirect("inventory:order", pk)


def _tell_odd(request: ShopRequest, found: PurchaseOrder) -> None:
    """Say what is possible and yet odd: an order below its supplier's minimum, more goods than were ordered."""
    short = found.below_minimum  # type: ignore[attr-defined]
    if short and found.status in (Status.APPROVED, Status.SENT):
        messages.warning(request, _("%(number)s is %(money)s below the smallest order that %(supplier)s takes.") % {
            "number": found.number, "money": money_words(short, found.currency), "supplier": found.supplier})
    if found.status in (Status.RECEIVED, Status.PARTLY_RECEIVED) and (more := selectors.over_received(found.pk)):
        messages.warning(request, _("More came in than was ordered of %(items)s: all of it is in stock.") % {
            "items": ", ".join(more)})


def _seen(request: ShopRequest) -> str:
    """The mark of the lines that the page showed on which somebody presses."""
    return str(request.POST.get("seen", ""))


@require_POST
@needs(Permission.PLAN)
def change_line(request: ShopRequest, pk: int, line_pk: int) -> HttpResponse:
    """Order another quantity on a draft's line, or take it off; what has to be asked first is asked beside the line."""
    edited = Edited.from_post(line_pk, request.POST)
    if request.POST.get("act") == "remove":
        return _changed(request, pk, _("Taken off: what was advised may be decided on again."), services.remove_line,
                        line_id=line_pk, reason=edited.reason, seen=_seen(request))
    try:
        return _changed(request, pk, _("The line is changed."), services.change_line, line_id=line_pk,
                        quantity=edited.quantity, reason=edited.reason, may_be_odd=edited.may_be_odd,
                        as_of=request.tenant.today(), seen=_seen(request))
    except (NotAQuantity, ReasonMissing) as error:
        return _order(request, pk, edited=replace(edited, error=str(error)))
    except OddLot as question:
        return _order(request, pk, edited=replace(edited, question=str(question)))


@require_POST
@needs(Permission.PLAN)
def approve(request: ShopRequest, pk: int) -> HttpResponse:
    """Approve a draft."""
    return _changed(request, pk, _("Approved: it can go to the supplier."), services.approve_order,
                    seen=_seen(request))


@require_POST
@needs(Permission.PLAN)
def send(request: ShopRequest, pk: int) -> HttpResponse:
    """Mark an approved order as sent today."""
    return _changed(request, pk, _("Marked as sent: its lead times run from today."), services.mark_sent,
                    sent_on=request.tenant.today())


@require_POST
@needs(Permission.PLAN)
def cancel(request: ShopRequest, pk: int) -> HttpResponse:
    """Cancel what has not come in."""
    return _changed(request, pk, _("Cancelled: nothing more is expected on it."), services.cancel_order,
                    reason=request.POST.get("reason", "").strip()[:300])


@require_POST
@needs(Permission.PLAN)
def receive(request: ShopRequest, pk: int) -> HttpResponse:
    """Take in what came: some lines in part, or all that was still to come."""
    try:
        delivery = Delivery.from_post(request.POST)
    except NotAQuantity as error:
        messages.error(request, str(error))
        return redirect("inventory:order", pk)
    given = {"received_on": request.tenant.today(), "reference": delivery.reference,
             "delivery_note": delivery.delivery_note}
    if delivery.is_whole:
        return _changed(request, pk, _("All of it is in stock now."), services.receive_rest, **given)
    if not any(line.quantity for line in delivery.lines):
        messages.warning(request, _("Say how much of a line came in first."))
        return redirect("inventory:order", pk)
    try:
        return _changed(request, pk, _("What came in is in stock now."), services.receive_lines, lines=delivery.lines,
                        may_exceed=delivery.may_exceed, **given)
    except MoreThanOrdered as question:
        return _order(request, pk, str(question))
