"""The portal's one job: its derived tables, made anew."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils.translation import gettext as _

from apps.jobs.running import Running
from apps.portal.services import count_usage, refresh_summaries
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import tenant_by_id


def refresh_tenant(running: Running) -> dict[str, Any]:
    """Derive the summaries of all items, as of the day asked for or the tenant's own today."""
    running.progress(0.1, _("Deriving what the lists show."))
    asked = running.input.get("as_of")
    as_of = dt.date.fromisoformat(asked) if asked else tenant_by_id(running.tenant_id).today()
    with tenant_context(running.tenant_id):
        running.hold()
        found = refresh_summaries(as_of=as_of)
        count_usage()
    return {"as_of": as_of.isoformat(), "items": found.items, "changed": found.written}
