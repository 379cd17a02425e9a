"""The frames at the engine's door: their columns, and one plain sentence for each thing that is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

MONEY_STEP = 10_000
"""Money is counted in ten-thousandths: limits are then compared in whole numbers, exactly."""

PARTS = ("need", "buffer", "pack_moq", "supplier_minimum", "cash", "kept")
"""The waterfall: the order in which limits are added; the parts of a line add up to its quantity."""

ITEM_COLUMNS = (
    "unique_id",
    "supplier_id",
    "on_hand",
    "unit_cost",
    "price",
    "holding_cost_rate",
    "shortage_cost",
    "lead_time_days",
    "lead_time_spread_days",
    "review_period_days",
    "moq",
    "pack_size",
)
GOODS_COLUMNS = ("unique_id", "on_hand", "price", "unit_cost", "holding_cost_rate", "elasticity", "elasticity_sd")
ARRIVAL_COLUMNS = ("unique_id", "day", "quantity")
PREVIOUS_COLUMNS = ("unique_id", "order_quantity", "expected_demand", "position", *PARTS)

MOST_YEARS = 20
"""No past is read that is longer: one slip in a date would else fill the memory with days."""

NO_CEILING = np.iinfo(np.int64).max


class InputError(ValueError):
    """What the engine was given cannot be planned with; `problems` holds one sentence for each thing wrong."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(" ".join(problems))


@dataclass(frozen=True)
class Limits:
    """What couples items with each other.

    cash_budget: the money this plan may spend, or None for no limit.
    supplier_minimums: supplier_id (compared as text) -> smallest order value the supplier takes; a supplier without
    one is left out.
    max_cover_days: no line is topped up for a supplier's minimum beyond this many days of expected demand, stock and
    orders on their way included (the smallest lot is always allowed).
    """

    cash_budget: float | None = None
    supplier_minimums: Mapping[str, float] | Mapping[int, float] = field(default_factory=dict)
    max_cover_days: float = 365.0


@dataclass(frozen=True)
class Items:
    """The items frame as arrays [n], in the frame's order; suppliers are numbered in sorted order of their ids."""

    unique_ids: NDArray[np.object_]
    supplier: Ints
    supplier_ids: NDArray[np.object_]
    on_hand: Ints
    unit_cost: Floats
    price: Floats
    holding_cost: Floats
    """Money for one unit held one day: unit_cost * holding_cost_rate / 365."""
    shortage_cost: Floats
    lead_time_days: Floats
    lead_time_spread_days: Floats
    review_period_days: Ints
    moq: Ints
    """The smallest order, already a multiple of the pack."""
    pack_size: Ints
    ceiling: Ints
    """The largest order, already a multiple of the pack; NO_CEILING where there is none."""

    def __len__(self) -> int:
        return len(self.unique_ids)

    @property
    def unit_cost_steps(self) -> Ints:
        return to_steps(self.unit_cost)


@dataclass(frozen=True)
class Arrivals:
    """What is on order, one entry per arrival: row of the item, day offset (never below 0), units."""

    row: Ints
    day: Ints
    quantity: Ints


@dataclass(frozen=True)
class Goods:
    """What may be marked down, as arrays [n] in the frame's order; NaN where an optional column says nothing."""

    unique_ids: NDArray[np.object_]
    on_hand: Ints
    price: Floats
    """The price that demand is forecast at."""
    current_price: Floats
    unit_cost: Floats
    holding_cost: Floats
    """Money for one unit held one day."""
    elasticity: Floats
    elasticity_sd: Floats
    salvage_value: Floats
    floor_price: Floats
    sell_by_day: Floats
    lowest_price: Floats
    days_since_change: Floats
    recent_units: Floats

    def __len__(self) -> int:
        return len(self.unique_ids)


def to_steps(money: Floats | float) -> Ints:
    """Money in whole ten-thousandths."""
    return np.asarray(np.rint(np.asarray(money, dtype=np.float64) * MONEY_STEP), dtype=np.int64)


