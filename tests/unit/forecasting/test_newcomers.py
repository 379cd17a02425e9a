"""Forecasts of items that have just come on sale: drawn towards what is similar, by what is known and nothing else."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from apps.forecasting.engine.backtest import backtest, inside_band, poisoned, prove_no_leak
from apps.forecasting.engine.base import Forecast, Grid, Panel
from apps.forecasting.engine.explanation import explain
from apps.forecasting.engine.models import make
from apps.forecasting.engine.newcomers import ALONE_DAYS, NEW_DAYS, explained, with_newcomers
from tests.unit.forecasting import shops

GRID = Grid(days=28, weeks=2)
DAYS = 14
CHEAP = "eight_week_mean"


def shop(
    n_days: int = 150, n_series: int = 240, *, first_new: int = 60, share_new: float = 0.5, seed: int = 5
) -> tuple[Panel, np.ndarray]:
    """Return a panel with DAYS days more than `n_days`, and the day each series came on sale [n].

    Two categories, of 0.3 and 3 units a day; what is new (from `first_new` on) sells as any other of its category. A
    series' first row is its first sale, as in a shop that tells no day of coming on sale.
    """
    stream = np.random.default_rng(seed)
    whole = n_days + DAYS
    begins = stream.integers(min(first_new, n_days - 1), n_days, n_series)
    start = np.where(stream.random(n_series) < share_new, begins, 0)
    rate = np.where(np.arange(n_series) % 2, 3.0, 0.3) * stream.gamma(4.0, 0.25, n_series)
    sold = stream.poisson(rate[:, None], (n_series, whole))
    rows, columns = np.nonzero(sold * (np.arange(whole)[None, :] >= start[:, None]))
    days = shops.FIRST_DAY + pd.to_timedelta(columns, unit="D")
    ids = np.array([f"item-{number:03d}" for number in range(n_series)])
    history = pd.DataFrame({"unique_id": ids[rows], "ds": days, "y": sold[rows, columns].astype(float)})
    static = pd.DataFrame(
        {"unique_id": ids, "category": np.where(np.arange(n_series) % 2, "fast", "slow"), "department": "all"}
    )
    panel = Panel.from_frames(history, static, cutoff=shops.FIRST_DAY + pd.Timedelta(days=whole - 1), country="US")
    return panel, start


def ages(panel: Panel) -> np.ndarray:
    on_sale = panel.available > 0
    return np.where(on_sale.any(axis=1), panel.n_days - on_sale.argmax(axis=1), 0)


def both(panel: Panel, name: str = CHEAP) -> tuple[Forecast, Forecast]:
    alone = make(name).fit(panel).predict(GRID)
    return alone, with_newcomers(alone, panel)


@pytest.mark.parametrize(("n_days", "first_new"), [(150, 60), (60, 30)])
def test_new_items_are_foretold_better_and_their_bands_hold(n_days: int, first_new: int) -> None:
    errors, inside = [], []
    for seed in range(4):
        panel, _ = shop(n_days, first_new=first_new, share_new=0.7, seed=seed)
        known = panel.before(DAYS)
        new = np.flatnonzero((ages(known) > 0) & (ages(known) <= ALONE_DAYS))
        actual = panel.sales[new, -DAYS:].sum(axis=1, dtype=np.float64)
        alone, drawn = both(known)
        errors.append([np.abs(each.sum_mean(DAYS)[new] - actual).sum() for each in (alone, drawn)])
        mean = drawn.sum_mean(DAYS)
        inside.append(inside_band(actual, mean[new], drawn.variance_of(mean)[new], 0.8))
    alone_error, drawn_error = np.sum(errors, axis=0)
    assert drawn_error < 0.9 * alone_error
    assert 0.72 <= np.concatenate(inside).mean() <= 0.97


def test_only_new_items_change_and_they_say_of_how_many_similar_ones_they_are_made() -> None:
    known = shop()[0].before(DAYS)
    alone, drawn = both(known)
    age = ages(known)
    new = (age > 0) & (age <= NEW_DAYS)
    assert new.any() and not new.all()
    assert drawn.similar is not None and alone.similar is None
    assert ((drawn.similar > 0) == new).all()
    assert (drawn.similar[new] <= 120).all(), "of its own category"
    np.testing.assert_array_equal(drawn.mean[~new], alone.mean[~new])
    np.testing.assert_array_equal(drawn.level_variance[~new], alone.level_variance[~new])
    assert (drawn.mean[age == NEW_DAYS] == alone.mean[age == NEW_DAYS]).all(), "by then the model speaks alone"
    assert drawn.take(np.flatnonzero(new)).similar is not None


def test_one_lucky_first_day_is_not_taken_for_the_level() -> None:
    panel = shop(share_new=0.2)[0].before(DAYS)
    slow = np.flatnonzero(panel.labels("category") == "slow")[0]
    y, available = panel.y.copy(), panel.available.copy()
    y[slow], available[slow] = np.nan, 0
    y[slow, -1], available[slow, -1] = 15, 1
    lucky = replace(panel, y=y, available=available)
    alone, drawn = both(lucky)
    assert alone.sum_mean(DAYS)[slow] > 100
    assert drawn.sum_mean(DAYS)[slow] < 15
    assert drawn.level_variance[slow] > np.median(drawn.level_variance)


def test_its_own_days_outweigh_similar_items_the_more_of_them_there_are() -> None:
    panel = shop(share_new=0.2)[0].before(DAYS)
    slow = np.flatnonzero(panel.labels("category") == "slow")[0]
    foretold, level = [], []
    for days in (1, 3, 7):
        y, available = panel.y.copy(), panel.available.copy()
        y[slow, :-days], available[slow, :-days] = np.nan, 0
        y[slow, -days:], available[slow, -days:] = 6, 1
        drawn = both(replace(panel, y=y, available=available))[1]
        foretold.append(drawn.sum_mean(DAYS)[slow])
        level.append(drawn.level_variance[slow])
    assert foretold[0] < foretold[1] < foretold[2] < 6 * DAYS
    assert level[0] > level[1] > level[2]


def test_prices_tell_which_items_of_a_category_are_similar() -> None:
    panel = shop(share_new=0.2)[0].before(DAYS)
    fast = np.flatnonzero(panel.labels("category") == "fast")
    slow = np.flatnonzero(panel.labels("category") == "slow")
    price = np.full(panel.n_series, 1.0)
    price[slow] = 9.0
    one = panel.static.assign(category="one", price=price)
    y, available = panel.y.copy(), panel.available.copy()
    chosen = [fast[0], slow[0]]
    y[chosen], available[chosen] = np.nan, 0
    y[chosen, -1], available[chosen, -1] = 1, 1
    cheap, dear = both(replace(panel, static=one, y=y, available=available))[1].sum_mean(DAYS)[chosen]
    assert cheap > 2 * dear


@pytest.mark.parametrize("n_days", [1, 5, NEW_DAYS])
def test_a_shop_that_is_new_itself_keeps_the_models_answers(n_days: int) -> None:
    known = shop(n_days, share_new=0.0)[0].before(DAYS)
    alone, drawn = both(known)
    assert drawn.similar is not None and not drawn.similar.any()
    assert drawn.mean.tobytes() == alone.mean.tobytes()
    assert np.isfinite(drawn.mean).all()


@pytest.mark.parametrize(
    "sales",
    [
        pytest.param(np.full((1, 3), 2.0), id="one series"),
        pytest.param(np.zeros((3, 10)), id="never a sale"),
        pytest.param(np.full((4, 1), 1.0), id="one day"),
        pytest.param(np.where(np.arange(30).reshape(3, 10) % 7 == 0, np.nan, 2.0), id="days unknown"),
    ],
)
def test_poor_histories_are_left_with_finite_numbers(sales: np.ndarray) -> None:
    panel = shops.panel_of(sales)
    drawn = both(panel)[1]
    assert np.isfinite(drawn.mean).all() and (drawn.mean >= 0).all()
    assert np.isfinite(drawn.level_variance).all()
    assert drawn.paths([0], 5, seed=1).shape == (1, 5, GRID.horizon_days)


def test_an_item_that_was_never_on_sale_keeps_the_models_answer() -> None:
    panel = shop()[0].before(DAYS)
    y, available = panel.y.copy(), panel.available.copy()
    y[0], available[0] = np.nan, 0
    never = replace(panel, y=y, available=available)
    alone, drawn = both(never)
    assert drawn.similar is not None and drawn.similar[0] == 0
    np.testing.assert_array_equal(drawn.mean[0], alone.mean[0])


def test_nothing_after_the_cutoff_moves_it_and_it_is_the_same_every_time() -> None:
    panel, _ = shop()
    known = panel.before(DAYS)
    prove_no_leak(partial(make, CHEAP), panel, known.cutoff, GRID)
    again = poisoned(panel, known.cutoff).upto(known.cutoff)
    one, two = both(known)[1], both(again)[1]
    assert one.mean.tobytes() == two.mean.tobytes()
    assert one.level_variance.tobytes() == two.level_variance.tobytes()


def test_a_backtest_scores_what_is_used() -> None:
    panel, _ = shop()
    known = panel.before(DAYS)
    scored = backtest(panel, {CHEAP: partial(make, CHEAP)}, [known.cutoff]).series.set_index("unique_id")["forecast"]
    foretold = pd.Series(both(known)[1].sum_mean(DAYS), known.ids)
    np.testing.assert_allclose(scored, foretold[scored.index], rtol=1e-5)


@pytest.mark.parametrize("days", [14, 10])
def test_an_explanation_names_what_similar_items_make_of_it_and_adds_up(days: int) -> None:
    panel = shop()[0].before(DAYS)
    model = make(CHEAP).fit(panel)
    drawn = with_newcomers(model.predict(GRID), panel)
    assert drawn.similar is not None
    rows = np.array([7, 3, *np.flatnonzero(drawn.similar)[:3]])
    why = explained(explain(model, days, panel, rows), drawn)
    assert why.total == pytest.approx(drawn.sum_mean(days)[rows], rel=1e-4, abs=1e-5)
    assert ((why.parts["similar_items"] != 0) <= (drawn.similar[rows] > 0)).all()
    assert why.parts["similar_items"][2:].any()
