"""The points at which a process can die: before and after every request and every commit."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy.engine import Connection

from voucher_gateway.http.messages import EncodedRequest, Response
from voucher_gateway.http.transport import Transport
from voucher_gateway.storage.engine import Database

STRIKES: Final[Mapping[str, int]] = {
    "kill": signal.SIGKILL,
    "freeze": signal.SIGSTOP,
    "interrupt": signal.SIGINT,
}


def _shape(path: str) -> str:
    """Return a path with its ids struck out: they are drawn anew for every process."""
    parts = path.split("/")
    return "/".join("*" if len(part) > 8 and any(map(str.isdigit, part)) else part for part in parts)


class Points:
    """Counts the points that this process comes by, and strikes it at one of them.

    Args:
        at: the number of the point, from 0; None only counts.
        strike: a key of `STRIKES`.
        heard: told of the point right before it strikes.
    """

    def __init__(
        self, at: int | None = None, strike: str = "kill", heard: Callable[[str], None] = lambda _: None
    ) -> None:
        self.passed: list[str] = []
        self._at = at
        self._strike = strike
        self._heard = heard

    def pass_by(self, label: str) -> None:
        """Come by a point."""
        self.passed.append(label)
        if len(self.passed) - 1 == self._at:
            self._heard(label)
            os.kill(os.getpid(), STRIKES[self._strike])

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch all databases and all transports of this process meanwhile."""
        write, send = Database.write, Transport.send

        @contextmanager
        def watched_write(database: Database) -> Iterator[Connection]:
            with write(database) as connection:
                yield connection
                self.pass_by("before a commit")
            self.pass_by("after a commit")

        def watched_send(
            transport: Transport, request: EncodedRequest, *, deadline: float, returns_page: bool = False
        ) -> Response:
            where = f"{request.method} {_shape(urlsplit(request.url).path)}"
            self.pass_by(f"before {where}")
            reply = send(transport, request, deadline=deadline, returns_page=returns_page)
            self.pass_by(f"after {where}")
            return reply

        # Set past the type checker: the one is a method, the other a plain function, and both work as methods.
        door: Any = {"write": (Database, watched_write), "send": (Transport, watched_send)}
        for name, (owner, watcher) in door.items():
            setattr(owner, name, watcher)
        try:
            yield
        finally:
            for (owner, _), name, original in zip(door.values(), door, (write, send), strict=True):
                setattr(owner, name, original)
