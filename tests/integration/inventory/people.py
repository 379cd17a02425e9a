"""People at a shop's pages: signed in, with a role, and counted in queries."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.tenants.models import Membership
from tests.integration.inventory.shops import Shop
from tests.rows import make_user

MOST_QUERIES = 15


def signed_in(shop: Shop, role: str = "planner") -> Client:
    user = make_user()
    Membership.objects.create(tenant=shop.tenant, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, path: str, status: int = 200, **headers: Any) -> str:
    """The page's text; no page asks the database more than 15 times."""
    with CaptureQueriesContext(connection) as asked:
        response = client.get(path, **headers)
    assert response.status_code == status, (response.status_code, path)
    statements = [query["sql"] for query in asked if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(statements) <= MOST_QUERIES, "\n".join(statements)
    return b"".join(response).decode() if response.streaming else response.content.decode()
