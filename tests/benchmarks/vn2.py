"""The product's forecasts and decisions in the VN2 competition: 599 items by the week, sales lost, lead time two weeks.

DATA is a folder with `vn2`: sales and in_stock, .csv. `policy` has the competition's shape: before week t's demand is
known it decides what arrives two weeks later, and may know nothing later than the week before. Rules: an order a week
for six weeks, eight weeks in all, weeks 3 to 8 counted; .2 for a unit held at the end of a week, 1 for a unit lost.

Lead time, review period and costs are told; nothing else is set for this data. Where a window begins, the engine picks
the model (`auto`) and trains how dear a lost unit is taken to be, class by class, on the weeks before (`training.py`):
forecasts are too sure of themselves or not enough, and what a shortage costs is taken so that the past would have cost
least. `make bench-inventory DATA=folder` prints it beside the organiser's benchmark and plainer policies of ours.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apps.forecasting.engine.automatic import AUTO, BY_WEEK, fit_within
from apps.forecasting.engine.base import Forecaster, Panel
from apps.forecasting.engine.forecast import Forecast
from apps.forecasting.engine.grid import Grid
from apps.forecasting.engine.periods import Periods
from apps.optimization.engine.demand import Demand, Paths
from apps.optimization.engine.frames import Ints
from apps.optimization.engine.policies import WEEK, Planned, View
from apps.optimization.engine.replenish import plan
from apps.optimization.engine.training import Trainer, abc_xyz, windows_of

WINDOWS = (85, 93, 101, 109, 117)
ORDERS, WEEKS, LEAD_WEEKS, AHEAD = 6, 8, 2, 4
HOLDING, SHORTAGE = 0.2, 1.0
WINDOW_WEEKS, RUN_IN_WEEKS, TRAINED_ON = WEEKS - LEAD_WEEKS, LEAD_WEEKS, 4
CHOICES = (0.35, 0.5, 0.7, 1.4)
N_PATHS, SEED = 200, 1


@dataclass(frozen=True)
class WeeklyDemand:
    """Sample paths of weeks [n, P, AHEAD], told on the first day of each: what is left is then held all week.

    mean  [n, AHEAD] units a week
    """

    mean: Any
    weekly: Paths
    n_paths: int = N_PATHS
    days: int = AHEAD * WEEK

    @classmethod
    def of(cls, forecast: Forecast, rows: Ints) -> WeeklyDemand:
        drawn = forecast.paths(rows, N_PATHS, SEED, AHEAD * WEEK)
        return cls(forecast.mean[rows], drawn.reshape(len(rows), N_PATHS, AHEAD, WEEK).sum(axis=3, dtype=np.int32))

    def paths(self, rows: Ints, days: int) -> Paths:
        told = np.zeros((len(rows), self.n_paths, self.days), dtype=np.int32)
        told[:, :, ::WEEK] = self.weekly[rows]
        return told[:, :, :days]


@dataclass
class Shop:
    """What was known when a window began, and what was made of it."""

    sales: pd.DataFrame
    in_stock: pd.DataFrame
    model: str = AUTO
    is_trained: bool = True
    fitted: dict[int, Forecaster] = field(default_factory=dict)
    told: dict[int, WeeklyDemand] = field(default_factory=dict)
    shortage: Any = 1.0

    def __post_init__(self) -> None:
        self.ids = np.array([f"{store}/{product}" for store, product in self.sales.index])
        weeks = self.sales.shape[1]
        self.fitted[weeks], sentences = fit_within(
            self.panel(weeks), self.model, horizon_days=AHEAD * WEEK, members=BY_WEEK, seed=SEED
        )
        self.model = self.fitted[weeks].name
        self.story = [*sentences]
        if self.is_trained:
            self._train()

    def panel(self, weeks: int) -> Panel:
        """The first `weeks` weeks, each item from its first sale on; weeks without stock are not known."""
        units, stocked = (frame.iloc[:, :weeks].to_numpy(float) for frame in (self.sales, self.in_stock))
        begun = np.maximum.accumulate(units > 0, axis=1).reshape(-1)
        history = pd.DataFrame({
            "unique_id": np.repeat(self.ids, weeks), "ds": np.tile(self.sales.columns[:weeks], len(self.ids)),
            "y": units.reshape(-1), "available": stocked.reshape(-1)})[begun]
        periods = Periods.of(history, "W")
        return Panel.from_frames(
            periods.by_day(history, "history"), pd.DataFrame({"unique_id": self.ids}), cutoff=periods.cutoff,
            grid=periods.grid(AHEAD))

    def demand(self, weeks: int) -> WeeklyDemand:
        """What the newest model that was fitted by then foretells, `weeks` weeks known."""
        if weeks not in self.told:
            newest = max(known for known in self.fitted if known <= weeks)
            panel = self.panel(weeks)
            forecast = self.fitted[newest].predict(Grid(days=0, weeks=AHEAD), panel)
            self.told[weeks] = WeeklyDemand.of(forecast, pd.Index(panel.ids).get_indexer(pd.Index(self.ids)))
        return self.told[weeks]

    def items(self, on_hand: Any = 0) -> pd.DataFrame:
        """The items as the decision engine takes them."""
        return pd.DataFrame({
            "unique_id": self.ids, "supplier_id": "vn2", "on_hand": np.asarray(on_hand, dtype=np.int64),
            "unit_cost": 1.0, "price": 1.0 + SHORTAGE, "shortage_cost": SHORTAGE,
            "holding_cost_rate": HOLDING * 365 / WEEK,
            "lead_time_days": float(LEAD_WEEKS * WEEK), "lead_time_spread_days": 0.0, "review_period_days": WEEK,
            "moq": 1, "pack_size": 1})

    def _train(self) -> None:
        weeks = self.sales.shape[1]
        units = np.zeros((len(self.ids), weeks * WEEK), dtype=np.int64)
        units[:, ::WEEK] = np.rint(self.sales.to_numpy(float))
        windows = windows_of(weeks * WEEK, TRAINED_ON + 1, WINDOW_WEEKS * WEEK, RUN_IN_WEEKS * WEEK)
        for window in windows:
            known = window.first // WEEK
            self.fitted[known] = fit_within(self.panel(known), self.model, members=BY_WEEK, seed=SEED)[0]

        def foretold(view: View) -> Demand:
            return self.demand(view.sold.shape[1] // WEEK)

        classes = abc_xyz(np.ones(len(self.ids)), units)
        trainer = Trainer(self.items(np.zeros(len(self.ids))), units, classes,
                          lambda values: Planned(foretold, shortage=values), CHOICES, 1.0)
        verdict = trainer.validate(trainer.train(windows[:-1]), windows[-1])
        values = verdict.values
        self.shortage = np.array([values[name] for name in classes])
        by_window = [round(money) for money in [*verdict.trained.saved_by_window(), verdict.saved.money]]
        self.story.append(f"Shortages, best on the past: {verdict.trained.chosen}; saved by window {by_window}; "
                          f"{'kept' if verdict.is_kept else 'not kept'}.")

    def orders(self, sales: pd.DataFrame, in_stock: pd.DataFrame, end: Any, w1: Any, w2: Any) -> Ints:
        """What to order, with one more week known each time."""
        self.sales, self.in_stock = sales, in_stock
        weeks = sales.shape[1]
        if weeks not in self.fitted:
            self.fitted[weeks] = fit_within(self.panel(weeks), self.model, members=BY_WEEK, seed=SEED)[0]
        arrivals = pd.DataFrame({"unique_id": np.tile(self.ids, 2), "day": np.repeat([0, WEEK], len(self.ids)),
                                 "quantity": np.rint(np.concatenate([w1, w2])).astype(np.int64)})
        items = self.items(np.rint(end))
        made = plan(items.assign(shortage_cost=SHORTAGE * self.shortage), arrivals[arrivals["quantity"] > 0],
                    self.demand(weeks), seed=SEED)
        return made.lines["order_quantity"].to_numpy()


def policy_of(**settings: Any) -> Callable[..., Ints]:
    """A policy that begins anew with each window."""
    shops: list[Shop] = []

    def decide(t: int, sales: pd.DataFrame, in_stock: pd.DataFrame, end: Any, w1: Any, w2: Any) -> Ints:
        if t == 1:
            shops[:] = [Shop(sales, in_stock, **settings)]
            for sentence in shops[0].story:
                sys.stderr.write(f"{sentence}\n")
        return shops[0].orders(sales, in_stock, end, w1, w2)

    return decide


policy = policy_of()


def opening(sales: pd.DataFrame) -> tuple[Any, Any, Any]:
    """What a window begins with, by the organiser's rule: on hand, and what comes in one week and in two."""
    mean = sales.iloc[:, -52:].mean(axis=1).to_numpy()
    end = np.ceil(mean)
    return end, np.zeros(len(mean)), np.maximum(0, mean * 2 - end).round()


