"""The replay conserves every unit, shows a policy nothing early, and pays what closed forms say."""

from __future__ import annotations

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
from apps.optimization.engine.frames import InputError
from apps.optimization.engine.simulate import (
    MEASURES,
    Planned,
    Replay,
    SalesTimesLeadTime,
    View,
    difference,
    replay,
)
from tests.unit.optimization.shops import arrivals_frame, item_rows, items_frame

Units = NDArray[np.int64]


class Scripted:
    """Any function of the view as a policy; remembers what it saw."""

    def __init__(self, decide: Callable[[View], Any]) -> None:
        self.decide, self.seen = decide, list[View]()

    def orders(self, view: View) -> Units:
        self.seen.append(view)
        return np.asarray(self.decide(view), dtype=np.int64)


def up_to(level: int) -> Scripted:
    return Scripted(lambda view: np.maximum(level - view.items["on_hand"].to_numpy() - view.on_order, 0))


def demand_of(mean: float, n: int, days: int, seed: int = 0) -> Units:
    return np.random.default_rng(seed).poisson(mean, size=(n, days))


@settings(max_examples=25, deadline=None)
@given(st.lists(item_rows, min_size=1, max_size=5), st.integers(0, 99), st.integers(0, 15), st.integers(0, 30))
def test_every_unit_is_accounted_for(rows: list[dict[str, Any]], seed: int, level: int, days: int) -> None:
    items = items_frame(*rows)
    policy = up_to(level)
    done = replay(items, arrivals_frame(("item-0", 2, 5)), demand_of(0.8, len(items), days, seed), policy, seed=seed)
    total = {name: done.measures[name].sum(axis=1) for name in MEASURES}
    assert (done.opening_stock + total["received"] - total["sold"] == done.closing_stock).all()
    arriving = np.where(items["unique_id"] == "item-0", 5, 0)
    assert (total["ordered"] + arriving == total["received"] + done.closing_on_order).all()
    assert (total["demand"] == total["sold"] + total["lost"]).all()
    assert (done.closing_stock >= 0).all()
    assert all((view.items["on_hand"] >= 0).all() for view in policy.seen)
    assert (done.measures["holding"] >= 0).all()
    np.testing.assert_allclose(total["profit"], total["margin"] - total["holding"])
    assert 0.0 <= done.fill_rate <= 1.0


def everything_reachable(view: View) -> str:
    """A digest of all a policy can get at through its view, the memory behind each array included."""
    digest = hashlib.sha256(str(view.day).encode())
    arrays = [view.sold, view.sold_out, view.on_order, view.due]
    for frame in (view.items, view.arrivals):
        arrays += [frame[column].to_numpy() for column in frame]
    for array in arrays:
        behind: Any = array
        while behind is not None:
            digest.update(str(np.asarray(behind).tolist()).encode())
            behind = getattr(behind, "base", None)
    return digest.hexdigest()


@pytest.mark.parametrize("first_change", [1, 8, 20])
def test_a_probe_never_sees_a_day_early(first_change: int) -> None:
    """Two histories that part on one day look the same through every view up to that morning, and differ after it."""
    items = items_frame({"on_hand": 8, "review_period_days": 1}, {"on_hand": 30, "review_period_days": 1})
    past = demand_of(1.0, 2, 28)
    other = past.copy()
    other[:, first_change:] += 1
    views = []
    for history in (past, other):
        probe = up_to(12)
        replay(items, None, history, probe)
        views.append([everything_reachable(view) for view in probe.seen])
    assert views[0][: first_change + 1] == views[1][: first_change + 1]
    assert views[0][first_change + 1] != views[1][first_change + 1]


def test_the_lead_time_drawn_does_not_show_before_the_goods_are_there() -> None:
    items = items_frame({"lead_time_days": 9.0, "lead_time_spread_days": 4.0, "review_period_days": 1})
    arrived, views = [], []
    for seed in range(6):
        probe = Scripted(lambda view: [50 if view.day == 0 else 0])
        done = replay(items, None, np.zeros((1, 28), dtype=np.int64), probe, seed=seed)
        arrived.append(next(view.day for view in probe.seen if view.items["on_hand"].iloc[0] > 0))
        views.append([everything_reachable(view) for view in probe.seen])
        assert done.closing_stock[0] == 50
    assert len(set(arrived)) > 2
    first = min(arrived)
    assert len({tuple(seen[:first]) for seen in views}) == 1


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
    return Replay(ids, {"profit": values}, nothing, nothing, nothing, np.zeros(len(values)))


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
    assert difference(done, done).money == 0.0
    assert isinstance(done.frame(), pd.DataFrame)
