"""Writing what was sold: the ledger of lines, the daily demand derived from it, and promotions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from psycopg import sql

from apps.alerts import services as alerts
from apps.alerts.selectors import open_alerts, told_of_by_resolved
from apps.catalog.selectors import items_by_id, joined_in_sets
from apps.inventory import services as inventory
from apps.sales.models import PERSON, SaleLine
from apps.sales.selectors import unusual_sales, waiting_sales
from apps.tenants.figures import exact, share, units
from apps.tenants.models import User
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import record_audit

# Where at least this share of the known days is touched, deriving all of them is faster than finding them.
REBUILD_SHARE = 0.2
MANY_ROWS = 5_000  # from here on, whole sets are joined
BLOCKS_AT_ONCE = 2_000  # of 8 kB, of a temp table that is written into the ledger

UNUSUAL_CODE = "sales.unusual"
UNUSUAL_NAMED = 3

OnProgress = Callable[[float, str], None]


def silent(_fraction: float, _note: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Recorded:
    """What became of a set of stated lines; the three add up to the lines that were given."""

    made: int
    corrected: int
    unchanged: int


class TooMuchADay(ValueError):
    """An item's sales on a day would add up to more than a day has room for.

    The message names one such day; `days` holds the item, the location and the date of all.
    """

    def __init__(self, days: Sequence[tuple[int, int, dt.date]]) -> None:
        self.days = days
        item_id, _location_id, date = days[0]
        super().__init__(_("The sales of “%(item)s” on %(day)s add up to more than can be true: check their "
                           "quantities and prices for a slipped separator.") % {
            "item": items_by_id([item_id])[item_id], "day": date_format(date, "j M Y")})


# Whoever writes a tenant's ledger writes alone: what is compared is what is corrected.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('sales.ledger'), %(tenant)s::int)"
_TRY_LOCK = _LOCK.replace("pg_advisory", "pg_try_advisory")  # where a person waits for the answer

_STATE = """
INSERT INTO sales_saleline (tenant_id, channel_id, external_line_id, revision, entry, order_id, item_id, location_id,
    customer, quantity, shelf_price, paid_price, discount, promotion, currency, occurred_at, version_at, recorded_at,
    source)
SELECT %(tenant)s, channel_id, external_line_id, 0, 1, order_id, item_id, location_id, customer, quantity, shelf_price,
       paid_price, discount, promotion, currency, occurred_at, version_at, %(now)s, source
FROM {rows} WHERE ctid >= %(from)s::tid AND ctid < %(until)s::tid
"""
_UNLESS_KNOWN = " ON CONFLICT (tenant_id, channel_id, external_line_id, revision) DO NOTHING"

# All that a statement says, in the ledger's own types, so that what is given and what is held compare.
_CONTENT = """({0}.quantity::numeric(14, 3), coalesce({0}.paid_price, -1)::numeric(14, 4),
    coalesce({0}.shelf_price, -1)::numeric(14, 4), {0}.discount::numeric(14, 4), {0}.item_id, {0}.location_id,
    {0}.occurred_at, {0}.order_id::text, {0}.currency::text, {0}.promotion::text, {0}.customer::text)"""
# What was sold, without whatever else is said of it.
_SALE = "({0}.quantity::numeric(14, 3), {0}.item_id, {0}.location_id, {0}.occurred_at)"

# What the ledger says of each given line (its last statement, its last version) beside the newest given statement.
# What a person has mended does not become news again when its source repeats it.
_COMPARE = """
CREATE TEMP TABLE sales_compared ON COMMIT DROP AS
WITH said AS (
    SELECT DISTINCT ON (channel_id, external_line_id) * FROM {rows} given
    ORDER BY channel_id, external_line_id, version_at DESC, {given_content} DESC
), last AS (
    SELECT said.channel_id, said.external_line_id, max(line.revision) AS revision,
           max(line.revision) FILTER (WHERE line.entry = 1) AS stated, max(line.version_at) AS version_at
    FROM said JOIN sales_saleline line ON line.tenant_id = %(tenant)s AND line.channel_id = said.channel_id
         AND line.external_line_id = said.external_line_id
    GROUP BY said.channel_id, said.external_line_id
)
SELECT said.*, last.revision AS last_revision, last.stated, held.occurred_at AS held_at, held.item_id AS held_item_id,
       held.location_id AS held_location_id, said.version_at > last.version_at AS is_newer,
       {said_content} = {held_content} AS is_same,
       (said.version_at, {said_content}) > (last.version_at, {held_content})
       AND NOT (held.source LIKE '{person}%%' AND said.source NOT LIKE '{person}%%' AND EXISTS (
           SELECT FROM sales_saleline mended WHERE mended.tenant_id = %(tenant)s AND mended.channel_id = said.channel_id
           AND mended.external_line_id = said.external_line_id AND mended.entry = 1
           AND mended.revision < held.revision AND {mended_sale} = {said_sale})) AS is_due
