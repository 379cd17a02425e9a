"""Forecasts as they were made, sample paths redrawn from them, and the contests that chose the model."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTransform
from django.utils.dates import MONTHS, WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from apps.catalog import selectors as catalog
from apps.forecasting.models import (
    Backtest,
    ForecastRun,
    ItemBacktest,
    ItemPair,
    ItemShape,
    KindForecast,
    SeriesForecast,
    Tuning,
)
from apps.registry import selectors as registry
from apps.sales import selectors as sales
from apps.tenants.figures import day, number, share, sign
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from apps.forecasting.engine.base import Panel
    from apps.forecasting.engine.forecast import Forecast
    from apps.forecasting.engine.grid import Grid
    from apps.registry.models import AliasChange
    from apps.registry.selectors import ModelVersion

DEMAND = "demand"  # what the registry's versions predict
TUNED = "lightgbm"  # the model whose settings are searched
CATEGORY_LEVELS = 2  # of the path: finer kinds have too few items to learn from, or to compare models on
MODEL_TITLES = {
    "seasonal_naive": _("last week again"), "weekday_mean": _("four-week weekday mean"),
    "eight_week_mean": _("eight-week mean"), "seasonal_mean": _("seasonal mean"), "tsb": _("TSB"),
    "croston_sba": _("Croston's method"), "theta": _("Theta"), "ets": _("ETS"), "arima": _("ARIMA"),
    "ridge": _("ridge regression"), "decision_tree": _("decision tree"), "random_forest": _("random forest"),
    "lightgbm": _("LightGBM"), "lightgbm_daily": _("LightGBM by day"), "blend": _("mean of both LightGBMs"),
    "keras_lstm": _("LSTM"), "keras_gru": _("GRU"),
}
_NAMES = re.compile(rf"\b(?:{'|'.join(MODEL_TITLES)})\b")
_COUNTS = re.compile(r"(?<![A-Z][a-z]{2} )\b\d{4,}\b")  # not the year behind a month
LEAD_SPREADS = 2.0  # a delivery may be late by this many standard deviations and still lie within the forecast


@dataclass(frozen=True)
class History:
    """What may be known on the morning of `as_of`, in the engine's frames, and how far ahead it has to be forecast."""

    as_of: dt.date
    history: pd.DataFrame
    static: pd.DataFrame
    covariates: pd.DataFrame | None
    out_days: pd.DataFrame
    known_ahead: tuple[str, ...]
    country: str | None
    protection_days: int
    active_items: int
    has_sales: bool
    pace: float

    @property
    def known_through(self) -> dt.date:
        return self.as_of - dt.timedelta(days=1)

    def grid(self) -> Grid:
        """28 days and then weeks, as far as the longest lead time and review period ask for, up to 26 weeks."""
        from apps.forecasting.engine.grid import Grid

        return Grid.covering(self.protection_days)

    def lessons(self, grid: Grid | None = None) -> Panel:
        """Every series that models learn from, known through the day before `as_of`: `regular` says which are planned.
        """
        from apps.forecasting.engine.base import Panel

        panel = Panel.from_frames(self.history, self.static, self.covariates, known_ahead=self.known_ahead,
                                  cutoff=self.known_through, grid=grid or self.grid(), country=self.country,
                                  pace=self.pace)
        return panel.take(panel.lately_regular())

    def panel(self, grid: Grid | None = None) -> Panel:
        """All planned series side by side, known through the day before `as_of`."""
        return planned(self.lessons(grid))


def planned(lessons: Panel) -> Panel:
    """The series that are planned today, of those that models learn from; all of them are asked for."""
    return replace(lessons.take(lessons.regular()), pace=0.0)


def known_history(as_of: dt.date) -> History:
    """Read everything that a forecast on the morning of `as_of` may use, of the tenant in scope."""
    import numpy as np

    frames = sales.demand_frame(as_of)
    terms = catalog.terms_frame()
    # What has gone quiet is learned from; how far ahead has to be forecast, the planned items alone say.
    terms = terms[terms["item_id"].isin([int(name.partition("/")[0]) for name in frames.planned])]
    first_on, _last_on = sales.history_range()
    covered = terms["lead_time_days"] + LEAD_SPREADS * terms["lead_time_spread_days"] + terms["review_period_days"]
    kinds = [kind_of(path) for path in frames.static["category"].astype(str)]
    return History(
        as_of=as_of, history=frames.history, static=frames.static.assign(category=kinds), covariates=frames.covariates,
        out_days=frames.out_days, known_ahead=tuple(frames.known_ahead),
        country=tenant_by_id(current_tenant_id()).country or None,
        protection_days=int(np.ceil(covered.max())) if len(covered) else 0,
        active_items=catalog.items().filter(status="active").count(),
        has_sales=first_on is not None and first_on < as_of, pace=frames.pace)


