"""pretix for tests of the adapter: the simulator, or the real program behind the relay of the witness."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import attrs
import requests
import sqlalchemy as sa

from tests.support.simulators import make_journal_keys
from voucher_gateway import Gateway
from voucher_gateway.instants import format_micros, parse_instant
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.schema import requests as request_rows
from voucher_gateway.provider_api import Money, NewVoucher, Redemption, SecretSource, Voucher
from voucher_gateway.simulator import RecordedRequest, RunningSimulator
from voucher_gateway_pretix import PretixProvider, PretixSettings
from voucher_gateway_pretix.simulator import PretixSimulator
from voucher_gateway_pretix.simulator.simulator import ISSUER, ORGANIZER

TRANSACT = "POST *transact/"


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@attrs.define
class Pretix:
    """A running pretix, with accounts at it.

    Attributes:
        running: the simulator, or the relay to the program.
        journal_url: of a database for journals.
        patience: settings for a slow vendor.
    """

    running: RunningSimulator
    journal_url: str
    _stack: ExitStack
    patience: dict[str, float] = attrs.field(factory=dict)

    @property
    def simulator(self) -> PretixSimulator:
        assert isinstance(self.running.simulator, PretixSimulator)
        return self.running.simulator

    def provider(self, token: str | None = None, **settings: Any) -> PretixProvider:
        announced = self.running.announcement
        values = {
            "base_url": announced["base_url"],
            "organizer": announced["organizer"],
            "token": SecretSource.of(token or announced["token"]),
            **self.patience,
            **settings,
        }
        return self._stack.enter_context(PretixProvider("till", PretixSettings(**values)))

    def gateway(self, token: str | None = None, **settings: Any) -> Gateway:
        """Return a gateway with the one journal of the test, which gives up after one attempt."""
        journal = open_journal(self.journal_url, make_journal_keys())
        provider = self.provider(token, **{"tries": 1, **settings})
        return self._stack.enter_context(Gateway({"till": provider}, journal=journal))

    def issue(self, code: str = "CARD-1", amount: str = "50.00", testmode: bool = False, **fields: Any) -> Voucher:
        new = NewVoucher(initial=eur(amount), code=code, **fields)
        return self.provider(testmode=testmode).issue(new, reference=f"issue-{code}")

    # --- what others do ---

    def new_token(self, organizer: str = ORGANIZER) -> str:
        """Return another token of an organizer."""
        return self.simulator.add_token(organizer)

    def issue_elsewhere(self, code: str, amount: str = "20.00") -> str:
        """Let the organizer whose cards are accepted issue a card, and return its id."""
        card = self._post(ISSUER, "", {"secret": code, "value": amount, "currency": "EUR"})
        return str(card["id"])

    def spend_elsewhere(self, id: str, amount: str) -> None:
        """Let another till take value."""
        self._post(ORGANIZER, f"{id}/transact/", {"value": f"-{amount}"})

    def forget_keys(self, hours: int) -> None:
        """Let the vendor forget its keys, as it does after that many hours."""
        self.running.clock.advance(hours * 3600)

    def _post(self, organizer: str, path: str, body: object) -> Any:
        url = f"{self.running.announcement['base_url']}/organizers/{organizer}/giftcards/{path}"
        headers = {"Authorization": f"Token {self.new_token(organizer)}"}
        reply = requests.post(url, json=body, headers=headers, timeout=60)
        assert reply.status_code in (200, 201), reply.text
        return reply.json()

    # --- what is seen ---

    def remaining(self, code: str = "CARD-1") -> str:
        return str(self._card(code)["remaining"])

    def references(self, code: str = "CARD-1") -> list[object]:
        """Return the references of the transactions of a card."""
        movements: Any = self._card(code)["movements"]
        return [movement["reference"] for movement in movements if movement["reference"] is not None]

    def _card(self, code: str) -> dict[str, object]:
        (card,) = [card for card in self.running.ledger() if card["code"] == code]
        return card

    def sent(self) -> list[RecordedRequest]:
        """Return the requests that moved value, or would have, without those of `spend_elsewhere`."""
        return [request for request in self.running.requests if request.header("X-Idempotency-Key")]

    def keys(self) -> set[str]:
        return {request.header("X-Idempotency-Key") or "" for request in self.sent()}

    def age(self, gateway: Gateway, hours: int) -> None:
        """Make the journal's requests that many hours older, and let the vendor forget its keys."""
        assert gateway.journal is not None
        with gateway.journal.database.write() as connection:
            for row in connection.execute(sa.select(request_rows.c.id, request_rows.c.sent_at)).all():
                earlier = format_micros(parse_instant(row.sent_at) - timedelta(hours=hours))
                connection.execute(sa.update(request_rows).where(request_rows.c.id == row.id).values(sent_at=earlier))
        self.forget_keys(hours)


def redeem(gateway: Gateway, amount: str = "10.00", code: str = "CARD-1", reference: str = "1001") -> Redemption:
    return gateway.redeem("till", code, eur(amount), reference=reference, order="order 7")
