"""Postgres' binary COPY format, to and from NumPy columns: every row has the same length, so nothing loops over rows.

Format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"; arrays as in array_send.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"PGCOPY\n\xff\r\n\0"
HEADER = SIGNATURE + bytes(8)
TRAILER = b"\xff\xff"
FLOAT8_OID = 701
SCALARS: dict[str, tuple[str, int]] = {"bigint": (">i8", 8), "float8": (">f8", 8)}


class NotBinaryCopy(ValueError):
    """The bytes are not what COPY ... (FORMAT BINARY) of these columns gives."""


def column_type(kind: str, width: int) -> tuple[np.dtype[Any], int]:
    """The bytes of one column behind its length, and that length: a scalar, or a float8[] of `width` values."""
    if kind in SCALARS:
        return np.dtype([("value", SCALARS[kind][0])]), SCALARS[kind][1]
    cell = np.dtype([("length", ">i4"), ("value", ">f8")])
    return np.dtype([("dimensions", ">i4"), ("nulls", ">i4"), ("oid", ">u4"), ("size", ">i4"), ("first", ">i4"),
                     ("cells", cell, (width,))]), 20 + 12 * width


def row_type(columns: Mapping[str, tuple[str, int]]) -> np.dtype[Any]:
    """The bytes of one row of columns name -> (kind, width)."""
    parts: list[Any] = [("fields", ">i2")]
    for name, (kind, width) in columns.items():
        parts += [(f"{name}_length", ">i4"), (name, column_type(kind, width)[0])]
    return np.dtype(parts)


def to_bytes(columns: Mapping[str, tuple[str, NDArray[Any]]]) -> bytes:
    """Columns name -> (kind, values) as COPY FROM reads them; float8[] columns are [rows, at least 1]."""
    widths = {name: (kind, values.shape[1] if values.ndim == 2 else 0) for name, (kind, values) in columns.items()}
    n_rows = len(next(iter(columns.values()))[1])
    rows = np.zeros(n_rows, dtype=row_type(widths))
    rows["fields"] = len(columns)
    for name, (kind, values) in columns.items():
        rows[f"{name}_length"] = column_type(*widths[name])[1]
        column = rows[name]
        if kind in SCALARS:
            column["value"] = values
            continue
        column["dimensions"], column["oid"], column["size"], column["first"] = 1, FLOAT8_OID, values.shape[1], 1
        column["cells"]["length"] = 8
        column["cells"]["value"] = values
    return HEADER + rows.tobytes() + TRAILER


def from_bytes(content: bytes, columns: Mapping[str, tuple[str, int]]) -> dict[str, NDArray[Any]]:
    """The columns name -> (kind, width) that COPY TO wrote, in native byte order; raises NotBinaryCopy."""
    layout = row_type(columns)
    body = content[len(HEADER):-len(TRAILER)]
    if not content.startswith(SIGNATURE) or not content.endswith(TRAILER) or len(body) % layout.itemsize:
        raise NotBinaryCopy("These bytes are not a binary copy of these columns.")
    rows = np.frombuffer(body, dtype=layout)
    found = {}
    for name, (kind, width) in columns.items():
        if (rows[f"{name}_length"] != column_type(kind, width)[1]).any():
            raise NotBinaryCopy(f"{name} is empty or of another length in some rows.")
        values = rows[name]["value"] if kind in SCALARS else rows[name]["cells"]["value"]
        found[name] = values.astype(values.dtype.newbyteorder("="))
    return found


