"""Any policy replayed over history: the same demand and lead times for all, lost sales, and the money each makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.optimization.engine.demand import Demand, Paths
from apps.optimization.engine.frames import Flags, Floats, InputError, Ints, Items, Limits, read_arrivals, read_items
from apps.optimization.engine.policy import lead_time_draws
from apps.optimization.engine.replenish import plan

WEEK = 7
MEASURES = ("demand", "sold", "lost", "ordered", "received", "margin", "holding", "lost_margin", "profit")


@dataclass(frozen=True)
class View:
    """What a shop knows in the morning of a day, after that morning's deliveries: nothing of the day itself."""

    day: int
    """Days since the replay began."""
    items: pd.DataFrame
    """The items frame, with today's on_hand."""
    sold: Ints
    """Units sold on each day before today [n, days known], oldest first, the history before the replay included."""
    sold_out: Flags
    """Whether stock was gone by the evening [n, day], for each day of the replay before today."""
    arrivals: pd.DataFrame
    """What is on order: unique_id, day (expected, counted from today; what is late is expected tomorrow), quantity."""
    on_order: Ints
    """[n]"""
    due: Flags
    """Items that are reviewed today [n]; what is ordered of others is not placed."""


class Policy(Protocol):
    """Decides each morning what to order."""

    def orders(self, view: View) -> Ints:
        """Units [n]."""


@dataclass(frozen=True)
class Replay:
    """What a policy did: measures by item and week [n, weeks], units or money (the last week may be shorter)."""

    unique_ids: NDArray[np.object_]
    measures: dict[str, Floats]
    """MEASURES; demand = sold + lost. margin: (price - unit cost) of what was sold. holding: of each evening's stock.
    lost_margin: shortage cost of what was lost. profit: margin - holding; purchases count when they are sold, so this
    is the cash made with closing stock valued at its cost."""
    opening_stock: Ints
    closing_stock: Ints
    closing_on_order: Ints
    closing_value: Floats
    """Of the stock on hand, in money [n]."""

    @property
    def weeks(self) -> int:
        return int(self.measures["profit"].shape[1])

    @property
    def fill_rate(self) -> float:
        """Share of the units asked for that were served; 1 where nothing was asked for."""
        demand = float(self.measures["demand"].sum())
        return float(self.measures["sold"].sum()) / demand if demand else 1.0

    def totals(self) -> dict[str, float]:
        sums = {name: float(values.sum()) for name, values in self.measures.items()}
        return {**sums, "fill_rate": self.fill_rate, "closing_value": float(self.closing_value.sum())}

    def frame(self) -> pd.DataFrame:
        """Tidy: unique_id, week (0 is the first), and MEASURES."""
        return pd.DataFrame(
            {
                "unique_id": np.repeat(self.unique_ids, self.weeks),
                "week": np.tile(np.arange(self.weeks), len(self.unique_ids)),
                **{name: values.reshape(-1) for name, values in self.measures.items()},
            }
        )


def replay(
    items: pd.DataFrame,
    arrivals: pd.DataFrame | None,
    demand: NDArray[np.integer[Any]],
    policy: Policy,
    *,
    history: NDArray[np.integer[Any]] | None = None,
    seed: int = 0,
) -> Replay:
    """Let a policy run a shop through `demand` (units [n, T], rows as in `items`).

    Each day: deliveries come in; items whose review is due (every review_period_days, from the first day on) are put to
    the policy; the day's demand is served from stock and the rest is lost. An order's lead time is drawn for its item
    and day from the seed, so it is the same for every policy; none of it shows before the goods are there.
    items: see frames.read_items; units owed at the start (on_hand below 0) are written off. arrivals: on order at the
    start, at their dates. history: units sold before the first day [n, H], for policies that look back.

    Raises frames.InputError where a frame cannot be used, or the policy orders anything but whole units of at least 0.
    """
    known = read_items(items)
    n, days = len(known), _checked_demand(demand, len(known))
    before = np.zeros((n, 0), dtype=np.int64) if history is None else np.asarray(history, dtype=np.int64)
    sold = np.zeros((n, before.shape[1] + days), dtype=np.int64)
    sold[:, : before.shape[1]] = before
    lead = lead_time_draws(known, max(days, 1), seed=seed)[0]
    pipeline = _Pipeline(known, items, arrivals, days)
    stock = np.maximum(known.on_hand, 0)
    opening = stock.copy()
    evening = np.zeros((n, days), dtype=np.int64)
    ordered = np.zeros((n, days), dtype=np.int64)
    for day in range(days):
        stock = stock + pipeline.arriving(day)
        due = day % known.review_period_days == 0
        if due.any():
            today = before.shape[1] + day
            view = View(
                day=day,
                items=items.assign(on_hand=stock),
                sold=sold[:, :today].copy(),
                sold_out=evening[:, :day] == 0,
                arrivals=pipeline.expected(day),
                on_order=pipeline.outstanding(),
                due=due,
            )
            ordered[:, day] = np.where(due, _checked_orders(policy.orders(view), n), 0)
            stock = stock + pipeline.order(day, ordered[:, day], lead[:, day])
        served = np.minimum(stock, demand[:, day])
        sold[:, before.shape[1] + day] = served
        stock = stock - served
        evening[:, day] = stock
    return _account(
        known,
        demand=np.asarray(demand, dtype=np.int64),
        sold=sold[:, before.shape[1] :],
        ordered=ordered,
        received=pipeline.received,
        evening=evening,
        opening=opening,
        on_order=pipeline.outstanding(),
    )


