"""A vendor small enough to see through, so that these tests are about the kit alone."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from attrs import evolve, frozen

from voucher_gateway.simulator import (
    InvalidJson,
    Refused,
    Reply,
    Request,
    Route,
    RunningSimulator,
    Simulator,
    SimulatorOptions,
    start,
)


@frozen(kw_only=True)
class JarOptions(SimulatorOptions):
    label: str = "cookies"


class JarSimulator(Simulator):
    """Jars that hold a number of cookies; `POST /jars/{name}` adds some."""

    name = "jar"
    options_type = JarOptions
    faults_without_meaning = frozenset({"replace-reservation"})

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.jars: dict[str, int] = {}
        self.token = "good"

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/jars", self.list_jars, look_up=True),
            Route("GET", "/jars/best", lambda request: Reply(200, {"name": "best"})),
            Route("GET", "/jars/{name}", self.show),
            Route("POST", "/jars/{name}", self.add),
            Route("POST", "/token", self.issue_token),
            Route("POST", "/mistake", self.mistake),
            Route("GET", "/text", lambda request: Reply(200, "plain text as JSON")),
            Route("DELETE", "/jars/{name}", self.delete),
        ]

    def error_reply(self, status: int, message: str) -> Reply:
        return Reply(status, {"oops": message})

    def announcement(self, base: str) -> dict[str, str]:
        options = self.options
        assert isinstance(options, JarOptions)
        return {"base_url": base, "label": options.label}

    def list_jars(self, request: Request) -> Reply:
        return Reply(200, {"jars": dict(self.jars), "token": request.headers.get("Authorization", "")})

    def show(self, request: Request) -> Reply:
        name = request.parts["name"]
        query = list(request.query.items(multi=True))
        return Reply(200, {"name": name, "cookies": self.jars.get(name), "query": query})

    def add(self, request: Request) -> Reply:
        if request.headers.get("X-Token", self.token) != self.token:
            raise Refused(self.error_reply(401, "another token, please"))
        try:
            given = request.json()
        except InvalidJson as bad:
            raise Refused(self.error_reply(400, str(bad))) from None
        assert isinstance(given, dict)
        name = request.parts["name"]
        self.jars[name] = self.jars.get(name, 0) + given["amount"]
        return Reply(201, {"name": name, "amount": given["amount"]})

    def issue_token(self, request: Request) -> Reply:
        self.token = "good"
        return Reply(200, {"form": dict(request.form())})

    def mistake(self, request: Request) -> Reply:
        raise ZeroDivisionError("the kit's tests want this")

    def delete(self, request: Request) -> Reply:
        self.jars.pop(request.parts["name"], None)
        return Reply(204)

    def seed(self, count: int) -> None:
        for _ in range(count):
            self.insert_voucher()

    def ledger(self) -> list[dict[str, object]]:
        return [{"id": name, "remaining": str(count)} for name, count in self.jars.items()]

    def dump(self) -> dict[str, object]:
        return {"jars": dict(self.jars)}

    def load(self, state: Any) -> None:
        self.jars = dict(state["jars"])

    def insert_voucher(self) -> None:
        self.jars[f"jar-{len(self.jars)}-{self.random.randrange(10**9)}"] = self.random.randrange(100)

    def distort(self, reply: Reply) -> Reply:
        assert isinstance(reply.body, dict)
        return evolve(reply, body={**reply.body, "amount": reply.body["amount"] + 1})

    def expire_tokens(self) -> None:
        self.token = "another"


@pytest.fixture
def jar() -> Iterator[RunningSimulator]:
    with start(JarSimulator) as running:
        yield running


@pytest.fixture
def start_jar() -> Iterator[Callable[..., RunningSimulator]]:
    """Start jars with options, and close them at the end."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(start(JarSimulator, **options))


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def open_connection() -> Callable[[RunningSimulator], socket.socket]:
    """Connects, for talk that `requests` would not show or not allow."""

    def connect(running: RunningSimulator) -> socket.socket:
        parts = urlsplit(running.announcement["base_url"])
        return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5)

    return connect


@pytest.fixture
def talk() -> Callable[[RunningSimulator, bytes], bytes]:
    """Send bytes as they are, say that no more follow, and return all that comes back."""

    def send(running: RunningSimulator, data: bytes) -> bytes:
        parts = urlsplit(running.announcement["base_url"])
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while block := connection.recv(65536):
                answer += block
            return answer

    return send
