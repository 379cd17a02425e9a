"""Every test's ground: real servers when asked for, `default` as the application's role, and no way round it."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import hypothesis
import psycopg
import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connections
from django.test import TransactionTestCase
from psycopg import sql

from config.celery import app as celery_app
from config.settings.base import databases
from tests.servers import RUN_VARIABLE, TestServers, begin_run, end_run, servers_of_run

# A busy machine is no failed promise: examples are counted, not timed.
hypothesis.settings.register_profile("stockwright", deadline=None,
                                     suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("stockwright")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        begin_run()


# Modules that start the product or train models, longest first: begun last, one of them would keep one worker waiting.
LONG = ("e2e/test_portal", "e2e/test_loop", "config/test_images", "config/test_local", "forecasting/test_keras_model",
        "forecasting/test_contest", "api/test_malformed", "sales/test_ledger", "jobs/test_jobs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((n for n, name in enumerate(LONG) if name in item.nodeid), len(LONG))

    items.sort(key=place)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and RUN_VARIABLE in os.environ:
        end_run(os.environ.pop(RUN_VARIABLE))


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[TestServers]:
    """This run's Postgres and Valkey, with a migrated database of this worker's own."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    for started in servers_of_run(os.environ[RUN_VARIABLE], worker):
        settings.REDIS_URL = settings.CELERY_BROKER_URL = started.redis_url
        celery_app.conf.update(broker_url=started.redis_url)
        settings.CACHES["default"]["LOCATION"] = caches.settings["default"]["LOCATION"] = started.redis_url
        for _made in caches.all(initialized_only=True):  # whatever was made while modules were imported knows no server
            del caches["default"]
        yield started


@pytest.fixture(scope="session")
def django_db_setup(servers: TestServers, django_test_environment: None) -> Iterator[None]:
    """`default` connects as the application, `owner` as the one who migrates: both to this worker's database."""
    for alias, configuration in databases(servers.url("app"), servers.url("owner")).items():
        names = ("NAME", "USER", "PASSWORD", "HOST", "PORT")
        for known in (connections[alias].settings_dict, settings.DATABASES[alias]):
            known.update({name: configuration[name] for name in names})
    with psycopg.connect(servers.url("superuser")) as connection:
        kept = set(filled_tables(connection))

    def empty_tables(case: TransactionTestCase) -> None:
        """As the application owns nothing, it cannot truncate what a committing test wrote."""
        with psycopg.connect(servers.url("superuser"), options="-c lock_timeout=10s") as connection:
            filled = [name for name in filled_tables(connection) if name not in kept]
            if filled:
                connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(
                    sql.SQL(", ").join(map(sql.Identifier, filled))))

    replaced = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]
    TransactionTestCase._fixture_teardown = empty_tables  # type: ignore[attr-defined]
    yield
    TransactionTestCase._fixture_teardown = replaced  # type: ignore[attr-defined]
    connections.close_all()


def filled_tables(connection: psycopg.Connection[tuple[str]]) -> list[str]:
    """The tables that hold at least one row, whoever's it is."""
    names = [name for (name,) in connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename").fetchall()]
    asked = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), sql.Identifier(name))
        for name in names)
    return [name for (name,) in connection.execute(asked).fetchall()]


@pytest.fixture
def row_security_off(servers: TestServers, transactional_db: None) -> Generator[None]:
    """`default` as a role that row-level security lets past: whatever still holds, the managers alone hold."""
    connection = connections["default"]
    known = {name: connection.settings_dict[name] for name in ("USER", "PASSWORD")}
    connection.close()
    connection.settings_dict.update(USER="stockwright_bypass", PASSWORD=servers.postgres.passwords["bypass"])
    yield
    connection.close()
    connection.settings_dict.update(known)
