"""How facts become the engine's frames: whose day is the first, what the money left is."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from apps.optimization.services import Cash, Rules
from apps.optimization.services.planning import prepare

MONDAY = dt.date(2017, 12, 4)


class NumberedDays:
    """A forecast of 14 days whose every path sells as many units as the day's number: each day shows which it is."""

    run = SimpleNamespace(as_of=MONDAY)
    days = 14

    def __init__(self, *unique_ids: str) -> None:
        self.unique_ids = np.array(unique_ids or ["1/1"])

    def paths(self, rows: Any, n_paths: int = 1, seed: int | None = None, days: int | None = None) -> Any:
        return np.broadcast_to(np.arange(days or self.days), (len(rows), n_paths, days or self.days))


def terms_of(*item_ids: int) -> pd.DataFrame:
    return pd.DataFrame([{
        "item_id": item_id, "supplier_id": 1, "lead_time_days": 14.0, "lead_time_spread_days": 0.0, "moq": 1,
        "pack_size": 1, "unit_cost": 1.0, "price": 2.0, "review_period_days": 7, "minimum_order_value": np.nan,
        "holding_cost_rate": 0.25, "assumed": [], "simulated": []} for item_id in item_ids])


@pytest.mark.parametrize("late", [0, 1, 3, 6])
def test_a_plan_begins_on_its_own_day_and_repeats_the_last_week_beyond_the_forecast(late: int) -> None:
    inputs = prepare(
        as_of=MONDAY + dt.timedelta(days=late), paths=NumberedDays(), terms=terms_of(1), rules=Rules(),
        positions=pd.DataFrame([{"item_id": 1, "location_id": 1, "on_hand": 0.0, "origin": "given",
                                 "counted_at": pd.Timestamp(MONDAY)}]),
        arrivals=pd.DataFrame({"item_id": [1], "location_id": [1], "quantity": [3.0],
                               "date": [pd.Timestamp(MONDAY) + pd.Timedelta(days=late + 2)]}))
    assert inputs.arrivals["day"].tolist() == [2]
    demand = inputs.demand.paths(np.array([0]), 21)[0, 0]
    weeks_on = [day if day < 14 else 7 + day % 7 for day in range(late, late + 21)]
    assert demand.tolist() == weeks_on


@pytest.mark.parametrize(("origin", "assumed", "simulated", "notes"), [
    ("given", [[], ["on_hand"], ["on_hand"]], [[], [], []], {"without_stock"}),
    ("simulated", [[], [], []], [["on_hand"], ["on_hand"], ["on_hand"]], set())])
def test_nobody_is_asked_to_count_a_stock_that_is_simulated(
        origin: str, assumed: list[list[str]], simulated: list[list[str]], notes: set[str]) -> None:
    stock = pd.DataFrame({"item_id": [1, 2], "location_id": 1, "on_hand": [5.0, -1.0], "origin": [origin, "given"],
                          "counted_at": [pd.Timestamp(MONDAY), pd.NaT]})
    inputs = prepare(
        as_of=MONDAY, paths=NumberedDays("1/1", "2/1", "3/1"), terms=terms_of(1, 2, 3), rules=Rules(), positions=stock,
        arrivals=pd.DataFrame({"item_id": [1], "location_id": [1], "quantity": [0.0], "date": [pd.Timestamp(MONDAY)]}))
    assert (inputs.items["assumed"].tolist(), inputs.items["simulated"].tolist()) == (assumed, simulated)
    assert {note.code for note in inputs.notes} == notes


@pytest.mark.parametrize(("budget", "spent", "left"), [(100.0, 30.0, 70.0), (100.0, 130.0, 0.0), (None, 30.0, None)])
def test_what_is_spent_is_not_spent_again(budget: float | None, spent: float, left: float | None) -> None:
    assert Cash(budget=budget, spent=spent).left == left
