"""How a file is written: its encoding, what stands between its columns, its header."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

REASON_COLUMNS = ("import row", "import problem", "import column", "import value", "import remedy",
                  "import file")
"""What a file of rejected rows says of each, before the row itself."""
KEPT = r"\A'('*[=+\-@\t\r])"  # the mark with which such a file keeps spreadsheets from taking a cell for a formula
HEAD_BYTES = 256 * 1024
DELIMITERS = (",", ";", "\t", "|")
WIDEST = 1000
_MAGIC = {
    b"PK\x03\x04": "xlsx", b"\xd0\xcf\x11\xe0": "xls", b"%PDF": "pdf", b"\x1f\x8b": "gzip", b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg", b"{\\rtf": "rtf", b"SQLite format 3": "sqlite", b"PAR1": "parquet",
}


class FileRefused(ValueError):
    """The file as a whole cannot be read; the message says why, and what to do about it."""


@dataclass(frozen=True)
class Dialect:
    """How a file is written. `skip_lines` stand before the header, such as Excel's own "sep=;"."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    skip_lines: int = 0

    @property
    def is_mended(self) -> bool:
        """Whether the file is one of rejected rows, sent again."""
        return REASON_COLUMNS[1] in self.header

    def as_it_was(self, cell: str) -> str:
        """A cell of the file without the mark that kept spreadsheets from taking it for a formula."""
        return re.sub(KEPT, r"\1", cell) if self.is_mended else cell

    def cells(self, text: str) -> list[str]:
        """The cells of a row that does not fit the header, as they were."""
        found = csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter)
        return list(map(self.as_it_was, next(found, [])))

    def to_json(self) -> dict[str, Any]:
        return {"encoding": self.encoding, "delimiter": self.delimiter, "header": list(self.header),
                "skip_lines": self.skip_lines}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Dialect:
        return cls(value["encoding"], value["delimiter"], tuple(value["header"]), value.get("skip_lines", 0))


class EncodingWatch:
    """Learns a file's encoding while its bytes pass by once."""

    def __init__(self) -> None:
        self._utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._head = b""
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if len(self._head) < HEAD_BYTES:
            self._head += chunk[: HEAD_BYTES - len(self._head)]
        if self._utf8 is not None:
            try:
                self._utf8.decode(chunk)
            except UnicodeDecodeError:
                self._utf8 = None

    @property
    def head(self) -> bytes:
        return self._head

    def encoding(self) -> str:
        """The encoding of all that was fed; FileRefused for what is no text."""
        head = self._head
        if self.size == 0 or not head.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00"):
            raise FileRefused(_("The file is empty."))
        for magic, name in _MAGIC.items():
            if head.startswith(magic):
                if name in ("xlsx", "xls"):
                    raise FileRefused(_("This is an Excel workbook (or a zip file), not a CSV file: open it and save "
                                        "it as “CSV UTF-8”."))
                raise FileRefused(_("This is a %(name)s file, not a CSV file.") % {"name": name})
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        zeros = [head[0:2000:2].count(0), head[1:2000:2].count(0)]
        if len(head) >= 8 and max(zeros) > len(head[:2000]) // 5 and min(zeros) == 0:
            return "utf-16-be" if zeros[0] else "utf-16-le"
        if 0 in head:
            raise FileRefused(_("This is not a text file: save the table as “CSV UTF-8” and send that."))
        if self._utf8 is not None:
            return "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
        return _eight_bit(head)


def _eight_bit(head: bytes) -> str:
    """Chinese words are double bytes in a row; western accents stand alone, or at most in twos."""
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", head)]
    paired = sum(run for run in runs if run >= 4 and run % 2 == 0)
    if paired > 0.5 * sum(runs):
        try:
            head[: len(head) - len(head) % 2].decode("gb18030", errors="strict")
        except UnicodeDecodeError as error:
            return "gb18030" if error.start > len(head) - 4 else "cp1252"
        return "gb18030"
    return "cp1252"


def sniff(head: bytes, encoding: str) -> Dialect:
    """The dialect of a file from its beginning; FileRefused where it has no header or only one column."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    text = decoder.decode(head).lstrip("\ufeff")
    skip = 0
    named = re.match(r'"?sep=([\t!#-/:-@\[-`{-~])"?\r?\n', text)
    candidates: tuple[str, ...] = DELIMITERS
    if named:
        candidates, skip, text = (named[1],), 1, text[named.end():]
    blank = re.match(r"(?:[ \t]*\r?\n)+", text)
    if blank:
        skip += blank[0].count("\n")
        text = text[blank.end():]
    best, best_score = None, 0.0
    for delimiter in candidates:
        rows = list(records(text, delimiter, limit=200))
        if not rows or len(rows[0]) < 2:
            continue
        width = len(rows[0])
        steady = sum(len(row) == width for row in rows) / len(rows)
        if (score := steady * min(width, 50) ** 0.5) > best_score:
            best, best_score = (delimiter, rows[0]), score
    if best is None:
        raise FileRefused(_("Only one column was found: columns stand apart by a comma, semicolon, tab or bar, and "
                            "the first row names them."))
    delimiter, header = best
    if len(header) > WIDEST:
        raise FileRefused(_("The first row has %(count)d columns; at most %(most)d can be read.")
                          % {"count": len(header), "most": WIDEST})
    header = [name.strip().replace("\x00", "")[:120] for name in header]
    if sum(bool(re.fullmatch(r"[\d.,:/ -]*", name)) for name in header) > len(header) * 0.6:
        raise FileRefused(_("The first row holds values and no column names: put a row with the columns' names on "
                            "top."))
    found = Dialect(encoding=encoding, delimiter=delimiter, header=tuple(header), skip_lines=skip)
    return replace(found, header=tuple(map(found.as_it_was, header)))


def records(text: str, delimiter: str, *, limit: int) -> Iterator[list[str]]:
    """The first records of a text; a record that its end cut off is left out, and so is one beyond reason."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    previous: list[str] | None = None
    count = 0
    try:
        for row in reader:
            if previous is not None:
                yield previous
                count += 1
                if count >= limit:
                    return
            previous = row or None
        if previous is not None and (count == 0 or len(text) < HEAD_BYTES // 4 or text.endswith(("\n", "\r"))):
            yield previous
    except csv.Error:
        if previous is not None and count == 0:
            yield previous


def head_rows(head: bytes, dialect: Dialect, *, limit: int = 1000) -> list[list[str]]:
    """The first rows of a file below its header, from its first bytes."""
    text = head.decode(dialect.encoding, errors="replace").lstrip("\ufeff")
    for _line in range(dialect.skip_lines):
        text = text.partition("\n")[2]
    return list(records(text, dialect.delimiter, limit=limit + 1))[1:]
