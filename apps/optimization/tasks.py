"""The kinds of job that this app carries out."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.jobs.kinds import Kind, declare

declare(Kind("optimization.plan", title=_("Plan what to buy"), handler="apps.optimization.pipeline:plan",
             queue="heavy"))
declare(Kind("optimization.scenario", title=_("Reckon what would be planned"),
             handler="apps.optimization.pipeline:try_out", queue="heavy"))
