"""Models that need no training to speak of: the bar that everything else has to clear."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import (
    Artifact,
    Forecast,
    Forecaster,
    Grid,
    NotFitted,
    OnProgress,
    Panel,
    read_json,
    silent,
    write_json,
)
from apps.forecasting.engine.calendar import weekdays
from apps.forecasting.engine.dispersion import SUM_DAYS, Dispersion, fit_on_past_cutoffs, past_cutoffs
from apps.forecasting.engine.features import Weeks, decayed_mean
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.rhythm import PROFILE_WEEKS, weekday_profile

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def daily_rates(panel: Panel) -> Floats:
    """Return units per wholly available day [n, T]; 0 where the day is unknown."""
    known = panel.available > 0
    rates: Floats = np.divide(panel.sales, panel.available, out=np.zeros_like(panel.sales), where=known)
    return rates


def mean_rate(panel: Panel, days: int) -> Doubles:
    """Return units per wholly available day over the last `days` days [n]; the whole past where those are unknown."""
    recent = slice(max(0, panel.n_days - days), panel.n_days)
    units = panel.sales[:, recent].sum(axis=1, dtype=np.float64)
    exposure = panel.available[:, recent].sum(axis=1, dtype=np.float64)
    if recent.start and (exposure == 0).any():
        ever_units = panel.sales.sum(axis=1, dtype=np.float64)
        ever_exposure = panel.available.sum(axis=1, dtype=np.float64)
        units = np.where(exposure > 0, units, ever_units)
        exposure = np.where(exposure > 0, exposure, ever_exposure)
    rate: Doubles = np.divide(units, exposure, out=np.zeros_like(units), where=exposure > 0)
    return rate


@dataclass(eq=False)
class Baseline(Forecaster):
    """A point forecast by a closed rule, with tails fitted on that rule's own past errors."""

    family: ClassVar[str] = "baseline"
    dispersion_: Dispersion | None = field(default=None, init=False, repr=False)
    panel_: Panel | None = field(default=None, init=False, repr=False)

    @abstractmethod
    def daily_mean(self, panel: Panel, days: int) -> Floats:
        """Return the mean of each of the `days` days after the panel's cutoff [n, days]."""

    def fit(self, panel: Panel, on_progress: OnProgress = silent) -> Self:
        """Fit the tails on forecasts made at up to six earlier cutoffs, two weeks apart."""
        self.require_history(panel)
        self.dispersion_ = self.tails(panel, on_progress)
        self.panel_ = panel
        on_progress(1.0, f"{self.name}: fitted on {panel.n_series} series")
        return self

    def tails(self, panel: Panel, on_progress: OnProgress) -> Dispersion:
        """Return the tails that past forecasts of all series had."""

        def foretell(then: Panel) -> Doubles:
            sums: Doubles = self.daily_mean(then, SUM_DAYS).sum(axis=1, dtype=np.float64)
            return sums

        return fit_on_past_cutoffs(panel, foretell, past_cutoffs(panel, self.minimum_days))

    def predict(self, grid: Grid, panel: Panel | None = None) -> Forecast:
        """Forecast by the rule from `panel`, with the fitted tails."""
        panel = panel if panel is not None else self.panel_
        if panel is None or self.dispersion_ is None:
            raise NotFitted(f"{self.name} has not been fitted, or has no history to forecast from.")
        self.require_history(panel)
        daily = self.daily_mean(panel, max(grid.horizon_days, SUM_DAYS))
        return self.dispersion_.forecast(self.name, panel, grid, daily)

    def parameters(self) -> dict[str, Any]:
        """Return what the constructor stored."""
        return {stored.name: getattr(self, stored.name) for stored in fields(self) if stored.init}

    def to_artifact(self) -> Artifact:
        """Return one JSON file: the parameters and the fitted tails."""
        if self.dispersion_ is None:
            raise NotFitted(f"{self.name} has not been fitted.")
        return {
            "model.json": write_json(
                {"model": self.name, "parameters": self.parameters(), "dispersion": self.dispersion_.settings()}
            )
        }

    @classmethod
    def from_artifact(cls, files: Mapping[str, bytes]) -> Self:
        """Return the model that `to_artifact` saved."""
        settings = read_json(files, "model.json", cls.name)
        model = cls(**settings["parameters"])
        model.dispersion_ = Dispersion.from_settings(settings["dispersion"])
        return model


@dataclass(eq=False)
class SeasonalNaive(Baseline):
    """Next week is last week, weekday by weekday."""

    name: ClassVar[str] = "seasonal_naive"
    complexity: ClassVar[int] = 0

    def daily_mean(self, panel: Panel, days: int) -> Floats:
        """Repeat the last week; a day that was unknown counts as the mean of the last four weeks."""
        return _repeat_week(panel, 1, days)


