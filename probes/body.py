"""How much of an answer is read: caps on bytes on the wire, on decoded bytes and on their ratio.

Only gzip is asked for and accepted, and it is inflated piece by piece, so a bomb stops at the cap and not in memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from .errors import Reason

MIB = 1024 * 1024
RATIO_FROM = 4 * MIB


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of one answer. Units: bytes; `ratio` is decoded / wire and counts only beyond 4 MiB."""

    wire: int = 64 * MIB
    decoded: int = 64 * MIB
    ratio: int = 200


class BodyError(Exception):
    """A body that is not read to its end; `reason` says why."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def read(response: httpx.Response, caps: Caps) -> tuple[bytes, int]:
    """Return the decoded body and the bytes that crossed the wire. Errors: BodyError, httpx.TransportError."""
    declared = response.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > caps.wire:
        raise _too_large(caps.wire)
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return _plain(response, caps)
    if encoding in ("gzip", "x-gzip"):
        return _gzip(response, caps)
    raise BodyError(Reason.NOT_JSON, f"the answer is encoded as {encoding[:20]!r}, which was not asked for")


def _plain(response: httpx.Response, caps: Caps) -> tuple[bytes, int]:
    parts, size, cap = [], 0, min(caps.wire, caps.decoded)
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > cap:
            raise _too_large(cap)
        parts.append(chunk)
    return b"".join(parts), size


def _gzip(response: httpx.Response, caps: Caps) -> tuple[bytes, int]:
    inflate = zlib.decompressobj(31)
    parts, size, wire = [], 0, 0
    for chunk in response.iter_raw():
        wire += len(chunk)
        if wire > caps.wire:
            raise _too_large(caps.wire)
        for piece in _inflated(inflate, chunk):
            size += len(piece)
            if size > caps.decoded:
                raise _too_large(caps.decoded)
            if size > RATIO_FROM and size > caps.ratio * wire:
                raise BodyError(Reason.TOO_LARGE, f"the answer inflates more than {caps.ratio} times; refused")
            parts.append(piece)
    if wire and not inflate.eof:
        raise BodyError(Reason.CUT, "the compressed answer breaks off in the middle")
    return b"".join(parts), wire


def _inflated(inflate: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    try:
        while chunk and not inflate.eof:
            yield inflate.decompress(chunk, MIB)
            chunk = inflate.unconsumed_tail
    except zlib.error:
        raise BodyError(Reason.CUT, "the compressed answer is damaged") from None


def _too_large(cap: int) -> BodyError:
    return BodyError(
        Reason.TOO_LARGE, f"the answer is larger than {cap // MIB or cap} {'MiB' if cap >= MIB else 'bytes'}"
    )
