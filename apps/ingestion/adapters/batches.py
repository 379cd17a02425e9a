"""A file as a stream of Arrow batches in bounded memory, every row with its number, whatever the file's dialect."""

from __future__ import annotations

import codecs
import io
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from apps.ingestion.adapters.dialects import KEPT, Dialect, FileRefused
from apps.ingestion.adapters.quotes import REFUSED, Quotes, too_long

BLOCK_BYTES = 1024 * 1024
KEPT_LETTERS = 4000  # of a row that does not fit

T = TypeVar("T")


class Utf8Stream(io.RawIOBase):
    """The bytes of a file as UTF-8 from its header on, without a byte order mark and with every quotation mark closed.

    It knows how far it has read.
    """

    def __init__(self, source: IO[bytes], dialect: Dialect) -> None:
        self._source = source
        self._decoder = (None if dialect.encoding in ("utf-8", "utf-8-sig")
                         else codecs.getincrementaldecoder(dialect.encoding)(errors="replace"))
        self._to_skip = dialect.skip_lines
        self._is_first = True
        self._rest = b""
        self._is_done = False
        self.quotes = Quotes(dialect.delimiter, len(dialect.header))
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = BLOCK_BYTES if size is None or size < 0 else size
        while not self._is_done and len(self._rest) < wanted:
            self._rest += self._next(wanted)
        found, self._rest = self._rest[:wanted], self._rest[wanted:]
        return found

    def _next(self, size: int) -> bytes:
        raw = self._source.read(size)
        self.bytes_read += len(raw)
        self._is_done = not raw
        if self._decoder is not None:
            raw = self._decoder.decode(raw, final=self._is_done).encode()
        if 0 in raw:
            raise FileRefused(_("The file has bytes in it that are no text, from about byte %(at)d on.")
                              % {"at": self.bytes_read - len(raw) + raw.index(0)})
        if self._is_first and raw:
            raw = raw.removeprefix(codecs.BOM_UTF8)
            self._is_first = False
        while self._to_skip and b"\n" in raw:
            raw = raw.split(b"\n", 1)[1]
            self._to_skip -= 1
        return self.quotes.mend(raw, is_last=self._is_done)


@dataclass(frozen=True)
class Batch:
    """Some rows of a file: their numbers, as a spreadsheet shows them, and their columns as text, by position."""

    row_numbers: NDArray[np.int64]
    columns: list[pa.StringArray]

    def __len__(self) -> int:
        return len(self.row_numbers)

    def column(self, position: int) -> pa.StringArray:
        return self.columns[position]


@dataclass(frozen=True)
class Misfit:
    """A row with another number of columns than the header, or of doubtful extent: its number, its text, the rule."""

    row_number: int
    text: str
    rule: str = "columns"


def read_batches(source: IO[bytes], dialect: Dialect, *, misfits: list[Misfit],
                 on_bytes: Callable[[int], None] = lambda _read: None,
                 on_mended: Callable[[int], None] = lambda _rows: None) -> Iterator[Batch]:
    """The rows of a file, batch by batch; those that do not fit are put into `misfits`.

    At the end, `on_mended` is told in how many rows a quotation mark opened and did not close. FileRefused where the
    text cannot be cut into rows: a row beyond reason, a file that ends amid a character.
    """
    width = len(dialect.header)
    names = [f"c{position}" for position in range(width)]
    waiting: list[Misfit] = []

    def skip(row: Any) -> str:
        if row.text.startswith(f'"{REFUSED}'):
            waiting.append(Misfit(int(row.number), row.text[2:-1].replace('""', '"')[:KEPT_LETTERS], "rows_in_value"))
        else:
            waiting.append(Misfit(int(row.number), row.text[:KEPT_LETTERS]))
        return "skip"

    stream = Utf8Stream(source, dialect)
    next_number = 2
    try:
        reader = pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=names,
                                            skip_rows_after_names=1),
            parse_options=pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True,
                                              ignore_empty_lines=False, invalid_row_handler=skip),
            convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()),
                                                  strings_can_be_null=False))
        for record_batch in reader:
            count = record_batch.num_rows
            if count == 0:
                continue
            numbers = _numbers(next_number, count, [each.row_number for each in waiting])
            taken = [each for each in waiting if each.row_number <= numbers[-1]]
            misfits.extend(taken)
            del waiting[: len(taken)]
            next_number = int(numbers[-1]) + 1
            on_bytes(stream.bytes_read)
            yield Batch(numbers, [as_it_was(each) for each in record_batch.columns] if dialect.is_mended else
                        record_batch.columns)
    except pa.ArrowInvalid as error:
        words = str(error)
        if "Empty CSV" in words:
            return
        if "straddling" in words or "out of sync" in words:
            raise FileRefused(too_long()) from error
        if "UTF8" in words or "utf" in words.lower():
            raise FileRefused(_("The file mixes two encodings: save it as “CSV UTF-8” and send it again.")) from error
        raise FileRefused(_("The file cannot be cut into rows near row %(row)d: %(why)s")
                          % {"row": next_number, "why": words}) from error
    misfits.extend(waiting)
    on_mended(stream.quotes.rows_mended)


def as_it_was(cells: pa.StringArray) -> pa.StringArray:
    """Cells of mended rows without the mark that kept spreadsheets from taking them for formulas."""
    return pc.replace_substring_regex(cells, KEPT, r"\1")


def ahead(source: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The same things, made by a thread of their own, a few ahead of who takes them; what it raises is raised here."""
    waiting: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=depth)
    is_over = threading.Event()

    def offer(is_last: bool, thing: Any) -> None:
        while not is_over.is_set():
            try:
                return waiting.put((is_last, thing), timeout=0.2)
            except queue.Full:
                continue

    def fill() -> None:
        try:
            for thing in source:
                if is_over.is_set():
                    return
                offer(False, thing)
        except BaseException as error:
            offer(True, error)
        else:
            offer(True, None)

    thread = threading.Thread(target=fill, name="reads-ahead", daemon=True)
    thread.start()
    try:
        while True:
            is_last, thing = waiting.get()
            if not is_last:
                yield thing
            elif thing is None:
                return
            else:
                raise thing
    finally:
        is_over.set()
        thread.join()


def _numbers(start: int, count: int, skipped: Sequence[int]) -> NDArray[np.int64]:
    """The next `count` row numbers that are not among the skipped ones."""
    missing = np.asarray([number for number in skipped if number >= start], dtype=np.int64)
    numbers = np.arange(start, start + count + len(missing), dtype=np.int64)
    return numbers[~np.isin(numbers, missing)][:count]


def to_csv(columns: dict[str, pa.Array]) -> bytes:
    """Columns as CSV without a header, as COPY reads it: null is nothing, an empty text is \"\"."""
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(pa.table(columns), sink, pa_csv.WriteOptions(include_header=False))
    return bytes(sink.getvalue())
