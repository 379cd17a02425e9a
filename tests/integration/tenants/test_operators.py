"""Operators: what they see of everyone, and that looking into one tenant's data is chosen and written down."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from apps.tenants.models import AuditEntry, Membership, Tenant
from apps.tenants.operators import TenantOwnedAdmin
from apps.tenants.scope import tenant_context
from apps.tenants.tables import TenantModel
from tests.rows import make_row, make_tenant_row, make_user

pytestmark = pytest.mark.django_db

TENANT_ADMINS = [model for model in apps.get_models()
                 if issubclass(model, TenantModel) and admin.site.is_registered(model)]
every_admin = pytest.mark.parametrize("model", TENANT_ADMINS, ids=lambda model: model._meta.label)


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(make_user("operator@example.test", is_staff=True, is_superuser=True))
    return client


def look_into(operator: Client, tenant: Tenant) -> None:
    operator.post(reverse("admin:tenants_tenant_look_into", args=[tenant.pk]), {"reason": "a call"})


def test_a_merchants_owner_is_no_operator(client: Client) -> None:
    client.force_login(make_user())
    response = client.get("/admin/tenants/tenant/")
    assert response.status_code == 302
    assert "login" in response["Location"]


@pytest.mark.parametrize("page", ["tenants/tenant", "tenants/user", "tenants/membership", "tenants/apikey",
                                  "tenants/auditentry", "jobs/job"])
def test_what_concerns_all_tenants_opens(operator: Client, page: str) -> None:
    make_tenant_row()
    assert operator.get(f"/admin/{page}/").status_code == 200


@every_admin
def test_a_tenants_rows_open_only_once_it_was_chosen_and_only_to_look(operator: Client,
                                                                     model: type[TenantModel]) -> None:
    assert isinstance(admin.site._registry[model], TenantOwnedAdmin)
    tenant, other = make_tenant_row(), make_tenant_row()
    with tenant_context(other.pk):
        theirs = make_row(model)
    with tenant_context(tenant.pk):
        row = make_row(model)
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    listing = reverse(f"admin:{name}_changelist")
    assert operator.get(listing).status_code == 302
    assert operator.get(reverse(f"admin:{name}_change", args=[row.pk])).status_code == 302
    look_into(operator, tenant)
    response = operator.get(listing)
    assert response.status_code == 200
    assert [found.pk for found in response.context["cl"].result_list] == [row.pk]
    assert operator.get(reverse(f"admin:{name}_change", args=[row.pk])).status_code == 200
    assert operator.get(reverse(f"admin:{name}_change", args=[theirs.pk])).status_code == 302
    assert operator.get(reverse(f"admin:{name}_add")).status_code == 403
    assert operator.post(reverse(f"admin:{name}_delete", args=[row.pk])).status_code == 403
    assert operator.get(reverse(f"admin:{name}_history", args=[row.pk])).status_code == 200
    with tenant_context(tenant.pk):
        assert model._default_manager.filter(pk=row.pk).exists()


def test_looking_into_a_tenant_is_written_down(operator: Client) -> None:
    tenant = make_tenant_row()
    path = reverse("admin:tenants_tenant_look_into", args=[tenant.pk])
    assert "Why you need to see it" in operator.get(path).content.decode(), "asked for first"
    operator.post(path, {"reason": ""})
    assert not AuditEntry.objects.exists() and operator.get("/admin/catalog/item/").status_code == 302
    look_into(operator, tenant)
    [entry] = AuditEntry.objects.filter(tenant=tenant)
    assert (entry.action, entry.actor_label) == ("operator.looked_in", "operator@example.test")
    assert entry.detail == {"reason": "a call"}
    for unknown in (10 ** 6, 10 ** 30):
        assert operator.get(reverse("admin:tenants_tenant_look_into", args=[unknown])).status_code == 404


def test_places_changed_here_follow_the_rules_of_places_and_are_written_down(operator: Client) -> None:
    tenant, owner = make_tenant_row(), make_user()
    operator.post("/admin/tenants/membership/add/", {"user": owner.pk, "tenant": tenant.pk, "role": "owner"})
    [place] = Membership.objects.filter(tenant=tenant)
    path = f"/admin/tenants/membership/{place.pk}"
    refused = [operator.post(f"{path}/change/", {"role": "viewer"}, follow=True),
               operator.post(f"{path}/delete/", {"post": "yes"}, follow=True),
               operator.post("/admin/tenants/membership/", {"action": "delete_selected", "_selected_action": [place.pk],
                                                            "post": "yes"}, follow=True)]
    assert all("A shop needs an owner" in response.content.decode() for response in refused)
    place.refresh_from_db()
    assert place.role == "owner"
    Membership.objects.create(tenant=tenant, user=make_user(), role="owner")
    operator.post(f"{path}/change/", {"role": "viewer"})
    operator.post(f"{path}/delete/", {"post": "yes"})
    assert [entry.action for entry in AuditEntry.objects.filter(tenant=tenant).order_by("pk")] == [
        "person.added", "person.role", "person.removed"]


@pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model._meta.label)
def test_no_page_of_the_admin_fails(operator: Client, model: type[Model]) -> None:
    tenant = make_tenant_row()
    look_into(operator, tenant)
    place = Membership.objects.create(tenant=tenant, user=make_user(), role="viewer")
    known = {Tenant: tenant, Membership: place, type(place.user): place.user}.get(model)
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    ids = [known.pk if known else 1, 10 ** 30, "x"]
    pages = [reverse(f"{name}_changelist"), reverse(f"{name}_add"), "/admin/r/1/1/", "/admin/r/x",
             *(reverse(f"{name}_{verb}", args=[pk]) for verb in ("change", "delete", "history") for pk in ids)]
    for path in pages:
        assert operator.get(path).status_code in (200, 302, 403, 404), path
        assert operator.post(path, {"post": "yes"}).status_code in (200, 302, 403, 404, 405), path


def test_suspending_is_one_action_and_is_written_down(operator: Client) -> None:
    tenant = make_tenant_row()
    operator.post("/admin/tenants/tenant/", {"action": "suspend", "_selected_action": [tenant.pk]})
    tenant.refresh_from_db()
    assert tenant.status == Tenant.Status.SUSPENDED
    assert AuditEntry.objects.filter(tenant=tenant, action="tenant.changed").exists()
