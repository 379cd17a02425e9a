"""Keeps the derived tables: the summaries that lists read, and the counts that operators do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from apps.catalog.selectors import joined_in_sets
from apps.optimization.selectors import AT_RISK_SQL, LASTING_SQL, lasting_given
from apps.sales.selectors import PAID_PRICES
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id

HALF_YEAR_DAYS = 182
MONTH_DAYS = 28
MANY_ITEMS = 200  # from here on, whole sets are joined
_SUMMARIES_LOCK = 0x5355  # the class of the advisory lock under which summaries are written

_COLUMNS = (
    "sku", "title", "category", "department", "brand", "supplier_name", "status", "planning", "abc", "xyz", "demand",
    "price", "unit_cost", "cost_origin", "on_hand", "on_order", "weekly_units", "units_28d", "revenue_28d",
    "last_sold_on", "days_of_cover", "stockout_on", "lasts_from", "lasts_at", "recommended", "money_at_risk",
    "days_out", "lost_units", "lost_margin",
)

# How items stand by stock, orders and advice: what people change as they decide and take goods in.
#
# `lasting` says of an item how long its stock lasts where that ends first.
_STANDING = """
plan AS (
    SELECT id FROM optimization_plan WHERE tenant_id = %(tenant)s AND NOT is_replay AND as_of <= %(as_of)s
    ORDER BY as_of DESC, id DESC LIMIT 1
), advice AS (
    SELECT line.item_id, coalesce(sum(line.quantity) FILTER (WHERE line.state = 'open'), 0) AS recommended,
           coalesce(sum({at_risk}) FILTER (WHERE line.state = 'open'), 0)::float8 AS money_at_risk
    FROM optimization_recommendation line JOIN plan ON line.plan_id = plan.id
    WHERE line.tenant_id = %(tenant)s{of_some} GROUP BY line.item_id
), stock AS (
    SELECT item_id, sum(on_hand)::float8 AS on_hand FROM inventory_stocklevel line
    WHERE tenant_id = %(tenant)s{of_some} GROUP BY 1
), coming AS (
    SELECT line.item_id, sum(line.quantity - line.received_quantity)::float8 AS on_order
    FROM inventory_purchaseorderline line
    JOIN inventory_purchaseorder head ON head.tenant_id = line.tenant_id AND head.id = line.order_id
    WHERE line.tenant_id = %(tenant)s AND head.status IN ('draft', 'approved', 'sent', 'partly_received')
      AND line.received_quantity < line.quantity{of_some}
    GROUP BY 1
), {lasting_at}, lasting AS (
    SELECT DISTINCT ON (item_id) item_id, location_id, days_of_cover, stockout_on FROM lasting_at
    ORDER BY item_id, stockout_on NULLS LAST, days_of_cover, location_id
)
"""

# What is not forecast, or whose forecast is used up, lasts at the pace of the past half year; what is forecast to sell
# nothing lasts.
_LASTS = """
CASE WHEN lasting.item_id IS NOT NULL THEN lasting.days_of_cover
     ELSE CASE WHEN stock.on_hand <= 0 THEN 0 ELSE stock.on_hand END
         / nullif(greatest({weekly_units}, 0) / 7, 0) END AS days_of_cover,
