"""The textbook's answers for one item: lot sizes, order-up-to levels and reorder points, vectorised over items.

Arrays in, arrays out: every number is one for all items or an array [n]. A period is whatever rates are told by (a day,
a year); money is per period or per unit. Where demand is not lost it waits: what is missing is backordered.

Sources: Snyder and Shen, Fundamentals of Supply Chain Theory, 2nd ed. (FoSCT); Zipkin, Foundations of Inventory
Management; Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains, 4th ed. (SPT).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from apps.optimization.engine import ragged
from apps.optimization.engine.frames import Flags, Floats, InputError, Ints
from apps.optimization.engine.inputs import Numbers

LARGEST_LEVEL = 1_000_000
"""No level of stock is searched for beyond this many units."""
LARGEST_LOT = 10_000
"""Reorder policies are searched for up to lots of this many units, which takes seconds."""
TAIL = 1e-13
"""The chance that a listed Poisson demand leaves out at its upper end."""
FAR = 38.0
"""Standard deviations beyond which a normal law has nothing left that a float can hold."""
HALVINGS = 100
"""Of an interval in the search for a level: enough for the last bit of a float."""


@dataclass(frozen=True)
class LotSize:
    """The best lot of each item [n] and what ordering and holding cost per period with it."""

    order_quantity: Floats
    cost: Floats


@dataclass(frozen=True)
class BackorderedLotSize:
    """The best lot [n], how many units wait when it arrives, and the cost per period."""

    order_quantity: Floats
    backorders: Floats
    cost: Floats


@dataclass(frozen=True)
class DiscountedLotSize:
    """The best lot [n], the number of the price it is bought at (from 0), and the cost per period with purchase."""

    order_quantity: Floats
    bracket: Ints
    cost: Floats


@dataclass(frozen=True)
class Newsvendor:
    """The best quantity [n] for one season, its expected cost, the chance of no stockout, the share of units served."""

    order_quantity: Floats
    cost: Floats
    service_level: Floats
    fill_rate: Floats


@dataclass(frozen=True)
class OrderUpTo:
    """What an order-up-to level leads to, for each item [n]."""

    order_up_to_level: Floats
    service_level: Floats
    """The chance that demand over the protection period does not exceed the level."""
    fill_rate: Floats
    """The share of units served from stock; 1 where nothing is asked for."""
    on_hand: Floats
    """Expected stock: at the ends of periods on average, or at any time where stock is reviewed continuously."""
    backorders: Floats
    """Expected units that wait, likewise."""


@dataclass(frozen=True)
class ReorderPointLot:
    """(r, Q): order Q whenever the inventory position falls to r; whole units [n], and the cost per period."""

    reorder_point: Ints
    order_quantity: Ints
    cost: Floats


@dataclass(frozen=True)
class ReorderLevels:
    """(s, S): a review that finds the inventory position at s or below orders up to S; [n], and the cost per period."""

    reorder_point: Ints
    order_up_to_level: Ints
    cost: Floats


@dataclass(frozen=True)
class LostSales:
    """What a base stock leads to where unserved demand is lost, for each item [n]."""

    base_stock: Ints
    fill_rate: Floats
    on_hand: Floats
    lost_rate: Floats
    """Expected units lost per period."""


@dataclass(frozen=True)
class NormalDemand:
    """Demand of a period: mean and standard deviation [n], independent between periods."""

    mean: ArrayLike
    sd: ArrayLike


@dataclass(frozen=True)
class PoissonDemand:
    """Demand of a period: mean [n], whole units, independent between periods."""

    mean: ArrayLike


def economic_order_quantity(demand_rate: ArrayLike, order_cost: ArrayLike, holding_cost: ArrayLike) -> LotSize:
    """The lot that costs least where demand is steady: sqrt(2 K d / h) (Harris 1913; FoSCT 3.2).

    demand_rate: units per period; order_cost: money per order; holding_cost: money per unit and period.
    Raises InputError where a rate or cost is below 0, or holding costs nothing.
    """
    check = Numbers("EOQ")
    demand, order, holding = check.alike(*_lot_terms(check, demand_rate, order_cost, holding_cost))
    return LotSize(np.sqrt(2 * order * demand / holding), np.sqrt(2 * order * demand * holding))


def economic_order_quantity_with_backorders(
    demand_rate: ArrayLike, order_cost: ArrayLike, holding_cost: ArrayLike, backorder_cost: ArrayLike
) -> BackorderedLotSize:
    """The same where customers wait, for `backorder_cost` per unit and period (FoSCT 3.5): the lot grows by
    sqrt((h + p) / p), and the share h / (h + p) of it is owed when it arrives.

    Raises InputError as economic_order_quantity does, and where waiting costs nothing.
    """
    check = Numbers("EOQ with backorders")
    terms = _lot_terms(check, demand_rate, order_cost, holding_cost)
    demand, order, holding, backorder = check.alike(*terms, check.read("backorder_cost", backorder_cost, above=0))
    total = holding + backorder
    quantity = np.sqrt(2 * order * demand * total / (holding * backorder))
    cost = np.sqrt(2 * order * demand * holding * backorder / total)
    return BackorderedLotSize(quantity, quantity * holding / total, cost)


def all_units_discount(
    demand_rate: ArrayLike,
    order_cost: ArrayLike,
    holding_cost_rate: ArrayLike,
    breaks: ArrayLike,
    unit_costs: ArrayLike,
) -> DiscountedLotSize:
    """The best lot where an order of breaks[j] or more buys every unit at unit_costs[j] (FoSCT 3.4.2).

    holding_cost_rate: per period, of the unit cost; breaks, unit_costs: [k] for all items or [n, k]. breaks begin with
    0 and rise, unit costs fall. In each bracket the best is its own EOQ, or its break where that is larger; a bracket
    whose EOQ exceeds it is beaten by the next.

    Raises InputError where breaks or unit costs are out of order, or a number is missing or below 0.
    """
    demand, order, rate, least, unit = _discount_terms(
        "all-units discount", demand_rate, order_cost, holding_cost_rate, breaks, unit_costs
    )
    quantity = np.maximum(np.sqrt(2 * order * demand / (rate * unit)), least)
    cost = unit * demand + _share(order * demand, quantity) + rate * unit * quantity / 2
    return _best_bracket(quantity, cost, least)


def incremental_discount(
    demand_rate: ArrayLike,
    order_cost: ArrayLike,
    holding_cost_rate: ArrayLike,
    breaks: ArrayLike,
    unit_costs: ArrayLike,
) -> DiscountedLotSize:
    """The best lot where only the units from breaks[j] on are bought at unit_costs[j] (FoSCT 3.4.3).

    The premium paid for the units below a break is an order cost more: each bracket has its EOQ, and the best lot lies
    inside its bracket. Arguments and errors are those of all_units_discount.
    """
    demand, order, rate, least, unit = _discount_terms(
        "incremental discount", demand_rate, order_cost, holding_cost_rate, breaks, unit_costs
    )
    premium = np.zeros(least.shape)
    premium[:, 1:] = np.cumsum(least[:, 1:] * (unit[:, :-1] - unit[:, 1:]), axis=1)
    quantity = np.sqrt(2 * (order + premium) * demand / (rate * unit))
    ordering = _share((order + premium) * demand, quantity)
    cost = unit * demand + ordering + rate * (premium + unit * quantity) / 2
    return _best_bracket(quantity, np.where(quantity >= least, cost, np.inf), least)


def newsvendor(
    demand: NormalDemand | PoissonDemand, overage_cost: ArrayLike, underage_cost: ArrayLike
) -> Newsvendor:
    """The best quantity for one period: where the chance to sell all of it falls to the critical ratio u / (o + u)
    (FoSCT 4.3.2); of Poisson demand the smallest whole number that reaches it.

    overage_cost: money for a unit left over; underage_cost: for a unit missing.
    Raises InputError where a cost is not above 0 or demand is below 0.
    """
    check = Numbers("newsvendor")
    law, (over, under) = _with_law(check, demand, *_stock_costs(check, overage_cost, underage_cost))
    ones = np.ones(len(law))
    quantity = law.level(lambda level: law.cdf(level, ones) >= under / (over + under), ones)
    lost = law.loss(quantity, ones)
    cost = over * (quantity - law.mean + lost) + under * lost
    return Newsvendor(quantity, cost, law.cdf(quantity, ones), 1 - _share(lost, law.mean))


def newsvendor_discrete(pmf: ArrayLike, overage_cost: ArrayLike, underage_cost: ArrayLike) -> Newsvendor:
    """The same for any demand in whole units: pmf [n, K] holds the chances of 0 .. K - 1.

    Raises InputError where a cost is not above 0, or chances are below 0 or do not add up to 1.
    """
    check = Numbers("newsvendor")
    chances, over, under = check.alike(
        check.demand("pmf", pmf), *_stock_costs(check, overage_cost, underage_cost)
    )
    units = np.arange(chances.shape[1], dtype=np.float64)
    return _newsvendor_of_points(np.broadcast_to(units, chances.shape), chances, over, under)


def newsvendor_samples(samples: ArrayLike, overage_cost: ArrayLike, underage_cost: ArrayLike) -> Newsvendor:
    """The same where demand is known by samples [n, m]: the quantity that costs least on them (a sample average), which
    is the smallest sample that the critical share of samples does not exceed.

    Raises InputError where a cost is not above 0, or a sample is missing or below 0.
    """
    check = Numbers("newsvendor")
    drawn = check.read("samples", samples, least=0, dimensions=2)
    if drawn.shape[1] == 0:
        check.problems.append("newsvendor: there are no samples.")
    drawn, over, under = check.alike(drawn, *_stock_costs(check, overage_cost, underage_cost))
    points = np.sort(drawn, axis=1)
    return _newsvendor_of_points(points, np.full(points.shape, 1 / points.shape[1]), over, under)


def order_up_to(
    demand: NormalDemand | PoissonDemand, level: ArrayLike, *, lead_time: ArrayLike, review_period: ArrayLike
) -> OrderUpTo:
    """What (R, S) with this level leads to; with a review period of 0, what a base stock leads to.

    An order placed at the opening of a period arrives `lead_time` periods later, and stock is counted at the ends of
    periods: of the review_period R counts that an order answers for, the j-th sees the demand of lead_time + j periods.
    Units that come to wait in a cycle are those that wait at its end less those that already waited at its beginning
    (Zipkin 6.3; SPT 6.10 leaves the second out). Under continuous review a unit of Poisson demand is served from stock
    where the demand of a lead time before it was below the level.

    lead_time: periods; review_period: whole periods. Normal demand is taken as it is, its part below zero included.
    Raises InputError where a number is missing or below 0, or a review period is not whole.
    """
    check = Numbers("order-up-to level")
    levels = check.read("level", level)
    law, (levels, lead, review) = _with_law(check, demand, levels, *_times(check, lead_time, review_period))
    if law.is_whole and (levels != np.rint(levels)).any():
        raise InputError(["order-up-to level: level is no whole number, but demand is."])
    lost = _mean_over_counts(law.loss, levels, lead, review)
    seen = _mean_over_counts(lambda _, periods: law.mean * periods, levels, lead, review)
    return OrderUpTo(
        order_up_to_level=levels,
        service_level=law.cdf(levels, lead + review),
        fill_rate=_fill_rate(law, levels, lead, review),
        on_hand=levels - seen + lost,
        backorders=lost,
    )


def order_up_to_for_service_level(
    demand: NormalDemand | PoissonDemand, service_level: ArrayLike, *, lead_time: ArrayLike, review_period: ArrayLike
) -> Floats:
    """The smallest level [n] that is not exceeded by the demand of a protection period with this chance (FoSCT 4.3.4).

    Raises InputError as order_up_to does, and where a service level does not lie between 0 and 1.
    """
    check = Numbers("order-up-to level")
    wanted = check.read("service_level", service_level, above=0, below=1)
    law, (wanted, lead, review) = _with_law(check, demand, wanted, *_times(check, lead_time, review_period))
    return law.level(lambda level: law.cdf(level, lead + review) >= wanted, lead + review)


def order_up_to_for_fill_rate(
    demand: NormalDemand | PoissonDemand, fill_rate: ArrayLike, *, lead_time: ArrayLike, review_period: ArrayLike
) -> Floats:
    """The smallest level [n] of at least 0 that serves this share of units from stock (Zipkin 6.3; SPT 6.10).

    Of normal demand this holds where demand below zero is next to impossible.

    Raises InputError as order_up_to does, and where a fill rate does not lie between 0 and 1.
    """
    check = Numbers("order-up-to level")
    wanted = check.read("fill_rate", fill_rate, above=0, below=1)
    law, (wanted, lead, review) = _with_law(check, demand, wanted, *_times(check, lead_time, review_period))
    reached = law.level(lambda level: _fill_rate(law, np.maximum(level, 0), lead, review) >= wanted, lead + review)
    return np.maximum(reached, 0.0)


def order_up_to_for_cost(
    demand: NormalDemand | PoissonDemand,
    *,
    lead_time: ArrayLike,
    review_period: ArrayLike,
    holding_cost: ArrayLike,
    backorder_cost: ArrayLike,
) -> Floats:
    """The level [n] that costs least to hold and to let wait, both per unit and period: the chance of no stockout, on
    average over the counts of a cycle, reaches p / (h + p) (FoSCT 4.3.4).

    Raises InputError as order_up_to does, and where a cost is not above 0.
    """
    check = Numbers("order-up-to level")
    costs = (check.read("holding_cost", holding_cost, above=0), check.read("backorder_cost", backorder_cost, above=0))
    law, (holding, backorder, lead, review) = _with_law(check, demand, *costs, *_times(check, lead_time, review_period))
    ratio = backorder / (holding + backorder)
    return law.level(lambda level: _mean_over_counts(law.cdf, level, lead, review) >= ratio, lead + review)


def reorder_point_cost(
    reorder_point: ArrayLike,
    order_quantity: ArrayLike,
    *,
    demand_rate: ArrayLike,
    lead_time: ArrayLike,
    order_cost: ArrayLike,
    holding_cost: ArrayLike,
    backorder_cost: ArrayLike,
) -> Floats:
    """The exact cost per period [n] of (r, Q) under Poisson demand: (K d + sum of G(y), y = r + 1 .. r + Q) / Q, where
    G is the cost of holding and waiting with a base stock of y (Federgruen and Zheng 1992; FoSCT 5.5).

    Raises InputError where a number is missing, a cost is not above 0, or r or Q is not whole.
    """
    check = Numbers("(r, Q)")
    point = check.read("reorder_point", reorder_point, whole=True)
    lot = check.read("order_quantity", order_quantity, least=1, whole=True)
    point, lot, demand, lead, order, holding, backorder = check.alike(
        point, lot, *_reorder_terms(check, demand_rate, lead_time, order_cost, holding_cost, backorder_cost)
    )
    length = lot.astype(np.int64)
    item = np.repeat(np.arange(len(lot)), length)
    level = ragged.spans(point.astype(np.int64) + 1, length).astype(np.float64)
    mean = demand * lead
    cost = _stock_cost(level, mean[item], holding[item], backorder[item])
    return (order * demand + np.bincount(item, weights=cost, minlength=len(lot))) / lot


def reorder_point_and_lot(
    *,
    demand_rate: ArrayLike,
    lead_time: ArrayLike,
    order_cost: ArrayLike,
    holding_cost: ArrayLike,
    backorder_cost: ArrayLike,
) -> ReorderPointLot:
    """The best (r, Q) under Poisson demand and continuous review (Federgruen and Zheng 1992; FoSCT 5.5).

    G is convex, so that the best lot of Q takes the Q cheapest levels: they are taken one by one, outward from the best
    base stock, as long as the next is cheaper than the average so far.

    demand_rate: units per period; lead_time: periods; order_cost: money per order; the other costs are per unit and
    period. Raises InputError where a number is missing, or demand or a cost is not above 0.
    """
    check = Numbers("(r, Q)")
    demand, lead, order, holding, backorder = check.alike(
        *_reorder_terms(check, demand_rate, lead_time, order_cost, holding_cost, backorder_cost)
    )
    mean = demand * lead
    law = _Poisson(mean)
    ones = np.ones(len(mean))
    best = law.level(lambda level: law.cdf(level, ones) >= backorder / (holding + backorder), ones)
    low, high = best - 1, best + 1  # the cheapest levels not yet taken
    total = order * demand + _stock_cost(best, mean, holding, backorder)
    below = _stock_cost(low, mean, holding, backorder)
    above = _stock_cost(high, mean, holding, backorder)
    going = np.arange(len(mean))
    while len(going):
        next_cost = np.minimum(below[going], above[going])
        going = going[next_cost * (high - low - 1)[going] < total[going]]
        if len(going) and (high - low)[going].max() > LARGEST_LOT:
            raise InputError([f"(r, Q): a lot would be larger than {LARGEST_LOT:,} units; count in larger units."])
        total[going] += np.minimum(below[going], above[going])
        downward = below[going] <= above[going]
        down, up = going[downward], going[~downward]
        low[down] -= 1
        high[up] += 1
        below[down] = _stock_cost(low[down], mean[down], holding[down], backorder[down])
        above[up] = _stock_cost(high[up], mean[up], holding[up], backorder[up])
    lot = high - low - 1
    return ReorderPointLot(low.astype(np.int64), lot.astype(np.int64), total / lot)


def reorder_levels(
    pmf: ArrayLike,
    *,
    lead_time: int,
    review_period: int = 1,
    order_cost: ArrayLike,
    holding_cost: ArrayLike,
    backorder_cost: ArrayLike,
) -> ReorderLevels:
    """The best (s, S), or (R, s, S) with a review period above 1, under discrete demand (Zheng and Federgruen 1991;
    FoSCT 4.4.3).

    pmf: chances [n, K] of a demand of 0 .. K - 1 units in one period, independent between periods (poisson_pmf lists
    Poisson demand). Orders are placed at the opening of a period; `lead_time` and `review_period` are whole periods,
    one number for all items; costs are counted at the ends of periods, per unit and period, order_cost per order.

    Raises InputError where chances do not add up to 1, nothing is ever asked for, or a cost is not above 0.
    """
    check = Numbers("(s, S)")
    lead, review, chances, order, holding, backorder = _review_terms(
        check, pmf, lead_time, review_period, order_cost, holding_cost, backorder_cost
    )
    found = [
        _reorder_levels(_LevelCosts(chances[i], lead, review, float(holding[i]), float(backorder[i])), float(order[i]))
        for i in range(len(chances))
    ]
    point, level, cost = (np.array(column) for column in zip(*found, strict=True))
    return ReorderLevels(point.astype(np.int64), level.astype(np.int64), cost / review)


def reorder_levels_cost(
    reorder_point: int,
    order_up_to_level: int,
    pmf: ArrayLike,
    *,
    lead_time: int,
    review_period: int = 1,
    order_cost: float,
    holding_cost: float,
    backorder_cost: float,
) -> float:
    """The exact cost per period of one item's (s, S): a renewal from one order to the next (FoSCT 4.4.2).

    Arguments and errors are those of reorder_levels; s must lie below S.
    """
    check = Numbers("(s, S)")
    if reorder_point >= order_up_to_level:
        check.problems.append("(s, S): the reorder point does not lie below the order-up-to level.")
    lead, review, chances, order, holding, backorder = _review_terms(
        check, pmf, lead_time, review_period, order_cost, holding_cost, backorder_cost
    )
    costs = _LevelCosts(chances[0], lead, review, float(holding[0]), float(backorder[0]))
    return costs.average(reorder_point, order_up_to_level, float(order[0])) / review


def poisson_pmf(mean: ArrayLike) -> Floats:
    """Chances [n, K] of Poisson demand of these means [n], as far up as any of them leaves less than TAIL out.

    Raises InputError where a mean is missing or below 0.
    """
    check = Numbers("Poisson demand")
    means = check.read("mean", mean, least=0)
    check.raise_if_any()
    most = np.ceil(means.max(initial=0))
    while special.pdtrc(most, means).max(initial=0) > TAIL:
        most += max(1.0, np.ceil(most / 20))
    chances = _poisson(np.arange(most + 1)[None, :], means[:, None])
    scaled: Floats = chances / chances.sum(axis=1, keepdims=True)
    return scaled


def lost_sales_base_stock(base_stock: ArrayLike, *, demand_rate: ArrayLike, lead_time: ArrayLike) -> LostSales:
    """What a base stock leads to under Poisson demand and continuous review where unserved demand is lost.

    Units on order are the busy servers of an M/G/S/S queue: the share lost is Erlang's B of S and d L, whatever the
    spread of the lead time (Karush 1957; Zipkin 7.2).

    demand_rate: units per period; lead_time: mean, in periods.
    Raises InputError where a number is missing or below 0, or a base stock is not whole.
    """
    check = Numbers("lost sales")
    stock = check.read("base_stock", base_stock, least=0, whole=True)
    stock, demand, lead = check.alike(stock, *_offered(check, demand_rate, lead_time))
    if stock.max(initial=0) > LARGEST_LEVEL:
        raise InputError([f"lost sales: a base stock is larger than {LARGEST_LEVEL:,} units; count in larger units."])
    lost = _erlang_b(stock, demand * lead)
    return _lost_sales(stock, lost, demand, lead)


def lost_sales_for_fill_rate(fill_rate: ArrayLike, *, demand_rate: ArrayLike, lead_time: ArrayLike) -> LostSales:
    """The smallest base stock that serves this share of units.

    Raises InputError as lost_sales_base_stock does, and where a fill rate does not lie between 0 and 1.
    """
    check = Numbers("lost sales")
    wanted = check.read("fill_rate", fill_rate, above=0, below=1)
    wanted, demand, lead = check.alike(wanted, *_offered(check, demand_rate, lead_time))
    return _raise_stock(demand, lead, lambda _, lost, item: 1 - lost < wanted[item])


def lost_sales_for_cost(
    *, demand_rate: ArrayLike, lead_time: ArrayLike, holding_cost: ArrayLike, shortage_cost: ArrayLike
) -> LostSales:
    """The base stock that costs least: `holding_cost` per unit on hand and period, `shortage_cost` per unit lost.

    Erlang's B is convex in the stock, so that the first level whose next unit does not pay is the best.
    Raises InputError as lost_sales_base_stock does, and where holding costs nothing.
    """
    check = Numbers("lost sales")
    costs = (check.read("holding_cost", holding_cost, above=0), check.read("shortage_cost", shortage_cost, least=0))
    holding, shortage, demand, lead = check.alike(*costs, *_offered(check, demand_rate, lead_time))

    def pays(stock: float, lost: Floats, item: Ints) -> Flags:
        offered = demand[item] * lead[item]
        saved = lost - _next_erlang_b(lost, stock + 1, offered)
        return shortage[item] * demand[item] * saved > holding[item] * (1 - offered * saved)

    return _raise_stock(demand, lead, pays)


def _lot_terms(
    check: Numbers, demand_rate: ArrayLike, order_cost: ArrayLike, holding_cost: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    return (
        check.read("demand_rate", demand_rate, least=0),
        check.read("order_cost", order_cost, least=0),
        check.read("holding_cost", holding_cost, above=0),
    )


def _discount_terms(
    name: str,
    demand_rate: ArrayLike,
    order_cost: ArrayLike,
    holding_cost_rate: ArrayLike,
    breaks: ArrayLike,
    unit_costs: ArrayLike,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Demand, order cost and rate [n, 1], breaks and unit costs [n, k]."""
    check = Numbers(name)
    least = check.read("breaks", breaks, least=0, dimensions=2)
    unit = check.read("unit_costs", unit_costs, above=0, dimensions=2)
    if least.shape[1] != unit.shape[1] or least.shape[1] == 0:
        check.problems.append(f"{name}: there are {least.shape[1]} breaks and {unit.shape[1]} unit costs.")
    elif (least[:, 0] != 0).any() or (np.diff(least, axis=1) <= 0).any():
        check.problems.append(f"{name}: breaks must begin with 0 and rise.")
    if (np.diff(unit, axis=1) >= 0).any():
        check.problems.append(f"{name}: unit costs must fall from break to break.")
    demand, order, rate, least, unit = check.alike(
        check.read("demand_rate", demand_rate, least=0),
        check.read("order_cost", order_cost, least=0),
        check.read("holding_cost_rate", holding_cost_rate, above=0),
        least,
        unit,
    )
    return demand[:, None], order[:, None], rate[:, None], least, unit