@dataclass(eq=False)
class WeekdayMean(Baseline):
    """The mean of the same weekday over the last four weeks."""

    name: ClassVar[str] = "weekday_mean"
    complexity: ClassVar[int] = 1
    weeks: int = 4

    def daily_mean(self, panel: Panel, days: int) -> Floats:
        """Average each weekday over the last weeks, unknown days left out."""
        return _repeat_week(panel, self.weeks, days)


@dataclass(eq=False)
class WindowMean(Baseline):
    """The mean of the last eight weeks, spread over weekdays as all series together sell."""

    name: ClassVar[str] = "eight_week_mean"
    complexity: ClassVar[int] = 1
    weeks: int = 8

    def daily_mean(self, panel: Panel, days: int) -> Floats:
        """Spread one rate per series over the weekdays."""
        return spread_over_weekdays(panel, mean_rate(panel, self.weeks * WEEK), days)


@dataclass(eq=False)
class SeasonalMean(Baseline):
    """A mean of all weeks, each back counting for less, that rises and falls with the season of the year."""

    name: ClassVar[str] = "seasonal_mean"
    complexity: ClassVar[int] = 2
    half_life_weeks: float = 13.0

    def daily_mean(self, panel: Panel, days: int) -> Floats:
        """Spread one rate per series over the weekdays, week by week as the season has it."""
        weeks = Weeks.of(panel, -(-days // WEEK))
        if not weeks.n_weeks:
            return spread_over_weekdays(panel, mean_rate(panel, panel.n_days), days)
        rate = decayed_mean(weeks, weeks.n_weeks, self.half_life_weeks).astype(np.float64) / WEEK
        season = np.repeat(weeks.season[weeks.n_weeks :], WEEK)[:days]
        return spread_over_weekdays(panel, rate, days) * season


@dataclass(eq=False)
class Tsb(Baseline):
    """Teunter, Syntetos and Babai (2011): the chance of a sale and its size, each smoothed, multiplied.

    p_t = p_{t-1} + beta (1[y_t > 0] - p_{t-1}) every day; z_t = z_{t-1} + alpha (y_t - z_{t-1}) on days with a sale;
    the forecast is p * z. Both begin at their means over the first eight known weeks. Days of no availability change
    nothing.
    """

    name: ClassVar[str] = "tsb"
    complexity: ClassVar[int] = 2
    alpha: float = 0.1
    beta: float = 0.02

    def daily_mean(self, panel: Panel, days: int) -> Floats:
        """Smooth day by day over all series at once, then spread over the weekdays."""
        known = panel.available > 0
        rate = daily_rates(panel)
        sold = rate > 0
        early = known & (np.cumsum(known, axis=1) <= PROFILE_WEEKS * WEEK)
        n_known, n_sold = early.sum(axis=1), (early & sold).sum(axis=1)
        chance = (n_sold / np.maximum(n_known, 1)).astype(np.float32)
        size = np.where(n_sold, (rate * early).sum(axis=1) / np.maximum(n_sold, 1), 1.0).astype(np.float32)
        for day in range(panel.n_days):
            has_sale, units = sold[:, day], rate[:, day]
            chance += known[:, day] * np.float32(self.beta) * (has_sale - chance)
            size += has_sale * np.float32(self.alpha) * (units - size)
        return spread_over_weekdays(panel, chance.astype(np.float64) * size, days)


def spread_over_weekdays(panel: Panel, rate: Doubles, days: int) -> Floats:
    """Return [n, days]: each series' rate times the weekday profile of all."""
    profile = weekday_profile(panel)[weekdays(panel.future_days(days))]
    return (rate[:, None] * profile[None, :]).astype(np.float32)


def _repeat_week(panel: Panel, weeks: int, days: int) -> Floats:
    """Return [n, days]: the mean of the same weekday over the last `weeks` weeks."""
    reach = min(weeks * WEEK, panel.n_days)
    units = np.zeros((panel.n_series, weeks * WEEK), dtype=np.float64)
    exposure = np.zeros_like(units)
    units[:, weeks * WEEK - reach :] = panel.sales[:, panel.n_days - reach :]
    exposure[:, weeks * WEEK - reach :] = panel.available[:, panel.n_days - reach :]
    total = units.reshape(-1, weeks, WEEK).sum(axis=1)
    seen = exposure.reshape(-1, weeks, WEEK).sum(axis=1)
    fallback = np.broadcast_to(mean_rate(panel, 4 * WEEK)[:, None], total.shape)
    week = np.divide(total, seen, out=fallback.copy(), where=seen > 0)
    return np.tile(week, (1, -(-days // WEEK)))[:, :days].astype(np.float32)
