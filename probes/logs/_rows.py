"""How the bytes of a file become rows: JSON lines, CSV, Parquet. A line that cannot be read becomes a `Poison` row.

Every row of a text file also has `_id`, made of the file and the byte it starts at. Knows nothing of cursors or streams.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from ..decode import NotJson, Poison, decode

MAX_LINE = 4_000_000
Row = tuple[Any, int]


def json_rows(file: IO[bytes], at: int, identity: str, *, torn: bool = False) -> Iterator[Row]:
    """Yield each complete line from byte `at` on, with the byte after it; `torn` takes a last line without end too."""
    file.seek(at)
    while line := file.readline(MAX_LINE):
        if not line.endswith(b"\n") and not torn:
            return
        start, at = at, at + len(line)
        text = line.strip()
        if text:
            yield _json_row(text, f"{identity}:{start}"), at


def _json_row(text: bytes, identity: str) -> Any:
    try:
        row = decode(text)
    except NotJson as error:
        return Poison(f"no JSON: {error}", text[:4000].decode("utf-8", "replace"))
    if not isinstance(row, dict):
        return Poison("no JSON object", text[:4000].decode("utf-8", "replace"))
    row.setdefault("_id", identity)
    return row


def csv_rows(
    file: IO[bytes], at: int, identity: str, delimiter: str, encoding: str, *, torn: bool = False
) -> Iterator[Row]:
    """Yield each complete record from byte `at` on, with the byte after it. The first line of the file names the columns."""
    file.seek(0)
    head = file.readline(MAX_LINE)
    names = next(csv.reader([head.decode("utf-8-sig" if encoding == "utf-8" else encoding)], delimiter=delimiter), [])
    at = max(at, len(head))
    file.seek(at)
    for record in _records(file, torn=torn):
        start, at = at, at + len(record)
        text = record.decode(encoding, "surrogateescape")
        cells = next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter), None)
        if cells:
            yield _csv_row(names, cells, text, f"{identity}:{start}"), at


def _records(file: IO[bytes], *, torn: bool) -> Iterator[bytes]:
    """Yield the bytes of each record: lines, joined while a quote is open."""
    held = b""
    while line := file.readline(MAX_LINE):
        held = held + line if held else line
        whole = line.endswith(b"\n")
        if (whole and held.count(b'"') % 2 == 0) or len(held) > MAX_LINE:
            yield held
            held = b""
    if held and torn:
        yield held


def _csv_row(names: list[str], cells: list[str], text: str, identity: str) -> Any:
    if len(cells) != len(names):
        return Poison(f"{len(cells)} cells where {len(names)} columns are named", _clean(text))
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        return Poison("bytes that are no text", _clean(text))
    row: dict[str, Any] = dict(zip(names, cells, strict=True))
    row["_id"] = identity
    return row


def _clean(text: str) -> str:
    return text[:4000].encode("utf-8", "replace").decode()


def parquet_rows(path: Path, size: int) -> Iterator[Any]:
    """Yield the rows of a Parquet file; times become ISO text, floating numbers exact decimals."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=size):
                for row in batch.to_pylist():
                    yield {name: plain(value) for name, value in row.items()}
    except (pa.ArrowException, OSError) as error:
        yield Poison(f"{path.name} is no Parquet file: {str(error)[:120]}")


def plain(value: Any) -> Any:
    """Return a database or Parquet value as mappings know it."""
    if isinstance(value, float):
        return Decimal(repr(value)) if value - value == 0 else Poison(f"{value} is not a number")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value
