"""A server that thinks as little as it can: ready text, over kept connections, from a separate process."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Final

Answer = Callable[[bytes, bytes], bytes]
"""Makes the whole answer to the first line and the body of a request."""

_ROOT: Final = Path(__file__).parents[2]


@contextmanager
def serving_module(module: str, *arguments: str) -> Iterator[str]:
    """Run a module that calls `serve`, and give its base URL, without a path."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def arguments() -> argparse.ArgumentParser:
    """Return what every such module understands."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-ms", type=float, default=0, help="how long each answer waits")
    return parser


def serve(answer: Answer, *, latency_ms: float) -> None:
    """Serve until terminated; the first line printed is the base URL."""
    asyncio.run(_serve(answer, latency_ms / 1000))


def message(body: str) -> bytes:
    """Return an answer with this JSON."""
    head = (
        "HTTP/1.1 200 OK\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n"
        "Server: canned\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "\r\n"
    )
    return (head + body).encode("ascii")


class _Connection(asyncio.Protocol):
    """One client's connection; it is kept, and requests on it come one after the other."""

    def __init__(self, answer: Answer, latency_s: float) -> None:
        self._answer = answer
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
        answer = self._answer(head.partition(b"\r\n")[0], body)
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


async def _serve(answer: Answer, latency_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(answer, latency_s), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201 - told to `serving_module`
    async with server:
        await server.serve_forever()
