"""Items that have just come on sale: their own few days, drawn towards what similar items sold when they were new.

A model learns from a series' own past, and a newcomer has next to none: of an item first sold yesterday, one lucky day
is taken for its level. Its rate is here held to be gamma distributed around what similar items sell now (the series of
its category, drawn towards those of its department and of the shop, the nearer in price and of the same brand the more
they count), times how other newcomers sold in that week after their first sale, beside what was similar to them (the
ramp). With the units it has sold itself this is the gamma-Poisson model's posterior (empirical Bayes; Robbins 1956):

rate = prior * (a + units) / (a + expected)     units sold on its own days; expected on them by the prior
level variance = 1 / (shape + units / (1 + d)) + drift          d  day dispersion of the shop; a = shape * (1 + d)

`shape` (how alike new items are to what is similar) and `drift` (how far what comes strays from what was) are fitted by
likelihood on what came on sale in the shop over the last six weeks. What is so found stands for the model's answer
while an item is at most ALONE_DAYS on sale, and gives way to it until NEW_DAYS.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.calendar import weekdays
from apps.forecasting.engine.dispersion import SUM_DAYS, own_day_dispersion
from apps.forecasting.engine.distribution import negative_binomial_log_likelihood
from apps.forecasting.engine.explanation import Explanation
from apps.forecasting.engine.forecast import Forecast
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.reasons import SIMILAR
from apps.forecasting.engine.rhythm import weekday_profile

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Whole = NDArray[np.int64]

ALONE_DAYS: Final = 7
NEW_DAYS: Final = 28
"""Days on sale up to which an item is new, and which have to be known before its first for that to be its first."""
LEVEL_DAYS = 8 * WEEK
"""Days that tell what a series sells now."""
SURE_DAYS = 28.0
"""Days on sale from which a similar item counts wholly."""
PRICE_SPREAD = 0.5
"""Standard deviation, in logs, by which nearness in price is weighed."""
SAME_BRAND = 2.0
DRAWN_ITEMS = 5.0
"""Items at which a category says as much as its department, and that as the shop."""
RAMP_WEEKS = (NEW_DAYS + SUM_DAYS) // WEEK
"""Weeks after the first sale that are told apart; later ones are as the last."""
RAMP_UNITS = 50.0
"""Units at which one week of the ramp counts as much as all weeks together; all of them are drawn so towards 1."""
TRIAL_AGES = (7, 14, 21)
SHAPES = np.geomspace(0.1, 12.8, 15)
DRIFTS = np.geomspace(0.02, 3.0, 12)
USUAL_SHAPE, USUAL_DRIFT = 1.0, 0.3
SPREAD_OF_USUAL = 1.0
"""Before any newcomer was seen, the logs of both are held to lie this far around the usual ones."""
AT_ONCE = 500


def with_newcomers(forecast: Forecast, panel: Panel) -> Forecast:
    """Return the forecast, any model's made from `panel`, with its new items drawn towards what is similar to them.

    `similar` of what is returned says how many items that were. An item that has never been on sale keeps the model's
    answer: nobody knows when it will be. So do all in a shop that is younger than NEW_DAYS itself: which of its items
    are new nobody knows either, and drawing them all together was seen to gain nothing.
    """
    seen = _Seen(panel)
    rows = np.flatnonzero((seen.age > 0) & (seen.age <= NEW_DAYS) & (seen.start >= NEW_DAYS))
    found = Similar.of(seen, rows)
    rows, found = rows[found.items > 0], found.take(found.items > 0)
    similar = np.zeros(panel.n_series, dtype=np.int64)
    if not len(rows):
        return replace(forecast, similar=similar)
    rule = Rule.fit(seen)
    similar[rows] = found.items
    mean, level_variance = forecast.mean.copy(), forecast.level_variance.copy()
    share = np.clip((NEW_DAYS - seen.age[rows]) / (NEW_DAYS - ALONE_DAYS), 0.0, 1.0)
    expected, level = rule.answer(seen, rows, found.rate, forecast.grid.horizon_days)
    daily = expected * _shape_of_days(forecast, panel, np.setdiff1d(np.arange(panel.n_series), rows))
    drawn = forecast.grid.totals(daily.astype(np.float32))
    mean[rows] = share[:, None] * drawn + (1 - share)[:, None] * forecast.mean[rows]
    level_variance[rows] = share * level + (1 - share) * forecast.level_variance[rows]
    return replace(forecast, mean=mean, level_variance=level_variance, similar=similar)


def explained(why: Explanation, forecast: Forecast) -> Explanation:
    """Return why a model forecasts what it does, and what drawing new items towards similar ones makes of it."""
    if forecast.similar is None or not forecast.similar.any():
        return why
    rows = np.searchsorted(forecast.unique_ids, why.unique_ids)
    change = np.where(forecast.similar[rows] > 0, forecast.sum_mean(why.days)[rows] - why.total, 0.0)
    return replace(why, parts={**why.parts, SIMILAR: change})


def _shape_of_days(forecast: Forecast, panel: Panel, others: Whole) -> Doubles:
    """Return what share of a mean day each day of the horizon sells, as the forecast has it for all other items."""
    days = forecast.daily_mean[others].sum(axis=0, dtype=np.float64)
    usual = days[:NEW_DAYS].mean()
    if usual > 0:
        return np.asarray(days / usual)
    return np.asarray(weekday_profile(panel)[weekdays(panel.future_days(forecast.grid.horizon_days))], dtype=np.float64)


class _Seen:
    """What a panel tells of newcomers.

    A history that begins with an item's first sale would make every newcomer look good: the day of the first sale is
    left out of `units` and `exposure`.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        n_days = panel.n_days
        on_sale = panel.available > 0
        self.start = np.where(on_sale.any(axis=1), on_sale.argmax(axis=1), n_days)
        self.age = n_days - self.start
        units, exposure = panel.sales.copy(), panel.available.copy()
        begun = np.flatnonzero((self.start > 0) & (self.start < n_days))
        begun = begun[units[begun, self.start[begun]] > 0]
        units[begun, self.start[begun]] = exposure[begun, self.start[begun]] = 0
        self.units, self.exposure = units, exposure
        lately = slice(max(0, n_days - LEVEL_DAYS), n_days)
        days = exposure[:, lately].sum(axis=1, dtype=np.float64)
        self.rate = units[:, lately].sum(axis=1, dtype=np.float64) / np.maximum(days, 1e-9)
        self.known = np.minimum(days / SURE_DAYS, 1.0)
        self.day_dispersion = own_day_dispersion(panel)[2]

    @cached_property
    def launched(self) -> Whole:
        """The series whose first day on sale was seen, not long ago: the shop was known for NEW_DAYS days before.

        Of those that came earlier, a shop's panel often holds only what still sells well: they would promise too much.
        """
        return np.flatnonzero((self.start >= NEW_DAYS) & (self.age > 0) & (self.age <= NEW_DAYS + SUM_DAYS))

    def after_start(self, rows: Whole, first: int, days: int) -> tuple[Doubles, Doubles]:
        """Return units and exposure [r, days] of the days after the start, from the `first` on; 0 beyond the cutoff."""
        places = self.start[rows][:, None] + np.arange(first, first + days)[None, :]
        inside = places < self.panel.n_days
        places = np.minimum(places, self.panel.n_days - 1)
        cells = rows[:, None], places
        units, exposure = self.units[cells].astype(np.float64), self.exposure[cells].astype(np.float64)
        return units * inside, exposure * inside


