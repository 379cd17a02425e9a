"""How operators look into a tenant's data: they choose the tenant first, it is written down, and they only look."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib import messages
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from unfold.admin import ModelAdmin
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import NotAllowed, record_audit

SESSION_KEY = "operator_tenant_id"


class SignInForm(AuthenticationForm):
    """Operators sign in as everyone does: so many attempts from an address, and so many for a name."""

    def clean(self) -> dict[str, Any]:
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if email and password:
            adapter = get_adapter(self.request)
            self.user_cache = adapter.authenticate(self.request, email=email, password=password)
            if self.user_cache is None:
                raise self.get_invalid_login_error()
            self.confirm_login_allowed(self.user_cache)
        cleaned: dict[str, Any] = self.cleaned_data
        return cleaned


class ReasonForm(forms.Form):
    """Why an operator needs to see a tenant's data."""

    reason = forms.CharField(label=_lazy("Why you need to see it"), max_length=200, widget=UnfoldAdminTextInputWidget,
                             help_text=_lazy("A ticket, a call: the tenant reads it in their audit trail."))


def no_shortcut(request: HttpRequest, rest: str) -> HttpResponse:
    """The admin's way from a row to its page: operators stand in nobody's shop, so no row has one."""
    raise Http404


def choose_tenant(request: HttpRequest, tenant: Tenant, reason: str) -> None:
    """Note in the session which tenant an operator looks into, and in the audit trail that they do and why."""
    request.session[SESSION_KEY] = tenant.pk
    record_audit(tenant=tenant, actor=request.user, action="operator.looked_in",  # type: ignore[arg-type]
                 target=tenant.slug, detail={"reason": reason})


def chosen_tenant(request: HttpRequest) -> Tenant | None:
    chosen = request.session.get(SESSION_KEY)
    return None if chosen is None else tenant_by_id(chosen)


def in_chosen_scope(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Run an admin view, its template included, in the chosen tenant's scope; without one, send to choose."""

    @wraps(view)
    def scoped(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        tenant = chosen_tenant(request)
        if tenant is None:
            messages.warning(request, _("Choose the tenant whose data you need to see; the choice is written down."))
            return HttpResponseRedirect(reverse("admin:tenants_tenant_changelist"))
        with tenant_context(tenant.pk):
            title = _("%(name)s: %(table)s") % {"name": tenant.name, "table": self.opts.verbose_name_plural}
            response = view(self, request, *args, extra_context={"title": title}, **kwargs)
            if hasattr(response, "render"):
                response.render()
            return response

    return scoped


def said_instead_of_failing(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """An admin view whose services may refuse: what they say stands as a message, and nothing has changed."""

    @wraps(view)
    def said(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            with transaction.atomic():
                return view(self, request, *args, **kwargs)
        except NotAllowed as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(request.get_full_path())

    return said


class LookOnlyAdmin(ModelAdmin):
    """What operators see and never change here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TenantOwnedAdmin(LookOnlyAdmin):
    """A tenant table as operators see it: the chosen tenant's rows, and nothing to change."""

    list_per_page = 50
    show_full_result_count = False

    changelist_view = in_chosen_scope(ModelAdmin.changelist_view)
    change_view = in_chosen_scope(ModelAdmin.change_view)
    history_view = in_chosen_scope(ModelAdmin.history_view)
    delete_view = in_chosen_scope(ModelAdmin.delete_view)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return self.model._default_manager.all()  # type: ignore[no-any-return]
