"""Quotation marks that open a value and close none: told from quoted values, so that no row swallows the next ones.

What somebody wrote into a value, such as the note of an order, never becomes a row: a record in doubt is refused whole.
"""

from __future__ import annotations

import re

import numpy as np
from django.utils.translation import gettext as _

from apps.ingestion.adapters.dialects import FileRefused

MOST_BYTES = 1024 * 1024  # of one row
_QUOTE, _NEWLINE, _RETURN = b'"\n\r'
REFUSED = "\0"  # what a record in doubt begins with: no file has it
_INSIDE = re.compile(rb'[^"]*+(?:""[^"]*+)*+')
_LINE = re.compile(rb"[^\r\n]*+")  # it matches anything


class Quotes:
    """Mends a file's bytes as they pass by: an inch mark in front of a value is made part of that value.

    A quoted value may run over several lines. Where these look like rows by themselves, two marks that nobody meant may
    stand that far apart: such a record comes out as a single cell that begins with REFUSED. Any other mark that opens
    and does not close stands for itself.
    """

    def __init__(self, delimiter: str, width: int) -> None:
        self.rows_mended = 0
        self._delimiter, self._width = delimiter.encode(), width
        between = re.escape(self._delimiter)
        bare = rb'(?!")[^%b\r\n]*+' % between
        inside = rb'"[^"%b]*+(?:""[^"%b]*+)*+'
        quoted = inside + rb'" *+(?=%b|[\r\n])'
        on_line, over_lines = (rb"(?:%b|%b)" % (quoted % (no, no, between), bare) for no in (rb"\r\n", b""))
        self._lines = re.compile(rb'(?:[^"\r\n]*+[\r\n]|%b(?:%b%b)*+[\r\n])*+' % (on_line, between, on_line))
        self._record = re.compile(rb"%b(?:%b%b)*+(?:\r\n?|\n)" % (over_lines, between, over_lines))
        self._unended = re.compile(rb'(?:%b%b)*+(?:%b((?:" *+)?+)|%b)\Z' % (
            over_lines, between, inside % (b"", b""), bare))
        self._closing = re.compile(rb'" *+(?:%b|[\r\n]|(\Z))' % between)
        self._cell = re.compile(rb'"[^"]*+(?:""[^"]*+)*+" *+(?=%b|\Z)|[^%b]*+' % (between, between))
        self._rest = b""
        self._beyond: bytes | None = None  # where a mark stands open for longer than a row may be: what follows

    def mend(self, more: bytes, *, is_last: bool) -> bytes:
        """The next bytes in which every quotation mark means what it seems to; some are kept until more has come."""
        text = self._rest + more
        if is_last and text and text[-1] not in (_NEWLINE, _RETURN):
            text, more = text + b"\n", more + b"\n"
        self._refuse_if_closed(more)
        end = len(text) if is_last else max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
        if text.find(b'"', 0, end) < 0:
            mended = [text[:end]]
        else:
            mended, end = self._mended(text, end, is_last=is_last)
        self._rest = text[end:]
        if len(self._rest) > 2 * MOST_BYTES:
            raise FileRefused(too_long())
        return b"".join(mended)

    def _mended(self, text: bytes, end: int, *, is_last: bool) -> tuple[list[bytes], int]:
        if self._is_plain(text[:end]):
            return [text[:end]], end
        done, start = [], 0
        while start < end:
            whole = self._lines.match(text, start, end)
            stop = whole.end() if whole else start
            done.append(text[start:stop])
            if stop == end:
                break
            record = self._record.match(text, stop, min(stop + MOST_BYTES, end))
            if record is None and not is_last and len(text) - stop <= MOST_BYTES:
                return done, stop
            if record is not None:
                done.append(_refused(record[0]) if self._are_rows(record[0].splitlines()) else record[0])
                start = record.end()
                continue
            self._look_beyond(text, stop)
            start = _LINE.match(text, stop).end()  # type: ignore[union-attr]
            done.append(self._delimiter.join(map(_literal, self._cells(text[stop:start]))))
            self.rows_mended += 1
        return done, end

    def _look_beyond(self, text: bytes, start: int) -> None:
        """Remember a value that has not ended where a row has to; FileRefused where another value had by then."""
        unended = self._unended.match(text, start, start + MOST_BYTES)
        if unended is not None and unended[1] is None:
            raise FileRefused(too_long())
        if unended is not None:
            self._beyond = b""
            self._refuse_if_closed(text[unended.start(1):])

    def _refuse_if_closed(self, more: bytes) -> None:
        """FileRefused where a mark that was taken to stand for itself opened a value, with all its lines, after all."""
        if self._beyond is None:
            return
        text = self._beyond + more
        text = text[_INSIDE.match(text).end():]  # type: ignore[union-attr]  # it matches anything
        closing = self._closing.match(text)
        if closing is not None and closing[1] is None:
            raise FileRefused(too_long())
        self._beyond = None if text and closing is None else text

    def _is_plain(self, lines: bytes) -> bool:
        """Whether all marks plainly open, close or double, each line by itself; looked at as a whole, which is fast."""
        text = np.frombuffer(b"\n" + lines + b"\n", np.uint8)
        marks = np.flatnonzero(text == _QUOTE)
        ends = np.flatnonzero((text == _NEWLINE) | (text == _RETURN))
        outer = np.zeros(256, dtype=bool)
        outer[[_NEWLINE, _RETURN, _QUOTE, self._delimiter[0]]] = True
        return bool(outer[text[marks[::2] - 1]].all() and outer[text[marks[1::2] + 1]].all()
                    and not (np.searchsorted(marks, ends) % 2).any())

    def _cells(self, line: bytes) -> list[bytes]:
        cells, at = [], -1
        while at < len(line):
            cell = self._cell.match(line, at + 1)
            cells.append(cell[0])  # type: ignore[index]  # it matches anything
            at = cell.end()  # type: ignore[union-attr]
        return cells

    def _are_rows(self, lines: list[bytes]) -> bool:
        """Whether lines that one quoted value would join are rows by themselves."""
        first, *others = (len(self._cells(line)) == self._width for line in lines)
        return first and sum(others) > len(others) / 2


def too_long() -> str:
    return _("A row of the file is longer than a megabyte: rows stand on lines of their own.")


def _refused(record: bytes) -> bytes:
    return b'"%b%b"\n' % (REFUSED.encode(), record.rstrip(b"\r\n").replace(b'"', b'""'))


def _literal(cell: bytes) -> bytes:
    """A cell as it is to be read: one that opens with a mark and does not close stands in marks of its own."""
    if not cell.startswith(b'"') or re.fullmatch(rb'"[^"]*+(?:""[^"]*+)*+" *+', cell):
        return cell
    return b'"' + cell.replace(b'"', b'""') + b'"'
