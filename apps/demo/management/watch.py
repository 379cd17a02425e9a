"""Follows a shop's jobs from the terminal, in plain lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from apps.demo import selectors
from apps.jobs.selectors import JobView, running_in
from apps.jobs.services import ring
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context

PAUSE_SECONDS = 0.5
SAME_STEP_SECONDS = 3.0  # a step that counts says so no more often
IDLE_SECONDS = 300.0


@dataclass
class Watch:
    """Waits for shops, says what happens now, and raises CommandError with the sentence of a job that failed."""

    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    _told: dict[int, tuple[str, int, str]] = field(default_factory=dict)
    _told_at: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        logging.getLogger("django_structlog").setLevel(logging.WARNING)  # each ring of a doorbell is no news here

    def tell(self, text: str) -> None:
        self.say(f"[{time.monotonic() - self.began:6.1f} s] {text}")

    def until(self, tenants: Sequence[Tenant], is_done: Callable[[Tenant], bool], kinds: tuple[str, ...]) -> None:
        """Wait until all are done; `is_done` is asked in each shop's scope, `kinds` are the jobs that lead there."""
        if not ring(queues=["light"]):
            raise CommandError(_("The broker does not answer, so no worker hears that something waits: start Valkey, "
                                 "as `make servers` does for development and `make demo` for everything, or name "
                                 "another by REDIS_URL."))
        open_ones, moved_at = list(tenants), time.monotonic()
        while open_ones:
            for tenant in list(open_ones):
                with tenant_context(tenant.pk):
                    if is_done(tenant):
                        open_ones.remove(tenant)
                        moved_at = time.monotonic()
                        continue
                    busy = selectors.busy_job()
                    if busy is None:
                        self._explain(tenant, kinds)
                    elif self._show(tenant, busy):
                        moved_at = time.monotonic()
            if time.monotonic() - moved_at > IDLE_SECONDS:
                raise CommandError(_("No worker has taken up the work that waits for %(minutes)d minutes: are the "
                                     "workers running?") % {"minutes": IDLE_SECONDS // 60})
            if open_ones:
                time.sleep(PAUSE_SECONDS)

    def _show(self, tenant: Tenant, view: JobView) -> bool:
        """Say what a job does, or what it waits for; whether a worker is at work on it, or on what it waits for."""
        if view.job.state == "running":
            self._step(tenant, view.job.title, view.job.attempts, view.record.note if view.record else "")
            return True
        ahead = running_in(view.job.queue)
        if ahead is not None:
            self._step(tenant, view.job.title, 0, _("waits for “%(job)s” of %(shop)s")
                       % {"job": ahead.title, "shop": ahead.tenant})
        return ahead is not None

    def _step(self, tenant: Tenant, step: str, attempt: int, note: str) -> None:
        told, now = self._told.get(tenant.pk, ("", 0, "")), time.monotonic()
        is_same = (step, attempt) == told[:2]
        if is_same and (note == told[2] or now - self._told_at[tenant.pk] < SAME_STEP_SECONDS):
            return
        if attempt > 1 and not is_same:
            self.tell(_("%(shop)s: %(job)s - taken up again, attempt %(n)d")
                      % {"shop": tenant.name, "job": step, "n": attempt})
        self._told[tenant.pk], self._told_at[tenant.pk] = (step, attempt, note), now
        self.tell(f"{tenant.name}: {step}" + (f" - {note}" if note else ""))

    def _explain(self, tenant: Tenant, kinds: tuple[str, ...]) -> None:
        last = selectors.last_job(kinds)
        if last is None:
            raise CommandError(_("%(shop)s: nothing was asked for.") % {"shop": tenant.name})
        if last.job.state in ("failed", "cancelled"):
            raise CommandError(f"{tenant.name}: {last.job.title}: {last.record.note if last.record else ''}")
