"""What both doors stage their order lines in, before they are facts; nothing here loads a numeric library."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.db import connection

STAGED_LINES = """
CREATE TEMP TABLE ingestion_lines (
    row_number int NOT NULL, channel_id bigint NOT NULL, external_line_id text NOT NULL, has_line_id boolean NOT NULL,
    order_id text NOT NULL, sku text NOT NULL, title text, item_id bigint, location_id bigint NOT NULL, customer text,
    quantity numeric(14, 3) NOT NULL, shelf_price numeric(14, 4), paid_price numeric(14, 4), discount numeric(14, 4),
    promotion text, currency text NOT NULL, occurred_at timestamptz NOT NULL, version_at timestamptz, void text,
    status text, is_head boolean, source text
) ON COMMIT DROP
"""

NEW_ITEMS = """
CREATE TEMP TABLE ingestion_new_items ON COMMIT DROP AS
SELECT sku AS value, sku, (array_agg(title ORDER BY row_number) FILTER (WHERE title IS NOT NULL))[1] AS title,
       NULL::text AS category, NULL::text AS brand, NULL::text AS unit_of_measure, NULL::numeric AS unit_cost,
       (array_agg(shelf_price ORDER BY occurred_at DESC, row_number) FILTER (WHERE shelf_price IS NOT NULL))[1]
           AS price,
       NULL::text AS status
FROM ingestion_lines WHERE item_id IS NULL GROUP BY sku
"""

FIND_ITEMS = """
UPDATE {table} line SET item_id = known.item_id FROM catalog_externalid known
WHERE line.item_id IS NULL AND known.tenant_id = %(tenant)s AND known.channel_id = %(channel)s AND known.kind = 'item'
  AND known.value = line.sku
"""


def run(statement: str, given: dict[str, Any] | None = None) -> int:
    """One statement; how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, given or {})
        return int(cursor.rowcount)


def pseudonym_key(tenant_id: int) -> bytes:
    """The tenant's own key for pseudonyms: without the application's secret nobody can make one."""
    return hashlib.sha256(f"customer pseudonyms of tenant {tenant_id}:{settings.SECRET_KEY}".encode()).digest()
