"""The engine alone, from the shell: parquet in, parquet out.

python -m apps.optimization.engine --items items.parquet --demand demand.parquet --out plan/
    [--arrivals arrivals.parquet] [--limits limits.json] [--previous lines.parquet] [--smallest-gain 0.5] [--seed 0]

demand.parquet: unique_id, path, day, quantity (whole units; absent rows are zero; paths and days count from 0).
limits.json: {"cash_budget": 20000, "supplier_minimums": {"acme": 500}, "max_cover_days": 365}, each optional.
Writes lines.parquet, suppliers.parquet and changes.parquet, and prints the summary as JSON. What is wrong with the
input is said in sentences on the error output, with exit status 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.frames import InputError, Limits
from apps.optimization.engine.replenish import SMALLEST_GAIN, plan

DEMAND_COLUMNS = ("unique_id", "path", "day", "quantity")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m apps.optimization.engine", description="What to order, and why.")
    parser.add_argument("--items", type=Path, required=True)
    parser.add_argument("--demand", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arrivals", type=Path)
    parser.add_argument("--limits", type=Path)
    parser.add_argument("--previous", type=Path)
    parser.add_argument("--smallest-gain", type=float, default=SMALLEST_GAIN)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    try:
        items = pd.read_parquet(given.items)
        made = plan(
            items,
            pd.read_parquet(given.arrivals) if given.arrivals else None,
            read_demand(pd.read_parquet(given.demand), items),
            limits=read_limits_file(given.limits) if given.limits else None,
            previous=pd.read_parquet(given.previous) if given.previous else None,
            smallest_gain=given.smallest_gain,
            seed=given.seed,
        )
    except InputError as wrong:
        sys.stderr.write("\n".join(wrong.problems) + "\n")
        return 2
    given.out.mkdir(parents=True, exist_ok=True)
    for name, frame in (("lines", made.lines), ("suppliers", made.suppliers), ("changes", made.changes)):
        frame.to_parquet(given.out / f"{name}.parquet", index=False)
    sys.stdout.write(json.dumps(made.summary, indent=2) + "\n")
    return 0


def read_demand(frame: pd.DataFrame, items: pd.DataFrame) -> ArrayDemand:
    """Paths [n, P, D] in the items' order, from DEMAND_COLUMNS. Raises InputError with every problem found."""
    missing = [column for column in DEMAND_COLUMNS if column not in frame.columns]
    if missing:
        raise InputError([f"demand: the column {column!r} is missing." for column in missing])
    numbers = frame[["path", "day", "quantity"]]
    whole = all(np.issubdtype(kind, np.integer) for kind in numbers.dtypes)
    if frame.empty or not whole or bool((numbers < 0).to_numpy().any()):
        raise InputError(["demand: path, day and quantity must be whole numbers of at least 0, and at least one row."])
    if "unique_id" not in items.columns:
        raise InputError(["items: the column 'unique_id' is missing."])
    row = pd.Index(items["unique_id"].astype(object)).get_indexer(pd.Index(frame["unique_id"].astype(object)))
    array = np.zeros((len(items), int(frame["path"].max()) + 1, int(frame["day"].max()) + 1), dtype=np.int32)
    known = row >= 0
    place = (row[known], frame["path"].to_numpy()[known], frame["day"].to_numpy()[known])
    np.add.at(array, place, frame["quantity"].to_numpy()[known])
    return ArrayDemand(array)


def read_limits_file(path: Path) -> Limits:
    """Limits from a JSON object with the names of its fields. Raises InputError where it is none."""
    try:
        given = json.loads(path.read_text())
        return Limits(**given)
    except (ValueError, TypeError) as wrong:
        raise InputError([f"limits: {path.name} cannot be read: {wrong}."]) from wrong


if __name__ == "__main__":
    sys.exit(main())
