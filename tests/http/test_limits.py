"""No server can hold a call beyond its total time, nor fill the memory, be it by bytes or by values."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import TYPE_CHECKING

import attrs
import pytest

from voucher_gateway.provider_api import (
    Intent,
    MalformedResponse,
    OutcomeUnknown,
    Path,
    ProviderUnavailable,
    Request,
    Response,
)

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve, Visit

LOOK = Request(method="GET", path=Path.of("/jars"))
CHARGE = Request(method="POST", path=Path.of("/charges"), json={"amount": "10.53"})

MB = 1024 * 1024
TOTAL_S = 0.6
# Far beyond any total time here, also on a busy machine. Whatever does not keep the total time takes longer.
FAR_S = 15
HEAD = b"HTTP/1.1 200 OK\r\n"


def sends(pieces: Callable[[], Iterator[bytes]], every_s: float) -> Callable[[Visit], None]:
    def play(visit: Visit) -> None:
        visit.asked()
        for piece in pieces():
            visit.drip(piece, every_s)

    return play


SLOW = {
    "it drips its headers": sends(lambda: chain([HEAD], repeat(b"X-A: b\r\n")), 0.02),
    "it drips its body": sends(lambda: chain([HEAD + b"Content-Length: 99999\r\n\r\n"], repeat(b" ")), 0.01),
    "it drips its chunks": sends(
        lambda: chain([HEAD + b"Transfer-Encoding: chunked\r\n\r\n"], repeat(b"1\r\n \r\n")), 0.01
    ),
    "it drips what follows the last chunk": sends(
        lambda: chain([HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"], repeat(b"X: y\r\n")), 0.01
    ),
    "it drips compressed bytes": sends(
        lambda: chain([HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\0"], repeat(b"a")), 0.01
    ),
    "it asks to go on for ever": sends(lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), 0.001),
}


@pytest.mark.parametrize("name", SLOW)
def test_the_total_time_holds_when(
    name: str, serve: Serve, client_of: ClientOf, intent: Intent, stopwatch: Callable[[], float]
) -> None:
    server = serve(SLOW[name])
    # The time for one wait would let a drip go on for ever.
    client = client_of(server, read_timeout_s=30, total_timeout_s=TOTAL_S, tries=3)
    with pytest.raises(OutcomeUnknown) as left_open:
        client.change(CHARGE, intent, Response.json)
    assert TOTAL_S <= stopwatch() < FAR_S
    assert left_open.value.ticket.reason == "no complete answer within the time allowed"


def test_repeats_of_a_read_share_its_total_time(
    serve: Serve, client_of: ClientOf, stopwatch: Callable[[], float]
) -> None:
    def fall_silent(visit: Visit) -> None:
        visit.asked()
        visit.silence()

    server = serve(fall_silent)
    with pytest.raises(ProviderUnavailable):
        client_of(server, read_timeout_s=0.1, total_timeout_s=1, tries=1000).read(LOOK, Response.json)
    assert len(server.heard) >= 2
    assert stopwatch() < FAR_S


def test_the_total_time_holds_against_a_server_that_does_not_take_the_request(
    serve: Serve, client_of: ClientOf, intent: Intent, stopwatch: Callable[[], float]
) -> None:
    client = client_of(serve(lambda visit: visit.silence()), read_timeout_s=30, total_timeout_s=2)
    large = Request(method="POST", path=Path.of("/charges"), json={"note": "x" * 12 * MB})
    with pytest.raises(OutcomeUnknown):
        client.change(large, intent, Response.json)
    assert stopwatch() < FAR_S


class Flood:
    """Sends a body without an end, and counts what it could get rid of."""

    def __init__(self, head: bytes, chunked: bool = False) -> None:
        self.sent = 0
        self._head = HEAD + head + b"\r\n"
        self._piece = bytes(MB)
        if chunked:
            self._piece = b"%x\r\n%b\r\n" % (MB, self._piece)

    def __call__(self, visit: Visit) -> None:
        visit.asked()
        visit.send(self._head)
        for _ in range(200):
            visit.send(self._piece)
            self.sent += MB


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """Tells the most memory that was in use at once since the test began, in bytes."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("head", "chunked"),
    [(b"Content-Length: %d\r\n" % (200 * MB), False), (b"", False), (b"Transfer-Encoding: chunked\r\n", True)],
    ids=["announced", "not announced", "chunked"],
)
def test_a_body_of_200_mb_is_dropped_at_the_limit(
    head: bytes, chunked: bool, serve: Serve, client_of: ClientOf, intent: Intent, peak: Callable[[], int]
) -> None:
    flood = Flood(head, chunked)
    server = serve(flood)
    client = client_of(server, max_reply_bytes=2 * MB, total_timeout_s=5, tries=3)
    with pytest.raises(OutcomeUnknown) as left_open:
        client.change(CHARGE, intent, Response.json)
    assert left_open.value.ticket.reason == "the answer is larger than allowed"
    assert flood.sent < 60 * MB
    assert peak() < 16 * MB
    assert len(server.visits) == 1


