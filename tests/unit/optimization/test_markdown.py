"""Price paths against every path there is, against plain recursion over every policy, and against closed forms."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.optimization.engine.demand import ArrayDemand
from apps.optimization.engine.frames import InputError, read_goods
from apps.optimization.engine.markdown import NODES, Rules, Scene, best_policy, ladder, plan, rounded, set_scene
from tests.unit.optimization.shops import poisson, steady

GOODS: dict[str, Any] = {
    "on_hand": 20, "price": 12.0, "unit_cost": 5.0, "holding_cost_rate": 0.0, "elasticity": -1.5, "elasticity_sd": 0.0,
    "sell_by_day": 21.0, "lowest_price": 1.0,
}  # fmt: skip
LADDER = (0.5, 2 / 3, 0.75)
"""Off 12: prices 6, 4 and 3, at which an elasticity of -1 sells two, three and four times as much."""
WHOLE = Rules(depths=LADDER, cadence_days=7, horizon_days=21, ending="", smallest_gain=0.0)


def goods_frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([{"unique_id": f"item-{number}", **GOODS, **row} for number, row in enumerate(rows)])


def by_week(*weeks: list[int]) -> ArrayDemand:
    """One path an item: so many units on the first day of each week."""
    array = np.zeros((len(weeks), 1, 7 * len(weeks[0])), dtype=np.int64)
    array[:, 0, ::7] = weeks
    return ArrayDemand(array)


def money_of(path: tuple[float, ...], weeks: list[int], row: dict[str, Any], refunded: bool) -> float:
    """A path of weekly prices followed to the end, unit by unit; an elasticity of -1."""
    stock, money, before, recent = row["on_hand"], 0.0, 12.0, row["recent_units"]
    for price, week in zip(path, weeks, strict=True):
        if refunded and stock > 0:
            money -= (before - price) * recent
        sold = min(stock, round(week * 12 / price))
        money += price * sold - row["unit_cost"] * row["holding_cost_rate"] / 365 * 7 * (stock - sold / 2)
        stock, before, recent = stock - sold, price, sold
    return float(money + row["salvage_value"] * stock)


@settings(max_examples=30, deadline=None)
@given(
    weeks=st.lists(st.integers(0, 4), min_size=3, max_size=3), on_hand=st.integers(1, 40),
    salvage=st.sampled_from([0.0, 1.0, 3.5]), rate=st.sampled_from([0.0, 5.0]), refunded=st.booleans(),
)  # fmt: skip
def test_no_other_path_earns_more(
    weeks: list[int], on_hand: int, salvage: float, rate: float, refunded: bool
) -> None:
    row = {"on_hand": on_hand, "salvage_value": salvage, "holding_cost_rate": rate, "elasticity": -1.0,
           "unit_cost": 5.0, "recent_units": 3.0}
    rules = Rules(**{**WHOLE.__dict__, "protection_days": 7 if refunded else 0})
    table = plan(goods_frame(row), by_week(weeks), rules).table
    paths = [path for path in itertools.product((12.0, 6.0, 4.0, 3.0), repeat=3) if list(path) == sorted(path)[::-1]]
    every = {path: money_of(path, weeks, row, refunded) for path in paths}
    if table.empty:
        assert sum(weeks) >= on_hand  # it sells without a cut: no candidate
        return
    found = table.iloc[0]
    assert found["money"] == pytest.approx(max(every.values()))
    assert found["money_nothing"] == pytest.approx(every[(12.0, 12.0, 12.0)])
    assert found["money_clear"] == pytest.approx(every[(3.0, 3.0, 3.0)])
    assert found["is_proposed"] == (found["gain"] > 1e-9)


def best_by_recursion(scene: Scene, period: int, step: int, stock: int) -> float:
    """What the best policy earns, by trying all of them; written without the program's arrays."""
    if period == scene.days.shape[1]:
        return float(scene.left(np.array([[float(stock)]]))[0, 0])
    worths: list[float] = []
    for chosen in range(step, scene.prices.shape[1]):
        if period == 0 and scene.locked[0] and chosen > step:
            continue
        fall = float(scene.prices[0, step] - scene.prices[0, chosen])
        before = scene.recent[0] if period == 0 else float(
            np.mean([d * x for d in scene.demand[0, :, period - 1] for x in scene.lift[0, step]])) * scene.protected
        worth: float = -fall * float(before) if stock > 0 else 0.0
        chances: dict[int, float] = {}
        for units, lift in itertools.product(scene.demand[0, :, period], scene.lift[0, chosen]):
            low = int(np.floor(units * lift + 1e-9))
            up = max(units * lift - low, 0.0)
            for sold, chance in ((min(low, stock), 1 - up), (min(low + 1, stock), up)):
                chances[sold] = chances.get(sold, 0.0) + chance / scene.demand.shape[1] / len(NODES)
        for sold, chance in chances.items():
            if chance > 0:
                cost = scene.goods.holding_cost[0] * scene.days[0, period] * (stock - sold / 2)
                then = best_by_recursion(scene, period + 1, chosen, stock - sold)
                worth += chance * (float(scene.prices[0, chosen]) * sold - float(cost) + then)
        worths.append(worth)
    return float(max(worths))


