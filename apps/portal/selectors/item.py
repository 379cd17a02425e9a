"""One item: what it sold, what it will sell, how its stock will run, and why this much is advised."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from apps.catalog.models import Item
from apps.catalog.selectors import terms_of_items
from apps.forecasting.models import ForecastRun, ItemBacktest, ItemPair, ItemShape, SeriesForecast
from apps.forecasting.selectors import Why, demand_paths, latest_run, new_item_words, part_words, why_of
from apps.inventory.models import PurchaseOrder, PurchaseOrderLine
from apps.inventory.selectors import FIRM_STATUSES, UNSENT_STATUSES, open_lines_of_item
from apps.optimization.models import Decision, Plan, Recommendation
from apps.portal.models import ItemSummary
from apps.sales.models import Promotion
from apps.sales.selectors import PAID_PRICES, out_days_sql
from apps.tenants.scope import current_tenant_id

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAYS_BACK = 91
WEEKS_BACK = 52
PACE_WEEKS = 26  # what sells a week is told of so many, or of all that are known
SHOWN_DAYS = 84
DAILY_FROM_WEEKLY_UNITS = 7.0  # what sells less than one a day is charted by the week
PATHS = 300
LEAST_TOLD = 0.02  # of a forecast: what moves it by less is left out of its drawing
PAIRS_SHOWN = 5
LEVELS = (0.025, 0.10, 0.90, 0.975)


@dataclass(frozen=True)
class EmptyShelf:
    """How many of the `days` before an item's newest forecast it had run out on, and what was not sold for that."""

    days: int
    days_out: int
    days_sold_out: int
    lost: float
    low: float
    high: float


@dataclass(frozen=True)
class ItemPage:
    """Everything on the page of one item."""

    item: Item
    summary: ItemSummary | None
    term: dict[str, Any] | None
    paid_price: float | None
    stock: list[dict[str, Any]]
    advice: list[Recommendation]
    """What the newest plan advises of it, each with the `decided_units` of the last decision on it."""
    run: ForecastRun | None
    why: Why | None
    empty_shelf: EmptyShelf | None
    basis: str
    """What the forecast of a new item is made of, in a sentence."""
    is_on_request: bool
    backtest: ItemBacktest | None
    coming: list[PurchaseOrderLine]
    promotions: list[Promotion]
    is_weekly: bool
    weeks: int
    sales: dict[str, Any] | None
    projection: dict[str, Any] | None
    ends_at: str
    """The place where stock ends first, of several: how long it lasts is told of that one, and so is the projection."""

    pairs: list[ItemPair]
    shapes: list[ItemShape]

    @property
    def bought_with(self) -> list[ItemPair]:
        return [pair for pair in self.pairs if pair.relation == ItemPair.Relation.WITH]

    @property
    def bought_instead(self) -> list[ItemPair]:
        return [pair for pair in self.pairs if pair.relation == ItemPair.Relation.INSTEAD]

    @property
    def is_half_a_year(self) -> bool:
        return self.weeks == PACE_WEEKS

    @property
    def month_price(self) -> float | None:
        """What each of the units of 28 days brought, so that both figures multiply; None where they brought nothing."""
        sold = self.summary
        return sold.revenue_28d / sold.units_28d if sold and sold.units_28d > 0 and sold.revenue_28d > 0 else None

    @property
    def is_below_cost(self) -> bool:
        """Whether one sold brings no more than it costs."""
        cost = self.term["unit_cost"] if self.term else None
        brings = self.paid_price or (self.term["price"] if self.term else None)
        return cost is not None and brings is not None and float(brings) <= float(cost)

    @property
    def on_hand(self) -> float:
        return float(sum(level["on_hand"] for level in self.stock))

    @property
    def on_order(self) -> float:
        return _rest(self.coming)

    @property
    def unsent(self) -> float:
        """How much of what is on order no supplier knows of yet."""
        return _rest([line for line in self.coming if line.order.status in UNSENT_STATUSES])

    @property
    def drafted(self) -> float:
        """How much of it nobody has approved."""
        return _rest([line for line in self.coming if line.order.status == PurchaseOrder.Status.DRAFT])

    @property
    def to_send(self) -> float:
        """How much of it was approved, and waits to be sent."""
        return self.unsent - self.drafted

    @property
    def next_on(self) -> dt.date | None:
        """The first day on which something is owed by a supplier who has the order."""
        return next((line.due_on for line in self.coming  # type: ignore[attr-defined]
                     if line.order.status not in UNSENT_STATUSES), None)

    @property
    def to_decide(self) -> int:
        """What is advised and nobody has decided on yet."""
        return sum(line.quantity for line in self.advice if line.state == Recommendation.State.OPEN)

    @property
    def why_chart(self) -> dict[str, Any] | None:
        """Why the next days are forecast as they are; what hardly moves the forecast is drawn as one."""
        if self.why is None:
            return None
        told = {"usual": self.why.usual, **self.why.parts}
        least = LEAST_TOLD * max(self.why.total, 1.0)
        shown = {name: value for name, value in told.items() if name == "usual" or abs(value) >= least}
        rest = self.why.total - sum(shown.values())
        steps = [{"label": part_words(name)[0], "note": part_words(name)[1], "kind": "part", "value": round(value, 2)}
                 for name, value in shown.items()]
        if len(shown) < len(told) and round(rest, 2):
            steps.append({"label": _("All else"), "note": _("Several small parts together."), "kind": "part",
                          "value": round(rest, 2)})
        return {"steps": [*steps, {"label": _("Forecast"), "value": round(self.why.total, 2), "kind": "total"}],
                "unit": "units"}

    @property
    def stock_badge(self) -> str:
        return "simulated" if any(level["origin"] == "simulated" for level in self.stock) else ""


