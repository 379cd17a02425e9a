"""Where a demo's shop stands in its year, what is still to come, and how far its loading is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from apps.demo.adapters import shelf
from apps.demo.recast.naming import ORDERS, day_file, later_days
from apps.demo.recast.shops import ALL_SHOPS, ENDS_ON
from apps.jobs import selectors as jobs
from apps.jobs.selectors import JobView
from apps.tenants.models import Tenant
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id, tenant_by_slug

LOAD, ADVANCE, CONTEST = "demo.load", "demo.advance", "demo.contest"
FIRST_STEPS = ("sales.refresh", "forecasting.forecast", "optimization.plan", "portal.refresh")
STEPS_OF_A_DAY = ("feedback.judge", "forecasting.forecast", "optimization.plan", "portal.refresh")
# While one of these waits or runs, the shop's day is being closed or planned.
BUSY_KINDS = (LOAD, ADVANCE, "feedback.judge", *FIRST_STEPS)
MONDAY = 0


@dataclass(frozen=True)
class Standing:
    """How far a demo's shop has come in its year."""

    today: dt.date
    days_in: int
    days_left: int

    @property
    def days(self) -> int:
        return self.days_in + self.days_left

    @property
    def share(self) -> float:
        return self.days_in / self.days

    @property
    def is_over(self) -> bool:
        return self.days_left == 0

    @property
    def days_to_monday(self) -> int:
        """Days until the next weekly plan, or until the year is over."""
        return min(7 - self.today.weekday(), self.days_left)


def is_demo_shop(tenant: Tenant) -> bool:
    """Whether a tenant is one of the recast shops: a date of its own alone does not make it one."""
    return tenant.demo_date is not None and tenant.slug in ALL_SHOPS


def standing(tenant: Tenant) -> Standing:
    """Where a demo stands; on its last page the day after the year's last."""
    days = len(later_days())
    left = min(max((ENDS_ON - tenant.today()).days + 1, 0), days)
    return Standing(today=tenant.today(), days_in=days - left, days_left=left)


def demo_tenants() -> list[Tenant]:
    """The recast shops that exist here, in the order in which they are made."""
    found = [tenant_by_slug(slug) for slug in ALL_SHOPS]
    return [tenant for tenant in found if tenant is not None and is_demo_shop(tenant)]


def lines_not_yet_released(tenant: Tenant) -> int:
    """How many order lines of the year the shop has not seen; 0 where its files are not there (yet)."""
    known = shelf.manifest(tenant.pk)
    if known is None:
        return 0
    still = {day_file(ORDERS, day) for day in later_days() if day >= tenant.today()}
    return sum(int(file["rows"]) for file in known["files"] if file["name"] in still)


def facts(tenant: Tenant) -> dict[str, Any] | None:
    """The manifest of the shop's files: lines, items, suppliers, stock as the recast counted them."""
    return shelf.manifest(tenant.pk)


def jobs_of(kinds: tuple[str, ...]) -> QuerySet[Any]:
    """Jobs of some kinds of the tenant in scope, newest first."""
    return jobs.jobs().filter(kind__in=kinds)


def busy_job() -> JobView | None:
    """The job that closes or plans the shop's day right now; the running one where several wait."""
    live = [view for view in jobs.live_jobs() if view.job.kind in BUSY_KINDS]
    return live[0] if live else None


def last_job(kinds: tuple[str, ...]) -> JobView | None:
    """The newest job of some kinds, with what it says."""
    found = jobs.with_records(list(jobs_of(kinds)[:1]))
    return found[0] if found else None


def is_at_rest_on(day: dt.date) -> bool:
    """Whether the shop in scope has come to a day, and is done with what came with it."""
    return tenant_by_id(current_tenant_id()).today() >= day and busy_job() is None


def has_first_recommendations() -> bool:
    """Whether the first plan of the tenant in scope has reached the pages."""
    kinds = ("optimization.plan", "portal.refresh")
    done = set(jobs_of(kinds).filter(state="done").order_by().values_list("kind", flat=True))
    return done == set(kinds)


def days_let_in(limit: int = 28) -> list[JobView]:
    """The days that were let in, newest first, each with what came of it."""
    return jobs.with_records(list(jobs_of((ADVANCE,)).filter(state="done")[:limit]))
