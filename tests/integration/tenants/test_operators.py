"""Operators: what they see of everyone, and that looking into one tenant's data is chosen and written down."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from apps.tenants.models import AuditEntry, Tenant
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
    operator.get(reverse("admin:tenants_tenant_look_into", args=[tenant.pk]))


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
    look_into(operator, tenant)
    [entry] = AuditEntry.objects.filter(tenant=tenant)
    assert (entry.action, entry.actor_label) == ("operator.looked_in", "operator@example.test")


def test_suspending_is_one_action_and_is_written_down(operator: Client) -> None:
    tenant = make_tenant_row()
    operator.post("/admin/tenants/tenant/", {"action": "suspend", "_selected_action": [tenant.pk]})
    tenant.refresh_from_db()
    assert tenant.status == Tenant.Status.SUSPENDED
    assert AuditEntry.objects.filter(tenant=tenant, action="tenant.changed").exists()
