"""Why a forecast is what it is: parts that add up, and that are what they are called."""

import itertools
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from apps.forecasting.engine.base import Panel
from apps.forecasting.engine.boosting import trees_of_nodes
from apps.forecasting.engine.explanation import USUAL_DAYS, Explanation, explain, usual_sales
from apps.forecasting.engine.models import make
from apps.forecasting.engine.reasons import HOLIDAY, KIND, RECENT, SEASON, STOCKOUTS, TOTALS, TREND, in_units, theme_of
from apps.forecasting.engine.sklearn_trees import Nodes
from tests.unit.forecasting import shops

DAYS = 14


def shapley(answer: Callable[[set[int]], float], n_columns: int) -> np.ndarray:
    """Return Shapley's values by their definition: each column's mean gain over all subsets of the others."""
    values = np.zeros(n_columns)
    for column in range(n_columns):
        others = [each for each in range(n_columns) if each != column]
        for size in range(n_columns):
            for chosen in itertools.combinations(others, size):
                weight = math.factorial(size) * math.factorial(n_columns - size - 1) / math.factorial(n_columns)
                values[column] += weight * (answer({*chosen, column}) - answer(set(chosen)))
    return values


def expected(nodes: Nodes, row: np.ndarray, known: set[int]) -> float:
    """Return what the trees answer on average where only some columns are known: by the lessons that came by."""

    def below(node: int) -> float:
        if nodes.left[node] < 0:
            return float(nodes.value[node])
        left, right = int(nodes.left[node]), int(nodes.right[node])
        if nodes.feature[node] in known:
            asked = row[nodes.feature[node]]
            goes_left = nodes.missing_left[node] if np.isnan(asked) else asked <= nodes.threshold[node]
            return below(left if goes_left else right)
        share = nodes.rows[left] / nodes.rows[node]
        return float(share * below(left) + (1 - share) * below(right))

    return float(np.mean([below(int(root)) for root in nodes.roots]))


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize(
    "theirs",
    [
        DecisionTreeRegressor(max_leaf_nodes=9, random_state=1),
        RandomForestRegressor(4, max_leaf_nodes=7, random_state=1),
        DecisionTreeRegressor(max_depth=1, random_state=1),
    ],
)
def test_contributions_of_trees_are_shapleys_values_by_their_definition(
    theirs: DecisionTreeRegressor | RandomForestRegressor, missing: float
) -> None:
    stream = np.random.default_rng(4)
    rows = stream.normal(size=(400, 4)).astype(np.float32)
    targets = rows[:, 0] + rows[:, 1] * rows[:, 2] + (rows[:, 3] > 1)
    rows[stream.random(rows.shape) < missing] = np.nan
    theirs.fit(rows, targets)
    nodes = Nodes.of(getattr(theirs, "estimators_", [theirs]))
    trees = trees_of_nodes(
        4, nodes.left, nodes.right, nodes.feature, nodes.threshold, nodes.missing_left,
        nodes.value / len(nodes.roots), nodes.rows, nodes.roots,
    )  # fmt: skip
    told = trees.contributions(rows[:6])
    for row, values in zip(rows[:6], told, strict=True):
        by_definition = shapley(partial(expected, nodes, row), 4)
        assert values[:4] == pytest.approx(by_definition, abs=1e-9)
        assert values[4] == pytest.approx(expected(nodes, row, set()), abs=1e-9)


def test_a_tree_of_one_leaf_has_nothing_to_explain() -> None:
    tree = DecisionTreeRegressor().fit(np.zeros((5, 2), dtype=np.float32), np.full(5, 3.0))
    nodes = Nodes.of([tree])
    trees = trees_of_nodes(
        2, nodes.left, nodes.right, nodes.feature, nodes.threshold, nodes.missing_left, nodes.value, nodes.rows,
        nodes.roots,
    )  # fmt: skip
    assert trees.contributions(np.ones((1, 2), dtype=np.float32)).tolist() == [[0.0, 0.0, 3.0]]


def test_logs_are_told_in_units_with_nothing_left_over() -> None:
    start, logs = np.array([2.0, 5.0, 1.0]), {"up": np.array([1.2, 0.0, 1e-12]), "down": np.array([-0.3, 0.0, 0.0])}
    told = in_units(start, logs)
    total = told.base + told.parts["up"] + told.parts["down"]
    assert total == pytest.approx(start * np.exp(logs["up"] + logs["down"]), rel=1e-12)
    assert told.parts["up"][0] / told.parts["down"][0] == pytest.approx(1.2 / -0.3)


