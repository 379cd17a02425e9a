"""The engine alone, from the shell: parquet in, parquet out.

    python -m apps.forecasting.engine forecast --history H.parquet --horizon 28 --freq D --out F.parquet
    python -m apps.forecasting.engine backtest --history H.parquet --horizon 28 --freq D --json scores.json
    python -m apps.forecasting.engine explain  --history H.parquet --horizon 28 --freq D --out E.parquet

History: unique_id, ds, y, optional available (0 to 1) and sold_out (0 or 1), and any covariates: numbers or words.
Future: unique_id, ds, and the covariates that are known ahead. Static: unique_id and labels.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apps.forecasting.engine import frames
from apps.forecasting.engine.automatic import AUTO, BY_DAY, BY_WEEK, FITTED_BY, Clock, OutOfTime, fit_within
from apps.forecasting.engine.backtest import backtest, rolling_cutoffs
from apps.forecasting.engine.base import Forecaster, Panel
from apps.forecasting.engine.calendar import UnknownCountry
from apps.forecasting.engine.explanation import explain
from apps.forecasting.engine.frames import FrameError, NotEnoughHistory
from apps.forecasting.engine.models import BASELINES, MODELS, RIVALS, make
from apps.forecasting.engine.newcomers import explained, with_newcomers
from apps.forecasting.engine.periods import FREQS, NAMES, Periods
from apps.forecasting.engine.selection import choose_champion
from apps.forecasting.engine.sklearn_trees import DecisionTree
from apps.forecasting.engine.tuning import NothingToTune, tunable, tune

MOST_SUMMED_DAYS = 28
"""Settings are judged by sums over the horizon, and by those of its first four weeks where it is longer."""
COMPARED = (*BASELINES, "lightgbm", "lightgbm_daily", "blend")


def parser() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    about, _, columns = (__doc__ or "").partition("\n\n")
    reader = argparse.ArgumentParser(
        prog="python -m apps.forecasting.engine", description=about, epilog=columns.rpartition("\n\n")[2]
    )
    asked = reader.add_subparsers(dest="asked", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--history", type=Path, required=True, metavar="H.parquet", help="unique_id, ds, y, covariates")
    shared.add_argument("--future", type=Path, metavar="X.parquet", help="unique_id, ds, covariates known ahead")
    shared.add_argument("--static", type=Path, metavar="S.parquet", help="unique_id and labels")
    shared.add_argument("--horizon", type=_count, required=True, metavar="N", help="periods ahead")
    shared.add_argument("--freq", choices=FREQS, default="D", help="days (default), weeks or months")
    shared.add_argument("--country", metavar="CC", help="whose public holidays count, for example US; months know none")
    shared.add_argument("--seed", type=int, default=1, help="the same seed gives the same forecast (default 1)")
    one = argparse.ArgumentParser(add_help=False, parents=[shared])
    one.add_argument("--out", type=Path, required=True, metavar="F.parquet", help="the file to write")
    one.add_argument("--model", choices=[AUTO, *MODELS], default=AUTO, help="default: the best that there is time for")
    one.add_argument("--tune-seconds", type=_seconds, metavar="N",
                     help="search the settings of the model named for so long, and use what beats its defaults")
    one.add_argument("--budget-seconds", type=float, metavar="N", help="what takes longer gives way to a cheaper model")
    asked.add_parser("forecast", parents=[one], help="fit one model and forecast")
    why = asked.add_parser("explain", parents=[one], help="fit one model and say what moves its forecasts")
    why.add_argument("--series", action="append", metavar="ID", help="only this one; may be repeated; default all")
    many = asked.add_parser("backtest", parents=[shared], help="score models at rolling cutoffs and name the best")
    many.add_argument("--model", choices=list(MODELS), action="append", help="may be repeated; default the usual ones")
    many.add_argument("--cutoffs", type=_count, default=4, metavar="N", help="how many, a horizon apart (default 4)")
    many.add_argument("--json", type=Path, metavar="FILE", help="write scores and verdict there; - for stdout")
    return reader


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after one sentence on what is wrong with the input."""
    told = parser().parse_args(arguments)
    try:
        {"forecast": _forecast, "backtest": _backtest, "explain": _explain}[told.asked](told)
    except (FrameError, NotEnoughHistory, NothingToTune, UnknownCountry, OSError) as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    return 0


