"""The job kinds of sales."""

from django.utils.translation import gettext_lazy as _

from apps.jobs.kinds import Kind, declare

declare(Kind("sales.refresh", title=_("Daily demand"), handler="apps.sales.pipeline:refresh"))
