"""Demand as the ledger tells it: frames for the engines, days and weeks for pages, gaps told apart from zeros."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Max, Min, QuerySet, Sum

from apps.catalog.selectors import planning_defaults
from apps.sales.models import DailyDemand, Promotion, SaleLine
from apps.tenants.scope import current_tenant_id

if TYPE_CHECKING:
    import pandas as pd

PLANNED_WEEKS = 26


@dataclass(frozen=True)
class DemandFrames:
    """What a forecast on the morning of `as_of` may know, in the engine's columns.

    history: unique_id (`item/location`), ds, y (units, never below zero), available (0 on a gap day, else 1); days
    without a row between a series' start and the last day are zeros. static: unique_id, category, department, brand,
    price, start. covariates: unique_id, ds and one column of shares for each kind of promotion; those in `known_ahead`
    reach past `as_of`.
    """

    history: pd.DataFrame
    static: pd.DataFrame
    covariates: pd.DataFrame
    known_ahead: list[str]


def _read(query: str, parameters: dict[str, Any]) -> pd.DataFrame:
    """A query's rows as a frame, by COPY: no Python object is made for a row."""
    import io  # noqa: PLC0415 - only workers read frames; the web process loads no numeric library

    from pyarrow import csv  # noqa: PLC0415

    found = io.BytesIO()
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)",
                                                    parameters) as copy:
        for part in copy:
            found.write(part)
    found.seek(0)
    options = csv.ConvertOptions(strings_can_be_null=False, column_types={"unique_id": "string", "category": "string",
                                                                          "department": "string", "brand": "string"})
    frame: pd.DataFrame = csv.read_csv(found, convert_options=options).to_pandas(date_as_object=False)
    return frame


# Items of these series are planned: sold at least so much a week over the last weeks, or since the shop's first day.
_PLANNED = """
SELECT demand.item_id, demand.location_id, min(demand.first_on) AS first_on, sum(demand.units) AS units,
       sum(demand.shelf_value) AS shelf_value
FROM (SELECT item_id, location_id, min(date) AS first_on,
             sum(units) FILTER (WHERE date >= %(since)s) AS units,
             sum(shelf_value) FILTER (WHERE date >= %(since)s) AS shelf_value
      FROM sales_dailydemand WHERE tenant_id = %(tenant)s AND date < %(as_of)s GROUP BY 1, 2) demand
JOIN catalog_item item ON item.tenant_id = %(tenant)s AND item.id = demand.item_id AND item.status = 'active'
WHERE demand.units >= %(threshold)s
GROUP BY 1, 2
"""

_STATIC = f"""
SELECT planned.item_id || '/' || planned.location_id AS unique_id,
       coalesce(nullif(split_part(item.category, ' > ', 2), ''), item.category) AS category,
       split_part(item.category, ' > ', 1) AS department, item.brand,
       coalesce((planned.shelf_value / nullif(planned.units, 0))::float8, item.price::float8, 0) AS price,
       planned.first_on AS start
FROM ({_PLANNED}) planned JOIN catalog_item item ON item.tenant_id = %(tenant)s AND item.id = planned.item_id
ORDER BY planned.item_id, planned.location_id
"""  # noqa: S608 - composed of constants

_HISTORY = f"""
SELECT demand.item_id || '/' || demand.location_id AS unique_id, demand.date AS ds,
       greatest(demand.units, 0)::float8 AS y
FROM sales_dailydemand demand
JOIN ({_PLANNED}) planned ON planned.item_id = demand.item_id AND planned.location_id = demand.location_id
WHERE demand.tenant_id = %(tenant)s AND demand.date < %(as_of)s
"""  # noqa: S608 - composed of constants

_PROMOTIONS = f"""
SELECT planned.item_id || '/' || planned.location_id AS unique_id, day::date AS ds, promotion.kind,
       max(promotion.share) AS share
FROM sales_promotion promotion
JOIN ({_PLANNED}) planned ON planned.item_id = promotion.item_id
     AND (promotion.location_id IS NULL OR promotion.location_id = planned.location_id)
CROSS JOIN LATERAL generate_series(promotion.starts_on, promotion.ends_on, '1 day') AS day
WHERE promotion.tenant_id = %(tenant)s AND (promotion.is_known_ahead OR day < %(as_of)s)
GROUP BY 1, 2, 3
"""  # noqa: S608 - composed of constants


