"""The files of the shell, as a buyer would write them, and what becomes of rows that cannot be planned.

No row of items is dropped: what cannot be planned is set aside with its reason, and what is planned and what is set
aside add up to the rows given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.frames import MOST_YEARS, Flags, Floats, InputError, Ints, Limits
from apps.optimization.engine.replenish import Plan

Reasons = NDArray[np.object_]

ENGINE_NAMES: Mapping[str, str] = {
    "supplier": "supplier_id",
    "lost_sale_cost": "shortage_cost",
    "lead_time_sd_days": "lead_time_spread_days",
    "review_days": "review_period_days",
}
"""What a buyer's columns are called in frames.ITEM_COLUMNS, where the names differ."""
LEAST: Mapping[str, float] = {
    "on_hand": -np.inf,
    "unit_cost": 0,
    "price": 0,
    "holding_cost_rate": 0,
    "lost_sale_cost": 0,
    "lead_time_days": 0,
    "lead_time_sd_days": 0,
    "review_days": 0,
    "moq": 0,
    "pack_size": 1,
}
"""The numbers that every item needs, and the least each may be."""
WHOLE = ("on_hand", "moq", "pack_size")
PATH_COLUMNS = ("unique_id", "path", "ds", "y")
LIMIT_NAMES: Mapping[str, str] = {
    "budget": "cash_budget",
    "supplier_minimums": "supplier_minimums",
    "max_cover_days": "max_cover_days",
}
HISTORY_COLUMNS = ("unique_id", "ds", "y")
MOST_DAYS = 730
"""No demand is read further ahead than this: one slip in a date would else fill the memory with days."""
MOST_UNITS = 10**9
DRAWN_PATHS = 200
"""Paths that are made of quantiles."""
SUPPLIER_CHOICE = ("unit_cost", "lead_time_days", "supplier")
"""Of several suppliers of an item the first by these is planned with."""


@dataclass(frozen=True)
class Asked:
    """What a plan is made of: the rows that can be planned, in the engine's names, and why the others cannot.

    given     the items as they were given
    reason    [rows given] why a row is set aside; the empty text for one that is planned
    items     the engine's frame of the others, in their order
    demand    their paths
    day       the planning day; None where demand has no dates
    """

    given: pd.DataFrame
    reason: Reasons
    items: pd.DataFrame
    demand: ArrayDemand
    day: pd.Timestamp | None


def read_asked(items: pd.DataFrame, demand: pd.DataFrame, day: pd.Timestamp | None = None) -> Asked:
    """Match items and demand.

    items   unique_id, supplier and LEAST's columns; optional max_order_quantity (units)
    demand  sample paths: unique_id, path, ds, y (whole units; a day without a row sells nothing); or quantiles of
            demand over lead time and review period: unique_id and columns q0.05, q0.50, ...
    day     the planning day; the first day of the paths where None

    Raises InputError where a column is missing or nothing at all could be planned for the frames' shape.
    """
    needed = ["unique_id", "supplier", *LEAST]
    missing = [f"items: the column {name!r} is missing." for name in needed if name not in items.columns]
    levels = [name for name in demand.columns if _level(name) is not None]
    is_paths = not levels
    if is_paths:
        missing += [
            f"demand: the column {name!r} is missing; it takes paths ({', '.join(PATH_COLUMNS)}) or quantiles "
            "(unique_id, q0.05, q0.50, ...)."
            for name in PATH_COLUMNS
            if name not in demand.columns
        ]
    elif "unique_id" not in demand.columns:
        missing.append("demand: the column 'unique_id' is missing.")
    if demand.empty and not missing:
        missing.append("demand: it holds no rows.")
    if missing:
        raise InputError(missing)
    given = items.reset_index(drop=True)
    reason = _reasons(given)
    start = day
    if is_paths:
        told, start = told_by_paths(given, demand, day)
    else:
        told = _told_by_quantiles(given, demand, sorted(levels, key=lambda name: _level(name) or 0.0))
    _add(reason, ~told.is_known, "demand tells nothing of it")
    _add(reason, told.is_wrong, "its demand holds a missing or negative number, or one that is not whole")
    days = told.array.shape[2]
    short = _protection_days(given) > days
    _add(reason, short, f"its demand reaches {days} days, and lead time and review period need more")
    _leave_one_supplier(given, reason)
    planned = np.flatnonzero(reason == "")
    columns = ["unique_id", "supplier", *LEAST, *(["max_order_quantity"] if "max_order_quantity" in given else [])]
    chosen = given.loc[planned, columns].reset_index(drop=True).rename(columns=dict(ENGINE_NAMES))
    return Asked(given, reason, chosen, ArrayDemand(told.array[planned]), start)


