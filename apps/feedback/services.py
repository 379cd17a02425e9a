"""Saving what the judges found."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.db import transaction

from apps.feedback.models import Proof


@transaction.atomic
def save_proof(*, as_of: dt.date, report: dict[str, Any], gain: Decimal, gain_low: Decimal, gain_high: Decimal,
               seconds: float) -> Proof:
    """The proof of a day; made again, it replaces the earlier one."""
    proof, _made = Proof.objects.update_or_create(
        as_of=as_of, defaults={"report": report, "gain": gain, "gain_low": gain_low, "gain_high": gain_high,
                               "seconds": seconds})
    return proof