def _rest(lines: Sequence[PurchaseOrderLine]) -> float:
    return float(sum(line.quantity - line.received_quantity for line in lines))


def item_page(item_id: int, as_of: dt.date) -> ItemPage | None:
    """Read an item and all that is known about it, in a fixed number of queries, however much it sold."""
    summary = ItemSummary.objects.select_related("item").filter(item_id=item_id).first()
    item = summary.item if summary else Item.objects.filter(pk=item_id).first()
    if item is None:
        return None
    newest = Plan.objects.filter(is_replay=False).order_by("-as_of", "-pk").values("pk")[:1]
    advice = list(Recommendation.objects.filter(plan_id=Subquery(newest), item=item).order_by("location_id")
                  .select_related("plan", "supplier", "location").annotate(decided_units=Subquery(
                      Decision.objects.filter(recommendation=OuterRef("pk")).order_by("-pk").values("quantity")[:1])))
    is_weekly = summary is None or summary.weekly_units < DAILY_FROM_WEEKLY_UNITS
    facts = _item_facts(item.pk, as_of, DAYS_BACK if not is_weekly else 7 * WEEKS_BACK)
    newest_run = latest_run(as_of)
    rows = list(SeriesForecast.objects.filter(run=newest_run, item=item).only(
        "reasons", "lost_units", "lost_low", "lost_high", "similar_items")) if newest_run else []
    run = newest_run if rows else None
    coming = list(open_lines_of_item(item.pk, as_of))
    paths = _paths(run, item.pk, as_of) if run else {}
    promotions = [_promotion(each) for each in facts["promotions"]]
    at = _where_it_ends(summary, facts["stock"], paths)
    return ItemPage(
        item=item, summary=summary, term=terms_of_items([item.pk]).get(item.pk),
        paid_price=facts["paid_price"], stock=facts["stock"], advice=advice, run=run,
        why=why_of(run, rows) if run else None,
        empty_shelf=_empty_shelf(run, rows, facts["out"]) if run else None,
        basis=new_item_words(max((row.similar_items or 0 for row in rows), default=0)),
        is_on_request=newest_run is not None and not rows and item.status == Item.Status.ACTIVE,
        backtest=_backtest(item.pk) if summary else None, coming=coming,
        promotions=promotions, is_weekly=is_weekly, weeks=facts["weeks"],
        sales=_sales_chart(facts["days"], facts["today"], _total(paths), as_of, is_weekly, promotions,
                           [day for day, is_sold_out in facts["out"].items() if not is_sold_out]),
        projection=_projection(
            next((level["on_hand"] for level in facts["stock"] if level["location_id"] == at), None),
            [line for line in coming if line.order.location_id == at],
            _still_today(paths[at], facts["today_at"].get(str(at))) if at else None, as_of,
            [line for line in advice if line.location_id == at], summary.stockout_on if summary else None),
        ends_at=next((level["location"] for level in facts["stock"]
                      if level["location_id"] == at and len(facts["stock"]) > 1), ""),
        pairs=[_pair(each) for each in facts["pairs"]], shapes=[ItemShape(**each) for each in facts["shapes"]])


