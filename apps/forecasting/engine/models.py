"""Every model by name, none of them imported until it is asked for: heavy libraries stay out of the web process."""

from importlib import import_module
from typing import Any, Final

from apps.forecasting.engine.base import Forecaster, OnProgress, Panel, silent
from apps.forecasting.engine.frames import NotEnoughHistory

HOME: Final = "apps.forecasting.engine"
MODELS: Final[dict[str, str]] = {
    "seasonal_naive": f"{HOME}.baselines.SeasonalNaive",
    "weekday_mean": f"{HOME}.baselines.WeekdayMean",
    "eight_week_mean": f"{HOME}.baselines.WindowMean",
    "seasonal_mean": f"{HOME}.baselines.SeasonalMean",
    "tsb": f"{HOME}.baselines.Tsb",
    "croston_sba": f"{HOME}.smoothing.CrostonSBA",
    "theta": f"{HOME}.smoothing.Theta",
    "ets": f"{HOME}.statsforecast_models.ETS",
    "arima": f"{HOME}.statsforecast_models.ARIMA",
    "ridge": f"{HOME}.linear_model.Ridge",
    "decision_tree": f"{HOME}.sklearn_trees.DecisionTree",
    "random_forest": f"{HOME}.sklearn_trees.RandomForest",
    "lightgbm": f"{HOME}.lightgbm_model.LightGBM",
    "lightgbm_daily": f"{HOME}.lightgbm_daily.LightGBMDaily",
    "blend": f"{HOME}.blend.Blend",
    "keras_lstm": f"{HOME}.keras_model.KerasLSTM",
    "keras_gru": f"{HOME}.keras_model.KerasGRU",
}
"""Name -> dotted path, the simplest first."""
BASELINES: Final = ("seasonal_naive", "weekday_mean", "eight_week_mean", "seasonal_mean", "tsb")
RIVALS: Final = ("weekday_mean", "eight_week_mean", "seasonal_mean", "tsb")
"""The baselines that a challenger has to beat; seasonal naive is too low a bar and only shown."""
FALLBACK: Final = "eight_week_mean"


class UnknownModel(KeyError):
    """There is no model by this name."""

    def __str__(self) -> str:
        return f"There is no model called {self.args[0]!r}; there are {', '.join(MODELS)}."


def model_class(name: str) -> type[Forecaster]:
    """Import and return the class of a model; raises UnknownModel."""
    if name not in MODELS:
        raise UnknownModel(name)
    module, _, attribute = MODELS[name].rpartition(".")
    found: type[Forecaster] = getattr(import_module(module), attribute)
    return found


def make(name: str, **parameters: Any) -> Forecaster:
    """Return a model, not yet fitted."""
    return model_class(name)(**parameters)


def fit_or_fall_back(model: Forecaster, panel: Panel, on_progress: OnProgress = silent) -> tuple[Forecaster, str]:
    """Fit `model`, or the eight-week mean where the history is too short for it.

    Returns the fitted model and the reason for falling back in one sentence (empty where it did not). Raises
    NotEnoughHistory where there is no history at all.
    """
    try:
        return model.fit(panel, on_progress), ""
    except NotEnoughHistory as reason:
        return make(FALLBACK).fit(panel, on_progress), f"{reason} The {FALLBACK} stands in."
