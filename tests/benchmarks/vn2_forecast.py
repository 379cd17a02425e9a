"""Weekly forecasts of VN2's 599 series beside mlforecast's, four weeks ahead at five origins.

DATA is a folder with `vn2`: sales, in_stock and master, all .csv. The engine runs as from the shell, with its defaults
and weeks out of stock told as such; mlforecast grows the same number of LightGBM trees for each quantile, on lags and
rolling means of eight weeks and less, answers recursively from its mean model, and is told nothing of empty shelves,
of which it has no word. Weeks without stock are scored for nobody. Pinball is the mean over series, weeks and the
quantiles .05 .25 .5 .75 .9 .95 .99, in units; WAPE is of means.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apps.forecasting.engine.__main__ import main as engine

ORIGINS = (85, 93, 101, 109, 117)  # weeks known
HORIZON = 4
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
MODELS = ("weekday_mean", "theta", "ets", "lightgbm", "auto")
ROUNDS = 200


class Sales:
    """What was sold in each week, whether there was stock, and what kinds the items are."""

    def __init__(self, folder: Path) -> None:
        sold, stock, kinds = (pd.read_csv(folder / "vn2" / f"{name}.csv") for name in ("sales", "in_stock", "master"))
        self.ids = (sold["Store"].astype(str) + "/" + sold["Product"].astype(str)).to_numpy()
        self.weeks = pd.to_datetime(sold.columns[2:])
        self.units = sold.iloc[:, 2:].to_numpy(float)
        self.in_stock = stock.iloc[:, 2:].astype(bool).to_numpy()
        self.kinds = kinds.assign(unique_id=kinds["Store"].astype(str) + "/" + kinds["Product"].astype(str)).drop(
            columns=["Store", "Product"]).astype(str)

    def history(self, origin: int) -> pd.DataFrame:
        """The first `origin` weeks, from each series' first sale on."""
        begun = np.maximum.accumulate(self.units[:, :origin] > 0, axis=1).reshape(-1)
        frame = pd.DataFrame({
            "unique_id": np.repeat(self.ids, origin), "ds": np.tile(self.weeks[:origin], len(self.ids)),
            "y": self.units[:, :origin].reshape(-1),
            "available": self.in_stock[:, :origin].reshape(-1).astype(float)})
        return frame[begun].reset_index(drop=True)

    def score(self, origin: int, mean: np.ndarray, quantiles: np.ndarray) -> dict[str, float]:
        """Score means [n, 4] and quantiles [n, 4, 7] on the weeks after the origin in which there was stock."""
        weeks = slice(origin, origin + HORIZON)
        units, known = self.units[:, weeks], self.in_stock[:, weeks]
        error = units[:, :, None] - quantiles
        loss = np.maximum(np.array(LEVELS) * error, (np.array(LEVELS) - 1) * error).mean(axis=2)
        return {"pinball": float(loss[known].mean()),
                "wape": float(np.abs(mean - units)[known].sum() / units[known].sum())}


def ours(sales: Sales, origin: int, model: str) -> tuple[np.ndarray, np.ndarray]:
    """What the engine answers: means and quantiles, series in the order of `sales`."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        sales.history(origin).to_parquet(folder / "history.parquet")
        sales.kinds.to_parquet(folder / "static.parquet")
        arguments = ["--history", str(folder / "history.parquet"), "--static", str(folder / "static.parquet"), "--freq",
                     "W", "--horizon", str(HORIZON), "--model", model, "--out", str(folder / "out.parquet")]
        if engine(["forecast", *arguments]):
            raise SystemExit(1)
        told = pd.read_parquet(folder / "out.parquet").set_index(["unique_id", "ds"]).sort_index()
    shape = (len(sales.ids), HORIZON)
    told = told.loc[list(sales.ids)]
    columns = [f"q{level:.2f}" for level in LEVELS]
    return told["mean"].to_numpy().reshape(shape), told[columns].to_numpy().reshape(*shape, len(LEVELS))


def theirs(sales: Sales, origin: int) -> tuple[np.ndarray, np.ndarray]:
    """What mlforecast answers with LightGBM: a mean, and a quantile model for each level."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean

    usual: dict[str, Any] = {"n_estimators": ROUNDS, "learning_rate": 0.06, "num_leaves": 31, "min_child_samples": 50,
                             "verbosity": -1, "n_jobs": 2, "random_state": 1}
    models = {"mean": LGBMRegressor(objective="tweedie", **usual)}
    models |= {f"q{level}": LGBMRegressor(objective="quantile", alpha=level, **usual) for level in LEVELS}
    history = sales.history(origin).drop(columns="available").merge(sales.kinds, on="unique_id")
    kinds = [column for column in sales.kinds.columns if column != "unique_id"]
    history[kinds] = history[kinds].astype("category")
    made = MLForecast(models=models, freq="7D", lags=[1, 2, 3, 4], num_threads=2,
                      lag_transforms={1: [RollingMean(4), RollingMean(8)]}, date_features=["month"])
    made.fit(history, static_features=kinds)
    table = made.predict(HORIZON).set_index(["unique_id", "ds"]).sort_index()
    known = table.index.get_level_values(0).unique()
    shape = (len(sales.ids), HORIZON)
    mean, quantiles = np.zeros(shape), np.zeros((*shape, len(LEVELS)))
    rows = pd.Index(sales.ids).get_indexer(known)
    mean[rows] = table["mean"].to_numpy().reshape(len(known), HORIZON)
    found = table[[f"q{level}" for level in LEVELS]].to_numpy().reshape(len(known), HORIZON, len(LEVELS))
    quantiles[rows] = np.sort(np.maximum(found, 0), axis=2)
    return mean, quantiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds vn2")
    parser.add_argument("--origins", type=int, nargs="+", default=ORIGINS, help="weeks known (default all five)")
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    given = parser.parse_args()
    sales, rows = Sales(given.data), []
    for origin in given.origins:
        for model in (*MODELS, "mlforecast"):
            began = time.perf_counter()
            answer = theirs(sales, origin) if model == "mlforecast" else ours(sales, origin, model)
            rows.append({"model": model, "origin": origin, **sales.score(origin, *answer),
                         "seconds": time.perf_counter() - began})
            print(" ".join(f"{name} {value}" for name, value in rows[-1].items()), file=sys.stderr, flush=True)
    table = pd.DataFrame(rows)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))
    print(table.pivot_table(index="model", columns="origin", values="pinball", sort=False).round(4).to_string())
    print(table.groupby("model", sort=False)[["pinball", "wape", "seconds"]].mean().round(4).to_string())


if __name__ == "__main__":
    main()
