"""Which model answers where nobody named one: the best that history and time allow."""

import os
import time
from typing import Final

from apps.forecasting.engine.base import Forecaster, OnProgress, Panel, silent
from apps.forecasting.engine.frames import NotEnoughHistory
from apps.forecasting.engine.models import FALLBACK, make, model_class
from apps.forecasting.engine.trained import Trained

AUTO: Final = "auto"
LADDER: Final = (("blend", 0.6), ("lightgbm", 0.9))
"""Models from the best down, and the share of the budget at which each has to be done; the fallback takes no time."""


class OutOfTime(Exception):
    """The share of the budget is spent."""


def fit_within(
    panel: Panel,
    name: str = AUTO,
    *,
    seed: int = 1,
    budget_seconds: float | None = None,
    on_progress: OnProgress = silent,
) -> tuple[Forecaster, list[str]]:
    """Fit the model of this name, or the best of LADDER, and say why where it is another.

    Returns the fitted model, and a sentence for each model that was passed over. Raises NotEnoughHistory where there
    is no history at all.
    """
    began = time.monotonic()
    ladder = LADDER if name == AUTO else ((name, 0.9),)
    passed: list[str] = []
    for candidate, share in ladder:

        def told(done: float, words: str, share: float = share) -> None:
            if budget_seconds is not None and time.monotonic() - began > share * budget_seconds:
                raise OutOfTime
            on_progress(done, words)

        options = {"threads": os.cpu_count() or 1, "seed": seed} if issubclass(model_class(candidate), Trained) else {}
        try:
            told(0.0, f"{candidate}: reading {panel.n_series:,} series of {panel.n_days:,} days")
            return make(candidate, **options).fit(panel, told), passed
        except OutOfTime:
            passed.append(f"{candidate} was not done after {share * (budget_seconds or 0):.0f} seconds.")
        except NotEnoughHistory as reason:
            passed.append(str(reason))
    return make(FALLBACK).fit(panel, on_progress), [*passed, f"The {FALLBACK} stands in."]
