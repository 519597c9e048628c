"""The simulator with the methods of the real program, so that the same tests of facts run on both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any

from tests.witness.pretix_program import ISSUER, ORGANIZER, Card
from voucher_gateway.instants import format_instant, parse_instant
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_pretix.simulator import PretixSimulator
from voucher_gateway_pretix.simulator.ledger import StoredCard, amount_text, show_card, show_transaction
from voucher_gateway_pretix.simulator.simulator import READ, WRITE

START = datetime(2026, 11, 30, 11, 30, tzinfo=UTC)
"""Half an hour before a cleaning of keys."""

_RIGHTS: Mapping[str, tuple[str, ...]] = {
    "till": (READ, WRITE),
    "second-till": (READ, WRITE),
    "auditor": (READ,),
    "nobody": (),
}


class SimulatedProgram:
    """A running simulator, asked as `PretixProgram` is."""

    def __init__(self, running: RunningSimulator) -> None:
        assert isinstance(running.simulator, PretixSimulator)
        self._simulator = running.simulator
        self.base_url = running.announcement["base_url"]
        self.host = self.base_url.removeprefix("http://").partition("/")[0]
        self.tokens = {
            organizer: {team: self._simulator.add_token(organizer, rights) for team, rights in _RIGHTS.items()}
            for organizer in (ORGANIZER, ISSUER)
        }
        self.token = self.tokens[ORGANIZER]["till"]

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], Any]:
        """Send one request; see `PretixProgram.request`."""
        token = self.token if token is None else token
        all_headers = {"Authorization": f"Token {token}"} if token else {}
        if body is not None:
            all_headers["Content-Type"] = "application/json"
        if key is not None:
            all_headers["X-Idempotency-Key"] = key
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        with closing(HTTPConnection(self.host, timeout=30)) as connection:
            connection.request(method, f"/api/v1{path}", payload, {**all_headers, **(headers or {})})
            response = connection.getresponse()
            raw = response.read()
        names = {name.lower(): value for name, value in response.getheaders()}
        if names.get("content-type", "").startswith("application/json") and raw:
            return response.status, names, json.loads(raw)
        return response.status, names, raw.decode("utf-8", "replace")

    def truth(self) -> list[Any]:
        """Return all cards with their transactions, amounts as text."""
        return [
            SimpleNamespace(
                **{
                    **show_card(card),
                    "transactions": [SimpleNamespace(**show_transaction(one)) for one in card.transactions],
                }
            )
            for card in self._simulator.cards
        ]

    def insert(self, cards: Iterable[Card]) -> None:
        """Add cards without transactions."""
        for number, card in enumerate(cards, start=1000):
            self._simulator.cards.put(
                StoredCard(
                    id=str(number),
                    code=card.code,
                    issuer=card.issuer,
                    currency=card.currency,
                    issuance=datetime.fromisoformat(card.issuance).replace(tzinfo=UTC),
                    transactions=(),
                )
            )
            assert amount_text(0) == card.value

    def let_auditors_write(self) -> None:
        """Give the team of auditors the right to change gift cards."""
        self._simulator.tokens.add(self.tokens[ORGANIZER]["auditor"], ORGANIZER, (READ, WRITE))

    def lock_key(self, key: str) -> None:
        """Leave a key locked."""
        self._simulator.keys.mark_running(key, f"Token {self.token}")

    def age_key(self, key: str, hours: int) -> None:
        """Make a key that many hours older, and let no cleaning come until `forget_old_keys`."""
        records = self._simulator.keys.dump()
        for record in records:
            if record["key"] == key:
                record["at"] = format_instant(parse_instant(record["at"]) - timedelta(hours=hours))
        self._simulator.keys.load(records)

    def forget_old_keys(self) -> None:
        """Let the cleaning of keys come, half an hour after `START`."""
        self._simulator.clock.advance(2700)
