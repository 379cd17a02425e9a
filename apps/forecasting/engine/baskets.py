"""Which items are bought together far more often, or far more seldom, than their popularity alone would have it.

What chance would do is told by a null model that keeps how popular every item is and how large every basket is, within
each period and place (the strata): random baskets of maximal entropy with these margins (Saracco, Straka, Di Clemente,
Gabrielli, Caldarelli and Squartini 2017, "Inferring monopartite projections of bipartite networks"). An item is in a
basket of size s with chance

pi = x y / (1 + x y)        x of the item and y of the size, so that orders of every item and sizes add up

Sizes are given and not drawn, so that two items in one basket compete for its places (Hajek 1964, of samples of a
fixed size drawn with unequal chances; of a basket of one it would have them never together, as they are):

pi_ij = pi_i pi_j (1 - (1 - pi_i) (1 - pi_j) / sum of pi_k (1 - pi_k))

The orders that hold both are then a sum of independent rare events, whose tails beyond its mean are thinner than those
of a Poisson number of the same mean (Hoeffding 1956; Anderson and Samuels 1967): p-values are Poisson's, on the safe
side. Of all pairs that could have been found, the share of false ones among those told is held to FALSE_SHARE
(Benjamini and Hochberg 1995), and a pair is told only where its lift lies clearly on one side.

Orders of one customer are no independent witnesses: a household that buys the same two things every week is a habit and
no rule. So the buyers count, each once, against what all orders would do by chance, which again is the safe side.

What is found is an association: it names no cause. Items bought apart would also be so if they were liked by different
people, or sold at different places under one name. "Instead of" is therefore said only of two items of one kind, and of
the orders of those customers who bought both, each against that customer's own taste: so many orders with an item as
the customer has, spread over all orders of the customer as pi is. Where a customer who mostly buys the one has bought
the other once, chance would hardly have had both together. Of orders whose customers are unknown it is never said, and
customers count once here as well: those who ever bought both together, against those whom chance would have do so, whom
1 - exp(-orders expected of the customer) counts on the safe side. That one sells more while the other's shelf is empty
would be better evidence still, and is not looked at here: days without stock are known of few items, come in spells,
and most of all when everything sells.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import pdtr, pdtrc
from scipy.stats import chi2

Doubles = NDArray[np.float64]
Singles = NDArray[np.float32]
Whole = NDArray[np.int64]

ORDER, ITEM, STRATUM, BUYER = "order", "unique_id", "stratum", "buyer"
FALSE_SHARE: Final = 0.01
LEAST_ORDERS: Final = 30
"""Orders with an item below which nothing is asked of it."""
LEAST_BUYERS: Final = 5
"""Customers who bought both together, or both and apart, below which two items are no finding, however unlikely."""
LEAST_EXPECTED: Final = 10.0
"""Orders with both that chance would bring, below which their absence says nothing."""
CLEAR_LIFT: Final = 1.5
"""Bought together: surely at least so many times as often as by chance; apart: surely so many times as seldom."""
SURE: Final = 0.95
ROWS_AT_ONCE: Final = 500
PAIRS_AT_ONCE: Final = 512
PAIRS_BY_CUSTOMER: Final = 32
"""Pairs looked at at once where all orders of the customers of both are."""
ROUNDS, CLOSE = 500, 1e-7
"""Turns that the null model may take, and the share by which its last one may still have moved it."""


def bought_together(counted: "Baskets", least_orders: int = LEAST_ORDERS) -> pd.DataFrame:
    """Return the pairs that are bought together clearly more often than chance has it, the surest first.

    Every pair stands once, the id that sorts first as `unique_id`, the other as `other`: `together` orders with both,
    by `buyers` different customers, `expected` orders by chance; `lift`, buyers over expected, is at least `low` and at
    most `high`, each a bound of one side that holds 95 of 100 times; `q_value` is the p-value corrected for all pairs
    of items with `least_orders` orders. Support is together over `counted.baskets`, confidence together over an item's
    `counted.orders`.
    """
    asked = np.flatnonzero(counted.orders >= least_orders)
    pairs = counted.pairs(asked, LEAST_BUYERS)
    tried = len(asked) * (len(asked) - 1) // 2
    pairs = pairs.with_expected(counted.expected(pairs))
    # What orders do not show, buyers cannot: there are no more of them.
    pairs = pairs.take(corrected(_as_many(pairs.together, pairs.expected), tried) <= FALSE_SHARE)
    buyers = counted.buyers(pairs)
    found = _judged(counted, pairs, buyers, _as_many(buyers, pairs.expected), tried)
    found = found[(found["buyers"] >= LEAST_BUYERS) & (found["low"] >= CLEAR_LIFT)]
    surer = found["buyers"] * np.log(found["lift"]) - found["buyers"] + found["expected"]  # p-values end at 0, this not
    return found.assign(surer=-surer).sort_values(["surer", ITEM, "other"], ignore_index=True).drop(columns="surer")


def bought_apart(counted: "Baskets", kinds: "pd.Series[str]", least_orders: int = LEAST_ORDERS) -> pd.DataFrame:
    """Return the pairs of one kind that the same customers buy, and clearly more seldom together than by chance.

    kinds: by unique_id what kind of thing each item is, "" where nobody knows. Tried are pairs of one kind that chance
    would bring together LEAST_EXPECTED times. Columns as of `bought_together`, but all of the orders of customers who
    bought both: `together` of these orders hold both, `expected` would by chance if every customer kept to that
    customer's own taste, and `lift` is the one over the other; `q_value` is of the customers, each once; `switchers`
    bought both and never together. The surest stand first.
    """
    counted = counted.named()
    kind = kinds.reindex(pd.Index(counted.items)).fillna("").to_numpy(dtype=str)
    asked = np.flatnonzero((counted.orders >= least_orders) & (kind != ""))
    pairs = counted.likely_pairs(asked, kind, LEAST_EXPECTED)
    pairs = pairs.with_expected(counted.expected(pairs))
    pairs = pairs.take(pairs.expected >= LEAST_EXPECTED)
    pairs = pairs.with_together(counted.together(pairs))
    tried = len(pairs)
    # What the orders of all do not show is not asked of customers one by one, which takes longer.
    pairs = pairs.take(corrected(_as_few(pairs.together, pairs.expected), tried) <= FALSE_SHARE)
    expected, customers = counted.expected_of_both(pairs)
    enough = expected >= LEAST_EXPECTED
    pairs, customers = pairs.with_expected(expected).take(enough), customers[enough]
    buyers = counted.buyers(pairs)
    found = _judged(counted, pairs, pairs.together, _as_few(buyers, customers), tried)
    kept = found.index.to_numpy()
    found = found.assign(buyers=buyers[kept], switchers=counted.customers_of_both(pairs.take(kept)) - buyers[kept])
    found = found[(found["switchers"] >= LEAST_BUYERS) & (found["high"] <= 1 / CLEAR_LIFT)]
    return found.sort_values(["high", ITEM, "other"], ignore_index=True)


def _as_many(count: Whole, mean: Doubles) -> Doubles:
    return np.asarray(pdtrc(count - 1, mean), dtype=np.float64)


def _as_few(count: Whole, mean: Doubles) -> Doubles:
    return np.asarray(pdtr(count, mean), dtype=np.float64)


def corrected(p_values: Doubles, tried: int) -> Doubles:
    """Return Benjamini and Hochberg's q-values [n] of the smallest n of `tried` p-values."""
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * tried / np.arange(1, len(order) + 1)
    found = np.empty(len(order))
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return found


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of items by their places [n], the orders with both, and those that chance would bring."""

    first: Whole
    second: Whole
    together: Whole
    expected: Doubles

    @classmethod
    def of(cls, first: Whole, second: Whole, together: Whole | None = None) -> "_Pairs":
        """Return pairs of which nothing more is known yet, each with the item first whose id sorts first."""
        nothing = np.zeros(len(first), dtype=np.int64)
        return cls(np.minimum(first, second), np.maximum(first, second), nothing if together is None else together,
                   nothing.astype(np.float64))

    def __len__(self) -> int:
        return len(self.first)

    def with_expected(self, expected: Doubles) -> "_Pairs":
        """Return the pairs with what chance would bring."""
        return replace(self, expected=expected)

    def with_together(self, together: Whole) -> "_Pairs":
        """Return the pairs with the orders that hold both."""
        return replace(self, together=together)

    def take(self, chosen: NDArray[Any]) -> "_Pairs":
        """Return some of the pairs."""
        return _Pairs(self.first[chosen], self.second[chosen], self.together[chosen], self.expected[chosen])

    def parts(self, at_once: int = PAIRS_AT_ONCE) -> Iterator[slice]:
        """Return slices of few enough pairs to be looked at at once."""
        return (slice(begin, begin + at_once) for begin in range(0, len(self), at_once))


@dataclass(frozen=True, eq=False)
class Baskets:
    """Orders as sets of items.

    `items` ids in order, `orders` [n] with each, `holds` [n, baskets] sparse; of each basket its `stratum` and its
    `buyer`, numbers; the first `known` buyers are customers who were named.
    """

    items: NDArray[np.object_]
    orders: Whole
    holds: sparse.csr_array
    stratum: Whole
    buyer: Whole
    known: int

    @classmethod
    def of(cls, lines: pd.DataFrame) -> "Baskets":
        """Count lines: order, unique_id; optionally stratum and buyer.

        stratum: a number of the period and place within which popularity is kept; an order lies in one. buyer: a number
        of the customer, 0 where nobody knows: each such order is then somebody else's. What stands in an order twice
        counts once.
        """
        item, items = pd.factorize(lines[ITEM], sort=True)
        order, names = pd.factorize(lines[ORDER])
        holds = sparse.csr_array((np.ones(len(lines), dtype=np.int32), (item, order)), shape=(len(items), len(names)))
        holds.data[:] = 1  # what stood twice was added up
        stratum, buyer = np.zeros(len(names), dtype=np.int64), np.full(len(names), -1)
        if STRATUM in lines:
            stratum[order] = pd.factorize(lines[STRATUM], sort=True)[0]
        if BUYER in lines:
            named = (lines[BUYER] != 0).to_numpy()
            buyer[order[named]] = pd.factorize(lines[BUYER][named])[0]
        known = int(buyer.max(initial=-1)) + 1
        buyer[buyer < 0] = known + np.arange(np.count_nonzero(buyer < 0))
        orders = np.diff(holds.indptr).astype(np.int64)
        return cls(np.asarray(items, dtype=object), orders, holds, stratum, buyer, known)

    @property
    def baskets(self) -> int:
        """How many orders there are."""
        return len(self.stratum)

    def named(self) -> "Baskets":
        """Return the orders of customers who were named, and no others."""
        if self.known > self.buyer.max(initial=-1):
            return self
        kept = np.flatnonzero(self.buyer < self.known)
        holds = self.holds.tocsc()[:, kept].tocsr()
        return replace(self, orders=np.diff(holds.indptr).astype(np.int64), holds=holds,
                       stratum=np.unique(self.stratum[kept], return_inverse=True)[1], buyer=self.buyer[kept])

    def pairs(self, asked: Whole, least: int) -> _Pairs:
        """Return those pairs among `asked` that at least so many orders hold."""
        holds = self.holds[asked]
        across = holds.T.tocsr()
        none = np.zeros(0, dtype=np.int64)
        found = [(none, none, none)]
        for begin in range(0, len(asked), ROWS_AT_ONCE):
            both = (holds[begin : begin + ROWS_AT_ONCE] @ across).tocoo()
            kept = (both.data >= least) & (both.col > both.row + begin)
            found.append((both.row[kept] + begin, both.col[kept], both.data[kept]))
        first, second, together = (np.concatenate(each).astype(np.int64) for each in zip(*found, strict=True))
        return _Pairs.of(asked[first], asked[second], together)

    def together(self, pairs: _Pairs) -> Whole:
        """Return the orders that hold both, pair by pair."""
        return _shared(self.holds, pairs)

    def buyers(self, pairs: _Pairs) -> Whole:
        """Return how many different customers these orders were of, pair by pair."""
        found = [np.zeros(0, dtype=np.int64)]
        for part in pairs.parts():
            both = self.holds[pairs.first[part]].multiply(self.holds[pairs.second[part]]).tocoo()
            once = np.unique(both.row.astype(np.int64) * (int(self.buyer.max()) + 1) + self.buyer[both.col])
            found.append(np.bincount(once // (int(self.buyer.max()) + 1), minlength=both.shape[0]))
        return np.concatenate(found)

    def customers_of_both(self, pairs: _Pairs) -> Whole:
        """Return how many customers who were named bought both, together or not, pair by pair."""
        return _shared(self.bought > 0, pairs)

    def expected_of_both(self, pairs: _Pairs) -> tuple[Doubles, Doubles]:
        """Return of the customers who bought both what chance would bring, pair by pair.

        The orders that would hold both, and the customers who would have one or more such orders. A customer's orders
        with an item are spread over all orders of the customer as pi has it, so that taste, season, place and size
        of the order are kept.
        """
        expected, customers = np.zeros(len(pairs)), np.zeros(len(pairs))
        for part in pairs.parts(PAIRS_BY_CUSTOMER):
            x, y, spread = self.weights
            times = [self.bought[pairs.first[part]], self.bought[pairs.second[part]]]
            of_both = [times[0].multiply(times[1] > 0).tocsr(), times[1].multiply(times[0] > 0).tocsr()]
            cells = of_both[0].astype(np.int64)  # a pair and a customer of both; numbered from 1
            cells.data = np.arange(1, cells.nnz + 1)
            asked = (cells @ self.customers.T).tocoo()  # an order is of one customer: nothing is added up
            cell, order = asked.data - 1, asked.col
            chances = []
            for item, bought in zip((pairs.first[part], pairs.second[part]), of_both, strict=True):
                weight = x[item[asked.row], self.stratum[order]] * y[order]
                usual = weight / (1 + weight)
                own = bought.data / np.bincount(cell, usual, cells.nnz)
                chances.append((usual, np.minimum(usual * own[cell], 1)))
            (one, own_one), (other, own_other) = chances
            both = own_one * own_other * _compete(one, other, spread[order])
            by_cell = np.bincount(cell, both, cells.nnz)
            row = np.repeat(np.arange(cells.shape[0]), np.diff(cells.indptr))
            expected[part] = np.bincount(row, by_cell, cells.shape[0])
            customers[part] = np.bincount(row, -np.expm1(-by_cell), cells.shape[0])
        return expected, customers

    @cached_property
    def customers(self) -> sparse.csr_array:
        """Of which customer who was named each order is [baskets, known]."""
        named = np.flatnonzero(self.buyer < self.known)
        return sparse.csr_array((np.ones(len(named), dtype=np.int64), (named, self.buyer[named])),
                                shape=(len(self.buyer), self.known))

    @cached_property
    def bought(self) -> sparse.csr_array:
        """In how many orders each customer who was named bought each item [n, known]."""
        bought = sparse.csr_array(self.holds @ self.customers)
        bought.sort_indices()  # so that products of the same places list them alike
        return bought

    @cached_property
    def weights(self) -> tuple[Doubles, Doubles, Doubles]:
        """The null model's x [n, strata] of each item, y [baskets] of each order, and the spread [baskets] there."""
        x = np.stack([null.x[null.row[orders]] * (orders > 0) for orders, null in self.nulls], axis=1)
        y, spread = np.zeros(self.baskets), np.zeros(self.baskets)
        size = np.diff(self.holds.tocsc().indptr)
        for stratum, (_orders, null) in enumerate(self.nulls):
            here = np.flatnonzero(self.stratum == stratum)
            place = np.searchsorted(null.sizes, size[here])
            y[here], spread[here] = null.y[place], null.spread[place]
        return x, y, spread

    def expected(self, pairs: _Pairs) -> Doubles:
        """Return the orders that would hold both by chance, pair by pair, stratum by stratum."""
        expected = np.zeros(len(pairs))
        by_first = np.argsort(pairs.first, kind="stable")
        begins = np.searchsorted(pairs.first[by_first], np.arange(len(self.items) + 1))
        for orders, null in self.nulls:
            here = np.flatnonzero(orders)  # of most places few items: only pairs of these are looked at
            sold = by_first[_ranges(begins[here], begins[here + 1])]
            sold = sold[orders[pairs.second[sold]] > 0]
            both = pairs.take(sold)
            for part in both.parts():
                expected[sold[part]] += null.together(orders[both.first[part]], orders[both.second[part]])
        return expected

    @cached_property
    def nulls(self) -> "list[tuple[Whole, _Null]]":
        """The orders with each item [n] in each stratum, and what chance does there."""
        baskets = self.holds.tocsc()
        found = []
        for stratum in range(int(self.stratum.max(initial=-1)) + 1):
            here = baskets[:, np.flatnonzero(self.stratum == stratum)]
            orders = np.diff(here.tocsr().indptr).astype(np.int64)
            found.append((orders, _Null.fit(orders, np.diff(here.indptr))))
        return found

    def likely_pairs(self, asked: Whole, kind: NDArray[np.str_], least: float) -> _Pairs:
        """Return all pairs of one kind among `asked` that chance may bring together so many times, and some more.

        pi is at most x y, so what is expected at most the sum over strata of x x' times the sum of y squared.
        """
        reach = np.stack([null.reach[null.row[orders]] * (orders > 0) for orders, null in self.nulls], axis=1,
                         ) if self.nulls else np.zeros((len(self.items), 0))
        order = asked[np.argsort(kind[asked], kind="stable")]
        none = np.zeros(0, dtype=np.int64)
        found = [(none, none)]
        for group in np.split(order, np.flatnonzero(kind[order][1:] != kind[order][:-1]) + 1):
            for begin in range(0, len(group), ROWS_AT_ONCE):
                row, column = np.nonzero(reach[group[begin : begin + ROWS_AT_ONCE]] @ reach[group].T >= least)
                later = column > row + begin
                found.append((group[row[later] + begin], group[column[later]]))
        first, second = (np.concatenate(each) for each in zip(*found, strict=True))
        return _Pairs.of(first, second)


