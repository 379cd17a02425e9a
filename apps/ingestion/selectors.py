"""What came in and what became of it: files, deliveries, the rows that did not pass, the health of the data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext as _

from apps.ingestion.adapters.columns import COLUMNS, Column, other_readings, unused
from apps.ingestion.adapters.dialects import HEAD_BYTES, REASON_COLUMNS, Dialect, head_rows
from apps.ingestion.adapters.rules import FLAGGED, PLAINLY, REJECTED, SET_ASIDE, Rule, rule
from apps.ingestion.models import Connection, Delivery, ImportFile, RowIssue
from apps.jobs.selectors import JobView, job_view
from apps.tenants.downloads import csv_file
from apps.tenants.scope import current_tenant_id


def files() -> QuerySet[ImportFile]:
    """Files as they came, newest first."""
    return ImportFile.objects.select_related("channel").order_by("-id")


def file_by_id(file_id: int) -> ImportFile | None:
    found: ImportFile | None = files().filter(pk=file_id).first()
    return found


def reading_job(file: ImportFile) -> JobView | None:
    """The job that is about to read a file, or reads it now; a file does not wait for a job that is over."""
    if file.state not in (ImportFile.State.QUEUED, ImportFile.State.APPLYING) or file.job_id is None:
        return None
    found = job_view(file.job_id)
    return None if found is None or found.job.is_over else found


def connections() -> QuerySet[Connection]:
    return Connection.objects.select_related("channel").order_by("-is_active", "name")


def is_connected(channel_id: int) -> bool:
    """Whether a shop sends, or has sent, deliveries of this channel."""
    return bool(Connection.objects.filter(channel_id=channel_id).exists())


def deliveries() -> QuerySet[Delivery]:
    """Deliveries without their bodies, newest first."""
    return Delivery.objects.defer("body").select_related("connection").order_by("-id")


# --- One file -----------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class RuleCount:
    """How many rows a rule found, beside its words; of rejected ones, how many of them wait to be mended."""

    rule: Rule
    count: int
    fix: str
    waiting: int = 0


def rule_counts(rules: dict[str, dict[str, int]], outcome: str, files: Mapping[str, ImportFile],
                waiting: Mapping[str, int] = MappingProxyType({})) -> list[RuleCount]:
    """The rules of one outcome, the most frequent first; what would mend a row is said in its file's way."""
    return [RuleCount(found := rule(code), count, _remedy(found, files.get(code)), waiting.get(code, 0))
            for code, count in sorted(rules.get(outcome, {}).items(), key=lambda pair: -pair[1])]


def waiting_by_rule(file: ImportFile) -> dict[str, int]:
    """How many rejected rows of a file wait to be mended, by the rule that rejected them."""
    waiting = issues_of(file).filter(outcome=RowIssue.Outcome.REJECTED)
    return dict(waiting.order_by().values_list("rule").annotate(Count("id"))) if file.rows_waiting else {}


def _remedy(found: Rule, file: ImportFile | None) -> str:
    if file is None:
        return found.remedy()
    return found.remedy(written_like(file), file.mapping.get(file.dialect.get("wrong", {}).get(found.code), ""))


def written_like(file: ImportFile) -> dict[str, str]:
    """How a file writes its values, as the remedies of its rows say it."""
    day = file.dialect.get("day", PLAINLY["day"])
    if day == "12/31/2025" and file.options.get("dates") == "dmy":
        day = "31/12/2025"
    given = {**PLAINLY, "day": day, "separator": file.dialect.get("delimiter", ",").replace("\t", _("tab"))}
    if file.options.get("numbers") == "comma":
        given.update(number="1234,56", other_number="1234.56", half="0,5")
    return given


def issues_of(file: ImportFile, *, rule_code: str = "") -> QuerySet[RowIssue]:
    """The rows of a file that did not pass, in the order of the file."""
    issues = RowIssue.objects.filter(file=file).order_by("row_number")
    return issues.filter(rule=rule_code) if rule_code else issues


def nameless_rows(file: ImportFile) -> int:
    """How many of the rejected rows that wait say nothing by which they would be known again in another file."""
    return issues_of(file).filter(outcome=RowIssue.Outcome.REJECTED, raw__key=None).count()


@dataclass(frozen=True)
class Shown:
    """A row that did not pass, in words, with its column as the file calls it."""

    issue: RowIssue
    title: str
    column: str
    fix: str


