"""The objects of pretix as those of the domain, and the checks of replies to changes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import attrs

from voucher_gateway.provider_api import (
    Code,
    History,
    IntegrityMismatch,
    Intent,
    Money,
    Movement,
    MovementKind,
    NewVoucher,
    Operation,
    RawObject,
    Redemption,
    Refund,
    Response,
    TopUp,
    Voucher,
    money_from,
)
from voucher_gateway_pretix import wire
from voucher_gateway_pretix.reads import Transactions

V = TypeVar("V", Redemption, Refund, TopUp)


def voucher(account: str, card: wire.PretixCard, raw: RawObject, initial: Money | None = None) -> Voucher:
    """Return a card as a voucher."""
    links = {"issuer": card.issuer, "owner_ticket": None if card.owner_ticket is None else str(card.owner_ticket)}
    return Voucher(
        account=account,
        id=str(card.id),
        code=card.secret,
        initial=initial,
        remaining=money_from(wire.AMOUNT, card.value, card.currency, "value"),
        valid_until=card.expires,
        links={name: link for name, link in links.items() if link is not None},
        created_at=card.issuance,
        raw=raw,
    )


def history(account: str, id: str, currency: str, transactions: Transactions) -> History:
    """Return the movements of a card: its transactions. The first is its issue, with the face value."""
    movements = [movement(account, id, currency, *entry) for entry in transactions.entries]
    if movements:
        movements[0] = attrs.evolve(movements[0], kind=MovementKind.ISSUE)
    return History(
        voucher_id=id,
        movements=tuple(movements),
        complete=transactions.complete,
        as_of=transactions.as_of,
    )


def movement(account: str, id: str, currency: str, transaction: wire.PretixTransaction, raw: RawObject) -> Movement:
    """Return a transaction as a movement.

    A transaction that adds value is a refund if it belongs to an order of the web shop or names a redemption of ours.
    The vendor does not distinguish a refund from a top-up otherwise.
    """
    if transaction.value < 0:
        kind = MovementKind.REDEMPTION
    else:
        is_refund = transaction.order is not None or wire.info_of(raw, "redemption") is not None
        kind = MovementKind.REFUND if is_refund else MovementKind.TOP_UP
    return Movement(
        account=account,
        id=str(transaction.id),
        voucher_id=id,
        kind=kind,
        money=money_from(wire.AMOUNT, abs(transaction.value), currency, "value"),
        reference=wire.info_of(raw, "reference"),
        created_at=transaction.at,
        raw=raw,
    )


def info(intent: Intent) -> dict[str, str]:
    """Return what is stored with a transaction, by which it is found again."""
    redemption = {"redemption": intent.subject or ""} if intent.verb == Operation.REFUND else {}
    return {"reference": intent.reference or "", **redemption}


def result(kind: type[V], intent: Intent, **fields: Any) -> V:
    """Return the result of an intent. Its id is our reference: the vendor's answer does not name the transaction."""
    assert intent.money is not None
    return kind(
        account=intent.account,
        id=intent.reference or "",
        voucher_id=intent.voucher_id,
        money=intent.money,
        reference=intent.reference,
        order=intent.order,
        **fields,
    )


def refundable(redemption: Redemption, transactions: Transactions, *, except_for: str) -> Decimal:
    """Return how much of a redemption is left, by the transactions of its card.

    Args:
        redemption: by the id that we gave it, or by that of the vendor's transaction.
        transactions: those of its card.
        except_for: the reference of a refund that does not count, because it is the one that is to be made.
    """
    limit, names = redemption.money.amount, {redemption.id}
    for transaction, raw in transactions.entries:
        both = {str(transaction.id), wire.info_of(raw, "reference")}
        if transaction.value < 0 and redemption.id in both:
            limit, names = -transaction.value, names | {name for name in both if name is not None}
    return limit - sum(
        transaction.value
        for transaction, raw in transactions.entries
        if transaction.value > 0
        and wire.info_of(raw, "redemption") in names
        and wire.info_of(raw, "reference") != except_for
    )


# --- replies to changes ---


def read_issued(account: str, new: NewVoucher, code: Code, reply: Response) -> Voucher:
    """Read the card that was issued.

    Raises:
        IntegrityMismatch: if it is not the one that was asked for.
    """
    card, raw = wire.read_card(reply)
    initial = money_from(wire.AMOUNT, card.value, card.currency, "value")
    if card.secret != code or initial != new.initial or card.expires != new.valid_until:
        raise IntegrityMismatch("the vendor issued another card than was asked for")
    return voucher(account, card, raw, initial)


def read_updated(account: str, until: str | None, reply: Response) -> Voucher:
    """Read a card whose end of validity was changed.

    Raises:
        IntegrityMismatch: if it has another one.
    """
    card, raw = wire.read_card(reply)
    if wire.write_expiry(card.expires) != until:
        raise IntegrityMismatch("the vendor shows another end of validity than was sent")
    return voucher(account, card, raw)


def read_changed(before: wire.PretixCard, reply: Response) -> tuple[wire.PretixCard, RawObject]:
    """Read a card after its value was changed.

    Raises:
        IntegrityMismatch: if it is another card.
    """
    card, raw = wire.read_card(reply)
    if card.id != before.id or card.currency != before.currency:
        raise IntegrityMismatch("the vendor changed another card than was asked for")
    return card, raw
