"""Trees kept as arrays answer what scikit-learn's answer, see a promotion coming, and depend on the seed alone."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from apps.forecasting.engine.base import ArtifactError, Grid, write_arrays
from apps.forecasting.engine.explanation import explain
from apps.forecasting.engine.models import make
from apps.forecasting.engine.sklearn_trees import NODES, DecisionTree, Multiples, Nodes, Planted, RandomForest
from tests.servers import CLONE
from tests.unit.forecasting import shops

BOTH = pytest.mark.parametrize("model", [
    DecisionTree(rows_in_leaf=50), RandomForest(trees=12, rows_in_tree=3000)], ids=["tree", "forest"])


def lessons(n_rows: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of which some values are missing, also in columns where none was while the trees grew."""
    stream = np.random.default_rng(1)
    values = stream.normal(size=(n_rows, 6)).astype(np.float32)
    values[:, :3][stream.random((n_rows, 3)) < 0.2] = np.nan
    targets = np.nan_to_num(values[:, 0], nan=1.5) ** 2 + values[:, 4] + 0.1 * stream.normal(size=n_rows)
    return values, targets, stream.gamma(2.0, 1.0, n_rows)


@pytest.mark.parametrize("theirs", [
    DecisionTreeRegressor(max_leaf_nodes=40, random_state=1), DecisionTreeRegressor(max_depth=1),
    DecisionTreeRegressor(min_samples_leaf=2000), RandomForestRegressor(9, max_features=0.5, random_state=1)],
    ids=["tree", "stump", "one leaf", "forest"])
def test_arrays_answer_what_scikit_learn_answers(theirs: DecisionTreeRegressor | RandomForestRegressor) -> None:
    values, targets, weights = lessons()
    theirs.fit(values, targets, sample_weight=weights)
    asked = values.copy()
    asked[::7, 4:] = np.nan
    nodes = Nodes.of(getattr(theirs, "estimators_", [theirs]))
    assert nodes.are_sound(6)
    np.testing.assert_allclose(nodes.answers(asked), theirs.predict(asked), rtol=1e-12)


@BOTH
def test_a_promotion_is_seen_coming(model: Planted) -> None:
    panel = shops.panel(n_series=100, n_days=168, grid=Grid(7))
    promoted = panel.covariates["mailer"][:, panel.n_days] > 0
    seen = replace(model).fit(panel).predict(Grid(7)).mean.sum(axis=1)
    blind = replace(model).fit(panel.with_covariates([])).predict(Grid(7)).mean.sum(axis=1)
    assert (seen / blind)[promoted].mean() > 1.3 * (seen / blind)[~promoted].mean()


@BOTH
def test_promotions_are_read_by_their_names_when_the_shop_comes_to_know_others(model: Planted) -> None:
    panel = shops.panel()
    fitted = replace(model).fit(panel)
    more = replace(panel, covariates={"a_new_kind": panel.covariates["display"], **panel.covariates})
    np.testing.assert_array_equal(fitted.predict(Grid(), more).mean, fitted.predict(Grid(), panel).mean)


def test_a_forest_depends_on_its_seed_and_not_on_the_threads_it_grows_on() -> None:
    panel = shops.panel()
    quick = {"trees": 7, "rows_in_tree": 500}
    one, two, other = (make("random_forest", **quick, **told).fit(panel).predict(Grid(28)).mean
                       for told in ({"threads": 1}, {"threads": 2}, {"seed": 2}))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_trees_grown_some_at_a_time_are_those_that_grow_at_once() -> None:
    values, targets, weights = lessons()
    forest = RandomForest(trees=12, rows_in_tree=1000)
    at_once = RandomForestRegressor(12, min_samples_leaf=20, max_samples=1000, max_features=1 / 3, random_state=1)
    at_once.fit(values, targets, sample_weight=weights)
    told: list[float] = []
    np.testing.assert_allclose(
        forest.plant(values, targets, weights, told.append).answers(values), at_once.predict(values), rtol=1e-12)
    assert told == sorted(told)
    assert len(told) == 4


def test_a_tree_of_many_rows_grows_on_a_part_of_them() -> None:
    values, targets, weights = lessons()
    part = DecisionTree(rows_in_leaf=20, most_rows=1000).plant(values, targets, weights, lambda done: None)
    whole = DecisionTree(rows_in_leaf=20).plant(values[::3], targets[::3], weights[::3], lambda done: None)
    np.testing.assert_array_equal(part.answers(values), whole.answers(values))


def test_nodes_that_are_no_trees_are_refused() -> None:
    model = DecisionTree(rows_in_leaf=20).fit(shops.panel())
    files = model.to_artifact()
    assert isinstance(model.grown_, Multiples)
    sound = model.grown_.nodes
    inner = int(np.flatnonzero(sound.left >= 0)[-1])

    def changed(name: str, place: int, number: int) -> Nodes:
        array = getattr(sound, name).copy()
        array[place] = number
        return replace(sound, **{name: array})

    broken = [changed("left", inner, 0), changed("right", inner, len(sound.left)), changed("right", inner, -1),
              changed("feature", inner, 999), changed("roots", 0, -1), replace(sound, value=sound.value[1:]),
              replace(sound, left=sound.left.astype(float)), replace(sound, roots=sound.roots[:0])]
    for nodes in broken:
        with pytest.raises(ArtifactError, match="no trees"):
            DecisionTree.from_artifact({**files, **Multiples({}, [], nodes).files()})
    with pytest.raises(ArtifactError, match=r"lacks nodes\.npz"):
        DecisionTree.from_artifact({"model.json": files["model.json"]})
    with pytest.raises(ArtifactError):
        RandomForest.from_artifact(files)


@BOTH
def test_an_artifact_from_before_lessons_were_counted_forecasts_the_same_and_its_explanation_adds_up(
        model: Planted) -> None:
    panel = shops.panel()
    fitted = replace(model).fit(panel)
    assert isinstance(fitted.grown_, Multiples)
    nodes = fitted.grown_.nodes
    early = {name: values for name, values in nodes.arrays().items() if name != "rows"}
    files = fitted.to_artifact()
    found = type(model).from_artifact({**files, NODES: write_arrays(early)})
    np.testing.assert_array_equal(found.predict(Grid(28), panel).mean, fitted.predict(Grid(28), panel).mean)
    why = explain(found, 14, panel)
    np.testing.assert_allclose(why.total, found.predict(Grid(28), panel).sum_mean(14), rtol=1e-4)
    assert isinstance(found.grown_, Multiples)
    leaves = found.grown_.nodes.rows
    assert leaves[nodes.roots].sum() == (nodes.left < 0).sum()
    for name in ("left", "roots"):
        some = {other: values for other, values in early.items() if other != name}
        with pytest.raises(ArtifactError, match="other arrays"):
            type(model).from_artifact({**files, NODES: write_arrays(some)})


def test_a_forecast_from_saved_trees_needs_no_scikit_learn(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("saved")
    for name, content in DecisionTree(rows_in_leaf=20).fit(shops.panel()).to_artifact().items():
        (folder / name).write_bytes(content)
    program = (
        "import sys\nfrom pathlib import Path\nfrom apps.forecasting.engine.base import Grid\n"
        "from apps.forecasting.engine.models import model_class\nfrom tests.unit.forecasting import shops\n"
        "files = {path.name: path.read_bytes() for path in Path(sys.argv[1]).iterdir()}\n"
        "model_class('decision_tree').from_artifact(files).predict(Grid(28), shops.panel())\n"
        "sys.exit('sklearn' in sys.modules)")
    subprocess.run([sys.executable, "-c", program, str(folder)], cwd=CLONE, check=True)
