"""The files of the shell's `markdown`: items, demand, the past and rules, matched and checked."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apps.optimization.engine.demand import ArrayDemand, Demand, IndependentDemand
from apps.optimization.engine.elasticity import Elasticities, fit
from apps.optimization.engine.files import PATH_COLUMNS, told_by_paths
from apps.optimization.engine.frames import InputError
from apps.optimization.engine.markdown import Rules

MOMENT_COLUMNS = ("unique_id", "ds", "mean", "variance")
FITTED = ("elasticity", "elasticity_sd", "lowest_price")


@dataclass(frozen=True)
class Asked:
    items: pd.DataFrame
    """frames.read_goods"""
    demand: Demand
    day: pd.Timestamp
    """The day that offsets count from."""
    elasticities: Elasticities | None


def read_asked(items: pd.DataFrame, demand: pd.DataFrame, history: pd.DataFrame | None) -> Asked:
    """Match items with their demand and, by the past, with their elasticities.

    items: frames.read_goods' columns; `sell_by` (a date) in place of sell_by_day; optional category. What the items do
    not say of FITTED comes from the history. demand: paths (files.PATH_COLUMNS) or MOMENT_COLUMNS, a row a day.
    Raises InputError with every problem found.
    """
    problems = [] if "unique_id" in items else ["items: the column 'unique_id' is missing."]
    if history is None:
        problems += [f"items: the column {name!r} is missing; give it, or the past by --history."
                     for name in ("elasticity", "elasticity_sd") if name not in items]  # fmt: skip
    is_moments = {"mean", "variance"} <= set(demand.columns)
    wanted = MOMENT_COLUMNS if is_moments else PATH_COLUMNS
    problems += [f"demand: the column {name!r} is missing; it takes paths ({', '.join(PATH_COLUMNS)}) or means "
                 f"({', '.join(MOMENT_COLUMNS)})." for name in wanted if name not in demand.columns]  # fmt: skip
    if problems:
        raise InputError(problems)
    items = items.reset_index(drop=True)
    paths, day = (_by_moments if is_moments else _by_paths)(items, demand)
    if "sell_by" in items.columns:
        ends = pd.to_datetime(items["sell_by"], errors="coerce", format="mixed")
        if (ends.isna() & items["sell_by"].notna()).any():
            raise InputError(["items: sell_by holds something that is no date."])
        items = items.assign(sell_by_day=np.maximum((ends.dt.normalize() - day).dt.days + 1, 0))
    found = None
    if history is not None:
        static = items[["unique_id"]].assign(category=items.get("category", "all"))
        found = fit(history, static)
        told = found.table.rename(columns={"sd": "elasticity_sd"})
        items = items.assign(**{
            name: items[name].fillna(told[name]) if name in items else told[name] for name in FITTED})  # fmt: skip
    return Asked(items, paths, day, found)


def read_rules(path: Path) -> Rules:
    """Rules from a JSON object with the names of its fields, each optional. Raises InputError with what is wrong."""
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError) as wrong:
        raise InputError([f"rules: {path.name} cannot be read: {str(wrong).rstrip('.')}."]) from wrong
    if not isinstance(told, dict):
        raise InputError([f'rules: {path.name} holds no object of rules, such as {{"cadence_days": 14}}.'])
    usual = {each.name: getattr(Rules(), each.name) for each in fields(Rules)}
    known = ", ".join(usual)
    problems = [f"rules: {name!r} is not known; there are {known}." for name in told if name not in usual]
    for name, value in told.items():
        if name == "depths":
            if not isinstance(value, list) or not all(_is_number(each) for each in value):
                problems.append("rules: depths must be a list of shares, such as [0.1, 0.2, 0.5].")
        elif name == "ending":
            if not isinstance(value, str):
                problems.append(f"rules: ending is {value!r}; it must be text, such as \"99\".")
        elif name in usual and (not _is_number(value) or (isinstance(usual[name], int) and value != int(value))):
            kind = "whole number" if isinstance(usual[name], int) else "number"
            problems.append(f"rules: {name} is {value!r}; it must be a {kind}.")
    if problems:
        raise InputError(problems)
    given: dict[str, Any] = {
        name: tuple(value) if name == "depths" else type(usual[name])(value) for name, value in told.items()
    }
    return Rules(**given)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _by_paths(items: pd.DataFrame, demand: pd.DataFrame) -> tuple[ArrayDemand, pd.Timestamp]:
    told, day = told_by_paths(items, demand, None)
    problems = []
    for wrong, words in (
        (~told.is_known, "it tells nothing of"),
        (told.is_wrong, "it holds a missing or negative number, or one that is not whole, for"),
    ):
        if wrong.any():
            first = items["unique_id"].iloc[int(np.argmax(wrong))]
            problems.append(f"demand: {words} {int(wrong.sum())} items (first: {first!r}).")
    if problems:
        raise InputError(problems)
    return ArrayDemand(told.array), day


def _by_moments(items: pd.DataFrame, demand: pd.DataFrame) -> tuple[IndependentDemand, pd.Timestamp]:
    """Independent days: Poisson, or negative binomial where an item's variances are above its means."""
    dates = pd.to_datetime(demand["ds"], errors="coerce")
    numbers = demand[["mean", "variance"]].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    problems = []
    if demand.empty or dates.isna().any():
        problems.append("demand: ds must be a date in each row, and there must be one.")
    if not (np.isfinite(numbers) & (numbers >= 0)).all():
        problems.append("demand: mean and variance must be numbers of at least 0.")
    row = pd.Index(items["unique_id"].astype(object)).get_indexer(pd.Index(demand["unique_id"].astype(object)))
    absent = ~np.isin(np.arange(len(items)), row)
    if absent.any():
        first = items["unique_id"].iloc[int(np.argmax(absent))]
        problems.append(f"demand: it tells nothing of {int(absent.sum())} items (first: {first!r}).")
    if problems:
        raise InputError(problems)
    day = dates.min().normalize()
    place = (dates.dt.normalize() - day).dt.days.to_numpy()
    known = row >= 0
    mean, variance = np.zeros((2, len(items), int(place.max()) + 1))
    np.add.at(mean, (row[known], place[known]), numbers[known, 0])
    np.add.at(variance, (row[known], place[known]), numbers[known, 1])
    more = np.maximum((variance - mean).sum(axis=1), 1e-6 * np.maximum(mean.sum(axis=1), 1e-9))
    return IndependentDemand(mean, n_paths=64, shape=np.maximum((mean**2).sum(axis=1), 1e-12) / more), day
