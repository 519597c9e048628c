"""The gift cards of the simulated pretix. Amounts are integers of hundredths, in every currency."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.simulator import LedgerMovement, LedgerVoucher

PLACES: Final = {"JPY": 0, "KWD": 3}
"""The decimals of the currencies in the seed that have others than two."""


@attrs.frozen(kw_only=True)
class StoredTransaction:
    """A transaction; negative `cents` take value. Those of the web shop have an order."""

    id: int
    at: datetime
    cents: int
    text: str | None = None
    info: Any = None
    event: str | None = None
    order: str | None = None
    acceptor: str


@attrs.frozen(kw_only=True)
class StoredCard:
    """A gift card."""

    id: str
    code: str = attrs.field(repr=False)
    issuer: str
    currency: str
    testmode: bool = False
    issuance: datetime
    expires: datetime | None = None
    conditions: str | None = None
    transactions: tuple[StoredTransaction, ...]

    @property
    def cents(self) -> int:
        """The value: the sum of all transactions."""
        return sum(transaction.cents for transaction in self.transactions)

    def with_transaction(self, transaction: StoredTransaction) -> StoredCard:
        """Return the card after one more transaction."""
        return attrs.evolve(self, transactions=(*self.transactions, transaction))

    def is_expired(self, now: datetime) -> bool:
        """Whether its end is before `now`."""
        return self.expires is not None and self.expires < now


def amount_text(cents: int) -> str:
    """Return an amount as the vendor writes it: with two decimals, whatever the currency."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def instant_text(at: datetime) -> str:
    """Return an instant as the vendor writes it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def show_card(card: StoredCard) -> dict[str, Any]:
    """Return a card as the API shows it."""
    return {
        "id": int(card.id),
        "secret": card.code,
        "issuance": instant_text(card.issuance),
        "value": amount_text(card.cents),
        "currency": card.currency,
        "testmode": card.testmode,
        "expires": None if card.expires is None else instant_text(card.expires),
        "conditions": card.conditions,
        "owner_ticket": None,
        "issuer": card.issuer,
    }


def show_transaction(transaction: StoredTransaction) -> dict[str, Any]:
    """Return a transaction as the API shows it."""
    return {
        "id": transaction.id,
        "datetime": instant_text(transaction.at),
        "value": amount_text(transaction.cents),
        "event": transaction.event,
        "order": transaction.order,
        "text": transaction.text,
        "info": transaction.info,
        "acceptor": transaction.acceptor,
    }


def make_ledger_voucher(card: StoredCard, now: datetime) -> dict[str, object]:
    """Return a card in the common form of ledgers. Its first transaction is its issue, with the face value."""
    first = card.transactions[0]

    def text(cents: int) -> str:
        return f"{Decimal(cents).scaleb(-2):.{PLACES.get(card.currency, 2)}f}"

    return LedgerVoucher(
        id=card.id,
        code=card.code,
        currency=card.currency,
        initial=text(first.cents),
        remaining=text(card.cents),
        reserved=text(0),
        status="expired" if card.is_expired(now) else "valid",
        valid_until=None if card.expires is None else instant_text(card.expires),
        movements=tuple(
            LedgerMovement(
                id=str(transaction.id),
                kind="issue" if transaction is first else _kind(transaction),
                amount=text(abs(transaction.cents)),
                reference=transaction.info.get("reference") if isinstance(transaction.info, dict) else None,
                at=instant_text(transaction.at),
            )
            for transaction in card.transactions
        ),
        details={"issuer": card.issuer, "testmode": card.testmode},
    ).to_json()


def _kind(transaction: StoredTransaction) -> str:
    if transaction.cents < 0:
        return "redemption"
    return "top_up" if transaction.order is None else "refund"
