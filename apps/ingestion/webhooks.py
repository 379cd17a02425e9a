"""Deliveries of connected shops: the tenant from the path, the signature over the raw body, kept before the 200."""

from __future__ import annotations

import time

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.ingestion import services
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import tenant_by_slug

MOST_BYTES = 2 * 1024 * 1024  # an order with hundreds of lines has a tenth of it
MOST_A_MINUTE = 3_000  # a flash sale; Shopify sends what was not taken again, for some hours
MINUTE = 60
NOBODY = 0  # the scope of no tenant: what is asked there finds nothing, and takes about as long


def seconds_to_wait(tenant_id: int) -> int:
    """Counts a signed delivery; how long until the next is taken where a tenant sends too many, else 0.

    A broker that is away limits nobody.
    """
    now = int(time.time())
    key = f"tenant:{tenant_id}:deliveries:{now // MINUTE}"
    cache.add(key, 0, timeout=2 * MINUTE)
    try:
        taken = cache.incr(key)
    except ValueError:  # forgotten in between
        return 0
    return MINUTE - now % MINUTE if taken > MOST_A_MINUTE else 0


@csrf_exempt
@require_POST
def receive_shopify(request: HttpRequest, slug: str) -> HttpResponse:
    """Take in one signed delivery of a Shopify shop."""
    if (request.headers.get("Content-Length") or "0").isdigit() and int(
            request.headers.get("Content-Length") or 0) > MOST_BYTES:
        return HttpResponse(status=413)
    body = request.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        return HttpResponse(status=413)
    tenant = tenant_by_slug(slug)
    is_open = tenant is not None and tenant.status == Tenant.Status.ACTIVE
    with tenant_context(tenant.pk if tenant is not None and is_open else NOBODY):
        source = services.signed_by(body=body, signature=request.headers.get("X-Shopify-Hmac-Sha256", ""),
                                    shop_domain=request.headers.get("X-Shopify-Shop-Domain", "").lower())
        if tenant is None or source is None:  # who is a tenant here is nobody's to find out
            return HttpResponse(status=401)
        if wait := seconds_to_wait(tenant.pk):
            return HttpResponse(status=429, headers={"Retry-After": str(wait)})
        services.record_delivery(source=source, topic=request.headers.get("X-Shopify-Topic", ""),
                                 delivery_id=request.headers.get("X-Shopify-Webhook-Id", ""), body=body)
    return HttpResponse(status=200)