FROM said JOIN last USING (channel_id, external_line_id)
JOIN sales_saleline held ON held.tenant_id = %(tenant)s AND held.channel_id = last.channel_id
     AND held.external_line_id = last.external_line_id AND held.revision = last.stated
""".replace("{given_content}", _CONTENT.format("given")).replace("{said_content}", _CONTENT.format("said")).replace(
    "{held_content}", _CONTENT.format("held")).replace(
    "{mended_sale}", _SALE.format("mended")).replace("{said_sale}", _SALE.format("said")).replace("{person}", PERSON)

_TAKE_BACK = """
INSERT INTO sales_saleline (tenant_id, channel_id, external_line_id, revision, entry, order_id, item_id, location_id,
    customer, quantity, shelf_price, paid_price, discount, promotion, currency, occurred_at, version_at, recorded_at,
    source)
SELECT %(tenant)s, held.channel_id, held.external_line_id, due.last_revision + 1, -1, held.order_id, held.item_id,
       held.location_id, held.customer, -held.quantity, held.shelf_price, held.paid_price, -held.discount,
       held.promotion, held.currency, held.occurred_at, due.version_at, %(now)s, due.source
FROM sales_compared due JOIN sales_saleline held ON held.tenant_id = %(tenant)s AND held.channel_id = due.channel_id
     AND held.external_line_id = due.external_line_id AND held.revision = due.stated
WHERE due.is_due AND NOT due.is_same
"""

_STATE_ANEW = """
INSERT INTO sales_saleline (tenant_id, channel_id, external_line_id, revision, entry, order_id, item_id, location_id,
    customer, quantity, shelf_price, paid_price, discount, promotion, currency, occurred_at, version_at, recorded_at,
    source)
SELECT %(tenant)s, channel_id, external_line_id, last_revision + 2, 1, order_id, item_id, location_id, customer,
       quantity, shelf_price, paid_price, discount, promotion, currency, occurred_at, version_at, %(now)s, source
FROM sales_compared due WHERE due.is_due AND NOT due.is_same
"""

_WITNESS = """
INSERT INTO sales_saleline (tenant_id, channel_id, external_line_id, revision, entry, order_id, item_id, location_id,
    customer, quantity, shelf_price, paid_price, discount, promotion, currency, occurred_at, version_at, recorded_at,
    source)
SELECT %(tenant)s, channel_id, external_line_id, last_revision + 1, 0, order_id, item_id, location_id, customer,
       0, shelf_price, paid_price, 0, promotion, currency, occurred_at, version_at, %(now)s, source
