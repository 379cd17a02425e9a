"""One evening's verdict: forecasts against what happened, decisions against outcomes, overrides against the model."""

from __future__ import annotations

import datetime as dt
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.alerts import services as alerts
from apps.catalog import selectors as catalog
from apps.feedback import selectors, services
from apps.feedback.pipeline import scores, words
from apps.feedback.pipeline.world import stock_outcomes
from apps.forecasting import selectors as forecasting
from apps.forecasting import services as forecasts
from apps.inventory import selectors as inventory
from apps.jobs.running import Running
from apps.optimization import selectors as optimization
from apps.sales import selectors as sales
from apps.tenants.scope import current_tenant_id, tenant_context
from apps.tenants.selectors import tenant_by_id

if TYPE_CHECKING:
    from apps.feedback.models import Judgement
    from apps.forecasting.engine.base import Panel
    from apps.forecasting.engine.forecast import Forecast
    from apps.forecasting.models import ForecastRun
    from apps.forecasting.selectors import DemandPaths

LOOK_BACK_DAYS = scores.SCORED_DAYS + 7
DECISION_DAYS = 150  # how long a decision waits for its outcome: the longest lead time and review period
STOCK_DAYS_BEFORE = 60  # before the first decision, to know what stood on the shelf then
DRIFT_CODE = "accuracy.drift"
DRIFT_WEEKS = 2
SHELVES_CODE = "stock.out"
FEWEST_SHELF_DAYS = 7  # judged before, to know what is usual
MORE_OUT_OF_STOCK = 0.05  # of the planned items


def judge_tenant(running: Running) -> dict[str, Any]:
    """Judge what has come due by the day asked for; judged again, it says the same."""
    started = time.perf_counter()
    as_of = dt.date.fromisoformat(running.input["as_of"])
    scored = score_due_runs(running, as_of)
    running.progress(0.8, _("Judging what came of decisions"))
    judged = judge_decisions(running, as_of)
    running.progress(0.95, _("Putting the verdict into words"))
    with tenant_context(running.tenant_id):
        running.hold()
        judgement = write_verdict(as_of, started)
    report = judgement.report
    return {"judgement": judgement.pk, "runs_scored": scored, "decisions_judged": judged,
            "drift": report["drift"]["state"], "words": report["words"]}


def write_verdict(as_of: dt.date, started: float) -> Judgement:
    """Put everything that has been judged into one report, with its words: what the page shows."""
    report: dict[str, Any] = {
        "drift": look_for_drift(as_of), "weeks": selectors.weekly_accuracy(as_of),
        "by_category": selectors.segment_accuracy("category"), "by_abc": selectors.segment_accuracy("abc"),
        "by_horizon": selectors.horizon_accuracy(), "calibration": selectors.calibration(),
        "outcomes": selectors.outcome_totals(), "plans": selectors.plan_outcomes(is_replay=False),
        "replayed_plans": selectors.plan_outcomes(is_replay=True), "overrides": selectors.forecast_value_added(),
        "out_of_stock": look_for_empty_shelves(as_of)}
    report["words"] = words.of_report(report)
    return services.save_judgement(as_of=as_of, report=report, seconds=time.perf_counter() - started)


def due_runs(as_of: dt.date) -> list[tuple[ForecastRun, list[str]]]:
    """The newest forecast of each recent day with the horizons that have wholly happened since and are not scored."""
    recent = forecasting.runs().filter(as_of__gte=as_of - dt.timedelta(days=LOOK_BACK_DAYS), as_of__lt=as_of,
                                       series__gt=0)
    newest: dict[dt.date, ForecastRun] = {}
    for run in recent:
        newest.setdefault(run.as_of, run)
    done = selectors.scored_horizons([run.pk for run in newest.values()])
    found = []
    for run in newest.values():
        due = [name for name in scores.due_horizons((as_of - run.as_of).days) if (run.pk, name) not in done]
        if due:
            found.append((run, due))
    return found


def score_due_runs(running: Running, as_of: dt.date) -> int:
    """Score each forecast of which a further week has happened, beside the simple models; how many that were."""
    with tenant_context(running.tenant_id):
        due = due_runs(as_of)
        units = sales.units_frame(as_of - dt.timedelta(days=LOOK_BACK_DAYS), as_of) if due else None
        unknown = sales.gap_days(as_of)
        out = sales.out_days(as_of - dt.timedelta(days=LOOK_BACK_DAYS), as_of) if due else []
    for place, (run, horizons) in enumerate(due):
        running.progress(0.05 + 0.75 * place / len(due), _("Scoring the forecast of %(day)s")
                         % {"day": date_format(run.as_of, "j M Y")})
        with tenant_context(running.tenant_id):
            known = forecasting.known_history(run.as_of)
            paths = forecasting.demand_paths(run)
        panel = known.lessons()  # the simple models learn from the same as the one that was in use
        if not panel.n_series or units is None:
            continue
        until = min(as_of, run.as_of + dt.timedelta(days=scores.SCORED_DAYS))
        sold = scores.without_empty_shelves(
            scores.sold_matrix(panel.ids, units, run.as_of, until, unknown), panel.ids, run.as_of, out)
        save_scores(running, paths, panel, horizons, sold, until - dt.timedelta(days=1))
    return len(due)


