"""Today: what is worth deciding, what stands behind it, and how far round the loop the shop is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.alerts.models import Alert
from apps.alerts.selectors import open_alerts
from apps.feedback.models import Proof
from apps.feedback.selectors import proof_awaited
from apps.ingestion.selectors import REJECTED_WAITING
from apps.jobs.selectors import JobView, live_jobs
from apps.optimization import selectors as optimization
from apps.optimization.models import Plan, Recommendation
from apps.optimization.selectors import AT_RISK_SQL, Totals
from apps.tenants.figures import day_short, units
from apps.tenants.models import Tenant
from apps.tenants.scope import current_tenant_id

DECISIONS = 10
ALERTS = 5


@dataclass(frozen=True)
class SupplierGroup:
    """The decisions at one supplier among the ten, and all that the plan would buy there."""

    supplier_id: int
    name: str
    all_lines: int
    all_money: Decimal
    lines: list[Recommendation]

    @property
    def gain(self) -> Decimal:
        return sum((line.net_gain for line in self.lines), Decimal(0))

    @property
    def order_by_on(self) -> dt.date | None:
        return min((line.order_by_on for line in self.lines if line.order_by_on), default=None)


@dataclass(frozen=True)
class Step:
    """One station of the loop: what it last did, and whether that is enough."""

    key: str
    label: str
    path: str
    icon: str
    state: str  # done, running, stale, missing
    words: str


@dataclass(frozen=True)
class Today:
    """Everything on the page, from a fixed number of queries."""

    plan: Plan | None
    totals: Totals
    groups: list[SupplierGroup]
    facts: dict[str, Any]
    proof: Proof | None
    jobs: list[JobView]
    alerts: list[Alert]
    steps: list[Step] = field(default_factory=list)

    @property
    def has_data(self) -> bool:
        return bool(self.facts["last_sale_on"] or self.facts["items"])

    @property
    def proof_awaited(self) -> str:
        first, as_of = self.facts["first_sale_on"], self.facts["as_of"]
        return proof_awaited((as_of - first).days // 7 if first else 0, {view.job.kind for view in self.jobs})

    @property
    def proof_verdict(self) -> str:
        """Who won, where the interval lies wholly on one side of zero."""
        if self.proof is None:
            return ""
        return "advice" if self.proof.gain_low > 0 else "rule" if self.proof.gain_high < 0 else "undecided"


_FACTS = f"""
WITH plan AS (
    SELECT id FROM optimization_plan WHERE tenant_id = %(tenant)s AND NOT is_replay ORDER BY as_of DESC, id DESC LIMIT 1
), open AS (
    SELECT count(*) FILTER (WHERE quantity > 0 AND order_by_on <= %(as_of)s) AS due,
           coalesce(sum({AT_RISK_SQL}), 0) AS at_risk
    FROM optimization_recommendation line
    WHERE tenant_id = %(tenant)s AND plan_id = (SELECT id FROM plan) AND state = 'open'
), item AS (
    SELECT count(*) AS items, count(*) FILTER (WHERE planning = 'planned') AS planned,
           count(*) FILTER (WHERE planning = 'planned' AND on_hand <= 0) AS out_of_stock,
           count(*) FILTER (WHERE planning = 'planned' AND on_hand IS NOT NULL) AS stocked
    FROM portal_itemsummary WHERE tenant_id = %(tenant)s
), ordered AS (
    SELECT count(*) FILTER (WHERE status = 'draft') AS drafts, count(*) FILTER (WHERE status = 'approved') AS unsent,
           count(*) FILTER (WHERE status IN ('sent', 'partly_received')) AS coming
    FROM inventory_purchaseorder WHERE tenant_id = %(tenant)s
), run AS (
    SELECT as_of, model, series FROM forecasting_forecastrun
    WHERE tenant_id = %(tenant)s AND is_complete AND NOT is_replay ORDER BY as_of DESC, id DESC LIMIT 1
)
SELECT %(as_of)s::date, (SELECT min(date) FROM sales_dailydemand WHERE tenant_id = %(tenant)s),
       (SELECT max(date) FROM sales_dailydemand WHERE tenant_id = %(tenant)s),
       (SELECT max(as_of) FROM feedback_judgement WHERE tenant_id = %(tenant)s),
       open.due, open.at_risk,
       greatest(item.items, (SELECT count(*) FROM (
           SELECT FROM catalog_item WHERE tenant_id = %(tenant)s LIMIT 1) one)),
       item.planned, item.out_of_stock, item.stocked, ordered.drafts, ordered.unsent, ordered.coming,
       run.as_of, run.model, run.series, ({REJECTED_WAITING})