FROM sales_compared due WHERE due.is_newer AND due.is_same
"""

_TOUCHED = """
CREATE TEMP TABLE sales_touched ON COMMIT DROP AS
SELECT DISTINCT item_id, location_id, (occurred_at AT TIME ZONE %(zone)s)::date AS date FROM {rows}
"""

_TOUCHED_BY_CORRECTIONS = """
INSERT INTO sales_touched
SELECT DISTINCT held_item_id, held_location_id, (held_at AT TIME ZONE %(zone)s)::date FROM sales_compared
WHERE is_due AND NOT is_same
EXCEPT SELECT item_id, location_id, date FROM sales_touched
"""


# The state of each given item, location and day; a day whose lines were all taken back is no day with demand.
_DERIVE = """
CREATE TEMP TABLE sales_derived ON COMMIT DROP AS
SELECT line.item_id, line.location_id, (line.occurred_at AT TIME ZONE %(zone)s)::date AS date,
       sum(line.quantity) AS units,
       greatest(sum(CASE WHEN line.entry * line.quantity > 0 THEN line.entry ELSE 0 END), 0) AS orders,
       sum(line.quantity * coalesce(line.paid_price, 0)) AS revenue,
       sum(line.quantity * coalesce(line.shelf_price, line.paid_price, 0)) AS shelf_value,
       sum(line.discount) AS discount
FROM {source} WHERE line.tenant_id = %(tenant)s
GROUP BY 1, 2, 3
HAVING sum(line.quantity) <> 0 OR sum(line.quantity * coalesce(line.paid_price, 0)) <> 0
    OR sum(CASE WHEN line.entry * line.quantity > 0 THEN line.entry ELSE 0 END) > 0
ORDER BY 1, 2, 3
"""

# What the columns of a day hold no more.
_BEYOND = """
SELECT item_id, location_id, date FROM sales_derived
WHERE units NOT BETWEEN -99999999999.999 AND 99999999999.999
   OR revenue NOT BETWEEN -999999999999.9999 AND 999999999999.9999
   OR shelf_value NOT BETWEEN -999999999999.9999 AND 999999999999.9999
   OR discount NOT BETWEEN -999999999999.9999 AND 999999999999.9999
ORDER BY 1, 2, 3
"""

_ALL_LINES = sql.SQL("sales_saleline line")
_TOUCHED_LINES = sql.SQL("""
(SELECT item_id, location_id, date, date::timestamp AT TIME ZONE %(zone)s AS begins_at,
        (date + 1)::timestamp AT TIME ZONE %(zone)s AS ends_at FROM sales_touched) touched
JOIN sales_saleline line ON line.tenant_id = %(tenant)s AND line.item_id = touched.item_id
     AND line.location_id = touched.location_id
     AND line.occurred_at >= touched.begins_at AND line.occurred_at < touched.ends_at
""")

_WRITE_DAYS = """
INSERT INTO sales_dailydemand AS day (tenant_id, item_id, location_id, date, units, orders, revenue, shelf_value,
                                      discount)
SELECT %(tenant)s, item_id, location_id, date, units, orders, revenue, shelf_value, discount FROM sales_derived
WHERE ctid >= %(from)s::tid AND ctid < %(until)s::tid
"""
_OVER_KNOWN_DAYS = """
ON CONFLICT (tenant_id, item_id, location_id, date) DO UPDATE SET
    units = excluded.units, orders = excluded.orders, revenue = excluded.revenue,
    shelf_value = excluded.shelf_value, discount = excluded.discount
WHERE (excluded.units, excluded.orders, excluded.revenue, excluded.shelf_value, excluded.discount)
      IS DISTINCT FROM (day.units, day.orders, day.revenue, day.shelf_value, day.discount)
"""

_DROP_ALL_OTHERS = """
WITH gone AS (
    DELETE FROM sales_dailydemand day WHERE day.tenant_id = %(tenant)s AND NOT EXISTS (
        SELECT FROM sales_derived derived WHERE derived.item_id = day.item_id
        AND derived.location_id = day.location_id AND derived.date = day.date)
    RETURNING item_id, location_id, date)
