"""Boosted trees over all series at once, day by day.

Each row asks what a series will sell on one day, from what was known LAG days before it: every past day is a lesson,
and one model answers for the whole first month. Weekday, place in the month, holidays, events and promotions of the
day itself are shown, so that the trees learn how they add to each other. Where the rhythm of days matters (perishables,
staff, days of pay), this sees what week-by-week trees cannot.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import Artifact, OnProgress, Panel
from apps.forecasting.engine.boosting import Trees, grow_trees, read_trees
from apps.forecasting.engine.calendar import days_to_holiday, public_holidays, weekdays
from apps.forecasting.engine.features import Codes
from apps.forecasting.engine.frames import NothingToLearn
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.reasons import EVERY, Reasons, SomeRows, by_theme, in_units
from apps.forecasting.engine.trained import Knob, Trained

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

LAG = 28
"""A day is foretold from what was known this many days before it; days further ahead from what is known now."""
WINDOWS = (7, 14, 28, 56, 112, 182)
SAME_WEEKDAYS = (4, 13)
RECENT = 28
USUAL = 182
"""Days over which a covariate's usual amount is taken, where no plan reaches."""
FIRST_DAY = LAG + 28
"""Days of history below which no row is made."""
LONGEST_WAIT = 30.0
"""Days to an event, at most."""


