"""Reading a stored file into the facts: checked in batches, applied in sets, all of it or nothing."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg import sql

from apps.catalog import selectors as catalog
from apps.catalog.services import main_location, make_channel, make_locations
from apps.ingestion.adapters import columns
from apps.ingestion.adapters.dialects import Dialect, FileRefused
from apps.ingestion.adapters.rules import FLAGGED, REJECTED, SET_ASIDE, rule
from apps.ingestion.models import ImportFile, RowIssue
from apps.ingestion.services.settling import AGAIN, row_key, settle_refused, staged_key, staged_table
from apps.tenants.figures import number, units
from apps.tenants.models import Tenant
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id

if TYPE_CHECKING:
    import pyarrow as pa

    from apps.ingestion.adapters.batches import Batch
    from apps.ingestion.adapters.orders import Judged

Progress = Callable[[float, str], None]
# A chain of shops has fewer; a column of customers or order numbers soon has more.
MOST_NAMES = {"location": 5_000, "channel": 200}
LETTERS = {"location": 200, "channel": 60}
READING_SHARE = 0.45  # of an import's time, about, until the facts are written


def silent(_fraction: float, _note: str) -> None:
    """Progress that nobody watches."""


@dataclass
class Reading:
    """One file being read: what it is, what was counted, and where its time went."""

    file: ImportFile
    tenant: Tenant
    on_progress: Progress
    rows_read: int = 0
    applied: int = 0
    known: int = 0
    flagged: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    @property
    def dialect(self) -> Dialect:
        return Dialect.from_json(self.file.dialect)

    @property
    def positions(self) -> dict[str, int]:
        header = self.dialect.header
        return {name: header.index(column) for name, column in self.file.mapping.items()}

    def lap(self, name: str) -> None:
        """The time since the last lap was spent on this."""
        now = time.perf_counter()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - self._since, 3)
        self._since = now

    def latest(self) -> dt.datetime:
        """A day beyond today, by any clock on earth, or by a demo's own: no sale is later."""
        if self.tenant.is_demo:
            return dt.datetime.combine(self.tenant.today() + dt.timedelta(days=1), dt.time.max, self.tenant.zone)
        return timezone.now() + dt.timedelta(days=1)


_ISSUES = """
CREATE TEMP TABLE ingestion_refused (row_number int NOT NULL, rule text NOT NULL, col text NOT NULL DEFAULT '',
                                     value text NOT NULL DEFAULT '', raw jsonb, order_id text, line_ref text,
                                     key text)
    ON COMMIT DROP
"""

# Rows that a rule found and kept, unless another one stops them later.
_FLAGS = "CREATE TEMP TABLE ingestion_flagged (row_number int NOT NULL, rule text NOT NULL) ON COMMIT DROP"
_FLAGGED = """
SELECT rule, count(*) FROM ingestion_flagged WHERE row_number NOT IN (SELECT row_number FROM ingestion_refused)
GROUP BY rule
"""


@transaction.atomic
def apply_file(*, file_id: int, on_progress: Progress = silent, hold: Callable[[], None] = lambda: None) -> ImportFile:
    """Read a stored file into the facts, in this one transaction: all of it, or, where anything raises, nothing.

    Rows read = applied + already known + set aside + rejected. FileRefused says why a file as a whole cannot be read.
    `hold` is called before the end, by a job that must not be followed by another while it writes.
    """
    from apps.ingestion.services.kinds import read_kind

    started = time.perf_counter()
    file: ImportFile = ImportFile.objects.select_for_update().get(pk=file_id)
    columns.check_mapping(file.dialect["header"], file.kind, file.mapping)
    reading = Reading(file=file, tenant=tenant_by_id(current_tenant_id()), on_progress=on_progress)
    with connection.cursor() as cursor:
        cursor.execute(_ISSUES)
        cursor.execute(_FLAGS)
        cursor.execute(AGAIN)
    read_kind(reading)
    stopped = write_issues(reading)
    with connection.cursor() as cursor:
        cursor.execute(_FLAGGED)
        reading.flagged.update(dict(cursor.fetchall()))
    hold()
    file.rows_read, file.rows_applied, file.rows_duplicate = reading.rows_read, reading.applied, reading.known
    by_outcome: dict[str, dict[str, int]] = {REJECTED: {}, SET_ASIDE: {}, FLAGGED: dict(+reading.flagged)}
    for code, (count, _column) in stopped.items():
        by_outcome[rule(code).outcome][code] = count
    file.rules = by_outcome
    file.rows_rejected = sum(by_outcome[REJECTED].values())
    file.rows_settled = RowIssue.objects.filter(file=file, outcome=RowIssue.Outcome.SETTLED).count()
    file.rows_set_aside = sum(by_outcome[SET_ASIDE].values())
    if reading.rows_read != file.rows_applied + file.rows_duplicate + file.rows_set_aside + file.rows_rejected:
        raise AssertionError(f"{file}: {reading.rows_read} rows read, {file.rows_applied} applied, "
                             f"{file.rows_duplicate} known, {by_outcome}")
    file.state, file.error, file.applied_at = ImportFile.State.APPLIED, "", timezone.now()
    reading.lap("issues")
    file.seconds = round(time.perf_counter() - started, 3)
    file.dialect = {**file.dialect, "seconds": reading.seconds,
                    "wrong": {code: column for code, (_count, column) in stopped.items() if column}}
    if file.kind == ImportFile.Kind.ORDERS and file.rows_applied + file.rows_duplicate:
        file.dialect["told_by"] = columns.told_by(file.mapping, file.options)
    file.save()
    settle_refused(file)
    connection.cursor().execute("DROP TABLE ingestion_refused, ingestion_flagged, ingestion_again")
    return file


