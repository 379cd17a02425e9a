"""A request and its tenant: the scope is there while the view runs, and nobody else's is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import path

from apps.catalog.models import Location
from apps.tenants.middleware import SESSION_KEY
from apps.tenants.models import Role, Tenant
from apps.tenants.scope import tenant_context, tenant_in_scope
from apps.tenants.services import add_person
from config.urls import urlpatterns as portal
from tests.rows import make_tenant_row, make_user


def write_and_fail(request: HttpRequest) -> HttpResponse:
    Location.objects.create(code="half", name="Half done")
    raise RuntimeError("the view broke after it wrote")


def codes(request: HttpRequest) -> HttpResponse:
    return HttpResponse(",".join(Location.objects.order_by("code").values_list("code", flat=True)))


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[str]:
        yield from Location.objects.order_by("code").values_list("code", flat=True)

    return StreamingHttpResponse(chunks())


urlpatterns = [path("fail/", write_and_fail), path("codes/", codes), path("stream/", stream), *portal]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


def shop(code: str, **fields: Any) -> Tenant:
    tenant = make_tenant_row(**fields)
    with tenant_context(tenant.pk):
        Location.objects.create(code=code, name=code)
    return tenant


@pytest.fixture
def signed_in(client: Client) -> Client:
    """Somebody with a place in two shops, the first of which is theirs by default."""
    person = make_user()
    for code in ("first", "second"):
        add_person(tenant=shop(code), user=person, role=Role.VIEWER, actor=None)
    shop("nobodys")
    client.force_login(person)
    return client


def test_a_person_sees_the_shop_they_are_in_and_can_change_to_another_of_theirs(signed_in: Client) -> None:
    assert signed_in.get("/codes/").content == b"first"
    second = Tenant.objects.order_by("pk")[1]
    session = signed_in.session
    session[SESSION_KEY] = second.pk
    session.save()
    assert signed_in.get("/codes/").content == b"second"


def test_a_session_that_names_a_shop_that_is_not_theirs_gets_their_own(signed_in: Client) -> None:
    session = signed_in.session
    session[SESSION_KEY] = Tenant.objects.order_by("pk")[2].pk
    session.save()
    assert signed_in.get("/codes/").content == b"first"


def test_a_view_that_raises_leaves_nothing_behind(signed_in: Client) -> None:
    signed_in.raise_request_exception = False
    assert signed_in.get("/fail/").status_code == 500
    assert signed_in.get("/codes/").content == b"first"


def test_a_stream_is_read_in_its_tenants_scope_and_leaves_none(signed_in: Client) -> None:
    response: Any = signed_in.get("/stream/")
    assert b"".join(response.streaming_content) == b"first"
    assert tenant_in_scope() is None


def test_a_suspended_shop_shows_that_it_is_and_nothing_else(signed_in: Client) -> None:
    Tenant.objects.update(status=Tenant.Status.SUSPENDED)
    response = signed_in.get("/codes/")
    assert response.status_code == 403
    assert b"first" not in response.content
