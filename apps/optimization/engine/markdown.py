"""Which prices to cut, when and how far: a price path for each item that will not sell at its price.

A clearance goes down a ladder of prices and never up again, with so many days between changes. A finite-horizon dynamic
program over stock, period and step of the ladder finds the best policy (Gallego and van Ryzin 1994, on a ladder).
Demand at a price is the forecast's times (price / usual price) ** elasticity, over sample paths and what is known of
the elasticity. The program takes periods as independent; so its path, along what is expected to sell, is judged beside
single cuts and beside doing nothing on the paths as they are, each with one elasticity throughout, and the best is
proposed.

Money counts what is taken in, refunds to who bought shortly before a cut, holding, and what is left at the end; what
the goods have cost is spent either way. A price below any that was ever asked is proposed as a test only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
from scipy.signal import fftconvolve

from apps.optimization.engine.demand import Demand, Paths, checked_paths
from apps.optimization.engine.frames import Flags, Floats, Goods, InputError, Ints, read_goods

REASONS = ("end_of_season", "overstock", "slow")
ENDINGS = {"": None, "99": 0.99, "95": 0.95, "00": 0.0}
STOCK_STEPS = 100
"""Stock is counted in whole units up to so many, and in so many equal steps beyond."""
PATHS = 64
"""Sample paths that a price path is judged on."""
OUTCOMES = 10
"""Demands of a period that the program tells apart: averages of equally many paths."""
NODES = np.array([-1.3998, -0.5319, 0.0, 0.5319, 1.3998]) / 0.9472
"""Elasticities that are told apart, in standard deviations: averages of a fifth of the normal each, widened to its
variance."""
STEEPEST = -8.0
BLOCK = 128
SURE, LIKELY = 0.9, 0.7


@dataclass(frozen=True)
class Rules:
    """What the merchant allows.

    depths: the ladder, as shares off the usual price. cadence_days: between two changes of a price. ending: of prices
    of one unit of money and more ("99", "95", "00" or "" for any). protection_days: who bought so many days or less
    before a cut gets the difference back. cover_days: beyond it stock is overstock. slow_units_a_week: what sells less
    is slow. smallest_gain: money below which nothing is proposed.
    """

    depths: tuple[float, ...] = (0.1, 0.2, 0.3, 0.5)
    cadence_days: int = 14
    horizon_days: int = 84
    ending: str = "99"
    protection_days: int = 0
    cover_days: float = 120.0
    slow_units_a_week: float = 0.25
    smallest_gain: float = 1.0


@dataclass(frozen=True)
class Markdowns:
    table: pd.DataFrame
    """A candidate each: unique_id, reason, is_proposed; days, prices (lists: what the price becomes on which day),
    current_price, last_price, depth (of it, off the usual price); on_hand, units, sell_through with _low and _high
    (80 % of what may happen); money, money_nothing, money_clear; gain (above doing nothing) with _low and _high,
    better_in (share of what may happen), is_test, confidence ("high", "medium", "low"; a test's is low)."""

    @property
    def summary(self) -> dict[str, float]:
        proposed = self.table[self.table["is_proposed"].astype(bool)]
        return {
            "candidates": len(self.table),
            "proposed": len(proposed),
            "tests": int(proposed["is_test"].sum()),
            "money": round(float(proposed["money"].sum()), 2),
            "money_nothing": round(float(proposed["money_nothing"].sum()), 2),
            "money_clear": round(float(proposed["money_clear"].sum()), 2),
        }


@dataclass(frozen=True)
class Scene:
    """A block of items over its periods; T of them, L steps of the ladder (the first is today's price)."""

    goods: Goods
    days: Ints
    """[n, T]: how long each period is, 0 once an item can no longer be sold."""
    demand: Floats
    """[n, P, T]: units of each period at the usual price."""
    prices: Floats
    """[n, L], never rising; a step that is not allowed repeats the one before."""
    lift: Floats
    """[n, L, Q]: demand at each price over that at the usual one, for each elasticity."""
    protected: float
    """Share of a period's buyers who are refunded when the price falls after it."""
    recent: Floats
    """[n]: units sold today's protection covers."""
    locked: Flags
    """[n]: the price changed too short ago to change in the first period."""
    left_worth: Floats
    left_bend: Floats
    """[n]: the first unit left at the end is worth left_worth, each further one left_bend less, and none below 0.

    What nobody gave a value saves buying it again, less holding until it sells at the usual pace."""

    def left(self, stock: Floats) -> Floats:
        """Money for what is left [n, ..]."""
        shape = (-1,) + (1,) * (stock.ndim - 1)
        worth, bend = self.left_worth.reshape(shape), self.left_bend.reshape(shape)
        most = np.divide(worth, bend, out=np.full_like(worth, np.inf), where=bend > 0)
        counted = np.minimum(stock, most)
        return np.asarray(worth * counted - np.where(bend > 0, bend * counted**2 / 2, 0.0))


def plan(
    items: pd.DataFrame,
    demand: Demand,
    rules: Rules | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Markdowns:
    """A price path for each item that is out of season soon, overstocked or slow (frames.read_goods).

    demand: sample paths at the items' `price`, in the order of `items`, from day 0 to the horizon at least.
    Raises InputError with every problem found.
    """
    rules = rules or Rules()
    check_rules(rules)
    goods = read_goods(items)
    if demand.days < rules.horizon_days:
        raise InputError([f"demand: it reaches {demand.days} days; the horizon is {rules.horizon_days}."])
    mean, reason = _candidates(goods, demand, rules)
    rows = np.flatnonzero(reason >= 0)
    rows = rows[np.argsort(goods.on_hand[rows], kind="stable")]
    tables = []
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        scene = set_scene(_chosen(goods, block), checked_paths(demand, block, rules.horizon_days), mean[block], rules)
        tables.append(_judged(scene, rules).assign(reason=np.array(REASONS)[reason[block]], row=block))
        if progress:
            progress(start + len(block), len(rows))
    if not tables:
        return Markdowns(pd.DataFrame(columns=[*_COLUMNS]))
    table = pd.concat(tables).sort_values("row", ignore_index=True)
    return Markdowns(table[[*_COLUMNS]])


_COLUMNS = (
    "unique_id", "reason", "is_proposed", "days", "prices", "current_price", "last_price", "depth", "on_hand", "units",
    "sell_through", "sell_through_low", "sell_through_high", "money", "money_nothing", "money_clear", "gain",
    "gain_low", "gain_high", "better_in", "is_test", "confidence",
)  # fmt: skip


def check_rules(rules: Rules) -> None:
    """Raises InputError with every problem found."""
    problems = []
    if not rules.depths or any(not 0 < depth < 1 for depth in rules.depths):
        problems.append("rules: depths must be shares above 0 and below 1, and there must be one.")
    if rules.cadence_days < 1 or rules.horizon_days < rules.cadence_days:
        problems.append("rules: cadence_days must be at least 1, and horizon_days at least as many.")
    if rules.ending not in ENDINGS:
        known = ", ".join(repr(ending) for ending in ENDINGS)
        problems.append(f"rules: ending is {rules.ending!r}; it must be one of {known}.")
    if not 0 <= rules.protection_days <= rules.cadence_days:
        problems.append("rules: protection_days must lie between 0 and cadence_days: a buyer is refunded for one cut.")
    if rules.cover_days <= 0 or rules.slow_units_a_week < 0:
        problems.append("rules: cover_days must be above 0, and slow_units_a_week at least 0.")
    if problems:
        raise InputError(problems)


def _chosen(goods: Goods, rows: Ints) -> Goods:
    return replace(goods, **{each.name: getattr(goods, each.name)[rows] for each in fields(goods)})


def _candidates(goods: Goods, demand: Demand, rules: Rules) -> tuple[Floats, Ints]:
    """Units a day [n] as forecast, and which of REASONS makes each a candidate [n]; -1 where none does."""
    mean = np.zeros((len(goods), rules.horizon_days))
    for start in range(0, len(goods), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(goods)))
        mean[rows] = checked_paths(demand, rows, rules.horizon_days).mean(axis=1)
    daily = mean.mean(axis=1)
    until = np.nan_to_num(goods.sell_by_day, nan=np.inf)
    sellable = np.arange(rules.horizon_days) < until[:, None]
    ends = (until <= rules.horizon_days) & ((mean * sellable).sum(axis=1) < goods.on_hand)
    over = goods.on_hand > rules.cover_days * daily
    slow = daily * 7 < rules.slow_units_a_week
    reason = np.select([ends, over, slow], [0, 1, 2], -1)
    return daily, np.where((goods.on_hand > 0) & (until > 0), reason, -1).astype(np.int64)


def ladder(goods: Goods, rules: Rules) -> Floats:
    """Prices [n, L]: today's, then the steps. A step repeats the one before where the floor forbids it, or where it
    would not lie below it."""
    prices = [goods.current_price]
    floor = np.nan_to_num(goods.floor_price, nan=0.0)
    for depth in sorted(rules.depths):
        wanted = rounded(goods.price * (1 - depth), rules.ending)
        allowed = (wanted >= floor - 1e-9) & (wanted < prices[-1] - 1e-9) & (wanted > 0)
        prices.append(np.where(allowed, wanted, prices[-1]))
    return np.column_stack(prices)


def rounded(price: Floats, ending: str) -> Floats:
    """The nearest price with this ending, the lower one of two; whole cents where there is none or below one unit."""
    cents = np.rint(price * 100) / 100
    end = ENDINGS[ending]
    if end is None:
        return np.asarray(cents)
    near = np.ceil(price - end - 0.5 - 1e-9) + end
    return np.asarray(np.where((price < 1) | (near <= 0), cents, np.rint(near * 100) / 100))


def set_scene(goods: Goods, paths: Paths, daily: Floats, rules: Rules) -> Scene:
    """paths: units [n, P, days] at the usual price; daily: units a day [n], which wear down what is left."""
    periods = -(-rules.horizon_days // rules.cadence_days)
    until = np.minimum(np.nan_to_num(goods.sell_by_day, nan=np.inf), rules.horizon_days)
    starts = np.arange(periods) * rules.cadence_days
    days = np.clip(until[:, None] - starts, 0, rules.cadence_days).astype(np.int64)
    sellable = np.arange(rules.horizon_days) < until[:, None]
    demand = np.add.reduceat(paths[:, :PATHS, : rules.horizon_days] * sellable[:, None, :], starts, axis=2)
    prices = ladder(goods, rules)
    slope = np.clip(goods.elasticity[:, None] + goods.elasticity_sd[:, None] * NODES, STEEPEST, 0.0)
    ratio = prices / goods.price[:, None]
    has_end = ~np.isnan(goods.sell_by_day) & (goods.sell_by_day <= rules.horizon_days)
    given = ~np.isnan(goods.salvage_value)
    wear = np.divide(goods.holding_cost, daily, out=np.full(len(goods), np.inf), where=daily > 0)
    gone = has_end | ~np.isfinite(wear)
    recent = daily * (ratio[:, 0] ** slope.mean(axis=1)) * rules.protection_days
    return Scene(
        goods=goods,
        days=days,
        demand=demand.astype(np.float64),
        prices=prices,
        lift=ratio[:, :, None] ** slope[:, None, :],
        protected=rules.protection_days / rules.cadence_days,
        recent=np.where(np.isnan(goods.recent_units), recent, goods.recent_units) * (rules.protection_days > 0),
        locked=np.nan_to_num(goods.days_since_change, nan=np.inf) < rules.cadence_days,
        left_worth=np.where(given, goods.salvage_value, np.where(gone, 0.0, goods.unit_cost)),
        left_bend=np.where(given | gone, 0.0, wear),
    )


def best_policy(scene: Scene) -> tuple[Floats, Ints, Floats]:
    """What the best policy earns from each stock at today's price [n, S + 1], the step of the ladder that it takes
    (period, item, step in force, stock) [T, n, L, S + 1], and how many units a step of stock is [n].

    Demand is rounded up or down to whole steps of stock at random, so that its mean stays. Where two steps of the
    ladder earn the same, the dearer one is taken.
    """
    n, steps = scene.prices.shape
    periods = scene.days.shape[1]
    size = min(int(scene.goods.on_hand.max(initial=1)), STOCK_STEPS)
    unit = np.maximum(scene.goods.on_hand / size, 1.0)
    stock = np.arange(size + 1.0) * unit[:, None]
    value = np.repeat(scene.left(stock)[:, None, :], steps, axis=1)
    action = np.zeros((periods, n, steps, size + 1), dtype=np.int64)
    for period in reversed(range(periods)):
        chance = _chances(scene, period, unit, size)
        sold = np.zeros_like(value)
        sold[..., 1:] = np.cumsum(1 - np.cumsum(chance[..., :-1], axis=-1), axis=-1)
        sold *= unit[:, None, None]
        held = (scene.goods.holding_cost * scene.days[:, period])[:, None, None] * (stock[:, None, :] - sold / 2)
        then = fftconvolve(chance, value, axes=-1)[..., : size + 1]
        worth = scene.prices[:, :, None] * sold - held + then
        refund = _refunds(scene, period)
        value = np.empty_like(worth)
        for step in range(steps):
            choices = worth[:, step:, :] - refund[:, step, step:, None] * (stock[:, None, :] > 0)
            best = choices.max(axis=1, keepdims=True)
            close = choices >= best - 1e-9 * (1 + np.abs(best))
            action[period, :, step] = step + close.argmax(axis=1)
            value[:, step] = best[:, 0]
        if period == 0:
            action[0, scene.locked] = np.arange(steps)[:, None]
            value[scene.locked] = worth[scene.locked]
    return value[:, 0], action, unit


def _chances(scene: Scene, period: int, unit: Floats, size: int) -> Floats:
    """Chances [n, L, size + 1] of each demand in steps of stock; what is beyond the stock is left out."""
    n, steps = scene.prices.shape
    ordered = np.sort(scene.demand[:, :, period], axis=1)
    parts = np.array_split(np.arange(ordered.shape[1]), min(OUTCOMES, ordered.shape[1]))
    demand = np.stack([ordered[:, part].mean(axis=1) for part in parts], axis=1)
    share = np.array([len(part) for part in parts]) / ordered.shape[1] / len(NODES)
    at_price = demand[:, None, :, None] * scene.lift[:, :, None, :] / unit[:, None, None, None]
    low = np.floor(at_price + 1e-9)
    up = np.maximum(at_price - low, 0.0)
    weight = np.broadcast_to(share[:, None], at_price.shape)
    place = np.minimum(low, size + 1).astype(np.int64)
    row = np.arange(n * steps).reshape(n, steps, 1, 1) * (size + 3) + place
    counts = np.bincount(row.ravel(), (weight * (1 - up)).ravel(), n * steps * (size + 3))
    counts += np.bincount(row.ravel() + 1, (weight * up).ravel(), n * steps * (size + 3))
    return np.asarray(counts.reshape(n, steps, size + 3)[:, :, : size + 1])


def _refunds(scene: Scene, period: int) -> Floats:
    """Money given back [n, L, L] when the price falls from one step to another as this period begins: as long as goods
    are left, whoever asked in the period before was served."""
    if period == 0:
        sold = np.broadcast_to(scene.recent[:, None], scene.prices.shape)
    else:
        sold = _mean_demand(scene, period - 1) * scene.protected
    fall = np.maximum(scene.prices[:, :, None] - scene.prices[:, None, :], 0.0)
    return np.asarray(fall * sold[:, :, None])


def _mean_demand(scene: Scene, period: int) -> Floats:
    """[n, L]"""
    return np.asarray(scene.demand[:, :, period].mean(axis=1)[:, None] * scene.lift.mean(axis=2))


def expected_path(scene: Scene, action: Ints, unit: Floats) -> Ints:
    """The steps of the ladder [n, T] that the policy takes if what is expected is what sells."""
    periods, n, _steps, _sizes = action.shape
    rows, step = np.arange(n), np.zeros(n, dtype=np.int64)
    stock = scene.goods.on_hand.astype(np.float64)
    path = np.zeros((n, periods), dtype=np.int64)
    for period in range(periods):
        place = np.ceil(stock / unit - 1e-6).astype(np.int64)
        step = action[period, rows, step, place]
        path[:, period] = step
        stock = np.maximum(stock - _mean_demand(scene, period)[rows, step], 0.0)
    return path


def followed(scene: Scene, path: Ints) -> tuple[Floats, Floats]:
    """Money and units sold [n, P * Q] where a path of steps [n, T] is followed whatever comes."""
    n, count, periods = scene.demand.shape
    rows = np.arange(n)
    stock = np.repeat(scene.goods.on_hand.astype(np.float64)[:, None], count * len(NODES), axis=1)
    money = np.zeros_like(stock)
    before, recent = scene.prices[:, 0], np.repeat(scene.recent[:, None], stock.shape[1], axis=1)
    for period in range(periods):
        price = scene.prices[rows, path[:, period]]
        fall = np.maximum(before - price, 0.0)
        money -= np.where(stock > 0, fall[:, None] * recent, 0.0)
        asked = scene.demand[:, :, None, period] * scene.lift[rows, path[:, period]][:, None, :]
        sold = np.minimum(stock, asked.reshape(n, -1))
        money += price[:, None] * sold
        money -= (scene.goods.holding_cost * scene.days[:, period])[:, None] * (stock - sold / 2)
        stock -= sold
        before, recent = price, sold * scene.protected
    return money + scene.left(stock), scene.goods.on_hand[:, None] - stock


def _judged(scene: Scene, rules: Rules) -> pd.DataFrame:
    n, steps = scene.prices.shape
    periods = scene.days.shape[1]
    _value, action, unit = best_policy(scene)
    single = np.repeat(np.arange(steps)[:, None, None], periods, axis=2).repeat(n, axis=1)
    single[:, scene.locked, 0] = 0
    paths = np.concatenate([single[:1], expected_path(scene, action, unit)[None], single[1:]])
    judged = [followed(scene, path) for path in paths]
    mean = np.array([money.mean(axis=1) for money, _units in judged])
    best = (mean >= mean.max(axis=0) - 1e-9 * (1 + np.abs(mean).max(axis=0))).argmax(axis=0)
    proposed = mean[best, np.arange(n)] - mean[0] >= max(rules.smallest_gain, 1e-9)
    best = np.where(proposed, best, 0)
    rows = np.arange(n)
    money = np.array([each[0] for each in judged])[best, rows]
    units = np.array([each[1] for each in judged])[best, rows]
    gain = money - judged[0][0]
    asked = scene.prices[rows[:, None], paths[best, rows]]
    asked = np.where(scene.days > 0, asked, np.nan)
    last = np.nanmin(asked, axis=1)
    is_test = proposed & ~(last >= scene.goods.lowest_price - 0.005)
    through = units / scene.goods.on_hand[:, None]
    better = np.where(proposed, (gain > 1e-9).mean(axis=1), 0.0)
    sure = np.select([is_test | ~proposed, better >= SURE, better >= LIKELY], ["low", "high", "medium"], "low")
    days, prices = _changes(scene.goods.current_price, asked, rules.cadence_days)
    through_low, through_high = np.quantile(through, [0.1, 0.9], axis=1)
    gain_low, gain_high = np.quantile(gain, [0.1, 0.9], axis=1)
    return pd.DataFrame({
        "unique_id": scene.goods.unique_ids, "is_proposed": proposed, "days": days, "prices": prices,
        "current_price": scene.goods.current_price, "last_price": last,
        "depth": np.maximum(1 - last / scene.goods.price, 0.0), "on_hand": scene.goods.on_hand,
        "units": units.mean(axis=1), "sell_through": through.mean(axis=1), "sell_through_low": through_low,
        "sell_through_high": through_high, "money": money.mean(axis=1), "money_nothing": mean[0],
        "money_clear": mean[-1], "gain": gain.mean(axis=1), "gain_low": gain_low, "gain_high": gain_high,
        "better_in": better, "is_test": is_test, "confidence": sure,
    })  # fmt: skip


def _changes(current: Floats, asked: Floats, cadence: int) -> tuple[list[list[int]], list[list[float]]]:
    """Days and prices of each item's changes, from its prices by period [n, T] (NaN: over)."""
    falls = asked < np.column_stack([current, asked[:, :-1]]) - 1e-9
    days = [[int(period) * cadence for period in np.flatnonzero(row)] for row in falls]
    prices = [[float(price) for price in row[fell]] for row, fell in zip(asked, falls, strict=True)]
    return days, prices