lasting.stockout_on, CASE WHEN lasting.item_id IS NOT NULL THEN %(as_of)s::date END AS lasts_from,
lasting.location_id AS lasts_at
"""

# A, B and C by what was sold in half a year: the first 80 % of the money, the next 15 %, the rest. X, Y and Z by how
# much the last 13 weeks varied, with the judge's bounds (`forecasting.engine.segments`, which the web does not load):
# standard deviation over mean below 0.5, below 1, above, or nothing sold. The kind of demand by how many weeks lie
# between sales, and the squared variation of weeks with sales (Syntetos, Boylan and Croston 2005, with their cuts).
_REFRESH = """
WITH {standing}, sold AS (
    SELECT item_id, max(date) FILTER (WHERE units > 0) AS last_sold_on,
           coalesce(sum(units) FILTER (WHERE date >= %(month)s), 0)::float8 AS units_28d,
           coalesce(sum(revenue) FILTER (WHERE date >= %(month)s), 0)::float8 AS revenue_28d,
           coalesce(sum(units) FILTER (WHERE date >= %(half_year)s), 0)::float8 AS units,
           coalesce(sum(revenue) FILTER (WHERE date >= %(half_year)s), 0)::float8 AS revenue,
           min(date) AS first_on
    FROM sales_dailydemand WHERE tenant_id = %(tenant)s AND date < %(as_of)s GROUP BY item_id
), known AS (
    SELECT least(26.0, greatest(1.0, (%(as_of)s::date - min(first_on)) / 7.0)) AS weeks FROM sold
), ranked AS (
    SELECT item_id, (sum(revenue) OVER (ORDER BY revenue DESC, item_id) - revenue) / sum(revenue) OVER () AS above
    FROM sold WHERE revenue > 0
), weekly AS (
    SELECT item_id, (%(as_of)s::date - 1 - date) / 7 AS ago, greatest(sum(units), 0)::float8 AS units
    FROM sales_dailydemand WHERE tenant_id = %(tenant)s AND date < %(as_of)s AND date >= %(half_year)s GROUP BY 1, 2
), pattern AS (
    SELECT weekly.item_id, least(26, (%(as_of)s::date - 1 - min(sold.first_on)) / 7 + 1)::float8 AS weeks,
           count(*) FILTER (WHERE weekly.units > 0) AS busy,
           var_pop(weekly.units) FILTER (WHERE weekly.units > 0)
               / (avg(weekly.units) FILTER (WHERE weekly.units > 0))^2 AS squared_variation,
           sum(weekly.units) FILTER (WHERE ago < 13) AS recent,
           sum(weekly.units^2) FILTER (WHERE ago < 13) AS recent_squared
    FROM weekly JOIN sold ON sold.item_id = weekly.item_id GROUP BY weekly.item_id
), steadiness AS (
    SELECT item_id, weeks >= 8 AND busy > 0 AS is_told, weeks / nullif(busy, 0) >= 1.32 AS has_gaps,
           squared_variation >= 0.49 AS has_unlike_weeks,
           CASE WHEN recent > 0 THEN sqrt(greatest(least(weeks, 13) * recent_squared / recent^2 - 1, 0)) END
               AS variation
    FROM pattern
), forecast AS (
    SELECT series.item_id, coalesce(sum(series.days_out), 0) AS days_out,
           coalesce(sum(series.lost_units), 0) AS lost_units
    FROM forecasting_seriesforecast series JOIN run ON series.run_id = run.id
    WHERE series.tenant_id = %(tenant)s GROUP BY 1
), fresh AS (
    SELECT item.id AS item_id, item.sku, item.title, item.category, split_part(item.category, ' > ', 1) AS department,
           item.brand, coalesce(supplier.name, '') AS supplier_name, item.status,
           CASE WHEN forecast.item_id IS NOT NULL THEN 'planned' WHEN sold.last_sold_on IS NULL THEN 'unsold'
                WHEN EXISTS (SELECT FROM run) THEN 'on_request'
                WHEN sold.units / known.weeks >= coalesce(defaults.planned_units_per_week, 0.25) THEN 'planned'
                ELSE 'on_request' END AS planning,
           CASE WHEN ranked.above IS NULL THEN '' WHEN ranked.above < 0.80 THEN 'A' WHEN ranked.above < 0.95 THEN 'B'
                ELSE 'C' END AS abc,
           CASE WHEN NOT coalesce(steadiness.is_told, FALSE) THEN '' WHEN variation < 0.5 THEN 'X'
                WHEN variation < 1 THEN 'Y' ELSE 'Z' END AS xyz,
           CASE WHEN NOT coalesce(steadiness.is_told, FALSE) THEN ''
                WHEN has_gaps THEN CASE WHEN has_unlike_weeks THEN 'lumpy' ELSE 'intermittent' END
                WHEN has_unlike_weeks THEN 'erratic' ELSE 'smooth' END AS demand,
           item.price,
           cost.unit_cost,
           CASE WHEN 'unit_cost' = ANY(term.simulated) THEN 'simulated' WHEN term.unit_cost IS NOT NULL THEN 'given'
                WHEN item.unit_cost IS NOT NULL THEN item.cost_origin WHEN item.price IS NOT NULL THEN 'assumed'
                ELSE '' END AS cost_origin,
           stock.on_hand, coalesce(coming.on_order, 0) AS on_order,
           coalesce(sold.units / known.weeks, 0) AS weekly_units, coalesce(sold.units_28d, 0) AS units_28d,
           coalesce(sold.revenue_28d, 0) AS revenue_28d, sold.last_sold_on,
           {lasts},
           coalesce(advice.recommended, 0)::bigint AS recommended, coalesce(advice.money_at_risk, 0) AS money_at_risk,
           coalesce(forecast.days_out, 0) AS days_out, coalesce(forecast.lost_units, 0) AS lost_units,
           coalesce(forecast.lost_units * greatest(
               coalesce(paid.paid_price, item.price) - cost.unit_cost, 0)::float8, 0) AS lost_margin
    FROM catalog_item item
    CROSS JOIN known
    LEFT JOIN catalog_planningdefaults defaults ON defaults.tenant_id = item.tenant_id
    LEFT JOIN catalog_supplyterm term ON term.tenant_id = item.tenant_id AND term.item_id = item.id
        AND term.is_preferred
    CROSS JOIN LATERAL (SELECT coalesce(
        term.unit_cost, item.unit_cost, round(item.price * defaults.cost_share::numeric, 4)) AS unit_cost) cost
    LEFT JOIN catalog_supplier supplier ON supplier.tenant_id = item.tenant_id AND supplier.id = term.supplier_id
    LEFT JOIN sold ON sold.item_id = item.id LEFT JOIN ranked ON ranked.item_id = item.id
    LEFT JOIN steadiness ON steadiness.item_id = item.id
    LEFT JOIN forecast ON forecast.item_id = item.id LEFT JOIN advice ON advice.item_id = item.id
    LEFT JOIN stock ON stock.item_id = item.id LEFT JOIN coming ON coming.item_id = item.id
    LEFT JOIN lasting ON lasting.item_id = item.id LEFT JOIN ({paid}) paid ON paid.item_id = item.id
    WHERE item.tenant_id = %(tenant)s
)
INSERT INTO portal_itemsummary AS kept (tenant_id, item_id, {columns}, refreshed_at)
SELECT %(tenant)s, item_id, {columns}, statement_timestamp() FROM fresh
ON CONFLICT (tenant_id, item_id) DO UPDATE
SET ({columns}, refreshed_at) = ROW ({excluded}, statement_timestamp())
WHERE ({kept}) IS DISTINCT FROM ({excluded})
"""

# What somebody has just done shows at once; the rest is derived with the night.
_FOLLOW = """
WITH {standing}, fresh AS (
    SELECT known.item_id, stock.on_hand, coalesce(coming.on_order, 0) AS on_order, {lasts},
           coalesce(advice.recommended, 0) AS recommended, coalesce(advice.money_at_risk, 0) AS money_at_risk
    FROM portal_itemsummary known LEFT JOIN advice USING (item_id) LEFT JOIN stock USING (item_id)
    LEFT JOIN coming USING (item_id) LEFT JOIN lasting USING (item_id)
    WHERE known.tenant_id = %(tenant)s AND known.item_id = ANY(%(items)s)
)
UPDATE portal_itemsummary kept
SET (on_hand, on_order, days_of_cover, stockout_on, lasts_from, lasts_at, recommended, money_at_risk) =
    ROW (fresh.on_hand, fresh.on_order, fresh.days_of_cover, fresh.stockout_on, fresh.lasts_from, fresh.lasts_at,
         fresh.recommended, fresh.money_at_risk)
