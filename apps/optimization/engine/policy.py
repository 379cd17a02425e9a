"""What each quantity of an item is expected to cost: demand paths and drawn lead times, projected day by day.

One path of one item: stock meets demand day by day, arrivals come at their dates, what cannot be served is lost. An
order placed on the planning day arrives on day L and has to last until day T = review period + L', when the next order
can be there (L and L' are two draws of the lead time, so T varies even where L does not).

With cumulative demand D, cumulative arrivals A and opening stock x, the reflection of net = D - A - x at zero gives all
that is lost by the end of a day without an order: max(0, running maximum of net). With Q more units from day L on, the
units lost within the window [L, T) are max(0, M_T - Q), and the end-of-day stock gains one unit by the k-th unit of Q
exactly on the days t of the window with M_t < k, where M_t = (maximum of net over [L, t]) - (lost before L). So the
expected cost of Q is a convex, piecewise-linear function whose slopes are plain counts of the integers M_t: exact on
the sampled paths, for every Q at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from apps.optimization.engine import ragged
from apps.optimization.engine.demand import Demand, Paths, checked_paths
from apps.optimization.engine.frames import Arrivals, Floats, InputError, Ints, Items

PROJECTION_DAYS = 28
"""Stock is projected at least this far ahead, where the demand paths reach it."""
CURVE_CELLS = 2048
"""A cost curve has at most this many cells; an item that needs more units gets cells of several units."""
BLOCK_CELLS = 4_000_000
"""Path days per block: bounds the memory, whatever the number of items."""
EARLY = 0.1
"""The quantile of the stockout day that stands for 'it may already happen on'."""
NEGLIGIBLE = 1e-9

Counts = NDArray[np.int32 | np.int64]
"""Whole units, in 32 bits where they fit."""


@dataclass(frozen=True)
class Outlook:
    """What the paths say about each item [n], and what each order quantity would cost.

    The curves are ragged: item i's points stand at start[i] .. start[i + 1], for quantities 0, step, 2 * step, ...
    """

    items: Items
    start: Ints
    step: Ints
    held: Floats
    """Curve: expected unit-days in stock within the window, for each quantity."""
    lost: Floats
    """Curve: expected units lost within the window, for each quantity."""
    window_days: Floats
    """Expected length of the window [L, T): what each unit beyond the curve's end is held."""
    surplus: Floats
    """Units in stock or on their way beyond the order-up-to level: no more are needed until they are sold."""
    lost_before: Floats
    """Expected units lost before an order placed today can arrive: no quantity changes that."""
    daily_demand: Floats
    expected_demand: Floats
    """Mean demand over the protection period."""
    on_order: Ints
    """Units that arrive before the mean protection period ends."""
    days_of_cover: Floats
    """Days that on_hand lasts at mean demand; inf where nothing is ever asked for."""
    stockout_day: Floats
    """Median over paths of the first day on which demand is not fully met without an order; nan: not in sight."""
    stockout_day_early: Floats
    """The same at the EARLY quantile."""
    risk_before_arrival: Floats
    """Chance of a stockout before an order placed today arrives."""
    order_by_day: Floats
    """Last day on which an order keeps the chance of a stockout before it arrives within the cost-optimal risk; 0 also
    where that day has passed; nan: not in sight."""

    @property
    def position(self) -> Ints:
        return self.items.on_hand + self.on_order

    def lost_units(self, rows: Ints, quantity: Ints) -> Floats:
        """Expected units lost within the window when `quantity` is ordered of `rows` (which may repeat)."""
        return self._read(self.lost, rows, quantity, np.zeros(len(rows)))

    def window_cost(self, rows: Ints, quantity: Ints) -> Floats:
        """Expected holding cost and lost margin within the window, in money."""
        held = self._read(self.held, rows, quantity, self.window_days[rows])
        lost = self.lost_units(rows, quantity)
        return self.items.holding_cost[rows] * held + self.items.shortage_cost[rows] * lost

    def cost(self, rows: Ints, quantity: Ints) -> Floats:
        """Expected cost in money: `window_cost`, and holding what stays on after the window.

        A lot that would be bought anyway, today or at the next review, is charged for the window only. Stock above the
        order-up-to level, the surplus there already is and each unit beyond that lot, has to be worn down first: the
        u-th such unit waits u / daily demand days, at most for so long that holding it costs what it cost to buy.
        """
        holding, unit_cost = self.items.holding_cost[rows], self.items.unit_cost[rows]
        already = self.surplus[rows]
        usual = np.minimum(quantity, self.usual_lot[rows])
        beyond = (quantity - usual).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            per_unit = np.where(holding > 0, holding / self.daily_demand[rows], 0.0)
            longest = np.where(per_unit > 0, np.floor(unit_cost / per_unit), np.inf)
            waits = np.where(already > 0, np.minimum(per_unit * already, unit_cost), 0.0)
            worn_down = np.clip(longest - already, 0.0, beyond)
            wearing = np.where(worn_down > 0, per_unit * worn_down * (already + (worn_down + 1) / 2), 0.0)
        total: Floats = self.window_cost(rows, quantity) + waits * usual + wearing + unit_cost * (beyond - worn_down)
        return total

    @cached_property
    def usual_lot(self) -> Ints:
        """The lot that would be bought anyway: the cost-optimal units, rounded up to packs and to the MOQ."""
        pack = self.items.pack_size
        lot: Ints = np.maximum(-(-self.best_units // pack) * pack, self.items.moq)
        return lot

    @cached_property
    def best_units(self) -> Ints:
        """The cost-optimal quantity with no pack, MOQ or other limit: the smallest of the cheapest."""
        cell = np.repeat(np.arange(len(self.step)), np.diff(self.start))
        cost = self.items.holding_cost[cell] * self.held + self.items.shortage_cost[cell] * self.lost
        falls = np.zeros(len(cost), dtype=np.int64)
        falls[1:] = np.diff(cost) < -NEGLIGIBLE
        falls[self.start[:-1]] = 0
        return np.add.reduceat(falls, self.start[:-1]) * self.step

    def best_lot(self) -> Ints:
        """The cost-optimal quantity in whole packs, nothing or at least the MOQ, at most the largest order.

        The curve is convex, so among multiples of the pack the best is a neighbour of the best in units; and where
        that is below the MOQ, the choice is between the MOQ and nothing.
        """
        rows = np.arange(len(self.items))
        items, units = self.items, self.best_units
        down = units // items.pack_size * items.pack_size
        up = -(-units // items.pack_size) * items.pack_size
        best = np.where(self.window_cost(rows, up) < self.window_cost(rows, down) - NEGLIGIBLE, up, down)
        best = np.where(
            (best > 0) | (self.window_cost(rows, items.moq) < self.window_cost(rows, best) - NEGLIGIBLE),
            np.maximum(best, items.moq),
            0,
        )
        best = np.minimum(best, items.ceiling)
        worth = self.window_cost(rows, best) < self.window_cost(rows, np.zeros_like(best)) - NEGLIGIBLE
        return np.where((best >= items.moq) & worth, best, 0)

    def _read(self, curve: Floats, rows: Ints, quantity: Ints, slope_beyond: Floats) -> Floats:
        step, first = self.step[rows], self.start[rows]
        last = self.start[rows + 1] - 1
        cell = np.minimum(first + quantity // step, last)
        following = np.minimum(cell + 1, last)
        over = quantity - (cell - first) * step
        inside = curve[cell] + (curve[following] - curve[cell]) * over / step
        return np.where(cell < last, inside, curve[last] + slope_beyond * over)


def outlook(items: Items, arrivals: Arrivals, demand: Demand, *, seed: int) -> Outlook:
    """Project every item over the demand's sample paths.

    Demand paths must reach to the end of each item's mean protection period (lead time + review period); lead times
    drawn longer than the paths reach are cut off there.

    Raises InputError where demand is too short, has no paths, or holds anything but whole units of at least 0.
    """
    _check_reach(items, demand)
    n = len(items)
    order_lead, next_lead = lead_time_draws(items, demand.n_paths, seed=seed)
    arrival_day = np.minimum(order_lead, demand.days)
    window_end = np.minimum(np.maximum(items.review_period_days[:, None] + next_lead, arrival_day), demand.days)
    horizon = _horizons(window_end.max(axis=1, initial=1), demand.days)
    results = _Results(n)
    for rows in _blocks(horizon, demand.n_paths):
        days = int(horizon[rows[0]])
        paths = checked_paths(demand, rows, days)
        arriving = _cumulative_arrivals(arrivals, rows, days)
        _project(_Block(items, rows, paths, arriving, arrival_day[rows], window_end[rows]), results)
    start, held, lost = results.joined_curves()
    protection = np.ceil(items.lead_time_days + items.review_period_days)
    due = arrivals.day < protection[arrivals.row]
    on_order = np.bincount(arrivals.row[due], weights=arrivals.quantity[due], minlength=n).astype(np.int64)
    return Outlook(
        items=items,
        start=start,
        step=results.step,
        held=held,
        lost=lost,
        on_order=on_order,
        **results.columns,
    )


def lead_time_draws(items: Items, n_paths: int, *, seed: int) -> tuple[Ints, Ints]:
    """Two independent draws of the lead time for each item and path: whole days [n, n_paths], never below 0.

    The draws of an item are the evenly spaced quantiles of a gamma distribution with the item's mean and spread,
    rounded to whole days (its variance lowered by the 1/12 that rounding adds, Sheppard's correction), in an order that
    depends only on the seed and the item's id. A spread too small for that draws the two days next to the mean.
    """
    quantiles = lead_time_quantiles(items, n_paths)
    return (
        np.take_along_axis(quantiles, shuffles(items, n_paths, seed, 1), axis=1),
        np.take_along_axis(quantiles, shuffles(items, n_paths, seed, 2), axis=1),
    )


def lead_time_quantiles(items: Items, n_paths: int) -> Ints:
    """The evenly spaced quantiles of each item's lead time [n, n_paths]: see lead_time_draws."""
    terms, which = np.unique(
        np.column_stack([items.lead_time_days, items.lead_time_spread_days]), axis=0, return_inverse=True
    )
    even = (np.arange(n_paths) + 0.5) / n_paths
    mean, variance = terms[:, :1], terms[:, 1:] ** 2 - 1 / 12
    table = np.floor(mean + even)
    spread = (variance[:, 0] > 0) & (mean[:, 0] > 0)
    shape = mean[spread] ** 2 / variance[spread]
    table[spread] = np.rint(stats.gamma.ppf(even, shape, scale=mean[spread] / shape))
    quantiles: Ints = table.astype(np.int64)[which.reshape(-1)]
    return quantiles


def shuffles(items: Items, n_paths: int, seed: int, stream: int) -> Ints:
    """A permutation of the paths for each item [n, n_paths], from its id: SplitMix64 (Steele, Lea, Flood 2014)."""
    ids = pd.util.hash_array(items.unique_ids.astype(str).astype(object))
    with np.errstate(over="ignore"):
        state = ids + np.uint64(seed % 2**63) * np.uint64(0xD1342543DE82EF95) + np.uint64(stream) * np.uint64(2**61 - 1)
        counter = np.arange(1, n_paths + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = state[:, None] + counter[None, :]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return np.argsort(mixed, axis=1, kind="stable")


def _check_reach(items: Items, demand: Demand) -> None:
    if demand.n_paths < 1 or demand.days < 1:
        raise InputError([f"demand: {demand.n_paths} paths of {demand.days} days; at least 1 of each is needed."])
    needed = np.ceil(items.lead_time_days) + items.review_period_days
    short = needed > demand.days
    if short.any():
        first = int(np.argmax(short))
        raise InputError(
            [
                f"demand: paths reach {demand.days} days, but {int(short.sum())} items need more for lead time and "
                f"review period (first: {items.unique_ids[first]!r} needs {int(needed[first])})."
            ]
        )


def _horizons(needed: Ints, days: int) -> Ints:
    """How far each item is projected: whole weeks, so that items of like terms share blocks."""
    weeks = -(-np.maximum(needed, PROJECTION_DAYS) // 7)
    whole: Ints = np.minimum(weeks * 7, days)
    return whole


def _blocks(horizon: Ints, n_paths: int) -> Iterator[Ints]:
    for days in np.unique(horizon):
        rows = np.flatnonzero(horizon == days)
        size = max(1, BLOCK_CELLS // (n_paths * int(days)))
        for first in range(0, len(rows), size):
            yield rows[first : first + size]


def _cumulative_arrivals(arrivals: Arrivals, rows: Ints, days: int) -> Ints:
    """Units [r, days] that have arrived by each day; arrivals on a day can be sold on that day."""
    place = np.searchsorted(rows, arrivals.row)
    inside = (place < len(rows)) & (arrivals.day < days)
    inside[inside] = rows[place[inside]] == arrivals.row[inside]
    daily = np.zeros((len(rows), days), dtype=np.int64)
    np.add.at(daily, (place[inside], arrivals.day[inside]), arrivals.quantity[inside])
    return daily.cumsum(axis=1)


@dataclass(frozen=True)
class _Block:
    items: Items
    rows: Ints
    paths: Paths
    arriving: Ints
    arrival_day: Ints
    window_end: Ints


class _Results:
    """Columns filled block by block."""

    def __init__(self, n: int) -> None:
        self.curves: list[tuple[Ints, Ints, Floats, Floats]] = []
        self.step = np.ones(n, dtype=np.int64)
        self.columns = {
            name: np.zeros(n)
            for name in (
                "window_days",
                "surplus",
                "lost_before",
                "daily_demand",
                "expected_demand",
                "days_of_cover",
                "stockout_day",
                "stockout_day_early",
                "risk_before_arrival",
                "order_by_day",
            )
        }

    def joined_curves(self) -> tuple[Ints, Floats, Floats]:
        """(start, held, lost) in the order of the items, whatever the blocks were."""
        if not self.curves:
            return np.zeros(1, dtype=np.int64), np.zeros(0), np.zeros(0)
        rows, lengths, held, lost = (np.concatenate(column) for column in zip(*self.curves, strict=True))
        order = np.argsort(rows)
        place = ragged.spans(ragged.starts(lengths)[:-1][order], lengths[order])
        return ragged.starts(lengths[order]), held[place], lost[place]


def _project(block: _Block, results: _Results) -> None:
    rows, arrival_day, window_end = block.rows, block.arrival_day, block.window_end
    on_hand = block.items.on_hand[rows]
    stock, owed = np.maximum(on_hand, 0), np.maximum(-on_hand, 0)
    supply = stock[:, None] + np.maximum(block.arriving - owed[:, None], 0)

    net = _cumulative(block.paths, supply)
    by_day = net.mean(axis=1)
    days = net.shape[2]
    columns = results.columns
    columns["daily_demand"][rows] = by_day[:, -1] / days
    columns["expected_demand"][rows] = _at(net, window_end - 1).mean(axis=1)
    columns["days_of_cover"][rows] = _cover(by_day, stock)

    net -= supply.astype(net.dtype)[:, None, :]
    reflected = np.maximum.accumulate(net, axis=2)
    stockout = (reflected <= 0).sum(axis=2)
    stockout[owed > 0] = 0
    lost_before = np.where(arrival_day > 0, np.maximum(_at(reflected, np.maximum(arrival_day - 1, 0)), 0), 0)
    columns["lost_before"][rows] = lost_before.mean(axis=1)
    columns["risk_before_arrival"][rows] = (stockout < arrival_day).mean(axis=1)
    columns["stockout_day"][rows] = _day_in_sight(stockout, 0.5, days)
    columns["stockout_day_early"][rows] = _day_in_sight(stockout, EARLY, days)
    columns["order_by_day"][rows] = _order_by_day(block.items, rows, stockout, arrival_day, days)

    if owed.any():  # units owed that have not been delivered by the time the order arrives are delivered from it
        net += np.maximum(owed[:, None] - block.arriving, 0).astype(net.dtype)[:, None, :]
    length = window_end - arrival_day
    columns["window_days"][rows] = length.mean(axis=1)
    columns["surplus"][rows] = _curves(block.items, rows, net, lost_before, arrival_day, length, results)


def _cumulative(paths: Paths, supply: Ints) -> Counts:
    """Cumulative demand, in 32 bits where it and the supply fit."""
    largest = max(int(paths.max(initial=0)) * paths.shape[2], int(supply.max(initial=0)))
    if largest < 2**30:
        return np.cumsum(paths, axis=2, dtype=np.int32)
    return np.cumsum(paths, axis=2, dtype=np.int64)


def _at(values: Counts, day: Ints) -> Counts:
    """values [r, P, days] on each path's own day [r, P]."""
    return np.take_along_axis(values, day[:, :, None], axis=2)[:, :, 0]


def _cover(demand_by_day: Floats, stock: Ints) -> Floats:
    """Days until cumulative mean demand [r, days] has used the stock [r] up, at the average pace beyond the paths."""
    days = demand_by_day.shape[1]
    before = np.pad(demand_by_day, ((0, 0), (1, 0)))
    whole = (demand_by_day <= stock[:, None]).sum(axis=1)
    used = np.take_along_axis(before, whole[:, None], axis=1)[:, 0]
    pace = demand_by_day[:, -1] / days
    upcoming = np.minimum(whole, days - 1)[:, None]
    that_day = np.take_along_axis(demand_by_day, upcoming, axis=1)[:, 0] - used
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = (stock - used) / np.where(whole < days, that_day, pace)
    return np.where(pace > 0, whole + rest, np.inf)


def _day_in_sight(day: Ints, quantile: float, days: int) -> Floats:
    found = np.quantile(day, quantile, axis=1, method="inverted_cdf").astype(np.float64)
    return np.where(found < days, found, np.nan)


def _order_by_day(items: Items, rows: Ints, stockout: Ints, arrival_day: Ints, days: int) -> Floats:
    """The largest d such that at most the cost-optimal share of paths runs out before day d + lead time."""
    slack = np.where(stockout < days, stockout - arrival_day, np.iinfo(np.int64).max)
    slack.sort(axis=1)
    risk = _optimal_risk(items, rows, items.review_period_days[rows])
    n_paths = slack.shape[1]
    allowed = np.floor(risk * n_paths + NEGLIGIBLE).astype(np.int64)
    found = np.take_along_axis(slack, np.minimum(allowed, n_paths - 1)[:, None], axis=1)[:, 0]
    in_sight = (allowed < n_paths) & (found <= days)
    return np.where(in_sight, np.maximum(found, 0).astype(np.float64), np.nan)


def _curves(
    items: Items, rows: Ints, net: Counts, lost_before: Ints, arrival_day: Ints, length: Ints, results: _Results
) -> Floats:
    """Add the block's curves to the results; returns its surplus [r]."""
    n_items, n_paths, days = net.shape
    window = np.arange(max(int(length.max()), 1))
    day = arrival_day[:, :, None] + window
    valid = window < length[:, :, None]
    short = np.take_along_axis(net, np.minimum(day, days - 1), axis=2) - lost_before[:, :, None]
    stock = -short
    np.maximum.accumulate(short, axis=2, out=short)
    surplus = _surplus(items, rows, _at(short, np.maximum(length - 1, 0)), length)
    np.maximum(short, 0, out=short)  # M_t
    stock += short
    at_end = np.where(length > 0, _at(short, np.maximum(length - 1, 0)), 0)  # M_T
    largest = at_end.max(axis=1)
    step = np.maximum(-(-largest // CURVE_CELLS), 1)
    cells = -(-largest // step)
    item = np.arange(n_items)
    days_at, days_over = _counts(short[valid], np.broadcast_to(item[:, None, None], short.shape)[valid], step, cells)
    ends_at, ends_over = _counts(at_end.reshape(-1), np.repeat(item, n_paths), step, cells)
    more_held = (step[:, None] * days_at.cumsum(axis=1) - days_over) / n_paths
    less_lost = (step[:, None] * (n_paths - ends_at.cumsum(axis=1)) + ends_over) / n_paths
    held, lost = np.zeros(more_held.shape), np.zeros(more_held.shape)
    held[:, 0] = np.where(valid, stock, 0).sum(axis=(1, 2)) / n_paths
    lost[:, 0] = at_end.mean(axis=1)
    held[:, 1:] = held[:, :1] + more_held[:, :-1].cumsum(axis=1)
    lost[:, 1:] = np.maximum(lost[:, :1] - less_lost[:, :-1].cumsum(axis=1), 0.0)
    points = np.arange(held.shape[1]) <= cells[:, None]
    results.step[rows] = step
    results.curves.append((rows, cells + 1, held[points], lost[points]))
    return surplus


def _surplus(items: Items, rows: Ints, missing: Counts, length: Ints) -> Floats:
    """Units [r] that could be taken away before any would be missed.

    missing: units that would have to be added for each path [r, P] to lose none, below zero where there are too many.
    """
    share = _optimal_risk(items, rows, length.mean(axis=1))
    least = np.sort(missing, axis=1)
    n_paths = least.shape[1]
    place = np.clip(np.ceil((1 - share) * n_paths - NEGLIGIBLE).astype(np.int64) - 1, 0, n_paths - 1)
    return np.maximum(-np.take_along_axis(least, place[:, None], axis=1)[:, 0], 0).astype(np.float64)


def _optimal_risk(items: Items, rows: Ints, days: Floats | Ints) -> Floats:
    """The share of paths that may run out before more stock is worth it: h d / (h d + p), what a unit costs to hold for
    d days against the margin lost without it; 1 where nothing is lost."""
    holding, shortage = items.holding_cost[rows] * days, items.shortage_cost[rows]
    return np.divide(holding, holding + shortage, out=np.ones(len(rows)), where=shortage > 0)


def _counts(values: Counts, item: Ints, step: Ints, cells: Ints) -> tuple[Ints, Floats]:
    """For each cell of each item [r, cells]: how many values lie in it, and the sum of what they exceed its edge by."""
    width = int(cells.max()) + 1
    cell = values // step[item]
    place = item * width + cell
    total = len(step) * width
    above = (values - cell * step[item]).astype(np.float64)
    over: Floats = np.bincount(place, weights=above, minlength=total).astype(np.float64)
    counts: Ints = np.bincount(place, minlength=total).astype(np.int64)
    return counts.reshape(-1, width), over.reshape(-1, width)
