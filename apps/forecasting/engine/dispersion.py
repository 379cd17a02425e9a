"""How far sales stray from a forecast: fitted on past errors, so that sums over two weeks are as wide as they were.

Two numbers per series (see `forecast.py` for what they mean):

day_dispersion   from the series' own days: within weeks, how much more they vary than a Poisson would, drawn towards
                 the value of all series by as much as the series is short of sales
level_variance   from forecasts made at past cutoffs and what was then sold over SUM_DAYS days, by maximum likelihood,
                 as a smooth function of the forecast sum (big sellers are steadier), times a power of how unsteady the
                 series' own weeks were beside others that sell as much
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.distribution import negative_binomial_log_likelihood
from apps.forecasting.engine.forecast import Forecast
from apps.forecasting.engine.grid import WEEK, Grid
from apps.forecasting.engine.rhythm import weekday_profile

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

SUM_DAYS = 14
CUTOFFS = 6
"""Past cutoffs whose errors are used, SUM_DAYS apart."""
WEEKS_OF_DAYS = 26
"""Weeks whose days tell a series' own day dispersion."""
OWN_WEIGHT = 3.0
"""Units per day, summed over weeks, at which a series' own dispersion counts as much as everyone's."""
LEVEL_VARIANCES = np.geomspace(0.005, 4.0, 24)
SCALES = np.array([0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0])
USUAL_LEVEL_VARIANCE = 0.25
SPREAD_OF_USUAL = 1.0
"""Before any error was seen, the log of the level variance is held to lie this far around the usual one."""
KNOTS = 8
FEWEST_IN_BIN = 50
TOP_BIN = 150
"""The bin of the largest sums is halved until it holds no more: there sums lie far apart."""
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
POWER_SUMS = 10_000
"""Sums by which a power is chosen, at most."""
SPREAD_OF_POWERS = 0.5
"""Before a bin's own errors were seen, its power is held to lie this far around the one of all bins."""
LARGEST_UNREST = 2.0
FEWEST_WEEKS = 6
"""Whole weeks below which a series' own unrest tells nothing."""
UNREST_UNITS = 0.2


@dataclass(frozen=True, eq=False)
class Traits:
    """What a series' own past says of how it strays, all [n].

    day      day dispersion
    unrest   log of the variance of its weeks over their mean; NaN where there are too few to say
    """

    day: Doubles
    unrest: Doubles

    @classmethod
    def of(cls, panel: Panel) -> Self:
        """Read the traits of all series as known at the panel's cutoff."""
        return cls(day_dispersion(panel), unrest(panel))

    @classmethod
    def joined(cls, several: Sequence["Traits"]) -> Self:
        """Return traits one after the other."""
        return cls(np.concatenate([each.day for each in several]), np.concatenate([each.unrest for each in several]))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Traits":
        """Return the traits of some series."""
        return Traits(self.day[rows], self.unrest[rows])


