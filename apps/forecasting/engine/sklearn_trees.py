"""A decision tree and a random forest over all series at once, week by week: the one door to scikit-learn.

Trees answer as a multiple of the series' level, and each lesson weighs as much as its level: a leaf then answers with
what its lessons sold, over what their levels said. scikit-learn grows the trees; they are kept as plain arrays, and
answered from those here, so that no artifact needs unpickling and no forecast needs scikit-learn.
"""

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import (
    Artifact,
    ArtifactError,
    NotFitted,
    OnProgress,
    Panel,
    read_arrays,
    write_arrays,
)
from apps.forecasting.engine.reasons import Reasons, by_theme
from apps.forecasting.engine.trained import Knob, Trained
from apps.forecasting.engine.weekly import KIND_LABELS, Lessons, WeekByWeek, kind_codes, told_codes

if TYPE_CHECKING:
    from apps.forecasting.engine.boosting import Trees

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Whole = NDArray[np.int64]

NODES = "nodes.npz"
LEAF = -1
TREES_AT_ONCE = 5
"""Trees grown from one word of progress to the next."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """The nodes of some trees, one tree after the other, a node before those below it.

    left, right   [m] the nodes below; LEAF where there are none
    feature       [m] the column that is asked; of a leaf 0
    threshold     [m] float64: a row goes left where its value is at most this
    missing_left  [m] bool: a row without the value goes left
    value         [m] float64, what a leaf answers
    rows          [m] how many lessons came by
    roots         [trees] the first node of each
    """

    left: Whole
    right: Whole
    feature: Whole
    threshold: Doubles
    missing_left: NDArray[np.bool_]
    value: Doubles
    rows: Whole
    roots: Whole

    @classmethod
    def of(cls, trees: Sequence[Any]) -> "Nodes":
        """Take the nodes of scikit-learn's fitted trees."""
        grown = [tree.tree_ for tree in trees]
        counts = [tree.node_count for tree in grown]
        roots = np.cumsum([0, *counts[:-1]])

        def below(children: NDArray[Any], root: int) -> Whole:
            return np.where(children < 0, LEAF, children + root).astype(np.int64)

        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(tree, name) for tree in grown])

        return cls(
            left=np.concatenate([below(tree.children_left, root) for tree, root in zip(grown, roots, strict=True)]),
            right=np.concatenate([below(tree.children_right, root) for tree, root in zip(grown, roots, strict=True)]),
            feature=np.maximum(joined("feature"), 0).astype(np.int64),
            threshold=joined("threshold").astype(np.float64),
            missing_left=joined("missing_go_to_left").astype(bool),
            value=joined("value").reshape(-1).astype(np.float64),
            rows=joined("n_node_samples").astype(np.int64),
            roots=roots.astype(np.int64),
        )

    def answers(self, values: Floats) -> Doubles:
        """Return the mean of the trees' answers to rows [r, F], NaN where missing, [r]."""
        total = np.zeros(len(values))
        for root in self.roots:
            node = np.full(len(values), root)
            rows = np.arange(len(values))
            while len(rows):
                here = node[rows]
                inner = self.left[here] != LEAF
                rows, here = rows[inner], here[inner]
                asked = values[rows, self.feature[here]]
                goes_left = np.where(np.isnan(asked), self.missing_left[here], asked <= self.threshold[here])
                node[rows] = np.where(goes_left, self.left[here], self.right[here])
            total += self.value[node]
        return total / len(self.roots)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name."""
        return dict(vars(self))

    def are_sound(self, n_features: int) -> bool:
        """Whether every walk ends in a leaf: all arrays fit each other, and nodes lie below those that lead to them."""
        count = len(self.left)
        place = np.arange(count)
        inner = self.left != LEAF
        return (
            all(array.shape == (count,) for name, array in vars(self).items() if name != "roots")
            and all(array.dtype.kind == "i" for array in (self.left, self.right, self.feature, self.rows, self.roots))
            and bool((self.rows > 0).all())
            and bool(((self.right != LEAF) == inner).all())
            and all(((below > place) & (below < count))[inner].all() for below in (self.left, self.right))
            and bool(((self.feature >= 0) & (self.feature < n_features)).all())
            and bool(((self.roots >= 0) & (self.roots < count)).all() and len(self.roots))
        )


@dataclass(eq=False)
class Multiples(WeekByWeek):
    """Trees that answer with multiples of the level."""

    nodes: Nodes

    def answers(self, values: Floats, levels: Floats) -> Doubles:
        """Return the trees' multiples of the levels."""
        answers: Doubles = self.nodes.answers(finite(values)) * levels
        return answers

    def parted(self, values: Floats, levels: Floats, covariates: Collection[str]) -> Reasons:
        """Return Shapley's values of the trees' multiples, in units."""
        added = self._as_boosted.contributions(finite(values)) * levels.astype(np.float64)[:, None]
        return Reasons(added[:, -1], by_theme(added[:, :-1], self.names, covariates, KIND_LABELS))

    @cached_property
    def _as_boosted(self) -> "Trees":
        """The mean of the trees as LightGBM reads it, written once however often it is asked."""
        from apps.forecasting.engine.boosting import trees_of_nodes  # it brings scikit-learn, and a forecast needs none

        nodes = self.nodes
        return trees_of_nodes(
            len(self.names), nodes.left, nodes.right, nodes.feature, nodes.threshold, nodes.missing_left,
            nodes.value / len(nodes.roots), nodes.rows, nodes.roots,
        )  # fmt: skip

    def files(self) -> Artifact:
        """Return the nodes."""
        return {NODES: write_arrays(self.nodes.arrays())}

    def settings(self) -> dict[str, Any]:
        """Return the labels in the order of their numbers, and the columns."""
        return {**super().settings(), "names": self.names}