def _best_bracket(quantity: Floats, cost: Floats, least: Floats) -> DiscountedLotSize:
    """Each item's cheapest bracket among those that the quantity [n, k] lies in."""
    end = np.pad(least[:, 1:], ((0, 0), (0, 1)), constant_values=np.inf)
    cost = np.where(quantity < end, cost, np.inf)
    bracket = np.argmin(cost, axis=1)
    rows = np.arange(len(cost))
    return DiscountedLotSize(quantity[rows, bracket], bracket, cost[rows, bracket])


def _share(part: Floats, whole: Floats) -> Floats:
    """part / whole; 0 where the whole is 0."""
    nothing = np.zeros(np.broadcast_shapes(part.shape, whole.shape))
    divided: Floats = np.divide(part, whole, out=nothing, where=whole > 0)
    return divided


def _stock_costs(check: Numbers, over: ArrayLike, under: ArrayLike) -> tuple[Floats, Floats]:
    return check.read("overage_cost", over, above=0), check.read("underage_cost", under, above=0)


def _newsvendor_of_points(points: Floats, chances: Floats, over: Floats, under: Floats) -> Newsvendor:
    """Demand takes the values of points [n, m], ascending, with these chances."""
    reached = np.cumsum(chances, axis=1)
    ratio = (under / (over + under))[:, None]
    place = np.minimum((reached < ratio - 1e-12).sum(axis=1), points.shape[1] - 1)[:, None]
    quantity = np.take_along_axis(points, place, axis=1)
    lost = (np.maximum(points - quantity, 0) * chances).sum(axis=1)
    left = (np.maximum(quantity - points, 0) * chances).sum(axis=1)
    served = ((points <= quantity) * chances).sum(axis=1)
    fill_rate = 1 - _share(lost, (points * chances).sum(axis=1))
    return Newsvendor(quantity[:, 0], over * left + under * lost, served, fill_rate)


