"""Asking for work, handing it out fairly, and keeping its story."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from apps.jobs.kinds import QUEUES, Precedence, UnknownKind, all_kinds, kind
from apps.jobs.models import Job, JobRecord
from apps.jobs.running import LeaseLost, Running
from apps.tenants.models import TIER_LIMITS, User
from apps.tenants.scope import current_tenant_id, tenant_context
from apps.tenants.selectors import active_tenants, tenant_by_id
from apps.tenants.services import record_audit

log = structlog.get_logger(__name__)

WORKERS_LOST_AT_MOST = 3  # a worker may be stopped or killed at any time; a job that has lost more is what kills them
YIELDS_HOURS = 6  # a job that has waited for so long gives way to nothing any more
SWEEP_WAITS_SECONDS = 3  # for a lock, before the other jobs are looked after
BROKER_AWAY_SECONDS = 3  # for which one that did not answer is not rung again: a request may ask for several jobs
_CLAIM_LOCK = 0x2A16  # the class of the advisory lock of a queue's claims
_NIGHT_LOCK = 0x2A17  # the class of the advisory lock under which a tenant's night is started

_away_until: dict[str, float] = {}  # by the broker's address
# Called in the job's tenant's scope when a job has failed for good: rooms above tell people.
_on_failed: list[Callable[[Job, str], None]] = []


def on_failed(hook: Callable[[Job, str], None]) -> None:
    """Let a room above hear of jobs that failed for good."""
    if hook not in _on_failed:
        _on_failed.append(hook)


@transaction.atomic
def enqueue(*, kind_name: str, input: dict[str, Any] | None = None, dedupe_key: str = "",
            run_after: dt.datetime | None = None) -> Job:
    """Ask for a job, in the same transaction as the fact that needs it.

    With a dedupe key, a job of that kind and key that still waits is returned instead of a second one. The doorbell
    rings after commit; if the broker is away, the sweeper rings again.
    """
    tenant_id = current_tenant_id()
    asked = kind(kind_name)
    if dedupe_key:
        waiting = Job.objects.filter(tenant_id=tenant_id, kind=kind_name, dedupe_key=dedupe_key, state=Job.State.QUEUED)
        job, made = waiting.get_or_create(
            defaults={"queue": asked.queue, "max_attempts": asked.max_attempts,
                      "run_after": run_after or timezone.now()},
            tenant_id=tenant_id, kind=kind_name, dedupe_key=dedupe_key, state=Job.State.QUEUED)
        if not made:
            return job
    else:
        job = Job.objects.create(tenant_id=tenant_id, kind=kind_name, queue=asked.queue,
                                 max_attempts=asked.max_attempts, run_after=run_after or timezone.now())
    JobRecord.objects.create(job=job, input=input or {}, story=[_line(_("Asked for."))])
    transaction.on_commit(lambda: ring(queues=[asked.queue]))
    return job


def ring(*, queues: Iterable[str]) -> bool:
    """Ring the doorbell of some queues; False where the broker does not answer, which loses nothing."""
    broker = current_app.conf.broker_url
    if time.monotonic() < _away_until.get(broker, 0):
        return False
    try:
        for queue in queues:
            current_app.send_task("jobs.work", kwargs={"queue": queue}, queue=queue, retry=False, ignore_result=True)
    except OperationalError:
        _away_until[broker] = time.monotonic() + BROKER_AWAY_SECONDS
        return False
    return True


_CLAIM = """
WITH busy AS (
    SELECT tenant_id, count(*) FILTER (WHERE state = 'running') AS running, max(started_at) AS last_started
    FROM jobs_job WHERE queue = %(queue)s AND (state = 'running' OR started_at > now() - interval '1 day')
    GROUP BY tenant_id
), allowed AS (
    SELECT id AS tenant_id, coalesce(
        CASE WHEN limits ->> 'jobs_at_once' ~ '^[0-9]{1,6}$' THEN (limits ->> 'jobs_at_once')::int END,
        (%(tiers)s::jsonb ->> tier)::int, 1) AS at_once
    FROM tenants_tenant WHERE status = 'active'
), next AS (
    SELECT job.id FROM jobs_job job JOIN allowed USING (tenant_id) LEFT JOIN busy USING (tenant_id)
    WHERE job.state = 'queued' AND job.queue = %(queue)s AND job.run_after <= now()
      AND coalesce(busy.running, 0) < allowed.at_once
      AND NOT EXISTS (SELECT FROM jobs_job same WHERE same.tenant_id = job.tenant_id AND same.kind = job.kind
                      AND same.state = 'running')
    ORDER BY CASE WHEN job.run_after > now() - %(yields)s * interval '1 hour'
                  THEN coalesce((%(precedence)s::jsonb ->> job.kind)::int, 0) ELSE 0 END,
             coalesce(busy.running, 0), busy.last_started NULLS FIRST, job.id
    LIMIT 1 FOR UPDATE OF job SKIP LOCKED
)
UPDATE jobs_job SET state = 'running', attempts = attempts + 1, worker = %(worker)s, started_at = clock_timestamp(),
       finished_at = NULL, progress = 0, lease_until = clock_timestamp() + %(lease)s * interval '1 second'
