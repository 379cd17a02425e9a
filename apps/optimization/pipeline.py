"""A plan for one day: read what is known, let the engine decide with no transaction open, save in a short one."""

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
from apps.optimization.services import Cash, Inputs, Rules
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
    running.progress(0.25, ngettext("Weighing %(items)s item", "Weighing %(items)s items", len(inputs.items))
                     % {"items": units(len(inputs.items))})
    try:
        solved = services.solve(inputs=inputs)
    except InputError as error:
        raise GiveUp(_("The plan cannot be made from these facts. %(problems)s")
                     % {"problems": " ".join(error.problems)}) from error
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
    paths = forecasting.demand_paths(run)
    active = catalog.items().filter(status="active").values_list("pk", flat=True)
    terms = sales.earning_terms(as_of)
    defaults = catalog.planning_defaults()
    since = as_of - dt.timedelta(days=max(defaults.review_period_days, 1) - 1)
    cash = Cash()
    if defaults.cash_budget is not None:
        spent = inventory.placed_since(since, as_of)
        cash = Cash(budget=float(defaults.cash_budget), spent=float(spent.money), since=since)
    drafts = inventory.draft_values()
    minimums = {supplier: max(value - float(drafts.get(supplier, 0)), 0.0)
                for supplier, value in minimums_of(terms).items()}
    rules = Rules(cash=cash, supplier_minimums=minimums, settled=selectors.settled_series(as_of),
                  thin={"history": sales.young_series(as_of),
                        "one_sale": [sale.unique_id for sale in sales.unusual_sales(as_of)]},
                  active_item_ids=list(active), previous=selectors.previous_lines(standing) if standing else None,
                  previous_model=standing.forecast_run.model if standing else "")
    return services.prepare(as_of=as_of, paths=paths, terms=terms, positions=inventory.position_frame(as_of),
                            arrivals=inventory.arrivals_frame(as_of), rules=rules)
