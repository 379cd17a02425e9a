"""Data: its health, the files that came in, and the shops that send by themselves."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.catalog import selectors as catalog
from apps.ingestion import selectors, services
from apps.ingestion.adapters.rules import FLAGGED, REJECTED, SET_ASIDE
from apps.ingestion.forms import ConfirmForm, ShopifyForm, UnusualForm, UploadForm
from apps.ingestion.models import ImportFile
from apps.sales import selectors as sales
from apps.tenants.access import ShopRequest, needs
from apps.tenants.figures import units
from apps.tenants.models import Permission

PAGE = 30
ISSUES = 50
GAPS_SHOWN = 31


def _found(pk: int) -> ImportFile:
    file = selectors.file_by_id(pk)
    if file is None:
        raise Http404
    return file


@require_safe
@needs(Permission.READ)
def health(request: ShopRequest) -> HttpResponse:
    """How whole the data is: what came in, what was left out and why, gaps, and what is assumed."""
    today = request.tenant.today()
    counts = selectors.counts_by_kind()
    orders = counts.get(ImportFile.Kind.ORDERS) or selectors.Counts()
    span = sales.history_span()
    gaps = span.gaps
    closed = sales.closed_weekdays(gaps, gaps[-1]) if gaps else set()
    unexplained = [day for day in gaps if day.weekday() not in closed]
    titles = selectors.kind_titles()
    return render(request, "ingestion/health.html", {
        "orders": orders, "counts": [(titles[kind], figures) for kind, figures in sorted(counts.items())],
        "set_aside": selectors.rule_counts(orders.rules, SET_ASIDE, orders.files),
        "rejected": selectors.rejected_counts(counts),
        "waiting": sum(figures.waiting for figures in counts.values()),
        "flagged": selectors.rule_counts(orders.rules, FLAGGED, orders.files),
        "deliveries": selectors.delivery_counts(), "span": span,
        "gaps": unexplained[-GAPS_SHOWN:], "gap_count": len(unexplained), "closed_count": len(gaps) - len(unexplained),
        "assumptions": [(catalog.assumption_words()[each.name], each)
                        for each in sales.leading_assumptions(today, span.first_date)],
    })


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.READ, to_change=Permission.IMPORT)
def imports(request: ShopRequest) -> HttpResponse:
    """Files that came in, and the door for the next one."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        upload = form.cleaned_data["file"]
        try:
            file = services.store_file(kind=form.cleaned_data["kind"] or None, name=upload.name, source=upload,
                                       uploaded_by=request.user.email)
        except services.FileRefused as refused:
            form.add_error("file", str(refused))
        else:
            return redirect("ingestion:file", file.pk)
    page = Paginator(selectors.files(), PAGE).get_page(request.GET.get("page"))
    return render(request, "ingestion/imports.html", {"form": form, "page": page},
                  status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.READ, to_change=Permission.IMPORT)
def file(request: ShopRequest, pk: int) -> HttpResponse:
    """One file: what its columns mean, how far its reading is, what became of its rows."""
    found = _found(pk)
    form = ConfirmForm(request.POST or None, file=found) if found.dialect.get("header") else None
    if request.method == "POST":
        if form is None:
            messages.error(request, found.error)
        elif request.POST.get("kind", found.kind) != found.kind and request.POST["kind"] in ImportFile.Kind.values:
            services.change_kind(file=found, kind=request.POST["kind"])
            return redirect("ingestion:file", pk)
        elif form.is_valid():
            try:
                services.confirm_file(file=found, actor=request.user, mapping=form.mapping(), options=form.options())
            except services.FileRefused as refused:
                form.add_error(None, str(refused))
            else:
                return redirect("ingestion:file", pk)
    rule_code = request.GET.get("rule", "")
    issues = Paginator(selectors.issues_of(found, rule_code=rule_code), ISSUES).get_page(request.GET.get("page"))
    choices = [(choice, form[f"column_{choice.column.name}"]) for choice in selectors.column_choices(found)] if (
        form is not None) else []
    job = selectors.reading_job(found)
    files = {code: found for counts in found.rules.values() for code in counts}
    waiting = selectors.waiting_by_rule(found)
    rules = {outcome: selectors.rule_counts(found.rules, outcome, files, waiting)
             for outcome in (REJECTED, SET_ASIDE, FLAGGED)}
    return render(request, "ingestion/file.html", {
        "file": found, "form": form, "choices": choices, "unused": selectors.unused_columns(found), "issues": issues,
        "shown": selectors.shown_issues(found, issues), "job": job,
        "rules": rules, "rule": rule_code, "nameless": selectors.nameless_rows(found) if found.rows_rejected else 0,
        "stopped_rules": [(each.rule.code, each.rule.title) for each in rules[REJECTED] + rules[SET_ASIDE]],
        "is_open": found.state != ImportFile.State.APPLIED or (form is not None and bool(form.errors)),
    }, status=422 if form is not None and form.errors else 200)


