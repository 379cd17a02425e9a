"""Every model but the network keeps the contract of all models; they forecast what is plain to see."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from apps.forecasting.engine.base import ArtifactError, Grid, Panel, silent
from apps.forecasting.engine.baselines import SeasonalNaive, Tsb, WeekdayMean, WindowMean
from apps.forecasting.engine.lightgbm_daily import DailyTrees, LightGBMDaily
from apps.forecasting.engine.lightgbm_model import LightGBM
from apps.forecasting.engine.models import BASELINES, FALLBACK, MODELS, RIVALS, UnknownModel, make, model_class
from apps.forecasting.engine.rhythm import weekday_profile
from apps.forecasting.selectors import MODEL_TITLES
from tests.unit.forecasting import shops
from tests.unit.forecasting.conformance import Conformance, MakeModel

QUICK: dict[str, dict[str, Any]] = {
    "ets": {"most_series": 5, "most_days": 70},
    "arima": {"most_series": 1, "most_days": 42, "most_terms": 1},
    "decision_tree": {"rows_in_leaf": 20},
    "random_forest": {"trees": 7, "rows_in_tree": 500, "origins": 8},
    "lightgbm": {"rounds": 15, "rows_in_leaf": 20, "origins": 8},
    "lightgbm_daily": {"rounds": 15, "rows_in_leaf": 20, "bags": 2},
}
QUICK["blend"] = {"options": {name: QUICK[name] for name in ("lightgbm", "lightgbm_daily")}}
HERE = [name for name in MODELS if not name.startswith("keras_")]
"""Networks are held to the contract in a module of their own."""


@pytest.fixture(scope="class", params=HERE)
def make_model(request: pytest.FixtureRequest) -> MakeModel:
    return partial(make, request.param, **QUICK.get(request.param, {}))


class TestEveryModel(Conformance):
    pass


def test_names_in_the_registry_are_the_models_own() -> None:
    for name in HERE:
        assert model_class(name).name == name
    assert {FALLBACK, *RIVALS} <= set(BASELINES) <= set(MODELS)


def test_people_have_a_name_for_every_model() -> None:
    assert MODEL_TITLES.keys() == MODELS.keys()


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(UnknownModel, match="no model called 'oracle'"):
        make("oracle")


def test_files_of_another_model_are_refused() -> None:
    files = WeekdayMean().fit(shops.panel()).to_artifact()
    with pytest.raises(ArtifactError):
        Tsb.from_artifact(files)
    with pytest.raises(ArtifactError):
        Tsb.from_artifact({})


def test_weekly_rhythm_is_repeated_exactly_by_the_weekday_models() -> None:
    sales = np.tile([1, 2, 3, 4, 5, 6, 7], (2, 8))
    for model in (SeasonalNaive(), WeekdayMean()):
        daily = model.daily_mean(shops.panel_of(sales), 21)
        np.testing.assert_allclose(daily, np.tile([1, 2, 3, 4, 5, 6, 7], (2, 3)))


def test_unavailable_days_are_left_out_and_never_count_as_zero() -> None:
    stream = np.random.default_rng(4)
    known_day = stream.random((3, 84)) > 0.4
    sales = np.where(known_day, 5.0, 0.0)
    for model in (WeekdayMean(), WindowMean(), Tsb()):
        daily = model.daily_mean(shops.panel_of(sales, known_day), 7)
        np.testing.assert_allclose(daily, 5.0, rtol=1e-3)


def test_half_a_day_of_availability_counts_as_half_a_day() -> None:
    sales = np.full((1, 56), 3.0)
    panel = shops.panel_of(sales, np.full((1, 56), 0.5))
    np.testing.assert_allclose(WindowMean().daily_mean(panel, 7), 6.0, rtol=1e-6)


def test_tsb_follows_its_published_recursion() -> None:
    sales = np.random.default_rng(2).poisson(0.3, 100)
    model = Tsb(alpha=0.2, beta=0.1)
    early = sales[:56]
    chance, size = (early > 0).mean(), early[early > 0].mean()
    for units in sales:
        chance += 0.1 * ((units > 0) - chance)
        if units > 0:
            size += 0.2 * (units - size)
    week = model.daily_mean(shops.panel_of(sales[None, :].astype(float)), 7)
    assert week.mean() == pytest.approx(chance * size, rel=1e-5)


def test_an_item_that_is_not_on_sale_yet_has_no_zeros_before_its_start() -> None:
    history, static, _ = shops.frames(n_series=2, n_days=56)
    history = history[(history["unique_id"] == "item-000") | (history["ds"] >= "2024-02-12")]
    static["start"] = pd.to_datetime(["2024-01-01", "2024-02-12"])
    panel = Panel.from_frames(history, static, cutoff="2024-02-25")
    late = history[history["unique_id"] == "item-001"]
    rate = WindowMean().daily_mean(panel, 7)[1].mean()
    assert rate == pytest.approx(late["y"].sum() / 14, rel=1e-5)


def test_weekday_profile_is_flat_for_a_short_past_and_averages_one() -> None:
    np.testing.assert_array_equal(weekday_profile(shops.panel_of(np.ones((1, 10)))), np.ones(7))
    assert weekday_profile(shops.panel()).mean() == pytest.approx(1.0)


def test_lightgbm_sees_a_promotion_coming() -> None:
    panel = shops.panel(n_series=100, n_days=168, grid=Grid(7))
    promoted = panel.covariates["mailer"][:, panel.n_days] > 0
    model = LightGBM(rounds=60, rows_in_leaf=50, learning_rate=0.1).fit(panel)
    blind = LightGBM(rounds=60, rows_in_leaf=50, learning_rate=0.1).fit(panel.with_covariates([]))
    rise = model.predict(Grid(7)).mean.sum(axis=1) / blind.predict(Grid(7)).mean.sum(axis=1)
    assert rise[promoted].mean() > 1.4 * rise[~promoted].mean()
    assert next(iter(model.importance())).startswith("mailer_ahead")


def test_lightgbm_reads_promotions_by_their_names_when_the_shop_comes_to_know_others() -> None:
    panel = shops.panel()
    model = make("lightgbm", **QUICK["lightgbm"]).fit(panel)
    usual = model.predict(Grid(), panel).mean
    more = replace(panel, covariates={"a_new_kind": panel.covariates["display"], **panel.covariates})
    np.testing.assert_array_equal(model.predict(Grid(), more).mean, usual)
    unforeseen = panel.with_covariates(["mailer", "display"], known_ahead=[])
    assert np.isfinite(model.predict(Grid(), unforeseen).mean).all(), "what it knows no more is missing to it"


def rhythm(n_days: int, days_ahead: int, words: bool = True) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return history, covariates and what comes: 40 items that sell twice as much on a day with the word "fair"."""
    stream = np.random.default_rng(5)
    days = pd.date_range(shops.FIRST_DAY, periods=n_days + days_ahead, freq="D")
    fair = stream.random(len(days)) < 0.15
    ids = [f"item-{number:02d}" for number in range(40)]
    units = stream.poisson(6.0 * (1 + fair), (40, len(days)))
    history = pd.DataFrame({"unique_id": np.repeat(ids, n_days), "ds": np.tile(days[:n_days], 40),
                            "y": units[:, :n_days].reshape(-1).astype(float)})
    told = pd.DataFrame({"unique_id": np.repeat(ids, len(days)), "ds": np.tile(days, 40)})
    told["town"] = np.tile(np.where(fair, "fair", "") if words else fair.astype(float), 40)
    return history, told, fair[n_days:]