def kind_of(category: str) -> str:
    """What kind of thing an item is: the upper levels of its category's path."""
    return " > ".join(category.split(" > ")[:CATEGORY_LEVELS])


def data_fingerprint(panel: Panel, *, is_forecast: bool = False) -> str:
    """A digest of everything a model learns from: the same data gives the same, one changed sale another.

    Of a forecast it holds as well what was planned for the days ahead, which is no part of what a model is trained on.
    """
    import numpy as np

    from apps.forecasting.engine import frames

    digest = hashlib.sha256()
    for array in (panel.ids, panel.dates.astype(np.int64), panel.y, panel.available, panel.sold_out):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    for name in sorted(panel.covariates):
        told = panel.covariates[name] if is_forecast else panel.covariates[name][:, : panel.n_days]
        digest.update(name.encode() + np.ascontiguousarray(told).tobytes())
    for column in (*frames.STATIC_LABELS, frames.PRICE):
        values = panel.prices() if column == frames.PRICE else panel.labels(column)
        digest.update(column.encode() + values.tobytes())
    digest.update(repr((sorted(panel.known_ahead), panel.country, panel.pace)).encode())
    return digest.hexdigest()


def model_title(name: str | None) -> str:
    """What people call a model of the engine."""
    return str(MODEL_TITLES.get(name or "", name or ""))


def part_words(name: str) -> tuple[str, str]:
    """What people call a part of an explanation, and what it means; other signals go by their own names."""
    told = {
        "usual": (gettext("Sold lately"), gettext("As many a day as in the last eight weeks.")),
        "stockouts": (gettext("Empty shelf"), gettext("What was missing while it was out of stock.")),
        "recent_sales": (gettext("Recent weeks"), gettext("How the last weeks sold, beside the eight of them.")),
        "trend": (gettext("Trend"), gettext("How its category and the whole shop sell of late.")),
        "season": (gettext("Time of month"), gettext("What the days ahead are in the week and the month.")),
        "holiday": (gettext("Holidays"), gettext("Public holidays ahead, or the lack of them.")),
        "kind": (gettext("Kind of item"), gettext("How items of its category and brand go on from here.")),
        "totals": (gettext("Group total"), gettext("Drawn to the total of its group of items.")),
        "similar_items": (gettext("Similar items"), gettext("A new item, drawn towards what is similar to it.")),
        "mailer": (gettext("Mailer"), gettext("The mailer ahead, or that it is in none.")),
        "display": (gettext("Display"), gettext("Displays of late.")),
        "price_cut": (gettext("Price cut"), gettext("A cut price ahead, or that there is none.")),
        "other": (gettext("Other promotion"), gettext("Another promotion ahead, or that there is none.")),
        "discount": (gettext("Discount"), gettext("What was taken off the shelf price of late.")),
        "price": (gettext("Price"), gettext("Its price beside what it usually is.")),
    }
    if name.endswith(sales.UNFORESEEN):
        title = told.get(name.removesuffix(sales.UNFORESEEN), (name,))[0]
        return (gettext("%(promotion)s, unplanned") % {"promotion": title},
                gettext("Those of late that nobody foretold."))
    return told.get(name, (name.replace("_", " ").capitalize(), ""))


@dataclass(frozen=True)
class Why:
    """Why an item is forecast to sell what it is: units over `days` days from `starts_on` on."""

    starts_on: dt.date
    days: int
    usual: float
    parts: dict[str, float]

    @property
    def total(self) -> float:
        return self.usual + sum(self.parts.values())


def why_of(run: ForecastRun, rows: Sequence[SeriesForecast]) -> Why | None:
    """Why a run forecasts what it does for some series together; None where it was made without saying so."""
    told = [row.reasons for row in rows if row.reasons]
    if not told:
        return None
    usual, *parts = (sum(values) for values in zip(*told, strict=True))
    return Why(run.as_of, run.explained_days, usual, dict(zip(run.parts, parts, strict=True)))


def new_item_words(similar: int | None) -> str:
    """What the forecast of an item that has just come on sale is made of; nothing of one that is not new."""
    return ngettext("New item: forecast from %(n)s similar item, so it may be far off.",
                    "New item: forecast from %(n)s similar items, so it may be far off.", similar) % {
        "n": number(similar, 0)} if similar else ""


