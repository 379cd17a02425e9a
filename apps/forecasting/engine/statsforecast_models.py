"""ETS and ARIMA, the one door to statsforecast: for the series with the most money, one by one; Theta for the others.

statsforecast searches the form and the numbers of each series by itself, which takes 10 ms (ETS) to a quarter of a
second (ARIMA) a series, on one thread, and it holds Python's lock meanwhile. So the series with the most money of the
last half year are given to it, and the note of a forecast says how many they were.

It wants a number for every day. A day of which nothing is known gets the mean of its weekday over the days of the
series that are known, each weighed by how far it was available; days before the first known one are left out. Of days
known in part, the rate of a whole day is taken.
"""

import warnings
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import Forecast, Grid, OnProgress, Panel
from apps.forecasting.engine.baselines import Baseline, daily_rates
from apps.forecasting.engine.dispersion import SUM_DAYS, Dispersion, fit_on_past_cutoffs, past_cutoffs
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.smoothing import Theta

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Answer = Callable[[Doubles, int], Doubles]

MONEY_DAYS = 26 * WEEK
FARTHEST = 2.0
"""A mean above so many times the largest day ever sold is a search gone astray, not a forecast."""


def by_money(panel: Panel) -> NDArray[np.int64]:
    """Return the series by what the last half year's sales were worth, the most first [n]."""
    units = panel.sales[:, -MONEY_DAYS:].sum(axis=1, dtype=np.float64)
    return np.argsort(-units * np.nan_to_num(panel.prices(), nan=1.0), kind="stable")


def filled(panel: Panel) -> Doubles:
    """Return units per whole day [n, T], unknown days filled with the series' own mean of their weekday."""
    rates, weight = daily_rates(panel).astype(np.float64), panel.available
    everyday = _mean(rates, weight)
    for place in range(min(WEEK, panel.n_days)):
        same = slice(place, None, WEEK)
        usual = _mean(rates[:, same], weight[:, same])
        usual = np.where(np.isnan(usual), everyday, usual)
        rates[:, same] = np.where(weight[:, same] > 0, rates[:, same], usual[:, None])
    return rates


def _mean(rates: Doubles, weight: Floats) -> Doubles:
    """Return the weighted mean of each row [n]; NaN where nothing is known."""
    total = weight.sum(axis=1, dtype=np.float64)
    mean: Doubles = np.divide((rates * weight).sum(axis=1), total, out=np.full(len(rates), np.nan), where=total > 0)
    return mean


@dataclass(eq=False)
class OneByOne(Baseline):
    """A model that statsforecast searches for each series; predicting from another panel searches anew.

    most_series  series that are given to it, those with the most money; Theta answers for the others, and where the
                 search ends in nothing
    most_days    days of history that it is given, the last ones
    """

    family: ClassVar[str] = "statistical"
    tail_series: ClassVar[int]
    """Series searched at each past cutoff that the tails are fitted on."""

    most_series: int
    most_days: int

    @abstractmethod
    def answer(self) -> Answer:
        """Return what foretells one series: (units a day [t], days ahead) -> means [days]."""

    def daily_mean(self, panel: Panel, days: int) -> Floats:
        """Search the series with the most money one by one, the others by Theta; means are never below 0."""
        means = Theta().daily_mean(panel, days)
        chosen = by_money(panel)[: self.most_series]
        ever = panel.take(chosen).available > 0
        rates, first, answer = filled(panel.take(chosen)), ever.argmax(axis=1), self.answer()
        for place in np.flatnonzero(ever.any(axis=1)):
            own = rates[place, max(first[place], panel.n_days - self.most_days) :]
            found = _found(answer, own, days)
            if found is not None:
                means[chosen[place]] = found
        return means

    def tails(self, panel: Panel, on_progress: OnProgress) -> Dispersion:
        """Fit the tails on some of the series, as many of them searched as are searched of all."""
        step = -(-min(self.most_series, panel.n_series) // self.tail_series)
        some = panel.take(np.sort(by_money(panel)[::step]))
        like_all = replace(self, most_series=-(-self.most_series // step))
        backs = past_cutoffs(panel, self.minimum_days)
        told = iter(range(len(backs)))

        def foretell(then: Panel) -> Doubles:
            on_progress(next(told) / len(backs), f"{self.name}: as known on {then.cutoff.astype(object):%-d %b %Y}")
            sums: Doubles = like_all.daily_mean(then, SUM_DAYS).sum(axis=1, dtype=np.float64)
            return sums

        return fit_on_past_cutoffs(some, foretell, backs)

    def predict(self, grid: Grid, panel: Panel | None = None) -> Forecast:
        """Forecast from `panel`, with the fitted tails, and say for how many series the model itself answers."""
        forecast = super().predict(grid, panel)
        if forecast.n_series <= self.most_series:
            return forecast
        said = (
            f"{self.name} answers for the {self.most_series} series with the most money of {forecast.n_series}, "
            f"{Theta.name} for the others."
        )
        return replace(forecast, notes=(said,))


def _found(answer: Answer, own: Doubles, days: int) -> Doubles | None:
    """Return the means [days], or None where no form of the model fits the series."""
    try:
        with np.errstate(all="ignore"):
            means = np.maximum(answer(own, days), 0.0)
    except Exception:  # it says that nothing fits by bare exceptions, and by those of the libraries beneath it
        return None
    is_sane = np.isfinite(means).all() and means.max(initial=0.0) <= FARTHEST * own.max()
    return means if is_sane else None


@dataclass(eq=False)
class ETS(OneByOne):
    """Exponential smoothing in state space (Hyndman and others, 2008), its form chosen by AICc; a season of a week.

    form  error, trend and season as statsforecast writes them: Z for whichever fits best, N for none. No trend unless
          told: of one year of daily sales it finds one at every peak, is less accurate for it, and takes six times as
          long
    """

    name: ClassVar[str] = "ets"
    complexity: ClassVar[int] = 4
    tail_series: ClassVar[int] = 100

    most_series: int = 1000
    most_days: int = 52 * WEEK
    form: str = "ZNZ"

    def answer(self) -> Answer:
        """Return statsforecast's search."""
        from statsforecast.models import AutoETS

        return _told(AutoETS(season_length=WEEK, model=self.form))


@dataclass(eq=False)
class ARIMA(OneByOne):
    """ARIMA with a season of a week and no drift, its order chosen by AICc (Hyndman and Khandakar, 2008).

    most_terms, most_seasonal_terms  p and q, and P and Q, are at most these, which keeps a search under half a second
    """

    name: ClassVar[str] = "arima"
    complexity: ClassVar[int] = 7
    tail_series: ClassVar[int] = 12

    most_series: int = 100
    most_days: int = 52 * WEEK
    most_terms: int = 2
    most_seasonal_terms: int = 1

    def answer(self) -> Answer:
        """Return statsforecast's search, its steps by conditional sums of squares."""
        from statsforecast.models import AutoARIMA

        return _told(
            AutoARIMA(
                season_length=WEEK,
                max_p=self.most_terms,
                max_q=self.most_terms,
                max_P=self.most_seasonal_terms,
                max_Q=self.most_seasonal_terms,
                start_p=1,
                start_q=1,
                start_P=0,
                start_Q=0,
                allowdrift=False,
                approximation=True,
            )
        )


def _told(model: Any) -> Answer:
    warnings.filterwarnings("ignore", "possible convergence problem", UserWarning)  # of each order on the way

    def answer(own: Doubles, days: int) -> Doubles:
        means: Doubles = model.forecast(own, days)["mean"]
        return means

    return answer
