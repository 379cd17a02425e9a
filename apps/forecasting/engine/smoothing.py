"""Each series smoothed by itself, all of them at once: Theta, and Croston's method for items that rarely sell.

Both are recursions in NumPy over whole columns of days: 7,500 series of a year take a second, and an unknown day can
leave the state as it was, where a library's code for one series at a time would have to be told a number.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.baselines import Baseline, daily_rates, spread_over_weekdays
from apps.forecasting.engine.grid import WEEK

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

ALPHAS = np.array([0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.28, 0.4, 0.55, 0.75, 0.95])
"""The smoothing constants that are tried for every series."""
AT_ONCE = 1024
"""Series worked on at once: their state stays in the processor's own memory."""


def theta_means(y: ArrayLike, season: int, steps: int, weight: ArrayLike | None = None) -> Doubles:
    """Return what the Theta method foretells for the `steps` steps after each series, [n, steps] in units of y.

    y       [n, T] units a step, of items or of groups of them; NaN where unknown. An unknown step moves nothing: it is
            never read as a zero, and needs no filling
    season  steps in a season, 7 for days; 1 where there is none
    weight  [n, T] how far each y is known, 0 to 1 (default: wholly); y is then a rate, units per whole step

    Assimakopoulos and Nikolopoulos (2000), as the M3 competition had it: take the season off; the forecast is the mean
    of two lines, the least-squares line through the past, and the exponentially smoothed level of a series that bends
    twice as much as the past does, 2 y - line. Three things are this engine's own: the season is added, not multiplied,
    since most days of most items are 0; season and slope count for as much as they stand out of the noise; and a
    series' smoothing constant is the one of `ALPHAS` whose level was nearest to the mean of the season that followed,
    where the next step alone would have it chase every promotion. A series of which no step is known is foretold 0.
    Nothing keeps a forecast above 0: what it means for less than nothing to be sold, the caller knows.
    """
    rates = np.asarray(y, dtype=np.float64)
    known = np.isfinite(rates).astype(np.float64)
    if weight is not None:
        known *= np.asarray(weight, dtype=np.float64)
    rates = np.where(known > 0, rates, 0.0)
    means = np.empty((len(rates), steps))
    for first in range(0, len(rates), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        means[part] = _theta(rates[part], known[part], season, steps)
    return means


def _theta(rates: Doubles, known: Doubles, season: int, steps: int) -> Doubles:
    n_steps = rates.shape[1]
    when = np.arange(n_steps + steps)
    around = _season(rates, known, season)[:, (when - n_steps) % season]
    plain = rates - around[:, :n_steps]
    line = _line(plain, known, when)
    level = _level(2 * plain - line[:, :n_steps], known, min(season, n_steps))
    means: Doubles = (line[:, n_steps:] + level[:, None]) / 2 + around[:, n_steps:]
    return means


def _season(rates: Doubles, known: Doubles, season: int) -> Doubles:
    """Return how far each place in the season lies above the mean of its season [n, season], the first the next."""
    n, n_steps = rates.shape
    count = n_steps // season
    if season == 1 or count < 2:
        return np.zeros((n, season))
    shape = (n, count, season)
    rate = rates[:, n_steps - count * season :].reshape(shape)
    weight = known[:, n_steps - count * season :].reshape(shape)
    centre = _ratio((rate * weight).sum(axis=2, keepdims=True), weight.sum(axis=2, keepdims=True))
    seen = weight.sum(axis=1)
    found = _ratio(((rate - centre) * weight).sum(axis=1), seen)
    left = (((rate - centre - found[:, None]) ** 2) * weight).sum(axis=(1, 2))
    noise = left / np.maximum(seen.sum(axis=1) - season, 1.0) * _ratio(np.ones_like(seen), seen).mean(axis=1)
    found -= found.mean(axis=1, keepdims=True)
    return found * _standing_out((found**2).sum(axis=1) / (season - 1), noise)[:, None]


def _line(rates: Doubles, known: Doubles, when: NDArray[np.int64]) -> Doubles:
    """Return the straight line through what is known, at the steps `when` [n, len(when)]."""
    past = when[: rates.shape[1]]
    total = known.sum(axis=1)
    centre, mean = _ratio(known @ past, total), _ratio((known * rates).sum(axis=1), total)
    aside = (past - centre[:, None]) * known
    width = (aside * (past - centre[:, None])).sum(axis=1)
    slope = _ratio((aside * rates).sum(axis=1), width)
    left = (known * (rates - mean[:, None] - slope[:, None] * (past - centre[:, None])) ** 2).sum(axis=1)
    slope *= _standing_out(slope**2 * width, left / np.maximum(total - 2, 1.0))
    line: Doubles = mean[:, None] + slope[:, None] * (when - centre[:, None])
    return line


def _level(rates: Doubles, known: Doubles, season: int) -> Doubles:
    """Return the smoothed level at the end [n], by the best constant and the best level to begin at.

    A level that began at b instead of 0 is further along by b times what is left of it, so the errors are linear in b,
    and the best b for each constant follows from three sums, without a search.
    """
    n, n_steps = rates.shape
    units = np.zeros((n, n_steps + 1))
    seen = np.zeros((n, n_steps + 1))
    np.cumsum(rates * known, axis=1, out=units[:, 1:])
    np.cumsum(known, axis=1, out=seen[:, 1:])
    level, left = np.zeros((n, len(ALPHAS))), np.ones((n, len(ALPHAS)))
    squares, products, lefts = np.zeros_like(level), np.zeros_like(level), np.zeros_like(level)
    for step in range(n_steps):
        if step + season <= n_steps:
            weight = seen[:, step + season] - seen[:, step]
            next_season = _ratio(units[:, step + season] - units[:, step], weight)
            error = next_season[:, None] - level
            squares += weight[:, None] * error**2
            products += weight[:, None] * error * left
            lefts += weight[:, None] * left**2
        moved = ALPHAS * known[:, step, None]
        level += moved * (rates[:, step, None] - level)
        left -= moved * left
    begin = _ratio(products, lefts)
    best = np.argmin(squares - begin * products, axis=1)[:, None]
    found: Doubles = np.take_along_axis(level + begin * left, best, axis=1)[:, 0]
    return found


def _ratio(part: Doubles, whole: Doubles) -> Doubles:
    ratio: Doubles = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return ratio


def _standing_out(square: Doubles, noise: Doubles) -> Doubles:
    """Return the share of what was found, 0 to 1, that is not what noise alone would show."""
    return np.clip(1.0 - _ratio(noise, square), 0.0, 1.0) * (square > 0)


@dataclass(eq=False)
class Theta(Baseline):
    """The Theta method of `theta_means`, day by day with a season of a week, never below 0."""

    name: ClassVar[str] = "theta"
    family: ClassVar[str] = "statistical"
    complexity: ClassVar[int] = 3

    def daily_mean(self, panel: Panel, days: int) -> Floats:
        """Smooth each series' units per wholly available day; unknown days change nothing."""
        means = theta_means(daily_rates(panel), WEEK, days, panel.available)
        return np.maximum(means, 0.0).astype(np.float32)


@dataclass(eq=False)
class CrostonSBA(Baseline):
    """Croston (1972): the size of a sale and the days from one to the next, each smoothed at sales; size / days.

    alpha     smoothing constant of both; they begin at the first sale
    debiased  times 1 - alpha / 2, by Syntetos and Boylan (2005), since a ratio of means is not the mean of the ratio;
              False is Croston's own

    A day is as long as the share of it that the item was available: days of no availability make no interval longer.
    """

    name: ClassVar[str] = "croston_sba"
    family: ClassVar[str] = "statistical"
    complexity: ClassVar[int] = 2
    alpha: float = 0.1
    debiased: bool = True

    def daily_mean(self, panel: Panel, days: int) -> Floats:
        """Smooth sale by sale over all series at once, then spread over the weekdays."""
        size, interval, since = np.zeros((3, panel.n_series))
        for day in range(panel.n_days):
            units = panel.sales[:, day]
            since += panel.available[:, day]
            moved = np.where(units > 0, np.where(size > 0, self.alpha, 1.0), 0.0)
            size += moved * (units - size)
            interval += moved * (since - interval)
            since[units > 0] = 0.0
        kept = 1.0 - self.alpha / 2 if self.debiased else 1.0
        return spread_over_weekdays(panel, kept * _ratio(size, interval), days)
