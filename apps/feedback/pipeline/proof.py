"""The proof in money: the last 13 weeks lived twice, by this advice and by the rule that most stores use."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.feedback import selectors, services
from apps.feedback.pipeline import scores
from apps.feedback.pipeline.shop import Shop, shop_of, steady_stock
from apps.feedback.selectors import PROOF_HISTORY_WEEKS as HISTORY_WEEKS
from apps.feedback.selectors import PROOF_WEEKS as WEEKS
from apps.forecasting import selectors as forecasting
from apps.forecasting.engine import models
from apps.forecasting.engine.base import Forecaster, Grid, Panel
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.newcomers import with_newcomers
from apps.jobs.running import Running
from apps.optimization.engine.demand import Demand, DrawnDemand
from apps.optimization.engine.policies import Planned, SalesTimesLeadTime, View
from apps.optimization.engine.simulate import Difference, Replay, difference, replay
from apps.sales import selectors as sales
from apps.tenants.scope import tenant_context

REFIT_DAYS = 49
PATHS = 60
SEED = 1
FRESH_DAYS = 7  # a proof this young is not made again at night


def prove_tenant(running: Running) -> dict[str, Any]:
    """Replay the last weeks, as of the day asked for, and save what came of it."""
    started = time.perf_counter()
    as_of = dt.date.fromisoformat(running.input["as_of"])
    with tenant_context(running.tenant_id):
        newest = selectors.latest_proof(as_of)
        if newest is not None and (as_of - newest.as_of).days < FRESH_DAYS and not running.input.get("anew"):
            return {"proof": newest.pk, "kept": True}
        running.progress(0.02, _("Reading sales, prices and terms"))
        known = forecasting.known_history(as_of)
        terms = sales.earning_terms(as_of)
        model = forecasting.model_in_use()
    panel = known.panel()
    shop = shop_of(panel, terms)
    missing = what_is_missing(panel, shop, WEEKS + HISTORY_WEEKS)
    if missing:  # a night goes on without a proof
        return {"proof": None, "note": missing}
    report, found = prove(shop, model, known.grid(), running.part(0.05, 0.95))
    with tenant_context(running.tenant_id):
        running.hold()
        proof = services.save_proof(as_of=as_of, report=report, gain=money(found.money), gain_low=money(found.low),
                                    gain_high=money(found.high), seconds=time.perf_counter() - started)
    return {"proof": proof.pk, "gain": found.money, "low": found.low, "high": found.high, "seconds": proof.seconds}


def what_is_missing(panel: Panel, shop: Shop, weeks: int) -> str:
    """Why nothing can be replayed, in a plain sentence; empty where it can."""
    if not panel.n_series:
        return _("No item sells often enough to be planned: there is nothing to replay.")
    if panel.n_days < weeks * WEEK:
        return ngettext("A replay needs %(needed)d weeks of sales and there is %(there)d.",
                        "A replay needs %(needed)d weeks of sales and there are %(there)d.", panel.n_days // WEEK) % {
            "needed": weeks, "there": panel.n_days // WEEK}
    if not len(shop.items):
        return _("No planned item has both a cost and a price: without them nothing can be said in money.")
    return ""


def money(amount: float) -> Decimal:
    return Decimal(f"{amount:.2f}")


def prove(shop: Shop, model: str, grid: Grid, on_progress: Callable[[float, str], None],
          weeks: int = WEEKS) -> tuple[dict[str, Any], Difference]:
    """Both sides through the same demand, with the same opening stock and lead times: (report, difference)."""
    first = shop.panel.n_days - weeks * WEEK
    before = shop.panel.upto(shop.panel.dates[first - 1])
    items = shop.items.assign(on_hand=steady_stock(shop, before))
    demand, history = shop.units(first), shop.units(0)[:, :first]
    advice = Advice(shop, model, grid, first, weeks, on_progress)
    ours = replay(items, None, demand, Planned(advice.demand, limits=shop.limits, seed=SEED), history=history,
                  seed=SEED)
    on_progress(0.97, _("Living the same weeks by the simple rule"))
    theirs = replay(items, None, demand, SalesTimesLeadTime(), history=history, seed=SEED)
    found = difference(ours, theirs, groups=scores.departments(shop.panel).astype(object), seed=SEED)
    return account(shop, ours, theirs, found, model, first), found


@dataclass
class Advice:
    """Forecasts for one side of the replay, from what that side could know: its own sales, and its own empty shelves.

    What was sold on a day that ended with an empty shelf is the least that was asked for, and one without stock is
    unknown. The model is fitted anew
    every seven weeks, never on a day that has not come yet.
    """

    shop: Shop
    model: str
    grid: Grid
    first: int
    weeks: int
    on_progress: Callable[[float, str], None]
    fitted: Forecaster | None = field(default=None, init=False)
    fitted_on: int = field(default=-REFIT_DAYS, init=False)

    def demand(self, view: View) -> Demand:
        self.on_progress(0.95 * view.day / (self.weeks * WEEK), _("Living week %(week)d of %(weeks)d by our advice")
                         % {"week": view.day // WEEK + 1, "weeks": self.weeks})
        known = as_lived(self.shop.panel, self.first, view)
        if self.fitted is None or view.day - self.fitted_on >= REFIT_DAYS:
            self.fitted, _note = models.fit_or_fall_back(models.make(self.model), known)
            self.fitted_on = view.day
        forecast = with_newcomers(self.fitted.predict(self.grid, known), known)

        def draw(rows: np.ndarray, days: int) -> np.ndarray:
            return forecast.paths(rows, PATHS, SEED, days)

        return DrawnDemand(draw, PATHS, self.grid.horizon_days)


def as_lived(panel: Panel, first: int, view: View) -> Panel:
    """The panel as the replayed shop knows it on a morning: history, then its own sales, and where it was sold out."""
    known = panel.upto(panel.dates[first + view.day - 1])
    sold, available = known.recorded.copy(), known.available.copy()
    sold_out = np.zeros(known.y.shape, dtype=bool) if known.sold_out is None else ~np.isnan(known.sold_out)
    lived = slice(first, first + view.day)
    sold[:, lived] = view.sold[:, lived]
    available[:, lived] = known.available[:, lived] > 0
    sold_out[:, lived] = view.sold_out
    return known.with_sales(sold, available, sold_out)


def break_even(gain: float, sides: dict[str, dict[str, Any]]) -> float | None:
    """The share of its cost that closing stock must be worth for the two sides to come out even.

    None where that share does not lie between nothing and all of it: then the verdict does not turn on it.
    """
    more = sides["ours"]["closing_value"] - sides["rule"]["closing_value"]
    share = 1 - gain / more if more else -1.0
    return round(share, 4) if 0 <= share <= 1 else None


def account(shop: Shop, ours: Replay, theirs: Replay, found: Difference, model: str, first: int) -> dict[str, Any]:
    """The report of a proof: both sides' totals and weeks, what differs, and the verdict in a sentence."""
    sides = {}
    for name, side in (("ours", ours), ("rule", theirs)):
        sides[name] = {**side.totals(), "opening_value": float((side.opening_stock * shop.items["unit_cost"]).sum()),
                       "by_week": side.measures["profit"].sum(axis=0).round(2).tolist(),
                       "lost_by_week": side.measures["lost"].sum(axis=0).tolist()}
    starts_on = shop.panel.dates[first]
    return {
        **sides, "weeks": ours.weeks, "starts_on": str(starts_on), "ends_on": str(shop.panel.cutoff),
        "week_starts": [str(starts_on + np.timedelta64(week * WEEK, "D")) for week in range(ours.weeks)],
        "items": len(shop.items), "left_out": shop.left_out, "model": model, "paths": PATHS,
        "break_even_share": break_even(found.money, sides),
        "gain": found.money, "low": found.low, "high": found.high, "level": found.level,
        "verdict": "ours" if found.low > 0 else "rule" if found.high < 0 else "unclear",
        "assumptions": [
            _("Both sides start with the same stock: what lasts for lead time and review period at the pace of the "
              "eight weeks before."),
            _("The same demand meets both; what stock cannot serve is lost. Lead times are drawn once, for both."),
            _("The simple rule orders up to the last 30 days' sales per day times lead time and review period; it is "
              "not held to suppliers' minimum order values, this advice is."),
            _("Stock left at the end is worth what it cost; holding stock costs what the planning rules say."),
            _("With hindsight, for both sides: the items that are planned today, and today's costs and terms, stand "
              "for the past weeks too; a unit sold brings what customers paid on average in the last 13 weeks. The "
              "kind of model is the one in use today, which those weeks helped to choose."),
            _("The interval draws departments and weeks anew 2,000 times, the same for both sides."),
        ],
    }