FROM open, item, ordered LEFT JOIN run ON true
"""
_NAMES = ("as_of", "first_sale_on", "last_sale_on", "judged_on", "due", "at_risk", "items", "planned", "out_of_stock",
          "stocked", "drafts", "unsent", "coming", "run_as_of", "run_model", "run_series", "rejected")


def _facts(as_of: dt.date) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, {"tenant": current_tenant_id(), "as_of": as_of})
        row = cursor.fetchone()
    return dict(zip(_NAMES, row or (None,) * len(_NAMES), strict=True))


def today(tenant: Tenant) -> Today:
    """The page of one shop, on its own today."""
    as_of = tenant.today()
    plan = optimization.current_plan()
    totals = optimization.totals(optimization.open_recommendations(plan=plan)) if plan else Totals()
    live = live_jobs()
    facts = _facts(as_of)
    return Today(plan=plan, totals=totals, groups=_by_supplier(plan), facts=facts, jobs=live,
                 proof=Proof.objects.order_by("-as_of").first(), alerts=list(open_alerts()[:ALERTS]),
                 steps=_loop({**facts, "lines": totals.lines}, plan, as_of, {view.job.kind for view in live}))


def _by_supplier(plan: Plan | None) -> list[SupplierGroup]:
    groups: dict[int, SupplierGroup] = {}
    for line in optimization.top_decisions(plan, DECISIONS) if plan else []:
        group = SupplierGroup(line.supplier_id, line.supplier.name,
                              line.supplier_lines, line.supplier_money, [])  # type: ignore[attr-defined]
        groups.setdefault(line.supplier_id, group).lines.append(line)
    return sorted(groups.values(), key=lambda group: -group.gain)


def _loop(facts: dict[str, Any], plan: Plan | None, as_of: dt.date, live: set[str]) -> list[Step]:
    def state(found: object, is_fresh: bool, *kinds: str) -> str:
        if any(kind.startswith(kinds) for kind in live):
            return "running"
        return "missing" if not found else "done" if is_fresh else "stale"

    yesterday = as_of - dt.timedelta(days=1)
    last, run_as_of = facts["last_sale_on"], facts["run_as_of"]
    refused = facts["rejected"]
    return [
        Step("data", _("Data"), "/data/", "database",
             state(last, bool(last and last >= yesterday - dt.timedelta(days=6)), "ingestion.", "demo."),
             _("sales to %(day)s") % {"day": day_short(last)} if last else _("no sales yet")),
        Step("cleaning", _("Cleaning"), "/data/", "filter",
             state(last, not refused, "sales."),
             (ngettext("%(n)s row to mend", "%(n)s rows to mend", refused) % {"n": units(refused)} if refused
              else _("nothing to mend")) if last else _("nothing to clean")),
        Step("forecast", _("Forecast"), "/models/", "chart-line",
             state(run_as_of, run_as_of == as_of, "forecasting."),
             ngettext("%(n)s item, %(day)s", "%(n)s items, %(day)s", facts["run_series"]) % {
                 "n": units(facts["run_series"]), "day": day_short(run_as_of)} if run_as_of else _("none yet")),
        Step("decision", _("Decision"), "/replenish/", "scale",
             state(plan, bool(plan and plan.as_of == as_of), "optimization."),
             ngettext("%(n)s line to decide", "%(n)s lines to decide", facts["lines"]) % {"n": units(facts["lines"])}
             if plan else _("no plan yet")),
        Step("orders", _("Orders"), "/orders/", "truck-delivery",
             state(facts["drafts"] + facts["unsent"] + facts["coming"], not facts["drafts"] + facts["unsent"]),
             _("%(drafts)s to approve, %(unsent)s to send, %(coming)s on the way") % {
                 name: units(facts[name]) for name in ("drafts", "unsent", "coming")}
             if facts["drafts"] + facts["unsent"] + facts["coming"] else _("none open")),
        Step("feedback", _("Feedback"), "/accuracy/", "target-arrow",
             state(facts["judged_on"], True, "feedback."),
             _("judged to %(day)s") % {"day": day_short(facts["judged_on"])} if facts["judged_on"]
             else _("nothing to judge")),
    ]