def trial_words(trial: dict[str, Any]) -> str:
    """One comparison of a contest, and what speaks against the candidate, as people say it."""
    from apps.forecasting.engine.selection import CALIBRATION_BOUNDS, NEEDED_GAIN, TOP_MAY_LOSE

    against = {
        "small_gain": gettext("it has to be %(needed)s better") % {"needed": share(NEEDED_GAIN)},
        "chance": gettext("its gain could be chance"),
        "top_items": gettext("on the tenth of items with the most money it is %(loss)s worse, and may be %(most)s") % {
            "loss": share(trial["top_loss"], 1), "most": share(TOP_MAY_LOSE)},
        **{f"band_{name}": gettext("its %(band)s band holds %(held)s of two-week sums, and should hold %(least)s to "
                                   "%(most)s") % {
            "band": share(band), "held": share(trial.get("coverage", {}).get(name)), "least": share(least, 1),
            "most": share(most, 1)}
           for band, (least, most) in CALIBRATION_BOUNDS.items() for name in [str(round(100 * band))]},
    }
    figures = gettext("%(candidate)s against %(reference)s: %(gain)s better, between %(low)s and %(high)s.") % {
        "candidate": model_title(trial["candidate"]), "reference": model_title(trial["reference"]),
        **{name: sign(share(trial[key], 1)) for name, key in (
            ("gain", "gain"), ("low", "gain_low"), ("high", "gain_high"))}}
    if trial["passes"]:
        return gettext("%(figures)s It passes.") % {"figures": figures}
    why = "; ".join(against[name] for name in trial.get("against", []) if name in against)
    if not why:
        return gettext("%(figures)s It does not pass.") % {"figures": figures}
    return gettext("%(figures)s It does not pass: %(why)s.") % {"figures": figures, "why": why}


def tuning_words(tuning: Tuning) -> str:
    """What was tried of a model's settings and what came of it, in a few sentences."""
    report = tuning.report
    later = share(report["gain"], 1)
    told = {"model": model_title(tuning.model), "trials": number(report["trials"], 0), "day": day(tuning.as_of),
            "given_up": number(report["given_up"], 0), "found": share(report["found_gain"], 1), "later": later,
            "signed": sign(later), "date": day(report["proved_on"])}
    tried = ngettext("On %(day)s, %(trials)s setting of %(model)s was tried on past weeks.",
                     "On %(day)s, %(trials)s settings of %(model)s were tried on past weeks, %(given_up)s of them "
                     "given up early.", report["trials"])
    outcome = {
        Tuning.Outcome.KEPT: gettext(
            "The best did %(found)s better there than the usual one, and %(later)s better after %(date)s, on weeks "
            "that the search had not seen: contests train %(model)s with it."),
        Tuning.Outcome.NONE_BETTER: gettext("None did better there than the usual one, which stays."),
        Tuning.Outcome.NOT_PROVED: gettext(
            "The best did %(found)s better there than the usual one, but %(signed)s after %(date)s, on weeks that the "
            "search had not seen. That is too little to be sure of: the usual one stays."),
        Tuning.Outcome.OUT_OF_TIME: gettext("There was no time to find and prove a better one: the usual one stays."),
    }[Tuning.Outcome(tuning.outcome)]
    return f"{tried} {outcome}" % told


def with_titles(sentence: str) -> str:
    """A sentence of the engine, with models called as people call them and counts as the shop writes them."""
    counted = _COUNTS.sub(lambda found: number(int(found[0]), 0), sentence)
    return _NAMES.sub(lambda found: model_title(found[0]), counted)


def shape_words(shape: ItemShape) -> str:
    """The shape of an item's week or year, as people say it; nothing of one that has no simple shape."""
    is_week = shape.cycle == ItemShape.Cycle.WEEK
    if shape.kind == ItemShape.Kind.EVEN:
        return gettext("even all week") if is_week else gettext("even all year")
    if shape.kind != ItemShape.Kind.MOST:
        return ""
    if is_week and (shape.first, shape.last) == (5, 6):
        return gettext("weekend item")
    names = [str(name) for name in (WEEKDAYS.values() if is_week else MONTHS.values())]
    told = {"first": names[shape.first], "last": names[shape.last]}
    if shape.first == shape.last:
        return (gettext("sells most on a %(first)s") if is_week else gettext("sold most in %(first)s")) % told
    return (gettext("sells most from %(first)s to %(last)s") if is_week
            else gettext("sold most from %(first)s to %(last)s")) % told


def pair_words(pair: ItemPair) -> str:
    """How sure it is that two items are bought together, or instead of each other, in a sentence or two."""
    counts = {"together": number(pair.together, 0), "expected": number(pair.expected, 0 if pair.expected >= 10 else 1),
              "orders": number(pair.orders, 0), "buyers": number(pair.buyers, 0), "n": number(pair.switchers, 0)}
    if pair.relation == ItemPair.Relation.INSTEAD:
        return gettext("Together in %(together)s orders of those who buy both, by chance in %(expected)s. %(n)s "
                       "customers buy both, never together.") % counts
    if pair.buyers < pair.together:
        return gettext("In %(together)s of its %(orders)s orders, of %(buyers)s customers; by chance in "
                       "%(expected)s.") % counts
    return gettext("In %(together)s of its %(orders)s orders; by chance in %(expected)s.") % counts