def read_arrivals(frame: pd.DataFrame, day: pd.Timestamp | None) -> pd.DataFrame:
    """unique_id, day, quantity as the engine takes them, from unique_id, date, quantity.

    Raises InputError where a column is missing, a date is none, or there is no planning day to count from.
    """
    missing = [name for name in ("unique_id", "date", "quantity") if name not in frame.columns]
    if missing:
        raise InputError([f"arrivals: the column {name!r} is missing." for name in missing])
    if day is None:
        raise InputError(["arrivals: demand in quantiles has no dates; give the planning day by --day 2026-01-31."])
    dates = _dates(frame["date"])
    if dates.isna().any():
        raise InputError([f"arrivals: date is missing or no date in {int(dates.isna().sum())} rows."])
    return pd.DataFrame(
        {"unique_id": frame["unique_id"], "day": (dates - day).dt.days, "quantity": frame["quantity"]}
    )


def read_history(frame: pd.DataFrame, items: pd.DataFrame) -> tuple[Ints, pd.Timestamp]:
    """(units [n, days] in the items' order, the last day), from HISTORY_COLUMNS.

    Items that are not asked for are left out. Raises InputError with every problem found.
    """
    missing = [f"history: the column {name!r} is missing." for name in HISTORY_COLUMNS if name not in frame.columns]
    if "unique_id" not in items.columns:
        missing.append("items: the column 'unique_id' is missing.")
    if missing:
        raise InputError(missing)
    if frame.empty:
        raise InputError(["history: it holds no rows."])
    problems = []
    day = _dates(frame["ds"])
    if day.isna().any():
        problems.append(f"history: ds is missing or no date in {int(day.isna().sum())} rows.")
    units = _numbers(frame, "y")
    bad = ~_are_units(units)
    if bad.any():
        problems.append(f"history: y must be whole units of at least 0, and is not in {int(bad.sum())} rows.")
    if day.notna().any() and (day.max() - day.min()).days > MOST_YEARS * 366:
        problems.append(
            f"history: from {day.min():%Y-%m-%d} to {day.max():%Y-%m-%d} are more than {MOST_YEARS} years: is a date "
            "mistyped?"
        )
    if problems:
        raise InputError(problems)
    place = (day - day.min()).dt.days.to_numpy()
    row = pd.Index(items["unique_id"].astype(object)).get_indexer(pd.Index(frame["unique_id"].astype(object)))
    known = row >= 0
    sold = np.zeros((len(items), int(place.max()) + 1), dtype=np.int64)
    np.add.at(sold, (row[known], place[known]), units[known].astype(np.int64))
    return sold, day.max()


def read_limits(path: Path) -> Limits:
    """Limits from a JSON object with LIMIT_NAMES, each optional. Raises InputError with what is wrong with it."""
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError) as wrong:
        raise InputError([f"limits: {path.name} cannot be read: {str(wrong).rstrip('.')}."]) from wrong
    if not isinstance(told, dict):
        raise InputError([f"limits: {path.name} holds no object of limits, such as {{\"budget\": 20000}}."])
    known = ", ".join(LIMIT_NAMES)
    problems = [f"limits: {name!r} is not known; there are {known}." for name in told if name not in LIMIT_NAMES]
    minimums = told.get("supplier_minimums", {})
    if not isinstance(minimums, dict):
        problems.append('limits: supplier_minimums must name suppliers, such as {"acme": 500}.')
        minimums = {}
    numbers = {f"supplier_minimums of {name!r}": value for name, value in minimums.items()}
    numbers |= {name: told[name] for name in ("budget", "max_cover_days") if told.get(name) is not None}
    problems += [
        f"limits: {name} is {value!r}; it must be a number."
        for name, value in numbers.items()
        if isinstance(value, bool) or not isinstance(value, int | float)
    ]
    if problems:
        raise InputError(problems)
    return Limits(**{LIMIT_NAMES[name]: value for name, value in told.items() if value is not None})


def planned_table(asked: Asked, made: Plan) -> pd.DataFrame:
    """One row for each row of items given, in their order.

    unique_id, supplier, order_quantity (units; 0 where it is set aside), set_aside (the reason, or nothing), and of
    what is planned all that explain.lines tells.
    """
    lines = made.lines.drop(columns=["unique_id", "supplier_id"])
    lines.index = pd.Index(np.flatnonzero(asked.reason == ""))
    table = asked.given[["unique_id", "supplier"]].join(lines)
    table["order_quantity"] = table["order_quantity"].fillna(0).astype(np.int64)
    table["order_value"] = table["order_value"].fillna(0.0)
    table.insert(4, "set_aside", asked.reason)
    return table


