"""The engine from the shell on the M5 competition's sales, scored as the competition was, with its defaults.

DATA is a folder with `m5`: sales_d1495_d1913, calendar, series and scales, all .parquet. Each origin's
history is written to files, `python -m apps.forecasting.engine forecast` run on them as a process of its own, and its
answer scored on the 28 days that follow:

WRMSSE   root mean squared scaled error, weighed by the money of the last 28 days inside each level, mean of the
         competition's levels (one store: total, category, department and item); scales of the full history
pinball  mean over series, days and the quantiles .05 .25 .5 .75 .9 .95 .99, in units
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

FIRST_DAY, HORIZON = 1495, 28
KEYS = ["item_id", "dept_id", "cat_id", "store_id", "state_id"]
LEVELS: dict[str, list[str]] = {
    "L1": [], "L2": ["state_id"], "L3": ["store_id"], "L4": ["cat_id"], "L5": ["dept_id"],
    "L6": ["state_id", "cat_id"], "L7": ["state_id", "dept_id"], "L8": ["store_id", "cat_id"],
    "L9": ["store_id", "dept_id"], "L10": ["item_id"], "L11": ["item_id", "state_id"], "L12": ["item_id", "store_id"]}
STORE_LEVELS = ("L3", "L8", "L9", "L12")  # of one store, the other eight say the same again
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


class Sales:
    """What M5 sold, of one store or of all, with what weighs and scales an error."""

    def __init__(self, folder: Path, store: str | None) -> None:
        sold = pd.read_parquet(folder / "sales_d1495_d1913.parquet")
        price = pd.read_parquet(folder / "series.parquet")["mean_price"].fillna(0).to_numpy()
        rows = np.flatnonzero(sold["store_id"] == store) if store else np.arange(len(sold))
        self.labels = sold.loc[rows, KEYS].reset_index(drop=True)
        self.ids = (self.labels["item_id"] + " " + self.labels["store_id"]).to_numpy()
        self.units = sold.drop(columns=["id", *KEYS]).to_numpy(np.float32)[rows]
        self.price = price[rows]
        self.levels = STORE_LEVELS if store else tuple(LEVELS)
        self.scale = pd.read_parquet(folder / "scales.parquet").set_index(["level", "key"])["scale_1913"]
        calendar = pd.read_parquet(folder / "calendar.parquet").iloc[FIRST_DAY - 1:].reset_index(drop=True)
        self.days = pd.to_datetime(calendar["date"]).to_numpy()
        self.events = calendar[["event_name_1", "event_type_1"]].fillna("")
        self.paydays = {state: calendar[f"snap_{state}"].to_numpy() for state in ("CA", "TX", "WI")}

    def write(self, origin: int, folder: Path) -> list[str]:
        """Write what is known at the end of day `origin`; return the arguments that name the files."""
        known = origin - FIRST_DAY + 1
        n, reach = len(self.units), known + HORIZON
        frame = pd.DataFrame({"unique_id": np.repeat(self.ids, reach),
                              "ds": np.tile(self.days[:reach], n)})
        for name, column in (("event", "event_name_1"), ("event_type", "event_type_1")):
            frame[name] = np.tile(self.events[column].to_numpy()[:reach], n)
        frame["payday"] = np.concatenate([self.paydays[state][:reach] for state in self.labels["state_id"]])
        past = np.tile(np.arange(reach) < known, n)
        history = frame[past].assign(y=self.units[:, :known].reshape(-1).astype(float))
        first = np.where((self.units[:, :known] > 0).any(axis=1), (self.units[:, :known] > 0).argmax(axis=1), known)
        on_sale = (np.arange(known)[None] >= first[:, None]).reshape(-1)
        history[on_sale].to_parquet(folder / "history.parquet", index=False)
        frame[~past].to_parquet(folder / "future.parquet", index=False)
        self.labels.assign(unique_id=self.ids).to_parquet(folder / "static.parquet", index=False)
        return [argument for name in ("history", "future", "static")
                for argument in (f"--{name}", str(folder / f"{name}.parquet"))]

    def wrmsse(self, origin: int, forecast: np.ndarray) -> float:
        """Score means [n, 28] against what was sold after `origin`."""
        known = origin - FIRST_DAY + 1
        error = forecast - self.units[:, known:known + HORIZON]
        money = self.units[:, known - HORIZON:known].sum(axis=1) * self.price
        scores = []
        for level in self.levels:
            keys = LEVELS[level]
            named = self.labels[keys[0]].astype(str) if keys else pd.Series("total", index=self.labels.index)
            for key in keys[1:]:
                named = named + "|" + self.labels[key]
            codes, names = pd.factorize(named, sort=True)
            errors = np.zeros((len(names), HORIZON))
            np.add.at(errors, codes, error)
            scale = self.scale.reindex([(level, name) for name in names]).to_numpy()
            with np.errstate(divide="ignore", invalid="ignore"):
                each = np.nan_to_num(np.sqrt((errors**2).mean(axis=1) / scale), posinf=0.0)
            scores.append(float(each @ (np.bincount(codes, money) / money.sum())))
        return float(np.mean(scores))

    def pinball(self, origin: int, quantiles: np.ndarray) -> float:
        """Score quantiles [n, 28, 7] against what was sold after `origin`."""
        known = origin - FIRST_DAY + 1
        error = self.units[:, known:known + HORIZON, None] - quantiles
        levels = np.array(QUANTILES)
        return float(np.maximum(levels * error, (levels - 1) * error).mean())


def run(arguments: list[str]) -> tuple[float, float]:
    """Run the engine as a process of its own; return its seconds and the most memory it held, in GB."""
    began, most = time.perf_counter(), 0
    process = subprocess.Popen([sys.executable, "-m", "apps.forecasting.engine", "forecast", *arguments],
                               stderr=subprocess.PIPE, text=True)
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            most = max(most, watched.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.1)
    told = process.communicate()[1]
    if process.returncode:
        raise SystemExit(told)
    return time.perf_counter() - began, most / 1e9


def score(sales: Sales, origin: int, model: str) -> dict[str, Any]:
    """Forecast with one model at one origin, and score it."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        files = sales.write(origin, folder)
        seconds, memory = run([*files, "--horizon", str(HORIZON), "--freq", "D", "--model", model,
                               "--out", str(folder / "out.parquet")])
        answer = pd.read_parquet(folder / "out.parquet").sort_values(["unique_id", "ds"])
    order = pd.Index(answer["unique_id"].unique()).get_indexer(pd.Index(sales.ids))
    mean = answer["mean"].to_numpy().reshape(-1, HORIZON)[order]
    columns = ["q0.05", "q0.25", "q0.50", "q0.75", "q0.90", "q0.95", "q0.99"]
    quantiles = answer[columns].to_numpy().reshape(-1, HORIZON, len(QUANTILES))[order]
    return {"model": model, "origin": f"d_{origin}", "wrmsse": round(sales.wrmsse(origin, mean), 4),
            "pinball": round(sales.pinball(origin, quantiles), 4), "seconds": round(seconds, 1),
            "gigabytes": round(memory, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds m5")
    parser.add_argument("--store", default="CA_1", help="one store, or `all` of the 30,490 series (default CA_1)")
    parser.add_argument("--origins", type=int, nargs="+", default=[1829, 1857, 1885], help="last known days")
    parser.add_argument("--models", nargs="+", default=["weekday_mean", "theta", "lightgbm", "lightgbm_daily", "auto"])
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    given = parser.parse_args()
    sales = Sales(given.data / "m5", None if given.store == "all" else given.store)
    rows = []
    for origin in given.origins:
        for model in given.models:
            rows.append(score(sales, origin, model))
            print(" ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    table = pd.DataFrame(rows)
    for figure in ("wrmsse", "pinball", "seconds", "gigabytes"):
        wide = table.pivot_table(index="model", columns="origin", values=figure, sort=False)
        print(f"\n{figure}, {given.store}\n{wide.assign(mean=wide.mean(axis=1)).round(4).to_string()}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
