"""How each kind of file becomes facts: staged by batches in a temp table, judged as a whole, then written in sets."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import connection, transaction
from django.utils.translation import gettext as _

from apps.catalog import selectors as catalog
from apps.catalog.services import upsert_items, upsert_terms
from apps.ingestion.adapters import columns, facts
from apps.ingestion.adapters.dialects import FileRefused
from apps.ingestion.adapters.orders import Known, OrderReader, Settings
from apps.ingestion.models import ImportFile
from apps.ingestion.selectors import is_connected
from apps.ingestion.services.applying import (
    Places,
    Reading,
    copy_in,
    drop_stopped,
    flag_rows,
    judged_batches,
    refuse,
    stop_rows,
)
from apps.ingestion.services.settling import settle_staged
from apps.ingestion.services.staging import (
    STAGED_LINES,
    TWO_TITLES,
    fill_gaps,
    find_by_title,
    make_items,
    pseudonym_key,
    run,
)
from apps.inventory.services import counted_day_sql
from apps.sales import selectors as sales
from apps.sales.services import Recorded, TooMuchADay, record_lines, set_counts, upsert_promotions
from apps.tenants.scope import current_tenant_id


def read_kind(reading: Reading) -> None:
    """Read a file of whatever kind it is."""
    {
        "orders": read_orders,
        "items": read_items,
        "stock": read_stock,
        "suppliers": read_suppliers,
        "promotions": read_promotions,
    }[reading.file.kind](reading)


def known_items(reading: Reading) -> Known:
    names = catalog.item_names(reading.file.channel, is_judged=reading.file.kind == "orders")
    return Known(
        names=pa.array([name for name, _id, _rule in names], pa.string()),
        ids=pa.array([item_id for _name, item_id, _rule in names], pa.int64()),
        rules=pa.array([rule for _name, _id, rule in names], pa.string()),
    )


def makes_items(reading: Reading) -> bool:
    return str(reading.file.options.get("unknown_items", "make")) == "make"


def origin(reading: Reading) -> str:
    return str(reading.file.options.get("origin", "given"))


def first_came_at(reading: Reading) -> Any:
    """When these bytes came for the first time: the version of all that they state without one of its own."""
    return (
        ImportFile.objects.filter(sha256=reading.file.sha256, kind=reading.file.kind)
        .order_by("created_at")
        .values_list("created_at", flat=True)[0]
    )


# --- Order lines --------------------------------------------------------------------------------------------------


# A shop system writes an order's own facts on its first row: an order with several such rows was exported as often.
_SAME_ORDER = """
CREATE TEMP TABLE ingestion_same ON COMMIT DROP AS
WITH exported AS (
    SELECT *, sum(is_head::int) OVER (PARTITION BY channel_id, order_id ORDER BY row_number) AS block
    FROM ingestion_lines WHERE (channel_id, order_id) IN (
        SELECT channel_id, order_id FROM ingestion_lines WHERE is_head GROUP BY 1, 2 HAVING count(*) > 1))
SELECT row_number, order_id AS value, EXISTS (
    SELECT FROM exported first WHERE first.block <= 1 AND first.channel_id = again.channel_id
    AND first.order_id = again.order_id AND first.sku = again.sku AND first.quantity = again.quantity
    AND (first.shelf_price, first.paid_price, first.discount, first.occurred_at)
        IS NOT DISTINCT FROM (again.shelf_price, again.paid_price, again.discount, again.occurred_at)) AS is_same
FROM exported again WHERE block > 1
"""

# Lines without an id of their own are told apart by their place among the order's lines of the same item. Stopped
# lines count too, so that a mended one keeps its place.
_COUNT_SAME = """
CREATE TEMP TABLE ingestion_places ON COMMIT DROP AS
WITH named AS (
    SELECT row_number, order_id, sku || '#1' AS line_ref FROM ingestion_lines WHERE NOT has_line_id
    UNION ALL SELECT row_number, order_id, line_ref FROM ingestion_refused WHERE line_ref IS NOT NULL
), many AS (SELECT order_id, line_ref FROM named GROUP BY 1, 2 HAVING count(*) > 1)
SELECT * FROM (SELECT row_number, row_number() OVER (PARTITION BY order_id, line_ref ORDER BY row_number) AS n
               FROM named JOIN many USING (order_id, line_ref)) placed WHERE n > 1