FROM next WHERE jobs_job.id = next.id
RETURNING jobs_job.id, jobs_job.tenant_id, jobs_job.kind, jobs_job.attempts
"""


# Which queue a kind goes to may change while its jobs wait; a kind that no app declares stays where it is.
_FOLLOW_KINDS = """
UPDATE jobs_job SET queue = place.queue FROM (
    SELECT job.id, place.queue FROM jobs_job job
    JOIN unnest(%(kinds)s::text[], %(queues)s::text[]) AS place (kind, queue) USING (kind)
    WHERE job.state = 'queued' AND job.queue <> place.queue ORDER BY job.id FOR UPDATE OF job SKIP LOCKED) place
WHERE jobs_job.id = place.id
"""


def _follow_kinds() -> None:
    """Let what waits wait in the queue that its kind goes to now, whatever that was when it was asked for."""
    known = all_kinds()
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW_KINDS, {"kinds": [each.name for each in known],
                                       "queues": [each.queue for each in known]})


def claim(*, queue: str, worker: str) -> Running | None:
    """Take the next job of a queue: what people wait for, then of the tenant with the fewest running, then of the one
    served longest ago."""
    with transaction.atomic():
        _follow_kinds()
        with connection.cursor() as cursor:
            # One claim of a queue after another: two at once would both see a tenant with nothing running.
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_CLAIM_LOCK, queue])
            cursor.execute(_CLAIM, {
                "queue": queue, "worker": worker[:80], "lease": settings.JOBS_LEASE_SECONDS, "yields": YIELDS_HOURS,
                "precedence": json.dumps({each.name: each.precedence for each in all_kinds()
                                          if each.precedence != Precedence.AWAITED}),
                "tiers": json.dumps({tier: limits["jobs_at_once"] for tier, limits in TIER_LIMITS.items()})})
            row = cursor.fetchone()
        if row is None:
            return None
        job_id, tenant_id, kind_name, attempt = row
        with tenant_context(tenant_id):
            record, _made = JobRecord.objects.select_for_update().get_or_create(tenant_id=tenant_id, job_id=job_id)
            record.story.append(_line(_("Attempt %(n)d started.") % {"n": attempt}))
            record.note = ""
            record.save(update_fields=["story", "note"])
    return Running(job_id=job_id, tenant_id=tenant_id, kind=kind_name, attempt=attempt, input=record.input)


def beat(*, running: Running) -> tuple[bool, bool]:
    """Renew the lease and show the progress: (still held, asked to stop)."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET progress = %s, lease_until = clock_timestamp() + %s * interval '1 second' "
                       "WHERE id = %s AND attempts = %s AND state = 'running' RETURNING cancel_requested",
                       [running.fraction, settings.JOBS_LEASE_SECONDS, running.job_id, running.attempt])
        row = cursor.fetchone()
    if row is None:
        return False, False
    if running.note:
        with tenant_context(running.tenant_id):
            JobRecord.objects.filter(job_id=running.job_id).exclude(note=running.note).update(note=running.note)
    return True, bool(row[0])


