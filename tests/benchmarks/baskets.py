"""What orders hold together: on the demo's grocer, and where only popularity speaks.

The second shop has as many lines as asked, of 10,000 items drawn by popularity alone into orders of the grocer's sizes:
whatever is told of it is false.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from apps.demo.recast.files import recast
from apps.forecasting.engine.baskets import LEAST_ORDERS, Baskets, bought_apart, bought_together
from tests.benchmarks.models import SHOP

PERIOD = 28
ITEMS = 10_000


def grocer() -> tuple[pd.DataFrame, pd.Series[str], pd.Series[str]]:
    """Lines of goods, and by item what kind of thing it is, and its title."""
    with tempfile.TemporaryDirectory() as folder:
        recast(Path(folder), (SHOP,))
        orders, items = (pd.read_csv(Path(folder) / SHOP / f"{name}.csv", low_memory=False)
                         for name in ("orders", "items"))
    items = items[~items["category"].str.contains(r"^fuel >|> gasoline\b|^coupon", case=False)].set_index("sku")
    day = orders["occurred_at"].str[:10].to_numpy(dtype="datetime64[D]")
    lines = pd.DataFrame({"order": orders["order_id"], "unique_id": orders["sku"], "buyer": orders["customer"],
                          "stratum": (day - day.min()).astype(int) // PERIOD})
    kinds = items["category"].str.split(" > ").str[:2].str.join(" > ")
    return lines[orders["sku"].isin(items.index) & (orders["quantity"] > 0)], kinds, items["title"]


def independent(sizes: np.ndarray, n_lines: int) -> pd.DataFrame:
    """Lines of orders of such sizes (each item once) drawn by popularity, from 3,000 customers."""
    stream = np.random.default_rng(1)
    size = stream.choice(sizes, int(n_lines / sizes.mean()))
    weight = 1 / np.arange(20, ITEMS + 20)
    order = np.repeat(np.arange(len(size)), size)
    lines = pd.DataFrame({"order": order, "unique_id": stream.choice(ITEMS, len(order), p=weight / weight.sum())})
    return lines.drop_duplicates().assign(buyer=lambda told: 1 + told["order"] % 3000)


def show(name: str, lines: pd.DataFrame, kinds: pd.Series[str], titles: pd.Series[str], rows: int) -> None:
    """Print what is found, and what it took."""
    began = perf_counter()
    counted = Baskets.of(lines)
    together, apart = bought_together(counted), bought_apart(counted, kinds)
    seconds = perf_counter() - began
    asked = int((counted.orders >= LEAST_ORDERS).sum())
    alike = kinds.reindex(together["unique_id"]).to_numpy() == kinds.reindex(together["other"]).to_numpy()
    print(f"\n{name}: {len(lines):,} lines, {counted.baskets:,} orders; {asked:,} items asked of, "
          f"{asked * (asked - 1) // 2:,} pairs; {seconds:.1f} s, at most "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB so far")
    print(f"bought together {len(together):,} (of one kind {alike.mean() if len(alike) else 0:.0%}), "
          f"instead of each other {len(apart):,}")
    for found in (together, apart):
        for row in found.head(rows).to_dict("records"):
            print(f"  {titles[row['unique_id']][:44]:44} {titles[row['other']][:44]:44} {row['together']:5,} orders, "
                  f"{row['buyers']:4,} buyers, by chance {row['expected']:7.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000, help="of the shop in which only popularity speaks")
    parser.add_argument("--rows", type=int, default=10, help="pairs shown")
    given = parser.parse_args()
    lines, kinds, titles = grocer()
    show("The grocer", lines, kinds, titles, given.rows)
    sizes = np.bincount(pd.factorize(lines["order"])[0])
    names = pd.Series(np.arange(ITEMS).astype(str))
    show("Popularity alone", independent(sizes, given.lines), pd.Series("one", index=names.index), names, given.rows)


if __name__ == "__main__":
    main()
