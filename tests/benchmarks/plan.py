"""How long one plan takes, and how far from the best it may be: generated items, a budget, suppliers' minimums."""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from apps.optimization.engine.demand import DrawnDemand
from apps.optimization.engine.frames import Limits
from apps.optimization.engine.replenish import Plan, plan

PATHS = 200
HORIZON_DAYS = 70


def shop(n: int, seed: int) -> tuple[pd.DataFrame, DrawnDemand, dict[str, float]]:
    """Items of about a hundred to a supplier; lead times of 3 to 42 days; half sell less than one a week."""
    stream = np.random.default_rng(seed)
    suppliers = max(n // 95, 1)
    pace = stream.lognormal(-2.2, 1.3, n)
    cost = stream.lognormal(1.2, 0.7, n).round(2) + 0.05
    lead = stream.choice([3.0, 5.0, 7.0, 14.0, 21.0, 42.0], n, p=[0.3, 0.2, 0.2, 0.15, 0.1, 0.05])
    pack = stream.choice([1, 2, 4, 6, 12, 24], n)
    items = pd.DataFrame({
        "unique_id": [f"item-{number}" for number in range(n)],
        "supplier_id": [f"supplier-{number}" for number in stream.integers(0, suppliers, n)],
        "on_hand": stream.poisson(pace * lead), "unit_cost": cost, "price": (cost * 1.6).round(2),
        "holding_cost_rate": 0.25, "shortage_cost": cost * 0.6, "lead_time_days": lead,
        "lead_time_spread_days": lead * 0.2, "review_period_days": 7, "moq": pack, "pack_size": pack,
    })

    def draw(rows: np.ndarray, days: int) -> np.ndarray:
        drawn = np.empty((len(rows), PATHS, days), dtype=np.int32)
        for place, row in enumerate(rows):
            own = np.random.default_rng([seed, int(row)])
            level = own.gamma(3.0, 1 / 3.0, (PATHS, 1))
            drawn[place] = own.poisson(pace[row] * level, (PATHS, HORIZON_DAYS))[:, :days]
        return drawn

    minimums = {f"supplier-{number}": 50.0 for number in range(0, suppliers, 2)}
    return items, DrawnDemand(draw, n_paths=PATHS, days=HORIZON_DAYS), minimums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=7_500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    items, demand, minimums = shop(given.items, given.seed)

    def timed(name: str, budget: float | None) -> Plan:
        started = time.perf_counter()
        made = plan(items, None, demand, limits=Limits(cash_budget=budget, supplier_minimums=minimums), seed=given.seed)
        seconds = time.perf_counter() - started
        print(f"{name}: {given.items:,} items in {seconds:.1f} s, {made.order_value:,.0f} ordered, "
              f"gap {made.gap / max(made.saves, 1e-9):.3%} of what it saves")
        return made

    timed("with half of that", timed("without a budget", None).order_value / 2)


if __name__ == "__main__":
    main()