def finish(*, running: Running, result: dict[str, Any] | None) -> None:
    """Write a job's result and ask for what its input says comes `then`, once: who lost the lease writes nothing.

    A result with `ends_chain` says that there is nothing for the rest to work on.
    """
    with tenant_context(running.tenant_id):
        _close(running, Job.State.DONE, progress=1.0)
        record = JobRecord.objects.get(job_id=running.job_id)
        record.result = result or {}
        record.note = ""
        record.story.append(_line(_("Done.")))
        record.save(update_fields=["result", "note", "story"])
        following = [] if record.result.get("ends_chain") else running.input.get("then", [])
        if following:
            enqueue(kind_name=following[0], input={**running.input, "then": following[1:]},
                    dedupe_key=_key_in_chain(str(running.input.get("as_of", "")), following[1:]))


def _key_in_chain(as_of: str, rest: list[str]) -> str:
    """One step of a day for all who wait for the same rest: who waits for another must not lose it."""
    if not as_of or not rest:
        return as_of
    return f"{as_of} {hashlib.sha256(' '.join(rest).encode()).hexdigest()[:16]}"


def fail(*, running: Running, reason: str, trace: str = "", is_final: bool = False) -> Job.State:
    """Note why an attempt failed; the job waits for another, or has failed for good."""
    reason, trace = (text.replace("\0", "").encode(errors="replace").decode() for text in (reason, trace))
    with tenant_context(running.tenant_id):
        head = Job.objects.select_for_update().get(pk=running.job_id)
        if head.attempts != running.attempt or head.state != Job.State.RUNNING:
            return Job.State(head.state)
        again = not is_final and head.attempts < head.max_attempts and not head.cancel_requested
        if again:
            head.state = Job.State.QUEUED
            head.run_after = timezone.now() + dt.timedelta(seconds=settings.JOBS_RETRY_SECONDS * 2 ** head.attempts)
        else:
            head.state = Job.State.FAILED
            head.finished_at = timezone.now()
        head.lease_until = None
        head.save(update_fields=["state", "run_after", "finished_at", "lease_until"])
        record = _tell(running.job_id, reason, trace)
        if not again:
            _give_back(head, record, reason)
            for hook in _on_failed:
                _call(head, partial(hook, head, reason))
        return Job.State(head.state)


def _give_back(head: Job, record: JobRecord, reason: str) -> None:
    """Let the kind's own room know that a job ended undone."""
    try:
        known = kind(head.kind)
    except UnknownKind:  # an older version's: nobody is left to tell
        return
    _call(head, partial(known.tell_stopped, head.pk, record.input, reason))


def _call(head: Job, hook: partial[None]) -> None:
    """What a room above does about an ended job must not keep the job from ending."""
    try:
        with transaction.atomic():
            hook()
    except Exception:
        log.exception("job_hook_failed", job_id=head.pk, tenant_id=head.tenant_id, kind=head.kind)


def note_cancelled(*, running: Running) -> None:
    """The handler has stopped at its next step, as asked."""
    with tenant_context(running.tenant_id):
        _close(running, Job.State.CANCELLED, progress=running.fraction)
        record = _tell(running.job_id, _("Cancelled."))
        asked = [line["text"] for line in record.story if line.get("asks") == "stop"]
        _give_back(Job.objects.get(pk=running.job_id), record, asked[-1] if asked else record.note)


def _close(running: Running, state: Job.State, progress: float) -> None:
    closed = Job.objects.filter(pk=running.job_id, attempts=running.attempt, state=Job.State.RUNNING).update(
        state=state, progress=progress, finished_at=timezone.now(), lease_until=None)
    if not closed:
        raise LeaseLost(f"Job {running.job_id} is held by another worker.")