def times_words(times: float) -> str:
    """How many times as often, or as seldom, as by chance: a whole number from ten on."""
    return gettext("%(n)s×") % {"n": number(int(times), 0) if times >= 10 else number(int(10 * times) / 10, 1)}


def pairs() -> QuerySet[ItemPair]:
    """Items bought together, or instead of each other, the surest first."""
    return ItemPair.objects.select_related("other").order_by("item_id", "relation", "place")


def shapes() -> QuerySet[ItemShape]:
    """The shapes of week and year that items share."""
    return ItemShape.objects.order_by("item_id", "cycle")


def runs(*, is_replay: bool = False) -> QuerySet[ForecastRun]:
    """Complete forecasts, newest first."""
    return ForecastRun.objects.filter(is_complete=True, is_replay=is_replay).order_by("-as_of", "-pk")


def latest_run(as_of: dt.date | None = None) -> ForecastRun | None:
    """The newest forecast, or the newest one made on or before `as_of`."""
    found = runs().select_related("version")
    return (found.filter(as_of__lte=as_of) if as_of else found).first()


@dataclass(frozen=True)
class DemandPaths:
    """A saved forecast that draws its sample paths again.

    A series' paths depend on its own numbers and the run's seed alone: one item asked for by itself gives the same
    paths as among all. Day 0 is the planning day, `run.as_of`.
    """

    run: ForecastRun
    forecast: Forecast
    item_ids: NDArray[Any]
    location_ids: NDArray[Any]

    @property
    def unique_ids(self) -> NDArray[Any]:
        """`item/location` [n], in the order of `paths`' rows."""
        return self.forecast.unique_ids

    @property
    def days(self) -> int:
        """How many days ahead paths reach."""
        return self.forecast.grid.horizon_days

    @cached_property
    def row_of(self) -> dict[str, int]:
        return {str(name): row for row, name in enumerate(self.forecast.unique_ids)}

    def rows(self, unique_ids: Sequence[str]) -> NDArray[Any]:
        """The rows of some series, -1 for one that was not forecast."""
        import numpy as np

        return np.array([self.row_of.get(str(name), -1) for name in unique_ids], dtype=np.int64)

    def paths(self, rows: ArrayLike, n_paths: int = 200, seed: int | None = None,
              days: int | None = None) -> NDArray[Any]:
        """Whole units [len(rows), n_paths, days]; the run's own seed unless another is asked for."""
        return self.forecast.paths(rows, n_paths, self.run.seed if seed is None else seed, days)

    def scaled(self, factor: float, item_ids: Collection[int] | None = None) -> DemandPaths:
        """The same forecast with the means of some items, or of all, times a factor.

        The means are scaled, and paths then drawn from them as ever: whole units, and the days of a path move together
        by the same levels, which are drawn first and as shares of the mean. Chance from day to day grows with what is
        sold as it always does; to multiply the drawn paths would make it grow too far, and leave no whole units.
        """
        import numpy as np

        chosen = np.ones(len(self.item_ids), bool) if item_ids is None else np.isin(self.item_ids, list(item_ids))
        factors = np.where(chosen, factor, 1.0).astype(np.float32)
        return replace(self, forecast=replace(self.forecast, mean=self.forecast.mean * factors[:, None]))


def demand_paths(run: ForecastRun, item_id: int | None = None) -> DemandPaths:
    """The sample paths of a saved run: of all series, or of one item's alone."""
    import numpy as np

    from apps.forecasting.adapters import binary_copy
    from apps.forecasting.engine.forecast import Forecast
    from apps.forecasting.engine.grid import Grid

    grid = Grid(days=run.days, weeks=run.weeks)
    layout = {"item_id": ("bigint", 0), "location_id": ("bigint", 0), "mean": ("float8[]", grid.n_steps),
              "recipe": ("float8[]", 2)}
    statement = ("COPY (SELECT item_id, location_id, mean, recipe FROM forecasting_seriesforecast "
                 "WHERE tenant_id = %s AND run_id = %s AND (%s::bigint IS NULL OR item_id = %s) "
                 "ORDER BY item_id, location_id) TO STDOUT (FORMAT BINARY)")
    with (connection.cursor() as cursor,
          # the psycopg cursor itself: Django's wrapper that logs queries takes no parameters here
          cursor.cursor.copy(statement, [current_tenant_id(), run.pk, item_id, item_id]) as copy):
        found = binary_copy.from_bytes(b"".join(bytes(block) for block in copy), layout)
    unique_ids = np.char.add(np.char.add(found["item_id"].astype(str), "/"), found["location_id"].astype(str))
    forecast = Forecast(
        model=run.model, unique_ids=unique_ids, cutoff=np.datetime64(run.known_through, "D"), grid=grid,
        mean=found["mean"].astype(np.float32), level_variance=found["recipe"][:, 0].astype(np.float32),
        day_dispersion=found["recipe"][:, 1].astype(np.float32),
        weekday_profile=np.array(run.weekday_profile, dtype=np.float32))
    return DemandPaths(run, forecast, found["item_id"], found["location_id"])


