"""What a shop knows each morning of a replay, and policies that decide by it: the field's rules, this engine's plan.

Rules of periodic review as in Silver, Pyke and Thomas (2017), "Inventory and Production Management in Supply Chains",
chapter 6. What counts is the position: on hand, less what is owed, plus what is on order. All order whole packs, at
least the MOQ, at most the largest order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from apps.optimization.engine.demand import Demand, Paths
from apps.optimization.engine.frames import Flags, Floats, InputError, Ints, Items, Limits
from apps.optimization.engine.replenish import plan

NEGLIGIBLE = 1e-9
WEEK = 7
USUAL_SPREADS = 1.28
"""Nine protection periods in ten without a shortage, if demand were normal."""


@dataclass(frozen=True)
class View:
    """What a shop knows in the morning of a day, after that morning's deliveries: nothing of the day itself.

    Its arrays can be read only. The frames are made when they are asked for, anew each time, from that morning's facts.
    """

    day: int
    """Days since the replay began."""
    terms: Items
    """The items, with today's on_hand; below zero where units are owed."""
    sold: Ints
    """Units sold on each day before today [n, days known], oldest first, the history before the replay included."""
    sold_out: Flags
    """Whether stock was gone by the evening [n, day], for each day of the replay before today."""
    on_order: Ints
    """[n]"""
    due: Flags
    """Items that are reviewed today [n]; what is ordered of others is not placed."""
    frame: pd.DataFrame
    """The items frame as it was given."""
    expected: Callable[[], pd.DataFrame]
    """Makes `arrivals`."""

    @property
    def items(self) -> pd.DataFrame:
        """The items frame, with today's on_hand."""
        return self.frame.assign(on_hand=self.terms.on_hand.copy())

    @property
    def arrivals(self) -> pd.DataFrame:
        """What is on order: unique_id, day (expected, counted from today; what is late is expected tomorrow), quantity.
        """
        return self.expected()

    @property
    def position(self) -> Ints:
        """On hand and on order [n]."""
        return self.terms.on_hand + self.on_order

    @property
    def protection_days(self) -> Floats:
        """How long an order has to last [n]: lead time and review period."""
        return self.terms.lead_time_days + self.terms.review_period_days


class Policy(Protocol):
    """Decides each morning what to order."""

    def orders(self, view: View) -> Ints:
        """Units [n]."""


Forecast = Callable[[View, Floats], tuple[Floats, Floats]]
"""(view, days [n]) -> (units expected within these days [n], standard deviation of one day [n])."""

Level = float | Ints | Floats | Callable[[View], Floats]
"""Units, for all items or each [n], or a function of what is known."""


@dataclass(frozen=True)
class RecentSales:
    """A forecast: the average of the last days, every day alike."""

    window_days: int = 56

    def __call__(self, view: View, days: Floats) -> tuple[Floats, Floats]:
        recent = view.sold[:, -self.window_days :]
        if not recent.shape[1]:
            return np.zeros(len(days)), np.zeros(len(days))
        return recent.sum(axis=1) / recent.shape[1] * days, recent.std(axis=1)


@dataclass(frozen=True)
class LastSeason:
    """A forecast: the last season over again (seasonal naive), a week unless told otherwise.

    The spread of a day is the root mean square of what this would have erred by on the last days.
    """

    season_days: int = WEEK
    window_days: int = 56

    def __call__(self, view: View, days: Floats) -> tuple[Floats, Floats]:
        season = view.sold[:, -self.season_days :]
        length = season.shape[1]
        if not length:
            return np.zeros(len(days)), np.zeros(len(days))
        rows = np.arange(len(days))
        whole, rest = np.divmod(days, length)
        begun = np.minimum(rest.astype(np.int64), length - 1)
        until = np.pad(season.cumsum(axis=1), ((0, 0), (1, 0)))
        expected = whole * until[:, -1] + until[rows, begun] + (rest - begun) * season[rows, begun]
        recent = view.sold[:, -(self.window_days + length) :]
        erred = recent[:, length:] - recent[:, : recent.shape[1] - length]
        mean_square = (erred * erred).sum(axis=1) / max(erred.shape[1], 1)
        return expected, np.sqrt(mean_square)


