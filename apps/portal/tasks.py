"""Declares the portal's job kind."""

from django.utils.translation import gettext_lazy as _

from apps.jobs.kinds import Kind, declare

REFRESH = declare(Kind("portal.refresh", title=_("Lists and figures"), handler="apps.portal.pipeline:refresh_tenant",
                       queue="light"))