@dataclass(frozen=True)
class Step:
    """One day or one week of a forecast."""

    starts_on: dt.date
    days: int
    mean: float
    quantiles: dict[float, float]


@dataclass(frozen=True)
class SeriesView:
    """An item's forecast at one location, and how its model did on it in the last contest."""

    location_id: int
    steps: list[Step]
    backtest: ItemBacktest | None


@dataclass(frozen=True)
class ItemForecast:
    """An item's newest forecast; without series it sells too seldom to be forecast: it is ordered on request."""

    run: ForecastRun | None
    series: list[SeriesView]

    @property
    def is_on_request(self) -> bool:
        return self.run is not None and not self.series


def item_forecast(item_id: int, run: ForecastRun | None = None) -> ItemForecast:
    """What the newest forecast (or `run`) says of an item, location by location."""
    run = run or latest_run()
    if run is None:
        return ItemForecast(None, [])
    saved = SeriesForecast.objects.filter(run=run, item_id=item_id).order_by("location_id")
    newest = latest_backtest()
    scored = {row.location_id: row for row in ItemBacktest.objects.filter(backtest=newest, item_id=item_id)
              } if newest else {}
    return ItemForecast(run, [SeriesView(row.location_id, steps_of(run, row), scored.get(row.location_id))
                              for row in saved])


def steps_of(run: ForecastRun, row: SeriesForecast) -> list[Step]:
    starts_on, steps, lengths = run.as_of, [], run.step_days
    for place, days in enumerate(lengths):
        bands = {level: row.quantiles[order * len(lengths) + place] for order, level in enumerate(run.levels)}
        steps.append(Step(starts_on, days, row.mean[place], bands))
        starts_on += dt.timedelta(days=days)
    return steps


def backtests() -> QuerySet[Backtest]:
    """Contests, newest first."""
    return Backtest.objects.order_by("-as_of", "-pk")


def contests() -> QuerySet[Backtest]:
    """Contests, newest first, with where their champions err and without the rest of the report, which is long."""
    return backtests().defer("report", "verdict").annotate(
        by_weekday=KeyTransform("by_weekday", "report"), worst_items=KeyTransform("worst_items", "report"))


def latest_backtest(as_of: dt.date | None = None) -> Backtest | None:
    """The newest contest, or the newest one held on or before `as_of`."""
    return (backtests().filter(as_of__lte=as_of) if as_of else backtests()).first()


def latest_tuning(model: str) -> Tuning | None:
    """The newest search for better settings of a model."""
    return Tuning.objects.filter(model=model).order_by("-as_of", "-pk").first()


def tuned_parameters(model: str) -> dict[str, Any]:
    """What contests make a model with beside its defaults: what the newest search kept."""
    found = latest_tuning(model)
    return found.parameters if found else {}


def newest_series() -> QuerySet[SeriesForecast]:
    """The forecasts of the newest run, series by series, with their run; none before the first."""
    run = latest_run()
    found = SeriesForecast.objects.filter(run=run) if run else SeriesForecast.objects.none()
    return found.select_related("run")


def model_in_use(as_of: dt.date | None = None) -> str:
    """The name of the engine's model that forecasts are made with: the champion's, else the newest forecast's."""
    from apps.forecasting.engine.models import FALLBACK

    champion = registry.champion(DEMAND)
    if champion is not None:
        return champion.model
    run = latest_run(as_of)
    return run.model if run is not None and run.series else FALLBACK


SUM_WEEKS = 4  # that figures of kinds of item are of; sales are told of as many


@dataclass(frozen=True)
class KindRow:
    """A kind of item on the page of demand: what it sold over the last weeks and is forecast to sell in the next."""

    kind: KindForecast
    title: str
    is_split: bool

    @property
    def sold(self) -> float | None:
        """Units of the last SUM_WEEKS weeks; None where less is known."""
        past = self.kind.past
        return sum(past[-SUM_WEEKS:]) if len(past) >= SUM_WEEKS else None

    @property
    def change(self) -> float | None:
        """Share by which the next weeks are forecast to sell more than the last ones sold."""
        return self.kind.units / self.sold - 1 if self.sold else None

    @property
    def line(self) -> list[float]:
        return [*self.kind.past, *self.kind.mean[:SUM_WEEKS]]


@dataclass(frozen=True)
class DemandPage:
    """The forecast of the shop or of one department, and of the kinds of item it is the sum of."""

    run: ForecastRun
    whole: KindRow
    parts: list[KindRow]
    chart: dict[str, Any]
    judged: dict[str, Any] | None


class NoSuchKind(LookupError):
    """No item that is forecast is of this kind."""


