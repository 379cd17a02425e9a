"""What no program should send, over every address of the API: a problem document, and never a failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from apps.ingestion.models import ImportFile
from apps.tenants.models import Permission, Tenant
from apps.tenants.scope import tenant_context
from apps.tenants.services import issue_key
from config.wsgi import application
from tests.rows import make_tenant_row
from tests.servers import TestServers

pytestmark = pytest.mark.django_db

NOT_FOR_KEYS = ("schema/", "docs/")
QUERIES = [
    "cursor=cD1hYmM%3D", "cursor=cD0xZTU%3D", "cursor=%00", "cursor=bz0tMQ%3D%3D", "cursor=cD0xJTAw", "page_size=x",
    "page_size=-1", "page_size=99999999999999999999", "sku=%00", "q=%00", "state=%00", "status=nope", "kind=nope",
    "item_id=abc", "item_id=1e400", "item_id=999999999999999999999999", "order_id=%00", "as_of=yesterday",
    "cursor=" + "cD0" * 2000,
]
BODIES: list[bytes] = [
    b"", b"{", b"[]", b"null", b"\"x\"", b"{\"rows\": 1}", b"\xff\xfe", b"[" * 100_000, b"{\"a\": NaN}",
    json.dumps({"rows": [{"order_id": "half \ud800"}]}).encode(),
    json.dumps({"rows": [{"order_id": "zero \0"}]}).encode(),
    json.dumps({"reason": "\0", "quantity": 10 ** 40, "reference": "r", "lines": []}).encode(),
    json.dumps({"reason": "r" * 5000, "quantity": -1, "reference": "r" * 5000,
                "lines": [{"line_id": 10 ** 30, "quantity": "1e30"}]}).encode(),
    json.dumps({"reference": {"a": []}, "reason": ["x"], "quantity": {}, "lines": "abc"}).encode(),
]


def addresses(found: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in found.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield path
        else:
            yield from addresses(entry, path)


def api_addresses() -> list[str]:
    """Every address of the API, with a number of nothing in place of an id."""
    made = []
    for path in addresses(get_resolver()):
        plain = path.replace("^", "").replace("$", "").replace("\\Z", "").replace(r"(?P<pk>\d+)", "1000000")
        if plain.startswith("api/") and not plain.removeprefix("api/").startswith(NOT_FOR_KEYS):
            made.append(f"/{plain}")
    return made


@pytest.fixture(autouse=True)
def forget_limits(servers: TestServers) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant_row(limits={"requests_per_minute": 1_000_000})


@pytest.fixture
def program(tenant: Tenant) -> Client:
    _key, secret = issue_key(tenant=tenant, name="till", actor=None,
                             permissions=[each for each in Permission if each != Permission.ADMINISTER])
    return Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)


def assert_answered(response: Any, what: str) -> None:
    assert response.status_code < 500, f"{what}: {response.status_code}"
    if response.status_code >= 400:
        assert response["Content-Type"] == "application/problem+json", f"{what}: {response['Content-Type']}"
        assert {"type", "title", "status"} <= response.json().keys()


def test_the_walk_finds_the_api() -> None:
    found = set(api_addresses())
    assert {"/api/v1/items/", "/api/v1/items/1000000/", "/api/v1/purchase-orders/1000000/receive/"} <= found


def test_no_query_makes_an_address_fail(program: Client) -> None:
    lists = [path for path in api_addresses() if "1000000" not in path]
    assert len(lists) > 8
    for path in lists:
        for query in QUERIES:
            assert_answered(program.get(f"{path}?{query}"), f"GET {path}?{query[:40]}")


def test_no_body_makes_an_address_fail(program: Client) -> None:
    for path in api_addresses():
        for method in ("post", "patch", "put", "delete"):
            for body in BODIES:
                response = getattr(program, method)(path, body, content_type="application/json")
                assert_answered(response, f"{method} {path} {body[:60]!r}")
                if response.status_code == 405:
                    break  # no body changes that
        assert_answered(program.post(path, {"a": "b"}), f"a form to {path}")


@pytest.mark.parametrize(("charset", "status"), [
    ("hex", 415), ("rot13", 415), ("zip", 415), ("undefined", 415), ("punycode", 415), ("utf-16", 415),
    ("idna", 415), ("unicode_escape", 415), ("utf-8; charset*=nope''b", 415), ("utf-8; x*=nope''b", 415),
    ("utf-8; charset*=utf-8''a%00b", 415),
    ("utf-8", 401), ("latin-1", 401), ("gb18030", 401), ("no-such", 401)])
@pytest.mark.usefixtures("transactional_db")  # the application closes its connections
def test_a_charset_that_cannot_be_read_is_refused_at_every_door(charset: str, status: int) -> None:
    environ = RequestFactory().generic("POST", "/api/v1/sale-lines/?a=b", b"{}", "application/json").environ
    environ["CONTENT_TYPE"] += f"; charset={charset}"
    start = Mock()
    body = b"".join(application(environ, start))
    answer, headers = start.call_args[0]
    assert answer.startswith(str(status))
    assert dict(headers)["Content-Type"] == "application/problem+json"
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/no-such-thing/", "/api/v2/items/", "/api/v1/items/x/",
                                  "/api/v1/items/99999999999999999999999/"])
def test_what_is_not_there_is_a_problem_document(program: Client, path: str) -> None:
    for client in (program, Client()):
        response = client.get(path)
        assert response.status_code in (401, 404)
        assert_answered(response, path)


def test_ten_thousand_lines_fit_and_more_than_fits_is_said_to_be_too_much(program: Client, tenant: Tenant) -> None:
    row = {"order_id": "o", "occurred_at": "2026-01-05T10:00:00Z", "sku": "s" * 60, "title": "t" * 300, "quantity": "1"}
    rows = [{**row, "line_id": str(number)} for number in range(10_000)]
    response = program.post("/api/v1/sale-lines/", {"rows": rows}, content_type="application/json")
    assert response.status_code == 202, response.content[:300]
    with tenant_context(tenant.pk):
        assert ImportFile.objects.count() == 1
    large = program.post("/api/v1/sale-lines/", b"[" + b" " * 17 * 1024 * 1024 + b"]", content_type="application/json")
    assert large.status_code == 413 and "16 MB" in large.json()["detail"]
