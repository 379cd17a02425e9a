"""Verdicts in plain words."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.feedback import selectors
from apps.feedback.selectors.verdicts import OVERSTOCKED
from apps.forecasting.selectors import model_title
from apps.tenants import figures
from apps.tenants.figures import number, units


def percent(share: float | None) -> str:
    return figures.share(share)


def of_report(report: dict[str, Any]) -> list[str]:
    """A day's verdict, a sentence for each thing worth saying."""
    return [*of_accuracy(report["weeks"]), *of_outcomes(report["outcomes"]), *of_overrides(report["overrides"]),
            *([of_drift(report["drift"])] if report["drift"]["state"] == "worse" else [])]


def of_accuracy(weeks: list[dict[str, Any]]) -> list[str]:
    if not weeks:
        return [_("No forecast is a week old yet: there is nothing to score.")]
    newest = weeks[0]
    said = [_("The week from %(day)s: forecasts missed by %(missed)s of what was sold; the best simple model, "
              "%(rival)s, by %(rivals)s.") % {
                  "day": date_format(dt.date.fromisoformat(newest["week"]), "j M Y"), "missed": percent(newest["wape"]),
                  "rival": model_title(newest["rival"]), "rivals": percent(newest["rival_wape"])}]
    behind = [week for week in weeks if week["rival_wape"] is not None and week["wape"] is not None
              and week["wape"] >= week["rival_wape"]]
    if behind:
        said.append(ngettext("In %(n)d of %(all)d weeks a simple model did as well or better.",
                             "In %(n)d of %(all)d weeks a simple model did as well or better.", len(behind))
                    % {"n": len(behind), "all": len(weeks)})
    bias = selectors.bias_of(weeks)
    if bias is not None and abs(bias) >= 0.02:
        way = _("high") if bias > 0 else _("low")
        said.append(ngettext("In that week they were %(share)s too %(way)s in all.",
                             "Over all %(n)d weeks together they were %(share)s too %(way)s.", len(weeks))
                    % {"n": len(weeks), "share": percent(abs(bias)), "way": way})
    return said


def of_outcomes(groups: list[dict[str, Any]]) -> list[str]:
    return [sentence for group in groups if group["lines"] for sentence in (
        (_("Replayed advice: %(served)s of %(demand)s units asked for were served, on %(out)s of the days the shelf "
           "was empty.") if group["is_replay"] else
         _("Decisions: %(served)s of %(demand)s units asked for were served, on %(out)s of the days the shelf was "
           "empty.")) % {"served": percent(group["fill_rate"]), "demand": number(group["demand_units"], 0),
                         "out": percent(group["days_out_share"])},
        ngettext("Of %(n)s line judged, %(over)s left more than %(times)s times what was expected to be asked for.",
                 "Of %(n)s lines judged, %(over)s left more than %(times)s times what was expected to be asked for.",
                 group["lines"]) % {"n": units(group["lines"]), "over": units(group["over_lines"]),
                                    "times": units(OVERSTOCKED)},
        *of_overstock(group))]


def of_overstock(group: dict[str, Any]) -> list[str]:
    """Where too much stock came from: it was there before, or it was bought, at the least that can be or for more."""
    over, bought, least = (group[name] for name in ("over_lines", "over_bought", "over_least"))
    if not over:
        return []
    before = ngettext("For %(n)s of these nothing was bought: it was there already.",
                      "For %(n)s of these nothing was bought: it was there already.", over - bought)
    if not bought:
        return [before % {"n": units(over - bought)}]
    return [*([before % {"n": units(over - bought)}] if over > bought else []),
            ngettext("%(bought)s was bought for, %(least)s of it no more than the smallest order that can be placed.",
                     "%(bought)s were bought for, %(least)s of them no more than the smallest order that can be "
                     "placed.", bought) % {"bought": units(bought), "least": units(least)}]


def of_overrides(found: dict[str, Any]) -> list[str]:
    if not found["is_told"]:
        return []
    shown = {"n": units(found["n"]), "money": number(abs(found["gain"]), 0)}
    if found["low"] > 0:
        return [ngettext("Changing the advice helped: %(n)s change made %(money)s.",
                         "Changing the advice helped: %(n)s changes made %(money)s.", found["n"]) % shown]
    if found["high"] < 0:
        return [ngettext("Changing the advice cost money: %(n)s change lost %(money)s.",
                         "Changing the advice cost money: %(n)s changes lost %(money)s.", found["n"]) % shown]
    return [ngettext("%(n)s change of the advice: whether it helped cannot be told yet.",
                     "%(n)s changes of the advice: whether they helped cannot be told yet.", found["n"]) % shown]


def of_drift(found: dict[str, Any]) -> str:
    missed = _(" and ").join(percent(week["wape"]) for week in found["weeks"])
    return _("The %(model)s missed by %(missed)s in the last two weeks; its own contest lets expect at most %(high)s. "
             "The models are compared anew.") % {"model": model_title(found["model"]), "missed": missed,
                                             "high": percent(found["usual"]["high"])}