def own_day_dispersion(panel: Panel) -> tuple[Doubles, Doubles, float]:
    """Return excess [n], weight [n] and everyone's dispersion.

    excess: sum over the last weeks of (variance - mean) of the days within the week; weight: sum of the means; both
    over days when the item was wholly available. Their ratio estimates the series' own dispersion.
    """
    weeks = max(1, min(WEEKS_OF_DAYS, panel.n_days // WEEK))
    length = WEEK if panel.n_days >= WEEK else panel.n_days
    days = slice(panel.n_days - weeks * length, panel.n_days)
    whole = panel.available[:, days].reshape(panel.n_series, weeks, length) == 1
    sales = panel.sales[:, days].reshape(panel.n_series, weeks, length) * whole
    count = whole.sum(axis=2)
    total = sales.sum(axis=2, dtype=np.float64)
    squares = (sales.astype(np.float64) ** 2).sum(axis=2)
    told = count >= 2
    safe = np.maximum(count, 2)
    mean = total / safe
    variance = (squares - total * mean) / (safe - 1)
    excess = np.where(told, variance - mean, 0.0).sum(axis=1)
    weight = np.where(told, mean, 0.0).sum(axis=1)
    everyone = max(float(excess.sum()) / float(weight.sum()), 0.0) if weight.sum() > 0 else 0.0
    return excess, weight, everyone


def day_dispersion(panel: Panel) -> Doubles:
    """Return each series' day dispersion [n], at least 0."""
    excess, weight, everyone = own_day_dispersion(panel)
    return np.maximum((excess + OWN_WEIGHT * everyone) / (weight + OWN_WEIGHT), 0.0)


def unrest(panel: Panel) -> Doubles:
    """Return the log of the variance of each series' weeks over their mean [n], of the last WEEKS_OF_DAYS weeks.

    Only weeks count in which the item was wholly available; NaN where there are fewer than FEWEST_WEEKS.
    """
    weeks = min(WEEKS_OF_DAYS, panel.n_days // WEEK)
    days = slice(panel.n_days - weeks * WEEK, panel.n_days)
    whole = (panel.available[:, days].reshape(panel.n_series, weeks, WEEK) == 1).all(axis=2)
    units = panel.sales[:, days].reshape(panel.n_series, weeks, WEEK).sum(axis=2, dtype=np.float64) * whole
    count = whole.sum(axis=1)
    mean = units.sum(axis=1) / np.maximum(count, 1)
    square = (np.where(whole, units - mean[:, None], 0.0) ** 2).sum(axis=1) / np.maximum(count - 1, 1)
    index = np.log((square + UNREST_UNITS) / (mean + UNREST_UNITS))
    return np.where(count >= FEWEST_WEEKS, index, np.nan)


@dataclass(frozen=True)
class Dispersion:
    """The fitted rule that turns a panel and forecast sums into the two numbers of each series.

    scale            factor on the series' own day dispersion
    log_means        [k] rising, logs of sums over SUM_DAYS days
    level_variances  [k] the level variance at each; between them by interpolation, outside by the nearest
    unrests          [k] the usual unrest at each
    powers           [k] at each, of how much more unrest a series has than usual, that its level variance is multiplied
                     by: the unrest of best sellers is mostly promotions and trends, which forecasts know of
    """

    scale: float
    log_means: tuple[float, ...]
    level_variances: tuple[float, ...]
    unrests: tuple[float, ...] = (0.0,)
    powers: tuple[float, ...] = (0.0,)

    @classmethod
    def usual(cls) -> Self:
        """Return the rule used before any error was seen."""
        return cls(scale=1.0, log_means=(0.0,), level_variances=(USUAL_LEVEL_VARIANCE,))

    @classmethod
    def fit(cls, forecast: Doubles, actual: Doubles, own: Traits) -> Self:
        """Fit by maximum likelihood: the scale first, then the power, then the level variances that go with both.

        forecast, actual  [k] sums over SUM_DAYS days, foretold and sold; own [k] the series' traits then.
        """
        told = np.isfinite(forecast) & np.isfinite(actual) & (forecast > 0)
        forecast, actual, own = forecast[told], actual[told], own.take(told)
        if not len(forecast):
            return cls.usual()
        bins = _bins(forecast)
        centres = [float(np.log(forecast[rows]).mean()) for rows in bins]
        usual = [_mean_told(own.unrest[rows]) for rows in bins]
        beyond = _beyond_usual(own.unrest, np.log(forecast), centres, usual)

        def evidence(scale: float, powers: Sequence[float], thin: int = 1) -> Doubles:
            """Log likelihoods [bins, LEVEL_VARIANCES] of every `thin`-th sum, and what is held before any was seen."""
            found = np.empty((len(bins), len(LEVEL_VARIANCES)))
            for place, all_rows in enumerate(bins):
                rows = all_rows[::thin]
                mean, units = forecast[rows, None], actual[rows, None]
                level = LEVEL_VARIANCES * np.exp(powers[place] * beyond[rows, None])
                variance = mean * (1.0 + scale * own.day[rows, None]) + level * mean**2
                found[place] = negative_binomial_log_likelihood(units, mean, variance).sum(axis=0)
            return found - 0.5 * (np.log(LEVEL_VARIANCES / USUAL_LEVEL_VARIANCE) / SPREAD_OF_USUAL) ** 2

        scale = max(SCALES, key=lambda each: float(evidence(each, [0.0] * len(bins)).max(axis=1).sum()))
        thin = -(-len(forecast) // POWER_SUMS)
        tried = np.array([evidence(scale, [power] * len(bins), thin).max(axis=1) for power in POWERS]) * thin
        everyone = POWERS[int(np.argmax(tried.sum(axis=1)))]
        held = -0.5 * ((np.array(POWERS) - everyone) / SPREAD_OF_POWERS) ** 2
        powers = [POWERS[place] for place in np.argmax(tried + held[:, None], axis=0)]
        seen = evidence(scale, powers)
        weights = np.exp(seen - seen.max(axis=1, keepdims=True))
        fitted = np.exp((weights * np.log(LEVEL_VARIANCES)).sum(axis=1) / weights.sum(axis=1))
        return cls(float(scale), tuple(centres), tuple(float(value) for value in fitted), tuple(usual), tuple(powers))

    def level_variance(self, sums: Doubles, own_unrest: Doubles) -> Doubles:
        """Return the level variance [n] for forecast sums over SUM_DAYS days of series with this unrest [n]."""
        logs = np.log(np.maximum(sums, 1e-6))
        variance: Doubles = np.interp(logs, np.asarray(self.log_means), np.asarray(self.level_variances))
        power = np.interp(logs, np.asarray(self.log_means), np.asarray(self.powers))
        factor: Doubles = np.exp(power * _beyond_usual(own_unrest, logs, self.log_means, self.unrests))
        return variance * factor

    def recipe(self, panel: Panel, sums: Doubles) -> tuple[Floats, Floats]:
        """Return level_variance [n] and day_dispersion [n] for forecasts made from `panel` with these sums."""
        own = Traits.of(panel)
        return self.level_variance(sums, own.unrest).astype(np.float32), (self.scale * own.day).astype(np.float32)

    def forecast(self, model: str, panel: Panel, grid: Grid, daily: Floats) -> Forecast:
        """Return the forecast of daily means [n, at least horizon_days and SUM_DAYS], as wide as this rule says."""
        level_variance, own = self.recipe(panel, daily[:, :SUM_DAYS].sum(axis=1, dtype=np.float64))
        return Forecast(
            model=model,
            unique_ids=panel.ids,
            cutoff=panel.cutoff,
            grid=grid,
            mean=grid.totals(daily),
            level_variance=level_variance,
            day_dispersion=own,
            weekday_profile=weekday_profile(panel),
        )

    def settings(self) -> dict[str, Any]:
        """Return the rule as JSON can hold it."""
        return {
            "scale": self.scale,
            "log_means": list(self.log_means),
            "level_variances": list(self.level_variances),
            "unrests": list(self.unrests),
            "powers": list(self.powers),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Return the rule that `settings` saved."""
        nothing = [0.0] * len(settings["log_means"])  # of a rule that was saved before there was unrest
        return cls(
            float(settings["scale"]),
            tuple(float(value) for value in settings["log_means"]),
            tuple(float(value) for value in settings["level_variances"]),
            tuple(float(value) for value in settings.get("unrests", nothing)),
            tuple(float(value) for value in settings.get("powers", nothing)),
        )


def _bins(forecast: Doubles) -> list[NDArray[np.int64]]:
    """Return rows of like sums together, the smallest first."""
    order = np.argsort(forecast, kind="stable")
    bins = np.array_split(order, int(np.clip(len(order) // FEWEST_IN_BIN, 1, KNOTS)))
    while len(bins) > 1 and len(bins[-1]) > TOP_BIN:
        bins[-1:] = np.array_split(bins[-1], 2)
    return bins


def _mean_told(values: Doubles) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else 0.0


def _beyond_usual(own: Doubles, logs: Doubles, log_means: Sequence[float], usual: Sequence[float]) -> Doubles:
    """Return how much more unrest each series has than is usual at its sum [n]; 0 where it tells nothing."""
    beyond = np.nan_to_num(own - np.interp(logs, np.asarray(log_means), np.asarray(usual)), nan=0.0)
    return np.asarray(np.clip(beyond, -LARGEST_UNREST, LARGEST_UNREST))


def past_cutoffs(panel: Panel, minimum_days: int, *, n_cutoffs: int = CUTOFFS) -> list[int]:
    """Return how many days ago to stand: multiples of SUM_DAYS that leave `minimum_days` of history."""
    return [
        back * SUM_DAYS for back in range(1, n_cutoffs + 1) if panel.n_days - back * SUM_DAYS >= max(minimum_days, 1)
    ]


def sold(panel: Panel, days_ago: int, days: int = SUM_DAYS) -> Doubles:
    """Return units sold over the `days` days that follow the day `days_ago` [n]; NaN where any was unavailable."""
    first = panel.n_days - days_ago
    known = (panel.available[:, first : first + days] == 1).all(axis=1)
    return np.where(known, panel.sales[:, first : first + days].sum(axis=1, dtype=np.float64), np.nan)


def fit_on_past_cutoffs(panel: Panel, foretell: Callable[[Panel], Doubles], days_ago: Sequence[int]) -> Dispersion:
    """Fit the rule on what `foretell` (panel -> sums over SUM_DAYS days [n]) would have said at past cutoffs."""
    if not days_ago:
        return Dispersion.usual()
    forecasts, actuals, owns = [], [], []
    for back in days_ago:
        then = panel.before(back)
        forecasts.append(np.where(then.regular(), foretell(then), np.nan))
        actuals.append(sold(panel, back))
        owns.append(Traits.of(then))
    return Dispersion.fit(np.concatenate(forecasts), np.concatenate(actuals), Traits.joined(owns))
