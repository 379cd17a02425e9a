"""The plan: what to buy, why exactly so much, the decisions that turn it into orders, and what if."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.catalog import selectors as catalog
from apps.inventory.selectors import unsent_units
from apps.jobs import selectors as jobs
from apps.optimization import selectors, services
from apps.optimization.forms import NotAQuantity, ScenarioForm, Ticked
from apps.optimization.models import Plan, Recommendation, Scenario
from apps.optimization.selectors import MOST_COMPARED, Totals
from apps.optimization.services import CannotTry, OddLot, ReasonMissing
from apps.tenants.access import ShopRequest, needs
from apps.tenants.downloads import csv_file
from apps.tenants.figures import units
from apps.tenants.models import Permission
from apps.tenants.tables import is_id

PAGE = 50
LINES_SHOWN = 50  # of a scenario: what changes most; the file has the rest
EVERYTHING_AT_MOST = 20_000
FILTERS = ("supplier", "q", "binds", "only", "sort", "page")


class LinePaginator(Paginator):  # type: ignore[type-arg]
    """Pages of lines that were already counted together with their totals."""

    def __init__(self, lines: QuerySet[Recommendation], totals: Totals) -> None:
        super().__init__(lines, PAGE)
        self.totals = totals

    @cached_property
    def count(self) -> int:
        return self.totals.lines


def _lines(request: ShopRequest, plan: Plan | None) -> QuerySet[Recommendation]:
    given = request.GET
    supplier = given.get("supplier", "")
    return selectors.open_recommendations(
        plan=plan, supplier_id=int(supplier) if is_id(supplier) else None, search=given.get("q", "").strip(),
        binding=given.get("binds", ""), only=given.get("only", ""), sort=given.get("sort", selectors.DEFAULT_SORT))


def _query(request: ShopRequest) -> str:
    kept = request.GET.copy()
    for name in list(kept):
        if name not in FILTERS:
            del kept[name]
    return kept.urlencode()


@require_safe
@needs(Permission.READ)
def replenish(request: ShopRequest) -> HttpResponse:
    """The plan that stands, line by line."""
    return _page(request)


def _page(request: ShopRequest, ticked: Ticked | None = None, error: str = "", question: str = "") -> HttpResponse:
    plan = selectors.current_plan()
    lines = _lines(request, plan) if plan else Recommendation.objects.none()
    found = selectors.totals(lines) if plan else Totals()
    page = LinePaginator(lines, found).get_page(request.GET.get("page"))
    bound, words = selectors.bindings_of(plan) if plan else {}, selectors.binding_words()
    live = [view for view in jobs.live_jobs() if view.job.kind.startswith(("optimization.", "forecasting.forecast"))]
    last = None if plan or live else jobs.latest_of_kind("optimization.plan") or jobs.latest_of_kind("sales.refresh")
    context: dict[str, Any] = {
        "plan": plan, "page": page, "totals": found, "ticked": ticked, "error": error, "question": question,
        "query": _query(request),
        "is_whole": not any(request.GET.get(name) for name in ("supplier", "q", "binds", "only")),
        "suppliers": [(share.supplier_id, f"{share.name} ({share.lines})") for share in selectors.suppliers_of(plan)],
        "bindings": [(code or "none", f"{words.get(code, code)} ({count})") for code, count in sorted(bound.items())],
        "kept_lines": bound.get("kept", 0),
        "onlys": [("assumed", _("with assumed figures")), ("changed", _("changed since the last plan"))],
        "live": live, "last": last, "as_of": request.tenant.today(), "default_sort": selectors.DEFAULT_SORT}
    return render(request, "optimization/replenish.html", context, status=422 if error or question else 200)


@require_safe
@needs(Permission.READ)
def line(request: ShopRequest, pk: int) -> HttpResponse:
    """Why one line is what it is; within the plan's page, or on a page of its own."""
    found = selectors.recommendation_by_id(pk)
    if found is None or found.plan.is_replay:
        raise Http404
    context = {"line": found, "decision": selectors.decisions_of([found.pk]).get(found.pk),
               "unsent": unsent_units(found.item_id, found.location_id)}
    return render(request, "optimization/_why.html" if request.htmx else "optimization/line.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.PLAN)
def decide(request: ShopRequest) -> HttpResponse:
    """Approve or dismiss what is ticked; what cannot be done is said beside what was typed.

    Its address stays in the browser then; opened again, it leads to the plan.
    """
    if request.method != "POST":
        return redirect("optimization:replenish")
    ticked = Ticked.from_post(request.POST)
    plan = selectors.current_plan()
    ids = ticked.line_ids
    if ticked.is_everything and plan:
        ids = tuple(_lines(request, plan).values_list("pk", flat=True)[:EVERYTHING_AT_MOST])
    back = f"{reverse('optimization:replenish')}?{_query(request)}".rstrip("?")
    if not ids:
        messages.warning(request, _("Tick the lines to decide on first."))
        return redirect(back)
    who = {"as_of": request.tenant.today(), "actor": request.user}
    try:
        if request.POST.get("act") == "dismiss":
            decided = services.dismiss_many(recommendation_ids=ids, reason=ticked.reason, **who)  # type: ignore[arg-type]
            done = ngettext("%(n)s line dismissed.", "%(n)s lines dismissed.", len(decided.decisions))
        else:
            decided = services.decide_many(choices=ticked.choices(ids), **who)  # type: ignore[arg-type]
            done = ngettext("%(n)s line stands on a purchase order.", "%(n)s lines stand on purchase orders.",
                            len(decided.decisions))
    except (NotAQuantity, ReasonMissing) as error:
        return _page(request, ticked, str(error))
    except OddLot as question:
        return _page(request, ticked, question=str(question))
    if decided.decisions:
        messages.success(request, done % {"n": units(len(decided.decisions))})
    if decided.passed_over:
        messages.warning(request, ngettext(
            "%(n)s line was passed over: it was decided otherwise, or a newer plan replaced it.",
            "%(n)s lines were passed over: they were decided otherwise, or a newer plan replaced them.",
            decided.passed_over) % {"n": units(decided.passed_over)})
    if len(decided.order_ids) == 1:
        return redirect("inventory:order", decided.order_ids[0])
    return redirect("inventory:orders" if decided.order_ids else back)


@require_POST
@needs(Permission.PLAN)
def replan(request: ShopRequest) -> HttpResponse:
    """Ask for a plan with what is known now."""
    services.request_plan(as_of=request.tenant.today())
    messages.success(request, _("The plan is being made; this page shows how far it is."))
    return redirect("optimization:replenish")


@require_safe
@needs(Permission.READ)
def export(request: ShopRequest) -> StreamingHttpResponse:
    """The same lines as on the page, all of them, as a file."""
    rows = selectors.recommendation_rows(_lines(request, selectors.current_plan()))
    name = f"{request.tenant.slug}-plan-{request.tenant.today().isoformat()}.csv"
    return StreamingHttpResponse(csv_file(rows), content_type="text/csv; charset=utf-8",
                                 headers={"Content-Disposition": f'attachment; filename="{name}"'})


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.READ, to_change=Permission.PLAN)
def what_if(request: ShopRequest) -> HttpResponse:
    """What was asked already, some of it side by side where an address asks for that, and a form to ask more."""
    form = ScenarioForm(request.POST if request.method == "POST" else None, kinds=catalog.kinds(),
                        suppliers=list(catalog.suppliers_in_use().values_list("pk", "name")))
    if request.method == "POST" and form.is_valid():
        try:
            made, _asked = services.make_scenario(changes=form.changes(), name=form.cleaned_data["name"],
                                                actor=request.user)
            return redirect("optimization:scenario", made.pk)
        except CannotTry as refused:
            form.tell(refused)
    wanted = dict.fromkeys(int(each) for each in ",".join(request.GET.getlist("compare")).split(",") if is_id(each))
    if 2 <= len(wanted) <= MOST_COMPARED and request.method != "POST":
        return _compared(request, list(wanted))
    found = selectors.scenario_views(list(selectors.scenarios()))
    context = {"views": found, "form": form, "plan": selectors.current_plan(), "most": MOST_COMPARED,
               "comparable": sum(view.scenario.planned_at is not None for view in found),
               "compared_wrongly": "compare" in request.GET}
    return render(request, "optimization/what_if.html", context, status=422 if form.errors else 200)


