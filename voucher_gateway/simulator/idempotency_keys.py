"""The idempotency keys that a vendor has seen, each with the reply that the vendor repeats for it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import evolve, frozen

from voucher_gateway.simulator.http.messages import Refused, Reply, Request
from voucher_gateway.simulator.http.strict_json import InvalidJson, read_json
from voucher_gateway.simulator.state_file import from_records, to_records

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@frozen(kw_only=True)
class StoredReply:
    """A reply as the state file keeps it: `body` is the JSON text, or the bytes as latin-1 if `is_json` is false."""

    status: int
    body: str
    is_json: bool
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, reply: Reply) -> StoredReply:
        """Return the form in which a reply is kept."""
        is_json = not isinstance(reply.body, bytes)
        return cls(status=reply.status, body=reply.payload().decode("latin-1"), is_json=is_json, headers=reply.headers)

    def to_reply(self) -> Reply:
        """Return the reply, with a body that shares no parts with other replies."""
        payload = self.body.encode("latin-1")
        return Reply(self.status, read_json(payload) if self.is_json else payload, self.headers)


@frozen(kw_only=True)
class KeyRecord:
    """A key that a vendor has seen.

    Attributes:
        key: as the client sent it.
        scope: a digest of the scope, which may be a token.
        content: a digest of what the first request asked for; None if it is not known.
        at: the time of the first request.
        reply: the reply to repeat; None while the first request is still carried out.
    """

    key: str
    scope: str
    content: str | None
    at: datetime
    reply: StoredReply | None = None


def request_content(request: Request) -> object:
    """Return what two requests with the same key must have in common: method, path, query and body.

    Bodies of JSON are compared by their values: the order of the members and blanks do not count.
    """
    try:
        body: object = request.json()
    except InvalidJson:
        body = request.body.decode("latin-1")
    return [request.method, request.raw_path, request.raw_query, body]


def keeps_settled(reply: Reply) -> bool:
    """Return whether a reply says for certain what happened: every status but 409, 429 and those from 500 on."""
    return reply.status not in {409, 429} and reply.status < 500


class IdempotencyKeys:
    """The keys of a vendor: a request with a key that was seen before is not carried out again.

    Use it under the simulator's lock, as in handlers. Keep it in the state file by `dump` and `load`.

    Args:
        now: the simulator's clock.
        running: makes the reply to a request whose key belongs to a request that is still carried out.
        reused: makes the reply to a key that comes with another request; None for a vendor that compares no requests
            and repeats the first reply.
        content: what makes a request another one.
        keeps: whether a reply is repeated; the key of any other reply is forgotten, so that the next request with it is
            carried out.
        lifetime_s: how many virtual seconds a key is remembered; None for ever.
        cleaned_every_s: the virtual seconds between two runs of the vendor's job that removes old keys. A key is known
            until the first run after its lifetime. None removes a key at the end of its lifetime.
        running_s: after how many virtual seconds the vendor forgets a request that is still carried out, such as one
            whose worker died; None for never.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        running: Callable[[], Reply],
        reused: Callable[[], Reply] | None = None,
        content: Callable[[Request], object] = request_content,
        keeps: Callable[[Reply], bool] = keeps_settled,
        lifetime_s: float | None = 86400,
        cleaned_every_s: float | None = None,
        running_s: float | None = None,
    ) -> None:
        self._now = now
        self._running = running
        self._reused = reused
        self._content = content
        self._keeps = keeps
        self._lifetime_s = lifetime_s
        self._cleaned_every_s = cleaned_every_s
        self._running_s = running_s
        self._records: dict[tuple[str, str], KeyRecord] = {}

    def __len__(self) -> int:
        return sum(not self._is_over(record) for record in self._records.values())

    def answer(
        self, request: Request, handler: Callable[[Request], Reply], *, key: str | None, scope: str = ""
    ) -> Reply:
        """Return the stored reply of this key, or the handler's reply, which is stored.

        Args:
            request: the request that arrived.
            handler: carries the request out. A reply by which it refuses is stored like any other.
            key: the client's key; a request without one is carried out each time.
            scope: within which a key is known, such as the token or the account of the caller, or the path.
        """
        if not key:
            return handler(request)
        record = self._record(key, scope)
        content = _digest(self._content(request))
        if record is None:
            return self._carry_out(
                request, handler, KeyRecord(key=key, scope=_digest(scope), content=content, at=self._now())
            )
        if self._reused is not None and record.content not in {None, content}:
            return self._reused()
        return self._running() if record.reply is None else record.reply.to_reply()

    def knows(self, key: str, scope: str = "") -> bool:
        """Return whether the vendor remembers the key now, with a reply or as still carried out."""
        return self._record(key, scope) is not None

    def mark_running(self, key: str, scope: str = "") -> None:
        """Let the key belong to a request that is still carried out: its worker is slow, or died after its work."""
        record = self._record(key, scope)
        if record is None:
            record = KeyRecord(key=key, scope=_digest(scope), content=None, at=self._now())
        self._records[record.scope, key] = evolve(record, at=self._now(), reply=None)

    def forget(self, key: str, scope: str = "") -> None:
        """Forget a key, if it is known."""
        self._records.pop((_digest(scope), key), None)

    def dump(self) -> list[dict[str, Any]]:
        """Return the keys that are remembered now as fresh JSON values. Scopes are digests: no token is in them."""
        current = [entry for entry in self._records.values() if not self._is_over(entry)]
        records: list[dict[str, Any]] = to_records(current)
        return records

    def load(self, state: Any) -> None:
        """Replace all keys by those that `dump` returned."""
        records = from_records(list[KeyRecord], state)
        self._records = {(record.scope, record.key): record for record in records}

    def _record(self, key: str, scope: str) -> KeyRecord | None:
        record = self._records.get((_digest(scope), key))
        return None if record is None or self._is_over(record) else record

    def _carry_out(self, request: Request, handler: Callable[[Request], Reply], record: KeyRecord) -> Reply:
        try:
            reply = handler(request)
        except Refused as refused:
            reply = refused.reply
        if self._keeps(reply):
            self._records[record.scope, record.key] = evolve(record, reply=StoredReply.of(reply))
        else:
            self._records.pop((record.scope, record.key), None)
        return reply

    def _is_over(self, record: KeyRecord) -> bool:
        lifetime_s = self._running_s if record.reply is None else self._lifetime_s
        if lifetime_s is None:
            return False
        end = record.at + timedelta(seconds=lifetime_s)
        if self._cleaned_every_s is not None:
            runs = math.ceil((end - _EPOCH) / timedelta(seconds=self._cleaned_every_s))
            end = _EPOCH + runs * timedelta(seconds=self._cleaned_every_s)
        return self._now() >= end


def _digest(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=lambda part: [str(part)])
    return hashlib.sha256(text.encode()).hexdigest()