INSERT INTO sales_changed SELECT item_id, location_id, date, 0 FROM gone
"""

_DROP_TOUCHED = """
WITH gone AS (
    DELETE FROM sales_dailydemand day USING sales_touched touched
    WHERE day.tenant_id = %(tenant)s AND day.item_id = touched.item_id AND day.location_id = touched.location_id
      AND day.date = touched.date AND NOT EXISTS (
        SELECT FROM sales_derived derived WHERE derived.item_id = day.item_id
        AND derived.location_id = day.location_id AND derived.date = day.date)
    RETURNING day.item_id, day.location_id, day.date)
INSERT INTO sales_changed SELECT item_id, location_id, date, 0 FROM gone
"""

_CHANGED = """
CREATE TEMP TABLE sales_changed ON COMMIT DROP AS
SELECT item_id, location_id, date, units FROM sales_derived derived WHERE NOT EXISTS (
    SELECT FROM sales_dailydemand day WHERE day.tenant_id = %(tenant)s AND day.item_id = derived.item_id
    AND day.location_id = derived.location_id AND day.date = derived.date AND day.units = derived.units)
"""

_ALL_CHANGED = """
CREATE TEMP TABLE sales_changed ON COMMIT DROP AS SELECT item_id, location_id, date, units FROM sales_derived
"""


def _in_parts(statement: sql.Composed | str, table: str, given: dict[str, Any],
              on_part: Callable[[float], None]) -> int:
    """Carry a statement out over a temp table, some of its blocks at a time, and say how far it is.

    How many rows that touched. As fast as all at once: each part reads its own blocks alone.
    """
    touched = 0
    with connection.cursor() as cursor:
        # What was changed since it was staged stands anew at the end, and leaves empty blocks before it.
        cursor.execute(sql.SQL("SELECT (min(ctid)::text::point)[0]::int, (max(ctid)::text::point)[0]::int + 1 "
                               "FROM {table}").format(table=sql.Identifier(table)))
        begin, end = cursor.fetchone()
        for first in range(begin, end, BLOCKS_AT_ONCE) if end else ():
            on_part((first - begin) / (end - begin))
            cursor.execute(statement, {**given, "from": f"({first},0)", "until": f"({first + BLOCKS_AT_ONCE},0)"})
            touched += cursor.rowcount
    return touched


def _derive_days(*, is_whole: bool, on_progress: OnProgress = silent) -> int:
    """Bring the days in step with the ledger, and stock in step with the days; how many days changed."""
    tenant = tenant_by_id(current_tenant_id())
    given: dict[str, Any] = {"tenant": tenant.pk, "zone": tenant.time_zone}

    def writing(part: float) -> None:
        on_progress(0.4 + 0.5 * part, _("Writing the days: %(share)s") % {"share": share(part)})

    on_progress(0.0, _("Adding up the sales of each day"))
    with joined_in_sets(is_whole), connection.cursor() as cursor:
        cursor.execute(sql.SQL(_DERIVE).format(source=_ALL_LINES if is_whole else _TOUCHED_LINES), given)
        cursor.execute("ANALYZE sales_derived")
        cursor.execute(_BEYOND)
        if beyond := cursor.fetchall():
            raise TooMuchADay(beyond)
        cursor.execute("SELECT EXISTS (SELECT FROM sales_dailydemand WHERE tenant_id = %(tenant)s)", given)
        has_days = cursor.fetchone()[0]
        cursor.execute(_CHANGED if has_days else _ALL_CHANGED, given)
        statement = _WRITE_DAYS + _OVER_KNOWN_DAYS if has_days else _WRITE_DAYS
        written = _in_parts(statement, "sales_derived", given, writing)
        on_progress(0.9, _("Bringing stock in step with the sales"))
        if has_days:
            cursor.execute(_DROP_ALL_OTHERS if is_whole else _DROP_TOUCHED, given)
            written += cursor.rowcount
        cursor.execute("ANALYZE sales_changed")
        inventory.post_sales(table="sales_changed")
        cursor.execute("DROP TABLE sales_derived, sales_changed")
    return written


_SINCE_COUNTS = sql.SQL("""
CREATE TEMP TABLE sales_since_counts ON COMMIT DROP AS
SELECT day.item_id, day.location_id, day.date, day.units
FROM (SELECT item_id, location_id, min({counted_day}) AS day FROM {table} GROUP BY 1, 2) counted
JOIN sales_dailydemand day ON day.tenant_id = %(tenant)s AND day.item_id = counted.item_id
     AND day.location_id = counted.location_id AND day.date > counted.day
