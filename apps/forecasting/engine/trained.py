"""What all models that learn from every series together have in common: how they are tried, spread and kept."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import (
    Artifact,
    Forecast,
    Forecaster,
    Grid,
    NotFitted,
    OnProgress,
    Panel,
    read_json,
    silent,
    write_json,
)
from apps.forecasting.engine.dispersion import SUM_DAYS, Dispersion, Traits, sold
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.reasons import EVERY, Reasons, SomeRows

Floats = NDArray[np.float32]

HELD_OUT_WEEKS = (6, 2)
"""Weeks kept from the trial that the tails are fitted on: where the history is long enough, and else."""
SHORT_WEEKS = 8
"""A trial needs more weeks than this for the longer of the two."""
TRIAL_THIN = 2
"""The trial that the tails are fitted on sees one row of so many: enough to stray as the whole does."""


class Grown(Protocol):
    """What training leaves: it answers for any panel of the shop."""

    def daily_means(self, panel: Panel, days: int) -> Floats:
        """Return units on each of the `days` days after the panel's cutoff [n, days]; 0 for what was never on sale."""

    def reasons(self, panel: Panel, days: int, rows: SomeRows = EVERY) -> Reasons:
        """Return what moves the sums of `daily_means`, of some rows."""

    def files(self) -> Artifact:
        """Return what was grown, as named files."""

    def settings(self) -> dict[str, Any]:
        """Return what else has to be known to read the files, as JSON can hold it."""


@dataclass(frozen=True)
class Knob:
    """What a search may turn, from `low` to `high`: a whole number where both are, by factors or by steps."""

    low: float
    high: float
    by_factors: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers make sense."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(eq=False)
class Trained(Forecaster):
    """A model that is trained twice: without the last weeks, to learn how far it strays, and with everything.

    threads  cores to use; the result does not depend on it, and more than one waits for busy neighbours at every step
    seed     of whatever is drawn
    without  names of covariates that it does not look at (`Panel.without`); one that a panel lacks does no harm
    """

    minimum_days: ClassVar[int] = 8 * WEEK
    knobs: ClassVar[Mapping[str, Knob]] = {}
    """What of its parameters a search may turn (`tuning.py`): training takes about twice as long at most."""

    threads: int = 1
    seed: int = 1
    without: Sequence[str] = ()
    grown_: Grown | None = field(default=None, init=False, repr=False)
    dispersion_: Dispersion | None = field(default=None, init=False, repr=False)
    panel_: Panel | None = field(default=None, init=False, repr=False)

    @abstractmethod
    def grow(self, panel: Panel, thin: int, on_progress: OnProgress) -> Grown:
        """Train on one of `thin` rows that `panel` can answer; raises NothingToLearn where none has a sale."""

    @classmethod
    @abstractmethod
    def read(cls, files: Mapping[str, bytes], settings: Mapping[str, Any]) -> Grown:
        """Return what `Grown.files` and `Grown.settings` told; raises ArtifactError for anything else."""

    def fit(self, panel: Panel, on_progress: OnProgress = silent) -> Self:
        """Train once without the last weeks, to learn how far such forecasts stray, and once with everything."""
        self.require_history(panel)
        panel = panel.without(self.without)
        held = HELD_OUT_WEEKS[0] if panel.n_days // WEEK - HELD_OUT_WEEKS[0] > SHORT_WEEKS else HELD_OUT_WEEKS[1]
        earlier = panel.before(held * WEEK)
        trial = self.grow(earlier, TRIAL_THIN, lambda done, words: on_progress(done / 2, words))
        self.dispersion_ = _fit_tails(trial, panel, held)
        self.grown_ = self.grow(panel, 1, lambda done, words: on_progress(0.5 + done / 2, words))
        self.panel_ = panel
        return self

    def predict(self, grid: Grid, panel: Panel | None = None) -> Forecast:
        """Answer from `panel`, with the tails of the trial."""
        grown, dispersion, panel = self._fitted(panel)
        daily = grown.daily_means(panel, max(grid.horizon_days, SUM_DAYS))
        return dispersion.forecast(self.name, panel, grid, daily)

    def reasons(self, days: int, panel: Panel | None = None, rows: SomeRows = EVERY) -> Reasons:
        """Return what moves the forecast of the first `days` days, as what was grown tells it."""
        grown, _, panel = self._fitted(panel)
        return grown.reasons(panel, days, rows)

    def _fitted(self, panel: Panel | None) -> tuple[Grown, Dispersion, Panel]:
        panel = panel if panel is not None else self.panel_
        if panel is None or self.grown_ is None or self.dispersion_ is None:
            raise NotFitted(f"{self.name} has not been fitted, or has no history to forecast from.")
        self.require_history(panel)
        return self.grown_, self.dispersion_, panel.without(self.without)

    def parameters(self) -> dict[str, Any]:
        """Return what the constructor stored."""
        return {stored.name: getattr(self, stored.name) for stored in fields(self) if stored.init}

    def to_artifact(self) -> Artifact:
        """Return what was grown, and parameters and tails as JSON."""
        if self.grown_ is None or self.dispersion_ is None:
            raise NotFitted(f"{self.name} has not been fitted.")
        told = {"model": self.name, "parameters": self.parameters(), "dispersion": self.dispersion_.settings()}
        return {**self.grown_.files(), "model.json": write_json({**self.grown_.settings(), **told})}

    @classmethod
    def from_artifact(cls, files: Mapping[str, bytes]) -> Self:
        """Return the model that `to_artifact` saved."""
        settings = read_json(files, "model.json", cls.name)
        model = cls(**settings["parameters"])
        model.dispersion_ = Dispersion.from_settings(settings["dispersion"])
        model.grown_ = cls.read(files, settings)
        return model


def _fit_tails(trial: Grown, panel: Panel, held: int) -> Dispersion:
    """Fit the tails on forecasts of held-out weeks, two at a time."""
    forecasts, actuals, owns = [], [], []
    for back in range(held, 0, -SUM_DAYS // WEEK):
        then = panel.before(back * WEEK)
        sums = trial.daily_means(then, SUM_DAYS).sum(axis=1, dtype=np.float64)
        forecasts.append(np.where(then.regular(), sums, np.nan))
        actuals.append(sold(panel, back * WEEK))
        owns.append(Traits.of(then))
    return Dispersion.fit(np.concatenate(forecasts), np.concatenate(actuals), Traits.joined(owns))
