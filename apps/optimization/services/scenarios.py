"""What if: changes to the facts of the plan that stands, planned anew beside it, and kept under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.catalog import selectors as catalog
from apps.jobs import services as jobs
from apps.optimization.models import Changes, Plan, Scenario, ScenarioLine
from apps.optimization.selectors import change_words, current_plan
from apps.optimization.services.planning import Cash, Facts, Solved
from apps.optimization.services.plans import named_notes
from apps.tenants.models import User
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import record_audit

if TYPE_CHECKING:
    import pandas as pd

    from apps.jobs.models import Job

MOST_SCENARIOS = 50  # of a shop: more than anybody reads


class CannotTry(ValueError):
    """Changes that cannot be planned with: `problems` has a sentence by the name of each field, "" for all together."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__(" ".join(self.problems.values()))


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a scenario: what was planned, and the cash for it."""

    solved: Solved
    cash: Cash


@transaction.atomic
def make_scenario(*, changes: Changes, name: str = "", actor: User | None, label: str = "") -> tuple[Scenario, Job]:
    """Keep changes under a name, or under what they are, and ask for the plan that they would make.

    CannotTry where they change nothing, or do not fit the plan that stands.
    """
    tenant = tenant_by_id(current_tenant_id())
    named = _checked(changes)
    words = change_words(changes, named, tenant.currency)
    scenario = Scenario.objects.create(name=(name.strip() or words)[:120], changes=changes.given(), named=named,
                                       made_by=(label or str(actor))[:160])
    record_audit(tenant=tenant, actor=actor, label=label, action="scenario.made", target=str(scenario.pk),
                 detail={"name": scenario.name, "changes": scenario.changes})
    return scenario, run_scenario(scenario=scenario)


def _checked(changes: Changes) -> dict[str, str]:
    """The names of the suppliers that are named, by field; CannotTry where something does not fit."""
    plan, problems = current_plan(), dict[str, str]()
    if plan is None:
        raise CannotTry({"": _("There is no plan yet to compare with: it is made once sales have come in.")})
    if Scenario.objects.count() >= MOST_SCENARIOS:
        raise CannotTry({"": ngettext("There is %(n)d scenario already: delete it first.",
                                      "There are %(n)d scenarios already: delete one first.", MOST_SCENARIOS)
                         % {"n": MOST_SCENARIOS}})
    wanted = changes.supplier_ids
    names = dict(catalog.suppliers_in_use().filter(pk__in=wanted.values()).values_list("pk", "name"))
    for field, pk in wanted.items():
        if pk not in names:
            problems[field] = _("No item is bought from this supplier.")
    if changes.demand_kind and not catalog.items_of_kind(changes.demand_kind).exists():
        problems["demand_kind"] = _("No item is of this kind.")
    for chosen, field, moved in ((changes.lead_supplier_id, "lead_days", changes.lead_days != 0),
                                 (changes.demand_kind, "demand_factor", changes.demand_factor != 1),
                                 (changes.cost_supplier_id, "cost_factor", changes.cost_factor != 1)):
        if chosen and not moved:
            problems[field] = _("Say by how much.")
    if changes.budget_factor != 1 and changes.budget is not None:
        problems["budget"] = _("Give either a share of the cash or an amount.")
    elif changes.budget_factor != 1 and plan.cash_budget is None:
        problems["budget_factor"] = _("The plan has no limit of cash to take a share of: give an amount.")
    if not problems and changes.is_nothing:
        problems[""] = _("Change at least one thing: as it stands, this is the plan itself.")
    if problems:
        raise CannotTry(problems)
    return {field: names[pk] for field, pk in wanted.items()}


@transaction.atomic
def run_scenario(*, scenario: Scenario) -> Job:
    """Ask for a scenario beside the plan that stands now; what it said before stays until then."""
    job = jobs.enqueue(kind_name="optimization.scenario", dedupe_key=str(scenario.pk),
                       input={"scenario": scenario.pk})
    Scenario.objects.filter(pk=scenario.pk).update(job_id=job.pk)
    return job


@transaction.atomic
def delete_scenario(*, scenario: Scenario, actor: User | None, label: str = "") -> None:
    record_audit(tenant=tenant_by_id(current_tenant_id()), actor=actor, label=label, action="scenario.deleted",
                 target=str(scenario.pk), detail={"name": scenario.name})
    scenario.delete()


def changed_facts(facts: Facts, changes: Changes) -> Facts:
    """A plan's facts as a scenario has them; all that it does not change stays. In the tenant's scope."""
    terms, paths, rules = facts.terms.copy(), facts.paths, facts.rules

    def of(supplier_id: int | None) -> pd.Series[bool]:
        return terms["supplier_id"].eq(terms["supplier_id"] if supplier_id is None else supplier_id)

    if changes.lead_days:
        late = of(changes.lead_supplier_id)
        terms.loc[late, "lead_time_days"] = (terms.loc[late, "lead_time_days"] + changes.lead_days).clip(lower=0.0)
    if changes.cost_factor != 1:
        dear = of(changes.cost_supplier_id)
        terms.loc[dear, "unit_cost"] = (terms.loc[dear, "unit_cost"] * changes.cost_factor).round(4)
    if changes.demand_factor != 1:
        kind = changes.demand_kind
        chosen = set(catalog.items_of_kind(kind).values_list("pk", flat=True)) if kind else None
        paths = paths.scaled(changes.demand_factor, chosen)
    if changes.budget is not None:
        rules = replace(rules, cash=Cash(budget=changes.budget))
    elif rules.cash.budget is not None:
        rules = replace(rules, cash=replace(rules.cash, budget=rules.cash.budget * changes.budget_factor))
    if changes.gone_supplier_id is not None:
        rules = replace(rules, gone_supplier_ids=frozenset({changes.gone_supplier_id}))
    return replace(facts, terms=terms, paths=paths, rules=rules)


_SAVE_LINES = """
INSERT INTO optimization_scenarioline (tenant_id, scenario_id, item_id, location_id, supplier_id, quantity_before,
    quantity_after, cost_before, cost_after, lost_before, lost_after)