def test_a_read_does_not_ask_again_for_what_is_too_large(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=lambda _: (200, " " * 101))
    with pytest.raises(MalformedResponse, match="GET /jars: the answer is larger than allowed"):
        client_of(server, max_reply_bytes=100, tries=3).read(LOOK, Response.json)
    assert len(server.heard) == 1


def test_an_answer_of_just_the_limit_is_read(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=lambda _: (200, "1" + " " * 99))
    assert client_of(server, max_reply_bytes=100).read(LOOK, Response.json) == 1


def bomb(*encodings: str) -> bytes:
    """64 MB of blanks, packed."""
    body = bytes(64 * MB)
    for encoding in encodings:
        packing = zlib.compressobj(1, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
        body = packing.compress(body) + packing.flush()
    return body


@pytest.mark.parametrize("encodings", [("gzip",), ("deflate",), ("gzip", "gzip")], ids=", ".join)
def test_a_small_answer_that_unpacks_to_a_large_one_is_dropped_at_the_limit(
    encodings: tuple[str, ...], serve: Serve, client_of: ClientOf, intent: Intent, peak: Callable[[], int]
) -> None:
    body = bomb(*encodings)
    tracemalloc.reset_peak()
    head = b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (", ".join(encodings).encode(), len(body))

    def play(visit: Visit) -> None:
        visit.asked()
        visit.send(HEAD + head + body)

    client = client_of(serve(play), max_reply_bytes=2 * MB, total_timeout_s=5)
    with pytest.raises(OutcomeUnknown) as left_open:
        client.change(CHARGE, intent, Response.json)
    assert left_open.value.ticket.reason == "the answer is larger than allowed"
    assert peak() < 16 * MB


LISTS = 32_000_000
IMPATIENT_CHILD = """
import resource, sys, time
from voucher_gateway.provider_api import HttpClient, HttpSettings, MalformedResponse, Path, Request, Response

client = HttpClient("shop", HttpSettings(base_url=sys.argv[1]), explain=lambda reply: None)
before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
try:
    client.read(Request(method="GET", path=Path.of("/jars"), returns_page=sys.argv[2] == "page"), Response.json)
except MalformedResponse as error:
    print(error.message)
after = resource.getrusage(resource.RUSAGE_SELF)
print((after.ru_maxrss - before.ru_maxrss) // 1024)
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
"""


def empty_lists(size: int) -> Callable[[Visit], None]:
    """Answers with a gzipped list of empty lists, of so many bytes when it is unpacked."""
    packing = zlib.compressobj(6, zlib.DEFLATED, 31)
    body = packing.compress(b"[" + b"[]," * (size // 3 - 1) + b"[]]") + packing.flush()
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)

    def play(visit: Visit) -> None:
        while visit.asked():
            visit.send(HEAD + head + body)

    return play


@pytest.mark.parametrize(
    ("kind", "size", "message"),
    [
        ("object", 2_000_000, "more than 20000 values"),
        ("object", LISTS, "the answer is larger than allowed"),
        pytest.param("page", LISTS, "the answer is larger than allowed", marks=pytest.mark.long),
        pytest.param("page", 8_000_000, "more than 250000 values", marks=pytest.mark.long),
    ],
)
def test_a_small_answer_with_millions_of_values_costs_little_by_default(
    kind: str, size: int, message: str, serve: Serve
) -> None:
    server = serve(empty_lists(size))
    child = subprocess.run(
        [sys.executable, "-c", IMPATIENT_CHILD, server.url, kind],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said, mebibytes, cpu_s = child.stdout.splitlines()
    assert message in said
    assert int(mebibytes) < 64
    assert float(cpu_s) < 1
    assert len(server.heard) == 1


def test_a_change_whose_answer_has_too_many_values_is_unknown(
    serve: Serve, client_of: ClientOf, intent: Intent, peak: Callable[[], int]
) -> None:
    client = client_of(serve(empty_lists(1_000_000)), total_timeout_s=5)
    with pytest.raises(OutcomeUnknown, match="the reply has more than 20000 values"):
        client.change(CHARGE, intent, Response.json)
    assert peak() < 16 * MB


@pytest.mark.parametrize(
    ("piece", "reads"),
    [
        (b'{"a":', False),
        (b'"\\," ', True),
        pytest.param(b'",', False, marks=pytest.mark.long),
        pytest.param(b'""', True, marks=pytest.mark.long),
        pytest.param(b'"," ', True, marks=pytest.mark.long),
    ],
)
def test_counting_the_values_of_many_short_texts_costs_little(
    piece: bytes, reads: bool, peak: Callable[[], int]
) -> None:
    body = piece * (8 * MB // len(piece))
    tracemalloc.reset_peak()
    before, began = peak(), time.process_time()
    reply = Response(status=200, headers={}, body=body, max_values=250_000)
    with pytest.raises(MalformedResponse, match="not strict JSON" if reads else "more than 250000 values"):
        reply.json()
    assert time.process_time() - began < 2
    assert peak() - before < 40 * MB


@pytest.mark.parametrize(
    ("body", "values"),
    [("[1, 2, 3]", 4), ('{"a": [true, null], "b": {}}', 6), ('["a,b,[{", "\\\\", ",\\",,"]', 4)],
)
def test_values_are_counted_and_punctuation_in_texts_is_not(
    body: str, values: int, serve: Serve, client_of: ClientOf
) -> None:
    server = serve(each=lambda _: (200, body))
    client_of(server, max_reply_values=values).read(LOOK, Response.json)
    with pytest.raises(MalformedResponse, match=f"the reply has more than {values - 1} values"):
        client_of(server, max_reply_values=values - 1).read(LOOK, Response.json)


def test_a_page_may_be_larger_than_an_object(serve: Serve, client_of: ClientOf) -> None:
    page = attrs.evolve(LOOK, returns_page=True)
    server = serve(each=lambda _: (200, "[" + "1," * 40 + "1]"))
    limits = {"max_reply_bytes": 80, "max_page_bytes": 200, "max_reply_values": 40, "max_page_values": 50}
    client = client_of(server, **limits)
    assert client.read(page, Response.json) == [1] * 41
    with pytest.raises(MalformedResponse, match="larger than allowed"):
        client.read(LOOK, Response.json)
    for name, message in (("max_page_bytes", "larger than allowed"), ("max_page_values", "more than 41 values")):
        with pytest.raises(MalformedResponse, match=message):
            client_of(server, **{**limits, name: 41}).read(page, Response.json)


def test_unpacking_counts_against_the_total_time(
    serve: Serve, client_of: ClientOf, intent: Intent, stopwatch: Callable[[], float]
) -> None:
    empty = zlib.compressobj(6, zlib.DEFLATED, 31)
    member = empty.compress(b"") + empty.flush()

    def play(visit: Visit) -> None:
        visit.asked()
        visit.send(HEAD + b"Content-Encoding: gzip\r\n\r\n")
        while not visit.server_is_closing(0):
            visit.send(member * 10_000)

    with pytest.raises(OutcomeUnknown) as left_open:
        client_of(serve(play), max_reply_bytes=32 * MB, total_timeout_s=TOTAL_S).change(CHARGE, intent, Response.json)
    assert left_open.value.ticket.reason == "no complete answer within the time allowed"
    assert stopwatch() < FAR_S


def test_a_compressed_answer_is_read(serve: Serve, client_of: ClientOf) -> None:
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = packing.compress(b'{"ok": true}') + packing.flush()

    def play(visit: Visit) -> None:
        while visit.asked():
            visit.send(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    server = serve(play)
    client = client_of(server)
    assert [client.read(LOOK, Response.json) for _ in range(2)] == [{"ok": True}] * 2
    assert len(server.visits) == 1