def summary(asked: Asked, made: Plan, seconds: float) -> dict[str, Any]:
    """What the plan came to, as JSON can hold it: status, cost, bound, gap, what binds, seconds."""
    aside = pd.Series(asked.reason[asked.reason != ""]).value_counts()
    return {
        "status": made.status,
        "items": len(asked.given),
        "planned": len(made.lines),
        "set_aside": {str(reason): int(count) for reason, count in aside.items()},
        "lines": int((made.lines["order_quantity"] > 0).sum()),
        "order_value": made.order_value,
        "expected_cost": made.expected_cost,
        "bound": made.expected_cost - made.gap,
        "gap": made.gap,
        "gap_share": made.gap / made.saves if made.saves > 0 else 0.0,
        "saves": made.saves,
        "binds": [{"code": found.code, "words": str(found), **found.numbers} for found in made.findings],
        "more_budget_earns": made.cash_price,
        "suppliers": made.suppliers.to_dict("records"),
        "changes": made.changes.replace({np.nan: None}).to_dict("records"),
        "seconds": round(seconds, 2),
    }


@dataclass(frozen=True)
class Told:
    """What demand tells of each row of items: paths [n, P, D], whether it is known at all, whether it is wrong [n]."""

    array: Any
    is_known: Flags
    is_wrong: Flags


def _level(name: Any) -> float | None:
    """The level of a quantile's column, q0.05; None for another column."""
    try:
        level = float(str(name)[1:]) if str(name).startswith("q") else np.nan
    except ValueError:
        return None
    return level if 0 < level < 1 else None


def _numbers(frame: pd.DataFrame, name: str) -> Floats:
    return pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _dates(column: pd.Series) -> pd.Series:
    """Days by the clock that they were written by; NaT where there is none."""
    dates = pd.to_datetime(column, errors="coerce")
    return (dates.dt.tz_localize(None) if dates.dt.tz is not None else dates).dt.normalize()


def _are_units(values: Floats) -> Flags:
    return np.asarray((values >= 0) & (values == np.rint(values)) & (values <= MOST_UNITS))


def _protection_days(given: pd.DataFrame) -> Floats:
    """Lead time and review period [rows], NaN where one is missing."""
    days: Floats = np.ceil(_numbers(given, "lead_time_days")) + np.maximum(np.ceil(_numbers(given, "review_days")), 1)
    return days


def _add(reason: Reasons, wrong: Flags, words: str) -> None:
    """The first thing wrong with a row is its reason."""
    reason[wrong & (reason == "")] = words


def _reasons(given: pd.DataFrame) -> Reasons:
    reason = np.full(len(given), "", dtype=object)
    _add(reason, given["unique_id"].isna().to_numpy(bool), "it has no unique_id")
    supplier = given["supplier"]
    _add(reason, (supplier.isna() | (supplier.astype(str).str.strip() == "")).to_numpy(bool), "it has no supplier")
    for name, least in LEAST.items():
        values = _numbers(given, name)
        _add(reason, ~np.isfinite(values), f"{name} is missing or no number")
        _add(reason, values < least, f"{name} is below {least:g}")
        if name in WHOLE:
            _add(reason, values != np.rint(values), f"{name} is no whole number")
    _add(reason, _protection_days(given) > MOST_DAYS, f"lead time and review period are more than {MOST_DAYS} days")
    if "max_order_quantity" in given:
        most = _numbers(given, "max_order_quantity")
        _add(reason, most < np.maximum(_numbers(given, "moq"), 1), "its MOQ is above max_order_quantity")
    return reason


def _leave_one_supplier(given: pd.DataFrame, reason: Reasons) -> None:
    """Of rows of one item that could all be planned, keep the first in SUPPLIER_CHOICE."""
    able = given[reason == ""]
    order = able.sort_values(list(SUPPLIER_CHOICE), key=lambda column: column.astype(str) if column.name == "supplier"
                             else pd.to_numeric(column), kind="stable")  # fmt: skip
    first = order.drop_duplicates("unique_id").set_index("unique_id")["supplier"].astype(str)
    others = order[order["unique_id"].duplicated()]
    chosen = first.loc[others["unique_id"]].to_numpy(dtype=object)
    again = others["supplier"].astype(str).to_numpy(dtype=object) == chosen
    reason[others.index] = np.where(
        again,
        "it is bought from " + chosen + " by another row, which is cheaper, quicker, or stands before this one",
        "it is bought from " + chosen + ", which is cheaper, quicker, or first by name",
    )