SELECT %(tenant)s, %(scenario)s, item_id, location_id, nullif(supplier_id, 0), quantity_before, quantity_after,
       cost_before, cost_after, lost_before, lost_after
FROM unnest(%(item_id)s::bigint[], %(location_id)s::bigint[], %(supplier_id)s::bigint[], %(quantity_before)s::int[],
            %(quantity_after)s::int[], %(cost_before)s::float8[], %(cost_after)s::float8[], %(lost_before)s::float8[],
            %(lost_after)s::float8[]) AS line (item_id, location_id, supplier_id, quantity_before, quantity_after,
            cost_before, cost_after, lost_before, lost_after)
"""


@transaction.atomic
def save_scenario(*, scenario_id: int, plan: Plan, before: Side, after: Side) -> bool:
    """Keep what a scenario comes to beside a plan, in place of what it came to earlier; False where it is gone."""
    found = Scenario.objects.select_for_update().filter(pk=scenario_id).first()
    if found is None:
        return False
    found.plan, found.planned_at = plan, timezone.now()
    found.before, found.after = _figures(before), _figures(after)
    found.is_as_planned = (found.before["money"], found.before["lines"]) == (float(plan.money), plan.lines)
    found.save()
    ScenarioLine.objects.filter(scenario=found).delete()
    lines = _compared(before.solved.lines, after.solved.lines)
    with connection.cursor() as cursor:
        cursor.execute(_SAVE_LINES, {"tenant": current_tenant_id(), "scenario": found.pk,
                                     **{name: lines[name].tolist() for name in lines.columns}})
    return True


def _compared(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """What is ordered on one of the two sides or on both; both hold the same items."""
    names = {"quantity": "quantity", "unit_cost": "cost", "lost_units_with": "lost"}
    place = ["item_id", "location_id"]
    both = before[[*place, "supplier_id"]]
    for side, lines in (("before", before), ("after", after)):
        figures = lines.set_index(place)[list(names)]
        both = both.join(figures.rename(columns={name: f"{short}_{side}" for name, short in names.items()}), on=place)
    return both[(both["quantity_before"] > 0) | (both["quantity_after"] > 0)]


def _figures(side: Side) -> dict[str, Any]:
    """What one side comes to: money, lines, what is expected to be lost, and what binds."""
    solved = side.solved
    ordered = solved.lines[solved.lines["quantity"] > 0]
    return {
        "status": solved.status, "money": round(solved.order_value, 2), "lines": len(ordered),
        "units": int(ordered["quantity"].sum()), "suppliers": int(ordered["supplier_id"].nunique()),
        "expected_cost": round(solved.expected_cost, 2), "lost_margin": round(solved.lost_margin, 2),
        "lost_units": round(float(solved.lines["lost_units_with"].sum()), 2),
        "cash_left": None if side.cash.left is None else round(side.cash.left, 2), "binding": named_notes(solved.notes),
    }
