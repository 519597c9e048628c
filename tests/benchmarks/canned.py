"""A vendor that only repeats itself: JTL's answers from ready bytes, in a process of its own.

So what a benchmark measures is the client, and not a simulator that thinks. Run by `serving`, or by hand::

    python -m tests.benchmarks.canned --latency-ms 30 --pages 200
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

ON_A_PAGE: Final = 100
_ROOT: Final = Path(__file__).parents[2]


@contextmanager
def serving(*, latency_ms: float = 0, pages: int = 1) -> Iterator[str]:
    """Serve from another process, and give the base URL.

    Args:
        latency_ms: how long each answer waits, in milliseconds.
        pages: how many pages of `ON_A_PAGE` vouchers the list has.
    """
    command = [sys.executable, "-m", "tests.benchmarks.canned", "--latency-ms", str(latency_ms), "--pages", str(pages)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def voucher(id: str) -> dict[str, object]:
    """Return a voucher with every field that the seed shows in a list."""
    return {
        "id": id,
        "client_id": "8f14e45fceea167a5a36dedd4bea2543",
        "sku": "GIFT-50",
        "batch": "christmas",
        "amount": "50.00",
        "currency": "EUR",
        "valid_until": "2029-12-31T22:59:59+00:00",
        "validity_value": 3,
        "validity_interval": "years",
        "status": "active",
        "type": "digital",
        "taxable": False,
        "tax_rate": None,
        "order_number": "1001",
        "data": None,
        "created_at": "2026-11-20T12:00:00+00:00",
        "updated_at": "2026-11-20T12:00:00+00:00",
        "remaining_amount": "39.47",
        "deletable": False,
    }


class Answers:
    """All that the vendor ever says. What it said lately it has at hand, so that it does not slow the client down.

    Args:
        pages: how many pages its list has.
    """

    def __init__(self, pages: int) -> None:
        self.to = lru_cache(maxsize=256)(self._to)
        self._pages = pages
        self._entries = ",".join(json.dumps(voucher(f"voucher-PAGE-{number}")) for number in range(ON_A_PAGE))
        self._token = json.dumps({"access_token": "a-token", "token_type": "Bearer", "expires_in": 86400})
        self._one = json.dumps(voucher("one"))

    def _to(self, line: bytes) -> bytes:
        """Return the whole answer to a request with this first line."""
        method, target, _ = line.decode("ascii").split(" ")
        parts = urlsplit(target)
        if method == "POST":
            return _message(self._token)
        if not parts.path.endswith("/vouchers"):
            return _message(self._one)
        number = int(parse_qs(parts.query)["page"][0])
        meta = json.dumps(
            {
                "current_page": number,
                "per_page": ON_A_PAGE,
                "last_page": self._pages,
                "total": self._pages * ON_A_PAGE,
            }
        )
        return _message(f'{{"data": [{self._entries.replace("PAGE", str(number))}], "meta": {meta}}}')


def _message(body: str) -> bytes:
    head = (
        "HTTP/1.1 200 OK\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n"
        "Server: canned\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "\r\n"
    )
    return (head + body).encode("ascii")


class Connection(asyncio.Protocol):
    """One client's connection; it is kept, and requests on it come one after the other."""

    def __init__(self, answers: Answers, latency_s: float) -> None:
        self._answers = answers
        self._latency_s = latency_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer as soon as the request is complete."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._received = b""
        answer = self._answers.to(head.partition(b"\r\n")[0])
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, self._transport.write, answer)
        else:
            self._transport.write(answer)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _serve(answers: Answers, latency_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Connection(answers, latency_s), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)  # noqa: T201 - told to `serving`
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve until terminated; the first line printed is the base URL."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--pages", type=int, default=1)
    given = parser.parse_args()
    asyncio.run(_serve(Answers(given.pages), given.latency_ms / 1000))


if __name__ == "__main__":
    main()