"""
_PLACE_LINES = """
UPDATE ingestion_lines line SET external_line_id = left(line.external_line_id, -1) || place.n
FROM ingestion_places place WHERE place.row_number = line.row_number
"""
_PLACE_REFUSED = """
UPDATE ingestion_refused refused SET line_ref = left(refused.line_ref, -1) || place.n
FROM ingestion_places place WHERE place.row_number = refused.row_number
"""

_SAME_LINE = """
CREATE TEMP TABLE ingestion_same ON COMMIT DROP AS
SELECT row_number, external_line_id, first_value((quantity, paid_price, shelf_price, discount, sku, location_id,
    occurred_at, order_id, currency, customer)) OVER same = (quantity, paid_price, shelf_price, discount, sku,
    location_id, occurred_at, order_id, currency, customer) AS is_same, row_number() OVER same AS n
FROM ingestion_lines WHERE (channel_id, external_line_id) IN (
    SELECT channel_id, external_line_id FROM ingestion_lines WHERE has_line_id GROUP BY 1, 2 HAVING count(*) > 1)
WINDOW same AS (PARTITION BY channel_id, external_line_id ORDER BY row_number)
"""

_UNKNOWN_VOID = f"SELECT row_number, status FROM ingestion_lines line WHERE void = %(rule)s AND NOT {sales.IS_KNOWN}"

# What a shop says live is newer than its export, whenever that is imported.
_YIELD_TO_LIVE = f"UPDATE ingestion_lines line SET version_at = line.occurred_at WHERE {sales.IS_LIVE}"


# What an item usually sells in one line, for items with a line that might be in another unit or out of the ordinary.
_USUAL = f"""
CREATE TEMP TABLE ingestion_usual ON COMMIT DROP AS
SELECT item_id, count(*) AS lines, percentile_disc(0.5) WITHIN GROUP (ORDER BY quantity) AS quantity,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY shelf_price) AS price
FROM (
    SELECT item_id, quantity, shelf_price FROM ingestion_lines
    WHERE quantity > 0 AND item_id IN (SELECT item_id FROM ingestion_lines WHERE quantity >= 20)
    UNION ALL
    SELECT wanted.item_id, recent.quantity, recent.shelf_price
    FROM (SELECT DISTINCT item_id FROM ingestion_lines WHERE quantity >= 20) wanted
    CROSS JOIN LATERAL ({sales.RECENT_LINES}) recent) seen
GROUP BY item_id HAVING count(*) >= 5
"""

_OTHER_UNITS = """
SELECT line.row_number, line.quantity::text FROM ingestion_lines line JOIN ingestion_usual usual USING (item_id)
WHERE line.quantity >= 100 AND line.quantity >= 100 * usual.quantity AND line.shelf_price < usual.price / 20
"""

_OF_DAYS = """
SELECT row_number, trim_scale(quantity)::text FROM ingestion_lines line
WHERE (item_id, location_id, (occurred_at AT TIME ZONE %(zone)s)::date) IN (
    SELECT * FROM unnest(%(items)s::bigint[], %(locations)s::bigint[], %(dates)s::date[]))
