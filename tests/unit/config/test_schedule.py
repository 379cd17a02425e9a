"""The clock rings tasks that exist, on queues that are worked; the night's chain names kinds that exist."""

from django.conf import settings

from apps.jobs.kinds import QUEUES as NAMED
from apps.jobs.kinds import Precedence, all_kinds
from config.celery import app
from config.schedule import AFTER_CORRECTION, AFTER_IMPORT, BEAT, CONTEST, FIRST_CONTEST, NIGHT

QUEUES = {queue.name for queue in settings.CELERY_TASK_QUEUES}


def test_the_clock_rings_known_tasks_on_known_queues() -> None:
    app.loader.import_default_modules()
    for entry in BEAT.values():
        assert entry["task"] in app.tasks
        assert entry["options"]["queue"] in QUEUES


def test_a_ring_that_waited_past_the_next_one_is_dropped() -> None:
    assert all(entry["options"]["expires"] <= entry["schedule"] for entry in BEAT.values())


def test_chains_are_made_of_known_kinds() -> None:
    known = {kind.name for kind in all_kinds()}
    for chain in (NIGHT, AFTER_IMPORT, AFTER_CORRECTION, CONTEST, FIRST_CONTEST):
        assert set(chain) <= known
    assert len(set(NIGHT)) == len(NIGHT)


def test_orders_that_wait_are_told_of_before_anything_that_may_have_nothing_to_work_on() -> None:
    assert NIGHT.index("inventory.unsent") < min(NIGHT.index("feedback.judge"), NIGHT.index("optimization.plan"))


def test_what_people_wait_for_never_stands_behind_what_nobody_waits_for() -> None:
    assert set(NAMED) == QUEUES
    kinds = [kind for kind in all_kinds() if kind.handler.startswith("apps.")]
    awaited = {kind.queue for kind in kinds if kind.precedence == Precedence.AWAITED}
    assert awaited.isdisjoint(kind.queue for kind in kinds if kind.precedence != Precedence.AWAITED)


def test_in_every_chain_the_lists_are_renewed_before_anything_that_may_wait_behind_another_shops_contest() -> None:
    queue_of = {kind.name: kind.queue for kind in all_kinds()}
    for chain in (NIGHT, CONTEST, FIRST_CONTEST):
        after_plan = chain[chain.index("optimization.plan"):]
        slow = [place for place, name in enumerate(after_plan) if queue_of[name] in ("batch", "gpu")]
        assert after_plan.index("portal.refresh") < min(slow)


def test_night_and_import_end_by_seeing_whether_a_contest_is_due() -> None:
    assert NIGHT[-1] == AFTER_IMPORT[-1] == "forecasting.renew"


def test_a_task_is_not_lost_with_its_worker_and_not_hoarded() -> None:
    assert app.conf.task_acks_late and app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.task_ignore_result
