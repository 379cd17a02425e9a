"""What somebody ticked and typed on the plan's page, and the changes that a what-if makes to the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.optimization.models import Changes
from apps.optimization.services import CannotTry, Choice
from apps.tenants.forms import ShopDecimalField, ShopFloatField
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


def _of_all(words: Any, **named: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=words, required=False, **named)


class ScenarioForm(forms.Form):
    """A what-if, as people say it: changes in days and per cent, each of everything or of a part."""

    lead_days = forms.IntegerField(label=gettext_lazy("Lead time, more or less"), required=False, min_value=-180,
                                   max_value=180, help_text=gettext_lazy("7 for a week later, -7 for a week sooner."))
    lead_supplier_id = _of_all(gettext_lazy("Whose lead time"))
    demand_percent = ShopFloatField(label=gettext_lazy("Demand, more or less"), required=False, min_value=-100,
                                    max_value=900, help_text=gettext_lazy("20 for a fifth more than forecast."))
    demand_kind = _of_all(gettext_lazy("Of which items"))
    cost_percent = ShopFloatField(label=gettext_lazy("Unit cost, more or less"), required=False, min_value=-90,
                                  max_value=900, help_text=gettext_lazy("What customers pay stays as it is."))
    cost_supplier_id = _of_all(gettext_lazy("Whose unit cost"))
    budget_percent = ShopFloatField(label=gettext_lazy("Cash, more or less"), required=False, min_value=-100,
                                    max_value=900, help_text=gettext_lazy("Of the cash in the planning rules."))
    budget = ShopDecimalField(label=gettext_lazy("Or an amount of cash"), required=False, min_value=0, max_digits=14,
                              decimal_places=2, help_text=gettext_lazy("The most that this plan may spend."))
    gone_supplier_id = _of_all(gettext_lazy("A supplier is gone"),
                               help_text=gettext_lazy("Nothing can be ordered of what is bought there."))
    name = forms.CharField(label=gettext_lazy("Name"), required=False, max_length=120,
                           help_text=gettext_lazy("Left empty, it is named by its changes."))

    FACTORS = {"demand_percent": "demand_factor", "cost_percent": "cost_factor", "budget_percent": "budget_factor"}

    def __init__(self, data: Any = None, *, suppliers: Sequence[tuple[int, str]], kinds: Sequence[str]) -> None:
        super().__init__(data)
        everyone = [("", _("all suppliers")), *suppliers]
        for name, choices in (("lead_supplier_id", everyone), ("cost_supplier_id", everyone),
                              ("gone_supplier_id", [("", _("none")), *suppliers]),
                              ("demand_kind", [("", _("all items")), *((kind, kind) for kind in kinds)])):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def changes(self) -> Changes:
        """What was filled in; what was left empty stays as it is."""
        given = {name: value for name, value in self.cleaned_data.items() if value not in (None, "") and name != "name"}
        for percent, factor in self.FACTORS.items():
            if percent in given:
                given[factor] = round(1 + given.pop(percent) / 100, 6)
        for name in ("lead_supplier_id", "cost_supplier_id", "gone_supplier_id"):
            if name in given:
                given[name] = int(given[name])
        if "budget" in given:
            given["budget"] = float(given["budget"])
        return Changes(**given)

    def tell(self, refused: CannotTry) -> None:
        """Put what was refused beside the fields that it is about."""
        fields = {factor: percent for percent, factor in self.FACTORS.items()}
        for name, problem in refused.problems.items():
            self.add_error(fields.get(name, name) or None, problem)
