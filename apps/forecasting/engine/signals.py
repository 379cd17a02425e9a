"""What each signal beside sales is worth to a model: promotions, prices, public holidays, whatever the shop tells.

A model is fitted at past cutoffs with all that it may see, and again without each signal. What does not lower its error
is not used: it can only carry noise. Signals tell of each other (an item in the mailer is cheaper, too), so those
that seem worth nothing one by one are left out together only where that costs nothing either.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from apps.forecasting.engine.backtest import backtest
from apps.forecasting.engine.base import HOLIDAYS, Forecaster, OnProgress, Panel, silent

UNFORESEEN: Final = "_unforeseen"
"""Behind the name of a signal, the part of it that nobody knew ahead: both are weighed as one."""
ALL: Final = "with all signals"
METRIC: Final = "scaled_pinball"
Make = Callable[[Sequence[str]], Forecaster]


@dataclass(frozen=True)
class Signal:
    """What a signal is worth.

    name        as the panel calls it, or HOLIDAYS
    covariates  of the panel that tell of it
    gain        share by which the error is higher without it: scaled pinball loss of two-week sums
    missed      by how much the share of units missed is higher without it
    is_used     whether the model is to see it
    """

    name: str
    covariates: tuple[str, ...]
    gain: float
    missed: float
    is_used: bool


def signals_of(panel: Panel) -> dict[str, tuple[str, ...]]:
    """Return the signals that a panel holds anything of: name -> what to leave out for a model not to see it."""
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(panel.covariates):
        if panel.covariates[name].any():
            base = name.removesuffix(UNFORESEEN)
            found[base] = (*found.get(base, ()), name)
    return {**found, HOLIDAYS: (HOLIDAYS,)} if panel.country else found


def weigh(
    panel: Panel, make: Make, cutoffs: Sequence[Any], *, workers: int = 1, on_progress: OnProgress = silent
) -> list[Signal]:
    """Return what each signal of `panel` is worth to the models that `make` returns, given what to leave out.

    One model is fitted for each signal, cutoff by cutoff, and one with all; and then one without all that seemed worth
    nothing, where that is more than one. `on_progress` may raise to cancel.
    """
    held = signals_of(panel)
    if not held:
        return []

    def losses(variants: dict[str, tuple[str, ...]], start: float, end: float) -> dict[str, tuple[float, float]]:
        makers = {name: partial(make, left_out) for name, left_out in variants.items()}
        result = backtest(panel, makers, cutoffs, workers=workers,
                          on_progress=lambda done, words: on_progress(start + (end - start) * done, words))  # fmt: skip
        loss, missed = (result.table(metric).mean(axis=1) for metric in (METRIC, "sum_wape"))
        missed = missed.reindex(loss.index).fillna(0.0)  # of a fortnight without a sale there is no share
        return {str(name): (float(loss[name]), float(missed[name])) for name in loss.index}

    alone = {f"without {name}": left_out for name, left_out in held.items()}
    found = losses({ALL: (), **alone}, 0.0, 0.85)
    if not {ALL, *alone} <= found.keys():  # too little history
        return []
    whole, whole_missed = found[ALL]
    gains = {name: found[f"without {name}"][0] / whole - 1 if whole > 0 else 0.0 for name in held}
    useless = [name for name in held if gains[name] <= 0]
    if len(useless) > 1:
        together = tuple(covariate for name in useless for covariate in held[name])
        name = "without " + " and ".join(useless)
        if losses({name: together}, 0.85, 1.0).get(name, (0.0, 0.0))[0] > whole:
            useless = [min(useless, key=lambda name: gains[name])]
    return [
        Signal(name, held[name], gains[name], found[f"without {name}"][1] - whole_missed, name not in useless)
        for name in held
    ]
