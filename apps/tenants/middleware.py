"""Puts a request into its tenant's scope: a person's by their membership, a program's by its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from apps.tenants import selectors, services
from apps.tenants.figures import numbers_as
from apps.tenants.models import ApiKey, Membership, Tenant, User
from apps.tenants.scope import scoped_stream, tenant_context

SESSION_KEY = "tenant_id"
OUTSIDE_SHOPS = ("/accounts/", "/invitations/", "/shops/new/")  # what a person does as themselves
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def enter_shop(request: HttpRequest, tenant_id: int) -> None:
    """Stand in this shop from now on.

    Forms of pages that another tab still shows of the shop before carry the old token: they are refused as too old
    instead of doing in this shop what was meant for that one.
    """
    request.session[SESSION_KEY] = tenant_id
    rotate_token(request)


def stand_in_first_shop(request: Any, user: User, **_more: Any) -> None:
    """Note at sign-in which shop the person sees, so that they notice when it is another one."""
    if request is not None and hasattr(request, "session"):
        request.user = user
        place = TenantMiddleware.membership(request)
        if place is not None:
            request.session[SESSION_KEY] = place.tenant_id


class TenantRequest(HttpRequest):
    """A request after TenantMiddleware; the fields are None where nobody's scope was entered."""

    tenant: Tenant | None
    membership: Membership | None
    api_key: ApiKey | None


class TenantMiddleware:
    """Enters the tenant's scope around the view.

    The scope's transaction lies outside the view's own (ATOMIC_REQUESTS): a view that raises is rolled back by the
    inner one before its error page comes past here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        request.tenant = request.membership = request.api_key = None
        if request.path.startswith(("/static/", "/healthz", "/readyz", "/hooks/")):
            return self.get_response(request)
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and request.path.startswith("/api/"):
            request.api_key = selectors.live_key(secret.strip())
            request.tenant = request.api_key.tenant if request.api_key else None
        elif not request.path.startswith("/admin/"):  # operators enter a scope by choosing it, table by table
            request.membership = self.membership(request)
            request.tenant = request.membership.tenant if request.membership else None
        if request.tenant is None:
            return self.get_response(request)
        structlog.contextvars.bind_contextvars(tenant_id=request.tenant.pk)
        if request.membership is not None and request.session.get(SESSION_KEY) not in (None, request.tenant.pk):
            enter_shop(request, request.tenant.pk)  # the shop that was chosen is no longer theirs
            if request.method not in SAFE_METHODS:
                return render(request, "403_csrf.html", status=403)
        if request.tenant.status == Tenant.Status.SUSPENDED:
            if not request.path.startswith(OUTSIDE_SHOPS):
                return self.suspended(request)
            request.tenant = request.membership = None
            return self.get_response(request)
        if request.api_key is not None:
            services.touch_key(key=request.api_key)
        with tenant_context(request.tenant.pk), numbers_as(request.tenant.locale):
            response = self.get_response(request)
            if hasattr(response, "render") and not getattr(response, "is_rendered", True):
                response = response.render()
        if isinstance(response, StreamingHttpResponse) and not response.is_async:
            response.streaming_content = scoped_stream(request.tenant.pk, response.streaming_content)  # type: ignore[arg-type]
        if not response.has_header("Cache-Control"):  # a shop's pages are kept by no proxy and no shared machine
            add_never_cache_headers(response)
        return response

    @staticmethod
    def membership(request: Any) -> Membership | None:
        """The place that the person chose last, or their first; None for strangers and people without a tenant.

        A suspended shop comes after all others: it must not stand between a person and the rest.
        """
        if not request.session.get("_auth_user_id") or not request.user.is_authenticated:
            return None
        chosen = request.session.get(SESSION_KEY)
        places = list(selectors.memberships_of(request.user))
        places = [place for place in places if place.tenant.status == Tenant.Status.ACTIVE] or places
        return next((place for place in places if place.tenant_id == chosen), places[0] if places else None)

    @staticmethod
    def suspended(request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/"):
            return JsonResponse({"type": "about:blank", "title": str(_("This shop is suspended.")), "status": 403},
                                status=403, content_type="application/problem+json")
        return render(request, "tenants/suspended.html", status=403)
