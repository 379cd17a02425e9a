"""Lots that share a machine: Trigeiro's published cases, ours beside SCIP on the textbook's program.

DATA is a folder with `lot_sizing`: one file for each case, as Trigeiro, Thomas and McClain (1989) wrote them: items and
periods, a line, the hours of a period, a line for each item (hours for a unit, holding cost, hours and cost of a
set-up) and a line of demand for each period.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from ortools.linear_solver import pywraplp

from apps.optimization.engine.lot_sizing import Lots, schedule_lots


def read_lots(file: Path) -> Lots:
    rows = [line.split() for line in file.read_text().splitlines()]
    n, periods = int(rows[0][0]), int(rows[0][1])
    terms = np.array([row[:4] for row in rows[3 : 3 + n]], dtype=float)
    demand = np.array(rows[3 + n : 3 + n + periods], dtype=float).T
    return Lots(demand, float(rows[2][0]), terms[:, 3], terms[:, 2], terms[:, 0], terms[:, 1])


def plain_scip(lots: Lots, seconds: float) -> tuple[float, float]:
    """Cost and bound of lots, stocks and set-ups as a textbook writes them, by SCIP as it comes."""
    demand, (hours,) = np.asarray(lots.demand), np.broadcast_to(lots.capacity, 1)
    setup_cost, setup_time, unit_time, holding = (
        np.asarray(column) for column in (lots.setup_cost, lots.setup_time, lots.unit_time, lots.holding_cost))
    n, periods = demand.shape
    program = pywraplp.Solver.CreateSolver("SCIP")
    program.SetTimeLimit(int(seconds * 1000))
    made, stock = ([[program.NumVar(0, program.infinity(), "") for _ in range(periods)] for _ in range(n)]
                   for _ in range(2))
    setup = [[program.BoolVar("") for _ in range(periods)] for _ in range(n)]
    for i in range(n):
        for t in range(periods):
            program.Add((stock[i][t - 1] if t else 0) + made[i][t] - stock[i][t] == demand[i, t])
            program.Add(made[i][t] <= min((hours - setup_time[i]) / unit_time[i], demand[i, t:].sum()) * setup[i][t])
    for t in range(periods):
        program.Add(sum(unit_time[i] * made[i][t] + setup_time[i] * setup[i][t] for i in range(n)) <= hours)
    program.Minimize(sum(
        setup_cost[i] * setup[i][t] + holding[i] * stock[i][t] for i in range(n) for t in range(periods)))
    status = program.Solve()
    found = status in (pywraplp.Solver.OPTIMAL, pywraplp.Solver.FEASIBLE)
    return (program.Objective().Value() if found else np.inf), program.Objective().BestBound()


def measured(name: str, lots: Lots, seconds: float) -> dict[str, Any]:
    started = time.perf_counter()
    cost, bound = plain_scip(lots, seconds)
    between = time.perf_counter()
    ours = schedule_lots(lots, seconds=seconds)
    return {"case": name, "scip_cost": cost, "scip_bound": bound, "scip_gap": (cost - bound) / cost,
            "scip_seconds": between - started, "cost": ours.cost, "bound": ours.bound, "gap": ours.gap,
            "seconds": time.perf_counter() - between, "status": ours.status}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cases", nargs="+", help="names of files; all of the folder's unless told")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each case and side")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    folder = given.data / "lot_sizing"
    print(f"{'':10}{'SCIP':>10}{'bound':>10}{'gap':>8}{'s':>6}{'ours':>12}{'bound':>10}{'gap':>8}{'s':>6}")
    lines = []
    for name in given.cases or sorted(file.name for file in folder.iterdir()):
        line = measured(name, read_lots(folder / name), given.seconds)
        lines.append(line)
        print(f"{name:10}{line['scip_cost']:10,.1f}{line['scip_bound']:10,.1f}{line['scip_gap']:8.2%}"
              f"{line['scip_seconds']:6.1f}{line['cost']:12,.1f}{line['bound']:10,.1f}{line['gap']:8.2%}"
              f"{line['seconds']:6.1f}  {line['status']}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(lines, indent=1))


if __name__ == "__main__":
    main()
