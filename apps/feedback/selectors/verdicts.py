"""Verdicts as pages, judges and the loop's report read them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import (
    Avg,
    Case,
    Count,
    ExpressionWrapper,
    F,
    FloatField,
    Max,
    Q,
    QuerySet,
    StdDev,
    Sum,
    Value,
    When,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Ceil, Coalesce, Greatest, TruncWeek
from django.utils.translation import gettext, ngettext

from apps.feedback.models import ForecastScore, Judgement, Outcome, Proof
from apps.forecasting.selectors import model_title

FEWEST_OVERRIDES = 20
PROOF_KIND = "feedback.proof"
PROOF_WEEKS = 13
PROOF_HISTORY_WEEKS = 8  # before the first replayed day, for both sides to start from
FIRST_WEEK = "week_1"
HORIZON_ORDER = ("week_1", "week_2", "week_3", "week_4", "days_14")
WEEKS_SHOWN = 26
CATEGORIES_SHOWN = 14
OVERSTOCKED = 4  # times what was expected to be asked for until the next order


def latest_proof(as_of: dt.date | None = None) -> Proof | None:
    """The newest proof, or the newest one made on or before `as_of`."""
    found = Proof.objects.order_by("-as_of")
    return (found.filter(as_of__lte=as_of) if as_of else found).first()


def proof_awaited(weeks: int, live: Collection[str]) -> str:
    """What the first proof waits for, of a shop with so many weeks of sales and such kinds of jobs under way."""
    if PROOF_KIND in live:
        return gettext("Its weeks are replayed as soon as it is their turn.")
    needed = PROOF_WEEKS + PROOF_HISTORY_WEEKS
    if weeks >= needed:
        return gettext("There are enough weeks of sales: they are replayed by themselves once the models have been "
                       "compared.")
    return ngettext("It needs %(needed)s weeks of sales, %(replayed)s to replay and %(before)s before them; %(n)s is "
                    "known so far.", "It needs %(needed)s weeks of sales, %(replayed)s to replay and %(before)s before "
                    "them; %(n)s are known so far.", weeks) % {
        "needed": needed, "replayed": PROOF_WEEKS, "before": PROOF_HISTORY_WEEKS, "n": weeks}


def latest_judgement(as_of: dt.date | None = None) -> Judgement | None:
    """The newest judgement, or the newest one made on or before `as_of`."""
    found = Judgement.objects.order_by("-as_of")
    return (found.filter(as_of__lte=as_of) if as_of else found).first()


def scored_horizons(run_ids: Iterable[int]) -> set[tuple[int, str]]:
    """Which horizons of some runs have been scored."""
    return set(ForecastScore.objects.filter(run_id__in=list(run_ids), is_champion=True, segment_kind="all")
               .values_list("run_id", "horizon"))


def judged_recommendations() -> QuerySet[Outcome, int]:
    return Outcome.objects.values_list("recommendation_id", flat=True)


def scores(*, horizon: str = FIRST_WEEK, segment_kind: str = "all", segment: str = "") -> QuerySet[ForecastScore]:
    """Scores of one stretch of the horizon, newest runs first."""
    found = ForecastScore.objects.filter(horizon=horizon, segment_kind=segment_kind).select_related("run")
    return (found.filter(segment=segment) if segment else found).order_by("-run__as_of", "run_id", "model")


def rates(row: dict[str, Any]) -> dict[str, Any]:
    """Sums of a score as rates: WAPE, bias, root mean square error, coverages."""
    units, series = row["actual_units"], row["series"]
    return {
        "series": series, "units": units,
        "wape": row["absolute_error"] / units if units else None, "bias": row["error"] / units if units else None,
        "rmse": math.sqrt(row["squared_error"] / series) if series else None,
        "pinball": row["pinball"] / units if units and row["pinball"] is not None else None,
        "covered_80": row["covered_80"], "covered_95": row["covered_95"]}


FIGURES = ("series", "actual_units", "absolute_error", "error", "squared_error", "pinball", "covered_80", "covered_95")


def weekly_accuracy(as_of: dt.date | None = None, horizon: str = FIRST_WEEK) -> list[dict[str, Any]]:
    """Week by week, newest first: how far the forecasts in use missed, beside the best simple model of that week.

    A week has one forecast: the newest that was made for it, a real one before a replayed one.
    """
    found = scores(horizon=horizon, segment="all")
    if as_of:
        found = found.filter(run__as_of__lt=as_of)
    by_run: dict[int, dict[str, Any]] = {}
    for row in found.values("run_id", "run__as_of", "run__is_replay", "run__model", "model", "is_champion", *FIGURES):
        told = by_run.setdefault(row["run_id"], {
            "week": row["run__as_of"].isoformat(), "is_replay": row["run__is_replay"], "model": row["run__model"],
            "run": row["run_id"], "models": {}})
        told["models"][row["model"]] = rates(row)
    weeks: dict[str, dict[str, Any]] = {}
    for told in by_run.values():
        monday = dt.date.fromisoformat(told["week"])
        key = (monday - dt.timedelta(days=monday.weekday())).isoformat()
        known = weeks.get(key)
        if known is None or (known["is_replay"] and not told["is_replay"]):
            weeks[key] = told
    return [_beside_rival(told) for _, told in sorted(weeks.items(), reverse=True)][:WEEKS_SHOWN]


def _beside_rival(told: dict[str, Any]) -> dict[str, Any]:
    own = told["models"].get(told["model"], {})
    rivals = {name: found for name, found in told["models"].items()
              if name != told["model"] and found["wape"] is not None}
    best = min(rivals, key=lambda name: float(rivals[name]["wape"]), default=None)
    return {**told, **{name: own.get(name) for name in ("wape", "bias", "rmse", "series", "units", "covered_80",
                                                       "covered_95")},
            "rival": best, "rival_wape": rivals[best]["wape"] if best else None,
            "is_better": bool(best and own.get("wape") is not None and own["wape"] < rivals[best]["wape"])}


def weeks_of(model: str, as_of: dt.date, count: int) -> list[dict[str, Any]]:
    """The last weeks of real forecasts by a model, a week apart, newest first: the day of the forecast and its WAPE.

    Weeks that passed before the model was taken into use again are left out.
    """
    recent = as_of - dt.timedelta(weeks=count + 2)
    rows = (scores(segment="all").filter(model=model, is_champion=True, run__is_replay=False,
                                         run__as_of__range=(recent, as_of - dt.timedelta(days=1)))
            .values("run__as_of", "actual_units", "absolute_error"))
    found: list[dict[str, Any]] = []
    for row in rows[:60]:
        day = row["run__as_of"]
        if row["actual_units"] and (not found or (dt.date.fromisoformat(found[-1]["week"]) - day).days >= 7):
            found.append({"week": day.isoformat(), "wape": row["absolute_error"] / row["actual_units"]})
    return found[:count]


def segment_accuracy(segment_kind: str, horizon: str = FIRST_WEEK) -> list[dict[str, Any]]:
    """All scored weeks together, segment by segment: the forecasts in use and the simple models, most units first."""
    rows = (ForecastScore.objects.filter(segment_kind=segment_kind, horizon=horizon).order_by()
            .values("segment", "model", "is_champion").annotate(
                actual=Sum("actual_units"), missed=Sum("absolute_error"), off=Sum("error")))
    return _grouped(rows, "segment")


def horizon_accuracy() -> list[dict[str, Any]]:
    """All scored weeks together by how far ahead they were forecast."""
    rows = (ForecastScore.objects.filter(segment_kind="all").order_by().values("horizon", "model", "is_champion")
            .annotate(actual=Sum("actual_units"), missed=Sum("absolute_error"), off=Sum("error")))
    return sorted(_grouped(rows, "horizon"), key=lambda row: HORIZON_ORDER.index(row["name"]))


def _grouped(rows: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for row in rows:
        group = groups.setdefault(row[key], {"name": row[key], "units": 0.0, "wape": None, "bias": None, "rivals": {}})
        wape, bias = ((row[name] / row["actual"] if row["actual"] else None) for name in ("missed", "off"))
        if row["is_champion"]:
            group |= {"units": row["actual"], "wape": wape, "bias": bias}
        elif wape is not None:
            group["rivals"][row["model"]] = wape
    for group in groups.values():
        best = min(group["rivals"], key=group["rivals"].get, default=None)
        group |= {"rival": best, "rival_wape": group["rivals"].get(best),
                  "is_better": bool(best and group["wape"] is not None and group["wape"] < group["rivals"][best])}
    return sorted(groups.values(), key=lambda group: -group["units"])


def calibration() -> list[dict[str, Any]]:
    """How often sales of two weeks fell inside the bands, by model: weighed by series."""
    rows = (ForecastScore.objects.filter(segment_kind="all", horizon="days_14", covered_80__isnull=False).order_by()
            .values("model").annotate(n=Sum("series"), in_80=Sum(F("covered_80") * F("series")),
                                      in_95=Sum(F("covered_95") * F("series")),
                                      used=Max(Case(When(is_champion=True, then=Value(1)), default=Value(0)))))
    return [{"model": row["model"], "points": [[0.8, row["in_80"] / row["n"]], [0.95, row["in_95"] / row["n"]]],
             "is_champion": bool(row["used"])} for row in rows if row["n"]]


def _term_then(name: str) -> Cast:
    return Cast(KeyTextTransform(name, "recommendation__waterfall"), FloatField())


_OVER = Q(closing_units__gt=OVERSTOCKED * F("recommendation__mean_demand")) & Q(closing_units__gt=1)
_PACK = Greatest(Coalesce(_term_then("pack_size"), 1.0), 1.0)
_LEAST_ORDER = Ceil(Coalesce(_term_then("moq"), 1.0) / _PACK) * _PACK  # in whole packs

# Named unlike the fields: an aggregate hides a field of its name from the conditions beside it.
OUTCOME_SUMS = {
    "judged_lines": Count("pk"), "asked": Sum("demand_units"), "served": Sum("served_units"), "lost": Sum("lost_units"),
    "out": Sum("days_out"), "left": Sum("closing_units"), "days": Sum("recommendation__review_period_days"),
    "short": Count("pk", filter=Q(lost_units__gt=0)),
    "over": Count("pk", filter=_OVER), "over_bought": Count("pk", filter=_OVER & Q(decided_quantity__gt=0)),
    "over_least": Count("pk", filter=_OVER & Q(decided_quantity__gt=0, decided_quantity__lte=_LEAST_ORDER)),
    "as_advised": Count("pk", filter=Q(followed=True)), "judged": Max("judged_through"),
}


_BOUGHT = ExpressionWrapper(F("decided_quantity") * F("recommendation__unit_cost"), FloatField())


def outcome_totals() -> list[dict[str, Any]]:
    """What came of judged advice, real decisions and replayed plans apart."""
    rows = Outcome.objects.order_by().values("recommendation__plan__is_replay").annotate(**OUTCOME_SUMS)
    return [{"is_replay": row["recommendation__plan__is_replay"], **_outcome_rates(row)} for row in rows]


def plan_outcomes(*, is_replay: bool) -> list[dict[str, Any]]:
    """What came of judged advice, week by week of its plans, newest first; `money` is what was bought on them."""
    rows = (Outcome.objects.filter(recommendation__plan__is_replay=is_replay)
            .annotate(week=TruncWeek("recommendation__plan__as_of")).order_by("-week").values("week")
            .annotate(money=Sum(_BOUGHT), **OUTCOME_SUMS))
    return [{"week": row["week"].isoformat(), "money": row["money"] or 0.0, **_outcome_rates(row)}
            for row in rows[:WEEKS_SHOWN]]


def out_of_stock_before(as_of: dt.date) -> list[float]:
    """The share of planned items that were out of stock, as judged on the days of the four weeks before."""
    judged = Judgement.objects.filter(as_of__range=(as_of - dt.timedelta(weeks=4), as_of - dt.timedelta(days=1)))
    shares = judged.values_list("report__out_of_stock", flat=True)
    return [share for share in shares if share is not None]


def bias_of(weeks: Iterable[dict[str, Any]]) -> float | None:
    """How much too high or too low the forecasts of some weeks were together, as a share of what was sold."""
    known = [week for week in weeks if week["bias"] is not None]
    units = sum(week["units"] for week in known)
    return sum(week["bias"] * week["units"] for week in known) / units if units else None


def _outcome_rates(row: dict[str, Any]) -> dict[str, Any]:
    asked, days = row["asked"] or 0.0, row["days"] or 0.0
    return {
        "lines": row["judged_lines"], "demand_units": asked, "served_units": row["served"] or 0.0,
        "lost_units": row["lost"] or 0.0, "closing_units": row["left"] or 0.0,
        "fill_rate": (row["served"] or 0.0) / asked if asked else None,
        "days_out_share": (row["out"] or 0) / days if days else None, "short_lines": row["short"],
        "over_lines": row["over"], "over_bought": row["over_bought"], "over_least": row["over_least"],
        "followed_lines": row["as_advised"],
        "judged_through": row["judged"].isoformat() if row["judged"] else None}


def forecast_value_added() -> dict[str, Any]:
    """What changing the advice was worth in money, with its 95 % interval; nothing is told under 20 changes."""
    found = Outcome.objects.filter(override_gain__isnull=False).aggregate(
        n=Count("pk"), mean=Avg(Cast("override_gain", FloatField())),
        spread=StdDev(Cast("override_gain", FloatField()), sample=True),
        helped=Count("pk", filter=Q(override_gain__gt=0)))
    n = found["n"]
    if n < FEWEST_OVERRIDES:
        return {"n": n, "is_told": False, "needed": FEWEST_OVERRIDES}
    reach = _student_975(n - 1) * (found["spread"] or 0.0) * math.sqrt(n)
    gain = found["mean"] * n
    return {"n": n, "is_told": True, "gain": gain, "low": gain - reach, "high": gain + reach, "helped": found["helped"]}


def _student_975(freedom: int) -> float:
    """The 97.5 % point of Student's t by Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5)."""
    z = 1.959964
    return (z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3))


