"""The one door to LightGBM: trees are grown, asked, written down and read back here."""

from collections.abc import Mapping, Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import Artifact, ArtifactError, OnProgress

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

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
