"""/healthz needs only the process; /readyz says which of the database and the broker is missing."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from config.embedded import free_port


@pytest.fixture
def database_gone(transactional_db: None) -> Iterator[None]:
    port = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = str(free_port())
    yield
    connection.close()
    connection.settings_dict["PORT"] = port


@pytest.fixture
def broker_gone(settings: Settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"


@pytest.mark.django_db
def test_up_needs_no_database_host_or_session(
        client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        response = client.get("/healthz", HTTP_HOST="10.1.2.3")
    assert response.status_code == 200
    assert not response.cookies


@pytest.mark.django_db
def test_ready_when_both_answer(client: Client) -> None:
    response = client.get("/readyz", HTTP_HOST="10.1.2.3")
    assert (response.status_code, response.json()) == (200, {"status": "ok", "missing": []})


def test_a_missing_database_is_named(client: Client, database_gone: None) -> None:
    assert client.get("/healthz").status_code == 200
    response = client.get("/readyz")
    assert (response.status_code, response.json()["missing"]) == (503, ["database"])


@pytest.mark.django_db
def test_a_missing_broker_is_named(client: Client, broker_gone: None) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()["missing"]) == (503, ["broker"])


def test_both_missing_are_named_without_addresses_or_passwords(client: Client, database_gone: None,
                                                               broker_gone: None) -> None:
    response = client.get("/readyz")
    assert response.json() == {"status": "missing", "missing": ["database", "broker"]}