class _Normal:
    """Normal demand of any number of periods."""

    is_whole = False

    def __init__(self, mean: Floats, sd: Floats) -> None:
        self.mean, self.sd = mean, sd

    def __len__(self) -> int:
        return len(self.mean)

    def cdf(self, level: Floats, periods: Floats) -> Floats:
        chance: Floats = special.ndtr(self._z(level, periods))
        return chance

    def loss(self, level: Floats, periods: Floats) -> Floats:
        """Expected units above the level: sd (phi(z) - z (1 - Phi(z)))."""
        z, sd = self._z(level, periods), self.sd * np.sqrt(periods)
        near = np.clip(z, -FAR, FAR)
        usual = sd * (np.exp(-near * near / 2) / np.sqrt(2 * np.pi) - near * special.ndtr(-near))
        return np.where(np.abs(z) < FAR, usual, np.maximum(self.mean * periods - level, 0))

    def level(self, is_enough: Callable[[Floats], Flags], periods: Floats) -> Floats:
        """The smallest level that is enough, by halving."""
        mean, sd = self.mean * periods, self.sd * np.sqrt(periods)
        low, high = -FAR * sd - 1, mean + FAR * sd + 1
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            enough = is_enough(middle)
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return high

    def served_at_once(self, level: Floats, periods: Floats) -> Floats:
        return self.cdf(level, periods)

    def _z(self, level: Floats, periods: Floats) -> Floats:
        above = level - self.mean * periods
        sd = self.sd * np.sqrt(periods)
        known = np.where(above >= 0, np.inf, -np.inf)
        return np.divide(above, sd, out=known, where=sd > 0)


