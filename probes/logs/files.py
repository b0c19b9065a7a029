"""How files are followed: a log from the byte where we stopped, a snapshot whenever it was replaced.

A log is known by what it is (device, inode, first line), not by its name, so rotation loses nothing as long as the rotated
file still matches the pattern. A torn last line waits for its end. The folder is `url`; `source` says path, format and mode.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from ..clock import SECOND
from ..errors import Reason
from ..manifest import first_error
from ..mapspec import Strict
from ..probe import Cursor, Environment, Meter, Page
from ..source import Session, Source
from ._rows import csv_rows, json_rows, parquet_rows

PAGE_ROWS = 2000
HEAD_BYTES = 4096


class FileSource(Strict):
    """What `source:` of a stream of files says. `delay` is how long a line may take to reach the disk."""

    path: Annotated[str, Field(min_length=1)]
    format: Literal["jsonl", "csv", "parquet"] | None = None
    mode: Literal["log", "snapshot"] = "log"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    delay: Annotated[int, BeforeValidator(int)] = 2


def changes(source: Source, cursor: Cursor, now_us: int, meter: Meter) -> Iterator[Page]:
    """Yield what was appended, or the files that were replaced, since the cursor."""
    given = _given(source)
    files = _files(source, given)
    mark = now_us - given.delay * SECOND
    if given.mode == "log":
        return _log(source, given, files, cursor, mark, meter)
    return _snapshot(source, given, files, cursor, mark, meter)


def ids(source: Source, meter: Meter) -> Iterator[list[str]]:
    """Yield all ids that stand in the files now."""
    given = _given(source)
    for path in _files(source, given):
        for rows in _batches(_whole(path, given)):
            records, _ = source.mapper.page(rows, meter)
            yield [record.id for record in records]


def check(session: Session, meter: Meter) -> Environment:
    """Look whether the folder can be read."""
    folder = Path(session.client.base_url).expanduser()
    if not os.access(folder, os.R_OK | os.X_OK):
        raise session.error(Reason.NOT_VISIBLE, f"the folder {folder} cannot be read")
    return Environment(str(folder), None)


def _given(source: Source) -> FileSource:
    try:
        given = FileSource.model_validate(source.description.source)
    except ValidationError as error:
        raise source.error(Reason.CONFIG, f"source.{first_error(error)}") from None
    if given.format:
        return given
    found = {
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".json": "jsonl",
        ".log": "jsonl",
        ".csv": "csv",
        ".parquet": "parquet",
    }
    form = found.get(Path(given.path).suffix.lower())
    if form is None:
        raise source.error(Reason.CONFIG, "source.format is missing; write jsonl, csv or parquet")
    mode = "snapshot" if form == "parquet" else given.mode
    return given.model_copy(update={"format": form, "mode": mode})


def _files(source: Source, given: FileSource) -> list[Path]:
    folder = Path(source.client.base_url).expanduser()
    if given.path.startswith("/") or ".." in Path(given.path).parts:
        raise source.error(Reason.CONFIG, "source.path must stay inside the folder that `url` names")
    try:
        files = sorted(p for p in folder.glob(given.path) if p.is_file())
    except (OSError, ValueError) as error:
        raise source.error(Reason.NOT_VISIBLE, f"cannot look for {given.path}: {error}") from None
    if not files:
        raise source.error(Reason.NOT_VISIBLE, f"no file matches {given.path} in {folder}")
    return files


# -- logs ---------------------------------------------------------------------------------------------------------------


def _log(
    source: Source, given: FileSource, files: list[Path], cursor: Cursor, mark: int, meter: Meter
) -> Iterator[Page]:
    offsets: dict[str, int] = dict(cursor.get("offsets") or {})
    kept: dict[str, int] = {}
    for path in sorted(files, key=lambda p: p.stat().st_mtime_ns):
        identity = _identity(path)
        if identity is None:
            continue
        at = offsets.get(identity, 0)
        kept[identity] = at
        for rows, end in _appended(path, given, at, identity):
            kept[identity] = end
            yield source.page(rows, source.session.now_us(), meter, {"offsets": {**offsets, **kept}})
    yield Page([], {"offsets": kept}, source.session.now_us(), last=True, watermark_us=mark)


def _identity(path: Path) -> str | None:
    """Return what a file is, whatever it is called; None while its first line is not complete."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        stat = os.fstat(file.fileno())
    line, newline, _ = head.partition(b"\n")
    if not newline and len(head) < HEAD_BYTES:
        return None
    return f"{stat.st_dev}:{stat.st_ino}:{blake2b(line, digest_size=8).hexdigest()}"


def _appended(path: Path, given: FileSource, at: int, identity: str) -> Iterator[tuple[list[Any], int]]:
    """Yield batches of complete rows from a byte on, each with the byte after it."""
    if path.stat().st_size < at:
        at = 0  # the file was cut: what stands in it now is new
    with path.open("rb") as file:
        read = (
            json_rows(file, at, identity)
            if given.format == "jsonl"
            else csv_rows(file, at, identity, given.delimiter, given.encoding)
        )
        while batch := list(islice(read, PAGE_ROWS)):
            yield [row for row, _ in batch], batch[-1][1]


# -- snapshots ----------------------------------------------------------------------------------------------------------


def _snapshot(
    source: Source, given: FileSource, files: list[Path], cursor: Cursor, mark: int, meter: Meter
) -> Iterator[Page]:
    held: dict[str, Any] = dict(cursor.get("files") or {})
    seen: dict[str, Any] = {}
    for path in files:
        stat = path.stat()
        state = [stat.st_ino, stat.st_mtime_ns, stat.st_size]
        if held.get(path.name) != state:
            for rows in _batches(_whole(path, given)):
                yield source.page(rows, source.session.now_us(), meter, {"files": {**held, **seen}})
        seen[path.name] = state
    yield Page([], {"files": seen}, source.session.now_us(), last=True, watermark_us=mark)


def _whole(path: Path, given: FileSource) -> Iterator[Any]:
    if given.format == "parquet":
        yield from parquet_rows(path, PAGE_ROWS)
        return
    with path.open("rb") as file:
        name = path.name
        read = (
            json_rows(file, 0, name, torn=True)
            if given.format == "jsonl"
            else csv_rows(file, 0, name, given.delimiter, given.encoding, torn=True)
        )
        yield from (row for row, _ in read)


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, PAGE_ROWS)):
        yield batch
