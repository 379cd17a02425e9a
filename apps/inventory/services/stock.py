"""Counts and sales as movements of stock, a set at a time; a level is always the sum of its movements."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from apps.inventory.services.changes import tell_items_changed
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id


def counted_day_sql(at: str) -> str:
    """SQL for the day that a count closes, in the time zone %(zone)s.

    At midnight that is the day before, so that the day it opens still moves stock.
    """
    return f"((({at}) AT TIME ZONE %(zone)s) - interval '1 microsecond')::date"


# Each key looks its level up by itself (OFFSET 0 keeps it so), and levels change by ON CONFLICT: joins of a temporary
# table nobody has analysed were seen to loop, 30 s for 3,000 rows.
_LEVEL = """
CROSS JOIN LATERAL (
    SELECT id, on_hand, mode, counted_at FROM inventory_stocklevel
    WHERE tenant_id = %(tenant)s AND item_id = {key}.item_id AND location_id = {key}.location_id OFFSET 0) level
"""

_MAKE_LEVELS = sql.SQL("""
INSERT INTO inventory_stocklevel (tenant_id, item_id, location_id, on_hand, mode, origin, updated_at)
SELECT DISTINCT %(tenant)s::bigint, item_id, location_id, 0, 'derived', 'given', now() FROM {table}
ON CONFLICT (tenant_id, item_id, location_id) DO NOTHING
""")

_LOCK_LEVELS = sql.SQL("""
SELECT level.id FROM (SELECT DISTINCT item_id, location_id FROM {table} ORDER BY item_id, location_id) key
CROSS JOIN LATERAL (
    SELECT id FROM inventory_stocklevel
    WHERE tenant_id = %(tenant)s AND item_id = key.item_id AND location_id = key.location_id FOR UPDATE) level