""")


@transaction.atomic
def set_counts(*, table: str) -> int:
    """Set stock to what was counted (`inventory.services.set_counts`), less what is sold already of the days since.

    A file of counts may come after the sales of the days that follow them. The ledger is held before any level is, as
    whoever writes sales does; how many counts were new.
    """
    tenant = tenant_by_id(current_tenant_id())
    counted_day = sql.SQL(inventory.counted_day_sql("counted_at"))
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, {"tenant": tenant.pk})
        fresh = inventory.set_counts(table=table)
        cursor.execute(_SINCE_COUNTS.format(table=sql.Identifier(table), counted_day=counted_day),
                       {"tenant": tenant.pk, "zone": tenant.time_zone})
        cursor.execute("ANALYZE sales_since_counts")
        inventory.post_sales(table="sales_since_counts")
        cursor.execute("DROP TABLE sales_since_counts")
    return fresh


@transaction.atomic
def rebuild_days() -> int:
    """Derive every day from the ledger; nothing changes where the days were in step. How many days changed."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, {"tenant": current_tenant_id()})
    return _derive_days(is_whole=True)


_LINES_SHARE = 0.6  # of the time that it takes to write lines and the days that they touch


@transaction.atomic
def record_lines(*, rows: str, keeps_versions: bool = True, is_distinct: bool = False,
                 on_progress: OnProgress = silent) -> Recorded:
    """Write stated lines from a temp table into the ledger, and derive the days that they touch.

    Columns: channel_id, external_line_id, order_id, item_id, location_id, customer, quantity, shelf_price,
    paid_price, discount, promotion, currency, occurred_at, version_at, source. A line is known by its channel and
    external id; the statement of the newest `version_at` holds (of one version, the greatest in all its figures), so
    that any order and any number of deliveries ends in the same state. With `keeps_versions` a newer version that
    says the same leaves a witness; leave it out where versions are only moments of arrival. `is_distinct` promises
    that no line comes twice, which spares a first import its search for the like. `on_progress` hears how far it is,
    from 0 to 1, and may raise: then nothing is written. Nor is where a day would hold more than can be: TooMuchADay.
    """
    tenant = tenant_by_id(current_tenant_id())
    given: dict[str, Any] = {"tenant": tenant.pk, "now": timezone.now(), "zone": tenant.time_zone}
    table = sql.Identifier(rows)

    def stating(part: float) -> None:
        on_progress(_LINES_SHARE * part, _("Writing the lines: %(share)s") % {"share": share(part)})

    def deriving(share: float, note: str) -> None:
        on_progress(_LINES_SHARE + (1 - _LINES_SHARE) * share, note)

    with connection.cursor() as cursor:
        cursor.execute(_LOCK, given)
        cursor.execute(sql.SQL("ANALYZE {rows}").format(rows=table))
        cursor.execute(sql.SQL("SELECT count(*) FROM {rows}").format(rows=table))
        total = int(cursor.fetchone()[0])
    with joined_in_sets(total >= MANY_ROWS), connection.cursor() as cursor:
        is_first = False
        if is_distinct:
            cursor.execute(sql.SQL("SELECT NOT EXISTS (SELECT FROM sales_saleline WHERE tenant_id = %(tenant)s "
                                   "AND channel_id IN (SELECT DISTINCT channel_id FROM {rows}))").format(rows=table),
                           given)
            is_first = cursor.fetchone()[0]
        statement = sql.SQL(_STATE if is_first else _STATE + _UNLESS_KNOWN).format(rows=table)
        made, corrected = _in_parts(statement, rows, given, stating), 0
        if made < total:
            on_progress(_LINES_SHARE, _("Comparing the lines with what is known of them"))
            cursor.execute(sql.SQL(_COMPARE).format(rows=table), given)
            cursor.execute(_TAKE_BACK, given)
            corrected = cursor.rowcount
            cursor.execute(_STATE_ANEW, given)
            if keeps_versions:
                cursor.execute(_WITNESS, given)
        if made or corrected:
            cursor.execute("SELECT count(*) FROM sales_dailydemand WHERE tenant_id = %(tenant)s", given)
            days = int(cursor.fetchone()[0])
            if days:
                cursor.execute(sql.SQL(_TOUCHED).format(rows=table), given)
                touched = cursor.rowcount
                if corrected:
                    cursor.execute(_TOUCHED_BY_CORRECTIONS, given)
                cursor.execute("ANALYZE sales_touched")
                _derive_days(is_whole=touched >= REBUILD_SHARE * days, on_progress=deriving)
                cursor.execute("DROP TABLE sales_touched")
            else:
                _derive_days(is_whole=True, on_progress=deriving)
        cursor.execute("DROP TABLE IF EXISTS sales_compared")
    return Recorded(made=made, corrected=corrected, unchanged=total - made - corrected)


