"""Plans and their lines as pages and programs read them, and what people have decided on them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Aggregate, Count, DecimalField, ExpressionWrapper, F, Q, QuerySet, Sum, Value, Window
from django.db.models.functions import Abs, Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.catalog import selectors as catalog
from apps.catalog.selectors import assumption_words, simulation_words
from apps.inventory import selectors as inventory
from apps.jobs import selectors as jobs
from apps.jobs.selectors import JobView
from apps.optimization.models import Changes, Decision, Plan, Recommendation, Scenario, ScenarioLine
from apps.tenants.downloads import Cell
from apps.tenants.figures import cents, days, exact, money, rounded_units, sign
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id

if TYPE_CHECKING:
    import pandas as pd

State = Recommendation.State

LONGEST_REVIEW_DAYS = 92
LONGEST_COVER_DAYS = 9_999.0

_MONEY: DecimalField[Any, Any] = DecimalField(max_digits=18, decimal_places=4)
_ZERO = Value(Decimal(0), _MONEY)
_LINE_MONEY = ExpressionWrapper(F("quantity") * F("unit_cost"), _MONEY)
# Money at risk: the margin expected to be lost on the item of an open `line` if nothing is bought, until an order of
# its next ordering day could come. What is lost before anything could arrive is in it, though no order saves that.
AT_RISK_SQL = "greatest(line.price - line.unit_cost, 0) * line.lost_units_without"
# How long the stock of this moment lasts at each place where an item is forecast: wherever it is told, it is told by
# this. Cover: at expected sales, on hand alone. The run-out day: the first on which, with what is on its way, as likely
# as not not all that is asked for can be served; but a draft, which plans count so as to buy nothing twice, puts
# nothing off: it may never be approved. Sales to a day are negative binomial with the mean `total` and the variance
# total * (1 + dispersion) + level * total^2; that is Poisson around a gamma of shape total / spread, whose median is
# total * (1 - 1 / (9 shape))^3 (Wilson and Hilferty 1931), and a Poisson exceeds n as likely as not where its mean is
# n + 2/3. Expressions of a WITH, the last `lasting_at`; `of_some` narrows the `line`s of the forecast, and the
# parameters are those of `lasting_given`.
LASTING_SQL = """
run AS (
    SELECT id, days, %(as_of)s::date - as_of AS late FROM forecasting_forecastrun
    WHERE tenant_id = %(tenant)s AND NOT is_replay AND is_complete AND as_of <= %(as_of)s
    ORDER BY as_of DESC, id DESC LIMIT 1
), arriving AS (
    SELECT item_id, location_id, greatest(due_on - %(as_of)s::date, 0) AS day, sum(units) AS units
    FROM unnest(%(due_items)s::bigint[], %(due_places)s::bigint[], %(due_days)s::date[], %(due_units)s::float8[])
         AS due (item_id, location_id, due_on, units) GROUP BY 1, 2, 3
), ahead AS (
    SELECT line.item_id, line.location_id, line.recipe[1] AS level, line.recipe[2] AS dispersion,
           place.on_hand::float8 AS on_hand, step.begins + nth - run.late AS day,
           CASE WHEN step.begins + nth = run.late THEN greatest(step.units - coalesce(today.units, 0)::float8, 0)
                ELSE step.units END AS units
    FROM run JOIN forecasting_seriesforecast line ON line.tenant_id = %(tenant)s AND line.run_id = run.id{of_some}
    JOIN inventory_stocklevel place ON place.tenant_id = %(tenant)s AND place.item_id = line.item_id
        AND place.location_id = line.location_id
    LEFT JOIN sales_dailydemand today ON today.tenant_id = %(tenant)s AND today.item_id = line.item_id
        AND today.location_id = line.location_id AND today.date = %(as_of)s
    CROSS JOIN LATERAL (
        SELECT CASE WHEN n <= run.days THEN n - 1 ELSE run.days + 7 * (n - run.days - 1) END AS begins,
               CASE WHEN n <= run.days THEN 1 ELSE 7 END AS days,
               CASE WHEN n <= run.days THEN mean ELSE mean / 7 END AS units
        FROM unnest(line.mean) WITH ORDINALITY given (mean, n)) step
    CROSS JOIN LATERAL generate_series(0, step.days - 1) nth
    WHERE step.begins + nth >= run.late
), totalled AS (
    SELECT ahead.*, sum(ahead.units) OVER by_then AS total, coalesce(sum(arriving.units) OVER by_then, 0) AS arrived,
           dispersion + level * sum(ahead.units) OVER by_then AS spread
    FROM ahead LEFT JOIN arriving USING (item_id, location_id, day)
    WINDOW by_then AS (PARTITION BY item_id, location_id ORDER BY day)
), lasting_at AS (
    SELECT item_id, location_id,
           CASE WHEN on_hand <= 0 THEN 0 ELSE coalesce(
               min(day + greatest(on_hand - total + units, 0) / nullif(units, 0)) FILTER (WHERE total > on_hand),
               least(count(*) * on_hand / nullif(max(total), 0), %(longest)s)) END AS days_of_cover,
           %(as_of)s::date + CASE WHEN on_hand <= 0 THEN 0 ELSE min(day) FILTER (
               WHERE total * (1 - spread / 9 / nullif(total, 0)) ^ 3 >= floor(on_hand + arrived) + 2 / 3.0)::int
               END AS stockout_on
    FROM totalled GROUP BY item_id, location_id, on_hand
)
"""
_GROUNDS = {"uncounted": Q(assumed__contains=["on_hand"]), "young": Q(assumed__contains=["history"]),
            "one_sale": Q(assumed__contains=["one_sale"])}

SORTS = {
    "gain": "net_gain", "money": "money", "quantity": "quantity", "order_by": "order_by_on", "stockout": "stockout_on",
    "cover": "days_of_cover", "item": "item__title", "supplier": "supplier__name", "avoided": "avoided_lost_sales",
}  # fmt: skip
DEFAULT_SORT = "-gain"


def lasting_given(as_of: dt.date, item_ids: Sequence[int] | None = None) -> dict[str, Any]:
    """The parameters of LASTING_SQL on the morning of a day, for all items or some."""
    due = inventory.arrivals(as_of, item_ids, statuses=inventory.FIRM_STATUSES)
    items, places, days, units = (list(column) for column in zip(*due, strict=True)) if due else ([], [], [], [])
    return {"tenant": current_tenant_id(), "as_of": as_of, "due_items": items, "due_places": places, "due_days": days,
            "due_units": units, "longest": LONGEST_COVER_DAYS}


def cover_days(value: float) -> int:
    """Days of cover as they are told, whole ones: what covers 12.5 days does not cover 13."""
    return math.floor(value + 1e-6)


def plans(*, is_replay: bool = False) -> QuerySet[Plan]:
    """Plans, newest first."""
    return Plan.objects.filter(is_replay=is_replay).order_by("-as_of", "-pk")


def current_plan() -> Plan | None:
    """The plan that stands: the newest that is no replay."""
    return plans().select_related("previous").first()


def recommendations(plan: Plan | None) -> QuerySet[Recommendation]:
    """Every line of a plan, also where nothing is to be ordered, each with its `money`."""
    found = Recommendation.objects.filter(plan=plan) if plan else Recommendation.objects.none()
    lines: QuerySet[Recommendation] = found.select_related("item", "supplier", "location").annotate(
        money=_LINE_MONEY)
    return lines


def open_recommendations(*, plan: Plan | None = None, supplier_id: int | None = None, search: str = "",
                         binding: str = "", only: str = "", sort: str = DEFAULT_SORT) -> QuerySet[Recommendation]:
    """What is to be ordered and nobody has decided on yet; of the plan that stands unless another is given.

    binding: the code of what binds, `none` for nothing. only: `assumed` or `changed`. sort: a key of SORTS, `-` before
    it for the largest first.
    """
    lines = recommendations(plan or current_plan()).filter(state=State.OPEN, quantity__gt=0)
    if supplier_id is not None:
        lines = lines.filter(supplier_id=supplier_id)
    if search:
        lines = lines.filter(Q(item__title__icontains=search) | Q(item__sku__icontains=search)
                             | Q(supplier__name__icontains=search))
    if binding:
        lines = lines.filter(binding="" if binding == "none" else binding)
    if only == "assumed":
        lines = lines.exclude(assumed=[])
    elif only == "changed":
        lines = lines.exclude(change={})
    name = SORTS.get(sort.lstrip("-"), SORTS[DEFAULT_SORT.lstrip("-")])
    order = F(name).desc(nulls_last=True) if sort.startswith("-") else F(name).asc(nulls_last=True)
    return lines.order_by(order, "pk")


def top_decisions(plan: Plan, limit: int) -> list[Recommendation]:
    """The open lines worth most, each with what all of its supplier's come to: `supplier_lines`, `supplier_money`."""
    def at_supplier(aggregate: Aggregate) -> Window:
        return Window(aggregate, partition_by=F("supplier_id"))

    return list(open_recommendations(plan=plan).annotate(
        supplier_lines=at_supplier(Count("pk")), supplier_money=at_supplier(Sum(_LINE_MONEY)))[:limit])


