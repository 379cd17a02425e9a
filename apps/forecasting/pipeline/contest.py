"""The contest that chooses the champion: the same cutoffs for every model, the cheapest first, and the verdict."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.forecasting import engine, selectors, services
from apps.forecasting.engine import models
from apps.forecasting.engine.backtest import BacktestResult, backtest, rolling_cutoffs
from apps.forecasting.engine.base import Forecaster, OnProgress, Panel
from apps.forecasting.engine.selection import FEWEST_CUTOFFS, Verdict, choose_champion
from apps.forecasting.engine.signals import Signal, weigh
from apps.forecasting.pipeline import report
from apps.forecasting.pipeline.night import require_sales
from apps.forecasting.selectors import TUNED, History
from apps.jobs import selectors as jobs
from apps.jobs.running import GiveUp, Running
from apps.registry import selectors as registry
from apps.registry.services import Lineage, source_hash
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import tenant_by_id

CUTOFFS = FEWEST_CUTOFFS + 1  # the last one chooses nothing: its scores are the ones to publish
CHALLENGERS = ("lightgbm",)
LSTM = "keras_lstm"
WEIGHED = "lightgbm"
WEIGHED_AT = 2  # cutoffs before those of the contest
# Enough to tell signals by. Of half as many rows and larger steps yet, small signals that help looked useless.
QUICK: dict[str, Any] = {"thin": 2, "rounds": 100, "learning_rate": 0.12}
CONTEST_DAYS = 7  # models are compared, and the winner fitted anew, at least this often


@dataclass
class Stopwatch:
    """Seconds of each stage, as the report tells them."""

    seconds: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = round(now - self.began, 2)
        self.began = now


def telling(running: Running, start: float, end: float) -> OnProgress:
    """A stretch of the job's progress that calls models as people do, and writes as the shop does.

    Stages speak from threads of their own, one at a time: there the job's own context has to be entered.
    """
    part, context = running.part(start, end), copy_context()
    return lambda done, sentence: part(done, context.run(selectors.with_titles, sentence))


def backtest_tenant(running: Running) -> dict[str, Any]:
    """Let the cheap models, then LightGBM, forecast the same past weeks; save the scores and promote the winner."""
    as_of = dt.date.fromisoformat(running.input["as_of"])
    watch = Stopwatch()
    running.progress(0.01, _("Reading sales, prices and promotions"))
    known, panel = read(running, as_of)
    with tenant_context(running.tenant_id):
        version = registry.champion(services.DEMAND)
        tuned = selectors.tuned_parameters(TUNED)
    watch.lap("read")
    cutoffs = rolling_cutoffs(panel, CUTOFFS)
    if not cutoffs:
        return too_short(running, panel, as_of, watch)
    workers = os.cpu_count() or 1
    cheap = backtest(panel, makers({name: {} for name in models.BASELINES}), cutoffs, workers=workers,
                     on_progress=telling(running, 0.03, 0.12))
    watch.lap("cheap models")
    signals = weigh_signals(panel, telling(running, 0.12, 0.35))
    without = [name for signal in signals if not signal.is_used for name in signal.covariates]
    watch.lap("signals")
    made = {name: {"without": without, **(tuned if name == TUNED else {})} for name in CHALLENGERS}
    trained = backtest(panel, makers(made), cutoffs, workers=workers,
                       on_progress=telling(running, 0.35, 0.8))
    watch.lap("lightgbm")
    result = cheap.merged(trained)
    verdict = choose_champion(result, version.model if version else None, list(CHALLENGERS),
                              complexity=complexities([*models.RIVALS, *CHALLENGERS]))
    fitted = fit_finalists(panel, verdict, result, made, telling(running, 0.8, 0.95))
    watch.lap("final fit")
    running.progress(0.96, _("Saving the scores"))
    return save(running, Contest(known, panel, result, verdict, fitted, signals, watch))


def read(running: Running, as_of: dt.date) -> tuple[History, Panel]:
    """The history and what can be learned from it, or the plain sentence of what is missing."""
    with tenant_context(running.tenant_id):
        known = selectors.known_history(as_of)
    require_sales(known)
    panel = known.lessons()
    if not panel.regular().any():
        raise GiveUp(_("No item sells often enough to be forecast: there is nothing to compare models on."))
    return known, panel


def makers(made: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Model by name: what makes a new one, with its parameters."""
    return {name: partial(models.make, name, **parameters) for name, parameters in made.items()}