def shown_issues(file: ImportFile, issues: Iterable[RowIssue]) -> Iterator[Shown]:
    written = written_like(file)
    titles = {column.name: str(column.title) for column in COLUMNS.get(file.kind, ())}
    for issue in issues:
        found = rule(issue.rule)
        column = file.mapping.get(issue.column) or titles.get(issue.column, issue.column)
        yield Shown(issue, str(found.title), column, found.remedy(written, column))


def sample_rows(file: ImportFile, *, limit: int = 5) -> list[list[str]]:
    """The first rows of a file, as it stands in storage."""
    if not file.dialect.get("header"):
        return []
    dialect = Dialect.from_json(file.dialect)
    with default_storage.open(file.path, "rb") as stored:
        return head_rows(stored.read(HEAD_BYTES), dialect, limit=limit)


@dataclass(frozen=True)
class Choice:
    """A canonical column, what it is mapped to, and what the file's first rows hold there."""

    column: Column
    chosen: str
    samples: list[str]


def column_choices(file: ImportFile) -> list[Choice]:
    """Every canonical column of the file's kind beside the column of the file that it means."""
    header = list(file.dialect.get("header", ()))
    rows = sample_rows(file)
    choices = []
    for column in COLUMNS.get(file.kind, ()):
        chosen = file.mapping.get(column.name, "")
        place = header.index(chosen) if chosen in header else -1
        found = [row[place] for row in rows if 0 <= place < len(row) and row[place].strip()]
        choices.append(Choice(column, chosen, [value[:60] for value in found[:3]]))
    return choices


@dataclass(frozen=True)
class Unused:
    """The columns of a file from which nothing is read, and those of them that a file of another kind would give."""

    names: list[str]
    elsewhere: list[tuple[str, list[str]]]


def unused_columns(file: ImportFile) -> Unused:
    if not file.dialect.get("header"):
        return Unused([], [])
    dialect, titles = Dialect.from_json(file.dialect), kind_titles()
    header = [name for name in dialect.header if not dialect.is_mended or name not in REASON_COLUMNS]
    names = unused(header, file.mapping)
    return Unused(names, [(titles[kind], given) for kind, given in other_readings(header, file.kind, names).items()])


def issue_lines(file: ImportFile, *, outcome: str = REJECTED) -> Iterator[bytes]:
    """The rows of a file that did not pass, as a CSV file that can be mended and sent again.

    Its first columns say what is wrong; an import leaves them out, and takes the marks before formulas off. Order lines
    without an id of their own are given one, so that a mended line is the line it was.
    """
    dialect = Dialect.from_json({"encoding": "utf-8", "delimiter": ",", "header": [], **file.dialect})
    return csv_file(_issue_rows(file, dialect, outcome), delimiter=dialect.delimiter)


def _issue_rows(file: ImportFile, dialect: Dialect, outcome: str) -> Iterator[list[str]]:
    names_lines = file.kind == ImportFile.Kind.ORDERS and "line_id" not in file.mapping
    own = [place for place, name in enumerate(dialect.header) if not dialect.is_mended or name not in REASON_COLUMNS]
    yield [*REASON_COLUMNS, *(["line_id"] if names_lines else []), *(dialect.header[place] for place in own)]
    for shown in shown_issues(file, issues_of(file).filter(outcome=outcome).iterator(chunk_size=2000)):
        issue = shown.issue
        cells = list(issue.raw.get("cells", ()))
        if issue.rule in ("columns", "rows_in_value") and len(cells) == 1:
            cells = dialect.cells(cells[0])
        cells = [cells[place] for place in own if place < len(cells)] + cells[len(dialect.header):]
        line = [issue.raw.get("line_id") or f"row {issue.row_number}"] if names_lines else []
        reasons = [str(issue.row_number), shown.title, shown.column, issue.value, shown.fix, str(file.pk)]
        yield [*reasons, *line, *cells]


# --- The whole ----------------------------------------------------------------------------------------------------

@dataclass
class Counts:
    """Rows of files, by what became of them; read = applied + duplicate + set aside + rejected."""

    rows_read: int = 0
    applied: int = 0
    duplicate: int = 0
    set_aside: int = 0
    rejected: int = 0
    waiting: int = 0  # of the rejected ones, those that did not come again, and that nobody set aside
    waiting_by_rule: Counter[str] = field(default_factory=Counter)
    rules: dict[str, dict[str, int]] = field(default_factory=lambda: {REJECTED: {}, SET_ASIDE: {}, FLAGGED: {}})
    files: dict[str, ImportFile] = field(default_factory=dict)  # the newest that a rule found rows in


