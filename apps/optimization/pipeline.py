"""A plan for one day, and what would be planned if: read what is known, let the engine decide with no transaction open,
save in a short one."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.catalog import selectors as catalog
from apps.forecasting import selectors as forecasting
from apps.inventory import selectors as inventory
from apps.jobs.running import GiveUp, Running
from apps.optimization import selectors, services
from apps.optimization.engine.frames import InputError
from apps.optimization.models import Plan
from apps.optimization.services import Cash, Facts, Inputs, Rules, Side, Solved
from apps.optimization.services.planning import minimums_of
from apps.sales import selectors as sales
from apps.tenants.figures import units
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import tenant_by_id

OLDEST_FORECAST_DAYS = 14


def plan(running: Running) -> dict[str, Any]:
    """Plan what to buy as of the day asked for, and save it; the same facts again change nothing."""
    started = time.perf_counter()
    as_of = dt.date.fromisoformat(running.input["as_of"])
    tenant = tenant_by_id(running.tenant_id)
    if tenant.demo_date is not None:  # a day may have been let in while models were compared: stock stands as of then
        as_of = max(as_of, tenant.demo_date)
    running.progress(0.05, _("Reading stock, orders on their way, terms and the forecast"))
    with tenant_context(running.tenant_id):
        standing = selectors.current_plan()
        if standing is not None and standing.as_of > as_of:
            return {"plan": standing.pk, "is_new": False, "note": _("A plan for %(day)s stands already.")
                    % {"day": date_format(standing.as_of, "j M Y")}}
        inputs = read_inputs(as_of, standing)
    solved = _weighed(running, inputs, 0.25)
    running.progress(0.9, _("Saving the plan"))
    with tenant_context(running.tenant_id):
        running.hold()
        saved, is_new = services.save_plan(inputs=inputs, solved=solved, job_id=running.job_id,
                                           seconds=time.perf_counter() - started)
    return {"plan": saved.pk, "is_new": is_new, "status": saved.status, "lines": saved.lines,
            "money": str(saved.money), "binding": [note["code"] for note in saved.binding],
            "seconds": round(time.perf_counter() - started, 2)}


def read_inputs(as_of: dt.date, standing: Plan | None) -> Inputs:
    """What a plan of the tenant in scope depends on, as it is known now."""
    run = forecasting.latest_run(as_of)
    if run is None:
        raise GiveUp(_("There is no forecast to plan with yet: it is made once sales have come in."))
    if (as_of - run.as_of).days > OLDEST_FORECAST_DAYS:
        raise GiveUp(_("The newest forecast is of %(day)s, too old to plan with: forecast again first.")
                     % {"day": date_format(run.as_of, "j M Y")})
    return read_facts(as_of, run, previous=standing).inputs()


def read_facts(as_of: dt.date, run: Any, *, previous: Plan | None, undone: Plan | None = None) -> Facts:
    """What is known on a day of the tenant in scope, with the forecast of a run.

    previous: the plan that this one is compared with and held steady against. undone: a plan of that day, whose cash
    holds, as if nobody had decided on it yet: what it put on orders is not on its way, and settles nothing.
    """
    put_on_orders = selectors.ordered_lines(undone) if undone else []
    active = catalog.items().filter(status="active").values_list("pk", flat=True)
    terms = sales.earning_terms(as_of)
    defaults = catalog.planning_defaults()
    since = as_of - dt.timedelta(days=max(defaults.review_period_days, 1) - 1)
    cash = Cash()
    if undone is not None:
        cash = Cash.of(undone.limits)
    elif defaults.cash_budget is not None:
        spent = inventory.placed_since(since, as_of)
        cash = Cash(budget=float(defaults.cash_budget), spent=float(spent.money), since=since)
    drafts = inventory.draft_values(without=put_on_orders)
    minimums = {supplier: max(value - float(drafts.get(supplier, 0)), 0.0)
                for supplier, value in minimums_of(terms).items()}
    rules = Rules(cash=cash, supplier_minimums=minimums, settled=selectors.settled_series(as_of, but_for=undone),
                  thin={"history": sales.young_series(as_of),
                        "one_sale": [sale.unique_id for sale in sales.unusual_sales(as_of)]},
                  active_item_ids=list(active), previous=selectors.previous_lines(previous) if previous else None,
                  previous_model=previous.forecast_run.model if previous else "")
    return Facts(as_of=as_of, paths=forecasting.demand_paths(run), terms=terms,
                 positions=inventory.position_frame(as_of),
                 arrivals=inventory.arrivals_frame(as_of, without=put_on_orders), rules=rules)


def try_out(running: Running) -> dict[str, Any]:
    """Plan as the standing plan was made, and again with a scenario's changes; keep how they differ, no more."""
    running.progress(0.05, _("Reading stock, orders on their way, terms and the forecast"))
    with tenant_context(running.tenant_id):
        scenario = selectors.scenario_by_id(running.input["scenario"])
        if scenario is None:
            return {"note": _("The scenario was deleted.")}
        plan = selectors.current_plan()
        if plan is None:
            raise GiveUp(_("There is no plan yet to compare with: it is made once sales have come in."))
        facts = read_facts(plan.as_of, plan.forecast_run, previous=plan.previous, undone=plan)
        changed = services.changed_facts(facts, scenario.change)
    before, after = (Side(solved=_weighed(running, each.inputs(), share), cash=each.rules.cash)
                     for each, share in ((facts, 0.2), (changed, 0.55)))
    running.progress(0.9, _("Saving the difference"))
    with tenant_context(running.tenant_id):
        running.hold()
        if not services.save_scenario(scenario_id=scenario.pk, plan=plan, before=before, after=after):
            return {"note": _("The scenario was deleted.")}
    return {"scenario": scenario.pk, "plan": plan.pk, "status": after.solved.status,
            "money_before": round(before.solved.order_value, 2), "money_after": round(after.solved.order_value, 2)}


def _weighed(running: Running, inputs: Inputs, share: float) -> Solved:
    running.progress(share, ngettext("Weighing %(items)s item", "Weighing %(items)s items", len(inputs.items))
                     % {"items": units(len(inputs.items))})
    try:
        return services.solve(inputs=inputs)
    except InputError as error:
        raise GiveUp(_("The plan cannot be made from these facts. %(problems)s")
                     % {"problems": " ".join(error.problems)}) from error
