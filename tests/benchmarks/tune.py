"""Whether a search finds better settings for a part of the demo's grocer, and what is left of them later."""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

from apps.forecasting.engine.automatic import Clock
from apps.forecasting.engine.models import MODELS
from apps.forecasting.engine.tuning import MOST_TRIALS, tune
from tests.benchmarks.models import grocer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(MODELS), default="lightgbm")
    parser.add_argument("--every", type=int, default=30, help="each so manieth item takes part")
    parser.add_argument("--back", type=int, default=28, help="days before the last one that the history ends")
    parser.add_argument("--trials", type=int, default=25, help=f"settings at most (the product: {MOST_TRIALS})")
    parser.add_argument("--seconds", type=float, help="the budget; none by default")
    given = parser.parse_args()
    panel = grocer()
    panel = panel.before(given.back) if given.back else panel
    clock = Clock(given.seconds)
    some = panel.take(np.arange(0, panel.n_series, given.every))
    found = tune(some, given.model, trials=given.trials, threads=os.cpu_count() or 1, clock=clock)
    for trial in found.trials:
        print(" ".join(f"{loss:.5f}" for loss in trial.losses).ljust(15),
              ", ".join(f"{name} {value:.4g}" for name, value in trial.settings.items()))
    print(f"{some.n_series:,} series known through {some.cutoff}, {time.monotonic() - clock.began:.0f} s.", found.words)


if __name__ == "__main__":
    main()
