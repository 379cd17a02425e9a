"""Long work as people see it: what waits, what runs and how far, what came of it."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.jobs import selectors, services
from apps.jobs.models import Job
from apps.jobs.selectors import JobView
from apps.tenants.access import ShopRequest, needs
from apps.tenants.models import Permission

PAGE = 30


def _found(pk: int) -> JobView:
    view = selectors.job_view(pk)
    if view is None:
        raise Http404
    return view


@require_safe
@needs(Permission.READ)
def jobs(request: ShopRequest) -> HttpResponse:
    """What waits and runs, renewed every two seconds, and what is over, page by page."""
    if request.htmx:
        live = selectors.live_jobs()
        if {str(view.job.pk) for view in live} != set(request.GET.get("shown", "").split(",")) - {""}:
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return render(request, "jobs/_live.html", {"live": live})
    over = selectors.jobs().exclude(state__in=[Job.State.QUEUED, Job.State.RUNNING])
    kind, state = request.GET.get("kind", ""), request.GET.get("state", "")
    if kind:
        over = over.filter(kind=kind)
    if state:
        over = over.filter(state=state)
    page = Paginator(over, PAGE).get_page(request.GET.get("page"))
    return render(request, "jobs/jobs.html", {
        "live": selectors.live_jobs(), "page": page, "over": selectors.with_records(list(page)),
        "kinds": selectors.listed_kinds(),
        "states": [choice for choice in Job.State.choices if choice[0] in ("done", "failed", "cancelled")]})


@require_safe
@needs(Permission.READ)
def job(request: ShopRequest, pk: int) -> HttpResponse:
    """One job: what it was given, its story line by line, what came of it."""
    return render(request, "jobs/_job.html" if request.htmx else "jobs/job.html", {"view": _found(pk)})


@require_safe
@needs(Permission.READ)
def progress(request: ShopRequest, pk: int) -> HttpResponse:
    """A job's bar alone, for any page that waits for it; when the job is over, the page is loaded anew."""
    view = _found(pk)
    if view.job.is_over:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return render(request, "components/progress.html", {"job": view})


@require_POST
@needs(Permission.OPERATE)
def cancel(request: ShopRequest, pk: int) -> HttpResponse:
    """Ask a job to stop."""
    try:
        services.cancel(job=_found(pk).job, actor=request.user)
        messages.success(request, _("The job stops at its next step."))
    except services.NotNow as refusal:
        messages.error(request, str(refusal))
    return redirect("jobs:job", pk)


@require_POST
@needs(Permission.OPERATE)
def retry(request: ShopRequest, pk: int) -> HttpResponse:
    """Run a job again that failed or was cancelled."""
    try:
        services.retry(job=_found(pk).job, actor=request.user)
        messages.success(request, _("The job waits for its turn."))
    except services.NotNow as refusal:
        messages.error(request, str(refusal))
    return redirect("jobs:job", pk)