FROM fresh WHERE kept.tenant_id = %(tenant)s AND kept.item_id = fresh.item_id
"""


_COUNT = """
INSERT INTO portal_usage (tenant_id, items, planned_items, order_lines, stored_bytes, refreshed_at)
SELECT %(tenant)s, (SELECT count(*) FROM portal_itemsummary WHERE tenant_id = %(tenant)s),
       (SELECT count(*) FROM portal_itemsummary WHERE tenant_id = %(tenant)s AND planning = 'planned'),
       (SELECT count(*) FROM sales_saleline WHERE tenant_id = %(tenant)s AND revision = 0),
       (SELECT coalesce(sum(size), 0) FROM ingestion_importfile WHERE tenant_id = %(tenant)s), statement_timestamp()
ON CONFLICT (tenant_id) DO UPDATE SET (items, planned_items, order_lines, stored_bytes, refreshed_at) =
    ROW (excluded.items, excluded.planned_items, excluded.order_lines, excluded.stored_bytes, excluded.refreshed_at)
"""


@transaction.atomic
def count_usage() -> None:
    """Count what the tenant in scope holds; operators read it beside every other tenant's."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"tenant": current_tenant_id()})


@dataclass(frozen=True)
class Refreshed:
    """How many summaries there are, and how many of them said something else before."""

    items: int
    written: int