def _where_it_ends(summary: ItemSummary | None, stock: Sequence[dict[str, Any]],
                   paths: dict[int, NDArray[Any]]) -> int | None:
    """The place of which an item's run-out day is told: where its stock ends first, or the only one."""
    places = {level["location_id"] for level in stock} & set(paths)
    told = summary.lasts_at if summary else None
    return told if told in places else places.pop() if len(places) == 1 else None


def _backtest(item_id: int) -> ItemBacktest | None:
    return (ItemBacktest.objects.filter(item_id=item_id).select_related("backtest")
            .order_by("-backtest__as_of", "-backtest__pk").first())


_FACTS = f"""
SELECT (SELECT coalesce(json_agg(json_build_array(date, units) ORDER BY date), '[]') FROM (
            SELECT date, sum(units)::float8 AS units FROM sales_dailydemand
            WHERE tenant_id = %(tenant)s AND item_id = %(item)s AND date >= %(since)s AND date <= %(until)s
            GROUP BY date) sold),
       (SELECT coalesce(json_agg(json_build_object('location', place.name, 'location_id', place.id,
            'on_hand', level.on_hand::float8,
            'mode', level.mode, 'origin', level.origin, 'counted_at', level.counted_at) ORDER BY place.name), '[]')
        FROM inventory_stocklevel level JOIN catalog_location place
          ON place.tenant_id = level.tenant_id AND place.id = level.location_id
        WHERE level.tenant_id = %(tenant)s AND level.item_id = %(item)s),
       (SELECT coalesce(json_agg(json_build_object('kind', kind, 'starts_on', starts_on, 'ends_on', ends_on,
            'share', share, 'is_known_ahead', is_known_ahead) ORDER BY starts_on DESC), '[]') FROM (
            SELECT * FROM sales_promotion WHERE tenant_id = %(tenant)s AND item_id = %(item)s AND ends_on >= %(since)s
            ORDER BY starts_on DESC LIMIT 12) lately),
       (SELECT coalesce(json_object_agg(location_id, units::float8), '{{}}') FROM sales_dailydemand
        WHERE tenant_id = %(tenant)s AND item_id = %(item)s AND date = %(until)s),
       (SELECT min(date) FROM sales_dailydemand WHERE tenant_id = %(tenant)s AND item_id = %(item)s),
       (SELECT min(date) FROM sales_dailydemand WHERE tenant_id = %(tenant)s),
       (SELECT coalesce(json_object_agg(date, is_sold_out), '{{}}') FROM (
            SELECT date, bool_and(is_sold_out) AS is_sold_out FROM ({out_days_sql()}) found GROUP BY date) out_day),
       (SELECT paid_price::float8 FROM ({PAID_PRICES}) paid WHERE item_id = %(item)s),
       (SELECT coalesce(json_agg(json_build_object('other', json_build_object('id', other.id, 'sku', other.sku,
            'title', other.title), 'relation', pair.relation, 'orders', pair.orders, 'together', pair.together,
            'buyers', pair.buyers, 'switchers', pair.switchers, 'expected', pair.expected, 'surely', pair.surely)
            ORDER BY pair.relation, pair.place), '[]')
        FROM forecasting_itempair pair JOIN catalog_item other
          ON other.tenant_id = pair.tenant_id AND other.id = pair.other_id
        WHERE pair.tenant_id = %(tenant)s AND pair.item_id = %(item)s AND pair.place <= {PAIRS_SHOWN}),
       (SELECT coalesce(json_agg(json_build_object('cycle', cycle, 'kind', kind, 'first', first, 'last', last,
            'alike', alike) ORDER BY cycle), '[]')
        FROM forecasting_itemshape WHERE tenant_id = %(tenant)s AND item_id = %(item)s)
"""


def _item_facts(item_id: int, as_of: dt.date, days_back: int) -> dict[str, Any]:
    since = as_of - dt.timedelta(days=days_back)
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, {"tenant": current_tenant_id(), "item": item_id, "since": since, "until": as_of,
                                "as_of": as_of, "items": [item_id], "known_at": None})
        row = cursor.fetchone()
        assert row is not None
    sold, stock, promotions, today_at, first_on, begins_on, out, paid_price, pairs, shapes = row
    by_day = {dt.date.fromisoformat(day): float(units) for day, units in sold}
    first = max(since, first_on) if first_on else as_of
    days = [(first + dt.timedelta(days=n), by_day.get(first + dt.timedelta(days=n), 0.0))
            for n in range((as_of - first).days)]
    weeks = (as_of - begins_on).days // 7 if begins_on else 0
    return {"days": days, "today": by_day.get(as_of), "today_at": today_at, "stock": stock, "promotions": promotions,
            "out": {day: is_sold_out for day, is_sold_out in sorted(
                (dt.date.fromisoformat(day), is_sold_out) for day, is_sold_out in out.items()) if day >= first},
            "paid_price": paid_price, "pairs": pairs, "shapes": shapes, "weeks": min(max(weeks, 1), PACE_WEEKS)}


