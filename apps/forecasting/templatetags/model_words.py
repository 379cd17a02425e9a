"""Models and their scores as people call them."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext as _

from apps.forecasting import selectors

register = template.Library()


@register.filter
def model_title(name: str | None) -> str:
    """What people call a model: the eight-week mean, LightGBM."""
    return selectors.model_title(name)


@register.filter
def trial_words(trial: dict[str, Any]) -> str:
    """One comparison of a contest in a sentence or two."""
    return selectors.trial_words(trial)


@register.filter
def horizon_words(name: str) -> str:
    """A stretch of the horizon: the first week, the first two weeks."""
    return {
        "week_1": _("first week"), "week_2": _("second week"), "week_3": _("third week"), "week_4": _("fourth week"),
        "days_14": _("first two weeks together"),
    }.get(name, name)


@register.filter
def seen_promotions(variant: str) -> str:
    """What a model of an ablation was shown: no promotions, the mailer, the mailer and the display."""
    names = {"mailer": _("the mailer"), "display": _("the display")}
    shown = [names.get(part, part) for part in variant.split(", ") if part]
    return _(" and ").join(shown) if shown else _("no promotions")


@register.filter
def outcome_words(outcome: str) -> str:
    """What a contest decided."""
    return {
        "promoted": _("promoted"), "kept": _("kept"), "baseline": _("nothing beat the best simple model"),
        "too_few_cutoffs": _("too few past weeks to choose by"), "nothing_scored": _("too little history to compare"),
    }.get(outcome, outcome)


@register.filter
def by_key(values: dict[str, object], key: str) -> object:
    """One value of a table that is keyed by a model or a day."""
    return values.get(key)
