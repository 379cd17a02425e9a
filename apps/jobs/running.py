"""A job in a worker's hands: its input, its progress, its lease."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from django.db import connection


class Cancelled(RuntimeError):
    """Someone asked for the job to stop; raised at its next report of progress."""


class LeaseLost(RuntimeError):
    """Another worker took the job over; this one must write nothing more."""


class GiveUp(RuntimeError):
    """Trying again cannot help; the message says, for a person, what is missing or wrong."""


@dataclass
class Running:
    """What a handler is given.

    Progress and lease are written by a thread of their own, on a connection of their own: they are seen while the
    handler's transaction is open, and the lease holds while it computes.
    """

    job_id: int
    tenant_id: int
    kind: str
    attempt: int
    input: dict[str, Any]
    fraction: float = 0.0
    note: str = ""
    lost: threading.Event = field(default_factory=threading.Event, repr=False)
    cancelled: threading.Event = field(default_factory=threading.Event, repr=False)

    def progress(self, fraction: float, note: str = "") -> None:
        """Say how far the job is (0 to 1) and what it is doing; stops it here if it was cancelled or lost."""
        self.fraction = min(max(fraction, 0.0), 1.0)
        if note:
            self.note = note
        self.check()

    def check(self) -> None:
        if self.lost.is_set():
            raise LeaseLost(f"Job {self.job_id} is held by another worker.")
        if self.cancelled.is_set():
            raise Cancelled(f"Job {self.job_id} was cancelled.")

    def hold(self) -> None:
        """Lock the job's head inside the writing transaction, so that no zombie writes after it was replaced."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT cancel_requested FROM jobs_job "
                           "WHERE id = %s AND attempts = %s AND state = 'running' FOR UPDATE",
                           [self.job_id, self.attempt])
            row = cursor.fetchone()
        if row is None:
            raise LeaseLost(f"Job {self.job_id} is held by another worker.")
        if row[0]:
            raise Cancelled(f"Job {self.job_id} was cancelled.")

    def part(self, start: float, end: float) -> Part:
        """A stretch of the job's progress, for a step that counts from 0 to 1 by itself."""
        return Part(self, start, end)


@dataclass(frozen=True)
class Part:
    """A stretch of a job's progress; callable as `on_progress(fraction, note)`."""

    running: Running
    start: float
    end: float

    def __call__(self, fraction: float, note: str = "") -> None:
        self.running.progress(self.start + (self.end - self.start) * min(max(fraction, 0.0), 1.0), note)