@dataclass(frozen=True)
class SalesTimesLeadTime:
    """The rule most stores use: average daily sales times the days an order has to last.

    Orders up to (average of the last `window_days`) x (lead time + review period), in whole packs, at
    least the MOQ, at most the largest order.
    """

    window_days: int = 30

    def orders(self, view: View) -> Ints:
        items = read_items(view.items)
        recent = view.sold[:, -self.window_days :]
        pace = recent.mean(axis=1) if recent.shape[1] else np.zeros(len(items))
        level = pace * (items.lead_time_days + items.review_period_days)
        short = np.maximum(np.ceil(level - items.on_hand - view.on_order - 1e-9), 0).astype(np.int64)
        lots = np.minimum(np.maximum(-(-short // items.pack_size) * items.pack_size, items.moq), items.ceiling)
        return np.where((short > 0) & (lots >= items.moq), lots, 0)


@dataclass(frozen=True)
class Planned:
    """This engine's plan, made anew at each review with what is known that morning.

    forecast: turns a view into sample paths whose rows are those of the view's items and whose day 0 is its day.
    """

    forecast: Callable[[View], Demand]
    limits: Limits | None = None
    seed: int = 0

    def orders(self, view: View) -> Ints:
        rows = np.flatnonzero(view.due)
        made = plan(
            view.items.iloc[rows],
            view.arrivals,
            _Rows(self.forecast(view), rows),
            limits=self.limits,
            seed=self.seed,
        )
        quantity = np.zeros(len(view.due), dtype=np.int64)
        quantity[rows] = made.lines["order_quantity"].to_numpy()
        return quantity


@dataclass(frozen=True)
class Difference:
    """Money that one policy made more than another, over the whole replay, with its interval."""

    money: float
    low: float
    high: float
    level: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def difference(
    ours: Replay,
    theirs: Replay,
    *,
    groups: NDArray[np.object_] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Difference:
    """The profit of `ours` less that of `theirs`, with the percentile interval of a paired bootstrap.

    Groups of items (a category for each item [n]; each item its own where None) and weeks are both drawn with
    replacement, each draw weighing a group in a week by the product of the two counts (Owen 2007, the pigeonhole
    bootstrap): what items of a category share, and what a week brings to all, both widen the interval.

    Raises ValueError where the two replays are not of the same items and weeks.
    """
    if list(ours.unique_ids) != list(theirs.unique_ids) or ours.weeks != theirs.weeks:
        raise ValueError("The two replays are not of the same items and weeks.")
    by_item = ours.measures["profit"] - theirs.measures["profit"]
    labels = np.arange(len(by_item)) if groups is None else np.unique(groups.astype(str), return_inverse=True)[1]
    by_group = np.zeros((int(labels.max(initial=-1)) + 1, ours.weeks))
    np.add.at(by_group, labels, by_item)
    money = float(by_group.sum())
    if by_group.size == 0:
        return Difference(money, money, money, level)
    generator = np.random.default_rng(seed)
    n_groups, n_weeks = by_group.shape
    group_counts = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=draws)
    week_counts = generator.multinomial(n_weeks, np.full(n_weeks, 1 / n_weeks), size=draws)
    drawn = ((group_counts @ by_group) * week_counts).sum(axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Difference(money, float(low), float(high), level)


@dataclass(frozen=True)
class _Rows:
    """Demand of some of the rows."""

    whole: Demand
    rows: Ints

    @property
    def n_paths(self) -> int:
        return self.whole.n_paths

    @property
    def days(self) -> int:
        return self.whole.days

    def paths(self, rows: Ints, days: int) -> Paths:
        return self.whole.paths(self.rows[rows], days)


class _Pipeline:
    """Orders on their way: when each is expected, and, kept apart, when it comes."""

    def __init__(self, items: Items, frame: pd.DataFrame, arrivals: pd.DataFrame | None, days: int) -> None:
        opening = read_arrivals(arrivals, items)
        self.ids = frame["unique_id"].to_numpy()
        self.usual_lead = np.rint(items.lead_time_days).astype(np.int64)
        self.row, self.expected_on, self.comes_on = opening.row, opening.day, opening.day
        self.quantity = opening.quantity
        self.received = np.zeros((len(items), days), dtype=np.int64)

    def arriving(self, day: int) -> Ints:
        here = self.comes_on <= day
        np.add.at(self.received[:, day], self.row[here], self.quantity[here])
        self.row, self.expected_on, self.comes_on, self.quantity = (
            column[~here] for column in (self.row, self.expected_on, self.comes_on, self.quantity)
        )
        return self.received[:, day]

    def order(self, day: int, quantity: Ints, lead: Ints) -> Ints:
        """Take orders in; what has no lead time comes at once."""
        at_once = np.where(lead == 0, quantity, 0)
        self.received[:, day] += at_once
        rows = np.flatnonzero((quantity > 0) & (lead > 0))
        self.row = np.concatenate([self.row, rows])
        self.expected_on = np.concatenate([self.expected_on, day + self.usual_lead[rows]])
        self.comes_on = np.concatenate([self.comes_on, day + lead[rows]])
        self.quantity = np.concatenate([self.quantity, quantity[rows]])
        return at_once

    def expected(self, day: int) -> pd.DataFrame:
        offset = np.maximum(self.expected_on - day, 1)
        return pd.DataFrame({"unique_id": self.ids[self.row], "day": offset, "quantity": self.quantity})

    def outstanding(self) -> Ints:
        units = np.zeros(len(self.ids), dtype=np.int64)
        np.add.at(units, self.row, self.quantity)
        return units


def _checked_demand(demand: NDArray[np.integer[Any]], n: int) -> int:
    if demand.ndim != 2 or demand.shape[0] != n:
        raise InputError([f"demand: an array of shape {demand.shape} came for {n} items; rows must be items."])
    if not np.issubdtype(demand.dtype, np.integer) or (demand.size and demand.min() < 0):
        raise InputError(["demand: the replay needs whole units of at least 0."])
    return int(demand.shape[1])


def _checked_orders(quantity: Ints, n: int) -> Ints:
    if quantity.shape != (n,) or not np.issubdtype(quantity.dtype, np.integer) or (n and quantity.min() < 0):
        raise InputError([f"policy: orders must be {n} whole numbers of at least 0."])
    return quantity


def _account(
    items: Items,
    *,
    demand: Ints,
    sold: Ints,
    ordered: Ints,
    received: Ints,
    evening: Ints,
    opening: Ints,
    on_order: Ints,
) -> Replay:
    lost = demand - sold
    margin = (items.price - items.unit_cost)[:, None] * sold
    holding = items.holding_cost[:, None] * evening
    daily = {
        "demand": demand,
        "sold": sold,
        "lost": lost,
        "ordered": ordered,
        "received": received,
        "margin": margin,
        "holding": holding,
        "lost_margin": items.shortage_cost[:, None] * lost,
        "profit": margin - holding,
    }
    weekly = {name: _by_week(np.asarray(values, dtype=np.float64)) for name, values in daily.items()}
    closing = evening[:, -1] if evening.shape[1] else opening
    return Replay(items.unique_ids, weekly, opening, closing, on_order, closing * items.unit_cost)


def _by_week(daily: Floats) -> Floats:
    first = np.arange(0, daily.shape[1], WEEK)
    return np.add.reduceat(daily, first, axis=1) if len(first) else daily
