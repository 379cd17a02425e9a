"""Quotation marks that open a value and close none: told from quoted values, so that no row swallows the next ones."""

from __future__ import annotations

import re

import numpy as np
from django.utils.translation import gettext as _

from apps.ingestion.adapters.dialects import FileRefused

MOST_BYTES = 1024 * 1024  # of one row
_QUOTE, _NEWLINE, _RETURN = b'"\n\r'
_LINE = re.compile(rb"[^\r\n]*+")  # it matches anything


class Quotes:
    """Mends a file's bytes as they pass by: an inch mark in front of a value is made part of that value.

    A quoted value may run over several lines where the row then has as many columns as the header, and the lines are
    no such rows by themselves. Any other mark that opens and does not close stands for itself.
    """

    def __init__(self, delimiter: str, width: int) -> None:
        self.rows_mended = 0
        self._delimiter, self._width = delimiter.encode(), width
        between = re.escape(self._delimiter)
        bare = rb'(?!")[^%b\r\n]*+' % between
        quoted = rb'"[^"%b]*+(?:""[^"%b]*+)*+" *+(?=%b|[\r\n])'
        on_line, over_lines = (rb"(?:%b|%b)" % (quoted % (no, no, between), bare) for no in (rb"\r\n", b""))
        self._lines = re.compile(rb'(?:[^"\r\n]*+[\r\n]|%b(?:%b%b)*+[\r\n])*+' % (on_line, between, on_line))
        self._record = re.compile(rb"%b(?:%b%b){%d}[\r\n]" % (over_lines, between, over_lines, width - 1))
        self._cell = re.compile(rb'"[^"]*+(?:""[^"]*+)*+" *+(?=%b|\Z)|[^%b]*+' % (between, between))
        self._rest = b""

    def mend(self, more: bytes, *, is_last: bool) -> bytes:
        """The next bytes in which every quotation mark means what it seems to; some are kept until more has come."""
        text = self._rest + more
        if is_last and text and text[-1] not in (_NEWLINE, _RETURN):
            text += b"\n"
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
            record = self._record.match(text, stop, stop + MOST_BYTES)
            if record is None and not is_last and len(text) - stop < MOST_BYTES:
                return done, stop
            if record is not None and not self._are_rows(record[0].splitlines()):
                done.append(record[0])
                start = record.end()
                continue
            start = _LINE.match(text, stop).end()  # type: ignore[union-attr]
            done.append(self._delimiter.join(map(_literal, self._cells(text[stop:start]))))
            self.rows_mended += 1
        return done, end

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


def _literal(cell: bytes) -> bytes:
    """A cell as it is to be read: one that opens with a mark and does not close stands in marks of its own."""
    if not cell.startswith(b'"') or re.fullmatch(rb'"[^"]*+(?:""[^"]*+)*+" *+', cell):
        return cell
    return b'"' + cell.replace(b'"', b'""') + b'"'