def complexities(names: Sequence[str]) -> dict[str, int]:
    return {name: models.model_class(name).complexity for name in names}


def too_short(running: Running, panel: Panel, as_of: dt.date, watch: Stopwatch) -> dict[str, Any]:
    """Save that there was too little history to compare anything, and what stands in until then."""
    reason = ngettext("%(days)d day of sales is too little to compare models; six weeks are needed. Until then the "
                      "eight-week mean forecasts, with wide bands.",
                      "%(days)d days of sales are too few to compare models; six weeks are needed. Until then the "
                      "eight-week mean forecasts, with wide bands.", panel.n_days) % {"days": panel.n_days}
    verdict: dict[str, Any] = {"champion": models.FALLBACK, "outcome": "nothing_scored", "reason": reason, "trials": [],
               "best_baseline": models.FALLBACK, "chosen_on": [], "published_on": None}
    with tenant_context(running.tenant_id):
        running.hold()
        backtest = services.save_backtest(as_of=as_of, champion=models.FALLBACK, verdict=verdict,
                                          report=report.empty(panel, watch.seconds),
                                          items=report.no_items(), job_id=running.job_id)
    return {"backtest": backtest.pk, "champion": models.FALLBACK, "reason": reason}


def weigh_signals(panel: Panel, on_progress: OnProgress) -> list[Signal]:
    """What promotions, prices and holidays are worth to the trained model, before it takes part.

    Asked at the cutoffs before those of the contest, so that what is left out is not chosen by what then judges; of a
    model that learns in fewer and larger steps from a part of the rows. Nothing where history is too short for that.
    """
    earlier = rolling_cutoffs(panel, CUTOFFS + WEIGHED_AT)[:-CUTOFFS]
    if not earlier:
        return []
    return weigh(panel, lambda without: models.make(WEIGHED, without=without, **QUICK), earlier,
                 workers=os.cpu_count() or 1, on_progress=on_progress)


def fit_finalists(panel: Panel, verdict: Verdict, result: BacktestResult, made: Mapping[str, Mapping[str, Any]],
                  on_progress: OnProgress) -> dict[str, Forecaster]:
    """The winner fitted on all that is known; and the trained model, where it did not win, for people to promote."""
    scored = set(result.series["model"])
    names = list(dict.fromkeys([verdict.champion, *(name for name in CHALLENGERS if name in scored)]))
    fitted = {}
    for place, name in enumerate(names):
        def told(done: float, sentence: str, place: int = place) -> None:
            on_progress((place + done) / len(names), sentence)

        # Alone now, it may have all cores; what it learns does not depend on them.
        parameters = {**made[name], "threads": os.cpu_count() or 1} if name in made else {}
        fitted[name] = models.make(name, **parameters).fit(panel, told)
    return fitted


@dataclass(frozen=True)
class Contest:
    """Everything that is saved of a contest."""

    known: History
    panel: Panel
    result: BacktestResult
    verdict: Verdict
    fitted: Mapping[str, Forecaster]
    signals: list[Signal]
    watch: Stopwatch