class NotCorrected(Exception):
    """A person's word on a sale cannot be taken; the message says why, and what to do."""


_SAID_BY_A_PERSON = """
CREATE TEMP TABLE sales_said ON COMMIT DROP AS
SELECT channel_id, external_line_id, order_id, item_id, location_id, customer, %(quantity)s::numeric AS quantity,
       shelf_price, paid_price, discount, promotion, currency, occurred_at, %(now)s AS version_at,
       %(source)s::text AS source
FROM sales_saleline line WHERE tenant_id = %(tenant)s AND id = %(line)s AND entry = 1 AND NOT EXISTS (
    SELECT FROM sales_saleline later WHERE later.tenant_id = %(tenant)s AND later.channel_id = line.channel_id
    AND later.external_line_id = line.external_line_id AND later.revision > line.revision AND later.entry = -1)
"""
_MOST_SAID = """
SELECT max(stated.quantity) FROM sales_said said JOIN sales_saleline stated ON stated.tenant_id = %(tenant)s
     AND stated.channel_id = said.channel_id AND stated.external_line_id = said.external_line_id AND stated.entry = 1
"""


@transaction.atomic
def correct_quantity(*, line_id: int, quantity: Decimal, actor: User) -> int:
    """A person says how much a line sold: less than its source said, none at all, or the same, which confirms it.
    It stands against all that was said before, however often that is repeated; another quantity, item, place or moment
    that its source states later holds again. NotCorrected where the line was corrected meanwhile, where more is said
    than any source ever did, and while sales are being written. Returned is the id of its item.
    """
    given: dict[str, Any] = {
        "tenant": current_tenant_id(), "line": line_id, "quantity": quantity, "now": timezone.now(),
        "source": f"{PERSON}{actor.pk}"}
    with connection.cursor() as cursor:
        cursor.execute(_TRY_LOCK, given)
        if not cursor.fetchone()[0]:
            raise NotCorrected(_("Sales are being read in right now: try again when that is over."))
        cursor.execute(_SAID_BY_A_PERSON, given)
        if not cursor.rowcount:
            raise NotCorrected(_("This sale was corrected meanwhile."))
        cursor.execute(_MOST_SAID, given)
        most = cursor.fetchone()[0]
    if quantity > most:
        raise NotCorrected(_("Its source never said more than %(most)s were sold: write that or less.")
                           % {"most": exact(most)})
    try:
        record_lines(rows="sales_said")
    except TooMuchADay as refused:
        raise NotCorrected(str(refused)) from refused
    line = SaleLine.objects.get(pk=line_id)
    record_audit(tenant=tenant_by_id(current_tenant_id()), actor=actor, action="sale.quantity_said",
                 target=f"{line.order_id} {line.external_line_id}",
                 detail={"before": f"{line.quantity.normalize():f}", "after": f"{quantity.normalize():f}"})
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE sales_said")
    return int(line.item_id)


