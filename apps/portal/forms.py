"""What a shop says once for all its items."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.tenants.forms import ShopDecimalField, ShopFloatField


class ShownForm(forms.Form):
    """A form over what holds now: it is refused where somebody has changed that since the page was opened."""

    @property
    def stamp(self) -> str:
        """A mark of what the form shows, which comes back with it."""
        shown = "\n".join(f"{name}={value}" for name, value in sorted(self.initial.items()))
        return hashlib.sha256(shown.encode()).hexdigest()[:16]

    def clean(self) -> dict[str, Any]:
        if self.data.get("seen", self.stamp) != self.stamp:
            raise forms.ValidationError(_("Somebody has changed this since you opened the page. Reload the page to see "
                                          "what holds now; or save once more, and what stands here replaces it."))
        return dict(self.cleaned_data)


class TermForm(ShownForm):
    """What a supplier asks for one item; what is left empty falls back to the supplier's own terms and the rules."""

    lead_time_days = ShopFloatField(label=_("Lead time"), min_value=0, max_value=365, required=False)
    lead_time_spread_days = ShopFloatField(label=_("Its spread"), min_value=0, max_value=120, required=False)
    unit_cost = ShopDecimalField(label=_("Unit cost"), min_value=0, max_digits=14, decimal_places=4, required=False)
    moq = forms.IntegerField(label=_("Minimum quantity"), min_value=1, max_value=1_000_000, required=False)
    pack_size = forms.IntegerField(label=_("Pack of"), min_value=1, max_value=1_000_000, required=False)

    @staticmethod
    def of(term: Mapping[str, Any]) -> dict[str, Any]:
        """What the form shows of the terms that hold now."""
        given = {name: term[name] for name in TermForm.base_fields if term[name] is not None}
        exact = {name: Decimal(str(value)).normalize() for name, value in given.items()}
        return {name: int(value) if value == int(value) else value for name, value in exact.items()}

    def changed_terms(self) -> dict[str, Any]:
        """The terms that were changed, by their own names."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class PlanningForm(ShownForm):
    """The planning rules: what is assumed where nothing is said, and the limits of every plan."""

    lead_time_days = ShopFloatField(label=_("Lead time"), min_value=0, max_value=365,
                                      help_text=_("From order to shelf, where a supplier has none of its own."))
    lead_time_spread_days = ShopFloatField(label=_("Lead time spread"), min_value=0, max_value=120,
                                             help_text=_("How far deliveries usually stray from it, one standard "
                                                         "deviation."))
    review_period_days = forms.IntegerField(label=_("Ordered every"), min_value=1, max_value=90,
                                            help_text=_("How often you order from a supplier."))
    cost_percent = ShopFloatField(label=_("Unit cost"), min_value=1, max_value=99,
                                    help_text=_("As a share of the price, where an item has no cost."))
    holding_percent = ShopFloatField(label=_("Cost of holding stock"), min_value=0, max_value=200,
                                       help_text=_("Of its value in a year: money, room, ageing."))
    planned_units_per_week = ShopFloatField(label=_("Planned from"), min_value=0, max_value=1000,
                                              help_text=_("What sells less is ordered on request."))
    cash_budget = ShopDecimalField(label=_("Cash for one plan"), min_value=0, max_digits=14, decimal_places=2,
                                     required=False, help_text=_("The most that one plan may spend; empty for no "
                                                                 "limit."))

    @staticmethod
    def of(defaults: Any) -> dict[str, Any]:
        """What the form shows of the defaults that hold now."""
        shown = {"lead_time_days": defaults.lead_time_days, "lead_time_spread_days": defaults.lead_time_spread_days,
                 "review_period_days": defaults.review_period_days, "cost_percent": defaults.cost_share * 100,
                 "holding_percent": defaults.holding_cost_rate * 100,
                 "planned_units_per_week": defaults.planned_units_per_week}
        plain = {name: int(value) if value == int(value) else round(value, 2) for name, value in shown.items()}
        return {**plain, "cash_budget": defaults.cash_budget}

    def changed_defaults(self) -> dict[str, Any]:
        """The defaults that were changed, by their own names and measures."""
        said = {name: self.cleaned_data[name] for name in self.changed_data}
        for percent, name in (("cost_percent", "cost_share"), ("holding_percent", "holding_cost_rate")):
            if percent in said:
                said[name] = said.pop(percent) / 100
        return said
