"""How well demand is recovered that an empty shelf hid: real sales, hidden by a policy that is let run dry.

DATA is a folder with `m5/sales_d1495_d1913.parquet`. The sales of one store are taken for what was asked for. Each item
is filled up every `review` days to `cover` times what such a stretch asks for on average, sells what it has, and what
it would have sold besides is hidden. Days sold out in part are told as sold out, days that begin without stock as
without stock. Bias is of all units asked for:

as sold         days without stock are taken for days without demand
days left out   the mean of the days with stock, those that sold out among them, stands for all
recovered       `apps/forecasting/engine/censoring.py`
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from apps.forecasting.engine.censoring import recover

POLICIES = ((7, 1.3), (7, 1.0), (7, 0.7), (14, 1.0))


def asked_for(folder: Path, store: str) -> np.ndarray:
    """What a store sold [n, T]."""
    sold = pd.read_parquet(folder / "m5" / "sales_d1495_d1913.parquet")
    return sold[sold["store_id"] == store].filter(like="d_", axis=1).filter(regex=r"^d_\d+$").to_numpy(np.float32)


def run_dry(demand: np.ndarray, review: int, cover: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is sold [n, T], which days begin without stock, and which end without it after a sale."""
    full = np.maximum(np.ceil(demand.mean(axis=1) * review * cover), 1)
    phase = np.random.default_rng(1).integers(0, review, len(demand))
    stock, sold = full.copy(), np.zeros_like(demand)
    empty, sold_out = np.zeros(demand.shape, dtype=bool), np.zeros(demand.shape, dtype=bool)
    for day in range(demand.shape[1]):
        stock = np.where((day + phase) % review == 0, full, stock)
        sold[:, day] = np.minimum(stock, demand[:, day])
        empty[:, day], sold_out[:, day] = stock == 0, (stock > 0) & (stock == sold[:, day])
        stock = stock - sold[:, day]
    return sold, empty, sold_out


def row(demand: np.ndarray, review: int, cover: float) -> dict[str, object]:
    """One policy: what it hid, and what was found again."""
    begun = np.maximum.accumulate(demand > 0, axis=1)
    sold, empty, sold_out = run_dry(demand, review, cover)
    open_days = begun & ~empty
    began = time.perf_counter()
    found = recover(sold, open_days.astype(np.float32), sold_out & begun, np.arange(demand.shape[1]) % 7)
    seconds = time.perf_counter() - began
    asked, days = demand.sum(), np.maximum(open_days.sum(axis=1), 1)
    lost, (low, high) = (demand - sold).sum(axis=1), found.lost_between((0.1, 0.9)).T
    hidden = (lost > 0) | (found.lost.sum(axis=1) > 0)
    return {
        "filled up every": f"{review} days", "to": f"{cover:.0%}", "days without": f"{empty[begun].mean():.0%}",
        "sold out": f"{sold_out[begun].mean():.0%}", "as sold": f"{sold.sum() / asked - 1:+.1%}",
        "days left out": f"{(sold.sum(axis=1) / days * begun.sum(axis=1)).sum() / asked - 1:+.1%}",
        "recovered": f"{found.demand.sum() / asked - 1:+.2%}",
        "lost in 80 %": f"{((lost >= low) & (lost <= high))[hidden].mean():.0%}", "seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds m5")
    parser.add_argument("--store", default="CA_1", help="one of the ten (default CA_1)")
    given = parser.parse_args()
    demand = asked_for(given.data, given.store)
    print(f"{given.store}: {len(demand):,} series of {demand.shape[1]} days")
    print(pd.DataFrame([row(demand, *policy) for policy in POLICIES]).to_string(index=False))


if __name__ == "__main__":
    main()
