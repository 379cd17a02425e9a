"""Demand behind an empty shelf: what would have been sold, had there been stock.

A day that ended sold out tells that at least so much was asked for; a day without stock tells nothing. Each series'
days are held to be negative binomial around a level of its own (the mean over the AROUND days before and after) times
the weekday's share, and level, dispersion and what is hidden are found by turns, each from the others (the EM algorithm
of Dempster, Laird and Rubin 1977 for counts censored from above):

E[D | D >= y]   = m P(D1 >= y - 1) / P(D >= y)      D  of size r, mean m, variance m (1 + d), r = m / d
E[D(D-1) | ..]  = m^2 (1 + 1/r) P(D2 >= y - 2) / P(D >= y)      D1, D2 of sizes r + 1, r + 2 and the same odds
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.distribution import negative_binomial_quantiles

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

AROUND = 28
"""Days before and after a day that tell its level."""
PLAIN_DAYS = 2.0
"""Days of the series' plain rate (recorded units over days with stock) that are mixed into every level, ..."""
FEWEST_DAYS = 7.0
"""... and more of them where there are fewer days with stock around: a series that sells out daily has no other end."""
TURNS = 30
SETTLED = 1e-3
"""Turns end when no series' level moves by a larger share of its highest."""
OWN_WEIGHT = 20.0
"""Units over all days at which a series' own dispersion counts as much as everyone's."""
LEAST_DISPERSION = 1e-3
HIDDEN_DISPERSION = 4.0
"""Hidden days raise a dispersion by at most this factor over that of days with stock; unbounded, both run away."""


@dataclass(frozen=True, eq=False)
class Recovered:
    """What was asked for, as far as can be known, of each series and day [n, T].

    demand          units asked for: what was sold, and of days that were sold out or without stock what is to be
                    expected; 0 before a series came on sale
    lost            the part of `demand` that was not sold
    variance        of `lost`, each day by itself
    level_variance  [n] relative variance of the series' level, which all its days share
    """

    demand: Doubles
    lost: Doubles
    variance: Doubles
    level_variance: Doubles

    def on(self, days: Bools) -> "Recovered":
        """Return the same, as if nothing had been lost on all other days [n, T]."""
        lost = np.where(days, self.lost, 0.0)
        return replace(
            self, demand=self.demand - self.lost + lost, lost=lost, variance=np.where(days, self.variance, 0.0)
        )

    def lost_between(self, levels: Sequence[float] = (0.1, 0.9)) -> NDArray[np.int32]:
        """Return quantiles of each series' lost units over all days together [n, levels]."""
        mean = self.lost.sum(axis=1)
        spread = self.variance.sum(axis=1) + self.level_variance * mean**2
        return negative_binomial_quantiles(mean, spread, levels)


def recover(
    sales: Floats, available: Floats, sold_out: Bools, weekday: NDArray[np.int64], *, hindsight: bool = True
) -> Recovered:
    """Return the demand behind sales.

    sales      [n, T] units sold, 0 where unknown
    available  [n, T] share of the day with stock, 0 to 1; of a day that ended sold out it is not looked at
    sold_out   [n, T] days that ended without stock and sold something: `sales` is the least that was asked for
    weekday    [T] 0 to 6
    hindsight  whether the days after a day tell its level, or only twice as many before it: what a model learns from
               as known on an earlier day may not know what came then
    """
    demand = sales.astype(np.float64)
    variance, level_variance = np.zeros_like(demand), np.zeros(len(demand))
    known = np.where(sold_out, 1.0, available.astype(np.float64))
    hidden = np.where(np.maximum.accumulate(known > 0, axis=1), 1.0 - known, 0.0)
    rows = np.flatnonzero((sold_out | (hidden > 0)).any(axis=1))
    if len(rows):
        shares = _weekday_shares(demand, known, weekday)
        found = _Hidden(demand[rows], known[rows], sold_out[rows], shares, AROUND if hindsight else 0)
        demand[rows], variance[rows], level_variance[rows] = found.expected(hidden[rows])
    return Recovered(demand, demand - sales, variance, level_variance)