def organisers(t: int, sales: pd.DataFrame, in_stock: pd.DataFrame, end: Any, w1: Any, w2: Any) -> Any:
    """The organiser's benchmark: a seasonally adjusted mean of 13 weeks, ordered up to four weeks of cover."""
    known = sales.astype(float).where(in_stock)
    days = pd.DatetimeIndex(known.columns)
    week = days.isocalendar().week.to_numpy()
    season = known.mean().groupby(week).mean()
    season = season / season.mean()
    usual = known.div(season.reindex(week).to_numpy(), axis=1).iloc[:, -13:].mean(axis=1).to_numpy()
    ahead = pd.date_range(days[-1], periods=5, freq="7D")[1:].isocalendar().week.to_numpy()
    return np.nan_to_num(np.maximum(0, usual * season.reindex(ahead).sum() - (end + w1 + w2)))


def projected_mean(t: int, sales: pd.DataFrame, in_stock: pd.DataFrame, end: Any, w1: Any, w2: Any) -> Any:
    """The plain rule that is hard to beat: a mean in season, stock projected through the lead time, a small buffer."""
    mean = Shop(sales, in_stock, model="seasonal_mean", is_trained=False).demand(sales.shape[1]).mean
    left = np.maximum(end + w1 - mean[:, 0], 0)
    left = np.maximum(left + w2 - mean[:, 1], 0)
    return np.maximum(mean[:, 2] + 0.5 * np.sqrt(mean[:, 2]) - left, 0)


