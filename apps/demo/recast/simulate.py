"""The simulated stock of a shop: recorded sales are demand, what stock cannot serve is lost."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


class NotAStock(ValueError):
    """Stock, arrivals and demand are counts: whole and never below zero."""


@dataclass(frozen=True, kw_only=True)
class StockDays:
    """What became of the stock: arrays of one shape, items [n] for a day, items by days [n, T] for several."""

    closing: NDArray[np.int64]
    served: NDArray[np.int64]
    lost: NDArray[np.int64]


def _counts(name: str, values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    counts = array.astype(np.int64)
    if (counts != array).any() or (counts < 0).any():
        raise NotAStock(f"{name} must be whole numbers of zero or more")
    return counts


def serve_day(opening: ArrayLike, arrivals: ArrayLike, demand: ArrayLike) -> StockDays:
    """Serve one day's demand of n items.

    Arrivals come before the shop opens, so they serve the same day. Demand that finds no stock is lost, never
    owed: served = min(demand, opening + arrivals), and closing = opening + arrivals - served is never below zero.

    Args:
        opening: units on hand at the start of the day, [n].
        arrivals: units received that morning, [n].
        demand: units asked for, [n].

    Raises:
        NotAStock: a value is negative or no whole number.
    """
    available = _counts("opening stock", opening) + _counts("arrivals", arrivals)
    wanted = _counts("demand", demand)
    served = np.minimum(wanted, available)
    return StockDays(closing=available - served, served=served, lost=wanted - served)


def serve_days(opening: ArrayLike, arrivals: ArrayLike, demand: ArrayLike) -> StockDays:
    """Serve T days in turn; each day opens with what the one before left.

    Args:
        opening: units on hand at the start of the first day, [n].
        arrivals: units received in the morning of each day, [n, T].
        demand: units asked for on each day, [n, T].

    Raises:
        NotAStock: a value is negative or no whole number.
    """
    received, wanted = _counts("arrivals", arrivals), _counts("demand", demand)
    on_hand = _counts("opening stock", opening)
    closing = np.empty_like(wanted)
    served = np.empty_like(wanted)
    for day in range(wanted.shape[1]):
        available = on_hand + received[:, day]
        served[:, day] = np.minimum(wanted[:, day], available)
        on_hand = available - served[:, day]
        closing[:, day] = on_hand
    return StockDays(closing=closing, served=served, lost=wanted - served)
