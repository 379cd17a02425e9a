"""Declares the demo's job kinds."""

from django.utils.translation import gettext_lazy as _

from apps.demo.selectors import ADVANCE, CONTEST, LOAD
from apps.jobs.kinds import Kind, declare

declare(Kind(LOAD, title=_("Load the demo"), handler="apps.demo.pipeline:load_tenant"))
declare(Kind(ADVANCE, title=_("Let a day in"), handler="apps.demo.pipeline:advance_tenant"))
declare(Kind(CONTEST, title=_("Start the contest of models"), handler="apps.demo.pipeline:start_contest",
             is_listed=False))