@transaction.atomic
def refresh_summaries(*, as_of: dt.date) -> Refreshed:
    """Derive every item's summary anew from what the apps below know on the morning of `as_of`."""
    statement = _REFRESH.format(
        standing=_standing(""), paid=PAID_PRICES,
        lasts=_LASTS.format(weekly_units="sold.units / known.weeks"), columns=", ".join(_COLUMNS),
        excluded=", ".join(f"excluded.{name}" for name in _COLUMNS),
        kept=", ".join(f"kept.{name}" for name in _COLUMNS))
    tenant = current_tenant_id()
    _lock_summaries()
    with joined_in_sets(), connection.cursor() as cursor:
        cursor.execute(statement, {
            **lasting_given(as_of), "month": as_of - dt.timedelta(days=MONTH_DAYS),
            "half_year": as_of - dt.timedelta(days=HALF_YEAR_DAYS)})
        written = cursor.rowcount
        cursor.execute("SELECT count(*) FROM portal_itemsummary WHERE tenant_id = %s", [tenant])
        row = cursor.fetchone()
    return Refreshed(items=row[0] if row else 0, written=written)


@transaction.atomic
def follow_items(item_ids: Sequence[int]) -> None:
    """Show what has just changed of some items: their stock, how long it lasts, what is on order, what is advised."""
    as_of = tenant_by_id(current_tenant_id()).today()
    _lock_summaries()
    statement = _FOLLOW.format(
        standing=_standing(" AND line.item_id = ANY(%(items)s)"),
        lasts=_LASTS.format(weekly_units="known.weekly_units"))
    with joined_in_sets(len(item_ids) >= MANY_ITEMS), connection.cursor() as cursor:
        cursor.execute(statement, {**lasting_given(as_of, item_ids), "items": list(item_ids)})


def _standing(of_some: str) -> str:
    return _STANDING.format(at_risk=AT_RISK_SQL, lasting_at=LASTING_SQL.format(of_some=of_some), of_some=of_some)


def _lock_summaries() -> None:
    """Who derives summaries sees all that another has seen before: an older picture never covers a newer one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_SUMMARIES_LOCK, current_tenant_id() % 2**31])