def _ranges(begins: Whole, ends: Whole) -> Whole:
    """Return the numbers from each begin up to its end, one range after the other."""
    lengths = ends - begins
    return np.repeat(ends - np.cumsum(lengths), lengths) + np.arange(lengths.sum())


def _shared(matrix: sparse.csr_array, pairs: _Pairs) -> Whole:
    """Return in how many columns of a matrix of ones the rows of both stand, pair by pair."""
    found = [np.asarray(matrix[pairs.first[part]].multiply(matrix[pairs.second[part]]).sum(axis=1)).ravel()
             for part in pairs.parts()]
    return np.concatenate([np.zeros(0), *found]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Null:
    """The null model of one stratum.

    `sizes` [k] that baskets have, and `baskets` [k] of each; `chance` [r, k] of an item to be in one of them, of `x`
    [r] and `y` [k], in row `row` [orders] by the number of its orders; `spread` [k] is the sum of pi (1 - pi) over all
    items, and 0 of a basket of one; `reach` [r] x times the root of the sum of y squared over all baskets of more.
    """

    sizes: Whole
    baskets: Singles
    chance: Singles
    row: Whole
    x: Doubles
    y: Doubles
    spread: Singles
    reach: Doubles

    @classmethod
    def fit(cls, orders: Whole, sizes: Whole) -> "_Null":
        """Find x and y by turns, for each number of orders and each size once."""
        degrees, items = np.unique(orders[orders > 0], return_counts=True)
        size, baskets = np.unique(sizes, return_counts=True)
        scale = np.sqrt(max(float(orders.sum()), 1.0))
        x, y = degrees / scale, size / scale
        for _round in range(ROUNDS):
            before = x
            x = degrees / ((baskets * y) / (1 + np.outer(x, y))).sum(axis=1)
            y = size / ((items * x)[:, None] / (1 + np.outer(x, y))).sum(axis=0)
            if np.abs(x / before - 1).max(initial=0.0) < CLOSE:
                break
        chance = np.outer(x, y) / (1 + np.outer(x, y))
        spread = (items[:, None] * chance * (1 - chance)).sum(axis=0)
        row = np.zeros(int(degrees.max(initial=0)) + 1, dtype=np.int64)
        row[degrees] = np.arange(len(degrees))
        many = size > 1
        return cls(size.astype(np.int64), baskets.astype(np.float32), chance.astype(np.float32), row, x, y,
                   np.where(many, np.maximum(spread, 1e-6), 0).astype(np.float32),
                   x * np.sqrt((baskets * y**2)[many].sum()))

    def together(self, first: Whole, second: Whole) -> Doubles:
        """Return how many baskets would hold both of two items with so many orders, pair by pair."""
        one, other = self.chance[self.row[first]], self.chance[self.row[second]]
        return np.asarray((one * other * _compete(one, other, self.spread)) @ self.baskets, dtype=np.float64)


def _compete(one: NDArray[Any], other: NDArray[Any], spread: NDArray[Any]) -> NDArray[Any]:
    """Return the share of pi_i pi_j that is left where two items compete for a basket's places; of one place none."""
    left = 1 - (1 - one) * (1 - other) / np.maximum(spread, 1e-6)
    return np.asarray(np.where(spread > 0, np.maximum(left, 0), 0))


def _judged(counted: Baskets, pairs: _Pairs, seen: Whole, p_values: Doubles, tried: int) -> pd.DataFrame:
    """Return the pairs that stand against the correction for all that were tried, by place in `pairs`.

    The bounds of the lift are Garwood's (1936) of a Poisson number, over what was expected.
    """
    q_values = corrected(p_values, tried)
    kept = np.flatnonzero(q_values <= FALSE_SHARE)
    pairs, seen = pairs.take(kept), seen[kept]
    low = np.where(seen > 0, chi2.ppf(1 - SURE, 2 * np.maximum(seen, 1)) / 2, 0.0)
    high = chi2.ppf(SURE, 2 * (seen + 1)) / 2
    expected = np.maximum(pairs.expected, 1e-12)
    return pd.DataFrame({
        ITEM: counted.items[pairs.first], "other": counted.items[pairs.second], "together": pairs.together,
        "buyers": seen, "expected": pairs.expected, "lift": seen / expected, "low": low / expected,
        "high": high / expected, "p_value": p_values[kept], "q_value": q_values[kept]}, index=kept)

