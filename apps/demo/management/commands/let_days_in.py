"""Lets the next days of a demo's shop in, one after another."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.demo import selectors, services
from apps.demo.management.watch import Watch
from apps.jobs.services import NotNow
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import tenant_by_slug


def _count(text: str) -> int:
    days = int(text)
    if days < 1:
        raise argparse.ArgumentTypeError(_("at least one day"))
    return days


class Command(BaseCommand):
    help = str(gettext_lazy("Let days of a demo's shop in: deliveries, orders, judging, and on Mondays a new plan."))

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help=_("the shop's short name, such as corner-grocer"))
        parser.add_argument("--days", type=_count, default=1, help=_("how many days; 7 make a week"))

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = tenant_by_slug(options["tenant"])
        if tenant is None:
            raise CommandError(_("There is no shop %(slug)s.") % {"slug": options["tenant"]})
        watch = Watch(self.stdout.write)
        try:
            with tenant_context(tenant.pk):
                until = services.let_days_in(days=options["days"], actor=None, label="manage.py let_days_in")
        except services.YearIsOver as over:
            self.stdout.write(str(over))
            return
        except (services.NotADemo, NotNow) as refusal:
            raise CommandError(str(refusal)) from refusal
        watch.until([tenant], lambda _tenant: selectors.is_at_rest_on(until),
                    (selectors.ADVANCE, *selectors.STEPS_OF_A_DAY))
        watch.tell(_("%(shop)s stands on %(today)s.") % {"shop": tenant.name, "today": date_format(until, "j M Y")})
