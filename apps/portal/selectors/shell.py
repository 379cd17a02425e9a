"""What stands around every page: how much waits in each room, and the shops of a person."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from apps.tenants.models import Membership, User
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import memberships_of


@dataclass(frozen=True)
class Waiting:
    """How much waits in each room of the sidebar."""

    recommendations: int
    orders: int
    files: int
    jobs: int
    alerts: int
    urgent: int


_WAITING = """
WITH plan AS (
    SELECT id FROM optimization_plan WHERE tenant_id = %(tenant)s AND NOT is_replay ORDER BY as_of DESC, id DESC LIMIT 1
)
SELECT (SELECT count(*) FROM optimization_recommendation
        WHERE tenant_id = %(tenant)s AND plan_id = (SELECT id FROM plan) AND state = 'open' AND quantity > 0),
       (SELECT count(*) FROM inventory_purchaseorder WHERE tenant_id = %(tenant)s
        AND status IN ('draft', 'approved', 'sent', 'partly_received')),
       (SELECT count(*) FROM ingestion_importfile WHERE tenant_id = %(tenant)s AND state = 'stored'),
       (SELECT count(*) FROM jobs_job WHERE tenant_id = %(tenant)s AND state IN ('queued', 'running')),
       (SELECT count(*) FROM alerts_alert WHERE tenant_id = %(tenant)s AND state = 'open'),
       (SELECT count(*) FROM alerts_alert WHERE tenant_id = %(tenant)s AND state = 'open' AND severity = 'critical')
"""


def waiting_counts() -> Waiting:
    """The sidebar's figures, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"tenant": current_tenant_id()})
        row = cursor.fetchone()
    return Waiting(*(row or (0,) * 6))


def places_of(user: User) -> list[Membership]:
    """The shops that a person may switch between."""
    return list(memberships_of(user))
