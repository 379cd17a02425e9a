"""How well forecasts and advice did, after the fact."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.feedback import selectors
from apps.tenants.access import ShopRequest, needs
from apps.tenants.models import Permission


@require_safe
@needs(Permission.READ)
def accuracy(request: ShopRequest) -> HttpResponse:
    """Forecasts against what happened, advice against its outcomes, changes against the advice, and the proof."""
    return render(request, "feedback/accuracy.html", {"page": selectors.accuracy_page(request.tenant.currency)})
