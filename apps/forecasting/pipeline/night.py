"""The forecast of all planned series for one planning day, by the champion or, without one, the best cheap baseline."""

from __future__ import annotations

import datetime as dt
import time
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from numpy.typing import NDArray

from apps.alerts import services as alerts
from apps.forecasting import selectors, services
from apps.forecasting.engine import models
from apps.forecasting.engine.backtest import backtest, rolling_cutoffs
from apps.forecasting.engine.base import ArtifactError, Forecast, Forecaster, Grid, Panel
from apps.forecasting.engine.explanation import Explanation, explain
from apps.forecasting.engine.frames import NotEnoughHistory
from apps.forecasting.engine.newcomers import explained, with_newcomers
from apps.forecasting.models import ForecastRun, SeriesForecast
from apps.forecasting.pipeline import kinds
from apps.forecasting.selectors import History
from apps.jobs.running import GiveUp, Running
from apps.registry import selectors as registry
from apps.registry.selectors import ArtifactTampered, ModelVersion
from apps.tenants.figures import units
from apps.tenants.scope import tenant_context

EXPLAINED_DAYS = 14
TRIALS = 2
TRIAL_DAYS = 8 * 7  # history that a trial of the cheap models needs before its cutoff


def forecast_tenant(running: Running) -> dict[str, Any]:
    """Forecast every planned series as of the day asked for, and save it."""
    started = time.perf_counter()
    as_of = dt.date.fromisoformat(running.input["as_of"])
    running.progress(0.02, _("Reading sales, prices and promotions"))
    with tenant_context(running.tenant_id):
        known = selectors.known_history(as_of)
        version, files, trouble = _champion()
        contest = selectors.latest_backtest(as_of)
    require_sales(known)
    grid = known.grid()
    lessons = known.lessons(grid)
    panel = selectors.planned(lessons)
    fingerprint = selectors.data_fingerprint(lessons, is_forecast=True)
    why = lost = None
    if panel.n_series:
        forecast, model, note, used = forecast_panel(lessons, grid, version, files, running)
        rows = np.flatnonzero(lessons.regular())
        forecast = with_newcomers(forecast, lessons).take(rows)
        why = explained(why_so(model, lessons, rows, running), forecast)
        lost = lost_lately(panel, known.out_days)
    else:
        forecast, note, used = nothing(known, grid), _("No item sells often enough to be forecast: all are ordered on "
                                                       "request."), False
    summed = kinds.rows(forecast, panel, kinds.unsure_of(contest, forecast.model))
    running.progress(0.8, _("Saving %(series)s series") % {"series": units(forecast.n_series)})
    with tenant_context(running.tenant_id):
        running.hold()
        run = services.save_forecast(forecast=forecast, why=why, lost=lost, kinds=summed, made=services.Made(
            as_of=as_of, data_fingerprint=fingerprint, version=version if used else None,
            note=" ".join(filter(None, [trouble, note])), job_id=running.job_id,
            on_request=max(known.active_items - items_of(panel), 0), seconds=time.perf_counter() - started))
        if trouble:
            alerts.raise_alert(code="model.unreadable", severity="critical", title=_("The model in use cannot be read"),
                               reason=trouble, link="/models/")
    return summary(run)


def summary(run: ForecastRun) -> dict[str, Any]:
    """What a forecast job tells of its run."""
    return {"run": run.pk, "model": run.model, "series": run.series, "on_request": run.on_request, "note": run.note,
            "seconds": run.seconds}


def _champion() -> tuple[ModelVersion | None, dict[str, bytes], str]:
    """The version in use and its verified files; where they cannot be trusted, why."""
    version = registry.champion(services.DEMAND)
    if version is None:
        return None, {}, ""
    try:
        return version, registry.load_artifact(version), ""
    except ArtifactTampered as error:
        return None, {}, _("%(version)s was not used: %(reason)s") % {"version": version, "reason": error}


def require_sales(known: History) -> None:
    """Stop with a plain sentence where there is nothing to forecast from."""
    if not known.has_sales:
        raise GiveUp(_("There are no sales before %(day)s: bring in order lines first, and the items they name.")
                     % {"day": date_format(known.as_of, "j M Y")})