def judged_batches(reading: Reading, judge: Callable[[Batch], Judged]) -> Iterator[tuple[Batch, Judged]]:
    """The file's rows, batch by batch, and what was found of them; those that do not fit the header are refused.

    The next batches are read and judged beside, while the last one is written: neither waits for the other.
    """
    import pyarrow as pa

    from apps.ingestion.adapters.batches import Misfit, ahead, read_batches

    misfits: list[Misfit] = []
    total = max(reading.file.size, 1)
    progress, mended = [0], [0]
    with default_storage.open(reading.file.path, "rb") as stored:
        found = read_batches(stored, reading.dialect, misfits=misfits,
                             on_bytes=lambda read: progress.__setitem__(0, read),
                             on_mended=lambda rows: mended.__setitem__(0, rows))
        for batch, judged in ahead((batch, judge(batch)) for batch in found):
            reading.rows_read += len(batch)
            _note_again(reading, batch.row_numbers, batch.columns)
            reading.on_progress(READING_SHARE * progress[0] / total, _reading_note(progress[0], total))
            yield batch, judged
    reading.rows_read += len(misfits)
    reading.flagged["open_quote"] += mended[0]
    if misfits:
        width = len(reading.dialect.header)
        cells = [(reading.dialect.cells(each.text) + [""] * width)[:width] for each in misfits]
        _note_again(reading, [each.row_number for each in misfits],
                    [pa.array(column, pa.string()) for column in zip(*cells, strict=True)])
        copy_in("ingestion_refused", {
            "row_number": pa.array([each.row_number for each in misfits]),
            "rule": pa.array([each.rule for each in misfits]), "col": pa.array([""] * len(misfits)),
            "value": pa.array([each.text[:500] for each in misfits]),
            "raw": pa.array([json.dumps([each.text]) for each in misfits])})


def _note_again(reading: Reading, row_numbers: Any, cells: Sequence[pa.StringArray]) -> None:
    """Remember which rejected rows of which file these rows are, where the file says so."""
    import pyarrow as pa

    header = reading.dialect.header
    if "import file" in header and "import row" in header:
        copy_in("ingestion_again", {"here": pa.array(row_numbers), "file": cells[header.index("import file")],
                                    "row_number": cells[header.index("import row")]})


def _reading_note(read: int, total: int) -> str:
    return _("Reading: %(read)s of %(total)s MB") % {"read": number(read / 1e6, 0), "total": number(total / 1e6, 0)}


def refuse(reading: Reading, batch: Batch, issues: dict[str, pa.Array]) -> None:
    """Keep the rows of a batch that did not pass, as they stand in the file."""
    import numpy as np
    import pyarrow as pa

    if len(issues["row_number"]):
        places = np.searchsorted(batch.row_numbers, issues["row_number"].to_numpy())
        raw = _as_json(batch, pa.array(places))
        about: dict[str, pa.Array] = {
            name: issues[name] for name in ("order_id", "line_ref", "key") if name in issues}
        copy_in("ingestion_refused", {"row_number": issues["row_number"], "rule": issues["rule"],
                                      "col": issues["column"], "value": _cut(issues["value"]), "raw": raw, **about})


def _cut(values: pa.StringArray) -> pa.StringArray:
    import pyarrow.compute as pc

    return pc.utf8_slice_codeunits(values, 0, 500)