def test_what_was_usually_sold_is_what_a_person_would_reckon() -> None:
    sales = np.zeros((3, 120))
    sales[0, -USUAL_DAYS:] = 2.0
    sales[1, -28:] = 3.0  # on sale for 28 days alone
    sales[2, ::2] = 4.0  # and out every other day
    known = np.ones((3, 120))
    known[1, :-28] = 0
    known[2, 1::2] = 0
    usual, whole = usual_sales(shops.panel_of(sales, known), DAYS)
    assert usual == pytest.approx([28.0, 42.0, 28.0])
    assert whole == pytest.approx([28.0, 42.0, 56.0], rel=0.02)


def test_days_of_which_nobody_knows_anything_are_no_empty_shelf() -> None:
    sales, known = np.full((3, 120), 4.0), np.ones((3, 120))
    known[:, 80:90] = 0
    panel = shops.panel_of(sales, known)
    usual, whole = usual_sales(panel, DAYS)
    assert usual == pytest.approx(np.full(3, 56.0))
    assert whole == pytest.approx(usual)


@pytest.mark.parametrize(
    ("column", "theme"),
    [
        ("week_1", RECENT), ("mean_26", RECENT), ("weekday_13", RECENT), ("category_week", TREND), ("ahead", TREND),
        ("month_position", SEASON), ("weekday", SEASON), ("to_holiday", HOLIDAY), ("brand", KIND),
        ("mailer_uplift", "mailer"), ("mailer_extra_then", "mailer_extra"), ("week_mean_4", "week"),
        ("price_ahead", "price"),
    ],
)  # fmt: skip
def test_a_feature_belongs_to_what_a_merchant_calls_it(column: str, theme: str) -> None:
    assert theme_of(column, ("mailer", "mailer_extra", "price", "week"), ("brand", "category")) == theme


def mailed(panel: Panel, model: str, **parameters: object) -> tuple[Explanation, np.ndarray]:
    """Explain the next days, and say which series are in the mailer on all of them."""
    mailer = panel.covariates["mailer"][:, panel.n_days : panel.n_days + DAYS]
    return explain(make(model, **parameters).fit(panel), DAYS, panel), mailer.mean(axis=1) > 0.9


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("lightgbm", {"rounds": 60, "rows_in_leaf": 20}),
        ("lightgbm_daily", {"rounds": 40, "rows_in_leaf": 20, "bags": 2}),
        ("ridge", {}),
        ("random_forest", {"trees": 10}),
        ("decision_tree", {"rows_in_leaf": 20}),
        ("keras_lstm", {"units": 16, "hidden": 32, "epochs": 20, "patience": 6, "batch": 128}),
    ],
)
def test_a_mailer_to_come_is_what_the_model_says_of_the_mailer(model: str, parameters: dict[str, object]) -> None:
    told, is_mailed = mailed(shops.panel(120, 196), model, **parameters)
    assert is_mailed.any()
    share = told.parts["mailer"] / np.maximum(told.total, 1e-9)
    assert share[is_mailed].mean() > share[~is_mailed].mean() + 0.1
    assert (told.parts["mailer"][is_mailed] > 0).mean() > 0.8


def test_an_empty_shelf_is_told_apart_from_what_was_sold() -> None:
    stream = np.random.default_rng(2)
    sales = stream.poisson(4.0, (30, 140)).astype(float)
    known = np.ones_like(sales)
    known[:10, -28:-14] = 0
    told = explain(make("lightgbm", rounds=20).fit(shops.panel_of(sales, known)), DAYS, shops.panel_of(sales, known))
    assert told.parts[STOCKOUTS][:10] == pytest.approx(told.usual[:10] / 3, rel=0.1)  # sold on 42 of 56 days
    assert not told.parts[STOCKOUTS][10:].any()


def test_the_blend_says_what_totals_add() -> None:
    panel = shops.panel(120, 196)
    small = {"lightgbm": {"rounds": 20}, "lightgbm_daily": {"rounds": 20, "bags": 1}}
    drawn = explain(make("blend", options=small).fit(panel), DAYS, panel)
    alone = explain(make("blend", options=small, to_totals=0.0).fit(panel), DAYS, panel)
    assert np.abs(drawn.parts[TOTALS]).max() > 0.1
    assert alone.parts[TOTALS] == pytest.approx(np.zeros(120), abs=1e-4)
    assert drawn.total - drawn.parts[TOTALS] == pytest.approx(alone.total, abs=1e-3)


def test_a_table_has_a_row_for_each_series_whose_parts_add_up() -> None:
    panel = shops.panel()
    told = explain(make("tsb").fit(panel), DAYS, panel)
    table = told.to_frame()
    assert list(table.columns) == ["unique_id", "usual", STOCKOUTS, RECENT, "mean"]
    assert table[["usual", STOCKOUTS, RECENT]].sum(axis=1).to_numpy() == pytest.approx(table["mean"])
