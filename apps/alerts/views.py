"""What needs someone, the worst first, and what was dealt with."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.alerts import selectors, services
from apps.alerts.models import Alert
from apps.tenants.access import ShopRequest, needs
from apps.tenants.models import Permission

PAGE = 30


@require_safe
@needs(Permission.READ)
def alerts(request: ShopRequest) -> HttpResponse:
    """What is open or seen; with `?view=resolved`, what is over."""
    is_over = request.GET.get("view") == "resolved"
    found = selectors.resolved_alerts() if is_over else selectors.open_alerts()
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return render(request, "alerts/alerts.html", {"page": page, "is_over": is_over})


@require_POST
@needs(Permission.PLAN)
def seen(request: ShopRequest, pk: int) -> HttpResponse:
    """Someone knows of it."""
    try:
        services.mark_seen(alert_id=pk)
    except Alert.DoesNotExist:
        raise Http404 from None
    return redirect("alerts:alerts")


@require_POST
@needs(Permission.PLAN)
def resolve(request: ShopRequest, pk: int) -> HttpResponse:
    """It is dealt with."""
    try:
        services.resolve(alert_id=pk)
    except Alert.DoesNotExist:
        raise Http404 from None
    return redirect("alerts:alerts")
