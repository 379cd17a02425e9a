"""A viewer can change nothing: every address of the portal is found in the URL table and tried."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.integration.inventory.people import signed_in
from tests.integration.inventory.shops import make_shop
from tests.rows import make_user

pytestmark = pytest.mark.django_db

# The operators' admin and the API ask for other credentials, hooks for a signature; each has its own tests.
ELSEWHERE = ("admin/", "api/", "hooks/", "healthz", "readyz")
# What concerns a person and no shop: signing in and out, one's own name, another shop of one's own, an invitation.
PERSONAL = ("accounts/", "invitations/", "shops/new/")


def addresses(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern).lstrip("^")
        if isinstance(entry, URLPattern):
            yield path, entry.callback
        else:
            yield from addresses(entry, path)


def portal_addresses() -> list[tuple[str, Any]]:
    return [(path, view) for path, view in addresses(get_resolver()) if not path.startswith((*ELSEWHERE, *PERSONAL))]


def filled(path: str) -> str:
    """The address with something in place of each parameter."""
    numbers = itertools.count(10 ** 6)
    parts = []
    for part in path.split("/"):
        if part.startswith("<"):
            kind = part.strip("<>").partition(":")[0]
            parts.append(str(next(numbers)) if kind == "int" else "2017-12-04" if kind == "date" else "something")
        else:
            parts.append(part)
    return "/" + "/".join(parts)


def test_the_walk_finds_the_portal() -> None:
    found = {path for path, _view in portal_addresses()}
    assert {"", "items/", "items/<int:pk>/", "jobs/<int:pk>/cancel/", "settings/keys/"} <= found


def test_every_portal_view_stands_behind_the_guard() -> None:
    unguarded = [path for path, view in portal_addresses() if not hasattr(view, "permission")]
    assert unguarded == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_no_address_takes_a_form_from_a_viewer(method: str) -> None:
    client = signed_in(make_shop(0), "viewer")
    for path, view in portal_addresses():
        if getattr(view, "is_personal", False):
            continue
        status = getattr(client, method)(filled(path), {"name": "x"}).status_code
        assert status in (403, 405), f"{method} {path}: {status}"


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_is_sent_to_sign_in_from_everywhere(method: str) -> None:
    client = Client()
    for path, _view in portal_addresses():
        response = getattr(client, method)(filled(path))
        is_door = response.status_code == 302 and response.headers["Location"].startswith("/accounts/login/")
        assert is_door or response.status_code == 405, f"{method} {path}: {response.status_code}"


def test_somebody_without_a_shop_is_told_so_everywhere() -> None:
    client = Client()
    client.force_login(make_user())
    for path, _view in portal_addresses():
        response = client.get(filled(path))
        assert response.status_code == 405 or b"You are not in a shop yet" in response.content, path