def forecast_panel(panel: Panel, grid: Grid, version: ModelVersion | None, files: dict[str, bytes],
                   running: Running) -> tuple[Forecast, Forecaster, str, bool]:
    """The forecast and its model, a note where it is not the champion, and whether it is."""
    note = ""
    if version is not None:
        running.progress(0.3, _("Forecasting with %(version)s") % {"version": version})
        try:
            champion = models.model_class(version.model).from_artifact(files)
            return champion.predict(grid, panel), champion, "", True
        except (ArtifactError, NotEnoughHistory) as error:
            note = str(error)
    running.progress(0.3, _("Trying the simple models"))
    name, why = best_cheap(panel)
    model, fell_back = models.fit_or_fall_back(models.make(name), panel)
    return model.predict(grid), model, " ".join(filter(None, [note, fell_back or why])), False


def why_so(model: Forecaster, panel: Panel, rows: NDArray[np.int64], running: Running) -> Explanation:
    """What moves the next days of some series of a panel, told while it is found out."""
    part = running.part(0.5, 0.8)

    def told(done: float, _sentence: str) -> None:
        part(done, _("Asking why %(series)s forecasts are as they are") % {"series": units(len(rows))})

    return explain(model, EXPLAINED_DAYS, panel, rows, on_progress=told)


def lost_lately(panel: Panel, out_days: pd.DataFrame) -> services.Lost:
    """What each series did not sell over the last weeks because it had run out.

    out_days: unique_id, ds, is_sold_out (`History`).
    """
    first = panel.dates[-SeriesForecast.LOST_DAYS:][0]
    lately = out_days[(out_days["ds"] >= first) & out_days["unique_id"].isin(panel.ids)]
    rows = pd.Index(panel.ids).get_indexer(pd.Index(lately["unique_id"]))
    columns = (lately["ds"].to_numpy().astype("datetime64[D]") - panel.dates[0]).astype(np.int64)
    out = np.zeros(panel.y.shape, dtype=bool)
    out[rows, columns] = True
    days_out = np.bincount(rows[~lately["is_sold_out"].to_numpy()], minlength=panel.n_series)
    if lately.empty:
        nothing_lost = np.zeros(panel.n_series)
        return services.Lost(days_out=days_out, units=nothing_lost, low=nothing_lost, high=nothing_lost)
    found = panel.recovered().on(out)
    low, high = found.lost_between((0.1, 0.9)).T
    return services.Lost(days_out=days_out, units=found.lost.sum(axis=1), low=low, high=high)


def best_cheap(panel: Panel) -> tuple[str, str]:
    """The simple model that did best lately, and why it was taken, in a sentence.

    Best: the lowest scaled pinball loss of two-week sums at two past cutoffs. With too little history for that, the
    eight-week mean.
    """
    cutoffs = [day for day in rolling_cutoffs(panel, TRIALS) if (day - panel.dates[0]).astype(int) >= TRIAL_DAYS]
    makers = {name: partial(models.make, name) for name in models.RIVALS}
    losses = backtest(panel, makers, cutoffs).table("scaled_pinball").mean(axis=1) if cutoffs else None
    if losses is None or losses.empty:
        return models.FALLBACK, ngettext(
            "%(days)d day of history is too little to compare models: the eight-week mean is used, with wide bands.",
            "%(days)d days of history are too few, or have too many gaps, to compare models: the eight-week mean is "
            "used, with wide bands.", panel.n_days) % {"days": panel.n_days}
    best = min(losses.index, key=lambda name: (losses[name], models.model_class(name).complexity))
    return str(best), _("No model has won a contest yet: %(name)s did best of the simple ones over the last weeks.") % {
        "name": selectors.model_title(str(best))}


def nothing(known: History, grid: Grid) -> Forecast:
    """The forecast of no series."""
    empty = np.zeros(0, dtype=np.float32)
    return Forecast(model=models.FALLBACK, unique_ids=np.zeros(0, dtype=np.str_),
                    cutoff=np.datetime64(known.known_through, "D"), grid=grid,
                    mean=np.zeros((0, grid.n_steps), dtype=np.float32), level_variance=empty,
                    day_dispersion=empty.copy(), weekday_profile=np.ones(7, dtype=np.float32))


def items_of(panel: Panel) -> int:
    """How many items the panel's series are of."""
    return len(np.unique(np.char.partition(panel.ids, "/")[:, 0])) if panel.n_series else 0