def _tell(job_id: int, text: str, trace: str = "", asks: str = "") -> JobRecord:
    """Add a line to a job's story; one whose record is gone gets a new one, so that it can still end."""
    record: JobRecord
    record, _made = JobRecord.objects.select_for_update().get_or_create(tenant_id=current_tenant_id(), job_id=job_id)
    record.story.append(_line(text, trace=trace[-4000:], asks=asks))
    record.note = text
    record.save(update_fields=["story", "note"])
    return record


def _line(text: str, **more: str) -> dict[str, str]:
    """A line of a story; `trace` and what somebody `asks` stand beside it where there are any."""
    line = {"at": timezone.now().isoformat(timespec="seconds"), "text": str(text)}
    return {**line, **{name: value for name, value in more.items() if value}}


class NotNow(ValueError):
    """The job is in a state in which this cannot be done; the message says which."""


@transaction.atomic
def cancel(*, job: Job, actor: User | None, label: str = "") -> Job:
    """Stop a job: one that waits at once, one that runs at its next step."""
    tenant_id = current_tenant_id()
    head = Job.objects.select_for_update().get(pk=job.pk, tenant_id=tenant_id)
    if head.is_over:
        raise NotNow(_("This job is already over."))
    head.cancel_requested = True
    is_waiting = head.state == Job.State.QUEUED
    if is_waiting:
        head.state, head.finished_at = Job.State.CANCELLED, timezone.now()
    head.save(update_fields=["cancel_requested", "state", "finished_at"])
    record = _tell(head.pk, _("%(who)s asked for it to stop.") % {"who": actor or label or "Stockwright"}, asks="stop")
    if is_waiting:
        _give_back(head, record, record.note)
    record_audit(tenant=tenant_by_id(tenant_id), actor=actor, action="job.cancelled", target=str(head),
                 label=label)
    return head


@transaction.atomic
def retry(*, job: Job, actor: User | None, label: str = "") -> Job:
    """Run a failed or cancelled job again, with the input it had."""
    tenant_id = current_tenant_id()
    head = Job.objects.select_for_update().get(pk=job.pk, tenant_id=tenant_id)
    if head.state not in (Job.State.FAILED, Job.State.CANCELLED):
        raise NotNow(_("Only a job that failed or was cancelled can be run again."))
    if head.dedupe_key and Job.objects.filter(tenant_id=tenant_id, kind=head.kind, dedupe_key=head.dedupe_key,
                                              state=Job.State.QUEUED).exists():
        raise NotNow(_("The same work is already waiting."))
    try:
        asked = kind(head.kind)
    except UnknownKind as gone:
        raise NotNow(_("Work of this kind is not done any more.")) from gone
    head.state, head.cancel_requested, head.finished_at, head.progress = Job.State.QUEUED, False, None, 0
    head.queue, head.workers_lost = asked.queue, 0
    head.run_after, head.max_attempts = timezone.now(), head.attempts + asked.max_attempts
    head.save()
    _tell(head.pk, _("%(who)s asked for another try.") % {"who": actor or label or "Stockwright"})
    record_audit(tenant=tenant_by_id(tenant_id), actor=actor, action="job.retried", target=str(head),
                 label=label)
    transaction.on_commit(lambda: ring(queues=[head.queue]))
    return head


def sweep() -> dict[str, int]:
    """Put back what dead workers held, and ring for every queue in which something waits.

    Each job is put back by itself: one that cannot be is logged, and does not hold up the others.
    """
    freed = 0
    for job in Job.objects.filter(state=Job.State.RUNNING, lease_until__lt=timezone.now()).order_by("pk"):
        try:
            freed += _put_back(job)
        except Exception:
            log.exception("job_not_put_back", job_id=job.pk, tenant_id=job.tenant_id, kind=job.kind)
    _follow_kinds()
    waiting = list(Job.objects.filter(state=Job.State.QUEUED, run_after__lte=timezone.now())
                   .order_by().values_list("queue", flat=True).distinct())
    ring(queues=[queue for queue in QUEUES if queue in waiting])
    return {"freed": freed, "queues_rung": len(waiting), "kinds": len(all_kinds())}


