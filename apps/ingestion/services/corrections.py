"""What a person says of single sales, and what follows from it."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings

from apps.jobs.services import start_chain
from apps.sales.services import NotCorrected, correct_quantity, tell_unusual
from apps.tenants.models import User
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id

__all__ = ["NotCorrected", "correct_sale"]


def correct_sale(*, line_id: int, quantity: Decimal, actor: User) -> None:
    """Correct or confirm a sale, and have forecast and plan made anew: once for several that follow one another.

    The days are in step already: to add them all up again would keep the next correction waiting.
    """
    today = tenant_by_id(current_tenant_id()).today()
    item_id = correct_quantity(line_id=line_id, quantity=quantity, actor=actor)
    tell_unusual(as_of=today, item_ids=[item_id])
    start_chain(chain=settings.JOBS_AFTER_CORRECTION, as_of=today)
