"""Models and their scores as people call them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.forecasting import selectors
from apps.forecasting.selectors import HEAT_STEPS, Heat
from apps.tenants.figures import DASH, share, sign
from apps.tenants.templatetags.stockwright import badge

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
def tuning_words(tuning: Any) -> str:
    """What was tried of a model's settings, and what came of it."""
    return selectors.tuning_words(tuning)


@register.filter
def pair_words(pair: Any) -> str:
    """Why two items are told to be bought together, or instead of each other."""
    return selectors.pair_words(pair)


@register.filter
def times_words(times: float) -> str:
    """How many times as often, or as seldom, as by chance."""
    return selectors.times_words(times)


@register.filter
def shape_words(shape: Any) -> str:
    """The shape of an item's week or year; often nothing."""
    return selectors.shape_words(shape)


@register.filter
def horizon_words(name: str) -> str:
    """A stretch of the horizon: the first week, the first two weeks."""
    return {
        "week_1": _("first week"), "week_2": _("second week"), "week_3": _("third week"), "week_4": _("fourth week"),
        "days_14": _("first two weeks together"),
    }.get(name, name)


@register.filter
def parameter(value: Any) -> Any:
    """What a model was made with: of several names, one after the other; of none, a dash."""
    return (", ".join(map(str, value)) or DASH) if isinstance(value, list) else value


@register.filter
def signal_words(name: str) -> str:
    """What is told beside sales: the mailer, discounts, public holidays."""
    return _("Public holidays") if name == "holidays" else selectors.part_words(name)[0]


@register.filter
def way_words(segment: str) -> str:
    """How items sell, as the list of items calls it."""
    return {"smooth": _("steadily"), "erratic": _("up and down"), "intermittent": _("now and then"),
            "lumpy": _("in lumps"), "young": _("for too short a time to tell")}.get(segment, segment)


@register.filter
def money_words(letter: str) -> str:
    """What a class of money is."""
    return {"A": _("the first 80% of money"), "B": _("the next 15%"), "C": _("the last 5%")}.get(letter, "")


@register.filter
def day_kind_words(segment: str) -> str:
    """Days that are scored apart from the others."""
    return {"on promotion": _("on promotion"), "other days": _("other days")}.get(segment, segment)


@register.simple_tag
def band_badge(verdict: str) -> SafeString:
    """Whether a band holds what it says, in a word that is coloured too."""
    words, tone, title = {
        "honest": (_("about right"), "success", _("What it holds is within five points of 80%, or within chance.")),
        "narrow": (_("too narrow"), "danger", _("Sales surprise more often than it says: stock runs out more often.")),
        "wide": (_("too wide"), "warning", _("Sales surprise less often than it says: too much stock is kept.")),
    }[verdict]
    return badge(verdict, label=words, tone=tone, title=title)


@register.filter
def heat(cell: Heat) -> str:
    """The class that colours a cell of a map of errors; its figures say the same with a sign."""
    return f"heat heat-{'low' if cell.step < 0 else 'high'}-{abs(cell.step)}" if cell.step else "heat"


@register.simple_tag
def heat_key() -> list[tuple[str, str]]:
    """What each colour of a map of errors means: its class and its words, from too little to too much."""
    return [*((f"heat-low-{step}", share(-HEAT_STEPS[step - 1])) for step in range(len(HEAT_STEPS), 0, -1)),
            ("", _("within %(share)s") % {"share": share(HEAT_STEPS[0])}),
            *((f"heat-high-{step}", sign(share(bound))) for step, bound in enumerate(HEAT_STEPS, 1))]


@register.filter
def outcome_words(outcome: str) -> str:
    """What a contest decided."""
    return {
        "promoted": _("promoted"), "kept": _("kept"), "baseline": _("nothing beat the best simple model"),
        "too_few_cutoffs": _("too few past weeks to choose by"), "nothing_scored": _("too little history to compare"),
    }.get(outcome, outcome)


@register.simple_tag
def beyond_all(*found: Any, named: str = "wape") -> str:
    """What more than 100 % missed means, where a share missed among what is shown is so much; else nothing.

    named  the ending of the names that are shown, where they are not all shown
    """
    if max(_shares_missed(list(found), named), default=0) <= 1:
        return ""
    return _("More than 100% missed means that the misses add up to more than was sold: usual for items that sell a "
             "few units.")


def _shares_missed(found: Any, ending: str) -> Iterator[float]:
    """Every share missed in a report, however deep; scores of single cutoffs, inside a model's, are shown elsewhere."""
    for name, value in found.items() if isinstance(found, dict) else (("", each) for each in found):
        if isinstance(value, dict | list):
            if name != "by_cutoff":
                yield from _shares_missed(value, ending)
        elif name.endswith(ending) and value is not None:
            yield value


@register.filter
def by_key(values: dict[str, object], key: str) -> object:
    """One value of a table that is keyed by a model or a day."""
    return values.get(key)
