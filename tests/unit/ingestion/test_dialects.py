"""However a file is written, it is read as it was meant, or refused with one sentence."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Iterator
from typing import Literal
from unittest import mock

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.ingestion.adapters.batches import Misfit, ahead, read_batches
from apps.ingestion.adapters.dialects import REASON_COLUMNS, Dialect, EncodingWatch, FileRefused, sniff
from apps.ingestion.adapters.quotes import REFUSED, Quotes
from apps.ingestion.services.applying import _as_json
from apps.tenants.downloads import csv_file

ROWS = [["order", "sku", "qty", "name"], ["1", "A-1", "2", "Größe \"L\", rot"], ["2", "B;2", "1", "zwei\nZeilen"],
        ["3", "C|3", "4", "tab\there"]]


def written(rows: list[list[str]], delimiter: str, newline: str = "\n") -> str:
    return "".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) + newline for row in rows)


def looked_at(raw: bytes) -> Dialect:
    watch = EncodingWatch()
    for start in range(0, len(raw), 7):
        watch.feed(raw[start: start + 7])
    return sniff(watch.head, watch.encoding())


def read(raw: bytes, dialect: Dialect | None = None) -> tuple[list[list[str]], list[int], list[Misfit]]:
    misfits: list[Misfit] = []
    rows, numbers = [], []
    for batch in read_batches(io.BytesIO(raw), dialect or looked_at(raw), misfits=misfits):
        rows += list(map(list, zip(*(column.to_pylist() for column in batch.columns), strict=True)))
        numbers += batch.row_numbers.tolist()
    return rows, numbers, misfits


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_any_common_dialect_gives_the_same_rows(delimiter: str, encoding: str, newline: str) -> None:
    raw = written(ROWS, delimiter, newline).encode(encoding)
    dialect = looked_at(raw)
    assert (dialect.delimiter, list(dialect.header)) == (delimiter, ROWS[0])
    assert read(raw)[0] == ROWS[1:]


def test_chinese_double_bytes_are_known_from_western_accents() -> None:
    rows = [["订单号", "商品编码", "数量"], ["1", "苹果", "2"], ["2", "香蕉和梨", "3"]]
    raw = written(rows, ",").encode("gb18030")
    assert looked_at(raw).encoding == "gb18030"
    assert read(raw)[0] == rows[1:]


def test_excels_own_first_line_names_the_separator() -> None:
    raw = b"sep=;\r\nsku;price,old;qty\r\nA;1;2\r\n"
    assert looked_at(raw).delimiter == ";"
    assert read(raw)[0] == [["A", "1", "2"]]


@pytest.mark.parametrize(("raw", "words"), [
    (b"", "empty"), (b"  \n\n", "empty"), (b"\xef\xbb\xbf", "empty"),
    (b"PK\x03\x04 and so on", "Excel"), (b"%PDF-1.7 ...", "pdf"), (b"\x89PNG\r\n\x1a\n0000", "png"),
    (b"sku,qty\n\x00\x01\x02\x03,1\n", "text file"), (b"sku\nA\nB\n", "one column"),
    (b"1,2,3\n4,5,6\n", "no column names"), ("sep=§\nsku§qty\nA§1\n".encode(), "one column"),
])
def test_what_is_no_table_is_refused_in_one_sentence(raw: bytes, words: str) -> None:
    with pytest.raises(FileRefused, match=words) as refused:
        looked_at(raw)
    assert "Traceback" not in str(refused.value)


def test_rows_that_do_not_fit_are_told_apart_and_all_keep_their_numbers() -> None:
    raw = b"a,b,c\n1,2,3\n4,5\n\n7,\"x\ny\",9\n1,2,3,4\n10,11,12\n"
    rows, numbers, misfits = read(raw)
    assert rows == [["1", "2", "3"], ["", "", ""], ["7", "x\ny", "9"], ["10", "11", "12"]]
    assert numbers == [2, 4, 5, 7]
    assert misfits == [Misfit(3, "4,5"), Misfit(6, "1,2,3,4")]


def test_row_numbers_hold_across_blocks() -> None:
    lines = [f"{n},{'x' * 2000}" if n % 7 else str(n) for n in range(2, 9_000)]
    raw = ("id,text\n" + "\n".join(lines) + "\n").encode()
    rows, numbers, misfits = read(raw)
    assert [int(row[0]) for row in rows] == numbers
    assert [misfit.row_number for misfit in misfits] == [n for n in range(2, 9_000) if n % 7 == 0]


@pytest.mark.parametrize("size", [40, 400_000])
def test_a_quotation_mark_that_never_closes_stands_for_itself(size: int) -> None:
    rows, numbers, misfits = read(b'a,b\n1,2\n2,"5 inch\n3,"so, wide\n' + b"5,6\n" * size)
    assert rows[:2] == [["1", "2"], ["2", '"5 inch']]
    assert rows[2:] == [["5", "6"]] * size
    assert numbers == [2, 3, *range(5, size + 5)]
    assert [misfit.row_number for misfit in misfits] == [4]


def test_a_row_beyond_reason_is_refused() -> None:
    for raw in (b'a,b\n1,"' + b"x" * 4_000_000, b"a,b\n1," + b"x" * 4_000_000 + b"\n2,3\n"):
        with pytest.raises(FileRefused, match="megabyte"):
            read(raw)


INCHES = st.text(st.sampled_from('x"'), max_size=5)


@given(st.lists(st.tuples(st.integers(0, 2), INCHES), min_size=1, max_size=20), st.sampled_from([",", ";", "\t"]),
       st.sampled_from(["\n", "\r\n", "\r"]), st.integers(1, 9))
def test_no_row_is_lost_to_quotation_marks_that_nobody_meant(
        marked: list[tuple[int, str]], delimiter: str, newline: str, chunk: int) -> None:
    cells = [[text if place == column else "y" for place in range(3)] for column, text in marked]
    lines = list(map(delimiter.join, cells))
    raw = (newline.join([delimiter.join(["first", "second", "third"]), *lines]) + newline).encode()
    rows, numbers, misfits = read(raw, Dialect("utf-8", delimiter, ("first", "second", "third")))
    found = sorted([*zip(numbers, rows, strict=True), *((each.row_number, each) for each in misfits)],
                   key=lambda pair: pair[0])
    assert [number for number, _row in found] == list(range(2, len(found) + 2))
    for _number, row in found:
        if isinstance(row, Misfit):  # a mark closed what another one had opened some rows before
            taken = row.text.count(newline) + 1
            assert (row.rule, row.text) == ("rows_in_value", newline.join(lines[:taken]))
            assert taken > 1
            assert lines[0].count('"') % 2 == lines[taken - 1].count('"') % 2 == 1
            del lines[:taken], cells[:taken], marked[:taken]
            continue
        column, text = marked.pop(0)
        is_quoted = re.fullmatch(r'"(?:[^"]|"")*"', text)
        assert row == [text[1:-1].replace('""', '"') if is_quoted and place == column else cell
                       for place, cell in enumerate(cells.pop(0))]
        del lines[0]
    assert lines == []
    assert mended(raw, delimiter, chunk) == mended(raw, delimiter, len(raw))


def mended(raw: bytes, delimiter: str, chunk: int) -> bytes:
    quotes = Quotes(delimiter, 3)
    done = b"".join(quotes.mend(raw[start: start + chunk], is_last=False) for start in range(0, len(raw), chunk))
    return done + quotes.mend(b"", is_last=True)


PARTS = ["forged,1,2", "forged,1", "x", '"', '""', ',"', '",', '"\n"', "\n", "\r\n", "y" * 20]
NOTE = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


@given(st.lists(st.lists(NOTE | st.just("a"), min_size=1, max_size=4), min_size=1, max_size=6),
       st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), st.integers(1, 60), st.sampled_from([30, 60, 10_000]))
def test_nothing_that_is_written_into_a_value_becomes_a_row(
        rows: list[list[str]], quoting: Literal[0, 1], chunk: int, most_bytes: int) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting).writerows(rows)
    with mock.patch("apps.ingestion.adapters.quotes.MOST_BYTES", most_bytes):
        try:
            done = mended(text.getvalue().encode(), ",", chunk).decode()
        except FileRefused:
            assert most_bytes < 10_000
            return
    found = list(csv.reader(io.StringIO(done, newline="")))
    for place, row in enumerate(found):
        if row[0].startswith(REFUSED):
            [found[place]] = csv.reader(io.StringIO(row[0].removeprefix(REFUSED), newline=""))
    assert found == rows


def test_bytes_that_are_no_text_are_refused_wherever_they_stand() -> None:
    raw = b"a,b\n" + b"1,2\n" * 200_000 + b"\x00,3\n"
    with pytest.raises(FileRefused, match="no text"):
        read(raw)


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=12)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=20), st.sampled_from([",", ";", "\t"]))
def test_whatever_is_quoted_comes_back_or_is_refused_whole(cells: list[list[str]], delimiter: str) -> None:
    raw = written([["first", "second", "third"], *cells], delimiter).encode()
    rows, numbers, misfits = read(raw, Dialect("utf-8", delimiter, ("first", "second", "third")))
    found = dict(zip(numbers, rows, strict=True))
    for each in misfits:  # lines of its values have as many columns as the header
        [found[each.row_number]] = csv.reader(io.StringIO(each.text, newline=""), delimiter=delimiter)
        assert "\n" in each.text
        assert each.text.count(delimiter) > 3
    assert [found[number] for number in sorted(found)] == cells


class Endless(io.BytesIO):
    """The same rows again and again, up to a size: more than anyone should keep in memory."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.left = size
        self.waiting = b"order,sku,qty,price,who\n"

    def read(self, size: int | None = -1) -> bytes:
        size = size or 0
        while self.left > 0 and len(self.waiting) < size:
            self.waiting += b"12345,A-1,2,3.50,a customer of the town\n" * 10_000
            self.left -= 400_000
        found, self.waiting = self.waiting[:size], self.waiting[size:]
        return found


