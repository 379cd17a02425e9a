"""The search for settings of the trained model that forecast this shop better than the usual ones."""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import Any

from django.utils.translation import gettext as _

from apps.forecasting import selectors, services
from apps.forecasting.engine.automatic import Clock
from apps.forecasting.engine.dispersion import SUM_DAYS
from apps.forecasting.engine.frames import NotEnoughHistory
from apps.forecasting.engine.tuning import Tuned, tune
from apps.forecasting.pipeline.contest import CUTOFFS, read, telling
from apps.forecasting.pipeline.report import day, number
from apps.forecasting.selectors import TUNED
from apps.jobs.running import Running
from apps.tenants.figures import day as day_words
from apps.tenants.figures import units
from apps.tenants.scope import tenant_context

TUNE_DAYS = 28  # settings are searched at most this often
TUNE_SECONDS = 480.0
CONTESTED_DAYS = CUTOFFS * SUM_DAYS  # the weeks that contests judge by, which the search may not see


def tune_tenant(running: Running) -> dict[str, Any]:
    """Search on what was known before the weeks of the last contest, and keep what came of it.

    So contests judge the settings on weeks that had no part in finding them, this week's and all later ones.
    """
    as_of = dt.date.fromisoformat(running.input["as_of"])
    with tenant_context(running.tenant_id):
        last = selectors.latest_tuning(TUNED)
    if last is not None and (as_of - last.as_of).days < TUNE_DAYS:
        return {"note": _("Better settings were searched for on %(day)s.") % {"day": day_words(last.as_of)}}
    clock = Clock(TUNE_SECONDS)
    running.progress(0.01, _("Reading sales, prices and promotions"))
    _known, panel = read(running, as_of)
    earlier = panel.before(min(CONTESTED_DAYS, panel.n_days - 1))
    try:
        found = tune(earlier, TUNED, threads=os.cpu_count() or 1, clock=clock,
                     on_progress=telling(running, 0.05, 0.95))
    except NotEnoughHistory as short:
        if panel.n_days >= short.needed_days + CONTESTED_DAYS:
            return {"note": _("Too little was sold in the past to search settings by.")}
        return {"note": _("Better settings are searched for once there are %(needed)s days of sales: there are "
                          "%(days)s.") % {"needed": units(short.needed_days + CONTESTED_DAYS),
                                          "days": units(panel.n_days)}}
    with tenant_context(running.tenant_id):
        running.hold()
        saved = services.save_tuning(as_of=as_of, model=TUNED, outcome=found.outcome, parameters=found.parameters,
                                     report=told(found, time.monotonic() - clock.began), job_id=running.job_id)
        note = selectors.tuning_words(saved)
    return {"tuning": saved.pk, "note": note}


def told(found: Tuned, seconds: float) -> dict[str, Any]:
    """The figures of a search, as JSON can hold them."""
    return {"trials": len(found.trials), "given_up": sum(not trial.is_done for trial in found.trials),
            "found_gain": number(found.found_gain), "gain": None if found.gain is None else number(found.gain),
            "searched_on": [day(cutoff) for cutoff in found.searched_on], "proved_on": day(found.proved_on),
            "seconds": round(seconds, 2)}
