"""A shop that files are sent to."""

from __future__ import annotations

import io
from typing import Any

from apps.ingestion import services
from apps.ingestion.models import ImportFile
from apps.sales.models import DailyDemand, SaleLine
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_context
from apps.tenants.services import make_tenant
from tests.rows import make_user

ORDERS = "order_id,line_id,occurred_at,sku,quantity,shelf_price,paid_price\n"


def make_shop(**fields: Any) -> Tenant:
    return make_tenant(name="Shop", owner=make_user(), **{"time_zone": "America/New_York", "tier": "scale", **fields})


def store(text: str | bytes, kind: str | None = "orders", **given: Any) -> ImportFile:
    raw = text.encode() if isinstance(text, str) else text
    return services.store_file(kind=kind, name=given.pop("name", "file.csv"), source=io.BytesIO(raw), **given)


def take(text: str | bytes, kind: str | None = "orders", **given: Any) -> ImportFile:
    """Store a file and read it, as its job would; all in the tenant's scope."""
    file = store(text, kind, **given)
    if file.error:
        raise services.FileRefused(file.error)
    return services.apply_file(file_id=file.pk)


def counts(file: ImportFile) -> tuple[int, int, int, int, int]:
    """Read, applied, already known, set aside, rejected; the last four always add up to the first."""
    found = (file.rows_read, file.rows_applied, file.rows_duplicate, file.rows_set_aside, file.rows_rejected)
    assert found[0] == sum(found[1:])
    return found


def sold() -> dict[tuple[str, str], float]:
    """Units by sku and day."""
    return {(day.item.sku, day.date.isoformat()): float(day.units)
            for day in DailyDemand.objects.select_related("item")}


def ledger() -> list[tuple[Any, ...]]:
    return list(SaleLine.objects.order_by("id").values_list("external_line_id", "revision", "entry", "quantity"))


__all__ = ["ORDERS", "counts", "ledger", "make_shop", "sold", "store", "take", "tenant_context"]