class _Poisson:
    """Poisson demand of any number of periods."""

    is_whole = True

    def __init__(self, mean: Floats) -> None:
        self.mean = mean

    def __len__(self) -> int:
        return len(self.mean)

    def cdf(self, level: Floats, periods: Floats) -> Floats:
        chance: Floats = np.where(level < 0, 0.0, special.pdtr(np.maximum(level, 0), self.mean * periods))
        return chance

    def loss(self, level: Floats, periods: Floats) -> Floats:
        return _poisson_loss(level, self.mean * periods)

    def level(self, is_enough: Callable[[Floats], Flags], periods: Floats) -> Floats:
        """The smallest whole level of at least 0 that is enough, by doubling and halving."""
        low, high = np.full(len(self), -1.0), np.ceil(self.mean * periods) + 1
        while not (enough := is_enough(high)).all():
            low, high = np.where(enough, low, high), np.where(enough, high, 2 * high)
            if high.max() > LARGEST_LEVEL:
                raise InputError([f"A level would be higher than {LARGEST_LEVEL:,} units; count in larger units."])
        while (high - low > 1).any():
            middle = np.floor((low + high) / 2)
            enough = is_enough(middle)
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return high

    def served_at_once(self, level: Floats, periods: Floats) -> Floats:
        return self.cdf(level - 1, periods)