@settings(max_examples=15, deadline=None)
@given(
    paths=st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=2),
    row=st.fixed_dictionaries({
        "on_hand": st.integers(1, 4), "elasticity": st.sampled_from([-0.5, -1.3, -2.5]),
        "elasticity_sd": st.sampled_from([0.0, 0.6]), "holding_cost_rate": st.sampled_from([0.0, 3.0]),
        "salvage_value": st.sampled_from([np.nan, 2.0]), "sell_by_day": st.sampled_from([np.nan, 10.0, 21.0]),
        "days_since_change": st.sampled_from([np.nan, 3.0]), "floor_price": st.sampled_from([0.0, 5.0])}),
    protection=st.sampled_from([0, 5]),
)  # fmt: skip
def test_the_policy_is_the_best_of_all(paths: list[list[int]], row: dict[str, Any], protection: int) -> None:
    array = np.zeros((1, len(paths), 21), dtype=np.int64)
    array[0, :, ::7] = paths
    rules = Rules(**{**WHOLE.__dict__, "protection_days": protection, "depths": (0.2, 0.5)})
    goods = read_goods(goods_frame(row))
    scene = set_scene(goods, array, array.mean(axis=(1, 2)), rules)
    value, _action, unit = best_policy(scene)
    assert unit[0] == 1
    for stock in range(row["on_hand"] + 1):
        assert value[0, stock] == pytest.approx(best_by_recursion(scene, 0, 0, stock), abs=1e-9)


@pytest.mark.parametrize("elasticity", [-1.3, -2.0, -3.0])
@pytest.mark.parametrize("salvage", [0.0, 4.0])
@pytest.mark.parametrize("on_hand", [60, 90, 400])
def test_one_price_is_best_where_demand_is_steady(elasticity: float, salvage: float, on_hand: int) -> None:
    """Constant elasticity: either stock just sells out, or a unit more earns no more than it is worth at the end."""
    depths = tuple(np.arange(0.02, 0.99, 0.02))
    rules = Rules(**{**WHOLE.__dict__, "depths": depths})
    row = {"elasticity": elasticity, "salvage_value": salvage, "on_hand": on_hand}
    found = plan(goods_frame(row), steady([2], days=21), rules).table.iloc[0]
    sells_out = 12 * (on_hand / 42) ** (1 / elasticity)
    no_less = salvage * elasticity / (1 + elasticity)
    best = min(max(sells_out, no_less), 12.0)

    def money(price: float) -> float:
        sold: float = min(on_hand, 42 * (price / 12) ** elasticity)
        return price * sold + salvage * (on_hand - sold)

    assert found["money"] <= money(best) * (1 + 1e-9)
    assert found["money"] >= 0.98 * money(best)
    prices = found["prices"] or [12.0]
    assert max(prices) >= best - 0.24 - 1e-9  # a step of the ladder
    assert min(prices) <= best + 0.24 + 1e-9


