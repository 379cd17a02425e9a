"""The doorbell's other end, the sweeper and the clock's tick."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from apps.jobs import services, worker


@shared_task(name="jobs.work", ignore_result=True)
def work(queue: str) -> int:
    """Someone rang: run what waits in this queue. The message names no job."""
    return worker.work_until_empty(queue)


@shared_task(name="jobs.sweep", ignore_result=True)
def sweep() -> dict[str, int]:
    """Put back what dead workers held, and ring for what waits."""
    return services.sweep()


@shared_task(name="jobs.tick", ignore_result=True)
def tick() -> int:
    """Start the night of every tenant for whom it has come."""
    return services.start_nights(chain=settings.JOBS_NIGHT, hour=settings.JOBS_NIGHT_HOUR)