def _with_law(
    check: Numbers, demand: NormalDemand | PoissonDemand, *columns: Floats
) -> tuple[_Normal | _Poisson, list[Floats]]:
    """The demand's law and the other columns, all [n]."""
    mean = check.read("mean", demand.mean, least=0)
    if isinstance(demand, NormalDemand):
        sd = check.read("sd", demand.sd, least=0)
        mean, sd, *rest = check.alike(mean, sd, *columns)
        return _Normal(mean, sd), rest
    mean, *rest = check.alike(mean, *columns)
    return _Poisson(mean), rest


def _times(check: Numbers, lead_time: ArrayLike, review_period: ArrayLike) -> tuple[Floats, Floats]:
    return check.read("lead_time", lead_time, least=0), check.read("review_period", review_period, least=0, whole=True)


def _mean_over_counts(
    of: Callable[[Floats, Floats], Floats], level: Floats, lead: Floats, review: Floats
) -> Floats:
    """of(level, periods), averaged over the counts of a cycle; under continuous review, after a lead time."""
    total = np.zeros(len(level))
    for count in range(int(review.max(initial=0)) + 1):
        counted = np.where(review == 0, count == 0, (count >= 1) & (count <= review))
        total += np.where(counted, of(level, lead + count), 0.0)
    return total / np.maximum(review, 1)


