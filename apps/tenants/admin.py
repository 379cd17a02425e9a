"""Operators' pages: tenants, people, memberships, keys and the audit trail."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.tenants import operators, services
from apps.tenants.models import ApiKey, AuditEntry, Membership, Tenant, User

admin.site.unregister(Group)
admin.site.login_form = operators.SignInForm


@admin.register(Tenant)
class TenantAdmin(ModelAdmin):
    """Make, limit, suspend, look into."""

    list_display = ("name", "slug", "tier", "status", "people", "live_keys", "created_at", "is_demo")
    list_filter = ("status", "tier")
    search_fields = ("name", "slug")
    readonly_fields = ("created_at",)
    fields = ("name", "slug", "status", "tier", "limits", "currency", "time_zone", "country", "locale", "demo_date",
              "created_at")
    actions = ("suspend", "reactivate")
    actions_row = ("look_into",)
    actions_detail = ("look_into",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        return Tenant.objects.annotate(
            people_count=Count("memberships", distinct=True),
            key_count=Count("api_keys", filter=Q(api_keys__revoked_at=None), distinct=True))

    @admin.display(description=_("people"), ordering="people_count")
    def people(self, tenant: Any) -> int:
        return int(tenant.people_count)

    @admin.display(description=_("live keys"), ordering="key_count")
    def live_keys(self, tenant: Any) -> int:
        return int(tenant.key_count)

    @admin.display(description=_("demo"), boolean=True)
    def is_demo(self, tenant: Tenant) -> bool:
        return tenant.is_demo

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        if change:
            changed = {name: form.cleaned_data[name] for name in form.changed_data}
            services.change_tenant(tenant=Tenant.objects.get(pk=obj.pk), actor=request.user,  # type: ignore[arg-type]
                                   **changed)
        else:
            given = {name: form.cleaned_data[name] for name in form.cleaned_data if name != "slug"}
            made = services.make_tenant(slug=form.cleaned_data["slug"], owner=None,
                                        actor=request.user, **given)  # type: ignore[arg-type]
            obj.pk = made.pk

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        return False  # a tenant is suspended; its facts are not an operator's to drop

    @admin.action(description=_("Suspend"))
    def suspend(self, request: HttpRequest, chosen: QuerySet[Tenant]) -> None:
        self._set_status(request, chosen, Tenant.Status.SUSPENDED)

    @admin.action(description=_("Let in again"))
    def reactivate(self, request: HttpRequest, chosen: QuerySet[Tenant]) -> None:
        self._set_status(request, chosen, Tenant.Status.ACTIVE)

    def _set_status(self, request: HttpRequest, chosen: QuerySet[Tenant], status: str) -> None:
        tenants = [tenant for tenant in chosen if tenant.status != status]
        for tenant in tenants:
            services.change_tenant(tenant=tenant, actor=request.user, status=status)  # type: ignore[arg-type]
        self.message_user(request, ngettext("%(n)d tenant changed.", "%(n)d tenants changed.", len(tenants))
                          % {"n": len(tenants)})

    @action(description=_("Look into its data"), url_path="look-into")
    def look_into(self, request: HttpRequest, object_id: int) -> HttpResponse:
        tenant = get_object_or_404(Tenant, pk=object_id)
        form = operators.ReasonForm(request.POST or None)
        if form.is_valid():
            operators.choose_tenant(request, tenant, form.cleaned_data["reason"])
            messages.success(request, gettext("You are looking into %(name)s. This is written in its audit trail.")
                             % {"name": tenant.name})
            return HttpResponseRedirect(reverse("admin:catalog_item_changelist"))
        return render(request, "tenants/look_into.html", {
            **self.admin_site.each_context(request), "form": form, "tenant": tenant, "opts": self.opts,
            "title": gettext("Look into the data of %(name)s") % {"name": tenant.name}})


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """People; staff are operators."""

    form, add_form, change_password_form = UserChangeForm, UserCreationForm, AdminPasswordChangeForm
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()
    fieldsets = ((None, {"fields": ("email", "name", "password")}),
                 (_("May"), {"fields": ("is_active", "is_staff", "is_superuser")}),
                 (_("When"), {"fields": ("last_login", "date_joined")}))
    add_fieldsets = ((None, {"fields": ("email", "name", "password1", "password2")}),)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # decisions and orders name who made them: a person is kept from signing in, not dropped


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):
    """Who belongs where."""

    list_display = ("user", "tenant", "role", "created_at")
    list_filter = ("role",)
    search_fields = ("user__email", "tenant__name")
    autocomplete_fields = ("user", "tenant")
    list_select_related = ("user", "tenant")

    changeform_view = operators.said_instead_of_failing(ModelAdmin.changeform_view)
    changelist_view = operators.said_instead_of_failing(ModelAdmin.changelist_view)
    delete_view = operators.said_instead_of_failing(ModelAdmin.delete_view)

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        return ("user", "tenant", "created_at") if obj else ("created_at",)

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        actor: Any = request.user
        if change:
            services.change_role(membership=Membership.objects.get(pk=obj.pk), role=obj.role, actor=actor)
        else:
            obj.pk = services.add_person(tenant=obj.tenant, user=obj.user, role=obj.role, actor=actor).pk

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_person(membership=obj, actor=request.user)  # type: ignore[arg-type]

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset.select_related("tenant", "user"):
            self.delete_model(request, membership)


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Keys: seen by their prefix, revoked here, never made here."""

    list_display = ("name", "prefix", "tenant", "last_used_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "prefix", "tenant__name")
    list_select_related = ("tenant",)
    fields = readonly_fields = ("tenant", "name", "prefix", "permissions", "created_by", "created_at", "expires_at",
                                "last_used_at", "revoked_at")
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    @admin.action(description=_("Revoke"))
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        for key in chosen.select_related("tenant"):
            services.revoke_key(key=key, actor=request.user)  # type: ignore[arg-type]
        self.message_user(request, gettext("Revoked."))


@admin.register(AuditEntry)
class AuditEntryAdmin(operators.LookOnlyAdmin):
    """Who did what: to read, never to change."""

    list_display = ("created_at", "tenant", "actor_label", "action", "target")
    list_filter = ("action",)
    search_fields = ("actor_label", "target", "tenant__name")
    list_select_related = ("tenant",)
    date_hierarchy = "created_at"
