"""A shop with a forecast, stock and terms, ready to be planned, and the plan job run as a worker runs it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
from django.utils import timezone

from apps.catalog.models import Item, PlanningDefaults, SupplyTerm
from apps.forecasting.engine.forecast import Forecast
from apps.forecasting.engine.grid import Grid
from apps.forecasting.models import ForecastRun
from apps.forecasting.services import Made, save_forecast
from apps.inventory.models import StockLevel, StockMovement
from apps.jobs.models import Job
from apps.jobs.running import Running
from apps.optimization import pipeline, selectors
from apps.optimization.models import Plan, Recommendation, Scenario
from apps.tenants.scope import tenant_context
from tests.integration.inventory.shops import COUNTED_AT, MONDAY, Shop, make_shop

DAY = dt.timedelta(days=1)


def make_planned_shop(items: int = 4, *, on_hand: float = 2, weekly_units: float = 14, as_of: dt.date = MONDAY,
                      **fields: Any) -> Shop:
    """Items sell two a day and are nearly gone; the first half comes from one supplier, the rest from the other."""
    shop = make_shop(items, **fields)
    with tenant_context(shop.tenant.pk):
        PlanningDefaults.objects.create(tenant=shop.tenant)
        for place, item in enumerate(shop.items):
            SupplyTerm.objects.create(item=item, supplier=shop.suppliers[place * 2 // items], pack_size=6, moq=6,
                                      lead_time_spread_days=1)
            put_on_hand(shop, item, on_hand)
        forecast_for(shop, weekly_units, as_of=as_of)
    return shop


def put_on_hand(shop: Shop, item: Item, units: float) -> None:
    StockLevel.objects.create(item=item, location=shop.location, on_hand=units, counted_at=COUNTED_AT)
    StockMovement.objects.create(item=item, location=shop.location, kind="count", occurred_on=MONDAY - DAY,
                                 quantity=units, reference="opening")


def forecast_for(shop: Shop, weekly_units: float, *, as_of: dt.date = MONDAY, items: list[Item] | None = None,
                 fingerprint: str = "facts", model: str = "eight_week_mean",
                 level_variance: float = 0.05) -> ForecastRun:
    chosen = shop.items if items is None else items
    grid = Grid(days=28, weeks=4)
    mean = np.tile(weekly_units / 7 * grid.steps.astype(np.float32), (len(chosen), 1)).astype(np.float32)
    forecast = Forecast(
        model=model, unique_ids=np.array([f"{item.pk}/{shop.location.pk}" for item in chosen], dtype=str),
        cutoff=np.datetime64(as_of - DAY, "D"), grid=grid, mean=mean,
        level_variance=np.full(len(chosen), level_variance, np.float32),
        day_dispersion=np.full(len(chosen), 0.3, np.float32), weekday_profile=np.ones(7, np.float32))
    return save_forecast(forecast=forecast, made=Made(as_of=as_of, data_fingerprint=fingerprint))


def run_plan(shop: Shop, as_of: dt.date = MONDAY) -> dict[str, Any]:
    """The plan job's result, its handler called outside every scope, as a worker calls it."""
    job = Job.objects.create(tenant=shop.tenant, kind="optimization.plan", queue="heavy", state=Job.State.QUEUED)
    return _carry_out(job, {"as_of": as_of.isoformat()}, pipeline.plan)


def run_scenario(shop: Shop, scenario: Scenario) -> Scenario:
    """A scenario after the job that it waits for."""
    _carry_out(Job.objects.get(pk=scenario.job_id or 0), {"scenario": scenario.pk}, pipeline.try_out)
    with tenant_context(shop.tenant.pk):
        found = selectors.scenario_by_id(scenario.pk)
    assert found is not None
    return found


def _carry_out(job: Job, given: dict[str, Any], handler: Callable[[Running], dict[str, Any]]) -> dict[str, Any]:
    Job.objects.filter(pk=job.pk).update(state=Job.State.RUNNING, attempts=1, started_at=timezone.now())
    result = handler(Running(job_id=job.pk, tenant_id=job.tenant_id, kind=job.kind, attempt=1, input=given))
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    return result


def present_plan() -> Plan:
    plan = selectors.current_plan()
    assert plan is not None
    return plan


def open_lines() -> list[Recommendation]:
    return list(selectors.open_recommendations())
