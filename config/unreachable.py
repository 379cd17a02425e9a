"""Says in one sentence which server a command could not reach, and what starts it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import kombu.exceptions
import psycopg
import redis.exceptions
from django.conf import settings

# Postgres' own codes for a connection that broke, and for a server that stops or starts.
BROKEN = ("08", "57P")


def unreachable(error: BaseException) -> str | None:
    """The sentence for an error that means that Postgres or Valkey is not there; None for any other."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, psycopg.OperationalError) and (seen.sqlstate or BROKEN[0]).startswith(BROKEN):
            named = settings.DATABASES["default"]
            return sentence("Postgres", f"{named['HOST']}:{named['PORT'] or 5432}", "DATABASE_URL", seen)
        if isinstance(seen, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError
                      | kombu.exceptions.OperationalError):
            parts = urlsplit(settings.REDIS_URL)
            return sentence("Valkey", f"{parts.hostname}:{parts.port or 6379}", "REDIS_URL", seen)
        seen = seen.__cause__
    return None


def sentence(server: str, where: str, variable: str, error: BaseException) -> str:
    said = re.split(r"[:.\]] ", str(error).strip().partition("\n")[0].rstrip("."))[-1]
    return (f"{server} does not answer at {where} ({said}): start it, as `make servers` does for development and "
            f"`make demo` for everything, or name another by {variable}.")