def _fill_rate(law: _Normal | _Poisson, level: Floats, lead: Floats, review: Floats) -> Floats:
    arisen = law.loss(level, lead + review) - law.loss(level, lead)
    periodic = 1 - _share(arisen, law.mean * review)
    at_once = np.where(law.mean > 0, law.served_at_once(level, lead), 1.0)
    return np.where(review > 0, periodic, at_once)


def _poisson(level: Floats, mean: Floats) -> Floats:
    """The chance of exactly this many units; 0 below zero."""
    counted = np.maximum(level, 0)
    chance: Floats = np.exp(special.xlogy(counted, mean) - special.gammaln(counted + 1) - mean)
    return np.where(level < 0, 0.0, chance)


def _poisson_loss(level: Floats, mean: Floats) -> Floats:
    """Expected units above a whole level: (m - y) P(D > y) + m P(D = y) (Zipkin C.2.3)."""
    above = np.where(level < 0, 1.0, special.pdtrc(np.maximum(level, 0), mean))
    return np.maximum((mean - level) * above + mean * _poisson(level, mean), 0.0)


def _stock_cost(level: Floats, mean: Floats, holding: Floats, backorder: Floats) -> Floats:
    """G(y): cost per period of holding and waiting when lead time demand has this mean."""
    lost = _poisson_loss(level, mean)
    return holding * (level - mean + lost) + backorder * lost


