"""Files as they come in: stored whole, looked at, confirmed, and handed to a job."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping
from pathlib import PurePath
from typing import IO, Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from apps.catalog.services import make_channel
from apps.ingestion.adapters import columns, samples
from apps.ingestion.adapters.dialects import (
    HEAD_BYTES,
    REASON_COLUMNS,
    Dialect,
    EncodingWatch,
    FileRefused,
    head_rows,
    sniff,
)
from apps.ingestion.models import ImportFile
from apps.ingestion.selectors import reading_job
from apps.jobs.services import enqueue
from apps.tenants.countries import date_order
from apps.tenants.models import User
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import record_audit
from apps.tenants.tables import is_id

CHUNK_BYTES = 1024 * 1024
FILES_CHANNEL = "files"
OPTIONS: dict[str, tuple[str, ...]] = {
    "unknown_items": ("make", "set_aside"),
    "numbers": ("point", "comma"),
    "dates": ("mdy", "dmy"),
    "origin": ("given", "simulated"),
}


@transaction.atomic
def store_file(*, kind: str | None, name: str, source: IO[bytes], channel: str = "",
               mapping: Mapping[str, str] | None = None, options: Mapping[str, str] | None = None,
               uploaded_by: str = "") -> ImportFile:
    """Keep a file whole, under its sha256, and look at how it is written.

    `kind` is one of ImportFile.Kind, or None to have it guessed; where the columns leave that in doubt, it stays
    empty. What the file's own columns do not say is left to be confirmed, but for rejected rows that come again: they
    are read as their file was. A file that cannot be read at all is kept too, refused with one sentence. One that is
    too large is not kept: FileRefused.
    """
    watch, digest = EncodingWatch(), hashlib.sha256()
    with tempfile.TemporaryFile() as whole:
        while chunk := source.read(CHUNK_BYTES):
            watch.feed(chunk)
            if watch.size > settings.LARGEST_FILE_GB * 2**30:
                raise FileRefused(_("The file is larger than %(most)g GB: cut it into parts, by year for example, and "
                                    "send one after another; they end in one history.")
                                  % {"most": settings.LARGEST_FILE_GB})
            digest.update(chunk)
            whole.write(chunk)
        sha256 = digest.hexdigest()
        safe = re.sub(r"[^\w.-]+", "-", PurePath(name.replace("\\", "/")).name).strip("-.")[-80:] or "file.csv"
        path = f"tenants/{current_tenant_id()}/imports/{sha256}-{safe}"
        is_kept = default_storage.exists(path)
        if is_kept and default_storage.size(path) != watch.size:  # a full disk or a killed process left a part of it
            default_storage.delete(path)
            is_kept = False
        if not is_kept:
            whole.seek(0)
            path = default_storage.save(path, File(whole))
    file = ImportFile(name=name[-200:], sha256=sha256, size=watch.size, path=path, uploaded_by=uploaded_by[:160],
                      kind=kind or "")
    try:
        dialect = sniff(watch.head, watch.encoding())
        file.dialect = dialect.to_json()
        rejecting = _rejecting_file(dialect, watch.head)
        file.kind = kind or (rejecting.kind if rejecting else columns.kind_of(dialect.header)) or ""
        _look(file, dialect, watch.head)
        if rejecting is not None and rejecting.kind == file.kind:
            _read_like(file, rejecting)
            channel = channel or rejecting.channel.slug
    except FileRefused as refused:
        file.state, file.error = ImportFile.State.REFUSED, str(refused)
    known = columns.format_of(file.dialect.get("header", ()), file.kind)
    slug = channel or (known.channel if known else FILES_CHANNEL)
    file.channel = make_channel(slug=slug, name=known.title if known and not channel else "",
                                kind=known.channel if known and not channel else "file")
    _apply_wishes(file, mapping or {}, options or {})
    file.save()
    return file


def _look(file: ImportFile, dialect: Dialect, head: bytes) -> None:
    """Guess what the columns mean and how values are written; what is in doubt is asked."""
    file.mapping = columns.guess(dialect.header, file.kind) if file.kind else {}
    known = columns.format_of(dialect.header, file.kind)
    file.dialect["format"] = known.name if known else ""
    rows = head_rows(head, dialect)
    values = columns.values_of(file.kind, file.mapping) if file.kind else {}

    def of(*kinds: str) -> list[str]:
        places = [dialect.header.index(file.mapping[name]) for name, value in values.items() if value in kinds]
        return [row[place] for row in rows for place in places if place < len(row)]

    style, is_style_unclear = samples.number_style(of("number"), dialect.delimiter)
    usual = date_order(tenant_by_id(current_tenant_id()).country)
    order, is_order_unclear = samples.date_order(of("moment", "date"), usual)
    file.options = {"numbers": style, "dates": order, "unknown_items": "make", "origin": "given"}
    file.dialect["day"] = samples.day_written(cell for row in rows for cell in row)
    file.dialect["questions"] = [name for name, is_open in (("numbers", is_style_unclear), ("dates", is_order_unclear))
                                 if is_open]


def _rejecting_file(dialect: Dialect, head: bytes) -> ImportFile | None:
    """The file that the rows of this one were rejected from, as its first row names it."""
    column = REASON_COLUMNS[-1]
    place = dialect.header.index(column) if column in dialect.header else -1
    named = [row[place] for row in head_rows(head, dialect, limit=1) if 0 <= place < len(row)]
    found: ImportFile | None = (
        ImportFile.objects.select_related("channel").filter(pk=int(named[0])).first() if named and is_id(named[0])
        else None)
    return found


def _read_like(file: ImportFile, rejecting: ImportFile) -> None:
    """Let rows that come again mean what the rest of their file means; few rows alone could be read in another way."""
    own = {name: column for name, column in rejecting.mapping.items() if column in file.dialect["header"]}
    named = {name: column for name, column in file.mapping.items() if name == "line_id"}
    file.mapping, file.options = {**named, **own}, {**file.options, **rejecting.options}
    file.dialect["questions"] = []


def _apply_wishes(file: ImportFile, mapping: Mapping[str, str], options: Mapping[str, str]) -> None:
    for name, value in options.items():
        if name != "fold_locations" and value not in OPTIONS.get(name, ()):
            raise FileRefused(_("The option %(name)s cannot be “%(value)s”.") % {"name": name, "value": value})
        file.dialect["questions"] = [each for each in file.dialect.get("questions", []) if each != name]
    file.options = {**file.options, **options}
    file.mapping = {canonical: name for canonical, name in {**file.mapping, **mapping}.items() if name}


def _unless_read(file: ImportFile) -> ImportFile | None:
    """A file, locked, unless a job is about to read it or reads it: that one holds it for as long as it reads."""
    if reading_job(file) is not None:
        return None
    locked: ImportFile = ImportFile.objects.select_for_update().get(pk=file.pk)
    return locked if reading_job(locked) is None else None


def _check_told(file: ImportFile) -> None:
    """FileRefused where the lines of these bytes were read before, and would now be told apart otherwise."""
    if file.kind != ImportFile.Kind.ORDERS:
        return
    told = columns.told_by(file.mapping, file.options)
    read = ImportFile.objects.filter(sha256=file.sha256, channel_id=file.channel_id, dialect__has_key="told_by")
    for earlier in read.values_list("dialect__told_by", flat=True):
        if earlier != told:
            were = ", ".join(f"{column.title}: {earlier[column.name]}" for column in columns.COLUMNS["orders"]
                             if column.name in earlier)
            raise FileRefused(_("This file was read before. What tells one line from another cannot change now, as "
                                "that would count its sales twice: the columns of order, line, SKU and channel, and "
                                "without an order's number also how dates and numbers are written. Leave these as they "
                                "were (%(were)s).") % {"were": were})


@transaction.atomic
def confirm_file(*, file: ImportFile, actor: User | None, mapping: Mapping[str, str] | None = None,
                 options: Mapping[str, str] | None = None) -> ImportFile:
    """Say what a file's columns mean and have it read by a job; FileRefused where a needed column is missing.

    An empty name in the mapping leaves a column out. A file may be read again at any time: what is known already is
    counted as such; FileRefused where it would not be known again.
    """
    locked = _unless_read(file)
    if locked is None:
        return file
    if not locked.dialect.get("header"):
        raise FileRefused(locked.error or _("This file cannot be read."))
    _apply_wishes(locked, mapping or {}, options or {})
    columns.check_mapping(locked.dialect["header"], locked.kind, locked.mapping)
    _check_told(locked)
    locked.dialect["questions"] = []
    locked.state, locked.error = ImportFile.State.QUEUED, ""
    job = enqueue(kind_name="ingestion.apply_file", input={"file_id": locked.pk}, dedupe_key=f"file-{locked.pk}")
    locked.job_id = job.pk
    locked.save()
    record_audit(tenant=tenant_by_id(current_tenant_id()), actor=actor, action="file.confirmed", target=locked.name,
                 detail={"kind": locked.kind, "options": locked.options}, label=locked.uploaded_by)
    return locked


@transaction.atomic
def change_kind(*, file: ImportFile, kind: str) -> ImportFile:
    """Look at a file anew as one of another kind; one that is being read stays what it is."""
    locked = _unless_read(file)
    if locked is None:
        return file
    file = locked
    file.kind = ImportFile.Kind(kind).value
    dialect = Dialect.from_json(file.dialect)
    with default_storage.open(file.path, "rb") as stored:
        _look(file, dialect, stored.read(HEAD_BYTES))
    file.state, file.error = ImportFile.State.STORED, ""
    file.save()
    return file


@transaction.atomic
def give_file_back(*, file_id: int, job_id: int, reason: str) -> None:
    """Let a file whose job ended undone be confirmed again, and say why; one that was refused keeps its sentence.

    Nothing of the reading has happened: a file is read in one transaction.
    """
    file = ImportFile.objects.select_for_update().filter(
        pk=file_id, job_id=job_id, state__in=[ImportFile.State.QUEUED, ImportFile.State.APPLYING]).first()
    if file is not None:
        file.state = ImportFile.State.APPLIED if file.applied_at else ImportFile.State.STORED
        file.error = _("The last reading did not come to its end and changed nothing. %(reason)s") % {"reason": reason}
        file.save(update_fields=["state", "error"])


@transaction.atomic
def note_state(*, file_id: int, state: str, error: str = "", job_id: int | None = None) -> None:
    """Show where a file stands while, or after, a job reads it."""
    changed: dict[str, Any] = {"state": state, "error": error}
    if job_id is not None:
        changed["job_id"] = job_id
    ImportFile.objects.filter(pk=file_id).update(**changed)