def leaves_below(nodes: Nodes) -> Whole:
    """Return how many leaves lie below each node [m], a leaf counting as one."""
    count = np.ones(len(nodes.left), dtype=np.int64)
    for node in np.flatnonzero(nodes.left != LEAF)[::-1].tolist():
        count[node] = count[nodes.left[node]] + count[nodes.right[node]]
    return count


def finite(values: Floats) -> Floats:
    """Return rows with what is infinite missing."""
    return np.where(np.isfinite(values), values, np.float32(np.nan))


@dataclass(eq=False)
class Planted(Trained):
    """A model of trees that scikit-learn grows on weekly rates, answers spread over days by weekday.

    origins  weeks to stand after when making rows, counted back from the cutoff; more where rows are few
    """

    family: ClassVar[str] = "trees"

    origins: int = 20

    @abstractmethod
    def plant(
        self, values: Floats, multiples: Doubles, weights: Doubles, on_progress: Callable[[float], None]
    ) -> Nodes:
        """Return trees grown on rows [r, F], NaN where missing, what they should answer [r], and their weights [r]."""

    def grow(self, panel: Panel, thin: int, on_progress: OnProgress) -> Multiples:
        """Grow trees on the lessons of the last `origins` origins."""
        codes = kind_codes(panel)
        lessons = Lessons.of(panel, codes, self.origins, thin, self.name)
        levels = lessons.levels.astype(np.float64)
        nodes = self.plant(
            finite(lessons.values),
            lessons.units / levels,
            levels,
            lambda done: on_progress(done, f"{self.name}: {lessons.told}"),
        )
        return Multiples(codes, list(lessons.names), nodes)

    @classmethod
    def read(cls, files: Mapping[str, bytes], settings: Mapping[str, Any]) -> Multiples:
        """Return the trees that `Multiples` told.

        Artifacts from before forecasts were explained hold no `rows`: they forecast as they did, and in their
        explanations, which add up all the same, each leaf weighs alike.
        """
        arrays, names = read_arrays(files, NODES, cls.name), [str(name) for name in settings["names"]]
        try:
            nodes = Nodes(**{"rows": np.ones(arrays["left"].shape, dtype=np.int64), **arrays})
        except (KeyError, TypeError) as error:
            raise ArtifactError(f"The artifact of {cls.name} has a {NODES} of other arrays than nodes have.") from error
        if not nodes.are_sound(len(names)):
            raise ArtifactError(f"The artifact of {cls.name} has a {NODES} whose nodes are no trees.")
        if "rows" not in arrays:
            nodes = replace(nodes, rows=leaves_below(nodes))
        return Multiples(told_codes(settings), names, nodes)