def demand_frame(as_of: dt.date) -> DemandFrames:
    """The planned series and everything known of them through the day before `as_of`."""
    import numpy as np  # noqa: PLC0415 - see _read
    import pandas as pd  # noqa: PLC0415

    first_on, _ = history_range()
    since = max(as_of - dt.timedelta(weeks=PLANNED_WEEKS), first_on or as_of)
    weeks = max((as_of - since).days, 7) / 7
    parameters = {"tenant": current_tenant_id(), "as_of": as_of, "since": since,
                  "threshold": planning_defaults().planned_units_per_week * weeks}
    static = _read(_STATIC, parameters)
    history = _read(_HISTORY, parameters)
    for frame, column in ((static, "start"), (history, "ds")):
        frame[column] = pd.to_datetime(frame[column])
    history["available"] = np.float32(1)
    gaps = gap_days(as_of)
    if gaps and len(static):
        # A day on which the whole shop has no line says nothing of any item: it is missing, never a zero.
        missing = pd.MultiIndex.from_product([static["unique_id"], pd.to_datetime(gaps)], names=["unique_id", "ds"])
        blank = pd.DataFrame({"y": 0.0, "available": np.float32(0)}, index=missing).reset_index()
        history = pd.concat([history, blank], ignore_index=True)
    promotions = _read(_PROMOTIONS, parameters)
    promotions["ds"] = pd.to_datetime(promotions["ds"])
    wide = (promotions.pivot_table(index=["unique_id", "ds"], columns="kind", values="share", fill_value=0.0)
            .rename_axis(columns=None).reset_index() if len(promotions)
            else pd.DataFrame({"unique_id": pd.Series(dtype=str), "ds": pd.Series(dtype="datetime64[ns]")}))
    known = set(Promotion.objects.filter(is_known_ahead=True).values_list("kind", flat=True).distinct())
    return DemandFrames(history, static, wide, sorted(known & set(wide.columns)))


_GAPS = """
WITH days AS (
    SELECT day::date AS date, EXISTS (SELECT FROM sales_dailydemand demand WHERE demand.tenant_id = %(tenant)s
                                      AND demand.date = day::date) AS is_there
    FROM generate_series(%(first)s::date, %(last)s::date, '1 day') AS day
), usual AS (
    SELECT extract(isodow FROM date) AS weekday, avg(is_there::int) AS share FROM days GROUP BY 1
)
SELECT date FROM days JOIN usual ON weekday = extract(isodow FROM date)
WHERE NOT is_there AND (share >= 0.5 OR date > %(end)s) ORDER BY date
"""


def gap_days(as_of: dt.date) -> list[dt.date]:
    """Days without a single line in the whole shop, before `as_of`, on weekdays that usually have some.

    They are missing, not zero: the shop was closed, or its sales did not come in.
    """
    first, last = history_range()
    if first is None or last is None or as_of <= first:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_GAPS, {"tenant": current_tenant_id(), "first": first, "end": last,
                               "last": as_of - dt.timedelta(days=1)})
        return [date for (date,) in cursor.fetchall()]


def history_range() -> tuple[dt.date | None, dt.date | None]:
    """The first and the last day with demand; None before the first line."""
    found = DailyDemand.objects.aggregate(first=Min("date"), last=Max("date"))
    return found["first"], found["last"]


def item_days(item_id: int, *, since: dt.date, until: dt.date) -> QuerySet[DailyDemand, dict[str, Any]]:
    """An item's days with sales, all locations together: date, units, revenue, discount."""
    found: QuerySet[DailyDemand, dict[str, Any]] = (
        DailyDemand.objects.filter(item_id=item_id, date__range=(since, until)).order_by("date").values("date")
        .annotate(units=Sum("units"), revenue=Sum("revenue"), discount=Sum("discount")))
    return found


def item_promotions(item_id: int, *, since: dt.date, until: dt.date) -> QuerySet[Promotion]:
    """Promotions of an item that touch a stretch of days."""
    return Promotion.objects.filter(item_id=item_id, starts_on__lte=until, ends_on__gte=since).order_by("starts_on")


def lines() -> QuerySet[SaleLine]:
    """The ledger, newest first."""
    return SaleLine.objects.order_by("-id")
