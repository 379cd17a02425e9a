"""Small made-up shops: items frames, demand paths, and hypothesis strategies over both; weeks of sales at prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from numpy.typing import NDArray

from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.frames import Limits

PROMOTED, DIP = 0.8, -0.5
"""What a mailer adds to the logarithm of demand, and the week after it takes off."""
TERMS: dict[str, Any] = {
    "supplier_id": "acme",
    "on_hand": 0,
    "unit_cost": 5.0,
    "price": 7.0,
    "holding_cost_rate": 0.25,
    "shortage_cost": 2.0,
    "lead_time_days": 3.0,
    "lead_time_spread_days": 0.0,
    "review_period_days": 7,
    "moq": 1,
    "pack_size": 1,
}


def items_frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([{"unique_id": f"item-{number}", **TERMS, **row} for number, row in enumerate(rows)])


def arrivals_frame(*rows: tuple[str, int, int]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["unique_id", "day", "quantity"])


def steady(per_day: Sequence[int], days: int = 28, paths: int = 4) -> ArrayDemand:
    """Each item sells the same units every day, on every path."""
    daily = np.array(per_day, dtype=np.int64)
    return ArrayDemand(np.broadcast_to(daily[:, None, None], (len(daily), paths, days)).copy())


def poisson(per_day: Sequence[float], days: int = 28, paths: int = 60, seed: int = 0) -> ArrayDemand:
    mean = np.array(per_day)[:, None, None]
    return ArrayDemand(np.random.default_rng(seed).poisson(np.broadcast_to(mean, (len(per_day), paths, days))))


def order_of(plan_lines: pd.DataFrame) -> NDArray[np.int64]:
    return plan_lines["order_quantity"].to_numpy(dtype=np.int64)


item_rows = st.fixed_dictionaries(
    {
        "supplier_id": st.sampled_from(["acme", "bolt"]),
        "on_hand": st.integers(-3, 30),
        "unit_cost": st.sampled_from([0.0, 0.37, 1.0, 2.5, 9.99]),
        "shortage_cost": st.sampled_from([0.0, 0.2, 1.0, 4.0]),
        "holding_cost_rate": st.sampled_from([0.0, 0.25, 2.0]),
        "lead_time_days": st.sampled_from([0.0, 1.0, 4.5, 9.0]),
        "lead_time_spread_days": st.sampled_from([0.0, 0.2, 2.0]),
        "review_period_days": st.sampled_from([1, 3, 7]),
        "moq": st.sampled_from([0, 1, 5, 40]),
        "pack_size": st.sampled_from([1, 2, 6]),
        "max_order_quantity": st.sampled_from([np.nan, 0.0, 12.0, 100.0]),
    }
)


@st.composite
def shops(draw: st.DrawFn, largest: int = 6) -> tuple[pd.DataFrame, pd.DataFrame, ArrayDemand, Limits]:
    """Items of two suppliers with arrivals, a few demand paths and limits that may or may not bind."""
    rows = draw(st.lists(item_rows, min_size=1, max_size=largest))
    items = items_frame(*rows)
    arrival = st.tuples(st.sampled_from(list(items["unique_id"])), st.integers(-1, 15), st.integers(0, 20))
    arriving = draw(st.lists(arrival, max_size=4))
    pace = draw(st.lists(st.sampled_from([0.0, 0.1, 0.8, 3.0]), min_size=len(rows), max_size=len(rows)))
    demand = poisson(pace, days=28, paths=12, seed=draw(st.integers(0, 99)))
    limits = Limits(
        cash_budget=draw(st.none() | st.sampled_from([0.0, 5.0, 40.0, 150.0])),
        supplier_minimums=draw(
            st.dictionaries(st.sampled_from(["acme", "bolt"]), st.sampled_from([0.0, 10.0, 60.0, 500.0]), max_size=2)
        ),
    )
    return items, arrivals_frame(*arriving), demand, limits


@dataclass(frozen=True)
class PricedShop:
    weeks: pd.DataFrame
    static: pd.DataFrame
    truth: NDArray[np.float64]
    """Each item's elasticity."""


def priced_shop(
    seed: int, n: int = 120, horizon: int = 60, groups: int = 8, *, clumping: float = 0.0, spread: float = 0.4,
    lingers: float = 0.0,
) -> PricedShop:
    """Few units a week; cuts that are often advertised, a dip in the week after, and quiet cuts. `lingers` is how often
    the cut goes on without the mailer."""
    stream = np.random.default_rng(seed)
    category = stream.integers(0, groups, n)
    truth = (-1.5 + 0.5 * stream.standard_normal(groups))[category] + spread * stream.standard_normal(n)
    mailer = (stream.random((n, horizon)) < 0.08).astype(float)
    after = np.pad(mailer, ((0, 0), (1, 0)))[:, :horizon]
    quiet = (stream.random((n, horizon)) < 0.06 + lingers * after) & (mailer == 0)
    cut = np.where((mailer > 0) | quiet, stream.uniform(0.1, 0.35, (n, horizon)), 0.0)
    log_mean = np.log(stream.gamma(1, 6, n) + 0.2)[:, None] + 0.15 * stream.standard_normal(horizon)
    mean = np.exp(log_mean + truth[:, None] * np.log(1 - cut) + PROMOTED * mailer + DIP * after)
    if clumping:
        mean = mean * stream.gamma(1 / clumping, clumping, mean.shape)
    ids = np.array([f"item-{row}" for row in range(n)], dtype=object)
    weeks = pd.DataFrame({
        "unique_id": np.repeat(ids, horizon), "week": np.tile(np.arange(horizon), n),
        "units": stream.poisson(mean).ravel(), "price": (stream.uniform(2, 10, n)[:, None] * (1 - cut)).ravel(),
        "mailer": mailer.ravel()})
    return PricedShop(weeks, pd.DataFrame({"unique_id": ids, "category": category.astype(str)}), truth)
