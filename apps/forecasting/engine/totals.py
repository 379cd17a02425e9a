"""Totals of groups of series, and forecasts of items drawn towards them.

A group's own history is smooth: its level, slope and weekday rhythm show where those of its items drown in noise, and a
bias that all items share adds up in it. So a group's total is foretold by Theta, with the season of the year beside it,
and its items' forecasts are scaled, day by day, part of the way to it; how the group divides among its items stays as
the items' own model says.
"""

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.features import daily_season
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.smoothing import theta_means

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

GROUP_SERIES = 30
"""A label divides the series into groups only where they keep so many series on average."""
FEWEST_WEEKS = 8
FURTHEST = 3.0
"""A forecast is never scaled by more than this, nor by less than one over it."""


def groups(panel: Panel) -> NDArray[np.int64]:
    """Return the group of each series [n]: as many of its labels, the coarsest first, as leave groups large enough."""
    found = np.zeros(panel.n_series, dtype=np.int64)
    labels = [column for column in panel.static.columns if column not in (frames.UNIQUE_ID, frames.PRICE)]
    numbered = [np.unique(panel.labels(column), return_inverse=True)[1] for column in sorted(labels)]
    for codes in sorted(numbered, key=lambda each: int(each.max(initial=0))):
        finer = np.unique(found * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)[1].astype(np.int64)
        if (int(finer.max(initial=0)) + 1) * GROUP_SERIES <= panel.n_series:
            found = finer
    return found


def added_up(values: Doubles | Floats, members: NDArray[np.int64]) -> Doubles:
    """Return the sums over the members of each group [groups, T]."""
    totals = np.zeros((int(members.max(initial=0)) + 1, values.shape[1]))
    np.add.at(totals, members, values)
    return totals


def drawn_to_totals(panel: Panel, daily: Floats, share: float) -> Floats:
    """Return daily means [n, days] scaled so that each group's total lies `share` of the way to Theta's total.
    """
    if not share or panel.n_days < FEWEST_WEEKS * WEEK or not daily.size:
        return daily
    members = groups(panel)
    past, ahead = daily_season(panel, daily.shape[1])
    usual = theta_means(added_up(panel.recovered().demand, members) / past, WEEK, daily.shape[1])
    foretold = np.maximum(usual, 0.0) * ahead
    own = added_up(daily, members)
    wanted = share * foretold + (1 - share) * own
    factor = np.clip(np.divide(wanted, own, out=np.ones_like(own), where=own > 0), 1 / FURTHEST, FURTHEST)
    drawn: Floats = (daily * factor[members]).astype(np.float32)
    return drawn
