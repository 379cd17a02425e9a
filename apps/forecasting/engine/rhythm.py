"""How sales spread over the days of the week."""

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.calendar import weekdays
from apps.forecasting.engine.grid import WEEK

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

PROFILE_WEEKS = 8
PROFILE_UNITS = 200.0
"""Units by weekday at which a group's own profile counts as much as everyone's."""


def weekday_profile(panel: Panel, weeks: int = PROFILE_WEEKS) -> Floats:
    """Return how all series together sell by weekday, [7] Monday first, mean 1; flat under two weeks of history."""
    everyone = np.zeros(panel.n_series, dtype=np.int64)
    profile: Floats = _profiles(panel, everyone, 1, weeks)[0]
    return profile


def weekday_shares(panel: Panel, label: str, weeks: int = PROFILE_WEEKS) -> Floats:
    """Return each series' weekday profile [n, 7]: its group's by the static `label`, drawn towards everyone's."""
    groups = np.unique(panel.labels(label), return_inverse=True)[1]
    shares: Floats = _profiles(panel, groups, int(groups.max(initial=0)) + 1, weeks)[groups]
    return shares


def _profiles(panel: Panel, groups: NDArray[np.int64], n_groups: int, weeks: int) -> Floats:
    """Return units by weekday over the last weeks for each group, mean 1 [groups, 7]."""
    whole_weeks = min(weeks, panel.n_days // WEEK)
    if whole_weeks < 2:
        return np.ones((n_groups, WEEK), dtype=np.float32)
    days = slice(panel.n_days - whole_weeks * WEEK, panel.n_days)
    order = np.argsort(weekdays(panel.dates[days][:WEEK]), kind="stable")
    by_weekday = (panel.n_series, whole_weeks, WEEK)
    sales = panel.sales[:, days].reshape(by_weekday).sum(axis=1, dtype=np.float64)[:, order]
    exposure = panel.available[:, days].reshape(by_weekday).sum(axis=1, dtype=np.float64)[:, order]
    units, known = np.zeros((n_groups, WEEK)), np.zeros((n_groups, WEEK))
    np.add.at(units, groups, sales)
    np.add.at(known, groups, exposure)
    everyone = _relative(units.sum(axis=0, keepdims=True) / np.maximum(known.sum(axis=0, keepdims=True), 1e-9))
    typical = units.sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1e-9)
    prior = np.where(typical > 0, PROFILE_UNITS / np.maximum(typical, 1e-9), 1.0)
    rate = (units + PROFILE_UNITS * everyone * (typical > 0)) / (known + prior)
    profiles: Floats = np.where(typical > 0, _relative(rate), everyone).astype(np.float32)
    return profiles


def _relative(rates: Doubles) -> Doubles:
    """Return rows scaled to a mean of 1; rows of nothing become flat."""
    centre = rates.mean(axis=1, keepdims=True)
    relative: Doubles = np.divide(rates, centre, out=np.ones_like(rates), where=centre > 0)
    return relative
