"""How far sales stray from a forecast: fitted on past errors, so that sums over two weeks are as wide as they were.

Two numbers per series (see `forecast.py` for what they mean):

day_dispersion   from the series' own days: within weeks, how much more they vary than a Poisson would, drawn towards
                 the value of all series by as much as the series is short of sales
level_variance   from forecasts made at past cutoffs and what was then sold over SUM_DAYS days, by maximum likelihood,
                 as a smooth function of the forecast sum (big sellers are steadier)
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


@dataclass(frozen=True)
class Dispersion:
    """The fitted rule that turns a panel and forecast sums into the two numbers of each series.

    scale            factor on the series' own day dispersion
    log_means        [k] rising, logs of sums over SUM_DAYS days
    level_variances  [k] the level variance at each; between them by interpolation, outside by the nearest
    """

    scale: float
    log_means: tuple[float, ...]
    level_variances: tuple[float, ...]

    @classmethod
    def usual(cls) -> Self:
        """Return the rule used before any error was seen."""
        return cls(scale=1.0, log_means=(0.0,), level_variances=(USUAL_LEVEL_VARIANCE,))

    @classmethod
    def fit(cls, forecast: Doubles, actual: Doubles, own: Doubles) -> Self:
        """Fit by maximum likelihood.

        forecast, actual  [k] sums over SUM_DAYS days, foretold and sold; own [k] the series' day dispersion then.
        """
        told = np.isfinite(forecast) & np.isfinite(actual) & (forecast > 0)
        forecast, actual, own = forecast[told], actual[told], own[told]
        if not len(forecast):
            return cls.usual()
        order = np.argsort(forecast, kind="stable")
        n_bins = int(np.clip(len(order) // FEWEST_IN_BIN, 1, KNOTS))
        bins = np.array_split(order, n_bins)
        prior = -0.5 * (np.log(LEVEL_VARIANCES / USUAL_LEVEL_VARIANCE) / SPREAD_OF_USUAL) ** 2
        evidence = np.empty((len(SCALES), n_bins, len(LEVEL_VARIANCES)))
        for place, rows in enumerate(bins):
            mean, units = forecast[rows], actual[rows]
            for row, scale in enumerate(SCALES):
                day = mean * (1.0 + scale * own[rows])
                variance = day[:, None] + LEVEL_VARIANCES[None, :] * mean[:, None] ** 2
                evidence[row, place] = negative_binomial_log_likelihood(
                    units[:, None], mean[:, None], variance
                ).sum(axis=0)
        evidence += prior
        best = int(np.argmax(evidence.max(axis=2).sum(axis=1)))
        weights = np.exp(evidence[best] - evidence[best].max(axis=1, keepdims=True))
        fitted = np.exp((weights * np.log(LEVEL_VARIANCES)).sum(axis=1) / weights.sum(axis=1))
        centres = [float(np.log(forecast[rows]).mean()) for rows in bins]
        return cls(float(SCALES[best]), tuple(centres), tuple(float(value) for value in fitted))

    def level_variance(self, sums: Doubles) -> Doubles:
        """Return the level variance [n] for forecast sums over SUM_DAYS days."""
        logs = np.log(np.maximum(sums, 1e-6))
        variance: Doubles = np.interp(logs, np.asarray(self.log_means), np.asarray(self.level_variances))
        return variance

    def recipe(self, panel: Panel, sums: Doubles) -> tuple[Floats, Floats]:
        """Return level_variance [n] and day_dispersion [n] for forecasts made from `panel` with these sums."""
        own = self.scale * day_dispersion(panel)
        return self.level_variance(sums).astype(np.float32), own.astype(np.float32)

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
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Return the rule that `settings` saved."""
        return cls(
            float(settings["scale"]),
            tuple(float(value) for value in settings["log_means"]),
            tuple(float(value) for value in settings["level_variances"]),
        )


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
        on_sale = then.available.any(axis=1)
        forecasts.append(np.where(on_sale, foretell(then), np.nan))
        actuals.append(sold(panel, back))
        owns.append(day_dispersion(then))
    return Dispersion.fit(np.concatenate(forecasts), np.concatenate(actuals), np.concatenate(owns))
