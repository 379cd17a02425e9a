"""Asking for a plan, and saving one: the same facts give the plan that is there, a newer one replaces what is open."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from apps.catalog import selectors as catalog
from apps.catalog import services as catalog_services
from apps.catalog.selectors import joined_in_sets
from apps.jobs import services as jobs
from apps.optimization.models import Plan, Recommendation
from apps.optimization.selectors import LASTING_SQL, current_plan, lasting_given
from apps.optimization.services.planning import LINE_COLUMNS, SETTLED, Inputs, Note, Solved
from apps.tenants.scope import current_tenant_id

if TYPE_CHECKING:
    from apps.jobs.models import Job

PARTS = ("need", "buffer", "pack_moq", "supplier_minimum", "cash", "kept", SETTLED)

_TYPES = {
    "item_id": "bigint", "location_id": "bigint", "supplier_id": "bigint", "quantity": "integer",
    "unit_cost": "numeric(14, 4)", "price": "numeric(14, 4)", "stockout_on": "date", "order_by_on": "date",
    "arrives_on": "date", "avoided_lost_sales": "numeric(24, 2)", "net_gain": "numeric(24, 2)", "binding": "text",
    "assumed": "text", "simulated": "text", "moq": "integer", "pack_size": "integer", "previous_quantity": "integer",
    "driver": "text",
}  # fmt: skip
_COPIED = (*LINE_COLUMNS, *(f"{part}{suffix}" for part in PARTS for suffix in ("", "_value", "_saves")))


def _object(suffix: str) -> str:
    """SQL for one row of the waterfall; the part that decisions take back stands there only where there is one."""
    usual = ", ".join(f"'{part}', line.{part}{suffix}" for part in PARTS[:-1])
    return (f"jsonb_build_object({usual}) || CASE WHEN line.{SETTLED} <> 0 "
            f"THEN jsonb_build_object('{SETTLED}', line.{SETTLED}{suffix}) ELSE '{{}}' END")


def _insert_sql(cover: str, stockout_on: str, places: str = "") -> str:
    return f"""
INSERT INTO optimization_recommendation (
    tenant_id, plan_id, item_id, location_id, supplier_id, quantity, unit_cost, price, on_hand, on_order, mean_demand,
    lead_time_days, review_period_days, days_of_cover, stockout_on, order_by_on, arrives_on, lost_units_without,
    lost_units_with, avoided_lost_sales, net_gain, waterfall, binding, assumed, simulated, change, state)
SELECT %(tenant)s, %(plan)s, line.item_id, line.location_id,
       CASE WHEN line.supplier_id = 0 THEN %(unnamed)s ELSE line.supplier_id END,
       line.quantity, line.unit_cost, line.price, line.on_hand, line.on_order, line.mean_demand, line.lead_time_days,
       line.review_period_days, {cover}, {stockout_on}, line.order_by_on, line.arrives_on,
       line.lost_units_without, line.lost_units_with, line.avoided_lost_sales, line.net_gain,
       jsonb_build_object('units', {_object("")}, 'money', {_object("_value")}, 'saves', {_object("_saves")},
                          'moq', line.moq, 'pack_size', line.pack_size),
       line.binding,
       to_jsonb(array_remove(string_to_array(line.assumed, ','), '')),
       to_jsonb(array_remove(string_to_array(line.simulated, ','), '')),
       CASE WHEN line.driver IS NULL THEN '{{}}'::jsonb ELSE jsonb_build_object(
           'driver', line.driver, 'before', line.previous_quantity, 'saves', line.change_saves) END, 'open'