@dataclass(frozen=True)
class Cover:
    """A level: what is expected within lead time, review period and `more_days`, and a buffer.

    The buffer is `spreads` (for all or each item [n]) times the standard deviation of demand over these days, whose
    length varies too: sqrt(days * spread**2 + (expected / days)**2 * lead_time_spread**2), Silver, Pyke and Thomas
    (2017), chapter 6.
    """

    forecast: Forecast
    spreads: float | Floats = 0.0
    more_days: float | Floats = 0.0

    def __call__(self, view: View) -> Floats:
        days = view.protection_days + self.more_days
        expected, spread = self.forecast(view, days)
        pace = expected / days
        return expected + self.spreads * np.sqrt(days * spread**2 + (pace * view.terms.lead_time_spread_days) ** 2)


@dataclass(frozen=True)
class OrderUpTo:
    """(R, S): at each review, order what the position lacks of the level."""

    level: Level

    def orders(self, view: View) -> Ints:
        return _lots(view, _units(self.level, view))


@dataclass(frozen=True)
class ReorderUpTo:
    """(R, s, S): at a review that finds the position at or below `reorder_at`, order up to the level."""

    reorder_at: Level
    level: Level

    def orders(self, view: View) -> Ints:
        is_low = view.position <= _units(self.reorder_at, view) + NEGLIGIBLE
        return np.where(is_low, _lots(view, _units(self.level, view)), 0)


@dataclass(frozen=True)
class MinMax:
    """As in most ERP systems: at a review that finds the position below `minimum`, order up to `maximum`."""

    minimum: Level
    maximum: Level

    def orders(self, view: View) -> Ints:
        is_low = view.position < _units(self.minimum, view) - NEGLIGIBLE
        return np.where(is_low, _lots(view, _units(self.maximum, view)), 0)


@dataclass(frozen=True)
class SeasonalNaive:
    """Order up to the last season's sales over again, and a buffer (see Cover)."""

    spreads: float | Floats = 0.0
    season_days: int = WEEK

    def orders(self, view: View) -> Ints:
        return _lots(view, Cover(LastSeason(self.season_days), self.spreads)(view))


@dataclass(frozen=True)
class SalesTimesLeadTime:
    """The rule most stores use: average daily sales times the days an order has to last.

    Orders up to (average of the last `window_days`) x (lead time + review period).
    """

    window_days: int = 30

    def orders(self, view: View) -> Ints:
        return _lots(view, RecentSales(self.window_days)(view, view.protection_days)[0])


@dataclass(frozen=True)
class Planned:
    """This engine's plan, made anew at each review with what is known that morning.

    forecast: turns a view into sample paths whose rows are those of the view's items and whose day 0 is its day.
    shortage: what the plan takes a lost unit to cost, as a multiple of the items' shortage_cost (for all or each [n]).
    """

    forecast: Callable[[View], Demand]
    limits: Limits | None = None
    seed: int = 0
    shortage: float | Floats = 1.0

    def orders(self, view: View) -> Ints:
        rows = np.flatnonzero(view.due)
        items = view.items.iloc[rows]
        weight = np.broadcast_to(self.shortage, len(view.due))[rows]
        made = plan(
            items.assign(shortage_cost=items["shortage_cost"] * weight),
            view.arrivals,
            _Rows(self.forecast(view), rows),
            limits=self.limits,
            seed=self.seed,
        )
        quantity = np.zeros(len(view.due), dtype=np.int64)
        quantity[rows] = made.lines["order_quantity"].to_numpy()
        return quantity


BY_NAME: Mapping[str, Policy] = {
    "sales_times_lead_time": SalesTimesLeadTime(),
    "order_up_to": OrderUpTo(Cover(RecentSales(), USUAL_SPREADS)),
    "reorder_up_to": ReorderUpTo(
        Cover(RecentSales(), USUAL_SPREADS), Cover(RecentSales(), USUAL_SPREADS, more_days=WEEK)
    ),
    "min_max": MinMax(Cover(RecentSales()), Cover(RecentSales(), more_days=4 * WEEK)),
    "seasonal_naive": SeasonalNaive(USUAL_SPREADS),
}
"""Rules that need nothing but sales, with usual settings."""


def _units(level: Level, view: View) -> Ints | Floats:
    units = np.asarray(level(view) if callable(level) else level)
    if not np.isfinite(units).all():
        raise InputError(["policy: a level is missing or no number."])
    return units


def _lots(view: View, level: Ints | Floats) -> Ints:
    """What brings each position up to the level [n]: whole packs, the MOQ or more, never above the largest order."""
    items = view.terms
    short = np.maximum(np.ceil(level - view.position - NEGLIGIBLE), 0).astype(np.int64)
    lots = np.minimum(np.maximum(-(-short // items.pack_size) * items.pack_size, items.moq), items.ceiling)
    return np.where((short > 0) & (lots >= items.moq), lots, 0)


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
