"""A vendor that answers from a file of recorded replies, for whoever has no simulator, and the making of that file.

The file is one JSON object::

    {
      "format": 1,
      "announcement": {"base_url": "{base}/v1", "api_key": "made-up"},
      "ledger": [{"id": "1", "code": "A-1", "currency": "EUR", "initial": "10.53", "remaining": "10.53",
                  "reserved": "0.00", "status": "active", "valid_until": null, "movements": []}],
      "refusals": {"401": {"error": "not allowed"}},
      "exchanges": [
        {"request": "GET /v1/vouchers?code=A-1", "status": 200, "reply": {"vouchers": []}},
        {"request": "GET /v1/vouchers?code=*", "status": 200, "reply": {"vouchers": []}}
      ]
    }

The ledger is the truth, which its author states and answers for. Of the exchanges, one whose request is the very same
wins, then the first whose `*` stands for what differs; the order of a query's fields does not matter. A ``reply`` is
JSON; ``text`` in its place is a body of any other kind. Refusals give the vendor's own body for a status of the kit.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from attrs import evolve, frozen

from voucher_gateway.simulator.messages import Reply, Request
from voucher_gateway.simulator.routing import Route
from voucher_gateway.simulator.simulator import Simulator, SimulatorOptions
from voucher_gateway.simulator.strict_json import InvalidJson, read_json, write_json

FORMAT: Final = 1
"""The version of the file's format."""

_NOT_PASSED_ON: Final = frozenset({"host", "connection", "content-length", "accept-encoding", "transfer-encoding"})
_KEPT_HEADERS: Final = frozenset({"content-type", "retry-after"})
_TOKENS: Final = ("access_token", "refresh_token", "id_token")


class NotRecorded(LookupError):
    """A request for which the file has no reply. The message has the request, codes included."""


@frozen
class Exchange:
    """One request and its reply.

    Attributes:
        request: the method, the raw path and the query.
        reply: what the vendor answered.
    """

    request: str
    reply: Reply

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Exchange:
        """Read one entry of a file."""
        body = entry["text"].encode() if "text" in entry else entry.get("reply", b"")
        headers = tuple((str(name), str(value)) for name, value in entry.get("headers", {}).items())
        return cls(_sort_query(entry["request"]), Reply(int(entry.get("status", 200)), body, headers))

    def entry(self) -> bytes:
        """Write the entry of a file."""
        entry: dict[str, Any] = {"request": self.request, "status": self.reply.status}
        if headers := {name: value for name, value in self.reply.headers if name.lower() in _KEPT_HEADERS}:
            entry["headers"] = headers
        if isinstance(self.reply.body, bytes):
            entry["text"] = self.reply.body.decode("utf-8", "replace")
        else:
            entry["reply"] = self.reply.body
        return write_json(entry)


class RecordedSimulator(Simulator):
    """Answers from a file. Derive a class whose `file` names it.

    What needs a vendor who remembers cannot be tried on it: nothing is issued or spent, so that a provider reaches the
    read level with it and no more. Faults of the kit work as ever.

    Attributes:
        file: where the recording is.
        highest_level: of the contract that can be reached: reading.
    """

    name: ClassVar[str] = "recorded"
    file: ClassVar[Path]
    highest_level: ClassVar[int] = 1
    faults_without_meaning: ClassVar[frozenset[str]] = frozenset(
        {"expire-token", "replace-reservation", "insert-while-paging", "wrong-echo", "lagging-lookups"}
    )

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        recording: Any = read_json(self.file.read_bytes())
        if not isinstance(recording, dict) or recording.get("format") != FORMAT:
            raise ValueError(f"{self.file.name} is no recording of format {FORMAT}")
        self._announcement: dict[str, str] = recording["announcement"]
        self._ledger: list[dict[str, object]] = recording["ledger"]
        self._refusals: dict[str, object] = recording.get("refusals", {})
        self._exchanges = [Exchange.of(entry) for entry in recording["exchanges"]]
        self._same = {exchange.request: exchange.reply for exchange in reversed(self._exchanges)}

    def routes(self) -> Sequence[Route]:
        """None: every request is looked up in the file, whatever its path."""
        return ()

    def not_found(self, request: Request) -> Reply:
        """Return the recorded reply.

        Raises:
            NotRecorded: if there is none, so that the simulator counts as broken and the test says so.
        """
        wanted = request_text(request)
        if wanted in self._same:
            return self._same[wanted]
        for exchange in self._exchanges:
            if "*" in exchange.request and _pattern(exchange.request).fullmatch(wanted):
                return exchange.reply
        raise NotRecorded(f"{self.file.name} has no reply to {wanted}")

    def error_reply(self, status: int, message: str) -> Reply:
        """Return the refusal that the file states for the status, or else one of our own."""
        return Reply(status, self._refusals.get(str(status), {"message": message}))

    def announcement(self, base: str) -> dict[str, str]:
        """What the file announces, with the address of this server in place of ``{base}``."""
        return {name: text.replace("{base}", base) for name, text in self._announcement.items()}

    def seed(self, count: int) -> None:
        """Nothing: the vouchers are those of the recording."""

    def ledger(self) -> list[dict[str, object]]:
        """The truth that the author of the recording states."""
        return [dict(entry) for entry in self._ledger]

    def dump(self) -> dict[str, object]:
        """Nothing: a recording does not change."""
        return {}

    def load(self, state: dict[str, object]) -> None:
        """Nothing, as `dump` saves nothing."""

    def insert_voucher(self) -> None:
        """Nothing: the fault has no meaning here."""

    def distort(self, reply: Reply) -> Reply:
        """Return the reply as it is: the fault has no meaning here."""
        return reply