whole_rows = {"elasticity": -1.0, "holding_cost_rate": 0.0}
demands = st.lists(st.integers(0, 4), min_size=3, max_size=3)


@settings(max_examples=25, deadline=None)
@given(weeks=demands, on_hand=st.integers(1, 40), low=st.sampled_from([0.0, 0.5, 2.0]), more=st.sampled_from([0.5, 3]))
def test_what_is_worth_more_at_the_end_is_cut_less(weeks: list[int], on_hand: int, low: float, more: float) -> None:
    """Whatever the ladder: of two best choices the one at the higher value leaves no less."""
    rows = [{**whole_rows, "on_hand": on_hand, "salvage_value": value} for value in (low, low + more)]
    table = plan(goods_frame(*rows), by_week(weeks, weeks), WHOLE).table
    if len(table):
        assert table["units"][1] <= table["units"][0] + 1e-9


@settings(max_examples=25, deadline=None)
@given(week=st.integers(1, 6), salvage=st.sampled_from([0.0, 1.0, 3.5]), row=st.sampled_from([-1.0, -1.7]))
def test_more_stock_is_never_dearer(week: int, salvage: float, row: float) -> None:
    rows = [{"on_hand": stock, "salvage_value": salvage, "elasticity": row, "sell_by_day": 7.0}
            for stock in range(week + 1, week + 20)]
    rules = Rules(**{**WHOLE.__dict__, "horizon_days": 7})
    table = plan(goods_frame(*rows), by_week(*[[week]] * len(rows)), rules).table
    assert (np.diff(table["last_price"]) <= 1e-9).all()


def test_of_more_stock_the_policy_never_asks_more() -> None:
    """Random demand over several periods, on a fine ladder."""
    rules = Rules(depths=tuple(np.arange(0.05, 0.8, 0.05)), cadence_days=7, horizon_days=28, ending="")
    goods = read_goods(goods_frame({"on_hand": 60, "sell_by_day": 28.0, "elasticity_sd": 0.3}))
    paths = poisson([0.8], paths=64)
    _value, action, _unit = best_policy(set_scene(goods, paths.array, np.array([0.8]), rules))
    assert (np.diff(action[0, 0, 0, 1:]) >= 0).all()
    assert len(np.unique(action[0, 0, 0])) > 3


@settings(max_examples=40, deadline=None)
@given(
    price=st.floats(0.05, 400), floor=st.floats(0, 200), ending=st.sampled_from(["", "99", "95", "00"]),
    current=st.floats(0.5, 1.0),
)
def test_the_ladder_only_goes_down_and_keeps_its_rules(price: float, floor: float, ending: str, current: float) -> None:
    row = {"price": price, "floor_price": floor, "current_price": max(price * current, 0.01)}
    prices = ladder(read_goods(goods_frame(row)), Rules(ending=ending))[0]
    assert (np.diff(prices) <= 0).all()
    for asked in prices[prices < prices[0]]:
        assert asked >= floor - 1e-9
        if ending and asked >= 1:
            assert f"{asked:.2f}".endswith(ending)


def test_prices_end_as_the_merchant_wishes() -> None:
    wanted = np.array([8.0, 9.87, 8.42, 0.45])
    np.testing.assert_allclose(rounded(wanted, "99"), [7.99, 9.99, 7.99, 0.45])
    np.testing.assert_allclose(rounded(wanted, "00"), [8.0, 10.0, 8.0, 0.45])
    np.testing.assert_allclose(rounded(wanted, ""), wanted)