@transaction.atomic
def _put_back(job: Job) -> bool:
    """Put back a job whose lease has run out; False where its worker is writing, or has been heard of again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{SWEEP_WAITS_SECONDS}s"])
    head = Job.objects.select_for_update(skip_locked=True).filter(
        pk=job.pk, state=Job.State.RUNNING, attempts=job.attempts, lease_until__lt=timezone.now()).first()
    if head is None:
        return False
    running = Running(job_id=head.pk, tenant_id=head.tenant_id, kind=head.kind, attempt=head.attempts, input={},
                      fraction=head.progress)
    if head.cancel_requested:
        note_cancelled(running=running)
        return True
    head.workers_lost += 1
    head.max_attempts += 1  # an attempt that its worker did not live through does not count
    head.save(update_fields=["workers_lost", "max_attempts"])
    if head.workers_lost > WORKERS_LOST_AT_MOST:
        fail(running=running, is_final=True, reason=_(
            "%(n)d workers went away while they did this. It may need more memory than they have, or break them: it is "
            "not tried again by itself.") % {"n": head.workers_lost})
    else:
        fail(running=running, reason=_("Its worker went away; it starts again."))
        Job.objects.filter(pk=head.pk).update(run_after=timezone.now())
    return True


_DUE_NIGHTS = """
SELECT tenant.id, due.day FROM tenants_tenant tenant
JOIN unnest(%(zones)s::text[], %(days)s::text[]) AS due (zone, day) ON due.zone = tenant.time_zone
WHERE tenant.status = 'active' AND tenant.demo_date IS NULL AND NOT EXISTS (
    SELECT FROM jobs_job job WHERE job.tenant_id = tenant.id AND job.kind = %(kind)s
    AND job.dedupe_key = 'night ' || due.day)
ORDER BY tenant.id
"""


def start_nights(*, chain: tuple[str, ...], hour: int) -> int:
    """Start the nightly chain of every active tenant whose own clock has passed `hour`, once for each of its days.

    A demo has no nights: its days pass when someone lets them in. A tenant whose night cannot be started is logged,
    and does not hold up the others.
    """
    days = _days_past(hour)
    with connection.cursor() as cursor:
        cursor.execute(_DUE_NIGHTS, {"zones": list(days), "days": [day.isoformat() for day in days.values()],
                                     "kind": chain[0]})
        due = [(tenant_id, dt.date.fromisoformat(day)) for tenant_id, day in cursor.fetchall()]
    started = 0
    for tenant_id, day in due:
        try:
            started += _start_night(tenant_id, chain, day)
        except Exception:
            log.exception("night_not_started", tenant_id=tenant_id)
    return started


def _days_past(hour: int) -> dict[str, dt.date]:
    """The day in each of the tenants' time zones in which it is past an hour."""
    found = {}
    for name in active_tenants().order_by().values_list("time_zone", flat=True).distinct():
        try:
            now = timezone.now().astimezone(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError):  # no such name, no name at all, a folder of names
            log.exception("time_zone_unknown", time_zone=name)
            continue
        if now.hour >= hour:
            found[name] = now.date()
    return found


def _start_night(tenant_id: int, chain: tuple[str, ...], day: dt.date) -> bool:
    """Start a tenant's night, unless another clock has done so, or is about to."""
    with tenant_context(tenant_id):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_NIGHT_LOCK, tenant_id % 2**31])
            if not cursor.fetchone()[0]:
                return False
        night = f"night {day.isoformat()}"  # not to be taken for what an import of the same day asked for
        if Job.objects.filter(tenant_id=tenant_id, kind=chain[0], dedupe_key=night).exists():
            return False
        start_chain(chain=chain, as_of=day, dedupe_key=night)
    return True


def start_chain(*, chain: tuple[str, ...], as_of: dt.date, dedupe_key: str = "", **input: Any) -> Job:
    """Ask for a chain of kinds, one after another, for one planning day of the tenant in scope."""
    return enqueue(kind_name=chain[0], dedupe_key=dedupe_key or as_of.isoformat(),
                   input={"as_of": as_of.isoformat(), "then": list(chain[1:]), **input})
