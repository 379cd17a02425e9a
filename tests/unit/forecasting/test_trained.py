"""What is trained is tried on weeks that it has not seen, and on no others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from apps.forecasting.engine.base import Artifact, Grid, OnProgress, Panel
from apps.forecasting.engine.reasons import EVERY, Reasons, SomeRows
from apps.forecasting.engine.trained import Grown, Trained
from tests.unit.forecasting import shops


class Remembering:
    """It was shown some days, and foretells twice what was sold lately."""

    def __init__(self, shown: int) -> None:
        self.shown = shown
        self.asked: list[int] = []

    def daily_means(self, panel: Panel, days: int) -> np.ndarray:
        self.asked.append(panel.n_days)
        return np.repeat(2 * panel.sales[:, -28:].mean(axis=1, keepdims=True), days, axis=1)

    def reasons(self, panel: Panel, days: int, rows: SomeRows = EVERY) -> Reasons:
        return Reasons(self.daily_means(panel, days)[rows].sum(axis=1, dtype=np.float64), {})

    def files(self) -> Artifact:
        return {}

    def settings(self) -> dict[str, Any]:
        return {}


GROWN: list[Remembering] = []


@dataclass(eq=False)
class Spy(Trained):
    name: ClassVar[str] = "spy"
    family: ClassVar[str] = "trees"
    complexity: ClassVar[int] = 99

    def grow(self, panel: Panel, thin: int, on_progress: OnProgress) -> Grown:
        GROWN.append(Remembering(panel.n_days))
        on_progress(1.0, "grown")
        return GROWN[-1]

    @classmethod
    def read(cls, files: Mapping[str, bytes], settings: Mapping[str, Any]) -> Grown:
        return Remembering(0)


@pytest.mark.parametrize(("days", "held"), [(140, 42), (70, 14)])
def test_the_tails_are_fitted_on_weeks_that_the_trial_has_not_seen(days: int, held: int) -> None:
    GROWN.clear()
    Spy().fit(shops.panel_of(np.random.default_rng(1).poisson(3.0, (30, days))))
    trial, whole = GROWN
    assert trial.shown == days - held
    assert trial.asked == list(range(days - held, days, 14))
    assert whole.shown == days
    assert whole.asked == []


def test_what_errs_by_half_on_weeks_it_has_not_seen_gets_wide_bands() -> None:
    panel = shops.panel_of(np.random.default_rng(1).poisson(3.0, (200, 140)))
    forecast = Spy().fit(panel).predict(Grid(28))
    low, high = np.moveaxis(forecast.sum_quantiles((0.025, 0.975), 14), 1, 0)
    assert ((low <= 42) & (high >= 42)).mean() > 0.9, "42 units come in two weeks, where 84 were foretold"
