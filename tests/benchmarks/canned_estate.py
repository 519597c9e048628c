"""Two vendors that only say what a migration needs to hear, from ready text, in a process of their own.

One speaks as JTL does, the other as the ticketing vendor, on one port. What is said of a voucher follows from its id
alone, but for one thing: whether it was frozen. Run by `serving_estate`, or by hand::

    python -m tests.benchmarks.canned_estate --latency-ms 20
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
from pathlib import Path

from tests.benchmarks.canned import voucher

_ROOT = Path(__file__).parents[2]
VALUE = "39.47"


@contextmanager
def serving_estate(*, latency_ms: float) -> Iterator[str]:
    """Serve from another process, and give the base URL, without a path."""
    command = [sys.executable, "-m", "tests.benchmarks.canned_estate", "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def code_of(id: str) -> str:
    """Return the code of the source's voucher of this id."""
    return f"JTL-{id}"


class Estate:
    """All that both vendors say."""

    def __init__(self) -> None:
        self._frozen: set[str] = set()
        self._source = json.dumps({**voucher("ID"), "remaining_amount": VALUE, "type": None, "sku": None})
        self._token = json.dumps({"access_token": "a-token", "token_type": "Bearer", "expires_in": 86400})

    def to(self, line: bytes, body: bytes) -> bytes:
        """Return the whole answer to a request."""
        method, target, _ = line.decode("ascii").split(" ")
        parts = target.split("/")
        if target.startswith("/oauth/"):
            return _message(self._token)
        if target.startswith("/api/"):
            return _message(self._at_target(json.loads(body)["code"] if method == "POST" else parts[3][1:]))
        id = parts[3]
        if method == "PATCH":
            self._frozen.add(id)
        text = self._source.replace('"ID"', f'"{id}"')
        if id in self._frozen:
            text = text.replace('"active"', '"inactive"').replace('"2029-12-31T22:59:59+00:00"', "null")
        if parts[-1] == "complete":
            text = text.replace('"sku"', f'"code": "{code_of(id)}", "pin": null, "sku"')
        return _message(text)

    def _at_target(self, code: str) -> str:
        at = "2026-11-20T12:00:00.000Z"
        until = '"validUntil": "2029-12-31T22:59:59.000Z"'
        return (
            f'{{"_id": "t{code}", "code": "{code}", "amount": {VALUE}, {until}, "origin": "default",'
            f' "sellerId": "a-seller", "createdAt": "{at}", "updatedAt": "{at}"}}'
        )


def _message(body: str) -> bytes:
    head = (
        "HTTP/1.1 200 OK\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "\r\n"
    )
    return (head + body).encode("ascii")


class Connection(asyncio.Protocol):
    """One client's connection; it is kept, and requests on it come one after the other."""

    def __init__(self, estate: Estate, latency_s: float) -> None:
        self._estate = estate
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
        answer = self._estate.to(head.partition(b"\r\n")[0], body)
        asyncio.get_running_loop().call_later(self._latency_s, self._transport.write, answer)


def _length(head: bytes) -> int:
    place = head.lower().find(b"content-length:")
    return 0 if place < 0 else int(head[place + 15 :].partition(b"\r\n")[0])


async def _serve(latency_s: float) -> None:
    estate = Estate()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(estate, latency_s), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)  # noqa: T201 - told to `serving_estate`
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve until terminated; the first line printed is the base URL."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-ms", type=float, default=20)
    asyncio.run(_serve(parser.parse_args().latency_ms / 1000))


if __name__ == "__main__":
    main()
