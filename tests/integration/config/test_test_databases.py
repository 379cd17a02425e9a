"""The ground that tests stand on: the application's role, and tables that are empty again after each test."""

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.utils import timezone

from tests.servers import TestServers


def role_of(alias: str) -> tuple[str, bool, bool]:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        name, is_superuser, bypasses = cursor.fetchone() or ("", True, True)
        return name, is_superuser, bypasses


@pytest.mark.django_db
def test_tests_connect_as_the_application() -> None:
    assert role_of("default") == ("stockwright_app", False, False)


@pytest.mark.django_db(databases=["default", "owner"])
def test_the_owner_is_no_superuser_either() -> None:
    assert role_of("owner") == ("stockwright_owner", False, False)


@pytest.mark.django_db
def test_the_application_owns_nothing() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables "
                       "WHERE tableowner <> 'stockwright_owner' AND schemaname = 'public'")
        assert cursor.fetchall() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_committing_test_wrote_is_gone_for_the_next(turn: int) -> None:
    assert Session.objects.count() == 0
    Session.objects.create(session_key=f"{turn}", session_data="", expire_date=timezone.now())


def test_with_row_security_off_the_role_bypasses_it(row_security_off: None) -> None:
    assert role_of("default") == ("stockwright_bypass", False, True)


def test_each_worker_has_a_database_of_its_own(servers: TestServers, worker_id: str) -> None:
    assert servers.database == ("test_main" if worker_id == "master" else f"test_{worker_id}")
