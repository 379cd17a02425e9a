"""What a night saves of whole kinds of item and of the shop, beside the forecasts of their items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.aggregates import USUAL_UNSURE, aggregate
from apps.forecasting.engine.base import Forecast, Panel
from apps.forecasting.engine.distribution import negative_binomial_quantiles
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.totals import added_up
from apps.forecasting.models import Backtest, KindForecast

PAST_WEEKS = 26
SUMMED_DAYS = 4 * WEEK
BAND = (0.1, 0.9)
Level = KindForecast.Level


def of_level(categories: NDArray[np.str_], level: int) -> NDArray[np.str_]:
    """The kind that each path of categories belongs to on a level."""
    if level == Level.CATEGORY or not len(categories):
        return categories
    return np.char.partition(categories, " > ")[:, 0] if level == Level.DEPARTMENT else np.full_like(categories, "")


def rows(forecast: Forecast, panel: Panel, unsure: Mapping[int, float]) -> list[KindForecast]:
    """All kinds of all levels, not yet saved.

    forecast, panel  of the same series, in the same order
    unsure           by level, as the last contest found it; see `engine.aggregates`
    """
    if not panel.n_series:
        return []
    categories = panel.labels(frames.CATEGORY)
    prices = panel.static[frames.PRICE].to_numpy(dtype=np.float64)
    items = np.char.partition(panel.ids, "/")[:, 0]
    sums = forecast.sum_mean(SUMMED_DAYS)
    priced = np.stack([np.where(np.isnan(prices), 0.0, sums * np.nan_to_num(prices)), ~np.isnan(prices)], axis=1)
    sold = weekly(panel.recorded[:, panel.n_days % WEEK :][:, -PAST_WEEKS * WEEK :])
    found = []
    for level in Level:
        names, members = np.unique(of_level(categories, level), return_inverse=True)
        whole = aggregate(forecast, members, names, unsure.get(level, USUAL_UNSURE))
        means = weekly(whole.daily_mean[:, : forecast.grid.horizon_days // WEEK * WEEK])
        low, high = np.moveaxis(negative_binomial_quantiles(means, whole.variance_of(means), BAND), -1, 0)
        total = whole.sum_mean(SUMMED_DAYS)
        total_low, total_high = negative_binomial_quantiles(total, whole.variance_of(total), BAND).T
        past, (money, has_price) = added_up(sold, members), added_up(priced, members).T
        count = pd.Series(items).groupby(members).nunique().to_numpy()
        found += [KindForecast(
            level=level, name=str(name), items=int(count[place]), past=past[place].tolist(),
            mean=means[place].tolist(), low=low[place].tolist(), high=high[place].tolist(), units=float(total[place]),
            units_low=float(total_low[place]), units_high=float(total_high[place]),
            money=float(money[place]) if has_price[place] else None) for place, name in enumerate(names)]
    return found


def weekly(daily: NDArray[Any]) -> NDArray[np.float64]:
    """Days [n, 7 w] added up to weeks [n, w]."""
    weeks: NDArray[np.float64] = daily.reshape(len(daily), -1, WEEK).sum(axis=2, dtype=np.float64)
    return weeks


def unsure_of(contest: Backtest | None, model: str) -> dict[int, float]:
    """What a contest says of each level, where it was this model that was in use after it."""
    report = contest.report if contest and contest.champion == model else {}
    return {row["level"]: row["unsure"] for row in report.get("levels", ())}
