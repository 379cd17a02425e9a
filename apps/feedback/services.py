"""Saving what the judges found."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from apps.feedback.models import ForecastScore, Judgement, Proof
from apps.tenants.scope import current_tenant_id

if TYPE_CHECKING:
    import pandas as pd


SCORE_KEY = ("tenant", "run", "model", "segment_kind", "segment", "horizon")
SCORE_FIGURES = ("is_champion", "series", "actual_units", "absolute_error", "error", "squared_error", "pinball",
                 "covered_80", "covered_95", "scored_through")


@transaction.atomic
def save_scores(*, run_id: int, champion: str, found: Mapping[str, Sequence[Mapping[str, Any]]],
                scored_through: dt.date) -> int:
    """Save a run's scores, model by model; scored again, they replace the earlier ones."""
    rows = [ForecastScore(run_id=run_id, model=model, is_champion=model == champion, scored_through=scored_through,
                          **row) for model, told in found.items() for row in told]
    ForecastScore.objects.bulk_create(rows, batch_size=1000, update_conflicts=True, unique_fields=SCORE_KEY,
                                      update_fields=SCORE_FIGURES)
    return len(rows)


_OUTCOME_COLUMNS = {
    "item_id": "bigint", "location_id": "bigint", "judged_through": "date", "demand_units": "float8",
    "served_units": "float8", "lost_units": "float8", "days_out": "integer", "closing_units": "float8",
    "followed": "boolean", "decided_quantity": "float8", "override_gain": "numeric(24, 2)",
}
_OUTCOME_FIGURES = tuple(name for name in _OUTCOME_COLUMNS if name not in ("item_id", "location_id"))
_INSERT_OUTCOMES = f"""
INSERT INTO feedback_outcome (tenant_id, recommendation_id, {", ".join(_OUTCOME_FIGURES)})
SELECT %(tenant)s, line.id, {", ".join(f"judged.{name}" for name in _OUTCOME_FIGURES)}
FROM judged JOIN optimization_recommendation line ON line.tenant_id = %(tenant)s AND line.plan_id = %(plan)s
     AND line.item_id = judged.item_id AND line.location_id = judged.location_id
ON CONFLICT (tenant_id, recommendation_id)
DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in _OUTCOME_FIGURES)}
"""


@transaction.atomic
def save_outcomes(*, plan_id: int, outcomes: pd.DataFrame) -> int:
    """Save what came of a plan's lines, by item and location; judged again, it replaces the earlier verdict."""
    told = outcomes.reindex(columns=list(_OUTCOME_COLUMNS))
    text = io.StringIO()
    told.to_csv(text, index=False, header=False)
    layout = ", ".join(f"{name} {kind}" for name, kind in _OUTCOME_COLUMNS.items())
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE judged ({layout}) ON COMMIT DROP")
        with cursor.copy("COPY judged FROM STDIN (FORMAT CSV)") as copy:
            copy.write(text.getvalue())
        cursor.execute(_INSERT_OUTCOMES, {"tenant": current_tenant_id(), "plan": plan_id})
        saved: int = cursor.rowcount
        cursor.execute("DROP TABLE judged")
    return saved


@transaction.atomic
def save_judgement(*, as_of: dt.date, report: dict[str, Any], seconds: float) -> Judgement:
    """The verdict of a day; made again, it replaces the earlier one."""
    judgement: Judgement
    judgement, _made = Judgement.objects.update_or_create(as_of=as_of, defaults={"report": report, "seconds": seconds})
    return judgement


@transaction.atomic
def save_proof(*, as_of: dt.date, report: dict[str, Any], gain: Decimal, gain_low: Decimal, gain_high: Decimal,
               seconds: float) -> Proof:
    """The proof of a day; made again, it replaces the earlier one."""
    proof: Proof
    proof, _made = Proof.objects.update_or_create(
        as_of=as_of, defaults={"report": report, "gain": gain, "gain_low": gain_low, "gain_high": gain_high,
                               "seconds": seconds})
    return proof