@dataclass(eq=False)
class DecisionTree(Planted):
    """One tree, small enough to be read.

    leaves, rows_in_leaf  at most so many leaves, each of at least so many rows
    most_rows             where there are more, one of two is taken, or of three, or of as many as it needs
    """

    name: ClassVar[str] = "decision_tree"
    complexity: ClassVar[int] = 6
    knobs: ClassVar[Mapping[str, Knob]] = {
        "leaves": Knob(8, 256, by_factors=True),
        "rows_in_leaf": Knob(20, 1000, by_factors=True),
    }

    leaves: int = 64
    rows_in_leaf: int = 100
    most_rows: int = 100_000

    def plant(
        self, values: Floats, multiples: Doubles, weights: Doubles, on_progress: Callable[[float], None]
    ) -> Nodes:
        """Grow the tree, always where a split takes away the most."""
        from sklearn.tree import DecisionTreeRegressor

        on_progress(0.0)
        tree = DecisionTreeRegressor(
            max_leaf_nodes=self.leaves, min_samples_leaf=self.rows_in_leaf, random_state=self.seed
        )
        taken = slice(None, None, -(-len(values) // self.most_rows))
        tree.fit(values[taken], multiples[taken], sample_weight=weights[taken])
        on_progress(1.0)
        return Nodes.of([tree])


    def drawing(self) -> str:
        """Return the tree as text: a line for each question and each answer, a multiple of the series' level."""
        if not isinstance(self.grown_, Multiples):
            raise NotFitted(f"{self.name} has not been fitted.")
        nodes, names = self.grown_.nodes, self.grown_.names
        lines = []

        def draw(node: int, before: str, after: str, asked: str) -> None:
            if nodes.left[node] == LEAF:
                lines.append(f"{before}{asked}{nodes.value[node]:.2f} x the level ({nodes.rows[node]:,} lessons)")
                return
            missing = ", or unknown" if nodes.missing_left[node] else ""
            lines.append(f"{before}{asked}{names[nodes.feature[node]]} <= {nodes.threshold[node]:.3g}{missing}?")
            draw(int(nodes.left[node]), f"{after}|- ", f"{after}|  ", "yes: ")
            draw(int(nodes.right[node]), f"{after}`- ", f"{after}   ", "no: ")

        draw(int(nodes.roots[0]), "", "", "")
        return "\n".join(lines)


@dataclass(eq=False)
class RandomForest(Planted):
    """The mean of many trees, each grown on rows drawn for it and asked, at each split, about a part of the features.

    trees          how many
    rows_in_tree   rows drawn for each, with replacement
    rows_in_leaf   rows in a leaf, at least
    features       share of the features that a split may choose from
    """

    name: ClassVar[str] = "random_forest"
    complexity: ClassVar[int] = 8
    knobs: ClassVar[Mapping[str, Knob]] = {
        "rows_in_leaf": Knob(5, 200, by_factors=True),
        "features": Knob(0.1, 0.6),
    }

    trees: int = 40
    rows_in_tree: int = 30_000
    rows_in_leaf: int = 20
    features: float = 1 / 3

    def plant(
        self, values: Floats, multiples: Doubles, weights: Doubles, on_progress: Callable[[float], None]
    ) -> Nodes:
        """Grow the trees some at a time, all drawn by the seed."""
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(
            min_samples_leaf=self.rows_in_leaf,
            max_samples=min(self.rows_in_tree, len(values)),
            max_features=self.features,
            n_jobs=self.threads,
            random_state=self.seed,
            warm_start=True,
        )
        for grown in range(0, self.trees, TREES_AT_ONCE):
            on_progress(grown / self.trees)
            forest.set_params(n_estimators=min(grown + TREES_AT_ONCE, self.trees))
            forest.fit(values, multiples, sample_weight=weights)
        on_progress(1.0)
        return Nodes.of(forest.estimators_)