def save(running: Running, contest: Contest) -> dict[str, Any]:
    """Register the finalists, move the aliases, save the scores: all or nothing."""
    verdict, as_of = contest.verdict, contest.known.as_of
    told = report.build(contest.result, verdict, contest.panel, contest.signals, contest.watch.seconds)
    items = report.items(contest.result, verdict)
    fingerprint = selectors.data_fingerprint(contest.panel)
    with tenant_context(running.tenant_id):
        running.hold()
        versions = {
            name: services.register_model(
                model=model, metrics=report.metrics_of(told, name),
                lineage=lineage(model, contest.known, fingerprint, running.job_id))
            for name, model in contest.fitted.items()}
        reason = report.reason(verdict)
        services.promote(version=versions[verdict.champion], reason=reason)
        for name, version in versions.items():
            if name != verdict.champion:
                services.challenge(version=version, reason=_("Trained, and not chosen: %(why)s")
                                   % {"why": reason})
        saved = services.save_backtest(as_of=as_of, champion=verdict.champion, report=told, items=items,
                                       verdict=report.verdict(verdict),
                                       job_id=running.job_id)
    return {"backtest": saved.pk, "champion": verdict.champion, "outcome": verdict.outcome, "reason": reason,
            "seconds": contest.watch.seconds}


def lineage(model: Forecaster, known: History, fingerprint: str, job_id: int | None) -> Lineage:
    """Where a fitted model comes from."""
    parameters: dict[str, Any] = getattr(model, "parameters", dict)()
    return Lineage(trained_through=known.known_through, data_fingerprint=fingerprint, parameters=parameters,
                   code_version=source_hash(Path(engine.__file__).parent), seed=int(parameters.get("seed", 0)),
                   job_id=job_id)


def renew_tenant(running: Running) -> dict[str, Any]:
    """Ask for a contest of models where none was held for a week, or none ever, and there is something to forecast."""
    as_of = dt.date.fromisoformat(running.input["as_of"])
    with tenant_context(running.tenant_id):
        running.hold()
        run, contest = selectors.latest_run(as_of), selectors.latest_backtest(as_of)
        if run is None or not run.series:
            return {"note": _("No item sells often enough to be forecast: there is nothing to compare models on.")}
        if contest is not None and (as_of - contest.as_of).days < CONTEST_DAYS:
            return {"note": _("The models were compared on %(day)s.") % {"day": date_format(contest.as_of, "j M Y")}}
        if jobs.is_any_live(["forecasting.backtest"]):
            return {"note": _("The models are being compared already.")}
        job_id = services.request_backtest(
            tenant=tenant_by_id(running.tenant_id), is_first=contest is None,
            reason=_("The last contest is a week old.") if contest else _("No contest has been held yet."))
    return {"job": job_id}


def backtest_lstm_tenant(running: Running) -> dict[str, Any]:
    """Train the neural network as of the last contest's published origin and put its scores beside the others'."""
    as_of = dt.date.fromisoformat(running.input["as_of"])
    watch = Stopwatch()
    running.progress(0.01, _("Reading sales, prices and promotions"))
    known, panel = read(running, as_of)
    with tenant_context(running.tenant_id):
        contest = selectors.latest_backtest()
    if contest is None or not contest.verdict["published_on"]:  # a chain goes on without the network
        return {"note": _("The simpler models have to be compared first: the network's scores stand beside theirs.")}
    origin = contest.verdict["published_on"][:10]
    watch.lap("read")
    result = backtest(panel, makers({LSTM: {}}), [origin], on_progress=telling(running, 0.03, 0.6))
    watch.lap(LSTM)
    if result.series.empty:
        return {"backtest": contest.pk, "note": " ".join(result.notes["note"])}
    model = models.make(LSTM).fit(panel, telling(running, 0.6, 0.95))
    watch.lap("final fit")
    row = report.model_row(result, LSTM, contest.champion)
    with tenant_context(running.tenant_id):
        running.hold()
        services.add_to_backtest(backtest_id=contest.pk, row=row, seconds=watch.seconds)
        services.challenge(reason=_("Trained, and scored at one origin: too few to be promoted by the rule."),
                           version=services.register_model(
                               model=model, metrics=report.metrics_of({"models": [row]}, LSTM),
                               lineage=lineage(model, known, selectors.data_fingerprint(panel), running.job_id)))
    return {"backtest": contest.pk, "metrics": row["metrics"], "seconds": watch.seconds}