@dataclass(frozen=True)
class Totals:
    """What a group of lines comes to, and how much of it rests on thin ground: uncounted stock, few weeks, one sale."""

    lines: int = 0
    units: int = 0
    money: Decimal = Decimal(0)
    avoided: Decimal = Decimal(0)
    gain: Decimal = Decimal(0)
    suppliers: int = 0
    uncounted_lines: int = 0
    uncounted_money: Decimal = Decimal(0)
    young_lines: int = 0
    young_money: Decimal = Decimal(0)
    one_sale_lines: int = 0
    one_sale_money: Decimal = Decimal(0)


def totals(lines: QuerySet[Recommendation]) -> Totals:
    found = lines.order_by().aggregate(
        lines=Count("pk"), units=Coalesce(Sum("quantity"), 0), money=Coalesce(Sum(_LINE_MONEY), _ZERO),
        avoided=Coalesce(Sum("avoided_lost_sales"), _ZERO), gain=Coalesce(Sum("net_gain"), _ZERO),
        suppliers=Count("supplier", distinct=True),
        **{f"{name}_lines": Count("pk", filter=rests) for name, rests in _GROUNDS.items()},
        **{f"{name}_money": Coalesce(Sum(_LINE_MONEY, filter=rests), _ZERO) for name, rests in _GROUNDS.items()})
    return Totals(**found)


