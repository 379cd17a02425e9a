"""What a worker does when the doorbell rings: takes jobs one after another, fairly, until none waits."""

from __future__ import annotations

import os
import socket
import threading
import traceback

import structlog
from django.conf import settings
from django.db import close_old_connections, connection
from django.utils.translation import gettext as _

from apps.jobs import services
from apps.jobs.kinds import kind
from apps.jobs.running import Cancelled, GiveUp, LeaseLost, Running
from apps.tenants.figures import written_for
from apps.tenants.selectors import tenant_by_id

log = structlog.get_logger(__name__)


class Heartbeat:
    """The thread that keeps the lease and shows the progress while the handler runs, on its own connection."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{running.job_id}", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            while not self._stop.wait(settings.JOBS_BEAT_SECONDS) and not self.running.lost.is_set():
                try:
                    held, cancelled = services.beat(running=self.running)
                except Exception as error:  # whether the lease is lost, only the database can say: it is asked again
                    log.warning("job_beat_failed", error=f"{type(error).__name__}: {error}")
                    connection.close()
                    continue
                if cancelled:
                    self.running.cancelled.set()
                if not held:
                    self.running.lost.set()
        finally:
            connection.close()


def work_until_empty(queue: str) -> int:
    """Run the jobs of a queue until none waits; how many were run."""
    worker = f"{socket.gethostname()}:{os.getpid()}"
    count = 0
    while True:
        close_old_connections()
        running = services.claim(queue=queue, worker=worker)
        if running is None:
            return count
        run(running)
        count += 1


def run(running: Running) -> None:
    """Run one claimed job and write what came of it, as its shop writes words and numbers."""
    structlog.contextvars.bind_contextvars(tenant_id=running.tenant_id, job_id=running.job_id, kind=running.kind)
    try:
        with written_for(tenant_by_id(running.tenant_id).locale):
            _run(running)
    finally:
        structlog.contextvars.unbind_contextvars("tenant_id", "job_id", "kind")


def _run(running: Running) -> None:
    try:
        with Heartbeat(running):
            result = kind(running.kind).load()(running)
        services.finish(running=running, result=result)
        log.info("job_done")
    except Cancelled:
        services.note_cancelled(running=running)
        log.info("job_cancelled")
    except LeaseLost:
        log.warning("job_lease_lost")
    except GiveUp as error:
        services.fail(running=running, reason=str(error), is_final=True)
        log.warning("job_gave_up", reason=str(error))
    except Exception as error:
        reason = _("Stopped by an error: %(error)s") % {"error": f"{type(error).__name__}: {error}"}
        state = services.fail(running=running, reason=reason, trace=traceback.format_exc())
        log.exception("job_failed", state=str(state))
