"""Job kinds for these tests, and a worker process that knows them: `python -m tests.integration.jobs.slow_work`."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

from apps.jobs.kinds import Kind, Precedence, declare
from apps.jobs.running import GiveUp, Running

HERE = "tests.integration.jobs.slow_work"
GATED = declare(Kind("test.gated", title="Gated work", handler=f"{HERE}:write_at_the_gate"))
ECHO = declare(Kind("test.echo", title="Echo", handler=f"{HERE}:echo"))
OTHER = declare(Kind("test.other", title="Other", handler=f"{HERE}:echo"))
BROKEN = declare(Kind("test.broken", title="Broken", handler=f"{HERE}:break_down", max_attempts=2))
CONTEST = declare(Kind("test.contest", title="Contest", handler=f"{HERE}:echo", precedence=Precedence.LATER))
WRITES = declare(Kind("test.writes", title="Writes", handler=f"{HERE}:write_figures"))
HOPELESS = declare(Kind("test.hopeless", title="Hopeless", handler=f"{HERE}:give_up"))


def write_at_the_gate(running: Running) -> dict[str, Any]:
    """Say that the work is under way, wait for a file to appear, then write one row, as handlers write."""
    from apps.alerts.models import Alert
    from apps.tenants.scope import tenant_context

    running.progress(0.5, "at the gate")
    gate, pause = Path(running.input["gate"]), threading.Event()
    gate.with_suffix(f".reached-{running.attempt}").touch()
    while not gate.exists():
        pause.wait(0.02)
        running.check()
    with tenant_context(running.tenant_id):
        running.hold()
        Alert.objects.create(severity="info", code="written", subject=os.urandom(8).hex(), title="Written")
    return {"attempt": running.attempt}


def echo(running: Running) -> dict[str, Any]:
    return {"echo": running.input}


def write_figures(running: Running) -> None:
    """End with figures and the language that words are in."""
    from django.utils.translation import get_language

    from apps.tenants.figures import money, units

    raise GiveUp(f"{units(12345)} items, {money(1234.5, 'EUR')}, {get_language()}")


def break_down(running: Running) -> None:
    raise ValueError(f"no such thing as {running.input['thing']}")


def give_up(running: Running) -> None:
    raise GiveUp("There are no sales yet: import order lines first.")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    import django

    django.setup()
    from django.conf import settings

    settings.JOBS_LEASE_SECONDS, settings.JOBS_BEAT_SECONDS, settings.JOBS_RETRY_SECONDS = 2, 0.1, 0
    from config.celery import app

    app.worker_main(["worker", "--queues", "light", "--pool", "prefork", "--concurrency", "1", "--loglevel", "WARNING",
                     *sys.argv[1:]])