def _empty_shelf(run: ForecastRun, rows: Sequence[SeriesForecast], out: dict[dt.date, bool]) -> EmptyShelf | None:
    """What the newest forecast tells of the weeks before it; None where nothing was lost in them.

    out: the days on which the item had run out at one place at least, and whether it sold something before that.
    """
    since = run.as_of - dt.timedelta(days=SeriesForecast.LOST_DAYS)
    lately = [is_sold_out for day, is_sold_out in out.items() if since <= day < run.as_of]
    lost, low, high = (sum(getattr(row, name) or 0.0 for row in rows)
                       for name in ("lost_units", "lost_low", "lost_high"))
    if not lately or not lost:
        return None
    return EmptyShelf(SeriesForecast.LOST_DAYS, len(lately) - sum(lately), sum(lately), lost, low, high)


def _promotion(facts: dict[str, Any]) -> Promotion:
    return Promotion(**{**facts, "starts_on": dt.date.fromisoformat(facts["starts_on"]),
                        "ends_on": dt.date.fromisoformat(facts["ends_on"])})


def _pair(facts: dict[str, Any]) -> ItemPair:
    return ItemPair(**{**facts, "other": Item(**facts["other"])})


def _paths(run: ForecastRun, item_id: int, as_of: dt.date) -> dict[int, NDArray[Any]]:
    """Sample paths of the item at each of its places, from `as_of` on [paths, days]; none when they are used up."""
    import numpy as np

    drawn = demand_paths(run, item_id)
    late = (as_of - run.as_of).days
    if not len(drawn.item_ids) or late >= drawn.days:
        return {}
    days = min(drawn.days, late + SHOWN_DAYS)
    places = [int(unique_id.split("/")[1]) for unique_id in drawn.unique_ids.astype(str)]
    return dict(zip(places, drawn.paths(np.arange(len(places)), PATHS, days=days)[:, :, late:], strict=True))


def _total(paths: dict[int, NDArray[Any]]) -> NDArray[Any] | None:
    import numpy as np

    return np.sum(list(paths.values()), axis=0) if paths else None


def _still_today(paths: NDArray[Any] | None, sold: float | None) -> NDArray[Any] | None:
    """The paths of what is still asked for: of today what has not been sold yet."""
    import numpy as np

    if paths is None or not sold:
        return paths
    return np.column_stack([np.maximum(paths[:, 0] - sold, 0), paths[:, 1:]])


def _sales_chart(days: Sequence[tuple[dt.date, float]], sold_today: float | None, paths: NDArray[Any] | None,
                 as_of: dt.date, is_weekly: bool, promotions: Sequence[Promotion],
                 empty: Sequence[dt.date]) -> dict[str, Any] | None:
    """What was sold and what is expected, by day or by whole weeks that end with the day before `as_of`.

    What today has sold so far stands beside what the day, or its week, is expected to sell.
    """
    import numpy as np

    width = 7 if is_weekly else 1
    known = list(days)[len(days) % width:]
    sums = [(known[n][0], sum(units for _day, units in known[n:n + width])) for n in range(0, len(known), width)]
    ahead: list[tuple[dt.date, float, NDArray[Any]]] = []
    if paths is not None:
        count = paths.shape[1] // width
        grouped = paths[:, :count * width].reshape(len(paths), count, width).sum(axis=2)
        bands = np.quantile(grouped, LEVELS, axis=0)
        ahead = [(as_of + dt.timedelta(days=n * width), float(grouped[:, n].mean()), bands[:, n])
                 for n in range(count)]
    from_today = [day.isoformat() for day, _mean, _band in ahead]
    if sold_today is not None and not from_today:
        from_today = [as_of.isoformat()]
    if not sums and not from_today:
        return None
    x = [day.isoformat() for day, _units in sums] + from_today
    later: list[float | None] = [sold_today, *[None] * len(from_today)][:len(from_today)]
    gap: list[float | None] = [None] * len(sums)

    def band(low: int, high: int, name: str, opacity: float) -> dict[str, Any]:
        return {"name": name, "low": [*gap, *(round(float(each[2][low]), 2) for each in ahead)],
                "high": [*gap, *(round(float(each[2][high]), 2) for each in ahead)], "opacity": opacity}

    shaded = [(each.starts_on, each.ends_on, each.get_kind_display()) for each in promotions]
    chart: dict[str, Any] = {
        "x": x, "unit": "units", "x_label": _("Week from") if is_weekly else _("Day"),
        "y_label": _("units a week") if is_weekly else _("units a day"),
        "series": [{"name": _("sold"), "values": [units for _day, units in sums] + later,
                    "style": "bars", "tone": "muted"}],
        "bands": [], "markers": [], "spans": [
            *_spans(shaded, x, width, "azure"),
            *_spans([(*ends, _("out of stock")) for ends in _on_end(empty, width)], x, width, "danger")]}
    if from_today:
        chart["markers"] = [{"x": from_today[0], "label": _("today") if sold_today is None else _("today, so far")}]
    if ahead:
        chart["series"].append({"name": _("forecast"), "values": [*gap, *(round(each[1], 2) for each in ahead)],
                                "tone": "primary"})
        chart["bands"] = [band(0, 3, _("95% range"), 0.12), band(1, 2, _("80% range"), 0.2)]
    return chart