""")

# A count that is stated for a day moves that day by what it says more or less than the ledger, and the next day that
# was counted by as much back: that its balance stays what its own count said is a new difference of that count.
_SET_COUNTS = sql.SQL("""
WITH told AS (
    SELECT DISTINCT ON (item_id, location_id, day) item_id, location_id, day, on_hand::numeric(20, 3) AS on_hand,
           counted_at, origin, to_char(counted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '='
               || on_hand::numeric(20, 3) AS cause
    FROM (SELECT *, ctid AS place, {counted_day} AS day FROM {table}) given
    ORDER BY item_id, location_id, day, counted_at DESC, place DESC
), fresh AS (
    SELECT told.* FROM told
    LEFT JOIN LATERAL (
        SELECT split_part(reference, '#', 1) AS cause FROM inventory_stockmovement movement
        WHERE movement.tenant_id = %(tenant)s AND movement.item_id = told.item_id
          AND movement.location_id = told.location_id AND movement.kind = 'count'
          AND movement.occurred_on = told.day ORDER BY id DESC LIMIT 1) known ON true
    WHERE known.cause IS NULL
       OR (told.cause <> known.cause AND split_part(told.cause, '=', 1) >= split_part(known.cause, '=', 1) COLLATE "C")
), later AS (
    SELECT first.item_id, first.location_id, known.day, known.cause
    FROM (SELECT item_id, location_id, min(day) AS day FROM fresh GROUP BY 1, 2) first
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (occurred_on) occurred_on AS day, split_part(reference, '#', 1) AS cause
        FROM inventory_stockmovement movement
        WHERE movement.tenant_id = %(tenant)s AND movement.item_id = first.item_id
          AND movement.location_id = first.location_id AND movement.kind = 'count'
          AND movement.occurred_on > first.day ORDER BY occurred_on, id DESC) known
), counted AS (
    SELECT DISTINCT ON (item_id, location_id, day) * FROM (
        SELECT item_id, location_id, day, cause, on_hand, counted_at, origin, true AS is_fresh FROM fresh
        UNION ALL SELECT item_id, location_id, day, cause, NULL, NULL, NULL, false FROM later) either
    ORDER BY item_id, location_id, day, is_fresh DESC
), lifted AS (
    SELECT counted.*, CASE WHEN %(limited)s AND lead(day) OVER days IS NULL
                           THEN greatest(counted.on_hand - balance.quantity, -level.on_hand)
                           ELSE counted.on_hand - balance.quantity END AS lift
    FROM counted {level}
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(quantity), 0) AS quantity FROM inventory_stockmovement movement
        WHERE movement.tenant_id = %(tenant)s AND movement.item_id = counted.item_id
          AND movement.location_id = counted.location_id AND movement.occurred_on <= counted.day) balance
    WINDOW days AS (PARTITION BY counted.item_id, counted.location_id ORDER BY day)
), due AS (
    SELECT lifted.*, coalesce(lift, 0) - coalesce(lag(lift) OVER days, 0) AS quantity
    FROM lifted WINDOW days AS (PARTITION BY item_id, location_id ORDER BY day)
), moved AS (
    INSERT INTO inventory_stockmovement
           (tenant_id, item_id, location_id, kind, occurred_on, quantity, reference, recorded_at)
    SELECT %(tenant)s, due.item_id, due.location_id, 'count', due.day, due.quantity,
           cause || CASE WHEN same > 0 THEN '#' || same ELSE '' END, clock_timestamp()
    FROM due
    CROSS JOIN LATERAL (
        SELECT count(*) AS same FROM inventory_stockmovement movement
        WHERE movement.tenant_id = %(tenant)s AND movement.item_id = due.item_id
          AND movement.location_id = due.location_id AND movement.kind = 'count'
          AND split_part(reference, '#', 1) = due.cause) known
    WHERE due.is_fresh OR due.quantity <> 0
    ORDER BY due.item_id, due.location_id, due.quantity DESC
), changed AS (
    INSERT INTO inventory_stocklevel AS level
           (tenant_id, item_id, location_id, on_hand, mode, counted_at, origin, updated_at)
    SELECT %(tenant)s, item_id, location_id, sum(quantity), 'derived', max(counted_at),
           (array_agg(origin ORDER BY counted_at DESC) FILTER (WHERE is_fresh))[1], now() FROM due
    GROUP BY item_id, location_id ORDER BY item_id, location_id
    ON CONFLICT (tenant_id, item_id, location_id) DO UPDATE
    SET on_hand = level.on_hand + excluded.on_hand, counted_at = greatest(level.counted_at, excluded.counted_at),
        origin = CASE WHEN level.counted_at > excluded.counted_at THEN level.origin ELSE excluded.origin END,
        mode = CASE WHEN %(reported)s THEN 'counted' ELSE level.mode END, updated_at = now()
)
SELECT count(*), coalesce(array_agg(DISTINCT item_id), '{{}}') FROM fresh
""")


@transaction.atomic
def set_counts(*, table: str, is_reported: bool = False) -> int:
    """Set levels to what was counted; how many counts were new.

    `table` is a temporary table with item_id, location_id, on_hand, counted_at, origin. A count says what was there at
    the end of its day, the last of a day for the day: later movements stay on top of it. Counts may come in any order:
    one of a day before others is history, and those others still hold. The same count twice is one count, another one
    of the same moment replaces it. A demo's level never falls below zero, not even by a count that comes late.
    With `is_reported`, the shop goes on to report this stock by itself: from then on, sales no longer move it.
    """
    with connection.cursor() as cursor:
        parameters = {**_scope(), "reported": is_reported}
        cursor.execute(_with(_MAKE_LEVELS, table), parameters)
        cursor.execute(_with(_LOCK_LEVELS, table), parameters)
        cursor.execute(_with(_SET_COUNTS, table, key="counted", counted_day="counted_at"), parameters)
        fresh, item_ids = cursor.fetchone()
    tell_items_changed(item_ids=item_ids)
    return int(fresh)


# A level that was never counted starts with its first movement: what was sold before is not known to have been there.
_POSTABLE = sql.SQL("""
    SELECT touched.item_id, touched.location_id, touched.date, level.on_hand,
           sum(touched.units)::numeric(20, 3) AS units
    FROM {table} touched {level}
    LEFT JOIN LATERAL (
        SELECT min(occurred_on) AS day FROM inventory_stockmovement movement
        WHERE level.counted_at IS NULL AND movement.tenant_id = %(tenant)s AND movement.item_id = touched.item_id
          AND movement.location_id = touched.location_id) first ON true
    WHERE level.mode = 'derived' AND touched.date > coalesce({counted_day}, first.day - 1)
    GROUP BY 1, 2, 3, 4