class Days:
    """A panel, added up so that any window of any day is one subtraction.

    Everything is told as of `end`, the number of days that are known: nothing at or after it is read, except of the
    calendar and of covariates that are known ahead.
    """

    def __init__(self, panel: Panel, ahead: int) -> None:
        self.panel = panel
        self.units = _added(panel.sales)
        self.exposure = _added(panel.available)
        sold = panel.sales > 0
        self.sold = _added(sold)
        self.squares = _added(panel.sales.astype(np.float64) ** 2)
        self.last_sale = np.maximum.accumulate(np.where(sold, np.arange(panel.n_days), -1), axis=1)
        ever = panel.available > 0
        self.start = np.where(ever.any(axis=1), ever.argmax(axis=1), panel.n_days)
        days = panel.dates[0] + np.arange(panel.n_days + ahead).astype("timedelta64[D]")
        self.weekday = weekdays(days)
        self.day_of_month = (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.float32) + 1
        self.holiday = public_holidays(days, panel.country)
        self.to_holiday = days_to_holiday(days, panel.country)
        self.covariates = {name: _reaching(panel, name, panel.n_days + ahead) for name in panel.covariates}
        self.added = {
            name: _added(np.nan_to_num(values))
            for name, values in self.covariates.items()
            if name not in panel.categories
        }
        self.waits = {name: _wait(self.covariates[name]) for name in panel.categories}
        self.passed = {name: _wait(self.covariates[name][:, ::-1])[:, ::-1] for name in panel.categories}

    def label_of(self, name: str, day: int) -> NDArray[np.str_]:
        """Return what a covariate of words says of a day [n]."""
        return np.asarray(self.panel.categories[name])[self.covariates[name][:, day].astype(np.int64)]

    def mean(self, end: int, span: int) -> Doubles:
        """Return units per wholly available day over the `span` days before `end` [n]; 0 where none was."""
        start = max(0, end - span)
        exposure = self.exposure[:, end] - self.exposure[:, start]
        units = self.units[:, end] - self.units[:, start]
        rate: Doubles = np.divide(units, exposure, out=np.zeros_like(units), where=exposure > 0)
        return rate

    def same_weekday(self, day: int, end: int, count: int) -> Doubles:
        """Return units per available day over the last `count` days before `end` of the weekday of `day` [n]."""
        last = day - WEEK * -(-(day - end + 1) // WEEK)
        places = np.arange(last, -1, -WEEK)[:count]
        exposure = self.panel.available[:, places].sum(axis=1, dtype=np.float64)
        units = self.panel.sales[:, places].sum(axis=1, dtype=np.float64)
        rate: Doubles = np.divide(units, exposure, out=np.zeros_like(units), where=exposure > 0)
        return rate

    def features(
        self, day: int, end: int, kinds: Mapping[str, Floats], codes: Mapping[str, Codes]
    ) -> dict[str, Any]:
        """Return what is shown of one day, as known at `end`: name -> [n], or one number for all."""
        told: dict[str, Any] = {f"mean_{span}": self.mean(end, span) for span in WINDOWS}
        for count in SAME_WEEKDAYS:
            told[f"weekday_{count}"] = self.same_weekday(day, end, count)
        for back in range(1, 4):
            place = day - WEEK * (-(-(day - end + 1) // WEEK) + back - 1)
            told[f"weekday_back_{back}"] = self.panel.y[:, place] if place >= 0 else np.nan
        told["last_day"] = self.panel.y[:, end - 1]
        start = max(0, end - RECENT)
        length = end - start
        mean = (self.units[:, end] - self.units[:, start]) / length
        square = (self.squares[:, end] - self.squares[:, start]) / length
        told["spread"] = np.sqrt(np.maximum(square - mean**2, 0))
        told["sale_days"] = (self.sold[:, end] - self.sold[:, start]) / length
        told["days_since_sale"] = end - 1 - self.last_sale[:, end - 1]
        told["days_on_sale"] = np.minimum(end - self.start, 400)
        told["weekday"] = self.weekday[day]
        told["day_of_month"] = self.day_of_month[day]
        told["holiday"] = self.holiday[day]
        told["to_holiday"] = self.to_holiday[day]
        for name, values in self.covariates.items():
            if name in self.panel.categories:
                if name in self.panel.known_ahead and name in codes:
                    told[f"{name}_then"] = codes[name].of(self.label_of(name, day))
                    told[f"{name}_wait"] = self.waits[name][:, day]
                    told[f"{name}_since"] = self.passed[name][:, day]
                continue
            usual = (self.added[name][:, end] - self.added[name][:, start]) / length
            if name in self.panel.known_ahead:
                told[f"{name}_then"] = values[:, day]
                told[f"{name}_change"] = values[:, day] / usual - 1 if name in frames.HELD else values[:, day] - usual
            else:
                told[f"{name}_usual"] = usual
                told[f"{name}_last"] = values[:, end - 1]
        return {**told, **kinds}


def _wait(codes: Floats) -> Floats:
    """Return the days from each day to the next that has a word [n, days], 0 on one, never more than LONGEST_WAIT."""
    days = np.arange(codes.shape[1], dtype=np.float32)
    place = np.where(codes > 0, days, np.float32(np.inf))
    following = np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1]
    return np.minimum(following - days, np.float32(LONGEST_WAIT))


def _added(values: NDArray[Any]) -> Doubles:
    """Return sums over all days before each [n, T + 1]."""
    added = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, dtype=np.float64, out=added[:, 1:])
    return added


def _reaching(panel: Panel, name: str, days: int) -> Floats:
    """Return a covariate for `days` days.

    Beyond what is told of it a price holds, a word is none, and an amount is what it usually was: zero would read as
    "none".
    """
    values = panel.covariates[name]
    told = min(panel.told_days(name), days)
    if told == days:
        return values[:, :days]
    if name in panel.categories:
        beyond = np.zeros((len(values), 1), dtype=np.float32)
    elif name in frames.HELD:
        beyond = values[:, told - 1 : told]
    else:
        beyond = np.nan_to_num(values[:, max(0, panel.n_days - USUAL) : panel.n_days]).mean(axis=1, keepdims=True)
    return np.concatenate([values[:, :told], np.repeat(beyond, days - told, axis=1)], axis=1).astype(np.float32)


@dataclass(eq=False)
class DailyTrees:
    """Grown trees with the numbers they know kinds of item and of event by."""

    bags: list[Trees]
    codes: dict[str, Codes]
    threads: int

    def daily_means(self, panel: Panel, days: int) -> Floats:
        """Answer day by day, LAG days ahead of what was known; days further ahead from what is known now."""
        means = np.zeros((panel.n_series, days), dtype=np.float32)
        on_sale = panel.available.any(axis=1)
        for place, values in enumerate(self._asked(panel, days)):
            answers = [np.exp(trees.logs(values, self.threads)) for trees in self.bags]
            means[:, place] = np.where(on_sale, np.mean(answers, axis=0), 0.0)
        return means

    def reasons(self, panel: Panel, days: int, rows: SomeRows = EVERY) -> Reasons:
        """Return Shapley's values of the logs of each day and bag, in units, of some rows."""
        on_sale = np.asarray(panel.available[rows].any(axis=1), dtype=np.float64)
        labels = self.codes.keys() - panel.categories.keys()
        told = []
        for values in self._asked(panel, days):
            bags = []
            for trees in self.bags:
                logs = trees.contributions(values[rows])
                parts = by_theme(logs[:, :-1], trees.names, panel.covariates.keys(), labels)
                bags.append(in_units(np.exp(logs[:, -1]), parts))
            told.append(Reasons.mean(bags).times(on_sale))
        return Reasons.added(told)

    def _asked(self, panel: Panel, days: int) -> Iterator[Floats]:
        """Yield the rows [n, F] that ask for each of the next days."""
        known = Days(panel, days)
        kinds = numbered(panel, self.codes)
        for place in range(days):
            end = panel.n_days - max(0, LAG - place - 1)
            told = known.features(panel.n_days + place, max(end, 1), kinds, self.codes)
            yield _stacked([told.get(name, np.nan) for name in self.bags[0].names], panel.n_series)

    def files(self) -> Artifact:
        """Return the trees of each bag."""
        return {file: content for place, trees in enumerate(self.bags) for file, content in trees.files(place).items()}

    def settings(self) -> dict[str, Any]:
        """Return the labels in the order of their numbers."""
        labels = {name: list(codes.names) for name, codes in self.codes.items()}
        return {"labels": labels, "bags": len(self.bags)}


def numbered(panel: Panel, codes: Mapping[str, Codes]) -> dict[str, Floats]:
    """Return the number of each series' kinds, name -> [n]."""
    return {name: known.of(panel.labels(name)) for name, known in codes.items() if name not in panel.categories}


def _stacked(columns: list[Any], n_series: int) -> Floats:
    block = np.empty((n_series, len(columns)), dtype=np.float32)
    for place, column in enumerate(columns):
        block[:, place] = column
    return block


@dataclass(eq=False)
class LightGBMDaily(Trained):
    """Global, direct gradient boosting on days.

    rounds, learning_rate, leaves, rows_in_leaf   as LightGBM means them
    tweedie_power   1 is Poisson's variance, 2 the gamma's
    days            days before the cutoff that are learned from
    bags            trained apart, on rows of their own, and averaged: each makes something else of a few loud days
    rows            made for each bag at most, evenly over days and series
    """

    name: ClassVar[str] = "lightgbm_daily"
    family: ClassVar[str] = "trees"
    complexity: ClassVar[int] = 11
    knobs: ClassVar[Mapping[str, Knob]] = {
        "rounds": Knob(60, 300, by_factors=True),
        "learning_rate": Knob(0.02, 0.2, by_factors=True),
        "leaves": Knob(15, 95, by_factors=True),
        "rows_in_leaf": Knob(20, 500, by_factors=True),
        "tweedie_power": Knob(1.02, 1.5),
    }
    minimum_days: ClassVar[int] = FIRST_DAY + 6 * WEEK

    rounds: int = 200
    learning_rate: float = 0.07
    leaves: int = 63
    rows_in_leaf: int = 60
    tweedie_power: float = 1.1
    days: int = 336
    bags: int = 4
    rows: int = 250_000

    def grow(self, panel: Panel, thin: int, on_progress: OnProgress) -> DailyTrees:
        """Grow trees on the last `days` days."""
        codes = {name: Codes.learn(panel.labels(name)) for name in panel.kinds()}
        codes |= {name: Codes(labels) for name, labels in panel.categories.items()}
        known = Days(panel, 0)
        bags = []
        for bag in range(self.bags):

            def told(done: float, words: str, bag: int = bag) -> None:
                on_progress((bag + done) / self.bags, words)

            bags.append(self._grow_bag(panel, known, codes, thin, bag, told))
        return DailyTrees(bags, codes, self.threads)

    def _grow_bag(
        self, panel: Panel, known: Days, codes: dict[str, Codes], thin: int, bag: int, on_progress: OnProgress
    ) -> Trees:
        kinds = numbered(panel, codes)
        learned = range(panel.n_days - 1, max(panel.n_days - 1 - self.days, FIRST_DAY - 1), -1)
        thin = max(thin, -(-len(learned) * panel.n_series * thin // self.rows))
        stream = np.random.default_rng([self.seed, bag])
        turns = stream.integers(0, thin, panel.n_series)
        blocks, targets, names = [], [], []
        for place, day in enumerate(learned):
            end = day - LAG + 1
            chosen = (turns + place) % thin == 0
            asked = chosen & (known.start < end) & (panel.available[:, day] > 0)
            rows = np.flatnonzero(asked & panel.regular(end) if panel.pace else asked)
            on_progress(0.0, f"LightGBM by day: reading day {place + 1} of {len(learned)}")
            told = known.features(day, end, kinds, codes)
            names = list(told)
            blocks.append(_stacked(list(told.values()), panel.n_series)[rows])
            targets.append(panel.sales[rows, day] / panel.available[rows, day])
        if not blocks or not any(target.any() for target in targets):
            raise NothingToLearn(self.name, panel.n_days)
        return grow_trees(
            np.concatenate(blocks),
            np.concatenate(targets),
            names,
            kinds=[name for name in names if name in codes or name.removesuffix("_then") in panel.categories],
            base=None,
            settings={
                "tweedie_variance_power": self.tweedie_power,
                "learning_rate": self.learning_rate,
                "num_leaves": self.leaves,
                "min_data_in_leaf": self.rows_in_leaf,
                "feature_fraction": 0.6,
                "lambda_l2": 0.1,
                "num_threads": self.threads,
                "seed": self.seed + 1000 * bag,
            },
            rounds=self.rounds,
            told=f"LightGBM by day: {sum(map(len, targets))} rows up to {panel.cutoff.astype(object):%-d %b %Y}",
            on_progress=on_progress,
        )

    @classmethod
    def read(cls, files: Mapping[str, bytes], settings: Mapping[str, Any]) -> DailyTrees:
        """Return the trees and labels that `DailyTrees` told."""
        codes = {name: Codes(tuple(labels)) for name, labels in settings["labels"].items()}
        bags = [read_trees(files, cls.name, place) for place in range(settings["bags"])]
        return DailyTrees(bags, codes, settings["parameters"]["threads"])