"""

_OUTLIERS = """
SELECT line.row_number FROM ingestion_lines line JOIN ingestion_usual usual USING (item_id)
WHERE line.quantity >= 20 AND line.quantity > 10 * usual.quantity
"""

# Lines without a SKU that an item was found for: it goes by their title, as a title or in a SKU's place.
_BY_TITLE = "SELECT row_number FROM ingestion_lines WHERE NOT has_sku AND item_id IS NOT NULL"


def order_settings(reading: Reading) -> Settings:
    file, tenant = reading.file, reading.tenant
    known = columns.format_of(file.dialect["header"], "orders")
    return Settings(
        numbers=file.options["numbers"],
        dates=file.options["dates"],
        zone=tenant.time_zone,
        currency=tenant.currency,
        latest=reading.latest(),
        pseudonym_key=pseudonym_key(tenant.pk),
        makes_items=makes_items(reading),
        refund_nets_out=known is not None,
        title_rules=[(kind.rule, re.sub(r"\\[mM]", r"\\b", kind.title)) for kind in catalog.NOT_GOODS if kind.title],
        first_of_group=known.fill_down if known else (),
    )


def read_orders(reading: Reading) -> None:
    file = reading.file
    run(STAGED_LINES)
    reader = OrderReader(reading.positions, order_settings(reading), known_items(reading))
    places = Places(reading)
    version = pa.scalar(first_came_at(reading), pa.timestamp("us", "UTC"))
    reading.lap("begin")
    for batch, judged in judged_batches(reading, reader.read):
        reading.lap("read")
        reading.flagged.update(judged.flagged)
        refuse(reading, batch, judged.issues)
        lines = judged.good
        count = len(lines["row_number"])
        if count:
            updated_at = lines.pop("updated_at")
            line_id, sku = lines.pop("line_id"), lines["sku"]
            own = pc.binary_join_element_wise(lines["order_id"], line_id, "/")
            by_sku = pc.binary_join_element_wise(lines["order_id"], pc.binary_join_element_wise(sku, "1", "#"), "/")
            location, channel = lines.pop("location"), lines.pop("channel")
            copy_in(
                "ingestion_lines",
                {
                    **lines,
                    "external_line_id": pc.coalesce(own, by_sku),
                    "has_line_id": pc.is_valid(line_id),
                    "channel_id": places.channel_ids(channel),
                    "location_id": places.location_ids(location),
                    "version_at": pc.coalesce(updated_at, version),
                    "source": pa.repeat(pa.scalar(f"file {file.pk}"), count),
                },
            )
        reading.lap("copy")
    tenant = {"tenant": current_tenant_id()}
    reading.on_progress(0.5, _("Looking at the lines as a whole"))
    with catalog.joined_in_sets():
        judge_lines(reading, tenant)
    reading.lap("judge")
    if "updated_at" not in reading.positions and is_connected(file.channel_id):
        run(_YIELD_TO_LIVE, tenant)
    recorded = record(reading, tenant)
    reading.applied, reading.known = recorded.made + recorded.corrected, recorded.unchanged
    run("DROP TABLE ingestion_lines")
    reading.lap("record")


def judge_lines(reading: Reading, tenant: dict[str, Any]) -> None:
    """What only a look at all lines shows: the same line twice, new items, quantities in other units."""
    run("ANALYZE ingestion_lines")
    known = columns.format_of(reading.file.dialect["header"], "orders")
    if known is not None and known.fill_down:
        run(_SAME_ORDER)
        again = "SELECT row_number, value FROM ingestion_same WHERE "
        stopped = stop_rows("repeated", "order_id", again + "is_same")
        stopped += stop_rows("twice", "order_id", again + "NOT is_same")
        run("DROP TABLE ingestion_same")
        if stopped:
            drop_stopped(reading)
    reading.on_progress(0.51, _("Looking for lines that come twice"))
    has_line_ids = "line_id" in reading.file.mapping
    if run(_COUNT_SAME):
        reading.flagged["repeated_line"] += run(_PLACE_LINES)
        run(_PLACE_REFUSED)
    run("DROP TABLE ingestion_places")
    if has_line_ids:
        run(_SAME_LINE)
        twice = "SELECT row_number, external_line_id FROM ingestion_same WHERE n > 1 AND "
        stopped = stop_rows("repeated", "line_id", twice + "is_same")
        stopped += stop_rows("line_twice", "line_id", twice + "NOT is_same")
        run("DROP TABLE ingestion_same")
        if stopped:
            drop_stopped(reading)
    voided = sum(
        stop_rows(rule, "status", _UNKNOWN_VOID, {**tenant, "rule": rule}) for rule in ("cancelled", "refunded")
    )
    if voided:
        drop_stopped(reading)
    find_lines(reading)
    reading.on_progress(0.54, _("Looking for quantities in other units"))
    run(_USUAL, tenant)
    if stop_rows("other_units", "quantity", _OTHER_UNITS):
        drop_stopped(reading)
    flag_rows("outlier", _OUTLIERS)
    run("DROP TABLE ingestion_usual")


def record(reading: Reading, tenant: dict[str, Any]) -> Recorded:
    """Write the lines into the ledger, without those that make a day, with what is known of it, more than can be true.

    Each of these may be true by itself; lines that are known already stay so.
    """
    file = reading.file
    while True:
        try:
            with transaction.atomic():
                fill_gaps()
                settle_staged(file)
                run(
                    "UPDATE ingestion_lines SET external_line_id = left(order_id, 60) || '/' || md5(external_line_id) "
                    "WHERE length(external_line_id) > 110"
                )
                return record_lines(
                    rows="ingestion_lines",
                    keeps_versions="updated_at" in file.mapping,
                    is_distinct=True,
                    on_progress=lambda share, note: reading.on_progress(0.55 + 0.45 * share, note),
                )
        except TooMuchADay as refused:
            items, locations, dates = map(list, zip(*refused.days, strict=True))
            given = {**tenant, "zone": reading.tenant.time_zone, "items": items, "locations": locations, "dates": dates}
            if not any(
                stop_rows("too_large", "quantity", _OF_DAYS + which, given)
                for which in (f" AND NOT {sales.IS_KNOWN}", "")
            ):
                raise FileRefused(str(refused)) from refused  # a line moves from a day that only it made possible
            drop_stopped(reading)


def find_lines(reading: Reading) -> None:
    """Find the items of all lines, or make them: by sku, then, of lines without one, by the title."""
    file = reading.file
    of_items = {"channel": file.channel, "table": "ingestion_lines", "origin": origin(reading)}
    if makes_items(reading):
        reading.flagged["new_item"] += make_items(**of_items, of="has_sku")
    find_by_title()
    # A shop that keeps no skus sells by title; elsewhere, a gap among skus is an oversight.
    goes_by_title = "sku" not in file.mapping or columns.format_of(file.dialect["header"], "orders") is not None
    stopped = stop_rows("two_titles", "title", TWO_TITLES)
    if not makes_items(reading) or not goes_by_title:
        stopped += stop_rows(
            "no_sku" if makes_items(reading) else "unknown_sku",
            "sku",
            "SELECT row_number, title FROM ingestion_lines WHERE item_id IS NULL AND NOT has_sku "
            "AND row_number NOT IN (SELECT row_number FROM ingestion_refused)",
        )
    if stopped:
        drop_stopped(reading)
    run("DROP TABLE ingestion_titles")
    flag_rows("by_title", _BY_TITLE)
    reading.flagged["new_item"] += make_items(**of_items)


# --- Everything else ----------------------------------------------------------------------------------------------

_STAGES = {
    "items": "sku text, has_sku boolean, title text, category text, brand text, unit_of_measure text, "
    "unit_cost numeric(14, 4), price numeric(14, 4), status text",
    "stock": "sku text, location text, location_id bigint, on_hand numeric(14, 3), counted_at timestamptz",
    "suppliers": "supplier text, sku text, lead_time_days float8, lead_time_spread_days float8, moq float8, "
    "pack_size float8, unit_cost numeric(14, 4), minimum_order_value numeric(14, 2), "
    "review_period_days float8, currency text",
    "promotions": "sku text, location text, location_id bigint, kind text, starts_on date, ends_on date, share float8, "
    "known_ahead boolean",
}
_KEYS = {
    "items": "sku",
    "stock": "sku, coalesce(location, ''), coalesce(counted_at, 'infinity')",
    "suppliers": "supplier, coalesce(sku, '')",
    "promotions": "sku, coalesce(location, ''), kind, starts_on",
}
_STAGE = "CREATE TEMP TABLE ingestion_rows (row_number int NOT NULL, item_id bigint, {columns}) ON COMMIT DROP"

_SAME_ROW = """
CREATE TEMP TABLE ingestion_same ON COMMIT DROP AS
SELECT row_number, {value} AS value, row_number() OVER same AS n,
       first_value(to_jsonb(staged) - 'row_number') OVER same = to_jsonb(staged) - 'row_number' AS is_same