def _as_json(batch: Batch, places: pa.Array) -> pa.StringArray:
    """Rows as JSON lists of their columns' texts, made column by column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    quoted = []
    for column in batch.columns:
        text = pc.replace_substring(column.take(places), "\\", "\\\\")
        text = pc.replace_substring(text, '"', '\\"')
        for char, escape in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
            text = pc.replace_substring(text, char, escape)
        if pc.any(pc.match_substring_regex(text, r"[\x01-\x1f]")).as_py():
            for code in range(1, 32):
                text = pc.replace_substring(text, chr(code), f"\\u{code:04x}")
        quoted.append(pc.binary_join_element_wise('"', text, '"', ""))
    joined = pc.binary_join_element_wise(*quoted, ",")
    return pc.binary_join_element_wise(pa.scalar("["), joined, pa.scalar("]"), "")


def copy_in(table: str, values: dict[str, pa.Array]) -> None:
    """Columns into a temp table, by COPY."""
    from apps.ingestion.adapters.batches import to_csv

    statement = sql.SQL("COPY {table} ({columns}) FROM STDIN (FORMAT csv)").format(
        table=sql.Identifier(table), columns=sql.SQL(", ").join(map(sql.Identifier, values)))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(to_csv(values))


def add_raw(reading: Reading) -> None:
    """Read the file once more for the rows that only a look at the whole showed to be wrong."""
    import pyarrow as pa

    from apps.ingestion.adapters.batches import Misfit, read_batches

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_number FROM ingestion_refused WHERE raw IS NULL ORDER BY row_number")
        wanted = [row[0] for row in cursor.fetchall()]
        if not wanted:
            return
        import numpy as np

        numbers = np.asarray(wanted)
        cursor.execute("CREATE TEMP TABLE ingestion_raw (row_number int, raw jsonb) ON COMMIT DROP")
        misfits: list[Misfit] = []
        with default_storage.open(reading.file.path, "rb") as stored:
            for batch in read_batches(stored, reading.dialect, misfits=misfits):
                places = np.flatnonzero(np.isin(batch.row_numbers, numbers))
                if len(places):
                    copy_in("ingestion_raw", {"row_number": pa.array(batch.row_numbers[places]),
                                              "raw": _as_json(batch, pa.array(places))})
        cursor.execute("UPDATE ingestion_refused SET raw = found.raw FROM ingestion_raw found "
                       "WHERE ingestion_refused.row_number = found.row_number AND ingestion_refused.raw IS NULL")
        cursor.execute("DROP TABLE ingestion_raw")


def write_issues(reading: Reading) -> dict[str, tuple[int, str]]:
    """Keep every row that did not pass, in place of those of an earlier reading.

    How many each rule stopped, and in which column, where that is always the same.
    """
    add_raw(reading)
    rejected = [code for code in _codes() if rule(code).outcome == REJECTED]
    given: dict[str, Any] = {"tenant": current_tenant_id(), "file": reading.file.pk, "rejected": rejected,
                             "sha256": reading.file.sha256, "kind": reading.file.kind}
    with connection.cursor() as cursor:
        cursor.execute("""
            CREATE TEMP TABLE ingestion_settled ON COMMIT DROP AS
            SELECT DISTINCT issue.row_number FROM ingestion_rowissue issue JOIN ingestion_importfile file
                ON file.tenant_id = issue.tenant_id AND file.id = issue.file_id
            WHERE file.tenant_id = %(tenant)s AND file.sha256 = %(sha256)s AND file.kind = %(kind)s
              AND issue.outcome = 'settled'""", given)
        cursor.execute("DELETE FROM ingestion_rowissue WHERE tenant_id = %(tenant)s AND file_id = %(file)s", given)
        cursor.execute(f"""
            INSERT INTO ingestion_rowissue (tenant_id, file_id, row_number, outcome, rule, "column", value, raw)
            SELECT %(tenant)s, %(file)s, row_number,
                   CASE WHEN NOT rule = ANY(%(rejected)s) THEN 'set_aside'
                        WHEN row_number IN (SELECT row_number FROM ingestion_settled) THEN 'settled'
                        ELSE 'rejected' END, rule, col, value,
                   jsonb_build_object('cells', coalesce(raw, '[]'::jsonb), 'line_id', coalesce(line_ref, ''),
                                      'key', {row_key(reading.file)})
            FROM ingestion_refused ORDER BY row_number""", given)
        cursor.execute("DROP TABLE ingestion_settled")
        cursor.execute("SELECT rule, count(*), CASE WHEN min(col) = max(col) THEN min(col) ELSE '' END "
                       "FROM ingestion_refused GROUP BY rule")
        return {str(code): (int(count), str(column)) for code, count, column in cursor.fetchall()}


def _codes() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT rule FROM ingestion_refused")
        return [row[0] for row in cursor.fetchall()]


def stop_rows(rule_code: str, column: str, found: str, params: dict[str, Any] | None = None) -> int:
    """Refuse staged rows that a query over the whole file found: it gives their row_number and value."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("INSERT INTO ingestion_refused (row_number, rule, col, value) "
                               "SELECT row_number, {rule}, {column}, coalesce(left(value, 500), '') FROM ({found}) "
                               "found (row_number, value)").format(
            rule=sql.Literal(rule_code), column=sql.Literal(column),
            found=sql.SQL(found)), params or {})
        return int(cursor.rowcount)


