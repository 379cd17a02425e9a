"""Forecasts of kinds of item and of a whole shop: what their items' forecasts add up to, and how unsure that is.

Means are added up, so every level agrees with the ones below it. Variances alone would be too small: items stray
together, by weather, by season, by what the model misses of all of them. Of a sum M, with v_i the variance of each
item's own,

    variance of the sum = sum of v_i + (unsure * M)^2

where `unsure` is what past sums of that level strayed by beyond what their items explain. It is found on sums of
SUM_DAYS days, and held to be the same for weeks, and for sums further ahead.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.dispersion import SUM_DAYS
from apps.forecasting.engine.forecast import Forecast
from apps.forecasting.engine.totals import added_up

Doubles = NDArray[np.float64]
Places = NDArray[np.int64]

USUAL_UNSURE: Final = 0.1
"""Where no past was judged yet; kinds of M5 and of completejourney's grocery strayed by .05 to .13."""
SPREAD_OF_UNSURE: Final = 0.7
"""Before any sum was seen, the log of `unsure` is held to lie this far around the usual one: five sums tell little."""
UNSURE: Final = np.geomspace(0.005, 0.5, 47)


def aggregate(forecast: Forecast, members: Places, names: NDArray[np.str_], unsure: float) -> Forecast:
    """Return the forecast of each group, as one of a series: its sums over SUM_DAYS days have the variance above.

    members  [n] the group of each series, 0 to g - 1
    names    [g] text
    unsure   share of a sum by which it strays beyond what its items do
    """
    mean = added_up(forecast.mean, members)
    sums = forecast.sum_mean(min(SUM_DAYS, forecast.grid.horizon_days))[:, None]
    total = np.maximum(added_up(sums, members)[:, 0], 1e-9)
    level = added_up(forecast.level_variance[:, None] * sums**2, members)[:, 0] / total**2
    day = added_up(forecast.day_dispersion[:, None] * sums, members)[:, 0] / total
    return Forecast(
        model=forecast.model,
        unique_ids=names,
        cutoff=forecast.cutoff,
        grid=forecast.grid,
        mean=mean.astype(np.float32),
        level_variance=(level + unsure**2).astype(np.float32),
        day_dispersion=day.astype(np.float32),
        weekday_profile=forecast.weekday_profile.copy(),
    )


def unsure_by(error: Doubles, mean: Doubles, variance: Doubles) -> float:
    """Return the `unsure` that is likeliest after past errors of groups' sums, of normal errors (a posterior mode).

    error     [k] foretold less sold, of one group's sum at one cutoff
    mean      [k] foretold
    variance  [k] what the group's items explain

    USUAL_UNSURE where nothing is told.
    """
    told = mean > 0
    if not told.any():
        return USUAL_UNSURE
    spread = variance[told, None] + (UNSURE[None, :] * mean[told, None]) ** 2
    prior = -0.5 * (np.log(UNSURE / USUAL_UNSURE) / SPREAD_OF_UNSURE) ** 2
    likelihood = prior - 0.5 * (np.log(spread) + error[told, None] ** 2 / spread).sum(axis=0)
    return float(UNSURE[int(np.argmax(likelihood))])