FROM ingestion_rows staged WHERE ({keys}) IN (SELECT {keys} FROM ingestion_rows GROUP BY {keys} HAVING count(*) > 1)
WINDOW same AS (PARTITION BY {keys} ORDER BY row_number)
"""


def stage(reading: Reading) -> int:
    """Put a file's good rows into ingestion_rows, without those that come twice; how many there are."""
    kind = reading.file.kind
    run(_STAGE.format(columns=_STAGES[kind]))
    reader = facts.FactReader(
        reading.positions,
        facts.Reading(
            kind=kind,
            numbers=reading.file.options["numbers"],
            dates=reading.file.options["dates"],
            zone=reading.tenant.time_zone,
            latest=reading.latest(),
            format=reading.file.dialect.get("format", ""),
        ),
    )
    places = Places(reading) if kind in ("stock", "promotions") else None
    known = known_items(reading) if kind != "items" else None
    for batch, judged in judged_batches(reading, reader.read):
        refuse(reading, batch, judged.issues)
        rows = judged.good
        if len(rows["row_number"]):
            if known is not None:
                rows["item_id"] = known.ids.take(pc.index_in(rows["sku"], value_set=known.names))
            if places is not None:
                ids = places.location_ids(rows["location"])
                if kind == "promotions":  # without a location, a promotion holds everywhere
                    ids = pc.if_else(pc.is_null(rows["location"]), pa.scalar(None, pa.int64()), ids)
                rows["location_id"] = ids
            copy_in("ingestion_rows", rows)
    reading.lap("read")
    reading.on_progress(0.5, _("Looking at the rows as a whole"))
    run("ANALYZE ingestion_rows")
    keys = _KEYS[kind]
    run(_SAME_ROW.format(value="supplier" if kind == "suppliers" else "sku", keys=keys))
    twice = "SELECT row_number, value FROM ingestion_same WHERE n > 1 AND "
    stopped = stop_rows("repeated", "", twice + "is_same")
    stopped += stop_rows("counted_twice" if kind == "stock" else "twice", "", twice + "NOT is_same")
    run("DROP TABLE ingestion_same")
    if kind == "suppliers":
        stopped += stop_rows(
            "foreign_terms",
            "currency",
            "SELECT row_number, currency AS value FROM ingestion_rows "
            "WHERE (unit_cost IS NOT NULL OR minimum_order_value IS NOT NULL) "
            f"AND upper(currency) <> '{reading.tenant.currency}'",
        )
    if stopped:
        drop_stopped(reading)
    if kind != "items":
        with catalog.joined_in_sets():
            _find_or_make(reading)
    settle_staged(reading.file)
    reading.lap("judge")
    reading.on_progress(0.6, _("Writing"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ingestion_rows")
        return int(cursor.fetchone()[0])


def _find_or_make(reading: Reading) -> None:
    """Unknown items are made, or their rows set aside, as the file's options say."""
    if not makes_items(reading):
        if stop_rows(
            "unknown_sku", "sku", "SELECT row_number, sku FROM ingestion_rows WHERE item_id IS NULL AND sku IS NOT NULL"
        ):
            drop_stopped(reading)
        return
    reading.flagged["new_item"] += make_items(
        channel=reading.file.channel, table="ingestion_rows", origin=origin(reading)
    )


def read_items(reading: Reading) -> None:
    stage(reading)
    run("ALTER TABLE ingestion_rows ADD value text")
    run("UPDATE ingestion_rows SET value = sku")
    upserted = upsert_items(channel=reading.file.channel, rows="ingestion_rows", origin=origin(reading))
    reading.applied, reading.known = upserted.made + upserted.changed, upserted.unchanged
    run("DROP TABLE ingestion_rows")
    reading.lap("write")


# Counts of several shelves that are one here add up, each by its last count by then, from the day on which all were
# counted. Within a day the last count of a shelf is the day's.
_COUNTS = """
CREATE TEMP TABLE ingestion_counts ON COMMIT DROP AS
WITH shelves AS (
    SELECT DISTINCT ON (item_id, location_id, sku, location, day) * FROM (
        SELECT item_id, location_id, sku, coalesce(location, '') AS location, on_hand, at, {day} AS day, row_number
        FROM (SELECT *, least(counted_at, %(came)s) AS at FROM ingestion_rows) staged) dated
    ORDER BY item_id, location_id, sku, location, day, at DESC, row_number DESC
), changes AS (
    SELECT *, on_hand - lag(on_hand, 1, 0::numeric) OVER shelf AS change, min(day) OVER shelf AS first_day
    FROM shelves WINDOW shelf AS (PARTITION BY item_id, location_id, sku, location ORDER BY day)
), days AS (
    SELECT item_id, location_id, day, sum(change) AS change, max(at) AS counted_at, max(first_day) AS first_day
    FROM changes GROUP BY item_id, location_id, day
), sums AS (
    SELECT item_id, location_id, day, sum(change) OVER (PARTITION BY item_id, location_id ORDER BY day) AS on_hand,
           counted_at, max(first_day) OVER (PARTITION BY item_id, location_id) AS complete_from
    FROM days
)
SELECT item_id, location_id, on_hand, counted_at, %(origin)s::text AS origin FROM sums WHERE day >= complete_from
"""


def read_stock(reading: Reading) -> None:
    rows = stage(reading)
    days = run(
        _COUNTS.format(day=counted_day_sql("at")),
        {"came": first_came_at(reading), "origin": origin(reading), "zone": reading.tenant.time_zone},
    )
    with catalog.joined_in_sets():
        fresh = set_counts(table="ingestion_counts")
    reading.known = days - fresh if fresh else rows
    reading.applied = rows - reading.known
    run("DROP TABLE ingestion_rows, ingestion_counts")
    reading.lap("write")


def read_suppliers(reading: Reading) -> None:
    stage(reading)
    run("ALTER TABLE ingestion_rows ALTER moq TYPE int, ALTER pack_size TYPE int, ALTER review_period_days TYPE int")
    upserted = upsert_terms(rows="ingestion_rows", origin=origin(reading))
    reading.applied, reading.known = upserted.made + upserted.changed, upserted.unchanged
    run("DROP TABLE ingestion_rows")
    reading.lap("write")


def read_promotions(reading: Reading) -> None:
    stage(reading)
    run("ALTER TABLE ingestion_rows RENAME known_ahead TO is_known_ahead")
    stated = upsert_promotions(rows="ingestion_rows")
    reading.applied, reading.known = stated.made + stated.changed, stated.unchanged
    run("DROP TABLE ingestion_rows")
    reading.lap("write")