def kinds() -> QuerySet[KindForecast]:
    """What the newest run forecasts of the shop and of each kind of item."""
    run = latest_run()
    return KindForecast.objects.filter(run=run).select_related("run") if run else KindForecast.objects.none()


def demand_page(department: str | None = None) -> DemandPage | None:
    """The whole shop's demand, or a department's; None before the first forecast. Raises NoSuchKind."""
    level = KindForecast.Level
    found = list(kinds())
    if not found:
        return None
    by_name = {(kind.level, kind.name): kind for kind in found}
    whole = by_name.get((level.SHOP, "") if department is None else (level.DEPARTMENT, department))
    if whole is None:
        raise NoSuchKind
    below: dict[str, list[KindForecast]] = {}
    for kind in found:
        if kind.level == level.CATEGORY:
            below.setdefault(kind.name.partition(" > ")[0], []).append(kind)
    parts = [kind for kind in found if kind.level == level.DEPARTMENT] if department is None else below[department]
    rows = [KindRow(kind, kind_title(kind), kind.level == level.DEPARTMENT and len(below[kind.name]) > 1)
            for kind in sorted(parts, key=lambda kind: (-(kind.money or 0), -kind.units, kind.name))]
    contest = latest_backtest()
    judged = next((row for row in (
        contest.report.get("levels", ()) if contest and contest.champion == whole.run.model else ())
                   if row["level"] == whole.level and row["sum_wape"] is not None), None)
    return DemandPage(whole.run, KindRow(whole, kind_title(whole), False), rows if len(rows) > 1 else [],
                      _demand_chart(whole), judged)


def kind_title(kind: KindForecast) -> str:
    """What people call a kind of item."""
    if kind.level == KindForecast.Level.SHOP:
        return gettext("The whole shop")
    return kind.name.rpartition(" > ")[2] or gettext("Without a category")


def _demand_chart(kind: KindForecast) -> dict[str, Any]:
    first = kind.run.as_of
    weeks = [first + dt.timedelta(weeks=n) for n in range(-len(kind.past), len(kind.mean))]
    before, after = [None] * len(kind.past), [None] * len(kind.mean)
    return {
        "x": [week.isoformat() for week in weeks], "unit": "units", "x_label": gettext("Week from"),
        "y_label": gettext("units a week"),
        "markers": [{"x": first.isoformat(), "label": gettext("from here on forecast")}],
        "bands": [{"name": gettext("80% band"), "low": [*before, *kind.low], "high": [*before, *kind.high]}],
        "series": [{"name": gettext("Sold"), "values": [*kind.past, *after]},
                   {"name": gettext("Forecast"), "style": "dashed", "values": [*before, *kind.mean]}]}


VERSIONS_SHOWN = 20
CHANGES_SHOWN = 20
CONTEST_CATEGORIES_SHOWN = 15
BAND = 0.8  # the band whose honesty is told cell by cell
BAND_MAY_MISS = 0.05
HEAT_CATEGORIES_SHOWN = 12
HEAT_STEPS = (0.1, 0.25, 0.5)  # from how far off on a cell is coloured, and coloured more


def band_verdict(held: float, sums: float) -> str:
    """Whether the 80 % band is honest, too narrow or too wide, beyond what chance does to the share of so many sums."""
    margin = max(BAND_MAY_MISS, 2 * (BAND * (1 - BAND) / sums) ** 0.5)
    return "honest" if abs(held - BAND) <= margin else "narrow" if held < BAND else "wide"


@dataclass(frozen=True)
class Heat:
    """One cell of a map of errors: what was missed and how far off it was in sum, as shares of units sold.

    The shares are None where nothing was sold, or nothing was scored. `step` is its colour: below zero where too little
    was foretold, above where too much, up to three either way.
    """

    sold: float
    foretold: float
    missed: float | None = None
    off: float | None = None

    @property
    def step(self) -> int:
        far = sum(round(abs(self.off or 0), 2) >= bound for bound in HEAT_STEPS)  # as the figure beside it says
        return -far if (self.off or 0) < 0 else far


@dataclass(frozen=True)
class HeatRow:
    """A row of a map of errors: its cells, and all of them together."""

    title: str
    cells: list[Heat]
    total: Heat
    item_id: int | None = None
    place: str = ""
    money: float | None = None


def heat_of(units: float, missed: float, error: float, usual: float | None = None) -> Heat:
    """A cell from what was sold, missed and foretold too high; shares of `usual` units where that is given."""
    whole = units if usual is None else usual
    return Heat(units, units + error, missed / whole if whole > 0 else None, error / whole if whole > 0 else None)