@dataclass(frozen=True)
class SupplierShare:
    """What a plan would buy of one supplier."""

    supplier_id: int
    name: str
    lines: int
    money: Decimal


def suppliers_of(plan: Plan | None) -> list[SupplierShare]:
    """The suppliers of a plan's open lines, by name."""
    rows = (recommendations(plan).filter(state=State.OPEN, quantity__gt=0).order_by()
            .values("supplier_id", "supplier__name").annotate(lines=Count("pk"), total=Sum(_LINE_MONEY)))
    return [SupplierShare(row["supplier_id"], row["supplier__name"], row["lines"], row["total"])
            for row in sorted(rows, key=lambda row: row["supplier__name"])]


def bindings_of(plan: Plan | None) -> dict[str, int]:
    """How many of a plan's open lines each limit binds; the empty code for none."""
    rows = recommendations(plan).filter(state=State.OPEN, quantity__gt=0).order_by().values_list("binding")
    return dict(rows.annotate(Count("pk")))


def recommendation_by_id(recommendation_id: int) -> Recommendation | None:
    found: Recommendation | None = (Recommendation.objects.select_related("item", "supplier", "location", "plan")
                                    .annotate(money=_LINE_MONEY)
                                    .filter(pk=recommendation_id).first())
    return found


def decisions_between(first: dt.date, last: dt.date) -> QuerySet[Decision]:
    """What was decided from one day to another, with the line that each decision is on, the last one of each line."""
    return (Decision.objects.select_related("recommendation__plan")
            .filter(decided_on__range=(first, last), recommendation__plan__is_replay=False)
            .order_by("recommendation_id", "-pk").distinct("recommendation_id"))


