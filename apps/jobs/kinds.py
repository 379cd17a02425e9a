"""The kinds of job: each names its handler by a string, and its queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from apps.jobs.running import Running

QUEUES = ("light", "heavy", "batch", "gpu")
QUEUE_TITLES = {"light": _("short tasks"), "heavy": _("forecasts and plans"),
                "batch": _("long computations that nobody waits for"), "gpu": _("computations on a GPU")}


class Precedence(IntEnum):
    """What goes first of the jobs that wait in a queue, the lowest number first."""

    AWAITED = 0  # someone may be looking at a bar: a button, a file and what follows it, a day that is let in
    LATER = 1  # minutes of work whose figures are read the next morning; among these a tenant's turn alone decides
    LAST = 2  # what only makes later work better: it may wait for as long as there is anything else to do


@dataclass(frozen=True)
class Kind:
    """What a job of this kind is: `handler` is "package.module:function", called with the running job.

    The handler enters its own tenant scopes, reports progress, and returns a JSON-able result. It must be safe to run
    again from the start: a worker that dies is followed by another. `stopped`, named in the same way, is called with
    the job's id, its input and the reason when it ends undone (cancelled, or failed for good), in its tenant's scope
    and in the transaction that says so: there it gives back what the job had taken up.
    """

    name: str
    title: Any  # a lazy translation, shown to people
    handler: str
    queue: str = "light"
    max_attempts: int = 3
    is_listed: bool = True
    precedence: Precedence = Precedence.AWAITED
    stopped: str = ""

    def load(self) -> Callable[[Running], dict[str, Any] | None]:
        function: Callable[[Running], dict[str, Any] | None] = _named(self.handler)
        return function

    def tell_stopped(self, job_id: int, given: dict[str, Any], reason: str) -> None:
        if self.stopped:
            _named(self.stopped)(job_id, given, reason)


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


class UnknownKind(LookupError):
    """A job names a kind that no app declares."""


_kinds: dict[str, Kind] = {}


def declare(kind: Kind) -> Kind:
    """Declare a kind, in an app's tasks.py; the same name twice is a mistake, unless it is the same kind."""
    if kind.queue not in QUEUES:
        raise ValueError(f"{kind.name}: there is no queue {kind.queue!r}, only {', '.join(QUEUES)}.")
    if _kinds.setdefault(kind.name, kind) != kind:
        raise ValueError(f"Job kind {kind.name!r} is declared twice.")
    return kind


def kind(name: str) -> Kind:
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownKind(f"No app declares the job kind {name!r}.") from None


def all_kinds() -> tuple[Kind, ...]:
    return tuple(_kinds.values())