@dataclass(frozen=True)
class AccuracyPage:
    """What the accuracy page shows: the newest verdict, the proof, and their charts."""

    judgement: Judgement | None
    proof: Proof | None
    charts: dict[str, dict[str, Any]]

    @property
    def report(self) -> dict[str, Any]:
        return self.judgement.report if self.judgement else {}

    @property
    def weeks_behind(self) -> list[dict[str, Any]]:
        """The weeks in which a simple model did as well or better."""
        return [week for week in self.report.get("weeks", []) if week["rival"] and not week["is_better"]]

    @property
    def bias(self) -> float | None:
        return bias_of(self.report.get("weeks", []))

    @property
    def outcomes(self) -> dict[str, Any] | None:
        """The judged advice that counts most: real decisions, else replayed plans."""
        groups = {group["is_replay"]: group for group in self.report.get("outcomes", [])}
        return groups.get(False) or groups.get(True)


def accuracy_page(currency: str) -> AccuracyPage:
    """The newest verdict and proof: two queries, however much was judged."""
    judgement, proof = latest_judgement(), latest_proof()
    report = judgement.report if judgement else {}
    charts = {}
    if report.get("weeks"):
        charts["weeks"] = _weeks_chart(report)
        charts["categories"] = _beside_chart(report["by_category"][:CATEGORIES_SHOWN])
    if report.get("calibration"):
        charts["calibration"] = {
            "series": [{"name": model_title(row["model"]), "points": row["points"]} for row in report["calibration"]],
            "x_label": gettext("Share that a band should hold"), "y_label": gettext("Share that it held")}
    if proof is not None:
        charts["proof"] = {
            "x": proof.report["week_starts"], "unit": f"money:{currency}", "x_label": gettext("Week from"),
            "series": [{"name": gettext("This advice"), "values": proof.report["ours"]["by_week"]},
                       {"name": gettext("30-day sales × lead time"), "values": proof.report["rule"]["by_week"],
                        "tone": "muted"}]}
    return AccuracyPage(judgement, proof, charts)