def weekday_rows(by_weekday: list[dict[str, Any]]) -> list[HeatRow]:
    """The largest categories, all others together, and at last everything, Monday to Sunday."""
    if not by_weekday:
        return []

    def row(title: str, parts: list[dict[str, Any]]) -> HeatRow:
        sums = [[sum(values) for values in zip(*(part[name] for part in parts), strict=True)]
                for name in ("units", "missed", "error")]
        return HeatRow(title, [heat_of(*cell) for cell in zip(*sums, strict=True)], heat_of(*map(sum, sums)))

    shown, others = by_weekday[:HEAT_CATEGORIES_SHOWN], by_weekday[HEAT_CATEGORIES_SHOWN:]
    rows = [row(part["segment"].split(" > ")[-1] or gettext("without a category"), [part]) for part in shown]
    if others:
        rows.append(row(ngettext("%(n)d other kind", "%(n)d other kinds", len(others)) % {"n": len(others)}, others))
    return [*rows, row(gettext("All kinds"), by_weekday)]


def item_rows(worst: dict[str, Any]) -> list[HeatRow]:
    """The items whose errors cost the most, week by week: what was foretold beside a usual week of the item.

    A usual week is what it sold in the mean of these weeks, so the mean of the cells is how far off all of them were.
    """
    found = catalog.items_by_id([row["item_id"] for row in worst["rows"]]) if worst["rows"] else {}
    several = len({row["location_id"] for row in worst["rows"]}) > 1
    places = {place.pk: place.name for place in catalog.locations()} if several else {}
    rows = []
    for told in worst["rows"]:
        weeks = [None if sold is None else (sold, foretold - sold)
                 for sold, foretold in zip(told["sold"], told["foretold"], strict=True)]
        scored = [week for week in weeks if week is not None]
        units, missed = sum(sold for sold, _error in scored), sum(abs(error) for _sold, error in scored)
        usual = units / len(scored)
        if told["item_id"] in found:
            rows.append(HeatRow(
                title=str(found[told["item_id"]]), item_id=told["item_id"], place=places.get(told["location_id"], ""),
                cells=[heat_of(week[0], abs(week[1]), week[1], usual) if week else Heat(0.0, 0.0) for week in weeks],
                total=heat_of(units, missed, sum(error for _sold, error in scored)),
                money=None if told["price"] is None else missed * told["price"]))
    return rows


@dataclass(frozen=True)
class ModelsPage:
    """What the models page shows."""

    versions: list[ModelVersion]
    champion: ModelVersion | None
    challenger: ModelVersion | None
    earlier: ModelVersion | None
    changes: list[AliasChange]
    contest: Backtest | None
    charts: dict[str, dict[str, Any]]
    weekdays: list[HeatRow]
    worst_items: list[HeatRow]
    tuning: Tuning | None

    @property
    def leaderboard(self) -> list[dict[str, Any]]:
        """The models of the last contest, the best first, by scaled pinball loss of two-week sums.

        One that was scored at fewer origins than the others is not compared with their means: it stands below them.
        """
        report = self.contest.report if self.contest else {"models": [], "cutoffs": []}
        origins = len(report["cutoffs"])
        return sorted(report["models"], key=lambda row: (
            len(row["by_cutoff"]) < origins, row["metrics"]["scaled_pinball"]))

    @property
    def published(self) -> list[dict[str, Any]]:
        """Scores at the one cutoff that chose nothing, of the models that were scored there."""
        day_told = self.contest.verdict["published_on"] if self.contest else None
        scored = [{"name": row["name"], "is_champion": row["is_champion"], **row["by_cutoff"][day_told]}
                  for row in self.leaderboard if day_told in row["by_cutoff"]]
        return sorted(scored, key=lambda row: row["scaled_pinball"])

    @property
    def cells(self) -> list[tuple[str, list[dict[str, Any] | None]]]:
        """The champion's 80 % band in each cell: rows by money, in them X, Y and Z; None where there are too few sums.

        Nothing for a contest that was held before cells were scored.
        """
        found = {row["segment"]: row["values"].get(self.contest.champion)
                 for row in self.contest.report.get("by_cell", [])} if self.contest else {}
        told = {cell: {**values, "verdict": band_verdict(values["coverage_80"], values["sums"])}
                for cell, values in found.items() if values}
        return [(money, [told.get(money + varied) for varied in "XYZ"]) for money in "ABC"] if told else []

    @property
    def ways(self) -> list[dict[str, Any]]:
        """The champion beside the best simple model, by how items sell; nothing of an earlier kind of contest."""
        if self.contest is None:
            return []
        champion, best = self.contest.champion, self.contest.verdict["best_baseline"]
        order = ["smooth", "erratic", "intermittent", "lumpy", "young"]
        rows = sorted(self.contest.report.get("by_demand", []), key=lambda row: order.index(row["segment"]))
        return [{"segment": row["segment"], "series": round(row["series"]), **row["values"][champion],
                 "simple": row["values"].get(best) if best != champion else None}
                for row in rows if champion in row["values"]]

    @property
    def promotion_days(self) -> list[dict[str, Any]]:
        """The champion, and the best simple model, on days with a promotion and on all others; often nothing."""
        if self.contest is None:
            return []
        champion, best = self.contest.champion, self.contest.verdict["best_baseline"]
        return [{"segment": row["segment"], "units": row["units"], **row["values"][champion],
                 "simple_wape": row["values"].get(best, {}).get("wape") if best != champion else None}
                for row in self.contest.report.get("by_promotion", []) if champion in row["values"]]

    @property
    def weekday_names(self) -> list[Any]:
        """Monday to Sunday, short."""
        return list(WEEKDAYS_ABBR.values())

    @property
    def weekday_shares(self) -> list[dict[str, float | None]]:
        """The shares missed that the map of weekdays shows."""
        return [{"wape": cell.missed} for row in self.weekdays for cell in (*row.cells, row.total)]

    @property
    def stages(self) -> list[tuple[str, float]]:
        """How long each stage of the last contest took, those of models that were added to it later included."""
        titles = {"read": gettext("reading what was sold"), "cheap models": gettext("simple models, all origins"),
                  "lightgbm": gettext("LightGBM, all origins"), "final fit": gettext("final fit"),
                  "final fit and ablation": gettext("final fit, and what promotions are worth"),
                  "signals": gettext("what signals are worth"),
                  "keras_lstm": gettext("the last origin")}

        def title(stage: str) -> str:
            model, _colon, part = stage.rpartition(": ")
            return f"{model_title(model)}: {titles.get(part, part)}" if model else titles.get(part, part)

        return [(title(stage), seconds) for stage, seconds in self.contest.report["seconds"].items()
                ] if self.contest else []

    @property
    def seconds(self) -> float:
        """How long all stages took together."""
        return sum(seconds for _stage, seconds in self.stages)

    @property
    def origins_behind(self) -> list[dict[str, Any]]:
        """The origins at which the champion did not beat the best simple model, by its share missed."""
        rows = self.contest.report["beside"] if self.contest else []
        return [row for row in rows if row["metric"] == "sum_wape" and not row["is_better"]
                and row["baseline"] != (self.contest.champion if self.contest else "")]

    @property
    def is_simple(self) -> bool:
        """Whether the champion is itself a simple model."""
        return any(row["is_champion"] and row["is_baseline"] for row in self.leaderboard)


