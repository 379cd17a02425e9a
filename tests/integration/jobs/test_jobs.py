"""Jobs: nothing is lost and nothing is done twice, whoever dies; and no tenant starves another."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from celery import Celery
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.alerts.models import Alert
from apps.jobs import selectors, services
from apps.jobs.models import Job, JobRecord
from apps.jobs.running import Cancelled, LeaseLost, Running
from apps.jobs.worker import Heartbeat, run, work_until_empty
from apps.tenants.figures import units
from apps.tenants.models import Tenant, Tier
from apps.tenants.scope import current_tenant_id, tenant_context
from config.schedule import AFTER_IMPORT, NIGHT
from tests.integration.jobs.slow_work import BROKEN, CONTEST, ECHO, GATED, HOPELESS, OTHER, WRITES
from tests.rows import make_tenant_row, make_user
from tests.servers import TestServers

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 30


def eventually(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    pause = threading.Event()
    while not true():
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}"
        pause.wait(0.05)


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.JOBS_LEASE_SECONDS, settings.JOBS_BEAT_SECONDS, settings.JOBS_RETRY_SECONDS = 2, 0.1, 0


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant_row(tier=Tier.SCALE)


def ask(tenant: Tenant, kind: str, key: str = "", **given: object) -> Job:
    with tenant_context(tenant.pk):
        return services.enqueue(kind_name=kind, input=given, dedupe_key=key)


def state(job: Job) -> str:
    return Job.objects.get(pk=job.pk).state


def record(tenant: Tenant, job: Job) -> JobRecord:
    with tenant_context(tenant.pk):
        found: JobRecord = JobRecord.objects.get(job_id=job.pk)
    return found


def written(tenant: Tenant) -> int:
    with tenant_context(tenant.pk):
        return int(Alert.objects.filter(code="written").count())


class TestWords:
    def test_what_a_job_writes_is_written_as_its_shop_writes_whoever_the_worker_served_before(self) -> None:
        shops = [make_tenant_row(locale=locale) for locale in ("de-de", "en-us", "fr-fr")]
        jobs = [ask(shop, WRITES.name) for shop in shops]
        assert work_until_empty("light") == 3
        said = []
        for shop, job in zip(shops, jobs, strict=True):
            with tenant_context(shop.pk):
                alert = Alert.objects.get()
            assert alert.reason == record(shop, job).note == record(shop, job).story[-1]["text"]
            said.append(alert.reason)
        assert said == ["12.345 items, 1.234,50\u00a0€, en", "12,345 items, €1,234.50, en",
                        "12\u202f345 items, 1\u202f234,50\u00a0€, en"]
        assert units(12345) == "12,345", "nothing of a shop is left behind"


class TestAsking:
    def test_a_job_is_there_if_and_only_if_the_fact_that_needs_it_is(self, tenant: Tenant) -> None:
        with pytest.raises(RuntimeError, match="stop"), tenant_context(tenant.pk):
            services.enqueue(kind_name=ECHO.name)
            raise RuntimeError("stop")
        assert Job.objects.count() == 0

    def test_the_same_work_asked_for_twice_waits_once_and_may_be_asked_for_again_while_it_runs(
            self, tenant: Tenant) -> None:
        first = ask(tenant, ECHO.name, key="monday")
        assert ask(tenant, ECHO.name, key="monday").pk == first.pk
        assert services.claim(queue="light", worker="w") is not None
        assert ask(tenant, ECHO.name, key="monday").pk != first.pk

    def test_without_a_broker_asking_works_and_the_sweep_finds_the_work_later(
            self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(services, "current_app", Celery(broker="redis://127.0.0.1:1/0", set_as_current=False))
        assert services.ring(queues=["light"]) is False
        job = ask(tenant, ECHO.name, word="still here")
        assert work_until_empty("light") == 1
        assert record(tenant, job).result == {"echo": {"word": "still here"}}

    def test_the_rest_of_a_chain_follows_once_each_step_is_done(self, tenant: Tenant) -> None:
        with tenant_context(tenant.pk):
            services.start_chain(chain=(ECHO.name, OTHER.name), as_of=dt.date(2017, 12, 4))
        assert work_until_empty("light") == 2
        assert list(Job.objects.order_by("pk").values_list("kind", "state")) == [
            (ECHO.name, "done"), (OTHER.name, "done")]


    def test_a_chain_that_meets_the_same_step_waiting_alone_goes_on_all_the_same(self, tenant: Tenant) -> None:
        day = dt.date(2017, 12, 4)
        ask(tenant, OTHER.name, key=day.isoformat(), as_of=day.isoformat())
        with tenant_context(tenant.pk):
            services.start_chain(chain=(ECHO.name, OTHER.name, ECHO.name), as_of=day)
        assert work_until_empty("light") == 4
        assert sorted(Job.objects.values_list("kind", flat=True)) == sorted([ECHO.name, OTHER.name] * 2)


class TestFailing:
    def test_a_failing_job_is_tried_again_then_fails_with_its_input_and_its_story(self, tenant: Tenant) -> None:
        job = ask(tenant, BROKEN.name, thing="gravity")
        assert work_until_empty("light") == 2
        assert state(job) == Job.State.FAILED
        kept = record(tenant, job)
        assert kept.input == {"thing": "gravity"}
        told = [line["text"] for line in kept.story]
        assert [text for text in told if "no such thing as gravity" in text] != []
        assert any("Traceback" in line.get("trace", "") for line in kept.story)

    def test_what_cannot_get_better_is_not_tried_again_and_says_why(self, tenant: Tenant) -> None:
        job = ask(tenant, HOPELESS.name)
        assert work_until_empty("light") == 1
        assert state(job) == Job.State.FAILED
        assert record(tenant, job).note == "There are no sales yet: import order lines first."

    def test_a_person_can_run_a_failed_job_again(self, tenant: Tenant) -> None:
        job = ask(tenant, HOPELESS.name)
        work_until_empty("light")
        with tenant_context(tenant.pk):
            services.retry(job=job, actor=make_user())
        assert state(job) == Job.State.QUEUED
        with tenant_context(tenant.pk), pytest.raises(services.NotNow):
            services.retry(job=job, actor=None)



    def test_a_job_goes_where_its_kind_goes_now_whatever_that_was_when_it_was_asked_for(
            self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        rung: list[str] = []

        def ring(*, queues: Iterable[str]) -> bool:
            rung.extend(queues)
            return True

        monkeypatch.setattr(services, "ring", ring)
        failed, waiting = ask(tenant, ECHO.name), ask(tenant, OTHER.name)
        unknown = Job.objects.create(tenant=tenant, kind="test.of_another_version", queue="batch")
        Job.objects.filter(pk__in=[failed.pk, waiting.pk]).update(queue="batch")
        Job.objects.filter(pk=failed.pk).update(state=Job.State.FAILED)
        rung.clear()
        with tenant_context(tenant.pk):
            assert services.retry(job=failed, actor=None).queue == "light"
        assert rung == ["light"]
        Job.objects.filter(pk=unknown.pk).update(state=Job.State.CANCELLED)
        assert services.claim(queue="batch", worker="w") is None, "nothing of it is left to the old queue"
        Job.objects.filter(pk=waiting.pk).update(queue="heavy")
        Job.objects.filter(pk=unknown.pk).update(state=Job.State.QUEUED)
        rung.clear()
        services.sweep()
        assert rung == ["light", "batch"], "and what waits in a queue that nobody rings any more is found"
        assert work_until_empty("light") == 2
        assert Job.objects.get(pk=unknown.pk).queue == "batch"
        Job.objects.filter(pk=unknown.pk).update(state=Job.State.FAILED)
        with tenant_context(tenant.pk), pytest.raises(services.NotNow, match="not done any more"):
            services.retry(job=unknown, actor=None)


class TestHolding:
    def test_a_worker_that_lost_its_lease_writes_nothing(self, tenant: Tenant) -> None:
        job = ask(tenant, ECHO.name)
        zombie = services.claim(queue="light", worker="zombie")
        assert zombie is not None
        Job.objects.filter(pk=job.pk).update(lease_until="2000-01-01T00:00Z")
        assert services.sweep()["freed"] == 1
        successor = services.claim(queue="light", worker="successor")
        assert successor is not None and successor.attempt == zombie.attempt + 1
        with tenant_context(tenant.pk), pytest.raises(LeaseLost):
            zombie.hold()
        with pytest.raises(LeaseLost):
            services.finish(running=zombie, result={"by": "zombie"})
        assert services.beat(running=zombie) == (False, False)
        services.finish(running=successor, result={"by": "successor"})
        assert record(tenant, job).result == {"by": "successor"}

    def test_a_lost_connection_costs_no_lease(self, tenant: Tenant) -> None:
        job = ask(tenant, ECHO.name)
        running = services.claim(queue="light", worker="w")
        assert running is not None

        def held_until() -> dt.datetime:
            until = Job.objects.values_list("lease_until", flat=True).get(pk=job.pk)
            assert until is not None
            return until

        claimed = held_until()
        with Heartbeat(running):
            eventually(lambda: held_until() > claimed, "the lease is renewed")
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                               "WHERE pid <> pg_backend_pid() AND datname = current_database() "
                               "AND usename = current_user")
                assert cursor.fetchone()[0] >= 1
            cut_off = held_until()
            eventually(lambda: held_until() > cut_off, "the lease is renewed on another connection")
            assert not running.lost.is_set()
            Job.objects.filter(pk=job.pk).update(attempts=2)
            eventually(running.lost.is_set, "a lease that really is lost is noticed")

    @staticmethod
    def lose_a_worker(job: Job) -> None:
        assert services.claim(queue="light", worker="dies") is not None
        Job.objects.filter(pk=job.pk).update(lease_until="2000-01-01T00:00Z")
        services.sweep()

    def test_a_job_that_cannot_be_put_back_holds_up_no_other(
            self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        jobs = [ask(make_tenant_row(), ECHO.name) for _ in range(4)]
        while services.claim(queue="light", worker="dies") is not None:
            pass
        Job.objects.update(lease_until="2000-01-01T00:00Z")
        unmendable, without_record, hooked, cancelled = jobs
        with tenant_context(without_record.tenant_id):
            JobRecord.objects.all().delete()
        Job.objects.filter(pk__in=[without_record.pk, hooked.pk]).update(workers_lost=services.WORKERS_LOST_AT_MOST)
        Job.objects.filter(pk=cancelled.pk).update(cancel_requested=True)
        really_fail, heard = services.fail, list[int]()

        def fail(**given: Any) -> Job.State:
            if given["running"].job_id == unmendable.pk:
                raise OSError("nobody knows why")
            return really_fail(**given)

        def broken_hook(job: Job, reason: str) -> None:
            heard.append(job.pk)
            connection.cursor().execute("SELECT no_such_column")

        monkeypatch.setattr(services, "fail", fail)
        monkeypatch.setattr(services, "_on_failed", [broken_hook])
        assert services.sweep()["freed"] == 3
        assert [state(job) for job in jobs] == ["running", "failed", "failed", "cancelled"]
        assert heard == [without_record.pk, hooked.pk]
        assert "4 workers went away" in record(Tenant.objects.get(pk=without_record.tenant_id), without_record).note

    def test_a_job_whose_worker_is_writing_is_neither_taken_from_it_nor_waited_for(
            self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(services, "SWEEP_WAITS_SECONDS", 2 * SECONDS)
        job = ask(tenant, ECHO.name)
        running = services.claim(queue="light", worker="slow")
        assert running is not None
        Job.objects.filter(pk=job.pk).update(lease_until="2000-01-01T00:00Z")
        swept: list[int] = []

        def sweep() -> None:
            swept.append(services.sweep()["freed"])
            connection.close()

        with tenant_context(tenant.pk):
            running.hold()
            sweeper = threading.Thread(target=sweep)
            sweeper.start()
            sweeper.join(SECONDS / 3)
            assert swept == [0]
        services.finish(running=running, result={})

    def test_workers_that_die_do_not_use_up_the_jobs_attempts(self, tenant: Tenant) -> None:
        job = ask(tenant, ECHO.name)
        for _ in range(services.WORKERS_LOST_AT_MOST):
            self.lose_a_worker(job)
        assert work_until_empty("light") == 1
        assert state(job) == Job.State.DONE

    def test_a_job_that_kills_every_worker_ends_and_can_be_tried_again_by_a_person(self, tenant: Tenant) -> None:
        job = ask(tenant, ECHO.name)
        for _ in range(services.WORKERS_LOST_AT_MOST + 1):
            self.lose_a_worker(job)
        assert state(job) == Job.State.FAILED
        assert "4 workers went away" in record(tenant, job).note
        with tenant_context(tenant.pk):
            services.retry(job=job, actor=make_user())
        self.lose_a_worker(job)
        assert work_until_empty("light") == 1
        assert state(job) == Job.State.DONE

    def test_cancelling_stops_a_waiting_job_at_once_and_a_running_one_at_its_next_step(self, tenant: Tenant) -> None:
        waiting = ask(tenant, ECHO.name)
        with tenant_context(tenant.pk):
            services.cancel(job=waiting, actor=make_user())
        assert state(waiting) == Job.State.CANCELLED
        job = ask(tenant, ECHO.name)
        running = services.claim(queue="light", worker="w")
        assert running is not None
        with tenant_context(tenant.pk):
            services.cancel(job=job, actor=None)
        assert services.beat(running=running) == (True, True)
        running.cancelled.set()
        with pytest.raises(Cancelled):
            running.progress(0.9)
        services.note_cancelled(running=running)
        assert state(job) == Job.State.CANCELLED

    def test_the_last_write_of_a_cancelled_job_does_not_happen(self, tenant: Tenant) -> None:
        job = ask(tenant, ECHO.name)
        running = services.claim(queue="light", worker="w")
        assert running is not None
        with tenant_context(tenant.pk):
            services.cancel(job=job, actor=None)
        with tenant_context(tenant.pk), pytest.raises(Cancelled):
            running.hold()


class TestFairness:
    def test_a_small_tenants_job_goes_before_a_giants_backlog(self) -> None:
        giant, small = make_tenant_row(tier=Tier.SCALE), make_tenant_row()
        for number in range(20):
            ask(giant, ECHO.name, number=number)
        ask(small, ECHO.name)
        order = []
        while (running := services.claim(queue="light", worker="w")) is not None:
            order.append(running.tenant_id)
            run(running)
        assert order.index(small.pk) <= 1
        assert len(order) == 21

    def test_a_tenant_runs_no_more_at_once_than_its_limit_and_never_two_of_a_kind(self) -> None:
        tenant = make_tenant_row(limits={"jobs_at_once": 2})
        for kind in (ECHO, ECHO, OTHER, GATED):
            ask(tenant, kind.name, gate="/nowhere")
        claimed = [running.kind for running in iter(lambda: services.claim(queue="light", worker="w"), None)]
        assert sorted(claimed) == [ECHO.name, OTHER.name]

    def test_what_people_wait_for_goes_before_contests_until_those_have_waited_for_hours(self, tenant: Tenant) -> None:
        def order(*asked: str) -> list[str]:
            Job.objects.all().delete()
            for kind in asked:
                ask(make_tenant_row(), kind)
            return [running.kind for running in iter(lambda: services.claim(queue="light", worker="w"), None)]

        assert order(CONTEST.name, CONTEST.name, ECHO.name) == [ECHO.name, CONTEST.name, CONTEST.name]
        contest = ask(tenant, CONTEST.name)
        asked_at = contest.run_after
        Job.objects.filter(pk=contest.pk).update(run_after=asked_at - dt.timedelta(hours=5, minutes=55))
        awaited = ask(make_tenant_row(), ECHO.name)
        first = services.claim(queue="light", worker="w")
        assert first is not None and first.job_id == awaited.pk
        Job.objects.filter(pk=contest.pk).update(run_after=asked_at - dt.timedelta(hours=6, minutes=5))
        ask(make_tenant_row(), ECHO.name)
        first = services.claim(queue="light", worker="w")
        assert first is not None and first.job_id == contest.pk

    @pytest.mark.parametrize("limits", [{"jobs_at_once": "many"}, {"jobs_at_once": 10**12}, [1]])
    def test_one_tenants_limits_gone_wrong_stop_nobodys_jobs(self, limits: Any) -> None:
        broken = make_tenant_row()
        Tenant.objects.filter(pk=broken.pk).update(limits=limits)
        for tenant in (broken, make_tenant_row()):
            ask(tenant, ECHO.name)
        assert work_until_empty("light") == 2

    def test_a_suspended_tenants_jobs_wait(self) -> None:
        tenant = make_tenant_row(status=Tenant.Status.SUSPENDED)
        ask(tenant, ECHO.name)
        assert services.claim(queue="light", worker="w") is None

    def test_two_workers_never_get_the_same_job(self) -> None:
        tenants = [make_tenant_row(tier=Tier.SCALE) for _ in range(8)]
        for tenant in tenants:
            ask(tenant, ECHO.name)
        got: list[Running] = []

        def claim_all() -> None:
            got.extend(iter(lambda: services.claim(queue="light", worker="w"), None))
            connection.close()

        threads = [threading.Thread(target=claim_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(running.job_id for running in got) == sorted(Job.objects.values_list("pk", flat=True))


class TestNights:
    def test_a_night_starts_once_whatever_is_wrong_with_another_tenant_and_however_many_clocks_tick(
            self, monkeypatch: pytest.MonkeyPatch) -> None:
        lost, broken, *others = [make_tenant_row() for _ in range(5)]
        Tenant.objects.filter(pk=lost.pk).update(time_zone="Mars/Olympus_Mons")
        really_start = services.start_chain

        def start_chain(**given: Any) -> Job:
            if current_tenant_id() == broken.pk:
                raise OSError("nobody knows why")
            return really_start(**given)

        monkeypatch.setattr(services, "start_chain", start_chain)
        at_once, started = threading.Barrier(2), list[int]()

        def tick() -> None:
            at_once.wait()
            started.append(services.start_nights(chain=(ECHO.name, OTHER.name), hour=0))
            connection.close()

        clocks = [threading.Thread(target=tick) for _ in range(2)]
        for clock in clocks:
            clock.start()
        for clock in clocks:
            clock.join()
        assert sum(started) == len(others)
        assert set(Job.objects.values_list("tenant_id", flat=True)) == {tenant.pk for tenant in others}
        assert Job.objects.count() == len(others)

    def test_tenants_whose_night_has_started_or_not_come_cost_nothing(self) -> None:
        for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):  # 25 hours apart: one of them is past noon
            for _ in range(5):
                make_tenant_row(time_zone=zone)
        assert services.start_nights(chain=(ECHO.name,), hour=24) == 0
        assert services.start_nights(chain=(ECHO.name,), hour=0) == 10
        with CaptureQueriesContext(connection) as asked:
            assert services.start_nights(chain=(ECHO.name,), hour=0) == 0
        assert len(asked) == 2


class TestOutsiders:
    def test_another_tenants_jobs_are_not_there(self, tenant: Tenant) -> None:
        job = ask(tenant, ECHO.name, secret="theirs")
        outsider = make_tenant_row()
        with tenant_context(outsider.pk):
            assert not selectors.jobs().exists()
            assert selectors.job_view(job.pk) is None
            with pytest.raises(Job.DoesNotExist):
                services.cancel(job=job, actor=None)


@pytest.fixture
def start_worker(servers: TestServers) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts real Celery workers, and leaves none behind."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.jobs.slow_work"], start_new_session=True,
            env={**os.environ, **servers.environment(), "DJANGO_SETTINGS_MODULE": "config.settings.test"})
        started.append(process)
        return process

    yield start
    for process in started:
        kill_all(process)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill -9 of a worker and its children, as when a machine goes away."""
    family = [process.pid]
    if psutil.pid_exists(process.pid):
        family += [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    for pid in family:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def test_killing_a_worker_in_mid_job_loses_nothing_and_does_nothing_twice(
        tenant: Tenant, tmp_path: Path, start_worker: Callable[[], subprocess.Popen[bytes]]) -> None:
    gate = tmp_path / "gate"
    job = ask(tenant, GATED.name, gate=str(gate))
    first = start_worker()
    eventually((tmp_path / "gate.reached-1").exists, "the first worker takes the job")
    eventually(lambda: Job.objects.get(pk=job.pk).progress == 0.5, "its progress is seen while it runs")
    kill_all(first)
    start_worker()
    eventually(lambda: services.sweep()["freed"] == 1, "the lease runs out and the job is put back")
    eventually((tmp_path / "gate.reached-2").exists, "the second worker takes it up")
    assert written(tenant) == 0
    gate.touch()
    eventually(lambda: state(job) == Job.State.DONE, "the job is done")
    assert written(tenant) == 1
    assert record(tenant, job).result == {"attempt": 2}


def test_a_broker_that_forgets_everything_loses_nothing(
        tenant: Tenant, servers: TestServers, start_worker: Callable[[], subprocess.Popen[bytes]]) -> None:
    with transaction.atomic():
        jobs = [ask(tenant, ECHO.name, number=number) for number in range(3)]
    redis.Redis.from_url(servers.redis_url).flushall()
    start_worker()
    services.sweep()
    eventually(lambda: all(state(job) == Job.State.DONE for job in jobs), "the sweep rings again and all is done")


def test_what_an_import_asked_for_after_midnight_does_not_stand_for_the_night(tenant: Tenant) -> None:
    today = tenant.today()
    with tenant_context(tenant.pk):
        services.start_chain(chain=AFTER_IMPORT, as_of=today)
    assert services.start_nights(chain=NIGHT, hour=0) == 1
    assert services.start_nights(chain=NIGHT, hour=0) == 0, "once for each day"
    with tenant_context(tenant.pk):
        asked = [record.input["then"][0] for record in JobRecord.objects.order_by("pk")]
    assert asked == [AFTER_IMPORT[1], NIGHT[1]]
