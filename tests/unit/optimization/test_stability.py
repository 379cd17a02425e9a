"""Quantities move only for money, never twice for the same need, and every move has its reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.frames import MONEY_STEP, PARTS, Limits, read_arrivals, read_items
from apps.optimization.engine.policy import outlook
from apps.optimization.engine.replenish import plan
from apps.optimization.engine.stability import kept_quantities
from tests.unit.optimization.shops import arrivals_frame, items_frame, order_of, poisson, shops, steady


def test_the_same_morning_again_changes_nothing() -> None:
    items, demand = items_frame({}, {"on_hand": 9}, {"moq": 20}), poisson([2.0, 1.0, 0.4])
    first = plan(items, None, demand)
    second = plan(items, None, demand, previous=first.lines)
    pd.testing.assert_frame_equal(first.lines, second.lines)
    assert second.changes.empty


def test_a_gain_too_small_to_matter_moves_nothing_and_a_large_one_does() -> None:
    items, demand = items_frame({"on_hand": 20}), poisson([2.0], paths=200)
    first = plan(items, None, demand)
    next_day = items.assign(on_hand=19)
    free = plan(next_day, None, demand)
    assert order_of(free.lines)[0] == order_of(first.lines)[0] + 1
    held = plan(next_day, None, demand, previous=first.lines, smallest_gain=0.5)
    assert order_of(held.lines).tolist() == order_of(first.lines).tolist()
    assert held.lines["kept"].tolist() == [-1]
    assert held.lines["binds"].tolist() == ["kept"]
    assert held.changes.empty
    moved = plan(next_day, None, demand, previous=first.lines, smallest_gain=0.0)
    assert order_of(moved.lines).tolist() == order_of(free.lines).tolist()
    assert moved.changes["driver"].tolist() == ["stock"]
    assert moved.changes["position_change"].tolist() == [-1]


def test_money_that_is_worth_more_elsewhere_is_not_left_in_a_quantity() -> None:
    """One unit fewer saves next to nothing here; where money is short, the 5 that it sets free earn more elsewhere."""
    known = read_items(items_frame({}))
    look = outlook(known, read_arrivals(None, known), poisson([2.0], paths=200), seed=0)
    best, rows = look.best_units, np.zeros(1, dtype=np.int64)
    before = pd.DataFrame({"unique_id": ["item-0"], "order_quantity": best + 1, "position": [0]})
    saves = float((look.cost(rows, best + 1) - look.cost(rows, best))[0])
    assert 0 <= saves < 0.5

    def kept(cash_price: float) -> int:
        return int(kept_quantities(look, best, before, smallest_gain=0.5, cash_price=cash_price,
                                   minimum=np.zeros(1, dtype=np.int64), budget=None)[0] - best[0])

    assert kept(0.0) == 1
    assert kept((0.5 - saves) / 5.0 - 0.001) == 1
    assert kept((0.5 - saves) / 5.0 + 0.001) == 0


def test_what_was_ordered_is_never_advised_again() -> None:
    """The threshold is so high that any quantity would be kept: what is on order still counts against it."""
    items, demand = items_frame({"on_hand": 6}), steady([2])
    first = plan(items, None, demand)
    assert order_of(first.lines).tolist() == [14]
    approved = arrivals_frame(("item-0", 3, 14))
    second = plan(items, approved, demand, previous=first.lines, smallest_gain=1e6)
    assert order_of(second.lines).tolist() == [0]
    partly = plan(items, arrivals_frame(("item-0", 3, 4)), demand, previous=first.lines, smallest_gain=1e6)
    assert order_of(partly.lines).tolist() == [10]


def test_changes_name_what_drove_them() -> None:
    items = items_frame({}, {}, {}, {"on_hand": 99}).assign(unique_id=["more", "budget", "gone", "same"])
    first = plan(items, None, steady([2, 2, 2, 2]))
    later = items.iloc[[0, 1, 3]]
    new = pd.concat([later, items_frame({}).assign(unique_id="new")], ignore_index=True)
    demand = steady([4, 2, 2, 2])
    changed = plan(new, None, demand, previous=first.lines).changes.set_index("unique_id")
    assert changed["driver"].to_dict() == {"more": "demand", "gone": "gone", "new": "new"}
    assert changed.loc["gone", "order_quantity"] == 0
    assert changed["saves"].to_dict()["more"] > 0
    tight = plan(items.iloc[[1]], None, steady([2]), limits=Limits(cash_budget=30.0), previous=first.lines)
    assert tight.changes.set_index("unique_id").loc["budget", "driver"] == "cash"


@settings(max_examples=20, deadline=None)
@given(shops(), st.integers(-4, 6), st.sampled_from([0.0, 0.5, 5.0, 1e6]))
def test_keeping_respects_every_limit_and_changes_add_up(
    shop: tuple[pd.DataFrame, pd.DataFrame, ArrayDemand, Limits], sold: int, smallest_gain: float
) -> None:
    items, arrivals, demand, limits = shop
    first = plan(items, arrivals, demand)
    later = items.assign(on_hand=items["on_hand"] - sold)
    made = plan(later, arrivals, demand, limits=limits, previous=first.lines, smallest_gain=smallest_gain)
    known, quantity = read_items(later), order_of(made.lines)
    spend = quantity * known.unit_cost_steps
    assert (quantity % known.pack_size == 0).all()
    assert ((quantity == 0) | (quantity >= known.moq)).all()
    assert (quantity <= known.ceiling).all()
    assert limits.cash_budget is None or spend.sum() <= limits.cash_budget * MONEY_STEP
    for supplier, least in limits.supplier_minimums.items():
        theirs = (items["supplier_id"] == supplier).to_numpy()
        assert quantity[theirs].sum() == 0 or spend[theirs].sum() >= least * MONEY_STEP
    changes = made.changes
    parts = changes[[f"{part}_change" for part in PARTS]].sum(axis=1)
    assert (parts == changes["order_quantity"] - changes["previous_quantity"]).all()
    moved = order_of(first.lines) != quantity
    assert sorted(changes["unique_id"]) == sorted(items["unique_id"][moved])
    if smallest_gain == 1e6 and sold >= 0 and not limits.supplier_minimums and limits.cash_budget is None:
        assert not moved.any()


def test_a_kept_quantity_never_breaks_a_supplier_minimum() -> None:
    items = items_frame({"on_hand": 6}, {"on_hand": 6})
    limits = Limits(supplier_minimums={"acme": 120.0})
    first = plan(items, None, steady([2, 2]), limits=limits)
    lower = first.lines.assign(order_quantity=np.array([1, 1]))
    made = plan(items, None, steady([2, 2]), limits=limits, previous=lower, smallest_gain=1e6)
    assert made.order_value >= 120.0