def decisions_of(recommendation_ids: Sequence[int]) -> dict[int, Decision]:
    """The decision that stands on each of some lines, by line: none on a line that is open again."""
    found = Decision.objects.filter(recommendation_id__in=recommendation_ids,
                                    recommendation__state__in=(State.APPROVED, State.DISMISSED))
    return {decision.recommendation_id: decision
            for decision in found.select_related("recommendation").order_by("recommendation_id", "pk")}


def out_of_stock_share(as_of: dt.date) -> float | None:
    """The share of planned items that have nothing on hand at the opening of a day; None without a plan.

    Planned are those of the newest plan by then. Items that nobody has counted are left out: of them it is not known.
    """
    plan = plans().filter(as_of__lte=as_of).first()
    planned = set(recommendations(plan).order_by().values_list("item_id", "location_id"))
    stock = inventory.position_frame(as_of).dropna(subset=["counted_at"])
    on_hand = [units for *place, units in stock[["item_id", "location_id", "on_hand"]].itertuples(index=False)
               if tuple(place) in planned]
    return sum(units <= 0 for units in on_hand) / len(on_hand) if on_hand else None


def settled_series(as_of: dt.date, *, but_for: Plan | None = None) -> list[str]:
    """Series, `item/location`, on which somebody decided less than their review period ago: they are left in peace.

    A decision whose order was cancelled, or that was taken off it, settles nothing; nor do those on the plan `but_for`.
    """
    decisions = Decision.objects.filter(
        decided_on__lte=as_of, decided_on__gt=as_of - dt.timedelta(days=LONGEST_REVIEW_DAYS),
        recommendation__plan__is_replay=False)
    if but_for is not None:
        decisions = decisions.exclude(recommendation__plan=but_for)
    found = list(decisions.order_by("pk").values_list(
        "recommendation__item_id", "recommendation__location_id", "recommendation__review_period_days", "decided_on",
        "purchase_order_id", "recommendation_id"))
    ordered = inventory.ordered_among([line_id for *_rest, order_id, line_id in found if order_id])
    return sorted({f"{item_id}/{location_id}"
                   for item_id, location_id, review_days, decided_on, order_id, line_id in found
                   if (order_id is None or line_id in ordered)
                   and as_of < decided_on + dt.timedelta(days=max(review_days, 1))})


def ordered_lines(plan: Plan) -> list[int]:
    """The recommendations of a plan that stand on orders."""
    approved = Recommendation.objects.filter(plan=plan, state=State.APPROVED)
    return list(approved.order_by("pk").values_list("pk", flat=True))


_PREVIOUS = """
SELECT item_id || '/' || location_id AS unique_id, quantity::bigint AS order_quantity, unit_cost::float8 AS unit_cost,
       price::float8 AS price, lead_time_days, review_period_days,
       mean_demand AS expected_demand,
       (on_hand + on_order)::bigint AS position,
       (waterfall #>> '{units,need}')::bigint AS need, (waterfall #>> '{units,buffer}')::bigint AS buffer,
       (waterfall #>> '{units,pack_moq}')::bigint AS pack_moq,
       (waterfall #>> '{units,supplier_minimum}')::bigint AS supplier_minimum,
       (waterfall #>> '{units,cash}')::bigint AS cash, (waterfall #>> '{units,kept}')::bigint AS kept
FROM optimization_recommendation WHERE tenant_id = %(tenant)s AND plan_id = %(plan)s
  AND NOT waterfall -> 'units' ? 'decided'
ORDER BY 1
"""