def lived(decide: Callable[..., Any], sales: pd.DataFrame, in_stock: pd.DataFrame, first: int) -> dict[str, Any]:
    """Cost by item and the share of units served over weeks 3 to 8 after `first` weeks."""
    demand = sales.iloc[:, first : first + WEEKS].to_numpy(float)
    end, w1, w2 = opening(sales.iloc[:, :first])
    cost, served = np.zeros(len(end)), 0.0
    for t in range(1, WEEKS + 1):
        order = np.zeros(len(end))
        if t <= ORDERS:
            known = first + t - 1
            told = decide(t, sales.iloc[:, :known].copy(), in_stock.iloc[:, :known].copy(), end, w1, w2)
            order = np.maximum(0, np.rint(told))
        sold = np.minimum(end + w1, demand[:, t - 1])
        end, w1, w2 = end + w1 - sold, w2, order
        if t > LEAD_WEEKS:
            cost += HOLDING * end + SHORTAGE * (demand[:, t - 1] - sold)
            served += float(sold.sum())
    return {"cost": cost, "fill_rate": served / float(demand[:, LEAD_WEEKS:].sum())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds vn2")
    parser.add_argument("--windows", type=int, nargs="+", default=WINDOWS, help="weeks known before each (default all)")
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    given = parser.parse_args()
    folder, key = given.data / "vn2", ["Store", "Product"]
    sales, in_stock = (pd.read_csv(folder / f"{name}.csv").set_index(key) for name in ("sales", "in_stock"))
    sales.columns = in_stock.columns = pd.to_datetime(sales.columns)
    named = {"organiser": organisers, "projected mean": projected_mean, "product": policy}
    rows, costs = [], {}
    for first in given.windows:
        for name, decide in named.items():
            began = time.perf_counter()
            done = costs[name, first] = lived(decide, sales, in_stock.astype(bool), first)
            rows.append({"policy": name, "window": first, "cost": float(done["cost"].sum()),
                         "ratio": float(done["cost"].sum() / costs["organiser", first]["cost"].sum()),
                         "fill_rate": done["fill_rate"], "seconds": time.perf_counter() - began})
            sys.stderr.write(" ".join(f"{key} {value}" for key, value in rows[-1].items()) + "\n")
    table = pd.DataFrame(rows)
    print(table.pivot(index="policy", columns="window", values="ratio").loc[list(named)].round(3).to_string())
    print(table.groupby("policy", sort=False)[["ratio", "fill_rate", "seconds"]].mean().round(3).to_string())
    ours, plain = (sum(costs[name, first]["cost"] for first in given.windows) for name in ("product", "projected mean"))
    stream = np.random.default_rng(SEED)
    drawn = stream.integers(0, len(ours), (2_000, len(ours)))
    low, high = np.quantile(ours[drawn].sum(axis=1) / plain[drawn].sum(axis=1), [0.025, 0.975])
    print(f"product to projected mean: {ours.sum() / plain.sum():.3f}, interval over items {low:.3f} to {high:.3f}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
