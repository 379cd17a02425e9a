"""Which model answers where nobody named one: the best on this history's own past, as far as time allows.

The blend is trained at past cutoffs and judged beside its own members, which are trained with it anyhow, and beside
plain averages. One of them takes its place for a gain that is clear, and not else: the mean of several errs less than
its best member on most histories, and the past is short.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import Forecaster, Grid, OnProgress, Panel, silent
from apps.forecasting.engine.blend import Blend
from apps.forecasting.engine.frames import NotEnoughHistory, NothingToLearn
from apps.forecasting.engine.models import FALLBACK, make, model_class
from apps.forecasting.engine.totals import added_up, groups
from apps.forecasting.engine.trained import TRIAL_THIN, Grown, Trained

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

AUTO: Final = "auto"
CUTOFFS: Final = 4
NEEDED_GAIN: Final = 0.02
"""How much lower another's error has to be than the blend's, on average; and at all cutoffs but one."""
WEIGHT_DAYS: Final = 28
JUDGED_BY: Final = 0.35
FITTED_BY: Final = (0.75, 0.92)
"""Shares of the budget at which judging, the chosen model and the simpler one have to be done."""
SIMPLER: Final = "lightgbm"
BY_DAY: Final = ("lightgbm", "lightgbm_daily")
BY_WEEK: Final = ("lightgbm", "random_forest", "ridge")
"""What is blended where days are told, and where weeks or months are spread evenly over days that tell nothing."""

PLAIN: Final = ("weekday_mean", "eight_week_mean", "seasonal_mean")
"""Averages that stand beside the blend: where levels shift, what is learned from before the shift misses more."""


class OutOfTime(Exception):
    """The share of the budget is spent."""


@dataclass
class Clock:
    """How much time there is: `seconds` from `began` on (time.monotonic); no end where None."""

    seconds: float | None = None
    began: float = field(default_factory=time.monotonic)

    def until(self, share: float, tell: OnProgress, start: float, end: float) -> OnProgress:
        """Return an OnProgress for the stretch from `start` to `end`, that raises OutOfTime at `share` of the time."""

        def told(done: float, words: str) -> None:
            if self.seconds is not None and time.monotonic() - self.began > share * self.seconds:
                raise OutOfTime
            tell(start + (end - start) * done, words)

        return told


def fit_within(
    panel: Panel,
    name: str = AUTO,
    *,
    parameters: Mapping[str, Any] | None = None,
    horizon_days: int = 28,
    members: Sequence[str] = BY_DAY,
    seed: int = 1,
    clock: Clock | None = None,
    on_progress: OnProgress = silent,
) -> tuple[Forecaster, list[str]]:
    """Fit the model of this name, or the best of the blend, its `members` and plain averages, in the time there is.

    `parameters` are what the model of this name is made with beside its defaults.
    Returns the fitted model, and a sentence for each thing that was decided or passed over. What is under way is given
    up at its next word of progress: a budget is kept to within that, and to the seconds that the fallback and the
    answer take. Raises NotEnoughHistory where there is no history at all.
    """
    clock = clock or Clock()
    told: list[str] = []
    ladder = [name]
    began_at = 0.0
    if name == AUTO:
        chosen, sentence = choose(
            panel, horizon_days, members=members, seed=seed, clock=clock, on_progress=on_progress
        )
        told.append(sentence)
        ladder, began_at = list(dict.fromkeys([chosen, SIMPLER])), 0.5
    for candidate, share in zip(ladder, FITTED_BY if len(ladder) > 1 else FITTED_BY[1:], strict=True):
        listener = clock.until(share, on_progress, began_at, 1.0)
        try:
            listener(0.0, f"{candidate}: reading {panel.n_series} series of {panel.n_days} days")
            return _made(candidate, members, seed, parameters if candidate == name else None).fit(panel, listener), told
        except OutOfTime:
            told.append(f"{candidate} was not done in its part of the {clock.seconds:g} seconds.")
        except NotEnoughHistory as reason:
            told.append(str(reason))
    return make(FALLBACK).fit(panel), [*told, f"The {FALLBACK} stands in."]


def _made(name: str, members: Sequence[str], seed: int, parameters: Mapping[str, Any] | None = None) -> Forecaster:
    if not issubclass(model_class(name), Trained):
        return make(name)
    of_blend = {"members": members} if name == Blend.name else {}
    return make(name, threads=os.cpu_count() or 1, seed=seed, **of_blend, **(parameters or {}))


def choose(
    panel: Panel,
    horizon_days: int,
    *,
    members: Sequence[str] = BY_DAY,
    seed: int = 1,
    clock: Clock | None = None,
    on_progress: OnProgress = silent,
) -> tuple[str, str]:
    """Return the blend's name or that of a member or plain average that is clearly better, and why, in a sentence.

    They are trained at up to CUTOFFS cutoffs, `horizon_days` apart, and judged by `errors_by_level` on the days that
    follow each.
    """
    blend = Blend(members=members, threads=os.cpu_count() or 1, seed=seed)
    backs = [horizon_days * place for place in range(1, CUTOFFS + 1)]
    backs = [back for back in backs if panel.n_days - back >= Blend.minimum_days]
    found: dict[str, list[float]] = {}
    for place, back in enumerate(backs):
        known = panel.before(back)
        start, end = place / len(backs) / 2, (place + 1) / len(backs) / 2
        listener = (clock or Clock()).until(JUDGED_BY, on_progress, start, end)
        try:
            grown = blend.grow(known, TRIAL_THIN, listener)
        except (OutOfTime, NothingToLearn):
            break
        trained: Mapping[str, Grown] = {blend.name: grown, **grown.grown}
        answers = {candidate: what.daily_means(known, horizon_days) for candidate, what in trained.items()}
        for plain in PLAIN:
            answers[plain] = make(plain).fit(known).predict(Grid(days=horizon_days)).daily_mean
        for candidate, daily in answers.items():
            found.setdefault(candidate, []).append(errors_by_level(panel, back, daily))
    if not found:
        return blend.name, f"{blend.name} is tried: there was no past, or no time, to judge by."
    means = {candidate: float(np.mean(errors)) for candidate, errors in found.items()}
    figures = ", ".join(f"{candidate} {mean:.3f}" for candidate, mean in means.items())
    best = min(means, key=lambda candidate: means[candidate])
    won = sum(own < of_blend for own, of_blend in zip(found[best], found[blend.name], strict=True))
    count = len(found[blend.name])
    is_clear = means[best] < (1 - NEEDED_GAIN) * means[blend.name] and won >= max(count - 1, 1)
    chosen = best if is_clear else blend.name
    return chosen, f"{chosen} is chosen; scaled errors at {count} past cutoffs: {figures}."


def errors_by_level(panel: Panel, back: int, daily: Floats) -> float:
    """Return how far daily means [n, days] miss what followed the cutoff `back` days ago.

    The root mean squared scaled error of M5 (Makridakis, Spiliotis and Assimakopoulos 2022): of each series, of each
    group of `totals.groups` and of everything together, scaled by the mean squared step from day to day before the
    cutoff, weighed inside a level by the money of the last WEIGHT_DAYS days; the mean over the three levels. Days on
    which a series was not wholly available count nowhere.
    """
    first = panel.n_days - back
    days = slice(first, min(first + daily.shape[1], panel.n_days))
    whole = panel.available[:, days] == 1
    error = np.where(whole, daily[:, : whole.shape[1]] - panel.sales[:, days], 0.0)
    past = np.where(panel.available[:, :first] == 1, panel.sales[:, :first], 0.0)
    money = panel.sales[:, max(0, first - WEIGHT_DAYS) : first].sum(axis=1, dtype=np.float64) * panel.prices()
    if not money.any():
        return float(np.abs(error).mean())

    def at(add: Callable[[Doubles], Doubles]) -> float:
        steps = np.diff(add(past), axis=1)
        scale = np.maximum((steps**2).mean(axis=1), 1e-9)
        weight = add(money[:, None])[:, 0] / money.sum()
        return float(weight @ np.sqrt((add(error) ** 2).mean(axis=1) / scale))

    members, everyone = groups(panel), np.zeros(panel.n_series, dtype=np.int64)
    levels: list[Callable[[Doubles], Doubles]] = [
        lambda values: values,
        lambda values: added_up(values, members),
        lambda values: added_up(values, everyone),
    ]
    return float(np.mean([at(level) for level in levels]))