def _compared(request: ShopRequest, ids: list[int]) -> HttpResponse:
    found = {scenario.pk: scenario for scenario in selectors.scenarios().filter(
        pk__in=ids, planned_at__isnull=False).select_related("plan")}
    if len(found) < len(ids):
        raise Http404
    chosen = [found[pk] for pk in ids]
    suppliers = selectors.suppliers_compared(chosen)
    return render(request, "optimization/what_if_compared.html", {
        "views": selectors.scenario_views(chosen), "suppliers": suppliers,
        "sides": [selectors.planned_side(chosen), *(scenario.after for scenario in chosen)]})


def _scenario(pk: int) -> Scenario:
    found = selectors.scenario_by_id(pk)
    if found is None:
        raise Http404
    return found


@require_safe
@needs(Permission.READ)
def scenario(request: ShopRequest, pk: int) -> HttpResponse:
    """What a scenario comes to beside the plan: figures, what binds, suppliers, and the items that change most."""
    found = _scenario(pk)
    [view] = selectors.scenario_views([found])
    context: dict[str, Any] = {"view": view, "views": [view], "scenario": found,
                               "job": view.job if view.is_live else None}
    if found.planned_at is not None:
        changed, suppliers = selectors.changed_most(found, LINES_SHOWN), selectors.supplier_changes([found])
        context |= {"lines": changed.lines, "changed": changed.count, "sides": [found.before, found.after],
                    "suppliers": selectors.others_together(suppliers),
                    "names": {share.supplier_id: share.name for share in suppliers}}
    return render(request, "optimization/scenario.html", context)


@require_POST
@needs(Permission.PLAN)
def run_scenario(request: ShopRequest, pk: int) -> HttpResponse:
    """Reckon a scenario again, beside the plan that stands now."""
    services.run_scenario(scenario=_scenario(pk))
    return redirect("optimization:scenario", pk)


@require_POST
@needs(Permission.PLAN)
def delete_scenario(request: ShopRequest, pk: int) -> HttpResponse:
    found = _scenario(pk)
    services.delete_scenario(scenario=found, actor=request.user)
    messages.success(request, _("“%(name)s” is deleted.") % {"name": found.name})
    return redirect("optimization:what_if")


@require_safe
@needs(Permission.READ)
def export_scenario(request: ShopRequest, pk: int) -> StreamingHttpResponse:
    """All that a scenario orders otherwise, as a file."""
    rows = selectors.scenario_rows(_scenario(pk))
    return StreamingHttpResponse(csv_file(rows), content_type="text/csv; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="{request.tenant.slug}-what-if-{pk}.csv"'})