def previous_lines(plan: Plan) -> pd.DataFrame:
    """A plan's lines as the next one is compared with them: the engine's columns of an earlier plan, and its terms."""
    import pandas as pd

    with connection.cursor() as cursor:
        cursor.execute(_PREVIOUS, {"tenant": current_tenant_id(), "plan": plan.pk})
        return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description or ()])


def binding_words() -> dict[str, str]:
    """What keeps a quantity from being the best one for its item alone."""
    return {
        "": _("nothing"), "pack": _("whole packs"), "moq": _("minimum quantity"),
        "max_order_quantity": _("largest order"), "supplier_minimum": _("supplier's minimum"), "cash": _("cash"),
        "kept": _("kept from the last plan"), "decided": _("decided lately"),
    }


def recommendation_rows(lines: QuerySet[Recommendation]) -> Iterator[list[Cell]]:
    """Lines as rows of a table, the header first; estimates as pages round them, costs as they are."""
    currency, bound = tenant_by_id(current_tenant_id()).currency, binding_words()
    assumed, simulated = assumption_words(), simulation_words()
    yield [_("SKU"), _("Title"), _("Supplier"), _("Location"), _("Quantity"), _("Unit cost"), _("Amount"), _("On hand"),
           _("On order"), _("Mean demand"), _("Days of cover"), _("Runs out"), _("Order by"), _("Would arrive"),
           _("Lost sales avoided"), _("Gain"), _("What binds"), _("Need"), _("Buffer"), _("Pack and minimum quantity"),
           _("Supplier's minimum"), _("Cash"), _("Kept from the last plan"), _("Assumed"), _("Simulated")]
    for line in lines.iterator(chunk_size=1000):
        units = line.waterfall["units"]
        yield [line.item.sku, line.item.title, line.supplier.name, line.location.name, line.quantity, line.unit_cost,
               cents(line.quantity * line.unit_cost, currency), *map(rounded_units, (
                   line.on_hand, line.on_order, line.mean_demand)),
               None if line.is_stock_unknown else cover_days(line.days_of_cover), line.stockout_on,
               line.order_by_on, line.arrives_on, cents(line.avoided_lost_sales, currency),
               cents(line.net_gain, currency), bound.get(line.binding, line.binding),
               *(units[part] for part in ("need", "buffer", "pack_moq", "supplier_minimum", "cash", "kept")),
               ", ".join(assumed.get(name, name) for name in line.assumed),
               ", ".join(simulated.get(name, name) for name in line.simulated)]


# --- What if ------------------------------------------------------------------------------------------------------

MOST_COMPARED = 4
SUPPLIERS_SHOWN = 10  # those that change most; the others in one row
QUIET_NOTES = frozenset({"without_stock", "without_supplier", "without_price", "decided"})  # alike on both sides

_MONEY_BEFORE = ExpressionWrapper(F("quantity_before") * F("cost_before"), _MONEY)
_MONEY_AFTER = ExpressionWrapper(F("quantity_after") * F("cost_after"), _MONEY)


@dataclass(frozen=True)
class ScenarioView:
    """A scenario, the job that reckons it, and whether a newer plan stands than the one it was compared with."""

    scenario: Scenario
    job: JobView | None
    is_stale: bool

    @property
    def is_live(self) -> bool:
        return self.job is not None and not self.job.job.is_over

    @property
    def failure(self) -> str:
        """Why the last try came to nothing, where it did."""
        if self.job is None or self.job.job.state not in ("failed", "cancelled"):
            return ""
        return (self.job.record.note if self.job.record else "") or _("It was stopped.")

    @property
    def money_change(self) -> float:
        return float(self.scenario.after["money"] - self.scenario.before["money"])

    @property
    def cost_change(self) -> float:
        return float(self.scenario.after["expected_cost"] - self.scenario.before["expected_cost"])


def scenarios() -> QuerySet[Scenario]:
    """What was asked, the newest first."""
    return Scenario.objects.order_by("-pk")


def scenario_by_id(scenario_id: int) -> Scenario | None:
    found: Scenario | None = scenarios().filter(pk=scenario_id).select_related("plan").first()
    return found