class _Hidden:
    """Series with days that were sold out or without stock, and the levels and dispersions that agree with these."""

    def __init__(self, sold: Doubles, known: Doubles, sold_out: Bools, shares: Doubles, after: int) -> None:
        self.after = after
        self.sold, self.known, self.shares = sold, known, shares
        self.open_days = np.where(sold_out, 0.0, known)
        self.rows, self.days = np.nonzero(sold_out)
        self.bound = sold[self.rows, self.days]
        self.plain = sold.sum(axis=1, keepdims=True) / np.maximum((known * shares).sum(axis=1, keepdims=True), 1e-9)
        self.level = self._level(sold)
        excess, units = self._excess(self.open_days, self._square())
        everyone = max(float(excess.sum()) / max(float(units.sum()), 1e-9), 0.0)
        self.dispersion = _drawn(excess, units, everyone)
        if len(self.rows):
            self._settle(everyone)

    def expected(self, hidden: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Return what was asked for [n, T], its variance [n, T] and the relative variance of the level [n].

        hidden  [n, T] share of each day without stock, 0 to 1
        """
        demand, variance = self.sold.copy(), np.zeros_like(self.sold)
        first, second = self._beyond()
        demand[self.rows, self.days] = first
        variance[self.rows, self.days] = np.maximum(second + first - first**2, 0.0)
        missing = hidden * self.level * self.shares
        near = np.minimum(1.0, (2 * AROUND + 1) / np.maximum(self.known.sum(axis=1), 1.0))
        of_level = (1 + self.dispersion) / np.maximum(self.sold.sum(axis=1) * near, 1.0)
        return demand + missing, variance + missing * (1 + self.dispersion[:, None]), of_level

    def _settle(self, everyone: float) -> None:
        most = HIDDEN_DISPERSION * np.maximum(self.dispersion, everyone)
        for _ in range(TURNS):
            first, second = self._beyond()
            mean = (self.level * self.shares)[self.rows, self.days]
            square = self._square()
            square[self.rows, self.days] = np.maximum(second + first - 2 * first * mean + mean**2, 0.0)
            self.dispersion = np.minimum(_drawn(*self._excess(self.known, square), everyone), most)
            demand = self.sold.copy()
            demand[self.rows, self.days] = first
            before, self.level = self.level, self._level(demand)
            if (np.abs(self.level - before).max(axis=1) <= SETTLED * before.max(axis=1)).all():
                break

    def _beyond(self) -> tuple[Doubles, Doubles]:
        return beyond(self.bound, (self.level * self.shares)[self.rows, self.days], self.dispersion[self.rows])

    def _level(self, demand: Doubles) -> Doubles:
        """Return each series' level around each day [n, T]: units on a day of an average weekday."""
        near = _around(np.where(self.known > 0, demand, 0.0), self.after)
        days = _around(self.known * self.shares, self.after)
        mixed = np.maximum(FEWEST_DAYS - days, PLAIN_DAYS)
        level: Doubles = (near + mixed * self.plain) / (days + mixed)
        return level

    def _square(self) -> Doubles:
        """Return how far days with stock lie from their means, squared [n, T]."""
        mean = self.open_days * self.level * self.shares
        return np.where(self.open_days > 0, (self.sold - mean) ** 2, 0.0)

    def _excess(self, days: Doubles, square: Doubles) -> tuple[Doubles, Doubles]:
        """Return by how much `square` exceeds a Poisson's [n], and the units that were to be expected [n]."""
        mean = days * self.level * self.shares
        return (square - mean).sum(axis=1), mean.sum(axis=1)


def _weekday_shares(sold: Doubles, known: Doubles, weekday: NDArray[np.int64]) -> Doubles:
    """Return how all series together sell by weekday, mean 1 [T], 0 where the shop is closed.

    Flat under two weeks of history, or where a weekday was never seen.
    """
    units, days = np.bincount(weekday, sold.sum(axis=0), 7), np.bincount(weekday, known.sum(axis=0), 7)
    rates = np.divide(units, days, out=np.zeros(7), where=days > 0)
    told = len(weekday) >= 14 and bool((days > 0).all() and rates.any())
    shares: Doubles = (rates / rates.mean() if told else np.ones(7))[weekday]
    return shares


def _around(values: Doubles, after: int) -> Doubles:
    """Return sums over 2 AROUND + 1 days [n, T], of which `after` come after each day."""
    n_days = values.shape[1]
    added = np.zeros((len(values), n_days + 1))
    np.cumsum(values, axis=1, out=added[:, 1:])
    ends = np.minimum(np.arange(n_days) + after + 1, n_days)
    starts = np.maximum(np.arange(n_days) + after - 2 * AROUND, 0)
    return np.asarray(added[:, ends] - added[:, starts])


def _drawn(excess: Doubles, units: Doubles, everyone: float) -> Doubles:
    """Return each series' dispersion d [n], the variance being mean (1 + d): its own, drawn towards everyone's."""
    return np.maximum((excess + OWN_WEIGHT * everyone) / (units + OWN_WEIGHT), 0.0)


def beyond(bound: Doubles, mean: Doubles, dispersion: Doubles) -> tuple[Doubles, Doubles]:
    """Return E[D | D >= bound] and E[D (D - 1) | D >= bound], of negative binomials by mean and dispersion, all [k]."""
    from scipy.special import betainc

    spread = np.maximum(dispersion, LEAST_DISPERSION)
    mean = np.maximum(mean, 1e-9)
    size, odds = mean / spread, spread / (1 + spread)
    least = np.ceil(bound)

    def reaches(units: Doubles, more: float) -> Doubles:
        return np.where(units <= 0, 1.0, betainc(np.maximum(units, 1.0), size + more, odds))

    reached = reaches(least, 0.0)
    told = reached > 1e-250  # else so much was never to be expected, and one more is as good a guess as any
    reached = np.where(told, reached, 1.0)
    first = np.where(told, mean * reaches(least - 1, 1.0) / reached, least + 1)
    second = np.where(told, mean**2 * (1 + 1 / size) * reaches(least - 2, 2.0) / reached, least * (least + 1))
    return np.maximum(first, bound), second