def _spans(periods: Sequence[tuple[dt.date, dt.date, str]], x: Sequence[str], width: int, tone: str
           ) -> list[dict[str, Any]]:
    """What is shaded for periods of a first day, a last one and a label: each step of the chart that they touch."""
    spans = []
    for starts_on, ends_on, label in periods:
        first = (starts_on - dt.timedelta(days=width - 1)).isoformat()
        inside = [day for day in x if first <= day <= ends_on.isoformat()]
        if inside:
            spans.append({"from": inside[0], "to": inside[-1], "tone": tone, "label": label})
    return spans


def _on_end(days: Sequence[dt.date], width: int) -> list[tuple[dt.date, dt.date]]:
    """The first and the last of days, given in order, that lie in steps of the chart on end."""
    found: list[tuple[dt.date, dt.date]] = []
    for day in days:
        if found and (day - found[-1][1]).days <= width:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def _projection(on_hand: float | None, coming: Sequence[PurchaseOrderLine], paths: NDArray[Any] | None,
                as_of: dt.date, advice: Sequence[Recommendation], stockout_on: dt.date | None) -> dict[str, Any] | None:
    """Stock at the close of each day along the sample paths, with what is on its way, and with what may yet be ordered.

    That is the advice, and what drafts hold.
    """
    import numpy as np

    if on_hand is None or paths is None:
        return None
    days = paths.shape[1]
    arrivals, drafted, advised = np.zeros((3, days))
    for line in coming:
        place = max((line.due_on - as_of).days, 0)  # type: ignore[attr-defined]
        if place < days:
            given = arrivals if line.order.status in FIRM_STATUSES else drafted
            given[place] += float(line.quantity - line.received_quantity)
    for each in advice:
        place = max((each.arrives_on - as_of).days, 0)
        if each.state == "open" and each.quantity and place < days:
            advised[place] += each.quantity

    def closing(incoming: NDArray[Any]) -> NDArray[Any]:
        level, kept = np.full(len(paths), float(max(on_hand, 0.0))), np.empty(paths.shape)
        for day in range(days):
            level = np.maximum(level + incoming[day] - paths[:, day], 0.0)
            kept[:, day] = level
        return kept

    without = closing(arrivals)
    low, high = np.quantile(without, (0.10, 0.90), axis=0)
    x = [(as_of + dt.timedelta(days=n)).isoformat() for n in range(days)]
    ends_on = stockout_on.isoformat() if stockout_on else ""
    chart: dict[str, Any] = {
        "x": x, "unit": "units", "x_label": _("Day"), "y_label": _("units at the close of the day"),
        "series": [{"name": _("with what is on its way"), "values": np.round(without.mean(axis=0), 1).tolist(),
                    "tone": "primary"}],
        "bands": [{"name": _("80% range"), "low": np.round(low, 1).tolist(), "high": np.round(high, 1).tolist(),
                   "tone": "primary", "opacity": 0.14}],
        "markers": [{"x": ends_on, "label": _("likely out"), "tone": "danger"}] if ends_on in x else []}
    if drafted.any() or advised.any():
        name = (_("with the draft") if not advised.any() else _("with the draft and the advised order")
                if drafted.any() else _("with the advised order"))
        chart["series"].append({"name": name, "style": "dashed", "tone": "azure", "values": np.round(
            closing(arrivals + drafted + advised).mean(axis=0), 1).tolist()})
    return chart

