"""The demo's page and the bar above every other page: where the shop stands, and its next days."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.demo import selectors, services
from apps.jobs.services import NotNow
from apps.tenants.access import ShopRequest, needs
from apps.tenants.models import Permission

WEEK = 7


def _demo_only(request: ShopRequest) -> None:
    if not selectors.is_demo_shop(request.tenant):
        raise Http404


@require_safe
@needs(Permission.READ)
def demo(request: ShopRequest) -> HttpResponse:
    """What the demo is, where it stands, and the days that came in."""
    _demo_only(request)
    return render(request, "demo/demo.html", {
        "standing": selectors.standing(request.tenant), "busy": selectors.busy_job(),
        "facts": selectors.facts(request.tenant), "waiting_lines": selectors.lines_not_yet_released(request.tenant),
        "let_in": selectors.days_let_in()})


@require_safe
@needs(Permission.READ)
def bar(request: ShopRequest) -> HttpResponse:
    """The bar alone, for the page that waits for a day to be closed and planned."""
    _demo_only(request)
    return _bar(request, is_renewed=True)


def _bar(request: ShopRequest, *, is_renewed: bool) -> HttpResponse:
    path = request.htmx.current_url_abs_path or "/"
    return render(request, "demo/_bar.html", {
        "standing": selectors.standing(request.tenant), "busy": selectors.busy_job(), "path": path,
        "is_renewed": is_renewed})


@require_POST
@needs(Permission.OPERATE)
def days(request: ShopRequest) -> HttpResponse:
    """Let the next day in, or a week."""
    _demo_only(request)
    count = WEEK if request.POST.get("days") == str(WEEK) else 1
    try:
        services.let_days_in(days=count, actor=request.user)
    except (services.YearIsOver, NotNow) as refusal:
        if not request.htmx:
            messages.warning(request, str(refusal))
    else:
        if not request.htmx:
            messages.success(request, _("The next day is on its way in; its progress shows above every page."))
    return _bar(request, is_renewed=False) if request.htmx else redirect("demo:demo")
