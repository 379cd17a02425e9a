"""What is wrong with a frame is said in one plain sentence each, naming the first row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from apps.optimization.engine.demand import ArrayDemand, DrawnDemand, IndependentDemand
from apps.optimization.engine.frames import (
    ITEM_COLUMNS,
    InputError,
    Limits,
    read_arrivals,
    read_items,
    read_limits,
    read_previous,
)
from apps.optimization.engine.replenish import plan
from tests.unit.optimization.shops import arrivals_frame, items_frame, steady


def problems_of(frame: pd.DataFrame) -> list[str]:
    with pytest.raises(InputError) as raised:
        read_items(frame)
    return raised.value.problems


@pytest.mark.parametrize("column", ITEM_COLUMNS)
def test_a_missing_column_is_named(column: str) -> None:
    assert problems_of(items_frame({}).drop(columns=column)) == [f"items: the column {column!r} is missing."]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"unit_cost": None}, "items: unit_cost is missing or no number in 1 row (first: 'item-1'); give a default"),
        ({"lead_time_days": "soon"}, "items: lead_time_days is missing or no number in 1 row (first: 'item-1')"),
        ({"price": -1}, "items: price is below 0 in 1 row (first: 'item-1')."),
        ({"shortage_cost": -1}, "items: shortage_cost is below 0 in 1 row (first: 'item-1'); give 0 where a sale"),
        ({"pack_size": 0}, "items: pack_size is below 1 in 1 row (first: 'item-1')."),
        ({"on_hand": 1.5}, "items: on_hand is no whole number in 1 row (first: 'item-1')."),
        ({"supplier_id": None}, "items: supplier_id is missing in 1 row (first: 'item-1')."),
        ({"unique_id": "item-0"}, "items: unique_id stands there more than once (first: 'item-0')."),
    ],
)
def test_each_bad_value_has_its_sentence(row: dict[str, object], sentence: str) -> None:
    (problem,) = problems_of(items_frame({}, row))
    assert problem.startswith(sentence)


def test_all_problems_come_at_once() -> None:
    assert len(problems_of(items_frame({"unit_cost": np.nan, "moq": -1, "pack_size": 0}))) == 3


def test_the_moq_is_whole_packs_and_the_largest_order_too() -> None:
    known = read_items(items_frame({"moq": 7, "pack_size": 6}, {"moq": 0}).assign(max_order_quantity=[20, np.nan]))
    assert known.moq.tolist() == [12, 1]
    assert known.ceiling[0] == 18
    assert known.ceiling[1] > 10**18


def test_arrivals_of_unknown_items_are_left_out_and_overdue_ones_come_today() -> None:
    known = read_items(items_frame({}))
    read = read_arrivals(arrivals_frame(("item-0", -4, 3), ("other", 2, 9)), known)
    assert (read.row.tolist(), read.day.tolist(), read.quantity.tolist()) == ([0], [0], [3])


def test_bad_arrivals_limits_and_previous_plans_are_said() -> None:
    known = read_items(items_frame({}))
    with pytest.raises(InputError, match="arrivals: quantity is below 0 in 1 row"):
        read_arrivals(arrivals_frame(("item-0", 1, -3)), known)
    with pytest.raises(InputError, match="the cash budget is -1; it must be a number of at least 0"):
        read_limits(Limits(cash_budget=-1))
    with pytest.raises(InputError, match="minimum order value of supplier 'acme' is nan"):
        read_limits(Limits(supplier_minimums={"acme": float("nan")}))
    with pytest.raises(InputError, match="previous plan: the column 'need' is missing"):
        read_previous(pd.DataFrame({"unique_id": ["a"]}))


def test_demand_that_cannot_be_used_is_said() -> None:
    items = items_frame({"lead_time_days": 25.0})
    with pytest.raises(InputError, match=r"paths reach 28 days, but 1 items need more .*needs 32"):
        plan(items, None, steady([1]))
    with pytest.raises(InputError, match="they must be whole units"):
        plan(items_frame({}), None, ArrayDemand(np.zeros((1, 2, 28))))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a path holds a day below zero"):
        plan(items_frame({}), None, ArrayDemand(np.full((1, 2, 28), -1)))
    with pytest.raises(InputError, match="a block of shape"):
        plan(items_frame({}, {}), None, DrawnDemand(lambda rows, days: np.zeros((1, 2, days), dtype=np.int64), 2, 28))


def test_independent_demand_has_the_moments_it_names() -> None:
    demand = IndependentDemand(np.full((2, 40), 3.0), n_paths=2000, seed=1, shape=np.array([2.0, 1e9]))
    paths = demand.paths(np.array([0, 1]), 40)
    assert paths.mean(axis=(1, 2)) == pytest.approx([3.0, 3.0], rel=0.03)
    assert paths.var(axis=(1, 2)) == pytest.approx([3.0 + 9 / 2, 3.0], rel=0.05)
    assert (demand.paths(np.array([1]), 12) == paths[1:, :, :12]).all()
