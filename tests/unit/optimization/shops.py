"""Small made-up shops: items frames, demand paths, and hypothesis strategies over both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from numpy.typing import NDArray

from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.frames import Limits

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
