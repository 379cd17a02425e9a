"""Production starts only with settings that are safe, and says in a sentence what is missing."""

import importlib
import sys
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.settings import base

SAFE = {
    "SECRET_KEY": "Nq7-4xZb9_KpW2mTfR8sYc3LdVhJ6gUeA1oQiXrB5nEwMtCvPyDz0kFjGlSaHu",
    "ALLOWED_HOSTS": "stockwright.example,www.stockwright.example",
    "DATABASE_URL": "postgres://app:p@db.example:5432/stockwright",
    "REDIS_URL": "redis://:p@broker.example:6379/0",
}


def production(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> ModuleType:
    for name in ("DEBUG", "DATABASE_OWNER_URL", *SAFE):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**SAFE, **changes}.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    sys.modules.pop("config.settings.prod", None)
    return importlib.import_module("config.settings.prod")


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"SECRET_KEY": None}, "SECRET_KEY must be set to at least 50 random characters"),
    ({"SECRET_KEY": "short"}, "SECRET_KEY must be set to at least 50 random characters"),
    ({"SECRET_KEY": "a" * 64}, "SECRET_KEY must be set to at least 50 random characters"),
    ({"SECRET_KEY": "django-insecure-" + SAFE["SECRET_KEY"]}, "SECRET_KEY must be set"),
    ({"SECRET_KEY": "not secret: this machine's own, refused in production"}, "SECRET_KEY must be set"),
    ({"SECRET_KEY": "not secret: the test run's own, refused in production"}, "SECRET_KEY must be set"),
    ({"DEBUG": "1"}, "DEBUG is set"),
    ({"ALLOWED_HOSTS": None}, "ALLOWED_HOSTS must name the hosts"),
    ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS must name the hosts"),
    ({"DATABASE_URL": None}, "DATABASE_URL must be set"),
    ({"REDIS_URL": None}, "REDIS_URL must be set"),
])
def test_production_refuses(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        production(monkeypatch, **changes)


def test_production_is_closed_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = production(monkeypatch)
    assert settings.DEBUG is False
    assert settings.ALLOWED_HOSTS == ["stockwright.example", "www.stockwright.example"]
    assert settings.SECURE_SSL_REDIRECT and settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE
    assert settings.SECURE_HSTS_SECONDS >= 31_536_000


def test_a_proxys_word_on_tls_is_taken_only_when_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not hasattr(production(monkeypatch), "SECURE_PROXY_SSL_HEADER")
    assert production(monkeypatch, BEHIND_TLS_PROXY="1").SECURE_PROXY_SSL_HEADER[0] == "HTTP_X_FORWARDED_PROTO"


@pytest.mark.parametrize(("given", "count"), [
    ({}, 0), ({"BEHIND_TLS_PROXY": "true"}, 1), ({"BEHIND_TLS_PROXY": "1", "TRUSTED_PROXIES": ""}, 1),
    ({"BEHIND_TLS_PROXY": "1", "TRUSTED_PROXIES": "2"}, 2),
])
def test_addresses_are_read_from_as_many_proxies_as_are_named(
        monkeypatch: pytest.MonkeyPatch, given: dict[str, str], count: int) -> None:
    assert count == production(monkeypatch, **given).ALLAUTH_TRUSTED_PROXY_COUNT


def test_web_and_workers_do_without_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(production(monkeypatch).DATABASES) == {"default"}
    with_owner = production(monkeypatch, DATABASE_OWNER_URL="postgres://owner:p@db.example:5432/stockwright")
    assert set(with_owner.DATABASES) == {"default", "owner"}


def test_a_view_that_raises_is_rolled_back() -> None:
    configured = base.databases("postgres://app:p@db.example/stockwright", None)
    assert configured["default"]["ATOMIC_REQUESTS"] is True


def test_nobody_is_let_past_the_tenant_or_the_policy() -> None:
    order = base.MIDDLEWARE
    tenant = order.index("apps.tenants.middleware.TenantMiddleware")
    assert order.index("django.contrib.auth.middleware.AuthenticationMiddleware") < tenant
    assert order.index("config.policy.ContentPolicyMiddleware") < tenant