def _reorder_terms(
    check: Numbers,
    demand_rate: ArrayLike,
    lead_time: ArrayLike,
    order_cost: ArrayLike,
    holding_cost: ArrayLike,
    backorder_cost: ArrayLike,
) -> tuple[Floats, ...]:
    return (
        check.read("demand_rate", demand_rate, above=0),
        check.read("lead_time", lead_time, least=0),
        check.read("order_cost", order_cost, above=0),
        check.read("holding_cost", holding_cost, above=0),
        check.read("backorder_cost", backorder_cost, above=0),
    )


def _review_terms(
    check: Numbers,
    pmf: ArrayLike,
    lead_time: int,
    review_period: int,
    order_cost: ArrayLike,
    holding_cost: ArrayLike,
    backorder_cost: ArrayLike,
) -> tuple[int, int, Floats, Floats, Floats, Floats]:
    lead = check.read("lead_time", lead_time, least=0, whole=True, dimensions=0)
    review = check.read("review_period", review_period, least=1, whole=True, dimensions=0)
    chances, order, holding, backorder = check.alike(
        check.demand("pmf", pmf),
        check.read("order_cost", order_cost, above=0),
        check.read("holding_cost", holding_cost, above=0),
        check.read("backorder_cost", backorder_cost, above=0),
    )
    idle = np.flatnonzero(chances[:, 0] == 1)
    if len(idle):
        raise InputError([f"(s, S): nothing is ever asked for in {len(idle)} items (first: {idle[0]})."])
    return int(lead), int(review), chances, order, holding, backorder


