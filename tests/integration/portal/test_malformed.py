"""What no browser sends by itself, over every address of the portal: a plain page, and never a failure."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.integration.inventory.people import signed_in
from tests.integration.inventory.shops import make_shop
from tests.integration.portal.test_viewers import filled, portal_addresses

pytestmark = pytest.mark.django_db

NAMES = ("q", "state", "status", "kind", "supplier", "category", "sort", "page", "before", "after", "rule", "horizon",
         "as_of", "reason", "tenant", "line", "abc",
         "demand", "stock", "planning", "quantity-1", "name", "email", "role")
VALUES = ("%00", "%ED%A0%80", "9" * 5000, "-1", "%F0%9F%A6%84")


@pytest.fixture
def owner() -> Client:
    client = signed_in(make_shop(2), "owner")
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("value", VALUES, ids=["zero", "half a character", "digits", "negative", "unicorn"])
def test_no_query_or_form_makes_a_page_fail(owner: Client, value: str) -> None:
    query = "&".join(f"{name}={value}" for name in NAMES)
    for path, _view in portal_addresses():
        for answer in (owner.get(f"{filled(path)}?{query}"),
                       owner.post(filled(path), query, content_type="application/x-www-form-urlencoded")):
            assert answer.status_code < 500, f"{answer.request['REQUEST_METHOD']} {path}: {answer.status_code}"


def test_each_field_alone_is_refused_with_a_plain_page_where_it_holds_no_text(owner: Client) -> None:
    for path in ("/items/", "/replenish/", "/orders/", "/jobs/", "/settings/audit/"):
        response = owner.get(f"{path}?q=%00")
        assert response.status_code == 400 and "could not be read" in response.content.decode()