FROM saved_lines line {places} ORDER BY line.net_gain DESC, line.item_id
"""


# How long stock lasts is told of a plan's lines as it is told everywhere else; of a replayed day, as the engine saw it:
# stock has moved on since then.
_INSERT_REPLAYED = _insert_sql("line.days_of_cover", "line.stockout_on")
_INSERT = f"WITH {LASTING_SQL.format(of_some='')}" + _insert_sql(
    "coalesce(place.days_of_cover, line.days_of_cover)", "place.stockout_on",
    "LEFT JOIN lasting_at place ON place.item_id = line.item_id AND place.location_id = line.location_id")


def request_plan(*, as_of: dt.date) -> Job:
    """Ask for a plan of the tenant in scope, and for what pages read to follow it."""
    return jobs.enqueue(kind_name="optimization.plan", dedupe_key=as_of.isoformat(),
                        input={"as_of": as_of.isoformat(), "then": ["portal.refresh"]})


@transaction.atomic
def save_plan(*, inputs: Inputs, solved: Solved, seconds: float, job_id: int | None = None,
              is_replay: bool = False) -> tuple[Plan, bool]:
    """Save a plan, and whether it is new: where the same facts made the plan that stands, that one is returned.

    A newer plan takes the place of every line of an earlier one that nobody has decided on. A replayed plan stands
    aside: it is nobody's present advice.
    """
    previous = None if is_replay else current_plan()
    if previous is not None and _hash(inputs, previous.previous_id) == previous.inputs_hash:
        return previous, False
    inputs_hash = _hash(inputs, previous.pk if previous else None)
    known = Plan.objects.filter(as_of=inputs.as_of, inputs_hash=inputs_hash, is_replay=is_replay).first()
    if known is not None:
        return known, False
    lines = solved.lines
    ordered = lines[lines["quantity"] > 0]
    plan: Plan = Plan.objects.create(
        as_of=inputs.as_of, forecast_run_id=inputs.run.pk, previous=previous, status=solved.status,
        binding=named_notes(solved.notes), limits=_limits(inputs, solved), changes=solved.changes, lines=len(ordered),
        cash_budget=None if inputs.cash.budget is None else Decimal(str(round(inputs.cash.budget, 2))),
        money=Decimal(str(round(solved.order_value, 2))), inputs_hash=inputs_hash, seed=inputs.run.seed,
        avoided_lost_sales=Decimal(str(round(float(ordered["avoided_lost_sales"].sum()), 2))), is_replay=is_replay,
        job_id=job_id, seconds=seconds)
    if len(lines):
        _insert(plan, solved)
    if not is_replay:
        Recommendation.objects.filter(state=Recommendation.State.OPEN, plan__is_replay=False).exclude(plan=plan).update(
            state=Recommendation.State.SUPERSEDED)
    return plan, True


def _hash(inputs: Inputs, previous_id: int | None) -> str:
    """The facts, and the plan that stood before: facts that come back after others make a plan of their own."""
    return hashlib.sha256(f"{inputs.fingerprint()} after {previous_id}".encode()).hexdigest()


def _limits(inputs: Inputs, solved: Solved) -> dict[str, Any]:
    cash = inputs.cash
    return {"cash_budget": cash.budget, "cash_spent": cash.spent, "cash_left": cash.left,
            "cash_since": cash.since.isoformat() if cash.since else None, "cash_price": solved.cash_price,
            "gap": solved.gap, "supplier_minimums": len(inputs.supplier_minimums), "items": len(inputs.items)}


def named_notes(notes: tuple[Note, ...]) -> list[dict[str, Any]]:
    """The notes as they are kept, with the names of the items and suppliers that they speak of."""
    item_ids = [int(str(note.numbers["unique_id"]).split("/")[0]) for note in notes if "unique_id" in note.numbers]
    titles = {pk: str(item) for pk, item in catalog.items_by_id(item_ids).items()} if item_ids else {}
    supplier_ids = {int(note.numbers["supplier_id"]) for note in notes if "supplier_id" in note.numbers}
    names = dict(catalog.suppliers().filter(pk__in=supplier_ids).values_list("pk", "name")) if supplier_ids else {}
    kept = []
    for note in notes:
        numbers = dict(note.numbers)
        if "unique_id" in numbers:
            numbers["item_id"] = int(str(numbers.pop("unique_id")).split("/")[0])
            numbers["item"] = titles.get(numbers["item_id"], "")
        if "supplier_id" in numbers:
            numbers["supplier_id"] = int(numbers["supplier_id"])
            numbers["supplier"] = names.get(numbers["supplier_id"], "")
        kept.append(asdict(Note(note.code, {name: _plain(value) for name, value in numbers.items()})))
    return kept


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _insert(plan: Plan, solved: Solved) -> None:
    """COPY into a temporary table, then INSERT under the tenant in scope: row-level security refuses a direct COPY."""
    lines = solved.lines.reindex(columns=list(_COPIED))
    settled = [name for name in _COPIED if name.startswith(SETTLED)]
    lines[settled] = lines[settled].fillna(0)
    whole = [name for name in _COPIED if name in PARTS or _TYPES.get(name) == "integer"]
    lines[whole] = lines[whole].astype("Int64")
    text = io.StringIO()
    lines.to_csv(text, index=False, header=False, date_format="%Y-%m-%d")
    columns = ", ".join(f"{name} {_TYPES.get(name, 'bigint' if name in PARTS else 'float8')}" for name in _COPIED)
    strings = ", ".join(name for name in ("binding", "assumed", "simulated"))
    unnamed = catalog_services.unnamed_supplier().pk if (lines["supplier_id"] == 0).any() else None
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE saved_lines ({columns}) ON COMMIT DROP")
        with cursor.copy(f"COPY saved_lines FROM STDIN (FORMAT CSV, FORCE_NOT_NULL ({strings}))") as copy:
            copy.write(text.getvalue())
        given = {"tenant": current_tenant_id(), "plan": plan.pk, "unnamed": unnamed}
        if plan.is_replay:
            cursor.execute(_INSERT_REPLAYED, given)
        else:
            with joined_in_sets():
                cursor.execute(_INSERT, {**given, **lasting_given(plan.as_of)})
        cursor.execute("DROP TABLE saved_lines")
