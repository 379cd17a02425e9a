"""What jobs do here: tell of orders that wait to be sent."""

from __future__ import annotations

import datetime as dt
from typing import Any

from apps.inventory import services
from apps.jobs.running import Running
from apps.tenants.scope import tenant_context


def tell_unsent_tenant(running: Running) -> dict[str, Any]:
    """Raise an alert for each order that waits too long to be sent by the day asked for."""
    with tenant_context(running.tenant_id):
        running.hold()
        return {"orders": services.tell_unsent(as_of=dt.date.fromisoformat(running.input["as_of"]))}