def read_items(frame: pd.DataFrame) -> Items:
    """Check the items frame and turn it into arrays.

    Columns (see ITEM_COLUMNS): `unique_id`, `supplier_id` (text); `on_hand` (whole units at the opening of the
    planning day; below zero means oversold: units still owed); `unit_cost`, `price`, `shortage_cost` (money per unit,
    kept to four decimals); `holding_cost_rate` (per year); `lead_time_days`, `lead_time_spread_days` (mean and
    standard deviation); `review_period_days` (days until the next chance to order; less than one counts as one);
    `moq`, `pack_size` (units, at least 1; the MOQ is rounded up to whole packs); optional `max_order_quantity`
    (units, rounded down to whole packs; missing where there is none).

    Raises InputError with every problem found.
    """
    problems = _missing_columns("items", frame, ITEM_COLUMNS)
    if problems:
        raise InputError(problems)
    ids = frame["unique_id"].astype(object).to_numpy()
    check = _Checker("items", frame, ids)
    check.filled("unique_id")
    check.filled("supplier_id")
    doubled = frame.loc[frame["unique_id"].duplicated(), "unique_id"]
    if len(doubled):
        check.problems.append(f"items: unique_id stands there more than once (first: {doubled.iloc[0]!r}).")
    on_hand = check.number("on_hand", whole=True)
    unit_cost = check.number("unit_cost", least=0)
    price = check.number("price", least=0)
    rate = check.number("holding_cost_rate", least=0)
    shortage = check.number("shortage_cost", least=0, hint="give 0 where a sale earns nothing")
    lead = check.number("lead_time_days", least=0)
    spread = check.number("lead_time_spread_days", least=0)
    review = check.number("review_period_days", least=0)
    moq = check.number("moq", least=0, whole=True)
    pack = check.number("pack_size", least=1, whole=True)
    largest = check.optional_number("max_order_quantity", least=0)
    check.raise_if_any()

    pack_size = pack.astype(np.int64)
    smallest = np.maximum(moq.astype(np.int64), 1)
    ceiling = np.full(len(frame), NO_CEILING, dtype=np.int64)
    limited = np.isfinite(largest)
    ceiling[limited] = np.floor(largest[limited]).astype(np.int64) // pack_size[limited] * pack_size[limited]
    supplier_ids, supplier = np.unique(frame["supplier_id"].astype(str).to_numpy(dtype=object), return_inverse=True)
    unit_cost = np.rint(unit_cost * MONEY_STEP) / MONEY_STEP
    return Items(
        unique_ids=ids,
        supplier=supplier.astype(np.int64),
        supplier_ids=supplier_ids,
        on_hand=on_hand.astype(np.int64),
        unit_cost=unit_cost,
        price=price,
        holding_cost=unit_cost * rate / 365.0,
        shortage_cost=shortage,
        lead_time_days=lead,
        lead_time_spread_days=spread,
        review_period_days=np.maximum(np.ceil(review), 1).astype(np.int64),
        moq=-(-smallest // pack_size) * pack_size,
        pack_size=pack_size,
        ceiling=ceiling,
    )


def read_goods(frame: pd.DataFrame) -> Goods:
    """Check what may be marked down and turn it into arrays.

    Columns (GOODS_COLUMNS): `unique_id`; `on_hand` (whole units; below zero counts as none); `price` (that demand is
    forecast at), `unit_cost` (money per unit), `holding_cost_rate` (per year); `elasticity` (a price up by 1 % changes
    demand by so many %), `elasticity_sd`. Optional, missing where nothing is known: `current_price` (else the price),
    `salvage_value` (money for a unit left at the end), `floor_price` (no price below it), `sell_by_day` (the first day
    on which it can no longer be sold, from day 0 on), `lowest_price` (that was ever asked for it),
    `days_since_change` (of the price), `recent_units` (sold in the last days that price protection covers).

    Raises InputError with every problem found.
    """
    problems = _missing_columns("items", frame, GOODS_COLUMNS)
    if problems:
        raise InputError(problems)
    ids = frame["unique_id"].astype(object).to_numpy()
    check = _Checker("items", frame, ids)
    check.filled("unique_id")
    if frame["unique_id"].duplicated().any():
        check.problems.append("items: unique_id stands there more than once.")
    on_hand = check.number("on_hand", whole=True)
    price, unit_cost = check.number("price", least=0.01), check.number("unit_cost", least=0)
    rate = check.number("holding_cost_rate", least=0)
    elasticity, spread = check.number("elasticity"), check.number("elasticity_sd", least=0)
    optional = {
        name: np.where(np.isfinite(values), values, np.nan)
        for name, least in (("current_price", 0.01), ("salvage_value", 0), ("floor_price", 0), ("sell_by_day", 0),
                            ("lowest_price", 0), ("days_since_change", 0), ("recent_units", 0))
        for values in [check.optional_number(name, least=least)]
    }
    check.raise_if_any()
    current = optional.pop("current_price")
    return Goods(
        unique_ids=ids,
        on_hand=np.maximum(on_hand, 0).astype(np.int64),
        price=price,
        current_price=np.where(np.isnan(current), price, current),
        unit_cost=unit_cost,
        holding_cost=unit_cost * rate / 365.0,
        elasticity=elasticity,
        elasticity_sd=spread,
        **optional,
    )


def read_arrivals(frame: pd.DataFrame | None, items: Items) -> Arrivals:
    """Check the arrivals frame (`unique_id`, `day`, `quantity`) against the items.

    `day` counts from the planning day: 1 is tomorrow, and goods that arrive on a day can be sold on that day. An
    overdue arrival (day below 0) counts as arriving on the planning day. Items that are not planned are left out.

    Raises InputError with every problem found.
    """
    if frame is None or frame.empty:
        nothing = np.zeros(0, dtype=np.int64)
        return Arrivals(nothing, nothing, nothing)
    problems = _missing_columns("arrivals", frame, ARRIVAL_COLUMNS)
    if problems:
        raise InputError(problems)
    check = _Checker("arrivals", frame, frame["unique_id"].astype(object).to_numpy())
    day = check.number("day", whole=True)
    quantity = check.number("quantity", least=0, whole=True)
    check.raise_if_any()
    row = pd.Index(items.unique_ids).get_indexer(pd.Index(frame["unique_id"].astype(object))).astype(np.int64)
    planned = row >= 0
    return Arrivals(
        row[planned], np.maximum(day[planned], 0).astype(np.int64), quantity[planned].astype(np.int64)
    )


def read_previous(frame: pd.DataFrame | None) -> pd.DataFrame | None:
    """Check the lines of an earlier plan (PREVIOUS_COLUMNS); None where there was none.

    Raises InputError with every problem found.
    """
    if frame is None:
        return None
    problems = _missing_columns("previous plan", frame, PREVIOUS_COLUMNS)
    if problems:
        raise InputError(problems)
    check = _Checker("previous plan", frame, frame["unique_id"].astype(object).to_numpy())
    for column in PREVIOUS_COLUMNS[1:]:
        check.number(column)
    if frame["unique_id"].duplicated().any():
        check.problems.append("previous plan: unique_id stands there more than once.")
    check.raise_if_any()
    return frame.loc[:, list(PREVIOUS_COLUMNS)]


def read_limits(limits: Limits) -> Limits:
    """Check the limits. Raises InputError with every problem found."""
    problems = []
    if limits.cash_budget is not None and not (np.isfinite(limits.cash_budget) and limits.cash_budget >= 0):
        problems.append(f"limits: the cash budget is {limits.cash_budget}; it must be a number of at least 0.")
    problems += [
        f"limits: the minimum order value of supplier {supplier!r} is {value}; it must be a number of at least 0."
        for supplier, value in limits.supplier_minimums.items()
        if not (np.isfinite(value) and value >= 0)
    ]
    if not (np.isfinite(limits.max_cover_days) and limits.max_cover_days > 0):
        problems.append(f"limits: max_cover_days is {limits.max_cover_days}; it must be a number above 0.")
    if problems:
        raise InputError(problems)
    return limits


def week_places(week: pd.Series, problems: list[str]) -> Ints:
    """Weeks counted from the first, from dates or whole numbers; a sentence is added where they are neither."""
    if pd.api.types.is_numeric_dtype(week):
        number = week.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        day = pd.to_datetime(week, errors="coerce")
        number = (day - day.min()).dt.days.to_numpy(dtype=np.float64, na_value=np.nan) / 7
    if not np.isfinite(number).all() or (number != np.rint(number)).any():
        problems.append("weeks: week must be a date, weeks lying whole weeks apart, or a whole number.")
        return np.zeros(len(week), dtype=np.int64)
    if len(number) and number.max() - number.min() > MOST_YEARS * 53:
        problems.append(f"weeks: from the first to the last are more than {MOST_YEARS} years: is a date mistyped?")
        return np.zeros(len(week), dtype=np.int64)
    return np.asarray(number - number.min(initial=np.inf if len(number) else 0), dtype=np.int64)


def _missing_columns(name: str, frame: pd.DataFrame, columns: tuple[str, ...]) -> list[str]:
    return [f"{name}: the column {column!r} is missing." for column in columns if column not in frame.columns]


class _Checker:
    """Collects the problems of one frame, naming the first row of each."""

    def __init__(self, name: str, frame: pd.DataFrame, ids: NDArray[np.object_]) -> None:
        self.name, self.frame, self.ids = name, frame, ids
        self.problems: list[str] = []

    def filled(self, column: str) -> None:
        self._say(self.frame[column].isna().to_numpy(dtype=bool), lambda n: f"{column} is missing in {n}")

    def number(self, column: str, *, least: float | None = None, whole: bool = False, hint: str = "") -> Floats:
        values = self._floats(column)
        missing = ~np.isfinite(values)
        advice = hint or "give a default before planning"
        self._say(missing, lambda n: f"{column} is missing or no number in {n}", advice)
        self._bounds(column, values, ~missing, least, hint)
        if whole:
            self._say(~missing & (values != np.rint(values)), lambda n: f"{column} is no whole number in {n}")
        return values

    def optional_number(self, column: str, *, least: float) -> Floats:
        if column not in self.frame.columns:
            return np.full(len(self.frame), np.inf)
        values = self._floats(column)
        self._bounds(column, values, np.isfinite(values), least, "")
        return values

    def raise_if_any(self) -> None:
        if self.problems:
            raise InputError(self.problems)

    def _floats(self, column: str) -> Floats:
        values = pd.to_numeric(self.frame[column], errors="coerce")
        return values.to_numpy(dtype=np.float64, na_value=np.nan)

    def _bounds(self, column: str, values: Floats, known: Flags, least: float | None, hint: str) -> None:
        if least is not None:
            low = known & (np.where(known, values, 0.0) < least)
            self._say(low, lambda n: f"{column} is below {least} in {n}", hint)

    def _say(self, wrong: Flags, words: Callable[[str], str], hint: str = "") -> None:
        count = int(wrong.sum())
        if count:
            first = self.ids[int(np.argmax(wrong))]
            rows = f"{count} rows" if count > 1 else "1 row"
            advice = f"; {hint}" if hint else ""
            self.problems.append(f"{self.name}: {words(rows)} (first: {first!r}){advice}.")
