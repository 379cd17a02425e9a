"""The kinds of job that this app carries out."""

from django.utils.translation import gettext_lazy as _

from apps.jobs.kinds import Kind, declare

declare(Kind("inventory.unsent", title=_("Look for orders that were never sent"),
             handler="apps.inventory.pipeline:tell_unsent_tenant"))