@dataclass(frozen=True, eq=False)
class Similar:
    """What similar items sell: `rate` [r] units a day, and how many they are, `items` [r]."""

    rate: Doubles
    items: Whole

    @classmethod
    def of(cls, seen: _Seen, rows: Whole) -> "Similar":
        """Weigh what is similar to each of `rows`: of the shop, then of its department, then of its category."""
        panel = seen.panel
        known = np.flatnonzero(seen.known > 0)
        weight = seen.known[known]
        own = np.where(seen.known[rows] > 0, seen.known[rows], 0.0)
        total = weight.sum() - own
        rate = ((seen.rate[known] * weight).sum() - seen.rate[rows] * own) / np.maximum(total, 1e-9)
        found = cls(np.where(total > 1e-9, rate, 0.0), np.where(total > 1e-9, len(known) - (own > 0), 0))
        for label in (frames.DEPARTMENT, frames.CATEGORY):
            found = found.within(seen, rows, panel.labels(label))
        return found

    def within(self, seen: _Seen, rows: Whole, labels: NDArray[np.str_]) -> "Similar":
        """Draw towards the series under the same label; one that has no label, or is alone under it, stays."""
        rate, items = self.rate.copy(), self.items.copy()
        nearness = _Nearness(seen.panel)
        for label in np.unique(labels[rows]):
            of_label = np.flatnonzero(labels[rows] == label)
            others = np.flatnonzero((labels == label) & (seen.known > 0))
            if label == frames.UNKNOWN_LABEL or not len(others):
                continue
            for part in np.array_split(of_label, -(-len(of_label) // AT_ONCE)):
                is_other = rows[part][:, None] != others[None, :]
                weight = seen.known[others] * is_other * nearness.between(rows[part], others)
                total = weight.sum(axis=1)
                rate[part] = (weight @ seen.rate[others] + DRAWN_ITEMS * rate[part]) / (total + DRAWN_ITEMS)
                items[part] = np.where(is_other.any(axis=1), is_other.sum(axis=1), items[part])
        return Similar(rate, items)

    def take(self, chosen: NDArray[np.bool_]) -> "Similar":
        """Return what is similar to some."""
        return Similar(self.rate[chosen], self.items[chosen])


class _Nearness:
    """How much items of one kind are alike, by price and brand: 1 where neither is known."""

    def __init__(self, panel: Panel) -> None:
        price = panel.static.get(frames.PRICE)
        told = np.full(panel.n_series, np.nan) if price is None else price.to_numpy(dtype=np.float64)
        self.log_price = np.log(np.where(told > 0, told, np.nan))
        self.brand = panel.labels(frames.BRAND)

    def between(self, rows: Whole, others: Whole) -> Doubles:
        """Return the weight of each of `others` for each of `rows` [r, o]."""
        apart = self.log_price[rows][:, None] - self.log_price[others][None, :]
        near = np.exp(-0.5 * (np.nan_to_num(apart, nan=PRICE_SPREAD) / PRICE_SPREAD) ** 2)
        brand = self.brand[rows][:, None]
        return np.asarray(near * np.where((brand == self.brand[others][None, :]) & (brand != ""), SAME_BRAND, 1.0))


@dataclass(frozen=True, eq=False)
class Rule:
    """How newcomers of a shop sell: `ramp` [RAMP_WEEKS] times what is similar, and how far around (see above)."""

    ramp: Doubles
    shape: float
    drift: float

    @classmethod
    def fit(cls, seen: _Seen) -> "Rule":
        """Fit to all whose first day on sale was seen; the usual rule where there are none."""
        rows = seen.launched
        similar = Similar.of(seen, rows).rate
        units, exposure = seen.after_start(rows, 0, RAMP_WEEKS * WEEK)
        by_week = (len(rows), RAMP_WEEKS, WEEK)
        sold = units.reshape(by_week).sum(axis=(0, 2))
        expected = (exposure * similar[:, None]).reshape(by_week).sum(axis=(0, 2))
        all_weeks = (sold.sum() + RAMP_UNITS) / (expected.sum() + RAMP_UNITS)
        rule = cls((sold + RAMP_UNITS * all_weeks) / (expected + RAMP_UNITS), USUAL_SHAPE, USUAL_DRIFT)
        evidence = -0.5 * ((np.log(SHAPES / USUAL_SHAPE)[:, None] / SPREAD_OF_USUAL) ** 2
                           + (np.log(DRIFTS / USUAL_DRIFT)[None, :] / SPREAD_OF_USUAL) ** 2)  # fmt: skip
        for age in TRIAL_AGES:
            old = seen.age[rows] >= age + SUM_DAYS
            evidence += rule._evidence(seen, rows[old], similar[old], age) / len(TRIAL_AGES)  # of the same items
        shape, drift = np.unravel_index(int(evidence.argmax()), evidence.shape)
        return replace(rule, shape=float(SHAPES[shape]), drift=float(DRIFTS[drift]))

    def _evidence(self, seen: _Seen, rows: Whole, similar: Doubles, age: int) -> Doubles:
        """Return the log likelihood [SHAPES, DRIFTS] of what `rows` sold in SUM_DAYS days from that age on."""
        units, expected = self._own(seen, rows, similar, age)
        later, exposure = seen.after_start(rows, age, SUM_DAYS)
        whole = (exposure == 1).all(axis=1)
        actual = later.sum(axis=1)[whole]
        prior = (similar * self._factors(np.full(len(rows), age), SUM_DAYS).sum(axis=1))[whole]
        units, expected, day = units[whole], expected[whole], seen.day_dispersion
        found = np.empty((len(SHAPES), len(DRIFTS)))
        for place, shape in enumerate(SHAPES):
            mean = prior * _drawn(shape, day, units, expected)
            level = (1 / (shape + units / (1 + day)))[:, None] + DRIFTS[None, :]
            variance = mean[:, None] * (1 + day) + level * mean[:, None] ** 2
            found[place] = negative_binomial_log_likelihood(actual[:, None], mean[:, None], variance).sum(axis=0)
        return found

    def answer(self, seen: _Seen, rows: Whole, similar: Doubles, days: int) -> tuple[Doubles, Doubles]:
        """Return units on each of the next days [r, days], weekdays left aside, and the level variance [r]."""
        units, expected = self._own(seen, rows, similar, NEW_DAYS)
        day = seen.day_dispersion
        rate = similar * _drawn(self.shape, day, units, expected)
        return rate[:, None] * self._factors(seen.age[rows], days), 1 / (self.shape + units / (1 + day)) + self.drift

    def _own(self, seen: _Seen, rows: Whole, similar: Doubles, age: int) -> tuple[Doubles, Doubles]:
        """Return what each of `rows` sold up to that age, and what was to be expected of it then [r]."""
        units, exposure = seen.after_start(rows, 0, age)
        factors = self._factors(np.zeros(len(rows), dtype=np.int64), age)
        return units.sum(axis=1), similar * (exposure * factors).sum(axis=1)

    def _factors(self, age: Whole, days: int) -> Doubles:
        """Return the ramp on each of the `days` days that follow that age [r, days]."""
        weeks = np.minimum((age[:, None] + np.arange(days)[None, :]) // WEEK, RAMP_WEEKS - 1)
        return np.asarray(self.ramp[weeks])


def _drawn(shape: float, day: float, units: Doubles, expected: Doubles) -> Doubles:
    """Return how many times the prior a newcomer sells, by its own units beside what was to be expected of it."""
    prior_units = shape * (1 + day)
    return np.asarray((prior_units + units) / (prior_units + expected))
