"""What somebody typed on an order's page: of goods that came in, of another quantity."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.http import QueryDict
from django.utils.translation import gettext as _

from apps.inventory.models import MOST_UNITS
from apps.inventory.services import ReceivedLine
from apps.tenants.tables import is_id

PREFIX = "received-"
MOST_DIGITS = 9


class NotAQuantity(ValueError):
    """What was typed is no quantity; the message says which."""


@dataclass(frozen=True)
class Delivery:
    """The lines of one delivery, and the reference by which it counts once however often it is sent."""

    lines: tuple[ReceivedLine, ...]
    reference: str
    delivery_note: str
    is_whole: bool
    may_exceed: bool

    @classmethod
    def from_post(cls, data: QueryDict) -> Delivery:
        # A form that was sent without a delivery note counts once by a mark of its own.
        note, token = data.get("reference", "").strip()[:80], data.get("token", "") or uuid.uuid4().hex
        lines = tuple(ReceivedLine(line_id=line_id, quantity=_quantity(text))
                      for line_id, text in typed_in(data).items())
        act = data.get("act")
        return cls(lines, note or f"form {token}"[:80], note, act == "whole", act == "more")


def typed_in(data: QueryDict) -> dict[int, str]:
    """What stands in the boxes of an order's lines, by the line's id."""
    typed = {name.removeprefix(PREFIX): str(text).strip() for name, text in data.items() if name.startswith(PREFIX)}
    return {int(line_id): text for line_id, text in typed.items() if is_id(line_id) and text}


@dataclass(frozen=True)
class Edited:
    """Another quantity of a draft's line as it was typed, and what there is to say about it."""

    line_id: int
    typed: str
    reason: str
    may_be_odd: bool
    error: str = ""
    question: str = ""

    @classmethod
    def from_post(cls, line_id: int, data: QueryDict) -> Edited:
        # What somebody kept when asked is kept as long as nothing else is typed.
        typed = data.get("quantity", "").strip()
        is_kept = data.get("act") == "keep" or data.get("kept") == typed
        return cls(line_id, typed, data.get("reason", "").strip()[:300], is_kept)

    @property
    def quantity(self) -> int:
        if not self.typed.isdecimal() or len(self.typed) > MOST_DIGITS:
            raise NotAQuantity(_("%(text)s is no quantity: give a whole number.") % {"text": self.typed[:20] or "–"})
        return int(self.typed)


def _quantity(text: str) -> Decimal:
    try:
        quantity = Decimal(text)
    except InvalidOperation:
        quantity = Decimal("NaN")
    if not quantity.is_finite() or not 0 <= quantity <= MOST_UNITS:
        raise NotAQuantity(_("%(text)s is no quantity: give a number, 0 or more.") % {"text": text[:20]})
    return round(quantity, 3)