def save_scores(running: Running, paths: DemandPaths, panel: Panel, horizons: list[str], sold: np.ndarray,
                scored_through: dt.date) -> None:
    """Score a run beside its rivals, over the series that both the run and what could be learned from that day hold.

    panel: `History.lessons`; sold: [series of the panel, days from the planning day on].
    """
    rows = paths.rows(panel.ids.tolist())
    here = np.flatnonzero(rows >= 0)
    known = panel.take(here)
    segments = scores.Segments.of(known)
    rivals = {name: rival.take(here) for name, rival in scores.rival_forecasts(panel).items()}
    told: dict[str, Forecast] = {**rivals, paths.run.model: paths.forecast.take(rows[here])}
    found = {model: scores.rows(forecast, sold[here], segments, horizons) for model, forecast in told.items()}
    with tenant_context(running.tenant_id):
        running.hold()
        services.save_scores(run_id=paths.run.pk, champion=paths.run.model, found=found, scored_through=scored_through)


def judge_decisions(running: Running, as_of: dt.date) -> int:
    """Judge the decisions whose time is over: what was asked for, served and lost, and what an edit was worth."""
    with tenant_context(running.tenant_id):
        lines = decided_lines(as_of)
        if lines.empty:
            return 0
        first = lines["starts_on"].min() - dt.timedelta(days=STOCK_DAYS_BEFORE)
        moved = inventory.stock_days_frame(first, as_of - dt.timedelta(days=1))
        rate = catalog.planning_defaults().holding_cost_rate
    wanted, served, closing, rows = stock_matrices(lines, moved, first, as_of)
    start = np.array([(day - first).days for day in lines["starts_on"]], dtype=np.int64)
    found = stock_outcomes(lines, rows, start, wanted, served, closing)
    found["judged_through"] = [first + dt.timedelta(days=int(end)) for end in found.pop("end")]
    found["override_gain"] = override_gain(found, rate).where(~found["was_cut_short"])  # that was nobody's change
    judged = 0
    for plan_id in sorted(set(found["plan_id"].tolist())):
        with tenant_context(running.tenant_id):
            running.hold()
            judged += services.save_outcomes(plan_id=plan_id, outcomes=found[found["plan_id"] == plan_id])
    return judged


def decided_lines(as_of: dt.date) -> pd.DataFrame:
    """Decisions without an outcome yet, with what was advised and what was decided, a row each.

    `starts_on` is the day on which the goods were due, or would have been had the line not been dismissed. Of an order
    that was cancelled, what came is judged (`was_cut_short`). A decision on which nothing came before that, or whose
    order was not sent, is left out: nothing was bought, so nothing came of it.
    """
    line = "recommendation__"
    rows = list(optimization.decisions_between(as_of - dt.timedelta(days=DECISION_DAYS), as_of)
                .exclude(recommendation_id__in=selectors.judged_recommendations()).values_list(
                    "recommendation_id", "kind", "quantity", "decided_on", f"{line}plan_id", f"{line}item_id",
                    f"{line}location_id", f"{line}quantity", f"{line}lead_time_days", f"{line}review_period_days",
                    f"{line}unit_cost", f"{line}price"))
    frame = pd.DataFrame(rows, columns=[
        "recommendation_id", "kind", "decided_quantity", "decided_on", "plan_id", "item_id", "location_id", "quantity",
        "lead_time_days", "review_period_days", "unit_cost", "price"])
    bought = inventory.bought_on([row[0] for row in rows])
    is_dismissed = frame["kind"] == "dismissed"
    frame["starts_on"] = [
        decided_on + dt.timedelta(days=math.ceil(lead_days)) if dismissed
        else bought[pk].expected_on if pk in bought else None
        for pk, decided_on, lead_days, dismissed in zip(
            frame["recommendation_id"], frame["decided_on"], frame["lead_time_days"], is_dismissed, strict=True)]
    frame["followed"] = (frame["kind"] == "approved") & (frame["decided_quantity"] == frame["quantity"])
    for name in ("unit_cost", "price", "decided_quantity"):
        frame[name] = frame[name].astype(np.float64)
    frame.loc[is_dismissed, "decided_quantity"] = 0.0
    came = frame["recommendation_id"].map({pk: each.came for pk, each in bought.items()}).astype(np.float64)
    frame["was_cut_short"] = came.notna()
    frame["decided_quantity"] = came.fillna(frame["decided_quantity"])
    return frame[frame["starts_on"].notna()].reset_index(drop=True)


