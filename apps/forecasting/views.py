"""The models: which is in use and why, how they compare, and changing that with a reason."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.forecasting import selectors, services
from apps.forecasting.forms import ReasonForm
from apps.jobs import selectors as jobs
from apps.registry import selectors as registry
from apps.tenants.access import ShopRequest, needs
from apps.tenants.models import Permission

CONTEST_KINDS = ("forecasting.backtest", "forecasting.backtest_lstm")


@require_safe
@needs(Permission.READ)
def demand(request: ShopRequest) -> HttpResponse:
    """What the shop is forecast to sell, and each kind of item; `?kind=` looks into one department."""
    try:
        page = selectors.demand_page(request.GET.get("kind"))
    except selectors.NoSuchKind as unknown:
        raise Http404 from unknown
    return render(request, "forecasting/demand.html", {"page": page, "is_kind": "kind" in request.GET})


@require_safe
@needs(Permission.READ)
def models(request: ShopRequest) -> HttpResponse:
    """The champion, the leaderboard of the last contest, the versions and who changed what."""
    page = selectors.models_page()
    live = [view for view in jobs.live_jobs() if view.job.kind in CONTEST_KINDS]
    return render(request, "forecasting/models.html", {"page": page, "live": live})


@require_safe
@needs(Permission.READ)
def version(request: ShopRequest, pk: int) -> HttpResponse:
    """One version: where it comes from, how it did, and the forms to put it in use."""
    return _version(request, pk, ReasonForm())


def _version(request: ShopRequest, pk: int, form: ReasonForm, status: int = 200) -> HttpResponse:
    found = registry.version_by_id(pk)
    if found is None:
        raise Http404
    return render(request, "forecasting/version.html", {
        "version": found, "champion": registry.champion(found.name), "form": form}, status=status)


@require_POST
@needs(Permission.OPERATE)
def promote(request: ShopRequest, pk: int) -> HttpResponse:
    """Put a version in use, with a reason."""
    found = registry.version_by_id(pk)
    if found is None:
        raise Http404
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return _version(request, pk, form, status=422)
    services.promote(version=found, reason=form.cleaned_data["reason"], actor=request.user)
    messages.success(request, _("%(version)s is in use from the next forecast on.") % {"version": found})
    return redirect("forecasting:models")


@require_POST
@needs(Permission.OPERATE)
def retrain(request: ShopRequest, pk: int) -> HttpResponse:
    """Ask for a version to be trained again from its lineage."""
    found = registry.version_by_id(pk)
    if found is None:
        raise Http404
    return redirect("jobs:job", services.request_retraining(version=found))


@require_POST
@needs(Permission.OPERATE)
def roll_back(request: ShopRequest) -> HttpResponse:
    """Go back to the version that was in use before, with a reason."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why: it stands in the history for everyone who asks later."))
        return redirect("forecasting:models")
    try:
        earlier = services.roll_back(reason=form.cleaned_data["reason"], actor=request.user)
        messages.success(request, _("%(version)s is in use again from the next forecast on.") % {"version": earlier})
    except services.CannotRollBack as refusal:
        messages.error(request, str(refusal))
    return redirect("forecasting:models")


@require_POST
@needs(Permission.OPERATE)
def compare(request: ShopRequest) -> HttpResponse:
    """Ask for a new contest."""
    services.request_backtest(tenant=request.tenant, reason=_("%(who)s asked for it.") % {"who": request.user})
    messages.success(request, _("The models will be compared anew: it takes some minutes."))
    return redirect("forecasting:models")