def flag_rows(rule_code: str, found: str) -> None:
    """Count staged rows that a query over the whole file found under a rule, as long as no other stops them."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("INSERT INTO ingestion_flagged (row_number, rule) SELECT row_number, {rule} "
                               "FROM ({found}) found (row_number)").format(
            rule=sql.Literal(rule_code), found=sql.SQL(found)))


def drop_stopped(reading: Reading) -> None:
    """Take the rows that were refused out of the staged ones, and keep what they are about."""
    kind = reading.file.kind
    with connection.cursor() as cursor:
        cursor.execute(f"""
            WITH gone AS (
                DELETE FROM {staged_table(kind)} staged USING ingestion_refused refused
                WHERE refused.row_number = staged.row_number
                RETURNING staged.row_number, {staged_key(kind, "staged.")} AS key)
            UPDATE ingestion_refused refused SET key = gone.key FROM gone
            WHERE gone.row_number = refused.row_number""")


class Places:
    """The locations and channels that a file names, found or made as they appear."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.main_id = main_location().pk
        self._by_code: dict[str, int] = dict(catalog.locations().values_list("code", "id"))
        self._locations: dict[str | None, int] = {None: self.main_id}
        self._channels: dict[str | None, int] = {None: reading.file.channel_id}
        fold = reading.file.options.get("fold_locations", "").strip()
        self.folded_id = self._make_locations([fold])[fold] if fold else None

    def _make_locations(self, names: Sequence[str]) -> dict[str, int]:
        """Locations by their own codes before a channel's names for them: "main" is the one that every shop has."""
        others = [name for name in names if name not in self._by_code]
        made = make_locations(channel=self.reading.file.channel, names=others) if others else {}
        return {name: self._by_code[name] if name in self._by_code else made[name] for name in names}

    def _make_channels(self, names: Sequence[str]) -> dict[str, int]:
        kind = self.reading.file.channel.kind
        return {name: make_channel(slug=name, kind=kind).pk for name in names}

    def location_ids(self, names: pa.StringArray) -> pa.Int64Array:
        """The location of each row; the main one where none is named, and the one that all are folded into."""
        import pyarrow as pa

        if self.folded_id is not None:
            return pa.repeat(pa.scalar(self.folded_id, pa.int64()), len(names))
        return self._ids(names, "location", self._locations, self._make_locations)

    def channel_ids(self, names: pa.StringArray) -> pa.Int64Array:
        """The sales channel of each row; the file's own where none is named."""
        return self._ids(names, "channel", self._channels, self._make_channels)

    def _ids(self, names: pa.StringArray, column: str, known: dict[str | None, int],
             make: Callable[[Sequence[str]], dict[str, int]]) -> pa.Int64Array:
        """The id of each row's name; FileRefused where a column names so many that it must hold something else."""
        import pyarrow as pa
        import pyarrow.compute as pc

        most = MOST_NAMES[column]
        encoded = pc.utf8_slice_codeunits(names, 0, LETTERS[column]).dictionary_encode(null_encoding="encode")
        keys = [(name or "").strip() or None for name in encoded.dictionary.to_pylist()]
        fresh = sorted({name for name in keys if name is not None} - known.keys())
        if len(known) + len(fresh) > most:
            what = {each.name: each.title for each in columns.COLUMNS[self.reading.file.kind]}[column]
            raise FileRefused(_("The column “%(column)s” has more than %(most)s different values, too many to be "
                                "“%(what)s”: choose another column for that, or none, and read the file again.") % {
                "column": self.reading.file.mapping.get(column, column), "what": what,
                "most": units(most)})
        known.update(make(fresh))
        return pc.take(pa.array([known[name] for name in keys], pa.int64()), encoded.indices)
