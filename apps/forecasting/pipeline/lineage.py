"""A version trained again from its lineage: the same data, parameters and seed give the same forecasts and scores."""

from __future__ import annotations

import datetime as dt
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from apps.forecasting import engine, selectors
from apps.forecasting.engine import models
from apps.forecasting.engine.backtest import backtest
from apps.forecasting.engine.base import ArtifactError, Forecast, Forecaster, OnProgress, Panel
from apps.forecasting.engine.frames import NotEnoughHistory
from apps.forecasting.pipeline import report
from apps.forecasting.pipeline.contest import read, telling
from apps.jobs.running import GiveUp, Running
from apps.registry import selectors as registry
from apps.registry.selectors import ArtifactTampered, ModelVersion
from apps.registry.services import lock_hash, source_hash
from apps.tenants.figures import day, share
from apps.tenants.scope import tenant_context

SAME = 1e-6  # of the largest number compared; what is summed in another order differs by less


def retrain_tenant(running: Running) -> dict[str, Any]:
    """Train a version again from its lineage, and say whether its forecasts and its last scores come out the same.

    Nothing is registered and nothing is put in use: it is a proof, and safe to repeat.
    """
    running.progress(0.01, _("Reading sales, prices and promotions"))
    with tenant_context(running.tenant_id):
        version = registry.version_by_id(int(running.input["version"]))
        if version is None:
            raise GiveUp(_("There is no such version."))
        unfitted = made(version)
        try:
            kept = type(unfitted).from_artifact(registry.load_artifact(version))
        except (ArtifactTampered, ArtifactError) as error:
            raise GiveUp(_("%(version)s cannot be compared: %(reason)s")
                         % {"version": version, "reason": error}) from error
    known, panel = read(running, version.trained_through + dt.timedelta(days=1))
    try:
        again = unfitted.fit(panel, telling(running, 0.1, 0.6))
    except NotEnoughHistory as error:
        raise GiveUp(_("%(version)s cannot be trained again: %(reason)s")
                     % {"version": version, "reason": selectors.with_titles(str(error))}) from error
    grid = known.grid()
    scores_differ_by, scores_gone = scored_again(version, panel, telling(running, 0.6, 0.95))
    found = {
        "version": str(version), "same_data": selectors.data_fingerprint(panel) == version.data_fingerprint,
        "same_code": source_hash(Path(engine.__file__).parent) == version.code_version,
        "same_libraries": lock_hash() == version.lock_hash,
        "forecast_differs_by": difference(kept.predict(grid, panel), again.predict(grid, panel)),
        "scores_differ_by": scores_differ_by, "scores_gone": scores_gone}
    return {"note": words(version, found), **found}


def made(version: ModelVersion) -> Forecaster:
    """The version's model, not yet trained; or the plain sentence why today's code cannot make it."""
    try:
        return models.make(version.model, **version.parameters)
    except models.UnknownModel as error:
        raise GiveUp(_("%(version)s cannot be trained again: there is no model called “%(model)s” any more.")
                     % {"version": version, "model": version.model}) from error
    except TypeError as error:
        raise GiveUp(_("%(version)s cannot be trained again: its model has other settings today than it was made "
                       "with.") % {"version": version}) from error


def difference(one: Forecast, other: Forecast) -> float:
    """How far two forecasts of a panel are apart at most, as a part of the largest number of each kind in the first."""
    apart = [float(np.abs(getattr(one, part) - getattr(other, part)).max(initial=0.0))
             / max(float(np.abs(getattr(one, part)).max(initial=0.0)), 1e-12)
             for part in ("mean", "level_variance", "day_dispersion", "weekday_profile")]
    return max(apart)


def scored_again(version: ModelVersion, panel: Panel, on_progress: OnProgress) -> tuple[float | None, list[str]]:
    """How far the scores at the version's last origin are from those kept with it, and the names of those gone since.

    None where there is nothing to compare: it was scored nowhere, or all of its scores are gone.
    """
    by_cutoff: dict[str, dict[str, float]] = version.metrics.get("by_cutoff", {})
    if not by_cutoff:
        return None, []
    origin = max(by_cutoff)
    now: dict[str, float] = {}
    if np.datetime64(origin) >= panel.dates[0]:  # what was sold before may have been deleted
        result = backtest(panel, {version.model: partial(made, version)}, [origin], on_progress=on_progress)
        if not result.series.empty:
            now = report.model_row(result, version.model, "")["by_cutoff"][origin]
    apart = [abs(value - now[name]) for name, value in by_cutoff[origin].items() if name in now]
    return max(apart, default=None), sorted(by_cutoff[origin].keys() - now.keys())


def words(version: ModelVersion, found: dict[str, Any]) -> str:
    """What came of it, in a sentence or two for people."""
    apart, scores = found["forecast_differs_by"], found["scores_differ_by"]
    is_same = apart <= SAME and (scores is None or scores <= SAME)
    told = {"version": version, "date": day(version.trained_through), "apart": share(apart, 1)}
    if is_same and found["same_data"] and not found["scores_gone"]:
        return _("Trained again from its lineage, %(version)s came out the same.") % told
    changed = [sentence for name, sentence in (
        ("same_data", _("What is known of the time through %(date)s is not what it was trained on: sales, prices, "
                        "promotions or items of that time have changed since or came in later, or the shop's country "
                        "or how often an item has to sell to be planned was set anew.")),
        ("same_code", _("The code has changed since.")), ("same_libraries", _("The libraries have changed since.")),
    ) if not found[name]]
    if found["scores_gone"]:
        changed.append(_("Not all of the scores kept with it can be reckoned anew."))
    if is_same:
        outcome = _("Trained again, %(version)s came out the same nevertheless.")
    elif changed:
        outcome = _("Trained again, %(version)s forecasts something else: up to %(apart)s of its largest forecast.")
    else:
        outcome = _("Trained again from the same data, code and libraries, %(version)s came out differently, by up to "
                    "%(apart)s of its largest forecast: another machine or setting made it.")
    return " ".join([*changed, outcome]) % told
