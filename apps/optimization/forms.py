"""What somebody ticked and typed on the plan's page."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict
from django.utils.translation import gettext as _

from apps.optimization.services import Choice
from apps.tenants.tables import is_id

MOST_DIGITS = 9


class NotAQuantity(ValueError):
    """A quantity that somebody typed is no whole number; the message says which."""


@dataclass(frozen=True)
class Ticked:
    """The lines that were ticked, the quantities that were typed, and the one reason given for them."""

    line_ids: tuple[int, ...]
    typed: dict[int, str]
    kept: dict[int, str]
    """Quantities that were asked about, and are wanted all the same."""
    reason: str
    is_everything: bool

    @classmethod
    def from_post(cls, data: QueryDict) -> Ticked:
        ids = tuple(int(value) for value in data.getlist("line") if is_id(value))
        typed = _by_line(data, "quantity-")
        kept = typed if data.get("act") == "keep" else _by_line(data, "kept-")
        return cls(ids, typed, kept, data.get("reason", "").strip(), data.get("everything") == "1")

    def choices(self, line_ids: tuple[int, ...]) -> list[Choice]:
        """The lines as they are wanted; one whose quantity was not typed is wanted as advised."""
        return [Choice(recommendation_id=pk, quantity=self._quantity(pk), reason=self.reason, may_be_odd=self.keeps(pk))
                for pk in line_ids]

    def keeps(self, pk: int) -> bool:
        """Whether what is typed of a line is what somebody kept when asked."""
        return bool(self.typed.get(pk)) and self.kept.get(pk) == self.typed[pk]

    def typed_units(self, pk: int) -> int | None:
        """What is typed of a line, where it is a quantity."""
        text = self.typed.get(pk, "")
        return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None

    def _quantity(self, pk: int) -> int | None:
        text = self.typed.get(pk, "")
        found = self.typed_units(pk)
        if text and found is None:
            raise NotAQuantity(_("%(text)s is no quantity: give a whole number.") % {"text": text[:20]})
        return found


def _by_line(data: QueryDict, prefix: str) -> dict[int, str]:
    """What was given for lines in fields of one kind, each named by its line's id."""
    return {int(name.removeprefix(prefix)): str(value).strip() for name, value in data.items()
            if name.startswith(prefix) and is_id(name.removeprefix(prefix))}
