"""Reads a CSV file into a tenant from the shell, and says in plain words what became of its rows."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.catalog.services import TooManyItems
from apps.ingestion import selectors, services
from apps.ingestion.adapters.rules import rule
from apps.ingestion.models import ImportFile
from apps.ingestion.services.files import OPTIONS
from apps.tenants.scope import tenant_context
from apps.tenants.selectors import tenant_by_slug


class Command(BaseCommand):
    help = "Import a CSV file of order lines, items, stock, suppliers or promotions into a tenant."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--kind", choices=ImportFile.Kind.values, help="guessed from the columns where left out")
        parser.add_argument("--channel", default="", help="whose names items and locations go by")
        parser.add_argument("--map", action="append", default=[], metavar="CANONICAL=COLUMN",
                            help="what a column of the file means; may be repeated")
        parser.add_argument("--fold-locations", default="", metavar="NAME", help="put all locations into one")
        for name, choices in OPTIONS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", choices=choices)

    def handle(self, *args: Any, **given: Any) -> None:
        tenant = tenant_by_slug(given["tenant"])
        if tenant is None:
            raise CommandError(f"There is no tenant {given['tenant']}.")
        path: Path = given["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        mapping = dict(pair.partition("=")[::2] for pair in given["map"])
        options = {name: given[name] for name in (*OPTIONS, "fold_locations") if given[name]}
        try:
            with tenant_context(tenant.pk), path.open("rb") as source:
                file = services.store_file(kind=given["kind"], name=path.name, source=source,
                                           channel=given["channel"], mapping=mapping, options=options,
                                           uploaded_by="import_csv")
            if file.error:
                raise CommandError(file.error)
            with tenant_context(tenant.pk):
                file = services.apply_file(file_id=file.pk, on_progress=self.show)
        except (services.FileRefused, TooManyItems) as refused:
            raise CommandError(str(refused)) from refused
        self.tell(file)

    def show(self, fraction: float, note: str) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r{fraction:4.0%} {note:60}", ending="")

    def tell(self, file: ImportFile) -> None:
        self.stdout.write(f"{file.name}: {file.rows_read:,} rows read in {file.seconds:.1f} s")
        for count, words in ((file.rows_applied, "applied"), (file.rows_duplicate, "already known"),
                             (file.rows_set_aside, "set aside by rule"), (file.rows_rejected, "rejected")):
            self.stdout.write(f"  {count:>11,} {words}")
        for outcome, counts in file.rules.items():
            for code, count in sorted(counts.items(), key=lambda pair: -pair[1]):
                found = rule(code)
                fix = f" {found.remedy(selectors.written_like(file))}" if outcome == "rejected" else ""
                self.stdout.write(f"    {count:>9,} {outcome.replace('_', ' ')}: {found.title}.{fix}")
