"""A command whose server is not there says so in one sentence, and what to start."""

from __future__ import annotations

import subprocess
import sys

import kombu.exceptions
import psycopg
import redis
import redis.exceptions
from django.db.utils import OperationalError

from config.unreachable import unreachable
from tests.servers import CLONE


def test_a_command_without_postgres_ends_with_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "loop_report"], cwd=CLONE, check=False, capture_output=True, text=True,
        env={"DJANGO_SETTINGS_MODULE": "config.settings.test", "PATH": "", "LOG_LEVEL": "CRITICAL"})
    assert done.returncode == 1
    assert done.stderr.startswith("Postgres does not answer at 127.0.0.1:1 (Connection refused): start it")
    assert done.stderr.count("\n") == 1 and "make servers" in done.stderr and "DATABASE_URL" in done.stderr


def test_valkey_is_named_where_it_is_missing_and_other_errors_are_left_alone() -> None:
    for error in (redis.exceptions.ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused."),
                  kombu.exceptions.OperationalError("[Errno 111] Connection refused")):
        told = str(unreachable(error))
        assert told.startswith("Valkey does not answer at 127.0.0.1:") and " (Connection refused): start it" in told
    wrapped = OperationalError("deadlock detected")
    wrapped.__cause__ = psycopg.errors.DeadlockDetected("deadlock detected")
    for other in (wrapped, ValueError("no"), psycopg.errors.UndefinedTable("no such table")):
        assert unreachable(other) is None
