"""From one plan to the next: no quantity moves for a gain too small to matter, and what moved says why."""

from __future__ import annotations

import numpy as np
import pandas as pd

from apps.optimization.engine.frames import PARTS, Floats, Ints
from apps.optimization.engine.policy import Outlook

CHANGE_COLUMNS = (
    "unique_id",
    "previous_quantity",
    "order_quantity",
    "driver",
    "saves",
    "demand_change",
    "position_change",
    *(f"{part}_change" for part in PARTS),
)


def kept_quantities(
    outlook: Outlook,
    planned: Ints,
    previous: pd.DataFrame,
    *,
    smallest_gain: float,
    cash_price: float,
    minimum: Ints,
    budget: int | None,
) -> Ints:
    """The planned quantities [n], with those put back to the previous plan's whose change saves less than
    `smallest_gain` (money, each line), as far as suppliers' minimums and the budget still hold.

    What has come in or been ordered since the previous plan counts against its quantity: a quantity that was carried
    out is never advised again. A previous quantity that today's packs, MOQ or largest order forbid is not kept.
    minimum [suppliers] and budget are in steps of money; cash_price is what a unit of money saves elsewhere.
    """
    items = outlook.items
    rows, wanted = _still_wanted(outlook, previous)
    allowed = (wanted == 0) | (
        (wanted >= items.moq[rows]) & (wanted % items.pack_size[rows] == 0) & (wanted <= items.ceiling[rows])
    )
    moves = allowed & (wanted != planned[rows])
    rows, wanted = rows[moves], wanted[moves]
    money = items.unit_cost[rows] * (wanted - planned[rows])
    gain = outlook.cost(rows, wanted) - outlook.cost(rows, planned[rows]) + cash_price * money
    small = gain < smallest_gain
    return _put_back(planned, rows[small], wanted[small], items.unit_cost_steps, items.supplier, minimum, budget)


def _still_wanted(outlook: Outlook, previous: pd.DataFrame) -> tuple[Ints, Ints]:
    items = outlook.items
    row = pd.Index(items.unique_ids).get_indexer(pd.Index(previous["unique_id"].astype(object))).astype(np.int64)
    planned = row >= 0
    quantity = previous["order_quantity"].to_numpy(dtype=np.int64)[planned]
    position = previous["position"].to_numpy(dtype=np.int64)[planned]
    row = row[planned]
    return row, np.maximum(quantity - np.maximum(outlook.position[row] - position, 0), 0)


def _put_back(
    planned: Ints, rows: Ints, wanted: Ints, unit_cost: Ints, supplier: Ints, minimum: Ints, budget: int | None
) -> Ints:
    """Put rows back one after the other, the money-saving ones first, for as long as that lets another one through."""
    quantity = planned.copy()
    spend, units = np.zeros(len(minimum), dtype=np.int64), np.zeros(len(minimum), dtype=np.int64)
    np.add.at(spend, supplier, planned * unit_cost)
    np.add.at(units, supplier, planned)
    total = int(spend.sum())
    money = (wanted - planned[rows]) * unit_cost[rows]
    waiting = [int(place) for place in np.argsort(money, kind="stable")]
    while waiting:
        blocked = []
        for place in waiting:
            row, theirs = rows[place], supplier[rows[place]]
            after, left = spend[theirs] + money[place], units[theirs] + wanted[place] - quantity[row]
            over = budget is not None and money[place] > 0 and total + int(money[place]) > budget
            if over or (left > 0 and after < minimum[theirs]):
                blocked.append(place)
                continue
            quantity[row] = wanted[place]
            spend[theirs], units[theirs] = after, left
            total += int(money[place])
        if len(blocked) == len(waiting):
            break
        waiting = blocked
    return quantity


def changes(outlook: Outlook, lines: pd.DataFrame, previous: pd.DataFrame | None) -> pd.DataFrame:
    """What the plan orders otherwise than the previous one, and why: CHANGE_COLUMNS, one row per changed quantity.

    `<part>_change` is the change of each part of the waterfall; they add up exactly to the change of the quantity.
    driver: the part that moved furthest in the direction of the change, where need is told apart into `demand` (what is
    expected to sell) and `stock` (on hand and on order); `new` for an item the previous plan did not know, `gone` for
    one that is no longer planned. saves: expected cost saved against staying with the previous quantity, in money.
    """
    if previous is None:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    shared = ["unique_id", "order_quantity", "expected_demand", "position", *PARTS]
    both = lines[shared].merge(previous[shared], on="unique_id", how="outer", suffixes=("", "_before"), indicator=True)
    both = both[both["order_quantity"].fillna(0) != both["order_quantity_before"].fillna(0)]
    merged = both["_merge"].astype(str).to_numpy()
    numbers = both.drop(columns=["unique_id", "_merge"]).fillna(0)
    frame = pd.DataFrame(
        {
            "unique_id": both["unique_id"].to_numpy(),
            "previous_quantity": numbers["order_quantity_before"].to_numpy(dtype=np.int64),
            "order_quantity": numbers["order_quantity"].to_numpy(dtype=np.int64),
        }
    )
    for column, name in (("expected_demand", "demand_change"), ("position", "position_change")):
        frame[name] = (numbers[column] - numbers[f"{column}_before"]).to_numpy()
    for part in PARTS:
        frame[f"{part}_change"] = (numbers[part] - numbers[f"{part}_before"]).to_numpy(dtype=np.int64)
    frame["saves"] = _saves(outlook, frame)
    frame["driver"] = np.select([merged == "left_only", merged == "right_only"], ["new", "gone"], _drivers(frame))
    return frame.loc[:, list(CHANGE_COLUMNS)].sort_values("unique_id", ignore_index=True)


def _saves(outlook: Outlook, frame: pd.DataFrame) -> Floats:
    rows = pd.Index(outlook.items.unique_ids).get_indexer(pd.Index(frame["unique_id"].astype(object))).astype(np.int64)
    saves = np.zeros(len(frame))
    planned = rows >= 0
    before, after = (frame[name].to_numpy(dtype=np.int64)[planned] for name in ("previous_quantity", "order_quantity"))
    saves[planned] = outlook.cost(rows[planned], before) - outlook.cost(rows[planned], after)
    return saves


def _drivers(frame: pd.DataFrame) -> list[str]:
    direction = np.sign((frame["order_quantity"] - frame["previous_quantity"]).to_numpy())
    moved = np.column_stack([frame[f"{part}_change"].to_numpy() * direction for part in PARTS])
    furthest = moved.argmax(axis=1) if len(frame) else np.zeros(0, dtype=np.int64)
    need = np.where(frame["demand_change"] * direction >= -frame["position_change"] * direction, "demand", "stock")
    return [str(need[place]) if part == 0 else PARTS[part] for place, part in enumerate(furthest)]
