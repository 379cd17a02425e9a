"""Seconds of a markdown plan over generated items, on one core: pinned there, however many the machine has."""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import pandas as pd

from apps.optimization.engine.demand import ArrayDemand, IndependentDemand
from apps.optimization.engine.markdown import Rules, plan


def stock(n: int, days: int, seed: int) -> tuple[pd.DataFrame, ArrayDemand]:
    """Too much of everything: half of the items end within the horizon, the others hold a third of a year and more."""
    stream = np.random.default_rng(seed)
    daily = stream.gamma(1, 0.5, n) + 0.02
    price = stream.uniform(1, 30, n).round(2)
    ends = stream.random(n) < 0.5
    items = pd.DataFrame({
        "unique_id": [f"item-{row}" for row in range(n)],
        "on_hand": (daily * np.where(ends, days, stream.uniform(130, 400, n)) * 1.5).astype(int) + 2,
        "price": price, "unit_cost": price * 0.6, "holding_cost_rate": 0.25, "lowest_price": price * 0.8,
        "elasticity": stream.normal(-1.5, 0.5, n), "elasticity_sd": 0.5,
        "sell_by_day": np.where(ends, stream.integers(20, days, n), np.nan)})
    drawn = IndependentDemand(np.repeat(daily[:, None], days, axis=1), n_paths=64, seed=seed)
    return items, ArrayDemand(drawn.paths(np.arange(n), days))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=5_000)
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rules = Rules()
    items, demand = stock(given.items, rules.horizon_days, 1)
    started = time.perf_counter()
    found = plan(items, demand, rules)
    seconds = time.perf_counter() - started
    print(f"{given.items:,} items, {rules.horizon_days} days in steps of {rules.cadence_days}: {seconds:.1f} s")
    print(", ".join(f"{name.replace('_', ' ')} {value:,.0f}" for name, value in found.summary.items()))
    counts = found.table.groupby("reason")["is_proposed"].agg(["size", "sum"])
    print(counts.rename(columns={"size": "candidates", "sum": "proposed"}).to_string())


if __name__ == "__main__":
    main()
