"""Verdicts as pages and judges read them, and the whole loop in one report."""

from apps.feedback.selectors.loop import loop_report
from apps.feedback.selectors.verdicts import (
    PROOF_HISTORY_WEEKS,
    PROOF_WEEKS,
    AccuracyPage,
    accuracy_page,
    bias_of,
    calibration,
    forecast_value_added,
    horizon_accuracy,
    judged_recommendations,
    latest_judgement,
    latest_proof,
    out_of_stock_before,
    outcome_totals,
    plan_outcomes,
    proof_awaited,
    scored_horizons,
    segment_accuracy,
    weekly_accuracy,
    weeks_of,
)

__all__ = [
    "PROOF_HISTORY_WEEKS", "PROOF_WEEKS", "AccuracyPage", "accuracy_page", "bias_of", "calibration",
    "forecast_value_added", "horizon_accuracy", "judged_recommendations", "latest_judgement", "latest_proof",
    "loop_report", "out_of_stock_before", "outcome_totals", "plan_outcomes", "proof_awaited", "scored_horizons",
    "segment_accuracy", "weekly_accuracy", "weeks_of",
]