def test_a_file_of_any_length_is_read_in_little_memory() -> None:
    before, most, count = pa.total_allocated_bytes(), 0, 0
    dialect = Dialect("utf-8", ",", ("order", "sku", "qty", "price", "who"))
    for batch in read_batches(Endless(100_000_000), dialect, misfits=[]):
        count += len(batch)
        most = max(most, pa.total_allocated_bytes() - before)
    assert count == 2_500_000
    assert most < 20_000_000


def test_what_is_read_ahead_comes_in_order_and_ends_with_who_takes_it() -> None:
    def numbers() -> Iterator[int]:
        yield from range(5)
        raise FileRefused("the end")

    taken: list[int] = []
    with pytest.raises(FileRefused, match="the end"):
        taken.extend(ahead(numbers()))
    assert taken == [0, 1, 2, 3, 4]
    before = threading.active_count()
    some = ahead(iter(range(1_000_000)))
    assert [next(some), next(some)] == [0, 1]
    some.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


_AWKWARD = st.text("'=+-@\t\r\n019.,;\"\\\x0b aé€", max_size=8) | st.sampled_from(["=1+1", "-5", "+3,50", "'=x", "-"])
_CELLS = _AWKWARD | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(st.lists(st.tuples(st.just("A"), _CELLS, _CELLS), min_size=1, max_size=8), st.sampled_from(",;"))
@example([("A", "-.", "+,"), ("A", "-5", "+.5")], ",")
def test_no_cell_of_rejected_rows_is_a_formula_and_an_import_reads_it_as_it_was(
        rows: list[tuple[str, str, str]], delimiter: str) -> None:
    header = [*REASON_COLUMNS, "sku", "=1+1", "-title"]
    whole = [header, *([*reasons, *row] for reasons in [["2", "=wrong", "", "@", "", "1"]] for row in rows)]
    raw = b"".join(csv_file(whole, delimiter=delimiter)).removeprefix(b"\xef\xbb\xbf")
    shown = csv.reader(io.StringIO(raw.decode(), newline=""), delimiter=delimiter)
    for cells, texts in zip(whole, shown, strict=True):
        for cell, text in zip(cells, texts, strict=True):
            is_number = re.match(r"[+-]?[\d.,\s]*\d$", cell) is not None
            assert not text.startswith(("=", "+", "-", "@", "\t", "\r")) or (is_number and text == cell)
    dialect = Dialect("utf-8", delimiter, looked_at(raw).header)
    [batch] = read_batches(io.BytesIO(raw), dialect, misfits=[])
    kept = [json.loads(row) for row in _as_json(batch, pa.array(range(len(batch)))).to_pylist()]
    assert [list(dialect.header), *kept] == whole
