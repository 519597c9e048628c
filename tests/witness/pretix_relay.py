"""A simulator that answers nothing itself: each request goes to the real pretix. Faults happen on the way."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any, ClassVar

import attrs

from tests.witness.pretix_program import ORGANIZER, Card, PretixProgram, Transaction
from voucher_gateway.simulator import Reply, Request, Route, SimulatorOptions, read_json
from voucher_gateway_pretix.simulator import PretixSimulator
from voucher_gateway_pretix.simulator.ledger import (
    StoredCard,
    StoredTransaction,
    amount_text,
    make_ledger_voucher,
)
from voucher_gateway_pretix.simulator.seed_data import make_cards

_CLEANING_HOURS = 12.0
_HOUR_OF_KEYS = 0.5
"""The smallest step of time that matters to keys, in hours."""


class PretixRelay(PretixSimulator):
    """pretix behind the faults of the kit. The cards are written into its database, and the ledger is read from there.

    The clock is that of the kit, which makes the Date header. The program has the time of the machine. When the clock
    is put forward, the program's idempotency keys become that much older, and are cleaned.

    Attributes:
        program: the running program; the tests set it.
    """

    program: ClassVar[PretixProgram]

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.program.reset()
        self._ahead = self._time_ahead()

    def add_token(self, organizer: str = ORGANIZER, rights: Sequence[str] = ()) -> str:
        """Return the token of another team of an organizer that may read and change gift cards."""
        return self.program.tokens[organizer]["second-till" if organizer == ORGANIZER else "till"]

    def routes(self) -> list[Route]:
        """Return the routes of the simulator; the program answers them."""
        return [attrs.evolve(route, handler=self._relay) for route in super().routes()]

    def not_found(self, request: Request) -> Reply:
        """Let the program answer for other paths too."""
        return self._relay(request)

    def announcement(self, base: str) -> dict[str, str]:
        """Return the address of this relay, and the token of a team at the program."""
        return {"base_url": f"{base}/api/v1", "organizer": ORGANIZER, "token": self.program.token}

    def seed(self, count: int) -> None:
        """Write varied cards with their past into the database."""
        existing = len(self.program.truth())
        cards = make_cards(self.random, self.clock.now(), count, existing, ORGANIZER)
        self.program.insert(_to_program(card) for card in cards)

    def insert_voucher(self) -> None:
        """Write a card that is issued now into the database."""
        now = _stored_instant(self.clock.now())
        new = Card(
            id=0,
            code=self._free_code(),
            issuer=ORGANIZER,
            currency="EUR",
            testmode=False,
            issuance=now,
            expires=None,
            conditions=None,
            value="25.00",
            transactions=(
                Transaction(id=0, value="25.00", at=now, text=None, info=None, acceptor=ORGANIZER, order=None),
            ),
        )
        self.program.insert([new])

    def ledger(self) -> list[dict[str, object]]:
        """Return the cards of the organizer, read from the database."""
        now = self.clock.now()
        cards = [_from_program(card) for card in self.program.truth() if card.issuer == ORGANIZER]
        return [make_ledger_voucher(card, now) for card in cards]

    def dump(self) -> dict[str, object]:
        """Return the database."""
        return {"database": base64.b64encode(self.program.database.read_bytes()).decode("ascii")}

    def load(self, state: dict[str, object]) -> None:
        """Replace the database."""
        self.program.replace_database(base64.b64decode(str(state["database"])))

    def lock_key(self, request: Request) -> None:
        """Leave the key of a request locked in the program."""
        if key := request.headers.get("X-Idempotency-Key"):
            self.program.lock_key(key)

    def forget_key(self, request: Request) -> None:
        """Let the program forget the key of a request."""
        if key := request.headers.get("X-Idempotency-Key"):
            self.program.execute("DELETE FROM pretixapi_apicall WHERE idempotency_key = ?", key)

    def _time_ahead(self) -> float:
        """Return by how many hours the clock is ahead of the program's."""
        return (self.clock.now() - datetime.now(UTC)).total_seconds() / 3600

    def _let_keys_age(self) -> None:
        """Make the program's keys as old as the clock says, and clean them once half a day has passed."""
        passed = self._time_ahead() - self._ahead
        if passed < _HOUR_OF_KEYS:
            return
        self._ahead += passed
        self.program.age_keys(passed)
        if passed >= _CLEANING_HOURS:
            self.program.forget_old_keys()

    def _relay(self, request: Request) -> Reply:
        if request.headers.get("X-Idempotency-Key"):
            self._let_keys_age()
        target = request.raw_path + (f"?{request.raw_query}" if request.raw_query else "")
        names = ("Authorization", "Content-Type", "Accept-Language", "X-Idempotency-Key")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        with closing(HTTPConnection(self.program.host, timeout=300)) as connection:
            connection.set_debuglevel(0)  # its lines would show codes
            connection.request(request.method, target, request.body or None, headers)
            response = connection.getresponse()
            raw = response.read()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() in ("location", "retry-after")]
        content_type = response.headers.get("Content-Type", "")
        body: Any = read_json(raw) if content_type.startswith("application/json") and raw else raw
        if not isinstance(body, bytes):
            return Reply(response.status, body, tuple(kept))
        return Reply(response.status, body, (*kept, ("Content-Type", content_type)))


def _stored_instant(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def _instant(stored: str) -> datetime:
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)


def _to_program(card: StoredCard) -> Card:
    return Card(
        id=int(card.id),
        code=card.code,
        issuer=card.issuer,
        currency=card.currency,
        testmode=card.testmode,
        issuance=_stored_instant(card.issuance),
        expires=None if card.expires is None else _stored_instant(card.expires),
        conditions=card.conditions,
        value=amount_text(card.cents),
        transactions=tuple(
            Transaction(
                id=0,
                value=amount_text(transaction.cents),
                at=_stored_instant(transaction.at),
                text=transaction.text,
                info=transaction.info,
                acceptor=transaction.acceptor,
                order=None,  # an order needs an event with products
            )
            for transaction in card.transactions
        ),
    )


def _from_program(card: Card) -> StoredCard:
    return StoredCard(
        id=str(card.id),
        code=card.code,
        issuer=card.issuer,
        currency=card.currency,
        testmode=card.testmode,
        issuance=_instant(card.issuance),
        expires=None if card.expires is None else _instant(card.expires),
        conditions=card.conditions,
        transactions=tuple(
            StoredTransaction(
                id=transaction.id,
                at=_instant(transaction.at),
                cents=round(float(transaction.value) * 100),
                text=transaction.text,
                info=transaction.info,
                acceptor=transaction.acceptor or card.issuer,
            )
            for transaction in card.transactions
        ),
    )
