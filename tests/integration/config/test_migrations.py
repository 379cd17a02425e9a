"""The migrations of a release go back and forth over rows that are there, so that a release can be taken back."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
from psycopg import sql

from tests.servers import CLONE, TestServers

THERE_AND_BACK = """
import django
django.setup()
from django.conf import settings
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
executor = MigrationExecutor(connections["owner"])
newest = executor.loader.graph.leaf_nodes()
executor.migrate([node for node in executor.loader.graph.nodes if node[1] == "0001_make_tables"])
went_back = MigrationExecutor(connections["owner"])
print(len(executor.loader.applied_migrations) - len(went_back.loader.applied_migrations), "went back")
went_back.migrate(newest)
"""
VALUES = {"integer": 1, "bigint": 1, "smallint": 1, "numeric": 0.5, "double precision": 0.5, "boolean": False,
          "date": "2025-01-06", "timestamp with time zone": "2025-01-06T00:00Z", "jsonb": "{}", "ARRAY": "{}",
          "bytea": b""}
COLUMNS = """
SELECT column_name, data_type, character_maximum_length FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = %s AND is_nullable = 'NO' OR table_name = %s AND column_name = ANY(%s)
"""
MARKED = ["lead_time_days", "minimum_order_value", "unit_cost"]


def fill(connection: psycopg.Connection[tuple[str, str, int]], table: str) -> None:
    """A row with the id 1 that refers to others of that id."""
    columns = connection.execute(COLUMNS, [table, table, MARKED]).fetchall()
    values = [VALUES.get(kind, "USD"[:length]) for _name, kind, length in columns]
    connection.execute(sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
        sql.Identifier(table), sql.SQL(", ").join(sql.Identifier(name) for name, *_type in columns),
        sql.SQL(", ").join(sql.Placeholder() * len(values))), values)


def test_what_came_after_the_first_tables_goes_back_and_comes_again(servers: TestServers) -> None:
    with servers.another("migrations") as other:
        with psycopg.connect(other.url("superuser"), autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            for (table,) in connection.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename ~ "
                    "'^(alerts|catalog|feedback|forecasting|ingestion|inventory|jobs|optimization|portal|registry|sales|"
                    "tenants)_' AND tablename <> 'catalog_externalid'").fetchall():
                fill(connection, table)
            connection.execute("UPDATE optimization_decision SET purchase_order_id = 1")
            connection.execute(
                "INSERT INTO optimization_decision (id, tenant_id, recommendation_id, kind, quantity, reason, "
                "decided_by, decided_on, created_at, purchase_order_id) OVERRIDING SYSTEM VALUE "
                "SELECT 2, tenant_id, recommendation_id, kind, 720, reason, decided_by, decided_on, created_at, "
                "purchase_order_id FROM optimization_decision")
            connection.execute("UPDATE catalog_supplier SET simulated = '{lead_time_days}'")
        moved = subprocess.run([sys.executable, "-c", THERE_AND_BACK], cwd=CLONE, check=False, text=True,
                               capture_output=True, env={**os.environ, **other.environment(),
                                                         "DJANGO_SETTINGS_MODULE": "config.settings.test"})
        assert moved.returncode == 0, moved.stdout + moved.stderr
        assert int(moved.stdout.split()[0]) > 20
        with psycopg.connect(other.url("superuser")) as connection:
            assert connection.execute("SELECT simulated FROM catalog_supplier").fetchall() == [
                (["lead_time_days", "minimum_order_value"],)], "a supplier made up in part came back as a whole"
            assert connection.execute("SELECT simulated FROM catalog_supplyterm").fetchall() == [([],)]
            assert connection.execute("SELECT count(*) FROM forecasting_backtest").fetchone() == (1,)
            assert connection.execute("SELECT quantity FROM optimization_decision").fetchall() == [(720,)], (
                "of a line that was edited twice the last decision stands")
