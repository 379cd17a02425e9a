"""Operators see what each tenant holds and lets workers do; nobody else does."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.jobs.models import Job
from apps.portal.models import Usage
from apps.portal.selectors.usage import usage
from tests.integration.forecasting.selling_shops import make_selling_shop, run_job
from tests.integration.inventory.people import signed_in
from tests.integration.inventory.shops import make_shop
from tests.rows import make_user

pytestmark = pytest.mark.django_db


def test_usage_is_counted_with_the_lists_and_again_gives_the_same() -> None:
    large, small = make_selling_shop(5, days=40), make_shop(2)
    for shop in (large, small, large):
        run_job(shop, "portal.refresh")
    assert list(Usage.objects.order_by("-items").values_list("tenant", "items", "planned_items")) == [
        (large.tenant.pk, 5, 5), (small.tenant.pk, 2, 0)]


def test_jobs_and_their_time_are_of_the_last_thirty_days_and_of_each_tenant_alone() -> None:
    shop, other = make_shop(1), make_shop(1)
    for each in (shop, other):
        run_job(each, "portal.refresh")
    Job.objects.update(started_at=None)
    now = timezone.now()
    for age, minutes in ((1, 30), (2, 15), (31, 500)):
        started = now - dt.timedelta(days=age)
        Job.objects.create(tenant=shop.tenant, kind="portal.refresh", queue="light", state="done", started_at=started,
                           finished_at=started + dt.timedelta(minutes=minutes))
    found = {row.tenant_id: (vars(row)["jobs"], vars(row)["running_time"]) for row in usage()}
    assert found == {shop.tenant.pk: (2, dt.timedelta(minutes=45)), other.tenant.pk: (None, None)}


def test_the_page_is_the_operators_and_does_not_grow_with_tenants(
        client: Client, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(6):
        run_job(make_shop(1), "portal.refresh")
    client.force_login(make_user(is_staff=True, is_superuser=True))
    with django_assert_max_num_queries(12):
        response = client.get("/admin/portal/usage/")
    assert response.status_code == 200
    assert "1 of 5,000" in response.content.decode()
    assert signed_in(make_shop(1)).get("/admin/portal/usage/").status_code == 302
