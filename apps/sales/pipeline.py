"""What jobs do here: bring the daily demand in step with the ledger."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils.translation import gettext as _

from apps.jobs.running import GiveUp, Running
from apps.sales import selectors, services
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import tenant_by_id


def refresh(running: Running) -> dict[str, Any]:
    """Derive every day from the ledger, and tell of sales out of the ordinary; where all was in step, nothing changes.

    In a shop that has sold nothing yet the chain ends here: there is nothing to forecast, and nobody to alarm about it.
    """
    asked = running.input.get("as_of")
    as_of = dt.date.fromisoformat(asked) if asked else tenant_by_id(running.tenant_id).today()
    with tenant_context(running.tenant_id):
        running.progress(0.1, _("Adding up the sales of each day"))
        try:
            changed = services.rebuild_days()
        except services.TooMuchADay as refused:
            raise GiveUp(str(refused)) from refused
        span = selectors.history_span()
        running.hold()
    with tenant_context(running.tenant_id):  # of its own: meanwhile others may write into the ledger
        running.hold()
        services.tell_unusual(as_of=as_of)
    if span.first_date is None:
        return {"ends_chain": True, "note": _("There are no sales yet: nothing to forecast or to plan from.")}
    return {"days_changed": changed, "first_date": span.first_date and span.first_date.isoformat(),
            "last_date": span.last_date and span.last_date.isoformat(), "item_days": span.item_days}