class _LevelCosts:
    """What one item costs per review cycle at each inventory position, and how long it stays there."""

    def __init__(self, chances: Floats, lead: int, review: int, holding: float, backorder: float) -> None:
        self.holding, self.backorder = holding, backorder
        over, cycle = np.ones(1), np.ones(1)
        for _ in range(lead):
            over = np.convolve(over, chances)
        self.counts = []
        for _ in range(review):
            over, cycle = np.convolve(over, chances), np.convolve(cycle, chances)
            below = np.concatenate([[0.0], np.cumsum(np.cumsum(over))])
            self.counts.append((below, float(over @ np.arange(len(over)))))
        self.cycle = cycle
        self.most = len(over)
        self._stays = [1 / (1 - cycle[0])]

    def at(self, level: Ints) -> Floats:
        """G(y): holding and waiting over the review cycle that begins a lead time after the position is y."""
        total = np.zeros(len(level))
        for below, mean in self.counts:  # the sum of the chances of at most 0, 1, .. y - 1 is E(y - D)+
            most = len(below) - 1
            held = below[np.clip(level, 0, most)] + np.maximum(level - most, 0)
            total += self.holding * held + self.backorder * (mean - level + held)
        return total

    def stays(self, count: int) -> Floats:
        """m(0) .. m(count - 1): expected reviews at each distance below the order-up-to level before an order."""
        while len(self._stays) < count:
            far = len(self._stays)
            reach = self.cycle[1 : far + 1]
            earlier = np.array(self._stays[far - len(reach) : far])[::-1]
            self._stays.append(float(reach @ earlier) / (1 - self.cycle[0]))
        return np.array(self._stays[:count])

    def average(self, point: int, level: int, order_cost: float) -> float:
        """Cost per review cycle of (s, S)."""
        if level - point > LARGEST_LOT:
            raise InputError([f"(s, S): a lot would be larger than {LARGEST_LOT:,} units; count in larger units."])
        stays = self.stays(level - point)
        return (order_cost + float(stays @ self.at(np.arange(level, point, -1)))) / float(stays.sum())


def _reorder_levels(costs: _LevelCosts, order_cost: float) -> tuple[int, int, float]:
    """s, S and the cost per review cycle (Zheng and Federgruen 1991, figure 1)."""

    def at(position: int) -> float:
        return float(costs.at(np.array([position]))[0])

    level = int(np.argmin(costs.at(np.arange(costs.most))))
    point, tried = level - 1, level + 1
    while (cost := costs.average(point, level, order_cost)) > at(point):
        point -= 1
    while at(tried) <= cost:
        if costs.average(point, tried, order_cost) < cost:
            level = tried
            while costs.average(point, level, order_cost) <= at(point + 1):
                point += 1
            cost = costs.average(point, level, order_cost)
        tried += 1
    return point, level, cost


def _offered(check: Numbers, demand_rate: ArrayLike, lead_time: ArrayLike) -> tuple[Floats, Floats]:
    return check.read("demand_rate", demand_rate, least=0), check.read("lead_time", lead_time, least=0)


def _next_erlang_b(lost: Floats, stock: float, offered: Floats) -> Floats:
    """B(S) from B(S - 1): a B / (S + a B)."""
    waiting = offered * lost
    return waiting / (stock + waiting)


def _erlang_b(stock: Floats, offered: Floats) -> Floats:
    lost = np.ones(len(stock))
    for level in range(1, int(stock.max(initial=0)) + 1):
        lost = np.where(level <= stock, _next_erlang_b(lost, level, offered), lost)
    return lost


def _raise_stock(
    demand: Floats, lead: Floats, is_short: Callable[[float, Floats, Ints], Flags]
) -> LostSales:
    """Base stocks raised unit by unit as long as is_short(stock, lost share, items) says so."""
    stock, lost = np.zeros(len(demand)), np.where(demand > 0, 1.0, 0.0)
    going = np.arange(len(demand))
    level = 0
    while len(going := going[is_short(level, lost[going], going)]):
        level += 1
        if level > LARGEST_LEVEL:
            raise InputError([f"lost sales: a base stock would be larger than {LARGEST_LEVEL:,} units."])
        lost[going] = _next_erlang_b(lost[going], level, demand[going] * lead[going])
        stock[going] = level
    return _lost_sales(stock, lost, demand, lead)


def _lost_sales(stock: Floats, lost: Floats, demand: Floats, lead: Floats) -> LostSales:
    asked = np.where(demand > 0, lost, 0.0)
    return LostSales(stock.astype(np.int64), 1 - asked, stock - demand * lead * (1 - asked), demand * asked)
