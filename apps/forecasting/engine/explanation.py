"""Why a forecast is what it is: units over the next days, told in parts that add up to the forecast.

The first two parts need no model: what was sold lately, and what an empty shelf kept from being sold. From there on
each model tells its own (`Forecaster.reasons`): trees by Shapley's values (exact, by TreeSHAP), a line by its
coefficients, a network by being shown less. A model that looks at nothing but a series' own sales has one more part:
RECENT.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import Forecaster, OnProgress, Panel, silent
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.reasons import EVERY, PARTS, RECENT, STOCKOUTS, Reasons, SomeRows

Doubles = NDArray[np.float64]

USUAL: Final = "usual"
AT_ONCE: Final = 2_000
USUAL_DAYS = 8 * WEEK
"""Days whose sales are the start of every explanation."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why each series is forecast to sell what it is, over the first `days` days.

    model        whose forecast it is
    unique_ids   [n]
    days         how many days the units are of
    usual        [n] units: what the last USUAL_DAYS days sold (or those since it came on sale), for as many days
    parts        name -> [n] units more or fewer: PARTS in their order, then covariates by name
    """

    model: str
    unique_ids: NDArray[np.str_]
    days: int
    usual: Doubles
    parts: Mapping[str, Doubles]

    @property
    def total(self) -> Doubles:
        """The forecast [n], units over `days`."""
        total: Doubles = np.sum([self.usual, *self.parts.values()], axis=0)
        return total

    def to_frame(self) -> pd.DataFrame:
        """Return unique_id, usual, each part and mean: one row per series."""
        return pd.DataFrame({frames.UNIQUE_ID: self.unique_ids, USUAL: self.usual, **self.parts, "mean": self.total})


def explain(
    model: Forecaster, days: int, panel: Panel, rows: SomeRows = EVERY, on_progress: OnProgress = silent
) -> Explanation:
    """Return why `model`, fitted or read back, forecasts what it does for the `days` days after the panel's cutoff.

    rows  of the panel; explaining takes much longer than forecasting, and a model looks at all rows to forecast any

    It speaks after every AT_ONCE rows; what `on_progress` raises stops the work.
    """
    chosen = np.arange(panel.n_series)[rows]
    parts = [chosen[first : first + AT_ONCE] for first in range(0, max(len(chosen), 1), AT_ONCE)]
    found = []
    for place, part in enumerate(parts):
        on_progress(place / len(parts), f"{model.name}: asking why, {place * AT_ONCE} of {len(chosen)} series")
        found.append(model.reasons(days, panel, part))
    reasons = Reasons.joined(found)
    usual, whole = (units[chosen] for units in usual_sales(panel, days))
    told = {STOCKOUTS: whole - usual, **reasons.parts}
    told[RECENT] = told.get(RECENT, 0.0) + reasons.base - whole
    order = [name for name in PARTS if name in told] + sorted(told.keys() - set(PARTS))
    return Explanation(model.name, panel.ids[chosen], days, usual, {name: told[name] for name in order})


def usual_sales(panel: Panel, days: int) -> tuple[Doubles, Doubles]:
    """Return units over `days` days as the last USUAL_DAYS days sold them, and as full shelves would have [n]."""
    window = slice(max(0, panel.n_days - USUAL_DAYS), panel.n_days)
    told = panel.available[:, window].any(axis=0)  # of a day that nobody knows anything of, nothing was missing either
    begun = (np.maximum.accumulate(panel.available > 0, axis=1)[:, window] & told).sum(axis=1)
    share = days / np.maximum(begun, 1)
    usual: Doubles = panel.recorded[:, window].sum(axis=1, dtype=np.float64) * share
    whole: Doubles = panel.recovered().demand[:, window][:, told].sum(axis=1) * share
    return usual, whole
