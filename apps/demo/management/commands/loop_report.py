"""Prints what the loop has done in each shop of the demo: lines in, forecasts, plans, orders, outcomes, the proof."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.demo import selectors
from apps.feedback.selectors import loop_report
from apps.tenants.scope import tenant_context


class Command(BaseCommand):
    help = str(gettext_lazy("Print what the loop has done in each shop of the demo."))

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", metavar="FILE", help=_("write it as JSON; - for the terminal"))
        parser.add_argument("--shop", help=_("only the shop of this short name"))

    def handle(self, *args: Any, **options: Any) -> None:
        reports = {}
        for tenant in selectors.demo_tenants():
            if options["shop"] in (None, tenant.slug):
                with tenant_context(tenant.pk):
                    reports[tenant.slug] = loop_report(tenant.today(), selectors.lines_not_yet_released(tenant))
        if not reports:
            raise CommandError(_("There is no demo here: make demo loads it."))
        if options["json"] is None:
            self.stdout.write("\n\n".join("\n".join([slug, *_as_text(report, 1)]) for slug, report in reports.items()))
            return
        text = json.dumps(reports, indent=2, ensure_ascii=False)
        if options["json"] == "-":
            self.stdout.write(text)
        else:
            Path(options["json"]).write_text(text + "\n", encoding="utf-8")


def _as_text(value: Any, depth: int) -> list[str]:
    """A report as indented lines: a name and its figure, or a name and what stands below it."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value, start=1)
    lines = []
    for name, found in pairs:
        label = f"{'  ' * depth}{str(name).replace('_', ' ')}"
        if isinstance(found, dict | list) and found:
            lines += [f"{label}:", *_as_text(found, depth + 1)]
        else:
            lines.append(f"{label}: {_figure(found)}")
    return lines


def _figure(found: Any) -> str:
    if found is None or found in ({}, []):
        return "-"
    if isinstance(found, bool):
        return _("yes") if found else _("no")
    return f"{found:,.4g}" if isinstance(found, float) and abs(found) < 1000 else (
        f"{found:,.0f}" if isinstance(found, int | float) else str(found))
