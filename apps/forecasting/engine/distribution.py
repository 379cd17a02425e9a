"""The negative binomial by mean and variance: quantiles, distribution function, scores, likelihood, all vectorised."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]

LARGEST_SIZE = 1e7
"""At this size the negative binomial is a Poisson for every purpose here."""
RECURSION_BELOW = 30.0
"""Means above this are left to SciPy: the recursion would take a step for every unit."""
NODES, NODE_STEP = 64, 0.2
"""Of the mean difference's integral: twice as many nodes change the ninth digit."""
BLOCK = 4096
"""Rows of the integral at a time: two megabytes."""


def _size(mean: Doubles, variance: Doubles) -> Doubles:
    """Return the size r for which the variance is mean + mean^2 / r."""
    extra = np.maximum(variance - mean, 0.0)
    return np.minimum(mean**2 / np.maximum(extra, mean**2 / LARGEST_SIZE + 1e-300), LARGEST_SIZE)


def negative_binomial_quantiles(mean: ArrayLike, variance: ArrayLike, levels: Sequence[float]) -> NDArray[np.int32]:
    """Return the smallest k with P(Y <= k) >= level, shape [*mean.shape, Q].

    mean, variance  same shape; a variance below the mean counts as the mean (Poisson), a mean of 0 gives 0.
    levels          each above 0 and below 1 (ValueError otherwise).
    """
    wanted = np.asarray(levels, dtype=np.float64)
    if ((wanted <= 0) | (wanted >= 1)).any():
        raise ValueError("Quantile levels lie above 0 and below 1.")
    centre = np.asarray(mean, dtype=np.float64)
    spread = np.broadcast_to(np.asarray(variance, dtype=np.float64), centre.shape)
    shape = (*centre.shape, len(wanted))
    centre, spread = centre.reshape(-1), spread.reshape(-1)
    result = np.zeros((len(centre), len(wanted)), dtype=np.int32)

    large = np.flatnonzero(centre > RECURSION_BELOW)
    if len(large):
        from scipy.stats import nbinom

        size = _size(centre[large], spread[large])[:, None]
        found = nbinom.ppf(wanted[None, :], size, size / (size + centre[large][:, None]))
        result[large] = np.minimum(found, np.iinfo(np.int32).max)

    active = np.flatnonzero((centre > 0) & (centre <= RECURSION_BELOW))
    size = _size(centre[active], spread[active])
    odds = centre[active] / (centre[active] + size)
    mass = np.exp(size * np.log1p(-odds))
    below = mass.copy()
    units = 0
    while len(active):
        short = below[:, None] < wanted[None, :]
        result[active] += short
        going = short.any(axis=1) & (mass > 0)
        active, size, odds, mass, below = active[going], size[going], odds[going], mass[going], below[going]
        mass = mass * odds * (size + units) / (units + 1)
        below = below + mass
        units += 1
    return result.reshape(shape)


def negative_binomial_below(units: ArrayLike, mean: ArrayLike, variance: ArrayLike) -> Doubles:
    """Return P(Y <= units), broadcast; 0 for negative units, and a mean of 0 is certain to give 0."""
    from scipy.special import betainc

    count, centre = np.asarray(units, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    size = _size(np.maximum(centre, 1e-12), np.maximum(np.asarray(variance, dtype=np.float64), 0.0))
    share = betainc(size, np.maximum(np.floor(count), 0.0) + 1.0, size / (size + np.maximum(centre, 1e-12)))
    return np.where(count < 0, 0.0, share)


def negative_binomial_crps(actual: ArrayLike, mean: ArrayLike, variance: ArrayLike) -> Doubles:
    """Return the continuous ranked probability score of each forecast against `actual`, all [n]; in units.

    The sum over all whole k of (P(Y <= k) - [k >= actual])^2, in the form of Gneiting and Raftery (2007), "Strictly
    proper scoring rules": E|Y - actual| - E|Y - Y'| / 2, the first from the distribution functions of Y and of its
    size-biased twin, which has one more in size.
    """
    from scipy.special import betainc

    units, centre = np.asarray(actual, dtype=np.float64), np.maximum(np.asarray(mean, dtype=np.float64), 1e-12)
    size = _size(centre, np.asarray(variance, dtype=np.float64))
    share = size / (size + centre)
    whole = np.floor(units)
    upto = betainc(size, whole + 1.0, share)
    twin = np.where(whole < 1, 0.0, betainc(size + 1.0, np.maximum(whole, 1.0), share))
    distance = units * (2.0 * upto - 1.0) + centre * (1.0 - 2.0 * twin)
    half = np.empty_like(centre)
    for start in range(0, len(half), BLOCK):
        block = slice(start, start + BLOCK)
        half[block] = 0.5 * _mean_difference(centre[block], size[block])
    return np.maximum(distance - half, 0.0)


def _mean_difference(mean: Doubles, size: Doubles) -> Doubles:
    """Return E|Y - Y'| of two independent draws [n].

    From the characteristic function, with c = mean / size * (1 + mean / size) and w the tangent of half its argument:

        E|Y - Y'| = 8 c size / pi * integral over w from 0 on of (1 + 4 c w^2 / (1 + w^2))^(-size - 1) / (1 + w^2)^2

    SciPy's hypergeometric function, which is this integral, fails for large sizes. With w = scale * sinh(x) the
    integrand is smooth and falls at both ends of the whole line, so equal steps of x converge exponentially.
    """
    odds = mean / size * (1.0 + mean / size)
    scale = 1.0 / np.sqrt(1.0 + 4.0 * odds * (size + 1.0))
    nodes = NODE_STEP * np.arange(NODES)
    squared = (scale[:, None] * np.sinh(nodes)) ** 2
    decay = np.log1p(4.0 * odds[:, None] * squared / (1.0 + squared))
    values = np.exp(-(size[:, None] + 1.0) * decay) / (1.0 + squared) ** 2
    weight = NODE_STEP * np.cosh(nodes)
    weight[0] /= 2.0
    integral: Doubles = 8.0 * odds * size / np.pi * scale * (values @ weight)
    return integral


def negative_binomial_log_likelihood(units: ArrayLike, mean: ArrayLike, variance: ArrayLike) -> Doubles:
    """Return the log of P(Y = units), broadcast, without the term that depends on `units` alone.

    Units need not be whole (a day of partial availability scaled up): the gamma function stands for the factorial.
    """
    from scipy.special import gammaln

    count = np.asarray(units, dtype=np.float64)
    centre = np.maximum(np.asarray(mean, dtype=np.float64), 1e-12)
    size = _size(centre, np.asarray(variance, dtype=np.float64))
    return (
        gammaln(count + size)
        - gammaln(size)
        + size * np.log(size / (size + centre))
        + count * np.log(centre / (size + centre))
    )
