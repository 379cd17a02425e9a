"""Portal pages run no inline script or style; only the operators' admin has a looser policy, for itself alone."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from config.policy import ContentPolicyMiddleware


def policy_of(path: str) -> dict[str, list[str]]:
    middleware = ContentPolicyMiddleware(lambda request: HttpResponse())
    header = middleware.process_response(RequestFactory().get(path), HttpResponse())["Content-Security-Policy"]
    return {name: sources for name, *sources in (part.split() for part in header.split("; "))}


@pytest.mark.parametrize("path", [
    "/", "/items/", "/accounts/login/", "/api/v1/items/", "/administration/", "/x/admin/",
])
def test_pages_are_strict(path: str) -> None:
    policy = policy_of(path)
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == ["'none'"]


def test_the_admin_may_style_itself_but_loads_nothing_from_elsewhere() -> None:
    policy = policy_of("/admin/tenants/tenant/")
    assert "'unsafe-inline'" in policy["style-src"]
    assert not any("//" in source or "*" in source for sources in policy.values() for source in sources)
    assert policy["frame-ancestors"] == ["'none'"]