def told_by_paths(given: pd.DataFrame, demand: pd.DataFrame, day: pd.Timestamp | None) -> tuple[Told, pd.Timestamp]:
    """Paths of the items given, from PATH_COLUMNS, and the day that they start on: `day`, or their own first.

    Raises InputError where dates or paths are none, lie too far ahead, or all before that day."""
    if demand.empty:
        raise InputError(["demand: it holds no rows."])
    dates = _dates(demand["ds"])
    path = _numbers(demand, "path")
    problems = []
    if dates.isna().any():
        problems.append(f"demand: ds is missing or no date in {int(dates.isna().sum())} rows.")
    if not (np.isfinite(path) & (path >= 0) & (path == np.rint(path))).all():
        problems.append("demand: path must count 0, 1, 2, ...")
    if problems:
        raise InputError(problems)
    start = dates.min() if day is None else day
    offset = (dates - start).dt.days.to_numpy()
    ids = pd.Index(demand["unique_id"].astype(object).unique())
    row = ids.get_indexer(pd.Index(demand["unique_id"].astype(object)))
    units = _numbers(demand, "y")
    wrong = ~_are_units(units)
    numbers = pd.Index(np.unique(path)).get_indexer(pd.Index(path))
    ahead = (offset >= 0) & ~wrong
    if not (offset >= 0).any():
        raise InputError([f"demand: its last day is {dates.max():%Y-%m-%d}, before the planning day {start:%Y-%m-%d}."])
    if offset.max() >= MOST_DAYS:
        raise InputError(
            [f"demand: it reaches to {dates.max():%Y-%m-%d}, and no further than {MOST_DAYS} days from "
             f"{start:%Y-%m-%d} is read: is a date mistyped?"]
        )  # fmt: skip
    array = np.zeros((len(ids), int(numbers.max()) + 1, int(offset.max()) + 1), dtype=np.int32)
    np.add.at(array, (row[ahead], numbers[ahead], offset[ahead]), units[ahead].astype(np.int32))
    return _matched(given, ids, array, np.asarray(np.bincount(row, wrong, len(ids)) > 0)), start


def _told_by_quantiles(given: pd.DataFrame, demand: pd.DataFrame, levels: list[str]) -> Told:
    """Paths whose sums over each item's protection period have these quantiles; a sum is spread evenly over its days.

    The quantile function is read between its levels by straight lines, and beyond the outer ones stays at them.
    """
    doubled = demand["unique_id"].duplicated()
    if doubled.any():
        raise InputError([f"demand: {int(doubled.sum())} rows repeat a unique_id."])
    ids = pd.Index(demand["unique_id"].astype(object))
    values = np.column_stack([_numbers(demand, name) for name in levels])
    wrong: Flags = np.asarray(~((values >= 0) & (values <= MOST_UNITS)).all(axis=1))
    values = np.maximum.accumulate(np.where(wrong[:, None], 0.0, values), axis=1)
    even = (np.arange(DRAWN_PATHS) + 0.5) / DRAWN_PATHS
    known = np.array([_level(name) for name in levels], dtype=np.float64)
    place = np.clip(np.searchsorted(known, even) - 1, 0, max(len(known) - 2, 0))
    after = np.minimum(place + 1, len(known) - 1)
    span = known[after] - known[place]
    share = np.clip(np.divide(even - known[place], span, out=np.zeros_like(even), where=span > 0), 0, 1)
    sums = np.rint(values[:, place] + (values[:, after] - values[:, place]) * share)
    row = ids.get_indexer(pd.Index(given["unique_id"].astype(object)))
    length = _protection_days(given)
    length = np.where((length >= 1) & (length <= MOST_DAYS), length, 1).astype(np.int64)  # others are set aside
    days = np.arange(int(length.max(initial=1)) + 1)
    done = np.minimum(days[None, :] / length[:, None], 1.0)
    sums = np.where(row[:, None] >= 0, sums[row], 0.0)
    array = np.diff(np.rint(sums[:, :, None] * done[:, None, :]), axis=2).astype(np.int32)
    return Told(array, row >= 0, (row >= 0) & wrong[row])


def _matched(given: pd.DataFrame, ids: pd.Index, array: Any, wrong: Flags) -> Told:
    row = ids.get_indexer(pd.Index(given["unique_id"].astype(object)))
    return Told(array[row], row >= 0, (row >= 0) & wrong[row])
