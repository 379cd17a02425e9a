"""Tables as files to download, written so that the spreadsheets of the shop's country read them as they are meant."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from apps.tenants.figures import NUMBERS, PLAIN, Number, numbers_locale

Cell = str | Number | dt.date | None

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it, spreadsheets take UTF-8 for the letters of their own country
_FORMULA = re.compile(r"^'*[=+\-@\t\r]")
_NUMBER = re.compile(r"^[+-]?(?:[\d.,][\d.,\s]*)?\d\Z")


def csv_file(rows: Iterable[Iterable[Cell]], *, delimiter: str = "") -> Iterator[bytes]:
    """Rows as a CSV file, line by line, with the shop's own separator unless another one is named.

    Numbers have the shop's decimal mark and none between thousands, days are ISO, and no text is a formula.
    """
    locale = numbers_locale()  # now: the lines are read when the page that asked for them is over
    return _lines(rows, NUMBERS[locale][1], delimiter or ("," if locale == PLAIN else ";"))


def _lines(rows: Iterable[Iterable[Cell]], point: str, delimiter: str) -> Iterator[bytes]:
    mark = _BYTE_ORDER_MARK
    for row in rows:
        text = io.StringIO()
        csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow([_written(cell, point) for cell in row])
        yield mark + text.getvalue().encode()
        mark = b""


def _written(cell: Cell, point: str) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return spreadsheet_text(cell)
    if isinstance(cell, dt.date):
        return cell.isoformat()
    return f"{Decimal(str(cell)).normalize() + 0:f}".replace(".", point)


def spreadsheet_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula: marked, and marked once more where it has such a mark already."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text
