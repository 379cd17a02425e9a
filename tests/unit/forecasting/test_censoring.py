"""Demand behind an empty shelf: recovered without bias, by as much as can be known, and never with hindsight."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from apps.forecasting.engine.backtest import backtest, prove_no_leak
from apps.forecasting.engine.base import Grid, Panel
from apps.forecasting.engine.censoring import beyond, recover
from apps.forecasting.engine.explanation import explain
from apps.forecasting.engine.frames import FrameError
from apps.forecasting.engine.models import make
from tests.unit.forecasting import shops

WEEKDAYS = np.arange(364) % 7


def asked_for(n_series: int = 300, seed: int = 2) -> np.ndarray:
    """Return what customers of a made-up shop ask for, day by day: slow and fast items, a rhythm, more than chance."""
    stream = np.random.default_rng(seed)
    rhythm = np.array([0.8, 0.8, 0.9, 1.0, 1.2, 1.3, 1.0])[WEEKDAYS]
    mean = stream.gamma(1.0, 2.0, n_series)[:, None] * rhythm
    demand: np.ndarray = stream.negative_binomial(mean / 0.5, 1 / 1.5).astype(np.float32)
    return demand


def run_dry(demand: np.ndarray, review: int, cover: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return units sold, days that began without stock and days that were sold out, filled up every `review` days."""
    full = np.maximum(np.ceil(demand.mean(axis=1) * review * cover), 1)
    stock, sold = full.copy(), np.zeros_like(demand)
    empty, sold_out = np.zeros(demand.shape, dtype=bool), np.zeros(demand.shape, dtype=bool)
    for day in range(demand.shape[1]):
        stock = np.where((day + np.arange(len(demand))) % review == 0, full, stock)
        sold[:, day] = np.minimum(stock, demand[:, day])
        empty[:, day], sold_out[:, day] = stock == 0, (stock > 0) & (stock == sold[:, day])
        stock = stock - sold[:, day]
    return sold, empty, sold_out


@pytest.mark.parametrize(("review", "cover"), [(7, 1.3), (7, 1.0), (7, 0.7), (14, 1.0)])
def test_demand_hidden_by_a_policy_that_runs_dry_is_recovered_within_two_percent(review: int, cover: float) -> None:
    demand = asked_for()
    sold, empty, sold_out = run_dry(demand, review, cover)
    found = recover(sold, (~empty).astype(np.float32), sold_out, WEEKDAYS)
    assert sold.sum() / demand.sum() < 0.98, "something is hidden"
    assert found.demand.sum() / demand.sum() == pytest.approx(1.0, abs=0.02)
    assert (found.demand >= sold - 1e-6).all()
    assert found.lost == pytest.approx(found.demand - sold)
    low, high = found.lost_between((0.1, 0.9)).T
    inside = ((demand - sold).sum(axis=1) >= low) & ((demand - sold).sum(axis=1) <= high)
    assert 0.75 < inside.mean() < 0.97


def test_what_is_recovered_of_an_item_does_not_hang_on_how_much_others_sell() -> None:
    demand = asked_for(100)[:, :182]
    sold, empty, sold_out = run_dry(demand, 7, 0.8)
    known = (~empty).astype(np.float32)
    weekday = WEEKDAYS[:182]
    alone = recover(sold, known, sold_out, weekday).demand
    stream = np.random.default_rng(3)
    best = np.minimum(stream.poisson(3000.0, (1, 182)), 2990).astype(np.float32)
    beside = recover(
        np.vstack([sold, best]), np.vstack([known, np.ones_like(best)]), np.vstack([sold_out, best == 2990]), weekday
    ).demand[:-1]
    assert beside.sum() / demand.sum() == pytest.approx(1.0, abs=0.02)
    assert beside.sum() / alone.sum() == pytest.approx(1.0, abs=0.01)


def test_days_that_sold_out_tell_how_far_demand_strays() -> None:
    """The days that did not are the quiet ones: by them alone, bursts of demand would be taken for smaller."""
    stream = np.random.default_rng(8)
    mean = 4.0
    demand = stream.negative_binomial(mean / 3.0, 1 / 4.0, (200, 364)).astype(np.float32)
    sold = np.minimum(demand, 8)
    found = recover(sold, np.ones_like(sold), demand >= 8, WEEKDAYS)
    hidden = demand >= 8
    assert found.demand[hidden].mean() == pytest.approx(demand[hidden].mean(), rel=0.1)


def test_where_nothing_was_hidden_nothing_is_found() -> None:
    demand = asked_for(20)
    found = recover(demand, np.ones_like(demand), np.zeros(demand.shape, dtype=bool), WEEKDAYS)
    assert (found.demand == demand).all()
    assert not found.lost.any() and not found.variance.any()
    assert not found.lost_between().any()


def test_an_item_that_sells_out_every_day_has_a_demand_that_ends() -> None:
    sold = np.full((3, 364), 2.0, dtype=np.float32)
    found = recover(sold, np.ones_like(sold), np.ones(sold.shape, dtype=bool), WEEKDAYS)
    assert (found.demand > sold).all()
    assert (found.demand < 100).all()


def test_before_an_item_came_on_sale_there_was_nothing_to_ask_for() -> None:
    sold, known = np.zeros((2, 364), dtype=np.float32), np.zeros((2, 364), dtype=np.float32)
    sold[:, 200:], known[:, 200:] = 3.0, 1.0
    known[0, 300:320] = 0.0
    found = recover(sold * known, known, np.zeros(sold.shape, dtype=bool), WEEKDAYS)
    assert not found.demand[:, :200].any()
    assert found.demand[0, 300:320] == pytest.approx(np.full(20, 3.0), rel=0.05)


