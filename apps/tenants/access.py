"""Who may open a page: `@needs(Permission.PLAN)` stands before every view of the portal."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from apps.tenants.middleware import SAFE_METHODS
from apps.tenants.models import ApiKey, Membership, Permission, Tenant, User

V = TypeVar("V", bound=Callable[..., HttpResponseBase])


class ShopRequest(HttpRequest):
    """A request as a view behind `needs` sees it: somebody, in one shop."""

    user: User
    tenant: Tenant
    membership: Membership
    api_key: ApiKey | None
    htmx: HtmxDetails


def needs(permission: str, *, to_change: str | None = None, is_personal: bool = False) -> Callable[[V], V]:
    """Let a view be opened only by those who may.

    `permission` is asked for every method; where a page shows something to everyone and takes a form from some,
    `to_change` is asked of the form. Looking is no permission to change: a view that asks only for READ refuses every
    form, unless it changes nothing but the person's own session (`is_personal`). Strangers are sent to sign in;
    people without a shop are told how to get one. The page is made in the shop's own time zone.
    """

    def decorate(view: V) -> V:
        @wraps(view)
        def guarded(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if request.membership is None:
                return render(request, "tenants/no_shop.html")
            is_change = request.method not in SAFE_METHODS
            asked = {permission, to_change or permission} if is_change else {permission}
            if not all(request.membership.may(each) for each in asked):
                raise PermissionDenied(_("Your role in this shop does not allow this."))
            if is_change and asked == {Permission.READ} and not is_personal:
                raise PermissionDenied(_("This page only shows; nothing can be sent to it."))
            with timezone.override(request.tenant.zone):
                return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        guarded.to_change = to_change or permission  # type: ignore[attr-defined]
        guarded.is_personal = is_personal  # type: ignore[attr-defined]
        return cast(V, guarded)

    return decorate


def _to_sign_in(request: Any) -> HttpResponse:
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": resolve_url("account_login")})
    return redirect_to_login(request.get_full_path() if request.method in SAFE_METHODS else "/")
