"""How fast days are learned beside mlforecast: one direct LightGBM on M5's sales of one store, 28 days ahead.

DATA is a folder with `m5`. Both see the same days and rows, and grow the same trees: each row tells a day by what was
known 28 days before it (means over 7 to 182 days, the same weekday's last sales and their means, spread, kinds of item,
calendar). Ours are all of `lightgbm_daily`'s own, which mlforecast's own transforms cannot all tell, so it is given
the shorter list and no more history than they reach; the table says how many there were. Each runs twice in processes
of its own, in turns; the quicker turn counts. Seconds until the table of lessons is there, until the trees are grown,
and until 28 days of every series are foretold; the most memory held, in GB, the history itself included; and the WAPE
of the 28 days, so that nobody is quick by leaving something out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.forecast import FIRST_DAY, HORIZON, Sales

ORIGIN, LEARNED, REACH = 1885, 336, 182
TREES: dict[str, Any] = {
    "learning_rate": 0.07, "num_leaves": 63, "min_child_samples": 60, "colsample_bytree": 0.6, "reg_lambda": 0.1,
    "objective": "tweedie", "tweedie_variance_power": 1.1, "verbosity": -1, "n_jobs": 2, "random_state": 1}
ROUNDS, TURNS = 200, 2


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """History and kinds of each series, as far back as features reach, and what was sold after it [n, 28]."""
    sales = Sales(folder / "m5", "CA_1")
    known, days = ORIGIN - FIRST_DAY + 1, LEARNED + HORIZON + REACH
    units = sales.units[:, max(0, known - days):known]
    history = pd.DataFrame({"unique_id": np.repeat(sales.ids, units.shape[1]), "y": units.reshape(-1).astype(float),
                            "ds": np.tile(sales.days[known - units.shape[1]:known], len(units))})
    first = np.where((units > 0).any(axis=1), (units > 0).argmax(axis=1), units.shape[1])
    history = history[(np.arange(units.shape[1]) >= first[:, None]).reshape(-1)].reset_index(drop=True)
    kinds = sales.labels[["dept_id", "cat_id"]].assign(unique_id=sales.ids)
    return history, kinds, sales.units[:, known:known + HORIZON]


def ours(history: pd.DataFrame, kinds: pd.DataFrame) -> tuple[list[float], int, int, pd.DataFrame]:
    """Seconds of the three steps, rows, features, and what was foretold: unique_id by days."""
    from apps.forecasting.engine import lightgbm_daily
    from apps.forecasting.engine.base import Grid, Panel

    module: Any = lightgbm_daily
    grow, marks, rows = module.grow_trees, [time.perf_counter()], []

    def grow_trees(lessons: np.ndarray, *given: Any, **named: Any) -> Any:
        marks.append(time.perf_counter())
        rows.append(len(lessons))
        return grow(lessons, *given, **named)

    module.grow_trees = grow_trees
    panel = Panel.from_frames(history, kinds, None, known_ahead=[], grid=Grid(days=HORIZON), country="US",
                              cutoff=history["ds"].max())
    model = lightgbm_daily.LightGBMDaily(bags=1, rows=10**9, days=LEARNED, rounds=ROUNDS, threads=2)
    grown = model.grow(panel, 1, lambda _done, _words: None)
    marks.append(time.perf_counter())
    means = grown.daily_means(panel, HORIZON)
    marks.append(time.perf_counter())
    return list(np.diff(marks)), rows[0], len(grown.bags[0].names), pd.DataFrame(means, index=panel.ids)


def theirs(history: pd.DataFrame, kinds: pd.DataFrame) -> tuple[list[float], int, int, pd.DataFrame]:
    """The same of mlforecast."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean, RollingStd, SeasonalRollingMean

    marks = [time.perf_counter()]
    columns = ["dept_id", "cat_id"]
    frame = history.merge(kinds, on="unique_id")
    frame[columns] = frame[columns].astype("category")
    windows = [RollingMean(days, min_samples=1) for days in (7, 14, 28, 56, 112, 182)]
    weekdays = [SeasonalRollingMean(season_length=7, window_size=weeks, min_samples=1) for weeks in (4, 13)]
    made: Any = MLForecast(models={"lgb": LGBMRegressor(n_estimators=ROUNDS, **TREES)}, freq="D", lags=[28, 35, 42],
                      lag_transforms={28: [*windows, *weekdays, RollingStd(28, min_samples=2)]},
                      date_features=["dayofweek", "day"], num_threads=2)
    lessons: Any = made.preprocess(frame, static_features=columns, dropna=False)
    lessons = lessons[(lessons["ds"] > history["ds"].max() - pd.Timedelta(days=LEARNED)) & lessons["lag28"].notna()]
    shown = lessons.drop(columns=["unique_id", "ds", "y"])
    marks.append(time.perf_counter())
    made.fit_models(shown, lessons["y"])
    marks.append(time.perf_counter())
    table: Any = made.predict(HORIZON)
    marks.append(time.perf_counter())
    means = table.pivot_table(index="unique_id", columns="ds", values="lgb")
    return list(np.diff(marks)), len(lessons), shown.shape[1], means


def one(name: str, folder: Path) -> dict[str, Any]:
    """Run one of the two, in this process."""
    history, kinds, sold = read(folder)
    seconds, rows, features, means = {"ours": ours, "mlforecast": theirs}[name](history, kinds)
    found = means.reindex(kinds["unique_id"]).fillna(0).to_numpy()
    return {"by": name, "rows": rows, "features": features,
            **{step: round(spent, 1) for step, spent in zip(("lessons", "trees", "answers"), seconds, strict=True)},
            "seconds": round(sum(seconds), 1),
            "gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
            "wape": round(float(np.abs(found - sold).sum() / sold.sum()), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds m5")
    parser.add_argument("--only", choices=["ours", "mlforecast"], help="one of the two, once, as JSON")
    given = parser.parse_args()
    if given.only:
        print(json.dumps(one(given.only, given.data)))
        return
    rows = []
    for name in ["ours", "mlforecast"] * TURNS:
        # threads that wait sleep on both sides: beside other work, spinning ones took eight times as long
        told = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.speed", str(given.data), "--only", name],
            check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}).stdout
        rows.append(json.loads(told.splitlines()[-1]))
    table = pd.DataFrame(rows).sort_values("seconds").drop_duplicates("by").set_index("by")
    print(table.to_string())
    mine, other = table.loc["ours"], table.loc["mlforecast"]
    print(f"mlforecast takes {other['seconds'] / mine['seconds']:.1f} times as long, and "
          f"{other['gigabytes'] / mine['gigabytes']:.1f} times the memory")


if __name__ == "__main__":
    main()