def test_on_a_weekday_on_which_the_shop_is_closed_nothing_is_missing_and_on_all_others_a_whole_day() -> None:
    sold = np.where(WEEKDAYS == 6, 0.0, 7.0)[None, :].repeat(5, axis=0).astype(np.float32)
    known = np.ones_like(sold)
    known[0, 140:154] = 0.0
    found = recover(sold * known, known, np.zeros(sold.shape, dtype=bool), WEEKDAYS)
    assert found.lost[0, 140:154] == pytest.approx(sold[0, 140:154], rel=1e-6)


@given(bound=st.integers(1, 40), mean=st.floats(0.01, 60), dispersion=st.floats(0.01, 5))
def test_what_is_expected_beyond_a_bound_is_what_adding_up_says(bound: int, mean: float, dispersion: float) -> None:
    units = np.arange(bound, 4000)
    mass = stats.nbinom.pmf(units, mean / dispersion, 1 / (1 + dispersion))
    if mass.sum() < 1e-200:
        return
    first, second = (float(each[0]) for each in beyond(*(np.array([each]) for each in (bound, mean, dispersion))))
    assert first == pytest.approx((units * mass).sum() / mass.sum(), rel=1e-6)
    assert second == pytest.approx((units * (units - 1.0) * mass).sum() / mass.sum(), rel=1e-6, abs=1e-9)


def test_so_much_that_it_was_never_to_be_expected_still_has_an_answer() -> None:
    first, second = beyond(np.array([5000.0]), np.array([0.01]), np.array([0.1]))
    assert first[0] >= 5000 and np.isfinite(second[0])


def dry_shop() -> tuple[Panel, pd.DataFrame, np.ndarray]:
    """Return a shop that runs dry as a panel and as its history, and what was asked for."""
    demand = asked_for(40)[:, :196]
    sold, empty, sold_out = run_dry(demand, 7, 0.9)
    history = pd.DataFrame({
        "unique_id": np.repeat([f"item-{number:03d}" for number in range(40)], 196),
        "ds": np.tile(pd.date_range(shops.FIRST_DAY, periods=196), 40),
        "y": sold.reshape(-1), "available": (~empty).reshape(-1).astype(float),
        "sold_out": sold_out.reshape(-1).astype(int),
    })  # fmt: skip
    return Panel.from_frames(history), history, demand


def test_a_forecast_of_what_ran_dry_is_of_what_was_asked_for() -> None:
    panel, history, demand = dry_shop()
    told = make("eight_week_mean").fit(panel)
    blind = make("eight_week_mean").fit(Panel.from_frames(history[["unique_id", "ds", "y"]]))
    asked = demand[:, -56:].mean() * 14 * 40
    grid = Grid()
    assert told.predict(grid).sum_mean(14).sum() == pytest.approx(asked, rel=0.03)
    assert blind.predict(grid).sum_mean(14).sum() < 0.9 * asked
    why = explain(told, 14, panel)
    assert why.usual.sum() == pytest.approx(panel.recorded[:, -56:].sum() / 4, rel=1e-6)
    assert why.parts["stockouts"].sum() == pytest.approx(asked - why.usual.sum(), rel=0.1)


@pytest.mark.parametrize("name", ["eight_week_mean", "theta", "ridge"])
def test_what_is_expected_behind_a_day_knows_no_later_one(name: str) -> None:
    panel, _, _ = dry_shop()
    prove_no_leak(lambda: make(name), panel, panel.dates[150])
    then = panel.upto(panel.dates[150])
    assert then.y.tobytes() != panel.y[:, :151].tobytes(), "what came later does tell of a day in hindsight"
    assert then.recorded == pytest.approx(panel.recorded[:, :151])
    assert panel.take([3, 5]).sold_out is not None


def test_a_lesson_of_an_earlier_day_is_told_of_what_was_known_then() -> None:
    panel, _, _ = dry_shop()
    then = panel.before(56)
    now, past = panel.y[:, : then.n_days], then.y
    hidden = np.isfinite(past) & (then.available < 1)
    assert hidden.sum() > 400
    assert now[hidden] == pytest.approx(past[hidden], rel=0.2)
    assert np.abs(now[hidden] / past[hidden] - 1).mean() < 0.03, "only what all days share, how far they stray, moved"


def test_no_model_is_scored_on_what_was_only_expected() -> None:
    panel, _, _ = dry_shop()
    result = backtest(panel, {"tsb": lambda: make("tsb")}, [panel.dates[-15]])
    whole = (panel.available[:, -14:] == 1).all(axis=1)
    assert set(result.series["unique_id"]) == set(panel.ids[whole])
    assert not whole.all()


def test_a_day_sold_out_without_a_sale_is_unknown_and_weeks_cannot_be_sold_out() -> None:
    days = pd.date_range(shops.FIRST_DAY, periods=30)
    history = pd.DataFrame({"unique_id": "one", "ds": days, "y": 2.0, "sold_out": 0})
    history.loc[10, ["y", "sold_out"]] = [0, 1]
    panel = Panel.from_frames(history)
    assert np.isnan(panel.y[0, 10]) and panel.available[0, 10] == 0
    assert panel.sold_out is None
    with pytest.raises(FrameError, match="sold_out that is neither 0 nor 1"):
        Panel.from_frames(history.assign(sold_out=2))
