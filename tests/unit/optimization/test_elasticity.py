"""Elasticities on shops whose truth is known: honest bands, shrinkage that helps, and nobody else's credit taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from apps.optimization.engine import elasticity
from apps.optimization.engine.elasticity import fit
from apps.optimization.engine.frames import InputError
from tests.unit.optimization.shops import DIP, PROMOTED, priced_shop


@pytest.fixture
def few_spreads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coarse grid, where how far items lie apart does not matter: quicker."""
    monkeypatch.setattr(elasticity, "TAUS", np.array([0.2, 0.4, 0.6]))
    monkeypatch.setattr(elasticity, "OMEGAS", np.array([0.2, 0.5, 0.8]))


def rmse(found: Any, truth: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean((np.asarray(found) - truth) ** 2)))


@pytest.mark.parametrize("clumping", [0.0, 0.3])
def test_bands_hold_what_they_promise(clumping: float) -> None:
    inside: dict[int, list[float]] = {80: [], 95: []}
    for seed in range(3):
        made = priced_shop(seed, n=240, clumping=clumping)
        table = fit(made.weeks, made.static).table
        for level, shares in inside.items():
            within = (table[f"low_{level}"] <= made.truth) & (table[f"high_{level}"] >= made.truth)
            shares.append(float(within.mean()))
    assert 0.70 < np.mean(inside[80]) < 0.88
    assert 0.88 < np.mean(inside[95]) < 0.985


def test_shrinkage_beats_both_extremes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = priced_shop(3)
    shrunken = fit(made.weeks, made.static)
    one_for_each_category = shrunken.categories.set_index("category")["elasticity"].loc[made.static["category"]]
    monkeypatch.setattr(elasticity, "TAUS", np.array([4.9, 5.1]))
    each_its_own = fit(made.weeks, made.static).table["elasticity"]
    ours = rmse(shrunken.table["elasticity"], made.truth)
    assert ours < 0.9 * rmse(one_for_each_category, made.truth)
    assert ours < 0.9 * rmse(each_its_own, made.truth)


def test_a_promotion_and_the_dip_after_it_take_their_own_credit() -> None:
    made = priced_shop(5, lingers=0.6)
    honest, naive = fit(made.weeks, made.static), fit(made.weeks, made.static, controls=(), dip_weeks=0)
    without_dip = fit(made.weeks, made.static, dip_weeks=0)
    effects = honest.controls.set_index("control")
    errors = [each.table["elasticity"].mean() - made.truth.mean() for each in (honest, without_dip, naive)]
    assert abs(errors[0]) < 0.12
    assert errors[1] > 0.2  # the cut that lingers on is blamed for the dip
    assert errors[2] < -1
    for control, truth in (("mailer", PROMOTED), ("1 week after", DIP), ("2 weeks after", 0.0)):
        assert abs(effects["effect"][control] - truth) < 4 * effects["sd"][control]


def test_one_slope_for_all_is_that_of_the_conditional_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    made = priced_shop(2, n=60, groups=1, spread=0.0)
    monkeypatch.setattr(elasticity, "TAUS", np.array([0.0, 1e-6]))
    monkeypatch.setattr(elasticity, "OMEGAS", np.array([0.0, 1e-6]))
    monkeypatch.setattr(elasticity, "WEEK_SPREAD", 1e-5)
    monkeypatch.setattr(elasticity, "PRIOR_WEEKS", 1e9)
    monkeypatch.setattr(elasticity, "ALL_SPREAD", 1e3)
    units = made.weeks["units"].to_numpy().reshape(60, -1)
    price = np.log(made.weeks["price"].to_numpy()).reshape(60, -1)

    def loss(slope: float) -> float:
        log_mean = slope * price
        return -float((units * (log_mean - np.log(np.exp(log_mean).sum(axis=1, keepdims=True)))).sum())

    monkeypatch.setattr(elasticity, "_noise", lambda panel, mean: elasticity._Noise(0.0, np.ones(len(mean)), 1.0))
    found = fit(made.weeks, made.static, controls=(), dip_weeks=0)
    assert found.overall == pytest.approx(minimize_scalar(loss, bounds=(-9, 3), method="bounded").x, abs=1e-3)


@pytest.mark.usefixtures("few_spreads")
def test_money_and_the_order_of_rows_change_nothing() -> None:
    made = priced_shop(1, n=15, horizon=30)
    dated = made.weeks.assign(
        week=pd.Timestamp("2025-01-06") + pd.to_timedelta(made.weeks["week"] * 7, unit="D"),
        price=made.weeks["price"] * 130).sample(frac=1, random_state=0)
    plain, other = fit(made.weeks, made.static), fit(dated, made.static)
    np.testing.assert_allclose(other.table["elasticity"], plain.table["elasticity"], atol=1e-6)
    np.testing.assert_allclose(other.table["lowest_price"], 130 * plain.table["lowest_price"])


@pytest.mark.usefixtures("few_spreads")
def test_who_has_nothing_to_tell_takes_the_word_of_its_category() -> None:
    made = priced_shop(1, n=30)
    silent = pd.DataFrame({"unique_id": ["never", "steady"], "category": made.static["category"].iloc[:2].to_numpy()})
    steady = made.weeks[made.weeks["unique_id"] == "item-0"].assign(unique_id="steady", price=4.0, mailer=0.0)
    found = fit(pd.concat([made.weeks, steady]), pd.concat([made.static, silent], ignore_index=True))
    groups = found.categories.set_index("category")["elasticity"]
    for row in found.table.tail(2).to_dict("records"):
        assert row["elasticity"] == pytest.approx(groups[row["category"]])
        assert row["own_share"] == 0
        assert row["sd"] > found.table["sd"].median()
    assert np.isnan(found.table["lowest_price"].iloc[-2])


@pytest.mark.usefixtures("few_spreads")
def test_a_shop_that_never_changed_a_price_knows_next_to_nothing() -> None:
    made = priced_shop(1, n=20)
    found = fit(made.weeks.assign(price=3.0), made.static)
    assert found.overall_sd == pytest.approx(elasticity.ALL_SPREAD)
    assert "randomised test" in found.words


@pytest.mark.usefixtures("few_spreads")
def test_weeks_without_goods_or_price_are_left_out() -> None:
    made = priced_shop(4, n=15, horizon=30)
    gone = np.random.default_rng(0).random(len(made.weeks)) < 0.2
    with_holes = made.weeks.assign(
        available=np.where(gone, 0, 1), units=np.where(gone, 0, made.weeks["units"]), price=made.weeks["price"])
    unpriced = made.weeks.assign(price=made.weeks["price"].where(~gone))
    np.testing.assert_allclose(
        fit(with_holes, made.static).table["elasticity"], fit(unpriced, made.static).table["elasticity"], atol=1e-9)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"units": -1}, "weeks: units must be a number of at least 0"),
        ({"price": 0}, "weeks: price must be above 0"),
        ({"mailer": 3}, "weeks: mailer must lie between 0 and 1"),
        ({"week": 0}, "weeks: an item has more than one row for a week."),
        ({"week": 0.5}, "week must be a date"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(change: dict[str, float], sentence: str) -> None:
    made = priced_shop(1, n=3, horizon=5)
    with pytest.raises(InputError, match=sentence):
        fit(made.weeks.assign(**change), made.static)
    with pytest.raises(InputError, match="static: the column 'category' is missing"):
        fit(made.weeks, made.static[["unique_id"]])
