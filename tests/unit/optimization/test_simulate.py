"""The replay conserves every unit, shows a policy nothing early, and pays what closed forms say."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from apps.optimization.engine.demand import ArrayDemand, Demand
from apps.optimization.engine.frames import InputError, read_items
from apps.optimization.engine.policies import BY_NAME, OrderUpTo, Planned, ReorderUpTo, SalesTimesLeadTime, View
from apps.optimization.engine.policy import lead_time_draws
from apps.optimization.engine.simulate import MEASURES, Replay, difference, replay
from tests.unit.optimization.shops import arrivals_frame, item_rows, items_frame

Units = NDArray[np.int64]


class Scripted:
    """Any function of the view as a policy; remembers what it saw and decided."""

    def __init__(self, decide: Callable[[View], Any]) -> None:
        self.decide, self.seen, self.decided = decide, list[View](), list[Units]()

    def orders(self, view: View) -> Units:
        self.seen.append(view)
        self.decided.append(np.asarray(self.decide(view), dtype=np.int64))
        return self.decided[-1]


class Probe(Scripted):
    """Remembers too what lay in its reach as it decided."""

    def __init__(self, decide: Callable[[View], Any], *, behind: bool = True) -> None:
        super().__init__(decide)
        self.behind, self.reached = behind, list[str]()

    def orders(self, view: View) -> Units:
        self.reached.append(digest_of(view, behind=self.behind))
        return super().orders(view)


def up_to(level: int) -> Scripted:
    return Scripted(lambda view: np.maximum(level - view.position, 0))


def demand_of(mean: float, n: int, days: int, seed: int = 0) -> Units:
    return np.random.default_rng(seed).poisson(mean, size=(n, days))


def digest_of(view: View, *, behind: bool) -> str:
    """A digest of all that a view tells, and with `behind` of the memory behind each of its arrays too."""
    digest = hashlib.sha256(str(view.day).encode())
    arrays = [view.sold, view.sold_out, view.on_order, view.due, view.position]
    arrays += [getattr(view.terms, field.name) for field in dataclasses.fields(view.terms)]
    for frame in (view.items, view.arrivals):
        arrays += [frame[column].to_numpy() for column in frame]
    for array in arrays:
        reached: Any = array
        while reached is not None:
            digest.update(str(np.asarray(reached).tolist()).encode())
            reached = getattr(reached, "base", None) if behind else None
    return digest.hexdigest()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(item_rows, min_size=1, max_size=5),
    st.integers(0, 99),
    st.integers(0, 15),
    st.integers(0, 30),
    st.integers(0, 9),
    st.sampled_from(["lost", "backorder"]),
)
def test_every_unit_is_accounted_for(
    rows: list[dict[str, Any]], seed: int, level: int, days: int, run_in: int, unmet: Any
) -> None:
    items = items_frame(*rows)
    policy = up_to(level)
    demand = demand_of(0.8, len(items), days, seed)
    run_in = min(run_in, max(days - 1, 0))
    done = replay(
        items, arrivals_frame(("item-0", 2, 5)), demand, policy, seed=seed, run_in_days=run_in, unmet=unmet
    )
    total = {name: done.measures[name].sum(axis=1) for name in MEASURES}
    assert (done.opening_stock + total["received"] - total["sold"] == done.closing_stock).all()
    assert (done.opening_on_order + total["ordered"] == total["received"] + done.closing_on_order).all()
    assert (total["demand"] == demand[:, run_in:].sum(axis=1)).all()
    assert (total["demand"] == total["sold"] + total["lost"]).all()
    assert (total["late"] <= total["sold"]).all()
    if unmet == "lost":
        assert (done.closing_stock >= 0).all()
        assert all((view.terms.on_hand >= 0).all() for view in policy.seen)
        assert not total["late"].any()
    else:
        assert not total["lost"].any()
    for view in policy.seen:
        on_its_way = view.arrivals.groupby("unique_id")["quantity"].sum().reindex(items["unique_id"], fill_value=0)
        assert (on_its_way.to_numpy() == view.on_order).all()
        assert (view.arrivals["day"] >= 1).all()
    assert all((values >= 0).all() for name, values in done.measures.items() if name not in ("margin", "profit"))
    np.testing.assert_allclose(total["profit"], total["margin"] - total["holding"])
    np.testing.assert_allclose(total["cost"], total["lost_margin"] + total["holding"])
    assert 0.0 <= done.fill_rate <= 1.0


def lived_plainly(
    terms: dict[str, Any], demand: list[int], lead: list[int], level: int, reorder_at: int, unmet: str
) -> dict[str, float]:
    """One item, one day after the other, under (R, s, S): the replay as one would write it down first."""
    pack = terms["pack_size"]
    moq = -(-max(terms["moq"], 1) // pack) * pack
    largest = terms["max_order_quantity"]
    largest = 10**9 if np.isnan(largest) else int(largest) // pack * pack
    shelf = max(terms["on_hand"], 0) if unmet == "lost" else terms["on_hand"]
    coming: dict[int, int] = {}
    sums = dict.fromkeys(
        ("sold", "lost", "late", "ordered", "orders", "received", "stockout_days", "stock", "tied_up"), 0.0
    )
    for day, wanted in enumerate(demand):
        received = coming.pop(day, 0)
        shelf += received
        if day % terms["review_period_days"] == 0:
            position = shelf + sum(coming.values())
            quantity = 0
            if position <= reorder_at and position < level:
                quantity = min(max(-(-(level - position) // pack) * pack, moq), largest)
                quantity = quantity if quantity >= moq else 0
            sums["ordered"] += quantity
            sums["orders"] += quantity > 0
            if lead[day] == 0:
                shelf += quantity
                received += quantity
            elif quantity:
                coming[day + lead[day]] = coming.get(day + lead[day], 0) + quantity
        served = min(max(shelf, 0), wanted)
        sold = served if unmet == "lost" else wanted
        shelf -= sold
        sums["received"] += received
        sums["sold"] += sold
        sums["lost"] += wanted - sold
        sums["late"] += sold - served
        sums["stockout_days"] += shelf <= 0
        sums["stock"] += max(shelf, 0)
        sums["tied_up"] += max(shelf, 0) + sum(coming.values())
    return sums | {"closing": shelf}


@settings(max_examples=30, deadline=None)
@given(
    st.lists(item_rows, min_size=1, max_size=4),
    st.integers(0, 99),
    st.integers(0, 40),
    st.integers(-2, 20),
    st.sampled_from(["lost", "backorder"]),
)
def test_a_replay_is_what_a_plain_loop_over_items_gives(
    rows: list[dict[str, Any]], seed: int, level: int, reorder_at: int, unmet: Any
) -> None:
    items = items_frame(*rows)
    demand = demand_of(1.2, len(items), 40, seed)
    lead = lead_time_draws(read_items(items), 40, seed=seed)[0]
    done = replay(items, None, demand, ReorderUpTo(reorder_at, level), seed=seed, unmet=unmet)
    for row in range(len(items)):
        terms = {str(name): items[name].iloc[row] for name in items}
        plain = lived_plainly(terms, demand[row].tolist(), lead[row].tolist(), level, reorder_at, unmet)
        assert done.closing_stock[row] == plain.pop("closing")
        assert {name: done.measures[name][row].sum() for name in plain} == plain


@pytest.mark.parametrize("first_change", [1, 8, 20])
def test_a_probe_never_sees_a_day_early(first_change: int) -> None:
    """Two histories that part on one day look the same through every view up to that morning, and differ after it.

    So does the memory behind each array.
    """
    items = items_frame({"on_hand": 8, "review_period_days": 1}, {"on_hand": 30, "review_period_days": 1})
    past = demand_of(1.0, 2, 28)
    other = past.copy()
    other[:, first_change:] += 1
    probes = [Probe(up_to(12).decide) for _ in range(2)]
    for history, probe in zip((past, other), probes, strict=True):
        replay(items, None, history, probe, history=np.ones((2, 9), dtype=np.int64))
    ours, theirs = (probe.reached for probe in probes)
    assert ours[: first_change + 1] == theirs[: first_change + 1]
    assert ours[first_change + 1] != theirs[first_change + 1]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_poisoned_future_changes_no_decision(name: str) -> None:
    items = items_frame(*[{"review_period_days": 1, "lead_time_spread_days": 2.0}] * 3)
    history, demand = demand_of(2.0, 3, 60), demand_of(2.0, 3, 40, seed=1)
    poisoned = demand.copy()
    poisoned[:, 20:] = 10**6
    seen = []
    for future in (demand, poisoned):
        watched = Scripted(BY_NAME[name].orders)
        replay(items, None, future, watched, history=history)
        seen.append(np.array(watched.decided))
    np.testing.assert_array_equal(seen[0][:21], seen[1][:21])
    assert (seen[0][21:] != seen[1][21:]).any()
    assert seen[0][:21].any()


def test_what_a_policy_is_handed_cannot_be_written_to_nor_changes_later() -> None:
    items = items_frame({"on_hand": 9, "review_period_days": 1, "lead_time_days": 4.0, "lead_time_spread_days": 2.0})
    tried: list[str] = []

    def vandal(view: View) -> Any:
        arrays = [view.sold, view.sold_out, view.terms.on_hand, view.terms.moq, view.on_order, view.due]
        for array in arrays:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
        for array in (view.sold, view.sold_out):
            if array.size:
                with pytest.raises(ValueError, match="WRITEABLE"):
                    array.flags.writeable = True
        for array in (view.terms.on_hand, view.terms.moq, view.on_order, view.due):
            array.flags.writeable = True
            array[...] = 99
            array.flags.writeable = False
        view.frame["on_hand"] = 99
        tried.append("")
        return np.array([3])

    demand = demand_of(1.0, 1, 20)
    before = items.copy()
    spoiled = replay(items, None, demand, Scripted(vandal), history=demand)
    honest = Scripted(lambda view: [3])
    done = replay(items, None, demand, honest, history=demand)
    assert len(tried) == 20
    pd.testing.assert_frame_equal(items, before)
    pd.testing.assert_frame_equal(spoiled.frame(), done.frame())
    at_once = Probe(lambda view: [3], behind=False)
    replay(items, None, demand, at_once, history=demand)
    assert [digest_of(view, behind=False) for view in at_once.seen] == at_once.reached


def test_the_lead_time_drawn_does_not_show_before_the_goods_are_there() -> None:
    items = items_frame({"lead_time_days": 9.0, "lead_time_spread_days": 4.0, "review_period_days": 1})
    arrived, reached = [], []
    for seed in range(6):
        probe = Probe(lambda view: [50 if view.day == 0 else 0])
        done = replay(items, None, np.zeros((1, 28), dtype=np.int64), probe, seed=seed)
        arrived.append(next(view.day for view in probe.seen if view.items["on_hand"].iloc[0] > 0))
        reached.append(probe.reached)
        assert done.closing_stock[0] == 50
    assert len(set(arrived)) > 2
    first = min(arrived)
    assert len({tuple(seen[:first]) for seen in reached}) == 1


def test_lead_times_of_a_suppliers_own_past_are_drawn_as_often_as_they_came_for_every_policy() -> None:
    items = items_frame({"review_period_days": 1}, {"supplier_id": "bolt", "review_period_days": 1})
    nothing = np.zeros((2, 60), dtype=np.int64)
    one_a_day = Scripted(lambda view: [1, 1])
    done = replay(items, None, nothing, one_a_day, lead_times={"acme": [2, 2, 8]})
    # 60 orders: 40 take two days, 20 take eight; what is on order on average is what Little's law says
    outstanding = np.array([view.on_order for view in one_a_day.seen[20:50]]).mean(axis=0)
    assert outstanding == pytest.approx([4.0 - 1.0, 3.0 - 1.0], abs=0.7)
    assert done.measures["received"].sum(axis=1) == pytest.approx([60 - 4, 60 - 3], abs=3)
    expected = {tuple(view.arrivals["day"]) for view in one_a_day.seen if len(view.arrivals)}
    assert max(max(days) for days in expected) == 2, "the policy expects what the terms say, not what was drawn"
    more = replay(items, None, nothing, Scripted(lambda view: [5, 5]), lead_times={"acme": [2, 2, 8]})
    np.testing.assert_array_equal(more.measures["received"], 5 * done.measures["received"])
    with pytest.raises(InputError, match="supplier 'acme' must be whole days"):
        replay(items, None, nothing, one_a_day, lead_times={"acme": [-1]})


def test_goods_come_after_their_lead_time_and_orders_only_when_due() -> None:
    items = items_frame({"lead_time_days": 3.0}, {"lead_time_days": 0.0})
    policy = Scripted(lambda view: np.array([7, 7]) if view.day in (0, 3, 7) else np.array([0, 0]))
    done = replay(items, None, np.ones((2, 14), dtype=np.int64), policy)
    assert [view.day for view in policy.seen] == [0, 7]
    assert done.measures["received"].tolist() == [[7.0, 7.0], [7.0, 7.0]]
    assert done.measures["lost"].tolist() == [[3.0, 0.0], [0.0, 0.0]]


def test_a_base_stock_sells_what_the_newsvendor_expects() -> None:
    """Without lead time, S units each morning sell E[min(D, S)] a day (Poisson demand)."""
    items = items_frame(*[{"lead_time_days": 0.0, "review_period_days": 1}] * 50)
    done = replay(items, None, demand_of(4.0, 50, 400), up_to(5))
    expected = sum(1 - stats.poisson.cdf(k, 4.0) for k in range(5))
    assert done.measures["sold"].sum() / (50 * 400) == pytest.approx(expected, rel=0.01)
    assert done.fill_rate == pytest.approx(expected / 4.0, rel=0.01)


def test_a_base_stock_with_backorders_serves_what_the_poisson_distribution_says() -> None:
    """Lead time L, every day reviewed: of a day's demand that part waits by which demand of L + 1 days exceeds S.

    Net stock at the end of a day is S less the demand of L + 1 days (orders of the morning come L mornings later):
    E[late] = E[(D_{L+1} - S)+] - E[(D_L - S)+] (Snyder and Shen 2019, chapter 4).
    """
    items = items_frame(*[{"lead_time_days": 2.0, "review_period_days": 1, "on_hand": 9}] * 50)
    done = replay(items, None, demand_of(2.0, 50, 400), OrderUpTo(9), unmet="backorder", run_in_days=10)

    def over(mean: float) -> float:
        count = np.arange(9, 60)
        return float(((count - 9) * stats.poisson.pmf(count, mean)).sum())

    late = over(6.0) - over(4.0)
    assert done.measures["late"].sum() / (50 * 390) == pytest.approx(late, rel=0.05)
    assert done.fill_rate == pytest.approx(1 - late / 2.0, abs=0.005)
    evenings = 9 - 6.0 + over(6.0)
    assert done.totals()["average_stock"] / 50 == pytest.approx(evenings, rel=0.02)


def test_steady_demand_under_order_up_to_is_a_saw_tooth() -> None:
    """d a day, review R, lead time L <= R, S = d (L + R): nothing is lost; evenings run from d (R - 1) down to 0 in
    each cycle, R d / 2 - d / 2 on average; orders of d R each R days."""
    items = items_frame({"lead_time_days": 3.0, "on_hand": 3 * 10})
    done = replay(items, None, np.full((1, 7 * 30), 3), OrderUpTo(3 * 10), run_in_days=14)
    sums = done.totals()
    assert (sums["lost"], sums["fill_rate"], sums["orders"]) == (0.0, 1.0, 28.0)
    assert sums["average_stock"] == pytest.approx(7 * 3 / 2 - 3 / 2)
    assert sums["average_stock_value"] == pytest.approx(5.0 * 9)
    assert sums["turns"] == pytest.approx(365 * 3 / 9)
    assert sums["money_tied_up"] == pytest.approx(5.0 * (9 + 3 * 21 / 7)), "21 on order for three evenings of seven"
    assert sums["stockout_days"] == 28, "the evening before each delivery"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(0, 20), st.integers(0, 20), st.integers(0, 12), st.sampled_from([1, 3, 7]))
def test_more_stock_to_begin_with_never_loses_more_units(
    seed: int, stock: int, more: int, level: int, review: int
) -> None:
    terms = {"lead_time_days": 0.0, "review_period_days": review}
    items = items_frame({"on_hand": stock, **terms}, {"on_hand": stock + more, **terms})
    demand = np.repeat(demand_of(1.5, 1, 30, seed), 2, axis=0)
    less, greater = replay(items, None, demand, OrderUpTo(level)).measures["lost"].sum(axis=1)
    assert greater <= less


@settings(max_examples=20, deadline=None)
@given(st.lists(item_rows, min_size=1, max_size=4), st.integers(0, 99))
def test_backorders_are_all_served_in_the_end(rows: list[dict[str, Any]], seed: int) -> None:
    items = items_frame(*rows).assign(max_order_quantity=np.nan)
    demand = np.concatenate([demand_of(2.0, len(items), 20, seed), np.zeros((len(items), 45), dtype=np.int64)], axis=1)
    done = replay(items, None, demand, OrderUpTo(0), seed=seed, unmet="backorder")
    assert (done.closing_stock >= 0).all()
    assert (done.measures["sold"].sum(axis=1) == demand.sum(axis=1)).all()
    assert (done.measures["late"].sum(axis=1) <= demand.sum(axis=1)).all()


def test_the_run_in_is_lived_and_not_counted() -> None:
    items = items_frame({"on_hand": 5}, {"on_hand": 50})
    demand = demand_of(2.0, 2, 49)
    whole = replay(items, None, demand, SalesTimesLeadTime())
    later = replay(items, None, demand, SalesTimesLeadTime(), run_in_days=14)
    for name in MEASURES:
        np.testing.assert_allclose(later.measures[name], whole.measures[name][:, 2:])
    assert (later.days, whole.days) == (35, 49)
    with pytest.raises(InputError, match="at least one day must"):
        replay(items, None, demand, SalesTimesLeadTime(), run_in_days=49)
    with pytest.raises(InputError, match="neither 'lost' nor 'backorder'"):
        replay(items, None, demand, SalesTimesLeadTime(), unmet="ignored")  # type: ignore[arg-type]


def test_the_table_says_each_figure_with_its_interval() -> None:
    items = items_frame(*[{"on_hand": 3, "price": 6.0 + row % 3} for row in range(60)])
    done = replay(items, None, demand_of(1.0, 60, 70), SalesTimesLeadTime(), history=demand_of(1.0, 60, 30, 1))
    table = done.table().set_index("figure")
    assert table["value"].to_dict() == pytest.approx(done.totals())
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()
    lost = done.measures["lost_margin"].sum(axis=1)
    width = table["high"] - table["low"]
    assert width["lost_margin"] == pytest.approx(2 * 1.96 * lost.std() * 60**0.5, rel=0.2)
    together = done.table(groups=np.repeat(["a", "b", "c"], 20).astype(object)).set_index("figure")
    assert together["value"].to_dict() == pytest.approx(done.totals())
    pd.testing.assert_frame_equal(done.table(seed=3), done.table(seed=3))
    first = done.of(np.array([0, 1]))
    assert first.totals()["lost"] == done.measures["lost"][:2].sum()


def test_a_fixed_lot_costs_what_the_eoq_formula_says() -> None:
    """Steady demand d, a lot Q as the shelf runs empty: Q/2 on average in stock (evenings: (Q - d) / 2), D/Q orders."""
    items = items_frame({"lead_time_days": 0.0, "review_period_days": 1, "on_hand": 0})
    policy = Scripted(lambda view: np.where(view.items["on_hand"].to_numpy() == 0, 20, 0))
    done = replay(items, None, np.full((1, 400), 2, dtype=np.int64), policy)
    holding = 5.0 * 0.25 / 365 * (20 - 2) / 2 * 400
    assert done.measures["holding"].sum() == pytest.approx(holding)
    assert done.measures["ordered"].sum() == 400 * 2
    assert done.measures["margin"].sum() == pytest.approx(400 * 2 * (7.0 - 5.0))


def test_profit_is_cash_with_closing_stock_valued() -> None:
    items = items_frame({"on_hand": 9, "lead_time_days": 0.0})
    done = replay(items, None, demand_of(1.0, 1, 21), up_to(30))
    sums = done.totals()
    cash = sums["sold"] * 7.0 - sums["received"] * 5.0 - sums["holding"]
    assert sums["profit"] == pytest.approx(cash + 5.0 * done.closing_stock[0] - 5.0 * 9)
    assert sums["closing_value"] == pytest.approx(5.0 * done.closing_stock[0])
    assert done.frame()["profit"].sum() == pytest.approx(sums["profit"])
    assert done.frame()["week"].tolist() == [0, 1, 2]


def test_thirty_day_sales_times_lead_time() -> None:
    """60 sold in 30 days is 2 a day, 24 for 5 + 7 days; 4 on hand and 6 on order leave 14, in packs of 6: 18."""
    items = items_frame({"lead_time_days": 5.0, "on_hand": 4, "pack_size": 6}, {"on_hand": 40}, {"moq": 50})
    history = np.full((3, 60), 2, dtype=np.int64)
    history[:, :30] = 90
    seen = Scripted(lambda view: np.zeros(3))
    replay(items, arrivals_frame(("item-0", 2, 6)), np.zeros((3, 1), dtype=np.int64), seen, history=history)
    assert SalesTimesLeadTime().orders(seen.seen[0]).tolist() == [18, 0, 50]


def test_the_plan_beats_the_plain_rule_where_demand_is_wild_and_margins_are_high() -> None:
    generator = np.random.default_rng(3)
    n, days = 40, 91
    level = generator.gamma(0.7, 1.5, size=(n, days // 7, 1))
    demand = generator.poisson(np.broadcast_to(level, (n, days // 7, 7)).reshape(n, days))
    items = items_frame(*[{"on_hand": 8, "price": 15.0, "shortage_cost": 10.0, "lead_time_days": 4.0}] * n)

    def bootstrapped(view: View) -> Demand:
        """Weeks of the item's own past, drawn with replacement."""
        weeks = view.sold[:, -84:].reshape(n, 12, 7)
        picked = np.random.default_rng(view.day).integers(0, 12, size=(80, 4))
        return ArrayDemand(weeks[:, picked].reshape(n, 80, 28))

    past = generator.poisson(np.broadcast_to(generator.gamma(0.7, 1.5, (n, 12, 1)), (n, 12, 7)).reshape(n, 84))
    ours = replay(items, None, demand, Planned(bootstrapped), history=past)
    theirs = replay(items, None, demand, SalesTimesLeadTime(), history=past)
    gained = difference(ours, theirs, draws=500)
    assert gained.low > 0
    assert gained.is_clear
    assert gained.money == pytest.approx(ours.totals()["profit"] - theirs.totals()["profit"])
    assert ours.fill_rate > theirs.fill_rate


