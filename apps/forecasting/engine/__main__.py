"""The engine alone, from the shell: parquet in, parquet out.

    python -m apps.forecasting.engine forecast --history sales.parquet --static items.parquet --out forecast.parquet
    python -m apps.forecasting.engine backtest --history sales.parquet --model tsb --model lightgbm --out scores.parquet
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from apps.forecasting.engine.backtest import backtest, rolling_cutoffs
from apps.forecasting.engine.base import Grid, Panel
from apps.forecasting.engine.calendar import UnknownCountry
from apps.forecasting.engine.frames import FrameError, NotEnoughHistory
from apps.forecasting.engine.models import BASELINES, MODELS, RIVALS, fit_or_fall_back, make
from apps.forecasting.engine.selection import choose_champion

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)


def parser() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    reader = argparse.ArgumentParser(prog="python -m apps.forecasting.engine", description=__doc__.splitlines()[0])
    asked = reader.add_subparsers(dest="asked", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--history", type=Path, required=True, help="unique_id, ds, y, optional available")
    shared.add_argument("--static", type=Path, help="unique_id, category, department, brand, price, start")
    shared.add_argument("--covariates", type=Path, help="unique_id, ds, numeric columns; absent rows mean 0")
    shared.add_argument("--known-ahead", action="append", default=[], metavar="NAME", help="a covariate known ahead")
    shared.add_argument("--country", help="whose public holidays count, for example US")
    shared.add_argument("--out", type=Path, required=True, help="the parquet file to write")
    one = asked.add_parser("forecast", parents=[shared], help="fit one model and forecast")
    one.add_argument("--model", choices=list(MODELS), default="lightgbm")
    one.add_argument("--cutoff", help="last known day; default the last in the history")
    one.add_argument("--days", type=int, default=28, help="single days ahead")
    one.add_argument("--weeks", type=int, default=0, help="whole weeks after them")
    many = asked.add_parser("backtest", parents=[shared], help="score models at rolling cutoffs and name the champion")
    many.add_argument("--model", choices=list(MODELS), action="append", help="default the baselines and lightgbm")
    many.add_argument("--cutoffs", type=int, default=5, help="how many, two weeks apart")
    return reader


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after one sentence on what is wrong with the input."""
    told = parser().parse_args(arguments)
    try:
        if told.asked == "forecast":
            _forecast(told)
        else:
            _backtest(told)
    except (FrameError, NotEnoughHistory, UnknownCountry, OSError) as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    return 0


def _panel(told: argparse.Namespace, grid: Grid, cutoff: str | None) -> Panel:
    return Panel.from_frames(
        pd.read_parquet(told.history),
        pd.read_parquet(told.static) if told.static else None,
        pd.read_parquet(told.covariates) if told.covariates else None,
        known_ahead=told.known_ahead,
        cutoff=cutoff,
        grid=grid,
        country=told.country,
    )


def _forecast(told: argparse.Namespace) -> None:
    grid = Grid(days=told.days, weeks=told.weeks)
    panel = _panel(told, grid, told.cutoff)
    model, reason = fit_or_fall_back(make(told.model), panel, _say)
    if reason:
        sys.stderr.write(f"{reason}\n")
    forecast = model.predict(grid)
    frame = forecast.to_frame(LEVELS).merge(forecast.recipe_frame(), on="unique_id")
    frame.insert(1, "model", forecast.model)
    frame.to_parquet(told.out, index=False)


def _backtest(told: argparse.Namespace) -> None:
    names = told.model or [*BASELINES, "lightgbm"]
    panel = _panel(told, Grid(), None)
    result = backtest(
        panel, {name: partial(make, name) for name in names}, rolling_cutoffs(panel, told.cutoffs), on_progress=_say
    )
    result.scores.to_parquet(told.out, index=False)
    baselines = [name for name in RIVALS if name in names]
    verdict = choose_champion(result, None, [name for name in names if name not in BASELINES], baselines)
    sys.stdout.write(f"{result.table('sum_wape').round(4).to_string()}\n{verdict.reason}\n")


def _say(fraction: float, sentence: str) -> None:
    sys.stderr.write(f"\r{fraction:4.0%} {sentence[:100]:100}" + ("\n" if fraction >= 1 else ""))


if __name__ == "__main__":
    sys.exit(main())
