"""What both doors stage their order lines in, before they are facts; nothing here loads a numeric library."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from apps.catalog.selectors import joined_in_sets
from apps.catalog.services import fill_items, name_items
from apps.tenants.scope import current_tenant_id

if TYPE_CHECKING:
    from apps.catalog.models import Channel

STAGED_LINES = """
CREATE TEMP TABLE ingestion_lines (
    row_number int NOT NULL, channel_id bigint NOT NULL, external_line_id text NOT NULL, has_line_id boolean NOT NULL,
    order_id text NOT NULL, sku text NOT NULL, has_sku boolean NOT NULL, title text, item_id bigint,
    location_id bigint NOT NULL, customer text, quantity numeric(14, 3) NOT NULL,
    shelf_price numeric(14, 4), paid_price numeric(14, 4), discount numeric(14, 4), promotion text,
    currency text NOT NULL, occurred_at timestamptz NOT NULL, version_at timestamptz, void text, status text,
    is_head boolean, source text
) ON COMMIT DROP
"""

_FIND_ITEMS = """
UPDATE {table} line SET item_id = known.item_id FROM catalog_externalid known
WHERE line.item_id IS NULL AND known.tenant_id = %(tenant)s AND known.channel_id = %(channel)s AND known.kind = 'item'
  AND known.value = line.sku
"""


# Which items go by the titles of lines without a sku: those of the catalog, and those of other lines of the file.
_TITLES = """
CREATE TEMP TABLE ingestion_titles ON COMMIT DROP AS
WITH wanted AS (SELECT DISTINCT lower(title) AS title FROM ingestion_lines WHERE item_id IS NULL AND NOT has_sku)
SELECT title, min(item_id) AS item_id, count(*) AS items FROM (
    SELECT lower(item.title) AS title, item.id AS item_id FROM catalog_item item JOIN wanted
        ON wanted.title = lower(item.title) WHERE item.tenant_id = %(tenant)s
    UNION SELECT lower(line.title), line.item_id FROM ingestion_lines line JOIN wanted
        ON wanted.title = lower(line.title) WHERE line.item_id IS NOT NULL) known GROUP BY title
"""
_FIND_BY_TITLE = """
UPDATE ingestion_lines line SET item_id = known.item_id FROM ingestion_titles known
WHERE line.item_id IS NULL AND NOT line.has_sku AND known.title = lower(line.title) AND known.items = 1
"""

TWO_TITLES = """
SELECT row_number, title FROM ingestion_lines WHERE item_id IS NULL AND NOT has_sku AND lower(title) IN (
    SELECT title FROM ingestion_titles WHERE items > 1)
"""

# What the newest line says of an item that might have gaps.
_SEEN = """
CREATE TEMP TABLE ingestion_seen ON COMMIT DROP AS
SELECT item.id AS item_id, min(line.title) FILTER (WHERE line.occurred_at = newest.titled_at) AS title,
       max(line.shelf_price) FILTER (WHERE line.occurred_at = newest.priced_at) AS price,
       newest.priced_at AS price_seen_at
FROM (SELECT item_id, max(occurred_at) FILTER (WHERE title IS NOT NULL) AS titled_at,
             max(occurred_at) FILTER (WHERE shelf_price IS NOT NULL) AS priced_at
      FROM ingestion_lines GROUP BY item_id) newest
JOIN catalog_item item ON item.tenant_id = %(tenant)s AND item.id = newest.item_id
     AND (item.title = item.sku OR item.price IS NULL OR item.price_seen_at <= newest.priced_at)
JOIN ingestion_lines line ON line.item_id = newest.item_id AND line.occurred_at IN (newest.titled_at, newest.priced_at)
GROUP BY item.id, newest.priced_at
"""


def make_items(*, channel: Channel, table: str, of: str = "true", origin: str = "given") -> int:
    """Make the items that staged rows name and nobody knows, and find them; how many rows are of such items.

    `of` narrows the rows down.
    """
    has_sku, title = ("bool_or(has_sku)", "min(title)") if table == "ingestion_lines" else ("true", "NULL::text")
    made = run(f"""
        CREATE TEMP TABLE ingestion_new_items ON COMMIT DROP AS
        SELECT sku AS value, sku, {has_sku} AS has_sku, {title} AS title FROM {table}
        WHERE item_id IS NULL AND sku IS NOT NULL AND {of} GROUP BY sku""")
    found = 0
    if made:
        name_items(channel=channel, rows="ingestion_new_items", origin=origin)
        found = find_items(channel=channel, table=table)
    run("DROP TABLE ingestion_new_items")
    return found


def find_items(*, channel: Channel, table: str) -> int:
    """Find staged rows' items by what the channel calls them; how many rows were found."""
    return run(_FIND_ITEMS.format(table=table), {"tenant": current_tenant_id(), "channel": channel.pk})


def find_by_title() -> None:
    """Find the items of staged lines that have no sku; `ingestion_titles` says how many items have each title."""
    with joined_in_sets():
        run(_TITLES, {"tenant": current_tenant_id()})
        run(_FIND_BY_TITLE)


def fill_gaps() -> None:
    """Let staged lines fill in what nobody has said of their items."""
    with joined_in_sets():
        run(_SEEN, {"tenant": current_tenant_id()})
    fill_items(rows="ingestion_seen")
    run("DROP TABLE ingestion_seen")


def run(statement: str, given: dict[str, Any] | None = None) -> int:
    """One statement; how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, given or {})
        return int(cursor.rowcount)


def pseudonym_key(tenant_id: int) -> bytes:
    """The tenant's own key for pseudonyms: without the application's secret nobody can make one."""
    return hashlib.sha256(f"customer pseudonyms of tenant {tenant_id}:{settings.SECRET_KEY}".encode()).digest()
