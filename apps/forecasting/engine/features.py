"""What a tree is shown: lags, rolling rates, promotion, price, calendar and kind of item, week by week.

A row is (series, origin, week ahead): standing at the end of `origin` whole weeks of history, counted in weeks that end
on the panel's cutoff, what will be sold in the `ahead`-th week from there. Everything about the past is read from weeks
before the origin alone; of the week ahead only the calendar and the covariates known ahead are read. The leakage guard
in `backtest.py` proves it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.calendar import days_to_holiday, month_position, public_holidays
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.season import NEEDED_WEEKS, yearly_season

Floats = NDArray[np.float32]

SHORT, MIDDLE, LONG, HALF_YEAR = 4, 8, 13, 26
NO_SALE_YET = 400.0
"""Days since the last sale, for an item that never had one."""
OFFSET_PRIOR = 0.05
"""Units a week added to every level, so that its logarithm exists."""
PROMOTED_FROM = 0.05
"""Mean share from which a week counts as one with the promotion."""
SHRINK_WEEKS = 2.0
"""Weeks of everyone's evidence mixed into a series' own rate with and without a promotion."""


@dataclass(frozen=True, eq=False)
class Weeks:
    """The panel in whole weeks that end on its cutoff.

    rate        [n, J] float32 units per wholly available week, over the season's share of it; 0 where it is unknown
    exposure    [n, J] float32, the share of the week the item could be bought
    covariates  name -> [n, J + K] float32 mean over the week; of those not known ahead the last K are 0
    known_ahead names of the covariates whose last K weeks hold something
    since_sale  [n, J] float32 days since the last sale, at the end of the week
    sale_days   [n, J] float32 days with a sale in the week
    calendar    name -> [J + K] float32
    season      [J + K] float32, how many times its usual each week sells (`season.py`)
    """

    rate: Floats
    exposure: Floats
    covariates: dict[str, Floats]
    known_ahead: frozenset[str]
    since_sale: Floats
    sale_days: Floats
    calendar: dict[str, Floats]
    season: Floats

    @property
    def n_weeks(self) -> int:
        """How many whole weeks of history there are."""
        return int(self.rate.shape[1])

    @property
    def n_ahead(self) -> int:
        """How many weeks there are, those ahead included."""
        return len(self.calendar["holidays"])

    @classmethod
    def of(cls, panel: Panel, horizon_weeks: int) -> "Weeks":
        """Fold `panel` into weeks, with `horizon_weeks` weeks ahead (as far as the panel's covariates reach)."""
        count = panel.n_days // WEEK
        first = panel.n_days - count * WEEK
        shape = (panel.n_series, count, WEEK)
        rate, exposure = _folded(panel)
        season = yearly_season(rate, exposure, horizon_weeks)
        had_sale = panel.sales > 0
        position = np.where(had_sale, np.arange(panel.n_days), -1)
        np.maximum.accumulate(position, axis=1, out=position)
        ends = first + WEEK * np.arange(1, count + 1) - 1
        last = position[:, ends]
        days = panel.dates[0] + np.arange(first, first + (count + horizon_weeks) * WEEK).astype("timedelta64[D]")
        return cls(
            rate=rate / season[:count],
            exposure=exposure,
            covariates={
                name: _weekly_covariate(panel, name, first, count, horizon_weeks)
                for name in panel.covariates
                if name not in panel.categories  # a week has no word
            },
            known_ahead=panel.known_ahead - panel.categories.keys(),
            since_sale=np.where(last >= 0, ends - last, NO_SALE_YET).astype(np.float32),
            sale_days=had_sale[:, first:].reshape(shape).sum(axis=2).astype(np.float32),
            calendar={
                "month_position": month_position(days).reshape(-1, WEEK).mean(axis=1),
                "holidays": public_holidays(days, panel.country).reshape(-1, WEEK).sum(axis=1).astype(np.float32),
                "days_to_holiday": days_to_holiday(days, panel.country).reshape(-1, WEEK)[:, 0],
            },
            season=season,
        )


def daily_season(panel: Panel, ahead: int) -> tuple[Floats, Floats]:
    """Return how many times its usual each day sells by the season of the year, known ones [T] and the next [ahead]."""
    if panel.n_days < NEEDED_WEEKS * WEEK:
        return np.ones(panel.n_days, dtype=np.float32), np.ones(ahead, dtype=np.float32)
    by_day = np.repeat(yearly_season(*_folded(panel), -(-ahead // WEEK)), WEEK)
    known = panel.n_days // WEEK * WEEK
    return np.pad(by_day[:known], (panel.n_days % WEEK, 0), constant_values=1), by_day[known:][:ahead]


def _folded(panel: Panel) -> tuple[Floats, Floats]:
    """Return units per wholly available week, and how much of each week was, of whole weeks to the cutoff [n, J]."""
    first = panel.n_days % WEEK
    shape = (panel.n_series, panel.n_days // WEEK, WEEK)
    sales = panel.sales[:, first:].reshape(shape).sum(axis=2)
    exposure = panel.available[:, first:].reshape(shape).mean(axis=2)
    return np.divide(sales, exposure, out=np.zeros_like(sales), where=exposure > 0), exposure


def _weekly_covariate(panel: Panel, name: str, first: int, count: int, horizon_weeks: int) -> Floats:
    """Return weekly means [n, count + horizon_weeks].

    A plan ends with the last day on which it tells of any series; in weeks that it does not wholly reach, each series'
    usual share (the mean of the last half year) stands in.
    """
    values = panel.covariates[name]
    reach = min(horizon_weeks, (values.shape[1] - first) // WEEK - count)
    weekly = np.zeros((len(values), count + horizon_weeks), dtype=np.float32)
    days = values[:, first : first + (count + reach) * WEEK].reshape(len(values), count + reach, WEEK)
    weekly[:, : count + reach] = days.mean(axis=2)
    if name in panel.known_ahead and horizon_weeks:
        planned = min(reach, (panel.told_days(name) - panel.n_days) // WEEK)
        usual = weekly[:, max(0, count - HALF_YEAR) : count].mean(axis=1, keepdims=True)
        weekly[:, count + planned :] = usual
    return weekly


def _trailing_mean(weeks: Weeks, origin: int, span: int) -> Floats:
    """Return units per week over the last `span` weeks before the origin [n]."""
    window = slice(max(0, origin - span), origin)
    exposure = weeks.exposure[:, window]
    units = (weeks.rate[:, window] * exposure).sum(axis=1)
    mean: Floats = np.divide(units, exposure.sum(axis=1), out=np.zeros_like(units), where=exposure.sum(axis=1) > 0)
    return mean


def decayed_mean(weeks: Weeks, origin: int, half_life: float) -> Floats:
    """Return units per week, each week back counting for less by the half life [n]."""
    back = np.arange(origin - 1, -1, -1, dtype=np.float32)
    weight = weeks.exposure[:, :origin] * np.exp2(-back / np.float32(half_life))
    total = weight.sum(axis=1)
    units = (weeks.rate[:, :origin] * weight).sum(axis=1)
    mean: Floats = np.divide(units, total, out=np.zeros_like(total), where=total > 0)
    return mean


def level(weeks: Weeks, origin: int) -> Floats:
    """Return the level [n], units per week: what a forecast without further thought would say; always above 0."""
    return 0.5 * (decayed_mean(weeks, origin, SHORT) + decayed_mean(weeks, origin, LONG)) + np.float32(OFFSET_PRIOR)


@dataclass(frozen=True, eq=False)
class Codes:
    """Labels as numbers, the same at every cutoff: `values` [n] float32, `names` sorted; unseen labels get -1."""

    names: tuple[str, ...]

    @classmethod
    def learn(cls, labels: Iterable[str]) -> "Codes":
        """Number the labels in alphabetical order."""
        return cls(tuple(sorted({str(label) for label in labels})))

    def of(self, labels: NDArray[np.str_]) -> Floats:
        """Return the number of each label [n], -1 where it was not learned."""
        if not self.names:
            return np.full(len(labels), -1.0, dtype=np.float32)
        known = np.asarray(self.names)
        place = np.minimum(np.searchsorted(known, labels), len(known) - 1)
        return np.where(known[place] == labels, place, -1).astype(np.float32)


def _group_trends(weeks: Weeks, origin: int, groups: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return, for each series, how its group's last week and last four weeks compare with the eight before [n]."""

    def total(span: slice) -> NDArray[np.float64]:
        units = weeks.rate[:, span].sum(axis=1, dtype=np.float64)
        totals: NDArray[np.float64] = np.bincount(groups, units, groups.max() + 1) / max(span.stop - span.start, 1)
        return totals

    usual = total(slice(max(0, origin - SHORT - MIDDLE), max(1, origin - SHORT))) + 1.0
    week = np.log((total(slice(origin - 1, origin)) + 1.0) / usual)
    month = np.log((total(slice(max(0, origin - SHORT), origin)) + 1.0) / usual)
    return week[groups].astype(np.float32), month[groups].astype(np.float32)


def pooled_groups(panel: Panel) -> dict[str, NDArray[np.int64]]:
    """Return the groups whose pooled trends a series is shown, name -> [n] number of its group."""
    return {
        frames.CATEGORY: np.unique(panel.labels(frames.CATEGORY), return_inverse=True)[1],
        "everyone": np.zeros(panel.n_series, dtype=np.int64),
    }


def past_features(weeks: Weeks, origin: int, groups: dict[str, NDArray[np.int64]]) -> dict[str, Floats]:
    """Return what the weeks before the origin tell, name -> [n]; rates as log(1 + units a week)."""
    features: dict[str, Floats] = {}
    for back in range(1, SHORT + 1):
        features[f"week_{back}"] = (
            np.log1p(weeks.rate[:, origin - back]) if back <= origin else np.full(len(weeks.rate), np.nan, np.float32)
        )
    for span in (SHORT, MIDDLE, LONG, HALF_YEAR):
        features[f"mean_{span}"] = np.log1p(_trailing_mean(weeks, origin, span))
    features["level"] = np.log(level(weeks, origin))
    recent = weeks.rate[:, max(0, origin - MIDDLE) : origin]
    features["highest_8"] = np.log1p(recent.max(axis=1))
    features["median_8"] = np.log1p(np.median(recent, axis=1))
    long = weeks.rate[:, max(0, origin - LONG) : origin]
    features["variation_13"] = long.std(axis=1) / (long.mean(axis=1) + 0.1)
    features["sale_weeks_13"] = (long > 0).mean(axis=1, dtype=np.float32)
    days = weeks.sale_days[:, max(0, origin - MIDDLE) : origin].sum(axis=1)
    features["sale_days_8"] = days
    features["size_8"] = np.log1p(recent.sum(axis=1) / np.maximum(days, 1))
    features["days_since_sale"] = weeks.since_sale[:, origin - 1]
    features["weeks_on_sale"] = (weeks.exposure[:, :origin] > 0).sum(axis=1).astype(np.float32)
    for name, members in groups.items():
        features[f"{name}_week"], features[f"{name}_month"] = _group_trends(weeks, origin, members)
    return features


def covariate_past(weeks: Weeks, origin: int, name: str) -> dict[str, Floats]:
    """Return what the weeks before the origin tell of one covariate, name -> [n]."""
    values = weeks.covariates[name]
    if name in frames.HELD:
        now = values[:, origin - 1]
        usual = _mean_ignoring_nan(values[:, max(0, origin - LONG) : origin])
        return {f"{name}_now": np.log1p(now), f"{name}_against_usual": now / usual - 1}
    span = slice(max(0, origin - HALF_YEAR), origin)
    share, exposure, rate = values[:, span], weeks.exposure[:, span], weeks.rate[:, span]
    usual = level(weeks, origin)
    promoted = exposure * (share > PROMOTED_FROM)
    plain = exposure - promoted
    with_it = ((rate * promoted).sum(axis=1) + SHRINK_WEEKS * usual) / (promoted.sum(axis=1) + SHRINK_WEEKS)
    without = ((rate * plain).sum(axis=1) + SHRINK_WEEKS * usual) / (plain.sum(axis=1) + SHRINK_WEEKS)
    return {
        f"{name}_last": values[:, origin - 1],
        f"{name}_mean_4": values[:, max(0, origin - SHORT) : origin].mean(axis=1),
        f"{name}_mean_8": values[:, max(0, origin - MIDDLE) : origin].mean(axis=1),
        f"{name}_mean_26": share.mean(axis=1),
        f"{name}_without": np.log(without / usual),
        f"{name}_uplift": np.log(with_it / without),
    }


def _mean_ignoring_nan(values: Floats) -> Floats:
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def ahead_features(weeks: Weeks, origin: int, ahead: int) -> dict[str, Floats]:
    """Return what is known of the `ahead`-th week after the origin, name -> [n] (calendar features [1])."""
    target = origin + ahead - 1
    features: dict[str, Floats] = {"ahead": np.full(1, ahead, dtype=np.float32)}
    for name, values in weeks.calendar.items():
        features[name] = values[target : target + 1]
    for name in sorted(weeks.known_ahead):
        values = weeks.covariates[name]
        if name in frames.HELD:
            features[f"{name}_ahead"] = values[:, target] / values[:, origin - 1] - 1
            continue
        usual = values[:, max(0, origin - MIDDLE) : origin].mean(axis=1)
        features[f"{name}_ahead"] = values[:, target]
        features[f"{name}_ahead_change"] = values[:, target] - usual
        features[f"{name}_week_before"] = values[:, target - 1]
    return features


@dataclass(frozen=True, eq=False)
class Rows:
    """A block of rows for one origin and week ahead: `values` [n, F] float32, `names` of the F columns."""

    names: tuple[str, ...]
    values: Floats

    def under(self, names: Sequence[str]) -> Floats:
        """Return the columns of these names, in their order [n, len(names)]; one that is not there is missing (NaN)."""
        if tuple(names) == self.names:
            return self.values
        missing = np.full((len(self.values), 1), np.nan, dtype=np.float32)
        places = [self.names.index(name) if name in self.names else -1 for name in names]
        return np.concatenate([self.values, missing], axis=1)[:, places]


def rows_at(
    weeks: Weeks,
    origin: int,
    aheads: Sequence[int],
    groups: dict[str, NDArray[np.int64]],
    kinds: dict[str, Floats],
) -> list[Rows]:
    """Return one block of rows for each week ahead.

    origin  weeks of history to stand after, 1 to weeks.n_weeks
    groups  name -> [n] members of pooled trends; kinds name -> [n] codes of the kind of item
    """
    past = past_features(weeks, origin, groups)
    for name in sorted(weeks.covariates):
        past |= covariate_past(weeks, origin, name)
    past |= kinds
    n = len(weeks.rate)
    names = [*past]
    block = np.stack([np.asarray(column, dtype=np.float32) for column in past.values()], axis=1)
    rows = []
    for ahead in aheads:
        future = ahead_features(weeks, origin, ahead)
        columns = np.stack([np.broadcast_to(column, n) for column in future.values()], axis=1).astype(np.float32)
        rows.append(Rows((*names, *future), np.concatenate([block, columns], axis=1)))
    return rows
