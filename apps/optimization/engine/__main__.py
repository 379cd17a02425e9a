"""The engine alone, from the shell: parquet in, parquet out.

python -m apps.optimization.engine plan --items I.parquet --demand D.parquet --out P.parquet [--limits L.json]
    [--arrivals A.parquet] [--previous earlier.parquet] [--smallest-gain 0.5] [--day 2026-01-31] [--json FILE]
    [--seed 0]

I.parquet: unique_id, supplier, on_hand, unit_cost, price, holding_cost_rate (a year), lost_sale_cost, lead_time_days,
lead_time_sd_days, review_days, moq, pack_size; optional max_order_quantity.
D.parquet: paths (unique_id, path, ds, y: whole units, absent rows are zero), or quantiles of demand over lead time and
review period (unique_id, q0.05, q0.50, ...). A.parquet: unique_id, date, quantity.
L.json: {"budget": 20000, "supplier_minimums": {"acme": 500}, "max_cover_days": 365}, each optional.
The planning day is the first day of the paths, or --day. Writes a row for each row of items: what to order and why, or
why it is set aside; with --json (- for stdout) status, bound, gap, what binds and seconds.

python -m apps.optimization.engine simulate --items items.parquet --history history.parquet --policy NAME
    [--policy NAME ...] --days 365 [--run-in 28] --out replay.parquet [--json replay.json] [--seed 0]

history.parquet: unique_id, ds, y (whole units; absent days are zero, rows of a day are added up). The last `--days`
days count, the `--run-in` days before them are lived and not counted, and what lies before that policies look back on.
The items' on_hand is the stock as the run-in begins. NAME: one of policies.BY_NAME. Writes policy, figure, value, low,
high (figures: simulate.Replay.table; profit_gained is the profit above that of the policy named first), with --json the
same as JSON, and prints the main figures.

python -m apps.optimization.engine markdown --items I.parquet --demand D.parquet --out M.parquet [--history W.parquet]
    [--rules R.json] [--hold-out WEEKS] [--json FILE] [--seed 0]

I.parquet: unique_id, on_hand, price (that demand is forecast at), unit_cost, holding_cost_rate (a year); elasticity
and elasticity_sd, or W.parquet to read them from; optional category, group (of substitutes), sell_by (the last day of
sale), salvage_value, floor_price, current_price, lowest_price, days_since_change, recent_units.
D.parquet: paths (unique_id, path, ds, y), or unique_id, ds, mean, variance; it reaches as far as horizon_days.
W.parquet: unique_id, week, units, price, optional available; every other column is a control between 0 and 1 (mailer).
R.json: {"depths": [0.1, 0.2, 0.3, 0.5], "cadence_days": 14, "horizon_days": 84, "ending": "99", "protection_days": 0,
"cover_days": 120, "slow_units_a_week": 0.25, "smallest_gain": 1}, each optional.
Writes a row for each candidate (markdown.Markdowns); with --hold-out also which side of a randomised test of so many
weeks each proposed item is on (arm, pair), and says first how small an uplift it can see.

Progress goes to the error output. What is wrong with the input is said there in sentences, with exit status 2.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apps.optimization.engine import files, holdout, markdown, markdown_files
from apps.optimization.engine.frames import InputError
from apps.optimization.engine.policies import BY_NAME
from apps.optimization.engine.replenish import SMALLEST_GAIN, plan
from apps.optimization.engine.simulate import Replay, difference, replay

PRINTED = ("cost", "lost_margin", "holding", "profit", "fill_rate", "stockout_days", "average_stock_value", "turns")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m apps.optimization.engine", description="What to order, and why.")
    commands = parser.add_subparsers(required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--items", type=Path, required=True)
    shared.add_argument("--out", type=Path, required=True)
    shared.add_argument("--json", type=Path, help="- for the standard output")
    shared.add_argument("--seed", type=int, default=0)
    planning = commands.add_parser("plan", parents=[shared], help="what to order today")
    planning.set_defaults(run=run_plan)
    planning.add_argument("--demand", type=Path, required=True)
    planning.add_argument("--arrivals", type=Path)
    planning.add_argument("--limits", type=Path)
    planning.add_argument("--previous", type=Path)
    planning.add_argument("--smallest-gain", type=float, default=SMALLEST_GAIN)
    planning.add_argument("--day", help="the planning day, 2026-01-31; default the first day of the paths")
    living = commands.add_parser("simulate", parents=[shared], help="what rules would have cost in the past")
    living.set_defaults(run=run_simulate)
    living.add_argument("--history", type=Path, required=True)
    living.add_argument("--policy", action="append", required=True, metavar="NAME", help=", ".join(BY_NAME))
    living.add_argument("--days", type=int, required=True)
    living.add_argument("--run-in", type=int, default=28)
    clearing = commands.add_parser("markdown", parents=[shared], help="which prices to cut, when and how far")
    clearing.set_defaults(run=run_markdown)
    clearing.add_argument("--demand", type=Path, required=True)
    clearing.add_argument("--history", type=Path)
    clearing.add_argument("--rules", type=Path)
    clearing.add_argument("--hold-out", type=int, metavar="WEEKS", help="a randomised test of the proposed cuts")
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except InputError as wrong:
        sys.stderr.write("\n".join(wrong.problems) + "\n")
        return 2
    return 0


def run_plan(given: argparse.Namespace) -> None:
    started = time.perf_counter()
    asked = files.read_asked(
        read_parquet("items", given.items), read_parquet("demand", given.demand), read_day(given.day)
    )
    arrivals = files.read_arrivals(read_parquet("arrivals", given.arrivals), asked.day) if given.arrivals else None
    limits = files.read_limits(given.limits) if given.limits else None
    previous = read_parquet("previous plan", given.previous) if given.previous else None
    if previous is not None and "set_aside" in previous.columns:
        previous = previous[previous["set_aside"] == ""]
    aside = len(asked.given) - len(asked.items)
    sys.stderr.write(f"planning {len(asked.items):,} items, {aside:,} set aside ... ")
    sys.stderr.flush()
    made = plan(
        asked.items,
        arrivals,
        asked.demand,
        limits=limits,
        previous=previous,
        smallest_gain=given.smallest_gain,
        seed=given.seed,
    )
    seconds = time.perf_counter() - started
    sys.stderr.write(f"{seconds:.1f} s\n")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    files.planned_table(asked, made).to_parquet(given.out, index=False)
    told = files.summary(asked, made, seconds)
    for reason, count in told["set_aside"].items():
        sys.stderr.write(f"set aside, {count:,} of {len(asked.given):,}: {reason}.\n")
    words = "".join(f" {found}" for found in made.findings)
    sys.stderr.write(
        f"{made.status}: {told['lines']:,} lines for {made.order_value:,.2f}, gap {told['gap_share']:.2%}.{words}\n"
    )
    if given.json:
        write_json(given.json, told)


def write_json(path: Path, told: dict[str, Any]) -> None:
    """- is the standard output."""
    text = json.dumps(told, indent=2, default=float, allow_nan=False) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read_day(text: str | None) -> pd.Timestamp | None:
    """Raises InputError where it is no date."""
    if text is None:
        return None
    day = pd.to_datetime(text, errors="coerce", format="%Y-%m-%d")
    if pd.isna(day):
        raise InputError([f"day: {text!r} is no date such as 2026-01-31."])
    return day


def run_simulate(given: argparse.Namespace) -> None:
    names = list(dict.fromkeys(given.policy))
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        known = ", ".join(BY_NAME)
        raise InputError([f"policy: {name!r} is not known; there are {known}." for name in unknown])
    items = read_parquet("items", given.items)
    sold, last = files.read_history(read_parquet("history", given.history), items)
    if given.days < 1 or given.run_in < 0:
        raise InputError([f"days: {given.days} days and {given.run_in} to run in; there must be at least 1 and 0."])
    first = sold.shape[1] - given.days - given.run_in
    if first < 0:
        raise InputError(
            [f"history: it holds {sold.shape[1]} days; {given.days} and {given.run_in} to run in are asked for."]
        )
    lived: dict[str, Replay] = {}
    days = given.run_in + given.days
    for place, name in enumerate(names, start=1):
        sys.stderr.write(f"{place} of {len(names)}: {name}, {len(items):,} items, {days} days ... ")
        sys.stderr.flush()
        started = time.perf_counter()
        lived[name] = replay(
            items,
            None,
            sold[:, first:],
            BY_NAME[name],
            history=sold[:, :first],
            seed=given.seed,
            run_in_days=given.run_in,
        )
        sys.stderr.write(f"{time.perf_counter() - started:.1f} s\n")
    table = compared(lived, given.seed)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(given.out, index=False)
    if given.json:
        told: dict[str, Any] = {
            "items": len(items),
            "starts_on": str((last - pd.Timedelta(days=given.days - 1)).date()),
            "ends_on": str(last.date()),
            "run_in_days": given.run_in,
            "seed": given.seed,
            "policies": {
                name: rows.set_index("figure")[["value", "low", "high"]].to_dict("index")
                for name, rows in table.groupby("policy", sort=False)
            },
        }
        write_json(given.json, told)
    printed = table.pivot_table(index="policy", columns="figure", values="value").loc[names, list(PRINTED)]
    sys.stdout.write(printed.to_string(float_format=lambda value: f"{value:,.2f}") + "\n")


def run_markdown(given: argparse.Namespace) -> None:
    started = time.perf_counter()
    rules = markdown_files.read_rules(given.rules) if given.rules else markdown.Rules()
    history = read_parquet("history", given.history) if given.history else None
    if given.hold_out is not None and history is None:
        raise InputError(["hold-out: a test needs the past to pair items by; give it by --history."])
    items = read_parquet("items", given.items)
    asked = markdown_files.read_asked(items, read_parquet("demand", given.demand), history)
    told: dict[str, Any] = {"day": str(asked.day.date()), "items": len(items)}
    if asked.elasticities:
        found = asked.elasticities
        told["elasticity"] = {"overall": found.overall, "sd": found.overall_sd, "spread": found.spread,
                              "words": found.words}  # fmt: skip
        sys.stderr.write(f"elasticity of all {found.overall:.2f} (sd {found.overall_sd:.2f}). {found.words}\n")

    def progress(done: int, of: int) -> None:
        sys.stderr.write(f"\r{done:,} of {of:,} candidates")
        sys.stderr.flush()

    made = markdown.plan(asked.items, asked.demand, rules, progress=progress)
    table = made.table
    if given.hold_out is not None and history is not None:
        proposed = table.loc[table["is_proposed"].astype(bool), ["unique_id"]]
        group = items.set_index("unique_id")["group"] if "group" in items else pd.Series(dtype=object)
        test = holdout.hold_out(
            proposed.assign(group=proposed["unique_id"].map(group)), history, test_weeks=given.hold_out, seed=given.seed
        )
        table = table.merge(test.table[["unique_id", "pair", "arm"]], "left", "unique_id")
        table["pair"], table["arm"] = table["pair"].fillna(-1).astype(np.int64), table["arm"].fillna(holdout.LEFT_OUT)
        seen = None if np.isinf(test.smallest_uplift) else test.smallest_uplift
        told["test"] = {"pairs": test.pairs, "weeks": test.test_weeks, "smallest_uplift": seen, "power": test.power}
        words = "no uplift can be promised to be seen" if seen is None else (
            f"an uplift of {seen:.0%} or more is seen in {test.power:.0%} of cases")  # fmt: skip
        sys.stderr.write(f"\nrandomised test of {test.pairs} pairs over {test.test_weeks} weeks: {words}")
    told |= made.summary | {"seconds": round(time.perf_counter() - started, 2)}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(given.out, index=False)
    sys.stderr.write(
        f"\n{told['proposed']:,} of {told['candidates']:,} candidates proposed, {told['tests']:,} of them as tests: "
        f"{told['money']:,.2f} expected, {told['money_nothing']:,.2f} doing nothing, "
        f"{told['money_clear']:,.2f} clearing at once; {told['seconds']:.1f} s\n"
    )
    if given.json:
        write_json(given.json, told)


def compared(lived: dict[str, Replay], seed: int) -> pd.DataFrame:
    """Every policy's figures, and the profit of each above that of the first: policy, figure, value, low, high."""
    first, *_others = lived.values()
    tables = []
    for name, done in lived.items():
        tables.append(done.table(seed=seed).assign(policy=name))
        if done is not first:
            gained = difference(done, first, seed=seed)
            row = {"figure": "profit_gained", "value": gained.money, "low": gained.low, "high": gained.high}
            tables.append(pd.DataFrame([{**row, "policy": name}]))
    return pd.concat(tables, ignore_index=True)[["policy", "figure", "value", "low", "high"]]


def read_parquet(name: str, path: Path) -> pd.DataFrame:
    """Raises InputError where there is no such file, or it is no parquet."""
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as wrong:
        raise InputError([f"{name}: {path.name} cannot be read: {str(wrong).rstrip('.')}."]) from wrong


if __name__ == "__main__":
    sys.exit(main())