def models_page() -> ModelsPage:
    """The registry's versions and the last contest: a query for each kind of thing."""
    aliases = registry.aliased_versions(DEMAND)
    contest = latest_backtest()
    report = contest.report if contest else {}
    return ModelsPage(
        versions=list(registry.versions(DEMAND)[:VERSIONS_SHOWN]), champion=aliases.get("champion"),
        challenger=aliases.get("challenger"), earlier=registry.earlier_version(DEMAND), contest=contest,
        changes=list(registry.alias_changes(DEMAND)[:CHANGES_SHOWN]),
        charts=_contest_charts(contest) if contest and contest.report["models"] else {},
        weekdays=weekday_rows(report.get("by_weekday", [])),
        worst_items=item_rows(report.get("worst_items", {"rows": []})), tuning=latest_tuning(TUNED))


def _contest_charts(contest: Backtest) -> dict[str, dict[str, Any]]:
    report = contest.report
    rows = sorted(report["models"], key=lambda row: not row["is_champion"])  # the champion in the first colour
    names = [row["name"] for row in rows]
    categories = report["by_category"][:CONTEST_CATEGORIES_SHOWN]
    weeks = sorted(report["by_week"], key=lambda row: int(row["segment"]))
    charts = {
        "cutoffs": {
            "x": report["cutoffs"], "unit": "share", "x_label": gettext("As known on"),
            "y_label": gettext("missed, share of units sold"),
            "series": [{"name": model_title(row["name"]), "style": "solid" if row["is_champion"] else "dashed",
                        "values": [row["by_cutoff"].get(day, {}).get("sum_wape") for day in report["cutoffs"]]}
                       for row in rows]},
        "calibration": {
            "series": [{"name": model_title(row["name"]), "points": row["calibration"]} for row in rows],
            "x_label": gettext("Share that a band should hold"), "y_label": gettext("Share that it held")},
        "weeks": {
            "x": [gettext("week %(n)s") % {"n": row["segment"]} for row in weeks], "unit": "share",
            "x_label": gettext("Weeks ahead"),
            "series": [{"name": model_title(name), "style": "line",
                        "values": [row["values"].get(name) for row in weeks]} for name in names]},
        "categories": {
            "x": [row["segment"].split(" > ")[-1] or gettext("without a category") for row in categories],
            "unit": "share",
            "horizontal": True,
            "series": [{"name": model_title(name), "values": [row["values"].get(name) for row in categories]}
                       for name in dict.fromkeys([contest.champion, contest.verdict["best_baseline"]])]},
    }
    return {name: chart for name, chart in charts.items() if chart.get("x", [1])}
