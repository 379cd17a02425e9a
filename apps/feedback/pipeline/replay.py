"""The last weekly plans made again, each with only what was known then, and lived through by a made-up shop."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.catalog import selectors as catalog
from apps.feedback import services
from apps.feedback.pipeline import scores
from apps.feedback.pipeline.judge import save_scores, write_verdict
from apps.feedback.pipeline.shop import shop_of, uneven_stock
from apps.feedback.pipeline.world import World
from apps.forecasting import selectors as forecasting
from apps.forecasting import services as forecasts
from apps.forecasting.engine import models
from apps.forecasting.engine.base import Forecaster, Panel
from apps.forecasting.engine.newcomers import with_newcomers
from apps.forecasting.selectors import DemandPaths, History
from apps.jobs.running import Part, Running
from apps.optimization import services as optimization
from apps.sales import selectors as sales
from apps.tenants.scope import tenant_context

WEEKS = 9
HISTORY_DAYS = 8 * 7  # before the first replayed Monday
REFIT_WEEKS = 3  # a model may be this old, never younger than what it forecasts


@dataclass
class Replay:
    """What the weeks share: what was sold, the shop that follows the plans, the model last fitted."""

    running: Running
    as_of: dt.date
    model: str
    cash: optimization.Cash
    units: pd.DataFrame
    unknown: list[dt.date]
    out: scores.OutDays
    world: World
    fitted: Forecaster | None = None
    fitted_on: dt.date | None = None
    plans: list[tuple[int, dt.date, pd.DataFrame]] = field(default_factory=list)

    def sold(self, unique_ids: np.ndarray, since: dt.date, until: dt.date) -> np.ndarray:
        return scores.sold_matrix(unique_ids, self.units, since, min(until, self.as_of), self.unknown)


def replay_tenant(running: Running) -> dict[str, Any]:
    """Make the last weekly plans again and judge them; run again, it goes on where it stopped."""
    started = time.perf_counter()
    as_of = dt.date.fromisoformat(running.input["as_of"])
    with tenant_context(running.tenant_id):
        first, _last = sales.history_range()
        mondays = replayed_mondays(as_of, first, int(running.input.get("weeks", WEEKS)))
        if not mondays:
            return {"weeks": 0, "note": _("There is too little history to make earlier plans again: eight weeks of "
                                          "sales have to lie before the first of them.")}
        defaults = catalog.planning_defaults()
        budget = float(defaults.cash_budget) if defaults.cash_budget is not None else None
        replay = Replay(
            running=running, as_of=as_of, model=forecasting.model_in_use(), cash=optimization.Cash(budget=budget),
            units=sales.units_frame(mondays[0], as_of),
            unknown=sales.gap_days(as_of), out=sales.out_days(mondays[0], as_of), world=World(mondays[0]))
    weeks = [live_week(replay, monday, running.part(place / (len(mondays) + 1), (place + 1) / (len(mondays) + 1)))
             for place, monday in enumerate(mondays)]
    running.progress(len(mondays) / (len(mondays) + 1), _("Judging what came of the plans"))
    judged = save_outcomes(replay)
    with tenant_context(running.tenant_id):
        running.hold()
        write_verdict(as_of, started)
    return {"weeks": len(weeks), "model": replay.model, "lines_judged": judged, "by_week": weeks,
            "seconds": round(time.perf_counter() - started, 1)}


def replayed_mondays(as_of: dt.date, first_sale_on: dt.date | None, weeks: int) -> list[dt.date]:
    """The Mondays before `as_of` that are made again, oldest first; each with eight weeks of sales before it."""
    last = as_of - dt.timedelta(days=as_of.weekday() or 7)
    mondays = [last - dt.timedelta(weeks=back) for back in reversed(range(weeks))]
    return [monday for monday in mondays
            if first_sale_on is not None and (monday - first_sale_on).days >= HISTORY_DAYS]


def live_week(replay: Replay, monday: dt.date, on_progress: Part) -> dict[str, Any]:
    """One Monday: forecast, score the forecast, plan, follow the plan through the week."""
    on_progress(0.0, _("%(day)s: reading what was known then") % {"day": date_format(monday, "j M Y")})
    with tenant_context(replay.running.tenant_id):
        known = forecasting.known_history(monday)
        terms = sales.earning_terms(monday)
    lessons = known.lessons()
    panel = forecasting.planned(lessons)
    if not panel.n_series:
        return {"monday": monday.isoformat(), "series": 0}
    paths = forecast_week(replay, known, lessons, on_progress)
    on_progress(0.4, _("%(day)s: scoring the forecast beside the simple ones") % {"day": date_format(monday, "j M Y")})
    score_week(replay, paths, lessons)
    join(replay, panel, terms)
    on_progress(0.5, _("%(day)s: planning") % {"day": date_format(monday, "j M Y")})
    inputs = optimization.prepare(
        as_of=monday, paths=paths, terms=terms, positions=replay.world.positions(),
        arrivals=replay.world.arrivals(), rules=optimization.Rules(cash=replay.cash))
    solved = optimization.solve(inputs=inputs)
    with tenant_context(replay.running.tenant_id):
        replay.running.hold()
        plan, _is_new = optimization.save_plan(inputs=inputs, solved=solved, job_id=replay.running.job_id, seconds=0.0,
                                               is_replay=True)
    lines = solved.lines[["item_id", "location_id", "quantity", "lead_time_days", "review_period_days"]]
    replay.plans.append((plan.pk, monday, lines))
    spread = terms.set_index("item_id")["lead_time_spread_days"]
    replay.world.order(lines.assign(lead_time_spread_days=lines["item_id"].map(spread)))
    replay.world.live(replay.sold(replay.world.ids, monday, monday + dt.timedelta(days=7)))
    return {"monday": monday.isoformat(), "series": panel.n_series, "plan": plan.pk, "status": plan.status,
            "lines": plan.lines, "money": str(plan.money)}


def forecast_week(replay: Replay, known: History, lessons: Panel, on_progress: Part) -> DemandPaths:
    """The forecast of a Monday: the one that an earlier attempt saved, or one by a model no younger than that day."""
    monday = known.as_of
    with tenant_context(replay.running.tenant_id):
        saved = forecasting.runs(is_replay=True).filter(as_of=monday, model=replay.model).first()
        if saved is not None:
            return forecasting.demand_paths(saved)
    if replay.fitted is None or replay.fitted_on is None or (monday - replay.fitted_on).days >= 7 * REFIT_WEEKS:
        def told(done: float, sentence: str) -> None:
            on_progress(0.05 + 0.3 * done, f"{date_format(monday, 'j M Y')}: {sentence}")

        replay.fitted, _why = models.fit_or_fall_back(models.make(replay.model), lessons, told)
        replay.fitted_on = monday
    forecast = with_newcomers(replay.fitted.predict(known.grid(), lessons), lessons)
    forecast = forecast.take(np.flatnonzero(lessons.regular()))
    with tenant_context(replay.running.tenant_id):
        replay.running.hold()
        run = forecasts.save_forecast(forecast=forecast, made=forecasts.Made(
            as_of=monday, data_fingerprint=forecasting.data_fingerprint(lessons, is_forecast=True), is_replay=True,
            job_id=replay.running.job_id, note=_(
                "Made again with what was known on that day, by a model fitted on what was known on %(day)s.")
            % {"day": date_format(replay.fitted_on, "j M Y")}))
        return forecasting.demand_paths(run)


def score_week(replay: Replay, paths: DemandPaths, panel: Panel) -> None:
    """Score a Monday's forecast and the simple ones against what was sold in the weeks after it."""
    monday = paths.run.as_of
    horizons = scores.due_horizons((replay.as_of - monday).days)
    sold = replay.sold(panel.ids, monday, monday + dt.timedelta(days=scores.SCORED_DAYS))
    save_scores(replay.running, paths, panel, horizons,
                scores.without_empty_shelves(sold, panel.ids, monday, replay.out),
                min(replay.as_of, monday + dt.timedelta(days=scores.SCORED_DAYS)) - dt.timedelta(days=1))


def join(replay: Replay, panel: Panel, terms: pd.DataFrame) -> None:
    """Series that are planned for the first time come into the shop with a made-up stock."""
    shop = shop_of(panel, terms)
    replay.world.join(shop.panel.ids, uneven_stock(shop, shop.panel))


def save_outcomes(replay: Replay) -> int:
    """Judge every line of every plan whose time is over; how many that were."""
    judged = 0
    for plan_id, monday, lines in replay.plans:
        found = replay.world.outcomes(lines, monday)
        with tenant_context(replay.running.tenant_id):
            replay.running.hold()
            judged += services.save_outcomes(plan_id=plan_id, outcomes=found)
    return judged
