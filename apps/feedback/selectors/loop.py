"""The whole loop of one shop in plain figures: what came in, what was forecast, decided, carried out and judged."""

from __future__ import annotations

import datetime as dt
from typing import Any

from apps.feedback.selectors.verdicts import latest_judgement, latest_proof, plan_outcomes, weekly_accuracy
from apps.forecasting import selectors as forecasting
from apps.ingestion import selectors as ingestion
from apps.inventory import selectors as inventory
from apps.jobs import selectors as jobs
from apps.optimization import selectors as optimization
from apps.registry import selectors as registry

STAGES = ("demo.load", "sales.refresh", "forecasting.forecast", "optimization.plan", "forecasting.backtest",
          "forecasting.mine", "forecasting.backtest_lstm", "forecasting.tune", "feedback.replay", "feedback.proof",
          "feedback.judge", "portal.refresh")
SHOWN_METRICS = ("sum_wape", "sum_bias", "scaled_pinball", "crps", "mse", "rmse", "mae", "wape", "bias", "mase",
                 "rmsse", "wrmsse", "coverage_80", "coverage_95")


def loop_report(as_of: dt.date, not_yet_released: int | None = None) -> dict[str, Any]:
    """What the loop has done by `as_of`, of the tenant in scope.

    not_yet_released: order lines that a demo keeps back; None for a shop that keeps none.
    """
    return {
        "as_of": as_of.isoformat(), "lines": lines_read(not_yet_released), "forecast": last_forecast(),
        "contest": last_contest(), "plan": standing_plan(), "orders_placed": orders_placed(as_of),
        "replay": replayed_weeks(), "proof": last_proof(), "verdict": last_verdict(), "seconds": stage_seconds()}


def lines_read(not_yet_released: int | None) -> dict[str, Any]:
    """Order lines by what became of them; `adds_up` says whether every line read is accounted for."""
    counts = ingestion.counts_by_kind().get("orders")
    if counts is None:
        return {"read": 0, "adds_up": True, "not_yet_released": not_yet_released}
    accounted = counts.applied + counts.duplicate + counts.set_aside + counts.rejected
    return {
        "read": counts.rows_read, "applied": counts.applied, "already_known": counts.duplicate,
        "set_aside": counts.set_aside, "set_aside_by_rule": counts.rules.get("set_aside", {}),
        "rejected": counts.rejected, "rejected_by_rule": counts.rules.get("rejected", {}),
        "not_yet_released": not_yet_released, "in_all": counts.rows_read + (not_yet_released or 0),
        "adds_up": accounted == counts.rows_read}


def last_forecast() -> dict[str, Any] | None:
    run = forecasting.latest_run()
    return None if run is None else {"as_of": run.as_of.isoformat(), "model": run.model, "series": run.series,
                    "on_request": run.on_request, "days": run.days, "weeks": run.weeks, "note": run.note}


def last_contest() -> dict[str, Any] | None:
    """Series, origins, every model's scores at each, the verdict, and whether the champion led everywhere."""
    contest = forecasting.latest_backtest()
    if contest is None:
        return None
    report, champion = contest.report, registry.champion(forecasting.DEMAND)
    return {
        "as_of": contest.as_of.isoformat(), "series": contest.series, "cutoffs": report["cutoffs"],
        "published_on": contest.verdict["published_on"], "champion": contest.champion,
        "in_use": str(champion) if champion else None, "outcome": contest.verdict["outcome"],
        "reason": contest.verdict["reason"],
        "metrics": {row["name"]: {name: row["metrics"].get(name) for name in SHOWN_METRICS}
                    for row in report["models"]},
        "by_cutoff": {row["name"]: {day: {name: found.get(name) for name in ("sum_wape", "scaled_pinball")}
                                    for day, found in row["by_cutoff"].items()} for row in report["models"]},
        "champion_leads_at_every_origin": all(row["is_better"] or row["baseline"] == contest.champion
                                              for row in report["beside"] if row["metric"] == "sum_wape"),
        "signals": report.get("signals", []), "by_demand": report.get("by_demand", []),
        "cells": {row["segment"]: row["values"].get(contest.champion) for row in report.get("by_cell", [])},
        "promotion_days": report.get("by_promotion", []),
        "by_weekday": report.get("by_weekday", []), "worst_items": report.get("worst_items")}


def standing_plan() -> dict[str, Any] | None:
    """What the plan that stands recommends, in lines and money, and what binds it."""
    plan = optimization.current_plan()
    return None if plan is None else {"as_of": plan.as_of.isoformat(), "status": plan.status, "lines": plan.lines,
                     "money": float(plan.money), "avoided_lost_sales": float(plan.avoided_lost_sales),
                     "binds": {code or "nothing": count for code, count in optimization.bindings_of(plan).items()},
                     "notes": [note["code"] for note in plan.binding]}


def orders_placed(as_of: dt.date) -> dict[str, Any]:
    placed = inventory.placed_since(as_of - dt.timedelta(days=366), as_of)
    return {"orders": placed.orders, "lines": placed.lines, "money": float(placed.money)}


def replayed_weeks() -> list[dict[str, Any]]:
    """The scores of each replayed week: its forecast beside the best simple one, and what came of its plan."""
    plans = {plan["week"]: plan for plan in plan_outcomes(is_replay=True)}
    return [{"week": week["week"], "model": week["model"], "series": week["series"], "wape": week["wape"],
             "bias": week["bias"], "covered_80": week["covered_80"], "best_simple": week["rival"],
             "best_simple_wape": week["rival_wape"], "is_better": week["is_better"], "plan": plans.get(week["week"])}
            for week in reversed(weekly_accuracy()) if week["is_replay"]]


def last_proof() -> dict[str, Any] | None:
    proof = latest_proof()
    return None if proof is None else {
        "as_of": proof.as_of.isoformat(), "gain": float(proof.gain), "low": float(proof.gain_low),
        "high": float(proof.gain_high), **{name: proof.report[name] for name in (
            "verdict", "weeks", "starts_on", "ends_on", "items", "left_out", "model", "break_even_share")},
        **{side: {name: proof.report[side][name] for name in ("profit", "fill_rate", "holding", "lost_margin",
                                                             "average_stock_value", "closing_value")}
           for side in ("ours", "rule")}}


def last_verdict() -> dict[str, Any] | None:
    judgement = latest_judgement()
    return None if judgement is None else {"as_of": judgement.as_of.isoformat(), "words": judgement.report["words"],
                          "drift": judgement.report["drift"]["state"]}


def stage_seconds() -> dict[str, float]:
    """Seconds of the last run of each stage, and of each stage within the contest."""
    found = {name: view.job.seconds for name in STAGES if (view := jobs.latest_of_kind(name)) and view.job.seconds}
    contest = forecasting.latest_backtest()
    within = {f"contest, {stage}": seconds for stage, seconds in (contest.report["seconds"] if contest else {}).items()}
    return {name: round(seconds, 2) for name, seconds in {**found, **within}.items()}