""")

_DAYS = sql.SQL("SELECT DISTINCT date FROM ({postable}) postable ORDER BY date")

_POST_SALES = sql.SQL("""
WITH due AS (
    SELECT postable.*, known.served, known.wanted, known.postings, units - known.wanted AS more
    FROM ({postable}) postable
    CROSS JOIN LATERAL (
        SELECT coalesce(-sum(quantity), 0) AS served, coalesce(sum(coalesce(wanted, -quantity)), 0) AS wanted,
               count(*) AS postings
        FROM inventory_stockmovement movement
        WHERE movement.tenant_id = %(tenant)s AND movement.item_id = postable.item_id
          AND movement.location_id = postable.location_id AND movement.kind = 'sale'
          AND movement.occurred_on = postable.date) known
    WHERE units <> known.wanted AND (%(day)s::date IS NULL OR postable.date = %(day)s)
), moved AS (
    INSERT INTO inventory_stockmovement
           (tenant_id, item_id, location_id, kind, occurred_on, quantity, wanted, reference, recorded_at)
    SELECT %(tenant)s, item_id, location_id, 'sale', date,
           CASE WHEN NOT %(limited)s THEN -more
                WHEN more > 0 THEN -least(more, greatest(on_hand, 0))
                ELSE served - least(served, units) END,
           CASE WHEN %(limited)s THEN more END,
           date || CASE WHEN postings > 0 THEN '#' || postings ELSE '' END, clock_timestamp()
    FROM due ORDER BY item_id, location_id, date
    RETURNING item_id, location_id, quantity
), changed AS (
    INSERT INTO inventory_stocklevel AS level (tenant_id, item_id, location_id, on_hand, mode, origin, updated_at)
    SELECT %(tenant)s, item_id, location_id, sum(quantity), 'derived', 'given', now() FROM moved
    GROUP BY item_id, location_id ORDER BY item_id, location_id
    ON CONFLICT (tenant_id, item_id, location_id) DO UPDATE
    SET on_hand = level.on_hand + excluded.on_hand, updated_at = now()
)
SELECT count(*), coalesce(array_agg(DISTINCT item_id), '{{}}') FROM moved
""")


@transaction.atomic
def post_sales(*, table: str) -> int:
    """Move stock by what was sold on the days that were touched; how many movements that took.

    `table` is a temporary table with item_id, location_id, date and units: all that was sold on that day, 0 where
    nothing is left of it. Only levels derived from sales move, and only by days after their last count. A day that was
    posted before moves by the difference. In a demo, recorded sales are demand: what stock cannot serve is lost, kept
    as `wanted`, and stock never falls below zero, so there days are served one after another.
    """
    parameters: dict[str, Any] = {**_scope(), "day": None}
    with connection.cursor() as cursor:
        cursor.execute(_with(_LOCK_LEVELS, table), parameters)
        postable = _with(_POSTABLE, table, key="touched", counted_day="level.counted_at")
        days: list[dt.date | None] = [None]
        if parameters["limited"]:
            cursor.execute(_DAYS.format(postable=postable), parameters)
            days = [day for (day,) in cursor.fetchall()]
        posted, item_ids = 0, set[int]()
        for day in days:
            cursor.execute(_POST_SALES.format(postable=postable), {**parameters, "day": day})
            moved, of_items = cursor.fetchone()
            posted += moved
            item_ids.update(of_items)
    tell_items_changed(item_ids=item_ids)
    return posted


def _scope() -> dict[str, Any]:
    tenant = tenant_by_id(current_tenant_id())
    return {"tenant": tenant.pk, "zone": tenant.time_zone, "limited": tenant.is_demo}


def _with(query: sql.SQL, table: str, key: str = "", counted_day: str = "") -> sql.Composed:
    return query.format(
        table=sql.Identifier(table),
        level=sql.SQL(_LEVEL.format(key=key)),
        counted_day=sql.SQL(counted_day_sql(counted_day)),
    )
