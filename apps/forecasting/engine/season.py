"""The season of the year, as all series together show it: how much more or less than usual a week of the year sells.

A shop's second December is known from its first long before any one item's is. So the season is read from everything
together, week by week of a year of 52, and only as far as it has foretold the past: where a year of it did not help to
say how the shop would do in the next weeks, it counts for little, and where nothing is left of it, for nothing.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

YEAR: Final = 52
NEEDED_WEEKS: Final = YEAR + 13
"""Weeks below which there is no season: a year to read it from, and a quarter in which it could be tried."""
USUAL_WEEKS: Final = 8
"""What lies ahead is compared with the mean of so many weeks."""
AHEAD: Final = 4
PRIOR_YEARS: Final = 0.5
"""Years without a season that are mixed into the years that were seen."""
SMOOTH: Final = (0.25, 0.5, 0.25)
"""How a week of the year borrows from its neighbours: feasts move, and one week of one year is noise."""
BELIEVED: Final = 0.5
BELIEF: Final = 0.02
"""Before it was tried, half of the season is believed, as firmly as a trial on swings of 14 % would make it (their
squares)."""


def yearly_season(rate: Floats, exposure: Floats, ahead: int) -> Floats:
    """Return how many times its usual each week sells, for weeks known and `ahead` ones [J + ahead], 1 where unknown.

    rate, exposure  [n, J] units per wholly available week, and the share of the week that was

    What all sell in a week is compared with what the same series, as far as they were available then, sell on average:
    what comes on sale or runs out moves nothing. The trend (a year's centred mean) is taken out.
    """
    weeks = rate.shape[1]
    flat = np.ones(weeks + ahead, dtype=np.float32)
    if weeks < NEEDED_WEEKS:
        return flat
    usual = (rate * exposure).sum(axis=1, dtype=np.float64) / np.maximum(exposure.sum(axis=1, dtype=np.float64), 1e-9)
    expected = usual @ exposure
    if not (expected > 0).all():
        return flat
    logs = np.log(np.maximum((rate * exposure).sum(axis=0, dtype=np.float64) / expected, 1e-2))
    cycle = _believed(logs) * _cycle(logs)
    season: Floats = np.exp(cycle[np.arange(weeks + ahead) % YEAR]).astype(np.float32)
    return season


def _cycle(logs: Doubles) -> Doubles:
    """Return the season's logs [YEAR], mean 0, of weeks 0, 1, ... of every year, from logs [J] of at least a year."""
    yearly = np.convolve(logs, np.full(YEAR, 1 / YEAR), mode="valid")
    trend = np.interp(np.arange(len(logs)), np.arange(len(yearly)) + (YEAR - 1) / 2, yearly)
    week = np.arange(len(logs)) % YEAR
    seen = np.bincount(week, minlength=YEAR)
    mean = np.bincount(week, logs - trend, minlength=YEAR) / (seen + PRIOR_YEARS)
    smooth = sum(share * np.roll(mean, step) for share, step in zip(SMOOTH, (-1, 0, 1), strict=True))
    return np.asarray(smooth - np.mean(smooth))


def _believed(logs: Doubles) -> float:
    """Return how much of the season is believed, 0 to 1: by how far it foretold each of the past weeks' next AHEAD.

    The slope of what came on what the season said, drawn towards BELIEVED. Trials overlap: AHEAD of them count as one.
    """
    said, came = [], []
    for cutoff in range(YEAR, len(logs) - AHEAD + 1):
        cycle = _cycle(logs[:cutoff])
        usual, coming = np.arange(cutoff - USUAL_WEEKS, cutoff), np.arange(cutoff, cutoff + AHEAD)
        said.append(cycle[coming % YEAR].mean() - cycle[usual % YEAR].mean())
        came.append(logs[coming].mean() - logs[usual].mean())
    swings, answers = np.array(said), np.array(came)
    slope = ((swings @ answers) / AHEAD + BELIEF * BELIEVED) / ((swings @ swings) / AHEAD + BELIEF)
    return float(np.clip(slope, 0.0, 1.0))