def stock_matrices(lines: pd.DataFrame, moved: pd.DataFrame, first: dt.date,
                   until: dt.date) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Wanted, served and closing units of the decided items by day [n, days], and each line's row in them.

    Between movements stock stands still; before the first one it is not known (NaN).
    """
    keys = lines["item_id"].astype(str) + "/" + lines["location_id"].astype(str)
    ids = pd.Index(sorted(set(keys)))
    days = (until - first).days
    place = ids.get_indexer(pd.Index(moved["item_id"].astype(str) + "/" + moved["location_id"].astype(str)))
    column = (pd.to_datetime(moved["date"]) - pd.Timestamp(first)).dt.days.to_numpy()
    here = (place >= 0) & (column >= 0) & (column < days)
    cells = place[here], column[here]
    wanted, served, closing = np.zeros((len(ids), days)), np.zeros((len(ids), days)), np.full((len(ids), days), np.nan)
    wanted[cells], served[cells] = moved["wanted"].to_numpy()[here], moved["sold"].to_numpy()[here]
    closing[cells] = moved["closing"].to_numpy()[here]
    last_known = np.where(np.isnan(closing), -1, np.arange(days)[None, :])
    np.maximum.accumulate(last_known, axis=1, out=last_known)
    still = np.take_along_axis(closing, np.maximum(last_known, 0), axis=1)
    return wanted, served, np.where(last_known >= 0, still, np.nan), ids.get_indexer(pd.Index(keys))


def override_gain(lines: pd.DataFrame, holding_cost_rate: float) -> pd.Series[float]:
    """Money that deciding otherwise than advised made or cost, by line; NaN where the advice was followed.

    The time that the line decided about is lived again with the advised quantity: more units first serve what was
    lost, then are left over; fewer are missing from what was left over first, then from what was served. A lost unit
    costs its margin, one left over its holding for that time.
    """
    more = lines["quantity"].astype(float) - lines["decided_quantity"]
    saved = np.minimum(np.maximum(more, 0), lines["lost_units"])
    missing = np.minimum(np.maximum(-more, 0), np.maximum(lines["closing_units"], 0))
    newly_lost = np.minimum(np.maximum(-more, 0) - missing, lines["served_units"])
    margin = np.maximum(lines["price"] - lines["unit_cost"], 0)
    holding = lines["unit_cost"] * holding_cost_rate / 365 * lines["review_period_days"]
    left_over = np.maximum(more, 0) - saved - missing
    gain: pd.Series[float] = margin * (newly_lost - saved) + holding * left_over
    return gain.where(~lines["followed"]).round(2)


def look_for_drift(as_of: dt.date) -> dict[str, Any]:
    """Whether the first weeks of the model in use were worse than its contest lets expect, two weeks running.

    If so: an alert, and a new contest, unless one was held since the first of those weeks.
    """
    contest, model = forecasting.latest_backtest(as_of), forecasting.model_in_use(as_of)
    usual = contest.report.get("usual_weeks", {}).get(model) if contest else None
    if contest is None or usual is None:
        alerts.resolve_of(code=DRIFT_CODE)
        return {"state": "unknown", "why": _("No contest has measured yet what is usual for the %(model)s.")
                % {"model": forecasting.model_title(model)}}
    weeks = selectors.weeks_of(model, as_of, DRIFT_WEEKS)
    told = {"usual": usual, "weeks": weeks, "model": model}
    if len(weeks) < DRIFT_WEEKS or any(week["wape"] <= usual["high"] for week in weeks):
        alerts.resolve_of(code=DRIFT_CODE)
        return {"state": "usual" if weeks else "unknown", **told}
    reason = words.of_drift(told)
    alerts.raise_alert(code=DRIFT_CODE, severity="warning", title=_("Forecasts are less accurate than usual"),
                       reason=reason, link="/accuracy/")
    if contest.as_of <= dt.date.fromisoformat(weeks[-1]["week"]):
        forecasts.request_backtest(tenant=tenant_by_id(current_tenant_id()), reason=reason)
    return {"state": "worse", **told}


def look_for_empty_shelves(as_of: dt.date) -> float | None:
    """The share of planned items out of stock; an alert where it has grown well beyond its mean of four weeks."""
    share, before = optimization.out_of_stock_share(as_of), selectors.out_of_stock_before(as_of)
    if share is None or len(before) < FEWEST_SHELF_DAYS or share < np.mean(before) + MORE_OUT_OF_STOCK:
        alerts.resolve_of(code=SHELVES_CODE)
        return share
    alerts.raise_alert(
        code=SHELVES_CODE, severity="warning", title=_("More items are out of stock than usual"),
        reason=_("%(now)s of the planned items have nothing on hand; over the four weeks before it was %(before)s on "
                 "average.") % {"now": words.percent(share), "before": words.percent(float(np.mean(before)))},
        link="/items/?planning=planned&stock=out")
    return share
