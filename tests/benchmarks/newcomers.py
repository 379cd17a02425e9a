"""What forecasts of new items are worth, as a model makes them and drawn towards similar items (`newcomers.py`).

On the demo's grocer at five cutoffs four weeks apart or, where DATA is a folder with `m5/sales_d1495_d1913.parquet`,
on three of its stores at five early ones, where most of its items begin. Items that were first sold up to four weeks
before a cutoff are forecast for the two weeks after it, from what was known at the cutoff. In the panel are those of
the grocer's items that sold `--planned` units a week since they were first sold (over half a year at most, and four
weeks at least); of M5 all that were ever sold.

WAPE and bias of two-week sums, and the share of them inside their 80 % band, by days since the first sale: `kind` takes
the mean of the item's category, `model` the model alone, `drawn` what the nightly forecast says. Age 0 (M5 only) are
items first sold in the week after the cutoff, told to be on sale from its day on.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from apps.demo.recast.files import recast
from apps.forecasting.engine.backtest import inside_band
from apps.forecasting.engine.base import Grid, Panel
from apps.forecasting.engine.baselines import mean_rate
from apps.forecasting.engine.models import MODELS, fit_or_fall_back, make
from apps.forecasting.engine.newcomers import NEW_DAYS, with_newcomers
from tests.benchmarks.models import SHOP

AGES = ((0, 0), (1, 3), (4, 7), (8, 14), (15, 28), (1, 28))
DAYS = 14
GROCER_ENDS = (309, 281, 253, 225, 197)  # days known
M5_ENDS, STORES = (70, 84, 98, 126, 154), ("CA_1", "TX_2", "WI_3")
M5_FIRST = np.datetime64("2015-03-03")
WINDOW, LEAST_WEEKS = 182, 4.0


def grocer(planned: float, known: int | None) -> Iterator[tuple[Panel, np.ndarray, np.ndarray]]:
    """At each cutoff: the panel, days since the first sale [n], and what was sold in the two weeks after [n]."""
    with tempfile.TemporaryDirectory() as folder:
        recast(Path(folder), (SHOP,))
        orders, items = (pd.read_csv(Path(folder) / SHOP / f"{name}.csv", low_memory=False)
                         for name in ("orders", "items"))
    orders["sku"], items["sku"] = orders["sku"].astype(str), items["sku"].astype(str)
    items = items[items["unit_of_measure"] == "each"].set_index("sku").sort_index()
    day = orders["occurred_at"].str[:10].to_numpy(dtype="datetime64[D]")
    first = day.min()
    row = items.index.get_indexer(pd.Index(orders["sku"]))
    sold = np.zeros((len(items), int((day.max() - first).astype(int)) + 1), dtype=np.float32)
    np.add.at(sold, (row[row >= 0], (day - first).astype(int)[row >= 0]), orders["quantity"].to_numpy()[row >= 0])
    sold = np.maximum(sold, 0)
    path = items["category"].str.split(" > ")
    static = items[["brand", "price"]].assign(
        unique_id=items.index, category=path.str[:2].str.join(" > "), department=path.str[0])
    begun = np.where(sold.any(axis=1), (sold > 0).argmax(axis=1), sold.shape[1])
    for end in GROCER_ENDS:
        weeks = np.clip((end - begun) / 7, LEAST_WEEKS, WINDOW / 7)
        chosen = (begun < end) & (sold[:, max(0, end - WINDOW) : end].sum(axis=1) >= np.maximum(planned * weeks, 0.001))
        yield panel_of(sold[chosen], static[chosen], first, end, known), end - begun[chosen], after(sold[chosen], end)


def m5(folder: Path, known: int | None) -> Iterator[tuple[Panel, np.ndarray, np.ndarray]]:
    """As `grocer`, of three stores: all that were first sold up to a week after the cutoff."""
    wide = pd.read_parquet(folder / "m5" / "sales_d1495_d1913.parquet")
    wide = wide[wide["store_id"].isin(STORES)].sort_values("id")
    sold = wide.filter(regex=r"^d_\d+$").to_numpy(np.float32)
    static = pd.DataFrame({"unique_id": wide["id"].astype(str), "department": wide["dept_id"].astype(str),
                           "category": wide["store_id"].astype(str) + wide["dept_id"].astype(str)})
    begun = np.where(sold.any(axis=1), (sold > 0).argmax(axis=1), sold.shape[1])
    for end in M5_ENDS:
        chosen = begun < end + 7
        age = np.maximum(end - begun[chosen], 0)
        panel = panel_of(sold[chosen], static[chosen], M5_FIRST, end, known)
        yield told_on_sale(panel, np.flatnonzero(age == 0)), age, after(sold[chosen], end)


def panel_of(sold: np.ndarray, static: pd.DataFrame, first: np.datetime64, end: int, known: int | None) -> Panel:
    """The panel of the last `known` of the first `end` days."""
    begin = 0 if known is None else end - known
    rows, columns = np.nonzero(sold[:, begin:end])
    history = pd.DataFrame({
        "unique_id": static["unique_id"].to_numpy()[rows], "y": sold[rows, begin + columns],
        "ds": (first + begin + columns).astype("datetime64[ns]")})
    return Panel.from_frames(history, static, cutoff=first + end - 1, country="US")


def told_on_sale(panel: Panel, rows: np.ndarray) -> Panel:
    """The panel with some series on sale on its last day, and not sold."""
    y, available = panel.y.copy(), panel.available.copy()
    y[rows, -1], available[rows, -1] = 0, 1
    return replace(panel, y=y, available=available)


def after(sold: np.ndarray, end: int) -> np.ndarray:
    """What was sold in the DAYS days after the first `end`."""
    return np.asarray(sold[:, end : end + DAYS].sum(axis=1, dtype=np.float64))


def told(panel: Panel, age: np.ndarray, actual: np.ndarray, name: str) -> pd.DataFrame:
    """One row for each series: what was foretold and sold, and how much of it lies inside the band."""
    model, note = fit_or_fall_back(make(name), panel)
    if note:
        print(note)
    alone = model.predict(Grid(days=28))
    category, rate = panel.labels("category"), mean_rate(panel, 56)
    kind = DAYS * pd.Series(rate).groupby(category).transform("mean").to_numpy()
    found = {"age": age, "actual": actual, "kind": kind}
    for answer, forecast in (("model", alone), ("drawn", with_newcomers(alone, panel))):
        mean = forecast.sum_mean(DAYS)
        found[answer] = mean
        found[f"{answer} in"] = inside_band(actual, mean, forecast.variance_of(mean), 0.8)
    return pd.DataFrame(found)


def row(ages: str, some: pd.DataFrame) -> dict[str, object]:
    sold = max(some["actual"].sum(), 1e-9)
    scores: dict[str, object] = {"age": ages, "sums": len(some), "units": f"{some['actual'].mean():.2f}"}
    for answer in ("kind", "model", "drawn"):
        error = some[answer] - some["actual"]
        scores[answer] = f"{error.abs().sum() / sold:.2f} {error.sum() / sold:+.0%}"
        if f"{answer} in" in some:
            scores[answer] = f"{scores[answer]} {some[f'{answer} in'].mean():.0%}"
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="default: the demo's grocer")
    parser.add_argument("--model", choices=list(MODELS), action="append", help="may be repeated; default two")
    parser.add_argument("--planned", type=float, default=1.0, help="units a week (default 1, as the grocer plans)")
    parser.add_argument("--known", type=int, help="days of history before each cutoff; default all")
    given = parser.parse_args()
    names = given.model or ["eight_week_mean", "lightgbm"]
    cutoffs = list(m5(given.data, given.known) if given.data else grocer(given.planned, given.known))
    for name in names:
        found = pd.concat([told(*cutoff, name) for cutoff in cutoffs])
        rows = [row(f"{low}-{high}", some) for low, high in AGES
                if len(some := found[found["age"].between(low, high)])]
        rows.append(row(f"over {NEW_DAYS}", found[found["age"] > NEW_DAYS]))
        print(f"\n{name}: WAPE, bias and share inside the 80 % band of two-week sums, {len(cutoffs)} cutoffs")
        print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
