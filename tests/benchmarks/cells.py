"""How honest bands are, cell by cell of money and steadiness: on the demo's grocer, standing five times before its end.

Cells are A, B, C by money of the last 26 weeks (the first 80, the next 15 % of it, the rest) and X, Y, Z by how much
the last 13 weeks varied (standard deviation over mean below 0.5, below 1, above; Z too where nothing was sold). Of sums
over so many days, from forecasts made with what was known: the share inside the central 80 % band (by the randomised
PIT, 80 % where it is calibrated), the bias of the mean, and the levels tau at which the share below the quantile is
above tau + .03 or the share at or below it is under tau - .03.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from apps.forecasting.engine.backtest import rolling_cutoffs
from apps.forecasting.engine.base import Grid, Panel
from apps.forecasting.engine.distribution import negative_binomial_below
from apps.forecasting.engine.models import MODELS, make
from apps.forecasting.engine.segments import abc_classes, money, xyz_classes
from tests.benchmarks.models import grocer

CUTOFFS, SPANS = 5, (14, 28)
LEVELS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
FEWEST = 150


def told(panel: Panel, model: str) -> pd.DataFrame:
    """One row for each series, cutoff and span: the cell, what was foretold and sold, and where it fell."""
    draw, parts = np.random.default_rng(0), []
    for cutoff in rolling_cutoffs(panel, CUTOFFS):
        known = panel.upto(cutoff)
        forecast = make(model).fit(known).predict(Grid(days=max(SPANS)))
        on_sale, cell = known.available.any(axis=1), np.char.add(abc_classes(money(known)), xyz_classes(known))
        for days in SPANS:
            if known.n_days + days > panel.n_days:
                continue
            sold = panel.sales[:, known.n_days : known.n_days + days].sum(axis=1, dtype=np.float64)
            mean = forecast.sum_mean(days)
            variance, quantiles = forecast.variance_of(mean), forecast.sum_quantiles(LEVELS, days)
            below, upto = (negative_binomial_below(sold - less, mean, variance) for less in (1, 0))
            pit = below + draw.random(len(sold)) * (upto - below)
            part = pd.DataFrame({"days": days, "cell": cell, "mean": mean, "sold": sold,
                                 "inside": (pit > 0.1) & (pit < 0.9)})
            for place, level in enumerate(LEVELS):
                part[f"short {level}"], part[f"upto {level}"] = sold < quantiles[:, place], sold <= quantiles[:, place]
            parts.append(part[on_sale])
    return pd.concat(parts)


def row(name: str, some: pd.DataFrame) -> dict[str, object]:
    off = [level for level in LEVELS
           if some[f"short {level}"].mean() > level + 0.03 or some[f"upto {level}"].mean() < level - 0.03]
    return {"cell": name, "sums": len(some), "in 80 %": f"{some['inside'].mean():.0%}",
            "bias": f"{some['mean'].sum() / some['sold'].sum() - 1:+.0%}", "off at": ", ".join(map(str, off)) or "-"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(MODELS), default="lightgbm")
    given = parser.parse_args()
    panel = grocer()
    found = told(panel, given.model)
    print(f"{panel.n_series:,} series by {given.model} at {CUTOFFS} cutoffs")
    for days, some in found.groupby("days"):
        groups = [*some.groupby("cell"), ("50 and more", some[some["mean"] >= 50]), ("all", some)]
        rows = [row(str(name), group) for name, group in groups if len(group) >= FEWEST]
        print(f"\nSums over {days} days\n{pd.DataFrame(rows).to_string(index=False)}")


if __name__ == "__main__":
    main()
