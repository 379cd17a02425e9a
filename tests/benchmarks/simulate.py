"""Item-days a second of a replay, beside a plain loop over items and stockpyl's simulator, on the same demand.

All three keep a base stock (order up to S each day, backorders) with a fixed lead time, which stockpyl's single-stage
system can do too; what they hold on average must agree. The rules of the engine are timed on the same shop as well.
stockpyl orders when a day's demand is known, the replay in the morning: its lead time of L days is L - 1 here.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apps.optimization.engine.policies import BY_NAME, OrderUpTo, Policy
from apps.optimization.engine.simulate import replay
from tests.benchmarks.plan import shop

LEAD_DAYS = 3
HISTORY_DAYS = 60


def timed(items: pd.DataFrame, demand: np.ndarray, policy: Policy, unmet: Any = "lost") -> tuple[float, np.ndarray]:
    """Seconds, and each item's units in stock on an average evening [n]."""
    started = time.perf_counter()
    done = replay(items, None, demand[:, HISTORY_DAYS:], policy, history=demand[:, :HISTORY_DAYS], seed=1, unmet=unmet)
    return time.perf_counter() - started, done.measures["stock"].sum(axis=1) / done.days


def plain(demand: np.ndarray, level: np.ndarray) -> tuple[float, np.ndarray]:
    """The same base stock, item by item and day by day."""
    started = time.perf_counter()
    held = np.zeros(len(demand))
    for row in range(len(demand)):
        coming = np.zeros(demand.shape[1] + LEAD_DAYS, dtype=np.int64)
        net, on_order = level[row], 0
        for day in range(demand.shape[1]):
            net += coming[day]
            on_order -= coming[day]
            quantity = max(level[row] - net - on_order, 0)
            coming[day + LEAD_DAYS] += quantity
            on_order += quantity
            net -= demand[row, day]
            held[row] += max(net, 0)
    return time.perf_counter() - started, held / demand.shape[1]


def stockpyls(demand: np.ndarray, level: np.ndarray) -> tuple[float, np.ndarray]:
    """The same by stockpyl."""
    from stockpyl.sim import simulation
    from stockpyl.supply_chain_network import single_stage_system

    started = time.perf_counter()
    held = np.zeros(len(demand))
    days = demand.shape[1]
    for row in range(len(demand)):
        network = single_stage_system(
            holding_cost=1, stockout_cost=1, demand_type="D", demand_list=demand[row].tolist(), policy_type="BS",
            base_stock_level=int(level[row]), shipment_lead_time=LEAD_DAYS + 1,
            initial_inventory_level=int(level[row]))
        simulation(network, days, progress_bar=False, consistency_checks="N")
        states = network.nodes[0].state_vars[:days]
        held[row] = np.mean([max(sum(state.inventory_level.values()), 0) for state in states])
    return time.perf_counter() - started, held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--few", type=int, default=200, help="items for the plain loop; a tenth of them for stockpyl")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    items, _paths, _minimums = shop(given.items, 1)
    items["review_period_days"] = 1
    stream = np.random.default_rng(1)
    pace = stream.lognormal(-2.2, 1.3, given.items)
    demand = stream.poisson(pace[:, None], (given.items, HISTORY_DAYS + given.days))
    rows = []

    def told(name: str, some: int, seconds: float) -> None:
        speed = some * given.days / seconds
        rows.append({"what": name, "items": some, "seconds": seconds, "item_days_a_second": speed})
        print(f"{name:28} {some:>7,} items {seconds:8.2f} s {speed:>14,.0f} item-days a second")

    for name, policy in BY_NAME.items():
        told(name, given.items, timed(items, demand, policy)[0])
    level = np.ceil(pace * (LEAD_DAYS + 1) * 1.5).astype(np.int64)
    terms = {"lead_time_days": LEAD_DAYS, "lead_time_spread_days": 0.0, "moq": 1, "pack_size": 1, "on_hand": level}
    simple = items.assign(**terms)
    seconds, held = timed(simple, demand, OrderUpTo(level), "backorder")
    told("base stock, replay", given.items, seconds)
    lived = demand[:, HISTORY_DAYS:]
    for name, run, some in (("base stock, plain loop", plain, given.few),
                            ("base stock, stockpyl", stockpyls, max(given.few // 10, 1))):
        seconds, theirs = run(lived[:some], level[:some])
        told(name, some, seconds)
        np.testing.assert_allclose(theirs, held[:some])
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