def _read(path: Path, name: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError as error:
        raise FrameError(f"There is no file {path} to read the {name} from.") from error
    except OSError:
        raise
    except Exception as error:  # the library raises what its columns, codecs and versions bring
        raise FrameError(f"The {name} file {path} is not a parquet file that can be read.") from error


def read_panel(told: argparse.Namespace) -> tuple[Panel, Periods]:
    """Return the panel that the files tell, and what its periods are called."""
    history = _read(told.history, "history")
    frames.require_columns(history, [frames.UNIQUE_ID, frames.DS, frames.Y], "history")
    periods = Periods.of(history, told.freq)
    static = _read(told.static, "static") if told.static else None
    own = [frames.UNIQUE_ID, frames.DS, frames.Y, frames.AVAILABLE, frames.SOLD_OUT]
    covariates = [column for column in history.columns if column not in own]
    ahead: list[str] = []
    told_of = history[[frames.UNIQUE_ID, frames.DS, *covariates]]
    if told.future:
        future = _read(told.future, "future")
        frames.require_columns(future, [frames.UNIQUE_ID, frames.DS], "future")
        ahead = [column for column in future.columns if column not in own]
        frames.require_columns(history, ahead, "history")
        later = future.loc[frames.clean_days(future, "future") > periods.last, [frames.UNIQUE_ID, frames.DS, *ahead]]
        told_of = pd.concat([told_of, later], ignore_index=True)
    sales = history[[column for column in own if column in history.columns]]
    panel = Panel.from_frames(
        periods.by_day(sales, "history"),
        static,
        periods.by_day(told_of, "covariates") if covariates else None,
        known_ahead=ahead,
        cutoff=periods.cutoff,
        grid=periods.grid(told.horizon),
        country=told.country if told.freq != "M" else None,  # its days are of no calendar
    )
    return panel, periods


def _fitted(told: argparse.Namespace, clock: Clock) -> tuple[Forecaster, Panel, Periods, list[str]]:
    if told.tune_seconds:
        tunable(told.model)  # or say so before anything is read
    panel, periods = read_panel(told)
    if unknown := sorted(set(getattr(told, "series", None) or []) - set(panel.ids.tolist())):
        raise FrameError(f"The panel has no series {', '.join(unknown)}.")
    days = periods.grid(told.horizon).horizon_days
    members = BY_DAY if told.freq == "D" else BY_WEEK
    parameters, searched = _searched(told, panel, days, clock) if told.tune_seconds else ({}, [])
    model, passed = fit_within(
        panel,
        told.model,
        parameters=parameters,
        horizon_days=days,
        members=members,
        seed=told.seed,
        clock=clock,
        on_progress=Teller(),
    )
    return model, panel, periods, [*searched, *passed]


def _searched(told: argparse.Namespace, panel: Panel, days: int, clock: Clock) -> tuple[dict[str, Any], list[str]]:
    """Return the settings that a search found, and what came of it in words; it counts to the whole budget too."""
    try:
        tuned = tune(
            panel,
            told.model,
            sum_days=min(days, MOST_SUMMED_DAYS),
            threads=os.cpu_count() or 1,
            seed=told.seed,
            clock=Clock(told.tune_seconds),
            on_progress=clock.until(FITTED_BY[0], Teller(), 0.0, 1.0),
        )
    except NotEnoughHistory as reason:
        return {}, [str(reason)]
    return tuned.parameters, [tuned.words]


def _forecast(told: argparse.Namespace) -> None:
    model, panel, periods, passed = _fitted(told, Clock(told.budget_seconds))
    forecast = with_newcomers(model.predict(periods.grid(told.horizon)), panel)
    for sentence in (*passed, *forecast.notes):
        sys.stderr.write(f"{sentence}\n")
    periods.table(forecast, told.horizon).to_parquet(told.out, index=False)
    sys.stderr.write(f"{forecast.n_series:,} series by {model.name}, {told.horizon} {NAMES[told.freq]}s each.\n")


def _explain(told: argparse.Namespace) -> None:
    clock = Clock(told.budget_seconds)
    model, panel, periods, passed = _fitted(told, clock)
    rows = np.flatnonzero(np.isin(panel.ids, told.series)) if told.series else np.arange(panel.n_series)
    days = periods.grid(told.horizon).horizon_days
    try:
        why = explain(model, days, panel, rows, clock.until(1.0, Teller(), 0.0, 1.0))
    except OutOfTime as reason:
        raise FrameError(f"{model.name} forecasts, but explaining {len(rows)} series takes longer than the "
                         f"{told.budget_seconds:g} seconds: name some by --series, or a quicker --model.") from reason
    for sentence in passed:
        sys.stderr.write(f"{sentence}\n")
    table = explained(why, with_newcomers(model.predict(periods.grid(told.horizon)), panel)).to_frame()
    table.to_parquet(told.out, index=False)
    sums = table.drop(columns=frames.UNIQUE_ID).sum()
    sums.index = [column.replace("_", " ") for column in sums.index]
    sys.stdout.write(f"Units over {told.horizon} {NAMES[told.freq]}s, {len(table)} series by {model.name}\n"
                     f"{sums.round(1).to_string()}\n")  # fmt: skip
    if isinstance(model, DecisionTree):
        sys.stdout.write(f"\n{model.drawing()}\n")


def _backtest(told: argparse.Namespace) -> None:
    panel, periods = read_panel(told)
    names = list(dict.fromkeys(told.model or COMPARED))
    days = told.horizon * periods.days
    cutoffs = rolling_cutoffs(panel, told.cutoffs, step_days=days, ahead_days=days)
    if not cutoffs:
        raise NotEnoughHistory("A backtest", panel.n_days, days + 28)
    result = backtest(
        panel, {name: partial(make, name) for name in names}, cutoffs, periods.grid(told.horizon), on_progress=Teller()
    )
    rivals = [name for name in RIVALS if name in names]
    verdict = choose_champion(result, None, [name for name in names if name not in BASELINES], rivals)
    if told.json and str(told.json) != "-":
        told.json.write_text(json.dumps(report(result, verdict), indent=1), encoding="utf-8")
    elif told.json:
        sys.stdout.write(json.dumps(report(result, verdict), indent=1) + "\n")
        return
    means = pd.DataFrame({metric: result.table(metric).mean(axis=1) for metric in SHOWN})
    sys.stdout.write(f"{means.sort_values('scaled_pinball').round(4).to_string()}\n{verdict.reason}\n")


SHOWN = ("scaled_pinball", "crps", "sum_wape", "sum_bias", "wape", "rmse", "mase", "rmsse", "wrmsse", "coverage_80")


def report(result: Any, verdict: Any) -> dict[str, Any]:
    """Return every score and the verdict as JSON can hold them."""
    scores = result.scores.assign(cutoff=result.scores[frames.CUTOFF].astype(str))
    rows = scores.replace({np.nan: None}).to_dict("records")
    notes = result.notes.assign(cutoff=result.notes[frames.CUTOFF].astype(str)).to_dict("records")
    seconds = result.seconds.assign(cutoff=result.seconds[frames.CUTOFF].astype(str)).to_dict("records")
    return {"champion": verdict.champion, "outcome": verdict.outcome, "reason": verdict.reason, "scores": rows,
            "notes": notes, "seconds": seconds}  # fmt: skip


class Teller:
    """Progress on stderr: one line that changes on a terminal, elsewhere a line for every tenth."""

    def __init__(self) -> None:
        self.told = -1

    def __call__(self, fraction: float, sentence: str) -> None:
        """Say how far the work is, where that is news."""
        step = int(100 * fraction) if sys.stderr.isatty() else int(10 * fraction)
        if step > self.told:
            self.told = step
            line = f"{fraction:4.0%} {sentence[:100]}"
            sys.stderr.write(f"\r{line:106}" if sys.stderr.isatty() and fraction < 1 else f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
