"""A plan keeps its limits, explains every unit, and names the limit that makes it impossible."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.explain import IMPOSSIBLE, WORDS
from apps.optimization.engine.frames import MONEY_STEP, PARTS, Limits, read_arrivals, read_items, to_steps
from apps.optimization.engine.policy import outlook
from apps.optimization.engine.replenish import Plan, plan
from tests.unit.optimization.shops import TERMS, arrivals_frame, items_frame, order_of, poisson, shops, steady

Shop = tuple[pd.DataFrame, pd.DataFrame, ArrayDemand, Limits]


@settings(max_examples=20, deadline=None)
@given(shops())
def test_the_waterfall_telescopes_exactly_in_units_and_money(shop: Shop) -> None:
    items, arrivals, demand, limits = shop
    earlier = plan(items, arrivals, demand, limits=limits).lines
    for previous in (None, earlier):
        made = plan(items.assign(on_hand=items["on_hand"] - 1), arrivals, demand, limits=limits, previous=previous)
        lines = made.lines
        assert (lines[list(PARTS)].sum(axis=1) == lines["order_quantity"]).all()
        values = to_steps(lines[[f"{part}_value" for part in PARTS]].to_numpy())
        assert (values.sum(axis=1) == to_steps(lines["order_value"].to_numpy())).all()
        cost = to_steps(items["unit_cost"].to_numpy()) * order_of(lines)
        assert (to_steps(lines["order_value"].to_numpy()) == cost).all()
        saved = lines[[f"{part}_saves" for part in PARTS]].sum(axis=1)
        without = lines["expected_cost_without"] - lines["expected_cost"]
        np.testing.assert_allclose(saved, without, atol=1e-9)
        assert made.order_value == pytest.approx(lines["order_value"].sum())


def test_where_there_is_more_than_is_needed_the_need_is_nothing_and_the_waterfall_still_adds_up() -> None:
    items = items_frame({"on_hand": 500, "moq": 50, "pack_size": 50}, {"on_hand": 25}, {}, {"on_hand": -4})
    made = plan(items, arrivals_frame(("item-1", 1, 40)), steady([2, 2, 2, 2]))
    lines = made.lines
    assert lines["need"].tolist() == [0, 0, 20, 24] and (lines["need"] + lines["buffer"]).ge(0).all()
    assert lines[list(PARTS)].sum(axis=1).tolist() == lines["order_quantity"].tolist() == [0, 0, *order_of(lines)[2:]]
    for suffix, total in (("value", lines["order_value"]),
                          ("saves", lines["expected_cost_without"] - lines["expected_cost"])):
        np.testing.assert_allclose(lines[[f"{part}_{suffix}" for part in PARTS]].sum(axis=1), total, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(shops())
def test_every_limit_is_kept(shop: Shop) -> None:
    items, arrivals, demand, limits = shop
    made = plan(items, arrivals, demand, limits=limits)
    quantity, known = order_of(made.lines), read_items(items)
    assert (quantity % known.pack_size == 0).all()
    assert ((quantity == 0) | (quantity >= known.moq)).all()
    assert (quantity <= known.ceiling).all()
    cost = quantity * known.unit_cost_steps
    assert limits.cash_budget is None or cost.sum() <= limits.cash_budget * MONEY_STEP
    for supplier, least in limits.supplier_minimums.items():
        theirs = (items["supplier_id"] == supplier).to_numpy()
        assert quantity[theirs].sum() == 0 or cost[theirs].sum() >= least * MONEY_STEP
    assert made.saves >= -1e-6


@settings(max_examples=12, deadline=None)
@given(shops())
def test_a_plan_depends_on_nothing_but_its_input(shop: Shop) -> None:
    items, arrivals, demand, limits = shop
    made, again = (plan(items, arrivals, demand, limits=limits, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(made.lines, again.lines)
    assert made.findings == again.findings
    turned = plan(items.iloc[::-1], arrivals, ArrayDemand(demand.array[::-1]), seed=5)
    assert order_of(turned.lines)[::-1].tolist() == order_of(plan(items, arrivals, demand, seed=5).lines).tolist()


@settings(max_examples=20, deadline=None)
@given(shops())
def test_the_status_agrees_with_the_lines(shop: Shop) -> None:
    items, arrivals, demand, limits = shop
    made = plan(items, arrivals, demand, limits=limits)
    ordered = bool(order_of(made.lines).any())
    assert ordered == (made.status in ("optimal", "feasible"))
    if not ordered:
        assert made.findings
        assert (made.status == "infeasible") == (made.findings[0].code in IMPOSSIBLE)
    assert all(str(finding) and finding.code in WORDS for finding in made.findings)
    lines = made.lines
    assert (lines["expected_lost_sales_avoided"] >= -1e-9).all()
    assert (lines["expected_lost_units_with"] <= lines["expected_lost_units_without"] + 1e-9).all()


@settings(max_examples=20, deadline=None)
@given(shops(largest=4))
def test_a_small_plan_is_the_best_of_all_plans(shop: Shop) -> None:
    """Every combination of quantities up to 24 units a line, priced by the outlook, against the plan.

    To reach a supplier's minimum, an item may be bought beyond its own best lot for as long as it is ever kept
    (max_cover_days), or by one smallest lot where nobody asks for it: a plan keeps that limit too. What earns nothing
    is in no plan.
    """
    items, arrivals, demand, limits = shop
    largest = np.minimum(items["max_order_quantity"].fillna(24), 24)
    items = items.assign(max_order_quantity=largest, holding_cost_rate=2.0, pack_size=6)
    made = plan(items, arrivals, demand, limits=limits)
    known = read_items(items)
    look = outlook(known, read_arrivals(arrivals, known), demand, seed=0)
    lists = [
        [0, *range(int(known.moq[row]), int(known.ceiling[row]) + 1, 6)] for row in range(len(known))
    ]
    plans = np.array(list(itertools.product(*lists)))
    cost = np.zeros(len(plans))
    for row in range(len(known)):
        cost += look.cost(np.full(len(plans), row), plans[:, row])
    spend = plans * known.unit_cost_steps
    allowed = np.ones(len(plans), dtype=bool)
    if limits.cash_budget is not None:
        allowed &= spend.sum(axis=1) <= limits.cash_budget * MONEY_STEP
    for supplier, least in limits.supplier_minimums.items():
        theirs = (items["supplier_id"] == supplier).to_numpy()
        allowed &= (plans[:, theirs].sum(axis=1) == 0) | (spend[:, theirs].sum(axis=1) >= least * MONEY_STEP)
    longest = np.ceil((look.daily_demand * limits.max_cover_days - look.position) / 6) * 6
    allowed &= (plans <= np.maximum(np.maximum(longest, known.moq), look.best_lot())).all(axis=1)
    allowed &= (plans[:, known.shortage_cost == 0] == 0).all(axis=1)
    lost_before = float((known.shortage_cost * look.lost_before).sum())
    assert made.expected_cost == pytest.approx(cost[allowed].min() + lost_before, abs=1e-4)


def test_a_tight_budget_is_no_plain_cut_of_the_best_single_orders() -> None:
    """Two items want 14 units each; money for 14 goes where a unit earns more, and both keep their first units."""
    items = items_frame({"shortage_cost": 4.0}, {"shortage_cost": 2.0}, {"shortage_cost": 1.0})
    demand = poisson([2.0, 2.0, 2.0], paths=200)
    free = plan(items, None, demand)
    tight = plan(items, None, demand, limits=Limits(cash_budget=free.order_value / 2))
    alone, together = order_of(free.lines), order_of(tight.lines)
    assert (together < alone).all()
    assert together[0] / alone[0] > together[1] / alone[1] > together[2] / alone[2]
    assert tight.order_value <= free.order_value / 2
    assert set(tight.lines["binds"]) == {"cash"}
    assert tight.cash_price > 0
    (finding,) = tight.findings
    assert finding.code == "budget_binds"
    assert finding.numbers["left_out"] == pytest.approx(free.order_value - tight.order_value)


def test_a_supplier_minimum_is_filled_up_where_that_pays_and_waited_for_where_not() -> None:
    items = items_frame({"unit_cost": 5.0}, {"unit_cost": 5.0, "on_hand": 25})
    demand = steady([2, 2])
    alone = plan(items, None, demand)
    assert order_of(alone.lines).tolist() == [14, 0]
    filled = plan(items, None, demand, limits=Limits(supplier_minimums={"acme": 100.0}))
    assert filled.order_value == 100.0
    assert filled.findings[0].code == "supplier_minimum_topped_up"
    assert filled.lines["supplier_minimum"].sum() == 6
    waiting = plan(items, None, demand, limits=Limits(supplier_minimums={"acme": 7_000.0}))
    assert (waiting.status, waiting.findings[0].code) == ("empty", "supplier_minimum_not_worth")
    assert waiting.lines["binds"].tolist() == ["supplier_minimum", ""]


def test_the_need_is_demand_less_what_is_there_and_on_its_way_in_time() -> None:
    """20 units in 10 days, 5 on hand, 4 in time: 11. The order may be smaller: what is lost by then stays lost."""
    made = plan(items_frame({"on_hand": 5}), arrivals_frame(("item-0", 9, 4), ("item-0", 10, 100)), steady([2]))
    assert made.lines["need"].tolist() == [11]


def test_a_minimum_is_not_reached_with_what_nobody_asks_for() -> None:
    """Only 12 of an item that never sells would bring the supplier its 10.00, and one lot of it is 6."""
    terms = {"holding_cost_rate": 2.0, "lead_time_days": 0.0, "pack_size": 6, "moq": 6, "max_order_quantity": 24.0}
    items = items_frame({**terms, "unit_cost": 0.0, "shortage_cost": 1.0, "review_period_days": 3},
                        {**terms, "unit_cost": 1.0, "shortage_cost": 1.0, "review_period_days": 1})
    made = plan(items, None, steady([4, 0]), limits=Limits(supplier_minimums={"acme": 10.0}))
    assert status_and_first(made) == ("infeasible", "supplier_minimum_unreachable")
    assert made.findings[0].numbers["reachable"] == 6.0
    within_a_lot = plan(items, None, steady([4, 0]), limits=Limits(supplier_minimums={"acme": 6.0}))
    assert order_of(within_a_lot.lines).tolist() == [12, 6]


def test_suppliers_may_be_numbered() -> None:
    items = items_frame({"supplier_id": 7}, {"supplier_id": 8})
    made = plan(items, None, steady([2, 2]), limits=Limits(supplier_minimums={7: 7_000.0}))
    assert order_of(made.lines).tolist() == [0, 14]
    assert made.suppliers["minimum_order_value"].tolist() == [7_000.0, 0.0]


def status_and_first(made: Plan) -> tuple[str, str]:
    assert not order_of(made.lines).any()
    return made.status, made.findings[0].code


def test_an_impossible_plan_names_the_limit_with_its_numbers() -> None:
    one, wants_two = items_frame({"unit_cost": 5.0}), steady([2])
    made = plan(one, None, wants_two, limits=Limits(cash_budget=4.0))
    assert status_and_first(made) == ("infeasible", "budget_below_cheapest_line")
    assert str(made.findings[0]) == "The budget of 4.00 is below the cheapest line: item-0 for 5.00."

    made = plan(items_frame({"moq": 12}), None, wants_two, limits=Limits(cash_budget=59.0))
    assert status_and_first(made) == ("infeasible", "moq_above_budget")
    assert made.findings[0].numbers == {
        "items": 1,
        "budget": 59.0,
        "unique_id": "item-0",
        "moq": 12,
        "smallest_order": 60.0,
    }
    made = plan(one, None, wants_two, limits=Limits(cash_budget=80.0, supplier_minimums={"acme": 90.0}))
    assert status_and_first(made) == ("infeasible", "supplier_minimum_above_budget")
    limited = one.assign(max_order_quantity=10)
    made = plan(limited, None, wants_two, limits=Limits(supplier_minimums={"acme": 90.0}))
    assert status_and_first(made) == ("infeasible", "supplier_minimum_unreachable")
    assert made.findings[0].numbers["reachable"] == 50.0
    made = plan(limited.assign(moq=12), None, wants_two)
    assert status_and_first(made) == ("infeasible", "moq_above_maximum")


def test_an_empty_plan_says_why_it_is_empty() -> None:
    assert status_and_first(plan(items_frame({"on_hand": 99}), None, steady([2]))) == ("empty", "nothing_needed")
    huge = items_frame({"moq": 5000, "on_hand": 19})
    assert status_and_first(plan(huge, None, steady([2]))) == ("empty", "not_worth_a_lot")
    nobody = items_frame({}).iloc[:0]
    made = plan(nobody, None, ArrayDemand(np.zeros((0, 4, 28), dtype=np.int64)))
    assert status_and_first(made) == ("empty", "no_items")
    assert set(made.lines.columns) == set(plan(items_frame({}), None, steady([1])).lines.columns)


def test_what_earns_nothing_neither_fills_up_a_minimum_nor_is_kept_from_an_earlier_plan() -> None:
    items = items_frame({}, {"shortage_cost": 0.0, "unit_cost": 20.0}, {"shortage_cost": 0.0, "holding_cost_rate": 0.0})
    demand, limits = steady([2, 2, 2]), Limits(supplier_minimums={"acme": 90.0})
    made = plan(items, None, demand, limits=limits)
    assert order_of(made.lines).tolist() == [18, 0, 0]
    earlier = made.lines.assign(order_quantity=14)
    assert order_of(plan(items, None, demand, previous=earlier).lines)[1:].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("terms", "per_day", "expected"),
    [
        ({}, 0, 0),
        ({"lead_time_days": 0.0}, 2, 14),
        ({"price": 0.0, "shortage_cost": 0.0}, 2, 0),
        ({"unit_cost": 0.0}, 2, 14),
        ({"on_hand": 0}, 2, 14),
        ({"on_hand": 6}, 2, 14),
        ({"on_hand": 9}, 2, 11),
        ({"on_hand": -5}, 2, 19),
        ({"moq": 30}, 2, 30),
        ({"pack_size": 12}, 2, 24),
        ({"holding_cost_rate": 0.0}, 2, 14),
        ({"review_period_days": 0}, 2, 2),
    ],
)
def test_edges_of_one_item(terms: dict[str, object], per_day: int, expected: int) -> None:
    """2 a day, reviewed weekly: 14 units from the arrival on, whatever was lost before it."""
    made = plan(items_frame(terms), arrivals_frame(), steady([per_day]))
    assert order_of(made.lines).tolist() == [expected]


def test_demand_lost_before_the_order_arrives_is_not_ordered_again() -> None:
    """Nothing on the shelf and 3 days of lead time: mean need is 20 units, but 6 of them cannot be sold any more."""
    line = plan(items_frame({}), None, steady([2])).lines.iloc[0]
    assert line["need"] == 20
    assert line["buffer"] == -6
    assert line["order_quantity"] == 14
    assert line["expected_lost_units_without"] == 20
    assert line["expected_lost_units_with"] == 6
    assert line["expected_lost_sales_avoided"] == 14 * TERMS["shortage_cost"]
    assert line["order_by_day"] == 0
    assert line["risk_before_arrival"] == 1


def test_what_binds_is_named() -> None:
    items = items_frame({"moq": 30}, {"pack_size": 12}, {}, {}).assign(max_order_quantity=[np.nan, np.nan, 10, np.nan])
    assert plan(items, None, steady([2, 2, 2, 2])).lines["binds"].tolist() == ["moq", "pack", "max_order_quantity", ""]


def test_demand_with_more_spread_has_more_buffer() -> None:
    generator = np.random.default_rng(0)
    level = generator.gamma(1.0, 1.0, size=(1, 400, 1))
    wild = ArrayDemand(generator.poisson(np.broadcast_to(2.0 * level, (1, 400, 28))))
    calm = poisson([2.0], paths=400)
    items = items_frame({"on_hand": 6})
    assert plan(items, None, wild).lines["buffer"][0] > plan(items, None, calm).lines["buffer"][0] > 0


def test_top_ups_go_to_items_that_will_sell_them_soonest() -> None:
    items = items_frame({"on_hand": 9}, {"on_hand": 60, "review_period_days": 7}, {"on_hand": 9})
    made = plan(items, None, steady([2, 2, 0]), limits=Limits(supplier_minimums={"acme": 200.0}))
    quantity = order_of(made.lines)
    assert quantity[0] == 40
    assert quantity[1:].tolist() == [0, 0]