# What became of the rows of each file, and how many of the rejected ones wait; of the same bytes twice, what the one
# that applied them says, and how many wait by the last one; %(tenant)s is the tenant.
_READINGS = """
SELECT DISTINCT ON (sha256, kind) kind, rows_read, rows_applied, rows_duplicate, rows_set_aside, rows_rejected,
       first_value(rows_rejected - rows_settled) OVER (PARTITION BY sha256, kind ORDER BY id DESC) AS waiting,
       first_value(id) OVER (PARTITION BY sha256, kind ORDER BY id DESC) AS newest, rules,
       id, CASE WHEN rows_rejected + rows_set_aside > 0 THEN jsonb_build_object(
           'dialect', dialect - 'header', 'mapping', mapping, 'options', options) END AS written
FROM ingestion_importfile WHERE tenant_id = %(tenant)s AND state = 'applied'
ORDER BY sha256, kind, (rows_applied > 0) DESC, id DESC
"""
REJECTED_WAITING = f"SELECT coalesce(sum(waiting), 0)::bigint FROM ({_READINGS}) reading"
_WITH_WAITING = f"""
SELECT kind, rows_read, rows_applied, rows_duplicate, rows_set_aside, rows_rejected, waiting,
       CASE WHEN waiting > 0 THEN (SELECT jsonb_object_agg(rule, rows) FROM (
           SELECT rule, count(*) AS rows FROM ingestion_rowissue issue
           WHERE issue.tenant_id = %(tenant)s AND issue.file_id = newest AND outcome = 'rejected' GROUP BY rule) found)
       END AS by_rule, rules, id, written
FROM ({_READINGS}) reading
"""


def counts_by_kind() -> dict[str, Counts]:
    """What became of the rows of all files that were read, by kind."""
    with connection.cursor() as cursor:
        cursor.execute(_WITH_WAITING, {"tenant": current_tenant_id()})
        rows = cursor.fetchall()
    totals: dict[str, Counts] = {}
    for kind, *figures, by_rule, rules, file_id, written in rows:
        total = totals.setdefault(kind, Counts())
        names = ("rows_read", "applied", "duplicate", "set_aside", "rejected", "waiting")
        for name, figure in zip(names, figures, strict=True):
            setattr(total, name, getattr(total, name) + figure)
        total.waiting_by_rule.update(_as_dict(by_rule or {}))
        for outcome, counts in _as_dict(rules).items():
            for code, count in counts.items():
                total.rules[outcome][code] = total.rules[outcome].get(code, 0) + count
                if written and (code not in total.files or total.files[code].pk < file_id):
                    total.files[code] = ImportFile(pk=file_id, kind=kind, **_as_dict(written))
    return totals


def rejected_counts(counts: Mapping[str, Counts]) -> list[RuleCount]:
    """The rules that rejected rows of any kind of file, the most frequent first."""
    total, waiting = Counter[str](), Counter[str]()
    files: dict[str, ImportFile] = {}
    for each in counts.values():
        total.update(each.rules[REJECTED])
        waiting.update(each.waiting_by_rule)
        files |= {code: file for code, file in each.files.items() if code not in files or files[code].pk < file.pk}
    return rule_counts({REJECTED: total | waiting}, REJECTED, files, waiting)


def _as_dict(value: Any) -> dict[str, Any]:
    return dict(json.loads(value)) if isinstance(value, str) else dict(value)


@dataclass(frozen=True)
class DeliveryCounts:
    """Deliveries by what became of them; accepted = applied + duplicate + rejected + pending."""

    accepted: int
    applied: int
    duplicate: int
    rejected: int
    pending: int


def delivery_counts() -> DeliveryCounts:
    by_state = {row["state"]: (row["count"], row["times"]) for row in
                Delivery.objects.order_by().values("state").annotate(count=Count("id"), times=Sum("times_received"))}
    accepted = sum(times for _count, times in by_state.values())
    again = accepted - sum(count for count, _times in by_state.values())
    applied, duplicate, rejected, pending = (by_state.get(state, (0, 0))[0] for state in (
        Delivery.State.APPLIED, Delivery.State.DUPLICATE, Delivery.State.REJECTED, Delivery.State.PENDING))
    return DeliveryCounts(accepted=accepted, applied=applied, duplicate=duplicate + again, rejected=rejected,
                          pending=pending)


def kind_titles() -> dict[str, str]:
    return {value: str(label) for value, label in ImportFile.Kind.choices}
