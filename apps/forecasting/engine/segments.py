"""How a judge sorts what it scores: series by money and steadiness, days by promotions that were known ahead."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.grid import WEEK

Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]

ABC_SHARES: Final = (0.8, 0.95)
"""Class A makes up the first 80 % of money, B the next 15 %, C the rest."""
XYZ_BOUNDS: Final = (0.5, 1.0)
"""Class X varies, week by week, by less than half its mean, Y by less than the whole of it, Z by more."""
MONEY_WEEKS: Final = 26
STEADY_WEEKS: Final = 13
GAP_FROM: Final = 1.32
"""Weeks from one sale to the next, on average, from which sales have gaps."""
UNLIKE_FROM: Final = 0.49
"""Squared variation of weeks with sales from which they are unlike each other."""
TOLD_WEEKS: Final = 8
YOUNG: Final = "young"


def money(known: Panel) -> Doubles:
    """Return the money that each series brought in its last 26 weeks [n], at its static price."""
    recent: Doubles = known.sales[:, -MONEY_WEEKS * WEEK :].sum(axis=1, dtype=np.float64)
    return recent * known.prices().astype(np.float64)


def abc_classes(money: Doubles) -> NDArray[np.str_]:
    """Return A, B or C for each series [n] by its share of money, the largest first."""
    order = np.argsort(-money, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(money[order])[:-1]]) / max(float(money.sum()), 1e-12)
    classes = np.empty(len(money), dtype="<U1")
    classes[order] = np.where(before < ABC_SHARES[0], "A", np.where(before < ABC_SHARES[1], "B", "C"))
    return classes


def xyz_classes(known: Panel) -> NDArray[np.str_]:
    """Return X, Y or Z for each series [n]: how much its last 13 weeks varied, standard deviation over mean.

    What sold nothing in them is no steady seller: it is Z, as everything is in a panel of less than a week.
    """
    weeks = min(STEADY_WEEKS, known.n_days // WEEK)
    recent = known.sales[:, known.n_days - weeks * WEEK :].reshape(known.n_series, weeks, WEEK)
    sums = recent.sum(axis=2, dtype=np.float64)
    total = sums.sum(axis=1)
    varied = np.full(known.n_series, np.inf)
    if weeks:
        np.divide(weeks * sums.std(axis=1), total, out=varied, where=total > 0)
    return np.where(varied < XYZ_BOUNDS[0], "X", np.where(varied < XYZ_BOUNDS[1], "Y", "Z"))


def demand_classes(known: Panel) -> NDArray[np.str_]:
    """Return how each series sells [n]: smooth, erratic, intermittent or lumpy, by its last 26 weeks.

    The classes and their bounds of Syntetos, Boylan and Croston (2005), "On the categorization of demand patterns",
    Journal of the Operational Research Society 56. What was on sale for less than eight weeks, or sold nothing, is
    YOUNG.
    """
    weeks = min(MONEY_WEEKS, known.n_days // WEEK)
    days = slice(known.n_days - weeks * WEEK, known.n_days)
    sold = known.sales[:, days].reshape(known.n_series, weeks, WEEK).sum(axis=2, dtype=np.float64)
    began = np.where(known.available.any(axis=1), (known.available > 0).argmax(axis=1), known.n_days)
    told = np.clip(-(-(known.n_days - began) // WEEK), 0, weeks)
    busy = (sold > 0).sum(axis=1)
    mean = sold.sum(axis=1) / np.maximum(busy, 1)
    squares = np.where(sold > 0, (sold - mean[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(busy, 1)
    has_gaps = told / np.maximum(busy, 1) >= GAP_FROM
    is_unlike = squares >= UNLIKE_FROM * np.maximum(mean, 1e-9) ** 2
    steady, gappy = np.where(is_unlike, "erratic", "smooth"), np.where(is_unlike, "lumpy", "intermittent")
    return np.where((told >= TOLD_WEEKS) & (busy > 0), np.where(has_gaps, gappy, steady), YOUNG)


def promotions(panel: Panel) -> list[str]:
    """Return the covariates known ahead that tell of promotions: no value that holds, and nothing that is the rule.

    What stands on most days of most series, a temperature or a price, sets no day apart from the others.
    """
    told = [name for name in sorted(panel.known_ahead) if name in panel.covariates and name not in frames.HELD]
    return [name for name in told if 2 * np.count_nonzero(panel.covariates[name]) < panel.covariates[name].size]


def promoted_days(panel: Panel, days: slice) -> Bools:
    """Return on which of some days, by position, each series had a promotion that was known ahead [n, days]."""
    promoted = np.zeros(panel.available[:, days].shape, dtype=np.bool_)
    for name in promotions(panel):
        promoted |= panel.covariates[name][:, days] != 0
    return promoted
