"""The pages that look across apps: Today, Items, one item, and the planning rules."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.catalog import selectors as catalog
from apps.catalog.services import change_defaults, change_term
from apps.portal.forms import PlanningForm, TermForm
from apps.portal.models import ItemSummary
from apps.portal.selectors.item import item_page
from apps.portal.selectors.items import (
    DEFAULT_SORT,
    Filters,
    departments,
    export_rows,
    rank_labels,
    stock_labels,
    summaries,
    supplier_names,
)
from apps.portal.selectors.today import today as today_of
from apps.tenants.access import ShopRequest, needs
from apps.tenants.downloads import csv_file
from apps.tenants.models import Permission

ITEMS_PAGE = 50


@require_safe
@needs(Permission.READ)
def today(request: ShopRequest) -> HttpResponse:
    """What to decide today, and how the shop stands."""
    return render(request, "portal/today.html", {"today": today_of(request.tenant), "as_of": request.tenant.today()})


def _filters(request: ShopRequest) -> Filters:
    asked = request.GET
    return Filters(search=asked.get("q", "").strip(), department=asked.get("department", ""),
                   supplier=asked.get("supplier", ""), rank=asked.get("abc", ""), planning=asked.get("planning", ""),
                   demand=asked.get("demand", ""), status=asked.get("status", ""), stock=asked.get("stock", ""),
                   sort=asked.get("sort") or DEFAULT_SORT)


@require_safe
@needs(Permission.READ)
def items(request: ShopRequest) -> HttpResponse:
    """All items, filtered, searched and ordered by the address."""
    page = Paginator(summaries(_filters(request)), ITEMS_PAGE).get_page(request.GET.get("page"))
    statuses = [("active", _("active")), ("paused", _("paused")), ("discontinued", _("discontinued"))]
    return render(request, "portal/items.html", {
        "page": page, "departments": departments(), "suppliers": supplier_names(), "classes": rank_labels(),
        "demands": ItemSummary.Demand.choices,
        "plannings": ItemSummary.Planning.choices, "statuses": statuses, "stocks": stock_labels(),
        "default_sort": DEFAULT_SORT, "query": request.GET.urlencode(), "is_filtered": bool(request.GET),
        "as_of": request.tenant.today(), "shows_lost": request.GET.get("stock") == "ran_out"})


@require_safe
@needs(Permission.READ)
def export_items(request: ShopRequest) -> StreamingHttpResponse:
    """The same items as on the list, as a file, row by row."""
    name = f"{request.tenant.slug}-items-{request.tenant.today().isoformat()}.csv"
    return StreamingHttpResponse(csv_file(export_rows(_filters(request))), content_type="text/csv; charset=utf-8",
                                 headers={"Content-Disposition": f'attachment; filename="{name}"'})


@require_safe
@needs(Permission.READ)
def item(request: ShopRequest, pk: int) -> HttpResponse:
    """One item, from its past to the advice."""
    return _item(request, pk)


def _item(request: ShopRequest, pk: int, form: TermForm | None = None) -> HttpResponse:
    as_of = request.tenant.today()
    found = item_page(pk, as_of)
    if found is None:
        raise Http404
    shown = form or TermForm(initial=TermForm.of(found.term)) if found.term else None
    return render(request, "portal/item.html", {"found": found, "item": found.item, "form": shown, "as_of": as_of},
                  status=422 if form is not None else 200)


@require_POST
@needs(Permission.IMPORT)
def change_terms(request: ShopRequest, pk: int) -> HttpResponse:
    """Say what the item's supplier asks for it; the next plan follows."""
    term = catalog.terms_of_items([pk]).get(pk)
    if term is None or not term["supplier_id"]:
        raise Http404
    form = TermForm(request.POST, initial=TermForm.of(term))
    if not form.is_valid():
        return _item(request, pk, form)
    changed = form.changed_terms()
    if changed:
        change_term(item=catalog.items().get(pk=pk), supplier=catalog.suppliers().get(pk=term["supplier_id"]),
                    actor=request.user, **changed)
        messages.success(request, _("The terms are changed: the next plan follows them."))
    return redirect("portal:item", pk)


@needs(Permission.READ, to_change=Permission.OPERATE)
def planning(request: ShopRequest) -> HttpResponse:
    """What is assumed where nothing is said, and the limits of every plan."""
    shown = PlanningForm.of(catalog.planning_defaults())
    form = PlanningForm(request.POST or None, initial=shown)
    if request.method == "POST" and form.is_valid():
        changed = form.changed_defaults()
        if changed:
            change_defaults(actor=request.user, **changed)
            messages.success(request, _("The rules are changed: the next plan follows them."))
        return redirect("portal:planning")
    return render(request, "portal/planning.html", {"form": form, "shown": shown})