def recording(
    file: Path, upstream: str, *, announcement: Mapping[str, str], ledger: Iterable[Mapping[str, object]]
) -> type[RecordedSimulator]:
    """Return a simulator that passes reads on to a real vendor or another simulator, and writes them down.

    Give it to a contract class in place of a simulator and run the read level once, then derive a `RecordedSimulator`
    from the file. Only GET requests and posts to a path that ends in ``token`` are passed on. Credentials and tokens
    are not written down; everything else is, codes included: record a sandbox.

    Args:
        file: where to write; after each new exchange it is whole.
        upstream: where the vendor is, such as "https://sandbox.example.com": scheme and host.
        announcement: what the provider's settings need, with ``{base}`` where the address of this server is due.
        ledger: the truth, as in a recording.
    """
    contents, books = dict(announcement), [dict(entry) for entry in ledger]
    seen: dict[str, Exchange] = {}
    lock = threading.Lock()

    class Recording(RecordedSimulator):
        def __init__(self, options: SimulatorOptions) -> None:
            Simulator.__init__(self, options)
            self._announcement, self._ledger = contents, books
            self._refusals, self._exchanges, self._same = {}, [], {}

        def not_found(self, request: Request) -> Reply:
            if request.method != "GET" and not request.raw_path.endswith("token"):
                raise NotRecorded(f"{request.method} is not passed on: a recording is for reading")
            exchange = Exchange(request_text(request), _forward(upstream, request))
            with lock:
                if exchange.request not in seen:
                    seen[exchange.request] = exchange
                    _write(file, contents, books, seen.values())
            return exchange.reply

    Recording.file = file
    return Recording


def request_text(request: Request) -> str:
    """Return a request as recordings name it."""
    query = f"?{request.raw_query}" if request.raw_query else ""
    return _sort_query(f"{request.method} {request.raw_path}{query}")


def _sort_query(text: str) -> str:
    path, mark, query = text.partition("?")
    return f"{path}{mark}{'&'.join(sorted(query.split('&')))}"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


def _forward(upstream: str, request: Request) -> Reply:
    where = urlsplit(upstream)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.netloc, timeout=30)
    connection.set_debuglevel(0)  # whatever a test does to the debug lines of its own clients
    try:
        target = request.raw_path + (f"?{request.raw_query}" if request.raw_query else "")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON}
        connection.request(request.method, target, request.body or None, headers)
        answer = connection.getresponse()
        body = answer.read()
        kept = tuple((name, value) for name, value in answer.getheaders() if name.lower() in _KEPT_HEADERS)
        return Reply(answer.status, _document(body), kept)
    finally:
        connection.close()


def _document(body: bytes) -> object:
    try:
        return read_json(body)
    except InvalidJson:
        return body


def _write(
    file: Path, announcement: Mapping[str, str], ledger: list[dict[str, object]], exchanges: Iterable[Exchange]
) -> None:
    made_up = {name: text if "{base}" in text else f"recorded-{name}" for name, text in announcement.items()}
    head = {"format": FORMAT, "recorded": datetime.now(UTC).date().isoformat(), "announcement": made_up}
    lines = b",\n".join(_without_tokens(exchange).entry() for exchange in exchanges)
    text = json.dumps(head, indent=1).removesuffix("\n}").encode()
    text += b',\n "ledger": [\n' + b",\n".join(map(write_json, ledger)) + b'\n],\n "exchanges": [\n' + lines + b"\n]}\n"
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_bytes(text)
    fresh.replace(file)


def _without_tokens(exchange: Exchange) -> Exchange:
    body = exchange.reply.body
    if not isinstance(body, dict) or not any(name in body for name in _TOKENS):
        return exchange
    made_up = {name: f"recorded-{name}" if name in _TOKENS else value for name, value in body.items()}
    return evolve(exchange, reply=evolve(exchange.reply, body=made_up))
