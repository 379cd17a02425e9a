"""The one door to LightGBM: trees are grown, asked, written down and read back here."""

from collections.abc import Mapping, Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import Artifact, ArtifactError, OnProgress

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Whole = NDArray[np.int64]

def file_of(place: int) -> str:
    """Return the name of the file that the trees of one of several bags are written to."""
    return f"trees_{place}.txt" if place else "trees.txt"


class Trees:
    """Grown trees, that answer a row with the logarithm of a mean."""

    def __init__(self, booster: lgb.Booster) -> None:
        self._booster = booster

    @property
    def names(self) -> list[str]:
        """The columns that rows have to have, in order."""
        found: list[str] = self._booster.feature_name()
        return found

    def logs(self, values: Floats, threads: int) -> Doubles:
        """Return the trees' answer to each row [n]: the log of the mean, less what `base` added when they grew."""
        return np.asarray(self._booster.predict(values, raw_score=True, num_threads=threads), dtype=np.float64)

    def contributions(self, values: Floats) -> Doubles:
        """Return Shapley's values [n, F + 1] of each row: what each column adds to the mean answer, in the last place.

        Exact, by TreeSHAP (Lundberg and others, Nature Machine Intelligence 2, 2020): their sum is what `logs` answers.
        It takes far longer than `logs`, so that all cores are used.
        """
        return np.asarray(self._booster.predict(values, pred_contrib=True, num_threads=0), dtype=np.float64)

    def importance(self) -> dict[str, float]:
        """Return each column's share of the loss that splits on it took away, largest first."""
        gain = self._booster.feature_importance("gain")
        order = np.argsort(-gain, kind="stable")
        return {self.names[place]: float(gain[place] / max(gain.sum(), 1e-12)) for place in order}

    def files(self, place: int = 0) -> Artifact:
        """Return the trees as LightGBM's own text."""
        return {file_of(place): self._booster.model_to_string().encode()}


def read_trees(files: Mapping[str, bytes], model: str, place: int = 0) -> Trees:
    """Return the trees that `Trees.files` told; raises ArtifactError where they cannot be read."""
    file = file_of(place)
    if file not in files:
        raise ArtifactError(f"The artifact of {model} lacks {file}.")
    try:
        return Trees(lgb.Booster(model_str=files[file].decode()))
    except (lgb.basic.LightGBMError, UnicodeDecodeError) as error:
        raise ArtifactError(f"The artifact of {model} has {file} that LightGBM cannot read.") from error


def trees_of_nodes(
    n_columns: int,
    left: Whole,
    right: Whole,
    feature: Whole,
    threshold: Doubles,
    missing_left: NDArray[np.bool_],
    value: Doubles,
    rows: Whole,
    roots: Whole,
) -> Trees:
    """Return trees that others grew, whose answers add up, for LightGBM to tell Shapley's values of.

    All are [m], the nodes of one tree after the other's, but `roots`, the first node of each tree; `left` and `right`
    are below 0 at a leaf. What they mean is told at `sklearn_trees.Nodes`.
    """
    header = (
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nobjective=regression\n"
        f"max_feature_idx={n_columns - 1}\nfeature_names={' '.join(f'column_{n}' for n in range(n_columns))}\n"
        f"feature_infos={' '.join(['[-inf:inf]'] * n_columns)}\n"
    )
    trees = []
    for place, (root, end) in enumerate(zip(roots, [*roots[1:], len(left)], strict=True)):
        own = slice(root, end)
        is_leaf = left[own] < 0
        called = np.where(is_leaf, ~(np.cumsum(is_leaf) - 1), np.cumsum(~is_leaf) - 1)  # leaves count from -1 down
        columns = {
            "split_feature": feature[own][~is_leaf],
            "split_gain": np.zeros((~is_leaf).sum(), dtype=np.int64),
            "threshold": threshold[own][~is_leaf],
            "decision_type": np.where(missing_left[own][~is_leaf], 8 + 2, 8),  # what is missing is NaN; 2: it goes left
            "left_child": called[left[own][~is_leaf] - root],
            "right_child": called[right[own][~is_leaf] - root],
            "leaf_value": value[own][is_leaf],
            "leaf_weight": rows[own][is_leaf],
            "leaf_count": rows[own][is_leaf],
            "internal_value": np.zeros((~is_leaf).sum(), dtype=np.int64),
            "internal_weight": rows[own][~is_leaf],
            "internal_count": rows[own][~is_leaf],
        }
        lines = [f"Tree={place}", f"num_leaves={is_leaf.sum()}", "num_cat=0"]
        lines += [f"{name}={' '.join(map(repr, numbers.tolist()))}" for name, numbers in columns.items()]
        trees.append("\n".join([*lines, "is_linear=0", "shrinkage=1", "", "", ""]))
    return Trees(lgb.Booster(model_str=f"{header}\n{''.join(trees)}end of trees\n"))


def grow_trees(
    values: Floats,
    targets: Floats,
    names: Sequence[str],
    *,
    kinds: Sequence[str],
    base: Floats | None,
    settings: Mapping[str, Any],
    rounds: int,
    told: str,
    on_progress: OnProgress,
) -> Trees:
    """Grow `rounds` trees by Tweedie's likelihood, the same ones whatever the number of threads.

    values   [rows, F], columns `names`; those in `kinds` are numbers of a kind, not amounts
    targets  [rows], at least 0
    base     [rows] logs that the trees' answers are added to, or None
    settings LightGBM's own, beside what always holds
    """
    everything = {
        "objective": "tweedie",
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        **settings,
    }
    data = lgb.Dataset(
        values,
        targets,
        init_score=base,
        feature_name=list(names),
        categorical_feature=list(kinds),
        params=everything,
    )

    def after_round(env: lgb.callback.CallbackEnv) -> None:
        on_progress((env.iteration + 1) / rounds, f"{told}, tree {env.iteration + 1} of {rounds}")

    grown = lgb.train(everything, data, rounds, callbacks=[after_round])
    return Trees(lgb.Booster(model_str=grown.model_to_string()))  # without the rows it grew on
