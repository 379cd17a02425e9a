"""Which rejected rows wait no more: those that came again, mended or in a later file, and those a person set aside."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.ingestion.models import ImportFile
from apps.ingestion.services.staging import run
from apps.tenants.models import User
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import record_audit

# What a row is about; an order line has its id.
_KEYS = {"items": ("sku",), "stock": ("sku", "location"), "suppliers": ("supplier", "sku"),
         "promotions": ("sku", "location", "kind", "starts_on")}

_SETTLE = """
WITH settled AS (
    UPDATE ingestion_rowissue issue SET outcome = 'settled' FROM ingestion_importfile file
    WHERE issue.tenant_id = %(tenant)s AND issue.outcome = 'rejected' AND issue.file_id = file.id
      AND file.tenant_id = %(tenant)s AND file.kind = %(kind)s AND file.rows_rejected > file.rows_settled AND {which}
    RETURNING issue.file_id
)
UPDATE ingestion_importfile file SET rows_settled = file.rows_settled + found.rows
FROM (SELECT file_id, count(*) AS rows FROM settled GROUP BY file_id) found
WHERE file.tenant_id = %(tenant)s AND file.id = found.file_id
"""
_OTHERS = "file.channel_id = %(channel)s AND file.sha256 <> %(sha256)s AND issue.raw ->> 'key' IN ({keys})"

# Rows that a file of rejected rows names by the file that they were in, and those that name them.
AGAIN = "CREATE TEMP TABLE ingestion_again (here int, file text, row_number text) ON COMMIT DROP"
_NAMED = """EXISTS (
    SELECT FROM ingestion_again again JOIN ingestion_importfile named
        ON named.tenant_id = %(tenant)s AND named.id::text = again.file
    WHERE named.sha256 = file.sha256 AND again.row_number = issue.row_number::text AND NOT EXISTS (
        SELECT FROM ingestion_rowissue aside WHERE aside.tenant_id = %(tenant)s AND aside.file_id = %(file)s
        AND aside.row_number = again.here AND aside.outcome = 'set_aside' AND aside.rule <> 'repeated'))
"""


def _given(file: ImportFile) -> dict[str, Any]:
    return {"tenant": current_tenant_id(), "kind": file.kind, "channel": file.channel_id, "sha256": file.sha256,
            "file": file.pk}


def row_key(file: ImportFile) -> str:
    """SQL for what a refused row of a file is about; null where that is what is wrong with it.

    Of a row that was staged, and of a promotion, whose kind and day are written in many ways, that is known already.
    """
    def cell(name: str) -> str:
        place = file.dialect["header"].index(file.mapping[name]) if name in file.mapping else -1
        return f"btrim(raw ->> {place})" if place >= 0 else "''"

    if file.kind == "orders":
        return f"coalesce(key, order_id || '/' || coalesce(line_ref, nullif({cell('line_id')}, '')))"
    if file.kind == "promotions":
        return "key"
    first, *others = map(cell, _KEYS[file.kind])
    from_cells = " || '/' || ".join([f"nullif({first}, '')", *others])
    return f"coalesce(key, {from_cells})"


def staged_table(kind: str) -> str:
    return "ingestion_lines" if kind == "orders" else "ingestion_rows"


def staged_key(kind: str, of: str = "") -> str:
    """SQL for what a staged row is about."""
    return f"{of}external_line_id" if kind == "orders" else " || '/' || ".join(
        f"coalesce({of}{name}::text, '')" for name in _KEYS[kind])


def settle_staged(file: ImportFile) -> None:
    """Rows of other files wait no more where this file has one of the same key that holds."""
    keys = f"SELECT {staged_key(file.kind)} FROM {staged_table(file.kind)}"
    run(_SETTLE.format(which=_OTHERS.format(keys=keys)), _given(file))


def settle_refused(file: ImportFile) -> None:
    """Rows of other files wait no more where they came again and wait in this one, or where a row of it names them.

    One that names them and was set aside itself answers for none, unless an earlier row of this file says the same.
    """
    run(_SETTLE.format(which=_OTHERS.format(
        keys="SELECT raw ->> 'key' FROM ingestion_rowissue WHERE tenant_id = %(tenant)s AND file_id = %(file)s "
             "AND outcome = 'rejected'")), _given(file))
    run(_SETTLE.format(which=_NAMED), _given(file))


@transaction.atomic
def set_rows_aside(*, file: ImportFile, actor: User | None) -> None:
    """Let the rejected rows of a file wait no more: a person says that nothing is missing without them."""
    run(_SETTLE.format(which="file.sha256 = %(sha256)s"), _given(file))
    record_audit(tenant=tenant_by_id(current_tenant_id()), actor=actor, action="file.rows_set_aside", target=file.name)