def profits(values: NDArray[np.float64]) -> Replay:
    nothing = np.zeros(len(values), dtype=np.int64)
    ids = np.array([f"item-{row}" for row in range(len(values))], dtype=object)
    return Replay(ids, {"profit": values}, np.zeros(len(values)), 7, nothing, nothing, nothing, nothing)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for trial in range(150):
        by_group = np.repeat(generator.normal(1, 2, (20, 1)), 2, axis=0)
        noise = by_group + generator.normal(0, 1, (1, 13)) + generator.normal(0, 2, (40, 13))
        groups = np.repeat([f"group-{k}" for k in range(20)], 2).astype(object)
        nothing = profits(np.zeros_like(noise))
        found = difference(profits(noise), nothing, groups=groups, draws=300, seed=trial)
        covered += found.low <= 40 * 13 * 1.0 <= found.high
    assert covered / 150 > 0.88


def test_items_of_a_group_that_err_together_widen_the_interval() -> None:
    together = np.repeat(np.random.default_rng(1).normal(0, 3, (8, 1)), 10, axis=0) + np.zeros((80, 13))
    nothing = profits(np.zeros((80, 13)))
    groups = np.repeat([f"group-{k}" for k in range(8)], 10).astype(object)
    wide, narrow = (difference(profits(together), nothing, groups=chosen) for chosen in (groups, None))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    same = difference(nothing, nothing)
    assert (same.money, same.low, same.high, same.is_clear) == (0.0, 0.0, 0.0, False)


def test_replays_of_other_items_are_not_compared() -> None:
    with pytest.raises(ValueError, match="not of the same items"):
        difference(profits(np.zeros((2, 3))), profits(np.zeros((2, 4))))


def test_bad_demand_and_bad_orders_are_said() -> None:
    items = items_frame({})
    with pytest.raises(InputError, match="rows must be items"):
        replay(items, None, np.zeros((2, 3), dtype=np.int64), up_to(1))
    with pytest.raises(InputError, match="whole units of at least 0"):
        replay(items, None, np.full((1, 3), -1), up_to(1))
    with pytest.raises(InputError, match="orders must be 1 whole numbers"):
        replay(items, None, np.zeros((1, 3), dtype=np.int64), Scripted(lambda view: [-1]))


def test_an_empty_shop_replays() -> None:
    done = replay(items_frame({}).iloc[:0], None, np.zeros((0, 14), dtype=np.int64), SalesTimesLeadTime())
    assert done.weeks == 2
    assert (done.table()["value"] == done.table()["low"]).all()
    assert difference(done, done).money == 0.0
    assert isinstance(done.frame(), pd.DataFrame)