@pytest.mark.parametrize("words", [True, False], ids=["a word", "a number"])
def test_daily_trees_see_what_is_known_of_a_single_day(words: bool) -> None:
    history, told, fair = rhythm(200, 28, words)
    panel = Panel.from_frames(history, covariates=told, known_ahead=["town"])
    daily = make("lightgbm_daily", rounds=80, rows_in_leaf=50, bags=1).fit(panel).predict(Grid(28)).mean.mean(axis=0)
    assert 1.7 < daily[fair].mean() / daily[~fair].mean() < 2.3
    assert daily[~fair].mean() == pytest.approx(6.0, rel=0.1)


def test_daily_trees_know_a_word_by_its_name_and_not_by_its_number() -> None:
    history, told, _fair = rhythm(200, 28)
    model = make("lightgbm_daily", rounds=40, rows_in_leaf=50, bags=2).fit(
        Panel.from_frames(history, covariates=told, known_ahead=["town"]))
    usual = model.predict(Grid(28)).mean
    more = pd.concat([told, pd.DataFrame({"unique_id": ["item-00"], "ds": [shops.FIRST_DAY - pd.Timedelta(days=1)],
                                          "town": ["an earlier word"]})])
    newer = Panel.from_frames(history, covariates=more, known_ahead=["town"])
    np.testing.assert_array_equal(model.predict(Grid(28), newer).mean, usual)


def test_where_no_plan_reaches_an_amount_is_what_it_usually_was_and_a_told_zero_is_a_zero() -> None:
    history, told, _fair = rhythm(200, 28, words=False)
    known = told[told["ds"] < shops.FIRST_DAY + pd.Timedelta(days=214)]
    grid = Grid(28)
    whole, short = (Panel.from_frames(history, covariates=rows, known_ahead=["town"], grid=grid)
                    for rows in (told.assign(town=np.where(told["ds"] < known["ds"].max(), told["town"], 0.0)), known))
    assert whole.told_days("town") == 228
    assert short.told_days("town") == 214
    model = make("lightgbm_daily", rounds=80, rows_in_leaf=50, bags=1).fit(whole)
    zero, usual = (model.predict(grid, panel).mean[:, 14:].mean() for panel in (whole, short))
    assert zero == pytest.approx(6.0, rel=0.1)
    assert usual > zero


def test_each_bag_learns_from_rows_and_draws_of_its_own_and_the_answer_is_their_mean() -> None:
    panel = shops.panel(n_series=60)
    grown = LightGBMDaily(rounds=15, rows_in_leaf=20, bags=3, rows=1500).grow(panel, 1, silent)
    texts = {trees.files()["trees.txt"] for trees in grown.bags}
    assert len(texts) == 3
    alone = [DailyTrees([trees], grown.codes, 1).daily_means(panel, 28) for trees in grown.bags]
    np.testing.assert_allclose(grown.daily_means(panel, 28), np.mean(alone, axis=0), rtol=1e-5)


def test_a_blend_is_the_plain_mean_of_what_its_members_say() -> None:
    panel = shops.panel()
    blend = make("blend", to_totals=0.0, **QUICK["blend"]).fit(panel).predict(Grid(28)).mean
    alone = [make(name, **QUICK[name]).fit(panel).predict(Grid(28)).mean for name in ("lightgbm", "lightgbm_daily")]
    np.testing.assert_allclose(blend, np.mean(alone, axis=0), rtol=1e-5)
    with pytest.raises(TypeError, match="tsb is not a model that is trained"):
        make("blend", members=["tsb"]).fit(panel)


@pytest.mark.parametrize("name", ["lightgbm", "lightgbm_daily"])
def test_boosted_trees_do_not_depend_on_the_number_of_threads(name: str) -> None:
    panel = shops.panel()
    one, two = (make(name, threads=threads, **QUICK[name]).fit(panel) for threads in (1, 2))
    assert one.predict(Grid(28)).mean.tobytes() == two.predict(Grid(28)).mean.tobytes()
