"""The client on broken wires: drips, cuts, bombs, silence, real sockets all of them."""

from __future__ import annotations

import gzip
import resource
import socket
import time
import zlib
from functools import lru_cache

import pytest

from probes.body import MIB, Caps
from probes.client import Client, ClientSpec
from probes.clock import monotonic
from probes.errors import ProbeError, Reason
from probes.probe import Meter

from .fakes import clock, raw_socket

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def ask(url: str, **spec: object) -> tuple[ProbeError, float]:
    settings = {"base_url": url, "platform": "crm", "attempts": 1, "deadline_seconds": 1.0, **spec}
    platform = Client(ClientSpec(**settings), clock=clock)  # type: ignore[arg-type]
    before = monotonic()
    with pytest.raises(ProbeError) as caught:
        platform.get("/x", Meter())
    platform.close()
    return caught.value, monotonic() - before


def dripping(start: bytes, drop: bytes) -> object:
    def talk(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(200):
            connection.sendall(drop)
            time.sleep(0.1)

    return talk


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (HEAD + b"Content-Length: 10000\r\n\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
        (b"", b""),
    ],
    ids=["body", "chunks", "headers", "silence"],
)
def test_a_dripping_answer_is_cut_at_the_total_deadline(start: bytes, drop: bytes) -> None:
    with raw_socket(dripping(start, drop)) as url:  # type: ignore[arg-type]
        error, took = ask(url)
    assert error.reason is Reason.TIMEOUT
    assert 0.9 < took < 1.5


def test_a_retry_does_not_outlive_the_deadline() -> None:
    with raw_socket(dripping(b"", b"")) as url:  # type: ignore[arg-type]
        error, took = ask(url, attempts=3, read_seconds=0.4)
    assert error.reason is Reason.TIMEOUT
    assert took < 1.5


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b'Content-Length: 1000\r\n\r\n{"data": [',
        HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":',
        b"",
        HEAD + b'Connection: close\r\n\r\n{"data": [1, 2',
        b"\x00\x01 this is not HTTP\r\n\r\n",
    ],
    ids=["short body", "open chunks", "nothing", "no length", "no HTTP"],
)
def test_a_connection_that_breaks_off_is_cut_and_never_half_a_page(answer: bytes) -> None:
    with raw_socket(lambda connection: connection.sendall(answer)) as url:
        error, _ = ask(url)
    assert error.reason is Reason.CUT


def test_nobody_listening_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error, _ = ask(f"http://127.0.0.1:{port}")
    assert error.reason is Reason.UNREACHABLE


def compressed(body: bytes, *, declare: bytes = b"gzip") -> bytes:
    return HEAD + b"Content-Encoding: " + declare + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_a_compressed_answer_is_read() -> None:
    body = gzip.compress(b'{"ok": true}')
    with raw_socket(lambda connection: connection.sendall(compressed(body))) as url:
        platform = Client(ClientSpec(base_url=url), clock=clock)
        assert platform.get("/x", Meter()).data == {"ok": True}
        platform.close()


@lru_cache
def bomb() -> bytes:
    """300 MiB of one byte in about 300 kB: one compressed block, repeated by hand."""
    packer, block = zlib.compressobj(6, zlib.DEFLATED, 31), b"0" * MIB
    first = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    second = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + second * 299


def test_a_gzip_bomb_stops_at_the_cap_and_not_in_memory() -> None:
    body = bomb()
    assert len(body) < MIB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with raw_socket(lambda connection: connection.sendall(compressed(body))) as url:
        error, _ = ask(url, deadline_seconds=10.0, caps=Caps(decoded=64 * MIB, ratio=10_000))
    assert error.reason is Reason.TOO_LARGE
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 2 * 64 * MIB


def test_a_ratio_nobody_reaches_honestly_is_refused_before_the_cap() -> None:
    body = bomb()
    with raw_socket(lambda connection: connection.sendall(compressed(body))) as url:
        error, _ = ask(url, deadline_seconds=10.0)
    assert error.reason is Reason.TOO_LARGE
    assert "inflates" in error.message


@pytest.mark.parametrize("declared", [b"br", b"gzip, gzip", b"deflate"])
def test_an_encoding_nobody_asked_for_is_not_decoded(declared: bytes) -> None:
    body = gzip.compress(gzip.compress(b"{}"))
    with raw_socket(lambda connection: connection.sendall(compressed(body, declare=declared))) as url:
        assert ask(url)[0].reason is Reason.NOT_JSON


def test_a_damaged_or_open_compression_is_a_cut() -> None:
    whole = gzip.compress(b'{"a": 1}' * 100)
    for body in (whole[:-12], whole[:10] + b"\xff\xff\xff\xff" + whole[14:]):
        with raw_socket(lambda connection, body=body: connection.sendall(compressed(body))) as url:  # type: ignore[misc]
            assert ask(url)[0].reason is Reason.CUT


@pytest.mark.parametrize("head", [b"Content-Length: 99999999999\r\n\r\n", b"Connection: close\r\n\r\n"])
def test_a_body_larger_than_the_cap_is_refused(head: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(HEAD + head)
        for _ in range(40):
            connection.sendall(b" " * 65536)

    with raw_socket(talk) as url:
        error, _ = ask(url, deadline_seconds=5.0, caps=Caps(wire=MIB))
    assert error.reason is Reason.TOO_LARGE
    assert "1 MiB" in error.message


def test_a_url_that_is_none_is_a_configuration_error() -> None:
    for url in ("ftp://host/x", "nonsense", "http://host:notaport"):
        error, _ = ask(url)
        assert error.reason is Reason.CONFIG, url