def _weeks_chart(report: dict[str, Any]) -> dict[str, Any]:
    weeks = list(reversed(report["weeks"]))
    rivals = sorted({name for week in weeks for name in week["models"] if name != week["model"]})
    chart: dict[str, Any] = {
        "x": [week["week"] for week in weeks], "unit": "share", "x_label": gettext("Forecast of"),
        "y_label": gettext("missed, share of units sold"),
        "series": [{"name": gettext("Forecast in use"), "values": [week["wape"] for week in weeks]},
                   *({"name": model_title(name), "style": "dashed", "tone": tone,
                      "values": [week["models"].get(name, {}).get("wape") for week in weeks]}
                     for name, tone in zip(rivals, ("azure", "warning", "purple", "muted"), strict=False))]}
    usual = report["drift"].get("usual")
    if usual:
        chart["bands"] = [{"name": gettext("expected from its contest, 95 %"), "low": [usual["low"]] * len(weeks),
                           "high": [usual["high"]] * len(weeks), "tone": "muted", "opacity": 0.15}]
    return chart


def _beside_chart(groups: list[dict[str, Any]]) -> dict[str, Any]:
    return {"x": [group["name"] or gettext("without a category") for group in groups], "unit": "share",
            "horizontal": True,
            "series": [{"name": gettext("Forecast in use"), "values": [group["wape"] for group in groups]},
                       {"name": gettext("Best simple model"), "values": [group["rival_wape"] for group in groups],
                        "tone": "muted"}]}
