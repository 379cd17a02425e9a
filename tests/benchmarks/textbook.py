"""The textbook's answers beside stockpyl's, the package of a textbook's author: how far apart, and seconds.

Items are drawn at random; stockpyl is asked one by one, ours at once where a function takes many.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from stockpyl import eoq, rq, ss
from stockpyl import newsvendor as news
from stockpyl.wagner_whitin import wagner_whitin as their_lots

from apps.optimization.engine import closed_forms as cf
from apps.optimization.engine.dynamic import wagner_whitin

PERIODS = 24


class Items:
    """Rates, costs and price lists, a row for each item."""

    def __init__(self, n: int, seed: int) -> None:
        stream = np.random.default_rng(seed)
        self.rate, self.order, self.lead = (stream.uniform(low, top, n) for low, top in ((0.2, 6), (1, 60), (0, 3)))
        self.holding, self.waiting = stream.uniform(0.2, 3, n), stream.uniform(2, 40, n)
        self.breaks = np.pad(np.cumsum(stream.uniform(5, 60, (n, 2)), axis=1), ((0, 0), (1, 0)))
        self.prices = 20 - np.cumsum(stream.uniform(0.1, 3, (n, 3)), axis=1)
        self.demand = stream.integers(0, 40, (n, PERIODS)).astype(float)


def comparisons(items: Items) -> dict[str, tuple[Callable[[], Sequence[Any]], Callable[[int], Sequence[Any]]]]:
    """By name: ours for all items (a sequence of columns) and theirs for one (its numbers in the same order)."""
    d, k, h, p = items.rate, items.order, items.holding, items.waiting
    costs: dict[str, Any] = {"order_cost": k, "holding_cost": h, "backorder_cost": p}

    def columns(answer: Any, *names: str) -> list[Any]:
        return [getattr(answer, name) for name in names]

    return {
        "EOQ": (
            lambda: columns(cf.economic_order_quantity(d, k, h), "order_quantity", "cost"),
            lambda i: eoq.economic_order_quantity(k[i], h[i], d[i])),
        "EOQ with backorders": (
            lambda: columns(cf.economic_order_quantity_with_backorders(d, k, h, p), "order_quantity", "cost"),
            lambda i: eoq.economic_order_quantity_with_backorders(k[i], h[i], p[i], d[i])[::2]),
        "all-units discount": (
            lambda: columns(cf.all_units_discount(d, k, 0.2, items.breaks, items.prices), "order_quantity", "cost"),
            lambda i: eoq.economic_order_quantity_with_all_units_discounts(
                k[i], 0.2, d[i], list(items.breaks[i]), list(items.prices[i]))[::2]),
        "incremental discount": (
            lambda: columns(cf.incremental_discount(d, k, 0.2, items.breaks, items.prices), "order_quantity", "cost"),
            lambda i: eoq.economic_order_quantity_with_incremental_discounts(
                k[i], 0.2, d[i], list(items.breaks[i]), list(items.prices[i]))[::2]),
        "newsvendor, normal": (
            lambda: columns(cf.newsvendor(cf.NormalDemand(d, d / 4), h, p), "order_quantity", "cost"),
            lambda i: news.newsvendor_normal(h[i], p[i], d[i], d[i] / 4)),
        "newsvendor, Poisson": (
            lambda: columns(cf.newsvendor(cf.PoissonDemand(d), h, p), "order_quantity", "cost"),
            lambda i: news.newsvendor_poisson(h[i], p[i], d[i])),
        "(r, Q), Poisson": (
            lambda: columns(cf.reorder_point_and_lot(demand_rate=d, lead_time=items.lead, **costs),
                            "reorder_point", "order_quantity", "cost"),
            lambda i: rq.r_q_poisson_exact(h[i], p[i], k[i], d[i], items.lead[i])),
        "(s, S), Poisson": (
            lambda: columns(cf.reorder_levels(cf.poisson_pmf(d), lead_time=0, **costs),
                            "reorder_point", "order_up_to_level", "cost"),
            lambda i: ss.s_s_discrete_exact(h[i], p[i], k[i], True, d[i])),
        "Wagner-Whitin": (
            lambda: [wagner_whitin(items.demand, k[:, None], h[:, None]).cost],
            lambda i: [their_lots(PERIODS, h[i], k[i], list(items.demand[i]))[1]]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(f"{given.items} items{'':24}apart        ours, s  stockpyl, s")
    for name, (ours, theirs) in comparisons(Items(given.items, given.seed)).items():
        started = time.perf_counter()
        found = np.stack([np.asarray(column, dtype=float) for column in ours()])
        between = time.perf_counter()
        asked = np.array([theirs(item) for item in range(given.items)], dtype=float).T
        apart = (np.abs(found - asked) / np.maximum(np.abs(asked), 1)).max()
        print(f"{name:25}{apart:15.1e}{between - started:13.4f}{time.perf_counter() - between:13.2f}", flush=True)


if __name__ == "__main__":
    main()