@require_POST
@needs(Permission.IMPORT)
def set_rows_aside(request: ShopRequest, pk: int) -> HttpResponse:
    """Let the rejected rows of a file wait no more."""
    services.set_rows_aside(file=_found(pk), actor=request.user)
    messages.success(request, _("These rows wait no more. They stay listed here."))
    return redirect("ingestion:file", pk)


@require_safe
@needs(Permission.READ)
def rows(request: ShopRequest, pk: int) -> HttpResponseBase:
    """The rows that were rejected, or set aside, as a file to mend and send again."""
    found = _found(pk)
    outcome = SET_ASIDE if request.GET.get("outcome") == SET_ASIDE else REJECTED
    response = StreamingHttpResponse(selectors.issue_lines(found, outcome=outcome), content_type="text/csv")
    name = found.name.rsplit(".", 1)[0].replace('"', "")
    response["Content-Disposition"] = f'attachment; filename="{outcome.replace("_", "-")}-{name}.csv"'.encode(
        "ascii", "replace").decode()
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.READ, to_change=Permission.IMPORT)
def unusual(request: ShopRequest) -> HttpResponse:
    """Sales far above all others of their item: each is confirmed or corrected by a person, and the plan follows."""
    if request.method == "POST":
        form = UnusualForm(request.POST)
        if not form.is_valid():
            messages.error(request, _("Write how many were really sold, such as 1; 0 leaves the sale out."))
            return redirect("ingestion:unusual")
        try:
            services.correct_sale(line_id=form.cleaned_data["line"], quantity=form.cleaned_data["quantity"],
                                  actor=request.user)
        except services.NotCorrected as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, _("Noted: %(units)s. Forecast and plan follow by themselves.")
                             % {"units": units(form.cleaned_data["quantity"])})
        return redirect("ingestion:unusual")
    today = request.tenant.today()
    page = Paginator(sales.unusual_sales(today), PAGE).get_page(request.GET.get("page"))
    return render(request, "ingestion/unusual.html", {"page": page, "looked_at": sales.sales_looked_at(today)})


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.READ, to_change=Permission.IMPORT)
def connections(request: ShopRequest) -> HttpResponse:
    """Shops that send their orders by themselves; a secret is shown once, on the page that made it."""
    form = ShopifyForm(request.POST or None)
    made, secret = None, ""
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = services.connect_shopify(
                name=form.cleaned_data["name"], shop_domain=form.cleaned_data["shop_domain"],
                secret=form.cleaned_data["secret"], actor=request.user)
            secret = "" if form.cleaned_data["secret"] else secret
            form = ShopifyForm()
        except services.FileRefused as refused:
            form.add_error("shop_domain", str(refused))
    page = Paginator(selectors.deliveries(), PAGE).get_page(request.GET.get("page"))
    response = render(request, "ingestion/connections.html", {
        "form": form, "made": made, "secret": secret, "page": page, "connections": selectors.connections(),
        "address": request.build_absolute_uri(reverse("shopify-hook", args=[request.tenant.slug])),
        "counts": selectors.delivery_counts()}, status=422 if form.errors else 200)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@needs(Permission.IMPORT)
def disconnect(request: ShopRequest, pk: int) -> HttpResponse:
    """Take no more deliveries from a shop."""
    services.disconnect(connection_id=get_object_or_404(selectors.connections(), pk=pk).pk, actor=request.user)
    messages.success(request, _("This shop's deliveries are refused from now on."))
    return redirect("ingestion:connections")
