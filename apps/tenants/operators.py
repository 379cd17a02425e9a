"""How operators look into a tenant's data: they choose the tenant first, it is written down, and they only look."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import record_audit

SESSION_KEY = "operator_tenant_id"


def choose_tenant(request: HttpRequest, tenant: Tenant) -> None:
    """Note in the session which tenant an operator looks into, and in the audit trail that they do."""
    request.session[SESSION_KEY] = tenant.pk
    record_audit(tenant=tenant, actor=request.user, action="operator.looked_in",  # type: ignore[arg-type]
                 target=tenant.slug)


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