def scenario_views(found: Sequence[Scenario]) -> list[ScenarioView]:
    """Scenarios with their jobs, and whether they are of an older plan: the same few queries for all."""
    plan = current_plan()
    asked = jobs.with_records(list(jobs.jobs().filter(pk__in=[scenario.job_id for scenario in found])))
    by_id = {view.job.pk: view for view in asked}
    return [ScenarioView(scenario, by_id.get(scenario.job_id or 0), scenario.planned_at is not None and (
        plan is None or scenario.plan_id != plan.pk)) for scenario in found]


def binding_notes(side: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What binds on one side of a scenario."""
    return [note for note in side.get("binding", ()) if note["code"] not in QUIET_NOTES]


def scenario_lines(scenario: Scenario) -> QuerySet[ScenarioLine]:
    """What a scenario orders otherwise, the most money first: each with `money_before`, `money_after`, `money_change`
    and `quantity_change`."""
    lines: QuerySet[ScenarioLine] = (
        ScenarioLine.objects.filter(scenario=scenario)
        .annotate(money_before=_MONEY_BEFORE, money_after=_MONEY_AFTER,
                  money_change=ExpressionWrapper(_MONEY_AFTER - _MONEY_BEFORE, _MONEY),
                  quantity_change=F("quantity_after") - F("quantity_before"))
        .exclude(money_change=0, quantity_change=0))
    return lines.order_by(Abs("money_change").desc(), "pk")


@dataclass(frozen=True)
class Changed:
    """What changes most in a scenario, each line with its item, and how many lines change in all."""

    lines: Sequence[ScenarioLine]
    count: int


def changed_most(scenario: Scenario, limit: int) -> Changed:
    lines = list(scenario_lines(scenario).annotate(among=Window(Count("pk")))[:limit])
    items = catalog.items_by_id([line.item_id for line in lines])  # of these alone, where a join would be of all
    for line in lines:
        line.item = items[line.item_id]
    return Changed(lines, lines[0].among if lines else 0)


@dataclass(frozen=True)
class SupplierChange:
    """What a scenario orders from one supplier, before and after; nobody's name where none is known."""

    scenario_id: int
    supplier_id: int | None
    name: str
    lines_before: int
    lines_after: int
    money_before: Decimal
    money_after: Decimal

    @property
    def money_change(self) -> Decimal:
        return self.money_after - self.money_before


def supplier_changes(found: Sequence[Scenario]) -> list[SupplierChange]:
    """What scenarios order from each supplier, in one query; the suppliers that change most first."""
    rows = (ScenarioLine.objects.filter(scenario__in=found).order_by()
            .values("scenario_id", "supplier_id", name=F("supplier__name"))
            .annotate(lines_before=Count("pk", filter=Q(quantity_before__gt=0)),
                      lines_after=Count("pk", filter=Q(quantity_after__gt=0)),
                      money_before=Sum(_MONEY_BEFORE), money_after=Sum(_MONEY_AFTER)))
    shares = [SupplierChange(**{**row, "name": row["name"] or _("Supplier not named")}) for row in rows]
    return sorted(shares, key=lambda share: (-abs(share.money_change), share.name))


def others_together(changes: Sequence[SupplierChange]) -> list[SupplierChange]:
    """One scenario's suppliers as a page shows them: the first SUPPLIERS_SHOWN, and all others in one row."""
    shown, others = changes[:SUPPLIERS_SHOWN], changes[SUPPLIERS_SHOWN:]
    if len(others) < 2:
        return list(changes)
    return [*shown, SupplierChange(
        others[0].scenario_id, None, _others(len(others)), sum(each.lines_before for each in others),
        sum(each.lines_after for each in others), sum((each.money_before for each in others), Decimal(0)),
        sum((each.money_after for each in others), Decimal(0)))]


def _others(count: int) -> str:
    return ngettext("%(n)d other supplier", "%(n)d other suppliers", count) % {"n": count}


def _newest(found: Sequence[Scenario]) -> Scenario:
    """Of scenarios that were compared with different plans, one with the newest."""
    return max(found, key=lambda scenario: (scenario.plan_id or 0, scenario.planned_at))


def planned_side(found: Sequence[Scenario]) -> dict[str, Any]:
    """The plan beside which scenarios stand."""
    return dict(_newest(found).before)


def suppliers_compared(found: Sequence[Scenario]) -> list[tuple[str, list[Decimal]]]:
    """What is ordered from each supplier by the plan, then in each scenario: the most money first, then all others."""
    by_supplier: dict[str, dict[int, SupplierChange]] = {}
    for change in supplier_changes(found):
        by_supplier.setdefault(change.name, {})[change.scenario_id] = change
    newest = _newest(found).pk
    rows = [(name, [changes[newest].money_before if newest in changes else Decimal(0), *(
        changes[scenario.pk].money_after if scenario.pk in changes else Decimal(0) for scenario in found)])
        for name, changes in by_supplier.items()]
    rows.sort(key=lambda row: (-max(row[1]), row[0]))
    others = rows[SUPPLIERS_SHOWN:]
    if len(others) < 2:
        return rows
    sums = [sum(moneys, Decimal(0)) for moneys in zip(*(moneys for _name, moneys in others), strict=True)]
    return [*rows[:SUPPLIERS_SHOWN], (_others(len(others)), sums)]


def change_words(changes: Changes, named: Mapping[str, str], currency: str) -> str:
    """What a scenario changes, in words; `named` holds the suppliers' names by field."""
    def percent(factor: float) -> str:
        return sign(_("%(n)s%%") % {"n": exact(round(100 * (factor - 1), 2))})

    def of(field: str, words: str) -> str:
        return _("%(supplier)s: %(change)s") % {"supplier": named[field], "change": words} if field in named else words

    words = []
    if changes.lead_days:
        words.append(of("lead_supplier_id", _("lead time %(days)s") % {"days": sign(days(changes.lead_days))}))
    if changes.demand_factor != 1:
        demand = _("demand %(percent)s") % {"percent": percent(changes.demand_factor)}
        words.append(f"{changes.demand_kind}: {demand}" if changes.demand_kind else demand)
    if changes.budget is not None:
        words.append(_("cash of %(money)s") % {"money": money(changes.budget, currency)})
    elif changes.budget_factor != 1:
        words.append(_("cash %(percent)s") % {"percent": percent(changes.budget_factor)})
    if changes.gone_supplier_id is not None:
        words.append(_("without %(supplier)s") % {"supplier": named.get("gone_supplier_id", "")})
    if changes.cost_factor != 1:
        words.append(of("cost_supplier_id", _("unit cost %(percent)s") % {"percent": percent(changes.cost_factor)}))
    joined = ", ".join(words)
    return joined[:1].upper() + joined[1:]


def scenario_rows(scenario: Scenario) -> Iterator[list[Cell]]:
    """What a scenario orders otherwise as rows of a table, the header first; estimates as pages round them."""
    currency = tenant_by_id(current_tenant_id()).currency
    yield [_("SKU"), _("Title"), _("Supplier"), _("Location"), _("Quantity before"), _("Quantity after"),
           _("Difference"), _("Unit cost before"), _("Unit cost after"), _("Amount before"), _("Amount after"),
           _("Difference in money"), _("Expected lost units before"), _("Expected lost units after")]
    with catalog.joined_in_sets():
        for line in scenario_lines(scenario).select_related("item", "supplier", "location").iterator(chunk_size=1000):
            yield [line.item.sku, line.item.title, line.supplier.name if line.supplier else _("Supplier not named"),
                   line.location.name, line.quantity_before, line.quantity_after,
                   line.quantity_after - line.quantity_before, line.cost_before, line.cost_after,
                   *(cents(getattr(line, name), currency) for name in ("money_before", "money_after", "money_change")),
                   rounded_units(line.lost_before), rounded_units(line.lost_after)]