def test_nothing_proposed_earns_less_than_doing_nothing_or_clearing_at_once() -> None:
    stream = np.random.default_rng(0)
    n = 60
    daily = stream.gamma(1, 0.5, n) + 0.02
    rows = [
        {"on_hand": int(60 * each) + 1, "price": float(price), "unit_cost": 0.6 * price, "holding_cost_rate": 0.25,
         "elasticity": float(slope), "elasticity_sd": 0.5, "sell_by_day": float(until) if until < 60 else np.nan,
         "days_since_change": float(since)}
        for each, price, slope, until, since in zip(
            daily, stream.uniform(1, 30, n).round(2), stream.normal(-1.8, 0.5, n), stream.integers(10, 90, n),
            stream.integers(0, 30, n), strict=True)
    ]  # fmt: skip
    rules = Rules(cadence_days=10, horizon_days=70, cover_days=40, smallest_gain=0.0)
    items, demand = goods_frame(*rows), poisson(list(daily), days=70)
    table = plan(items, demand, rules).table
    assert 20 < table["is_proposed"].sum() < len(table)
    assert (table["money"] >= table[["money_nothing", "money_clear"]].max(axis=1) - 1e-6).all()
    assert table["sell_through"].between(table["sell_through_low"] - 0.2, table["sell_through_high"] + 0.2).all()
    since = items.set_index("unique_id")["days_since_change"]
    for name, days, prices, current in table[["unique_id", "days", "prices", "current_price"]].itertuples(index=False):
        assert all(later - earlier >= 10 for earlier, later in itertools.pairwise(days))
        assert [current, *prices] == sorted({current, *prices}, reverse=True)
        assert not days or days[0] > 0 or since[name] >= 10
    other = plan(items.iloc[::-1], ArrayDemand(demand.array[::-1]), rules).table
    pd.testing.assert_frame_equal(other.sort_values("unique_id", ignore_index=True),
                                  table.sort_values("unique_id", ignore_index=True))


def test_only_what_will_not_sell_is_a_candidate_and_says_why() -> None:
    rows: list[dict[str, Any]] = [
        {"on_hand": 30, "sell_by_day": 14.0}, {"on_hand": 30, "sell_by_day": np.nan}, {"on_hand": 2},
        {"on_hand": 3, "sell_by_day": np.nan}, {"on_hand": 0}, {"on_hand": 14, "sell_by_day": 14.0}]
    demand = steady([1, 1, 1, 0, 0, 1], days=21)
    rules = Rules(**{**WHOLE.__dict__, "cover_days": 25})
    table = plan(goods_frame(*rows), demand, rules).table
    assert dict(zip(table["unique_id"], table["reason"], strict=True)) == {
        "item-0": "end_of_season", "item-1": "overstock", "item-3": "overstock"}


def test_a_price_never_asked_before_is_a_test() -> None:
    rows = [{"lowest_price": lowest, "on_hand": 1000, "elasticity": -3.0} for lowest in (3.0, 3.01, np.nan)]
    table = plan(goods_frame(*rows), steady([1, 1, 1], days=21), WHOLE).table
    assert table["last_price"].tolist() == [3.0, 3.0, 3.0]
    assert table["is_test"].tolist() == [False, True, True]
    assert table["confidence"].tolist() == ["high", "low", "low"]


def test_without_candidates_the_table_is_empty() -> None:
    found = plan(goods_frame({"on_hand": 0}), steady([1], days=21), WHOLE)
    assert found.table.empty
    assert found.summary["proposed"] == 0


@pytest.mark.parametrize(
    ("rules", "row", "sentence"),
    [
        ({"depths": (1.2,)}, {}, "depths must be shares"),
        ({"protection_days": 9}, {}, "protection_days must lie between 0 and cadence_days"),
        ({"ending": "49"}, {}, "ending is '49'"),
        ({"horizon_days": 90}, {}, "demand: it reaches 21 days; the horizon is 90."),
        ({}, {"elasticity": None}, "items: elasticity is missing or no number in 1 row"),
        ({}, {"price": 0}, "items: price is below 0.01 in 1 row"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(rules: dict[str, Any], row: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        plan(goods_frame(row), steady([1], days=21), Rules(**{**WHOLE.__dict__, **rules}))