@transaction.atomic
def tell_unusual(*, as_of: dt.date, item_ids: Collection[int] | None = None) -> int:
    """Raise an alert while sales far out of the ordinary wait for a person's word; how many do.

    With `item_ids` only these items are looked at; of all others counts what was told of before and still waits. What
    neither the open alert nor one that a person has resolved told of is news, and makes another alert; it ends when
    nothing waits but what such a person knows.
    """
    last = open_alerts().filter(code=UNUSUAL_CODE).order_by("-pk").first()
    known = told_of_by_resolved(UNUSUAL_CODE)
    told, others = list(dict.fromkeys([*(last.told_of if last else ()), *sorted(known)])), []
    if item_ids is not None:
        waiting = waiting_sales(as_of, told)
        item_ids = {*item_ids, *(item_id for _line_id, item_id in waiting[:UNUSUAL_NAMED])}
        others = [line_id for line_id, item_id in waiting if item_id not in item_ids]
    found = unusual_sales(as_of, item_ids)
    if others and not found:
        return tell_unusual(as_of=as_of)
    lines = [sale.line_id for sale in found] + others
    if known.issuperset(lines):
        alerts.resolve_others(code=UNUSUAL_CODE, subjects=[])
        return len(lines)
    news = set(lines) - set(told)
    subject = last.subject if last and not news else str(max(news))
    alerts.raise_alert(
        code=UNUSUAL_CODE, subject=subject, severity="warning", link="/data/unusual/",
        title=ngettext("%(n)s sale is far above all others of its item",
                       "%(n)s sales are far above all others of their items", len(lines)) % {"n": units(len(lines))},
        reason=_("%(sales)s. Say whether that is right: until then it counts as demand, and moves what you buy.") % {
            "sales": "; ".join(
                _("%(quantity)s of %(item)s in order %(order)s, usually %(usual)s") % {
                    "quantity": units(sale.quantity), "item": sale.title or sale.sku, "order": sale.order_id,
                    "usual": units(sale.usual)} for sale in found[:UNUSUAL_NAMED])}, told_of=lines)
    alerts.resolve_others(code=UNUSUAL_CODE, subjects=[subject])
    return len(lines)


@dataclass(frozen=True)
class Stated:
    """What became of a set of promotions."""

    made: int
    changed: int
    unchanged: int


_PROMOTIONS = """
WITH written (is_new) AS (
INSERT INTO sales_promotion AS known (tenant_id, item_id, location_id, kind, starts_on, ends_on, share, is_known_ahead)
SELECT %(tenant)s, item_id, location_id, kind, starts_on, ends_on, share, is_known_ahead FROM {rows}
ON CONFLICT (tenant_id, item_id, location_id, kind, starts_on) DO UPDATE SET
    ends_on = excluded.ends_on, share = excluded.share, is_known_ahead = excluded.is_known_ahead
WHERE (excluded.ends_on, excluded.share, excluded.is_known_ahead)
      IS DISTINCT FROM (known.ends_on, known.share, known.is_known_ahead)
RETURNING known.xmax = 0)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written
"""


@transaction.atomic
def upsert_promotions(*, rows: str) -> Stated:
    """Make and change promotions from a temp table, one row for each item, location, kind and first day.

    Columns: item_id, location_id (NULL means everywhere), kind, starts_on, ends_on, share, is_known_ahead.
    """
    table = sql.Identifier(rows)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {rows}").format(rows=table))
        total = int(cursor.fetchone()[0])
        cursor.execute(sql.SQL(_PROMOTIONS).format(rows=table), {"tenant": current_tenant_id()})
        made, changed = cursor.fetchone()
    return Stated(made=made, changed=changed, unchanged=total - made - changed)
