"""Maps the ticketing vendor's objects to the domain's, and checks that a reply is about what was asked."""

from __future__ import annotations

from typing import Final

import attrs

from voucher_gateway.provider_api import (
    Code,
    History,
    IntegrityMismatch,
    MalformedResponse,
    Money,
    Movement,
    MovementKind,
    NewVoucher,
    RawObject,
    ValueReading,
    Voucher,
    money_from,
)
from voucher_gateway_ticketing.request_bodies import expiry
from voucher_gateway_ticketing.wire import AMOUNT, TicketingHistory, TicketingVoucher

LINKS: Final = ("seller_id", "transaction_id", "product_id", "refund_id", "customer_id")
"""The names of a voucher's links: the vendor's, in snake case. They tell where the voucher came from (seed)."""


def voucher(account: str, currency: str, voucher: TicketingVoucher, raw: RawObject) -> Voucher:
    """Return the voucher as a domain object, in the currency of its seller. The voucher must have an id."""
    assert voucher.own_id is not None
    return Voucher(
        account=account,
        id=voucher.own_id,
        code=voucher.code,
        initial=amount(currency, voucher),
        remaining=None if voucher.balance is None else money_from(AMOUNT, voucher.balance, currency, "balance"),
        valid_until=voucher.valid_until,
        origin=voucher.origin,
        links={name: id for name in LINKS if (id := getattr(voucher, name)) is not None},
        created_at=voucher.created_at,
        updated_at=voucher.updated_at,
        raw=raw,
    )


def amount(currency: str, voucher: TicketingVoucher) -> Money:
    """Return the amount of a voucher."""
    return money_from(AMOUNT, voucher.amount, currency, "amount")


def with_id(voucher: TicketingVoucher, id: str) -> TicketingVoucher:
    """Return the voucher with the id of the request, if the reply has no id."""
    return voucher if voucher.own_id else attrs.evolve(voucher, id=id)


def same_voucher(voucher: TicketingVoucher, id: str) -> TicketingVoucher:
    """Return the voucher of a reply with the id of the request.

    Raises:
        IntegrityMismatch: if the reply has another id.
    """
    if voucher.own_id not in (None, id):
        raise IntegrityMismatch("the reply is about another voucher")
    return with_id(voucher, id)


def check_issued(new: NewVoucher, code: Code, voucher: TicketingVoucher) -> None:
    """Check that the voucher that was created is the requested one.

    Raises:
        IntegrityMismatch: if something differs.
    """
    if voucher.code != code:
        raise IntegrityMismatch("the reply has another code than the request")
    _check_amount(voucher, new.initial)
    if new.valid_until is not None:
        _check_expiry(voucher, expiry(new.valid_until))


def check_overwritten(money: Money, until: str | None, voucher: TicketingVoucher) -> None:
    """Check that a voucher has the value and the expiry that were written.

    Raises:
        IntegrityMismatch: if something differs.
    """
    _check_amount(voucher, money)
    _check_expiry(voucher, until)


def check_same_reading(currency: str, single: TicketingVoucher, listed: TicketingVoucher) -> None:
    """Check that two independent readings of a voucher agree, before a value is written that is based on them.

    Raises:
        MalformedResponse: if something differs.
    """
    problems = []
    if amount(currency, single) != amount(currency, listed):
        problems.append("amount: the voucher by its id and the list have different ones")
    if single.valid_until != listed.valid_until:
        problems.append("validUntil: the voucher by its id and the list have different ones")
    if problems:
        raise MalformedResponse("two readings of the voucher differ", problems=tuple(problems))


def _check_amount(voucher: TicketingVoucher, money: Money) -> None:
    reply_amount = amount(money.currency, voucher)
    if reply_amount != money:
        raise IntegrityMismatch(f"the reply has {reply_amount} instead of {money}")


def _check_expiry(voucher: TicketingVoucher, until: str | None) -> None:
    if expiry(voucher.valid_until) != until:
        raise IntegrityMismatch("the reply has another expiry than the request")


def history(account: str, currency: str, id: str, history: TicketingHistory) -> History:
    """Return a voucher's transactions as its history, oldest first.

    They are redemptions. Their sign is not documented. If there are positive and negative ones, it is not known which
    of them give value back, so the kind of all is unknown.
    """
    signs = {entry.amount > 0 for entry in history.entries if entry.amount}
    kind = MovementKind.UNKNOWN if len(signs) > 1 else MovementKind.REDEMPTION
    oldest_first = sorted(range(len(history.entries)), key=lambda index: history.entries[index].created_at)
    movements = tuple(_movement(account, currency, id, kind, history, index) for index in oldest_first)
    return History(voucher_id=id, movements=movements, complete=True, as_of=history.date)


def _movement(
    account: str,
    currency: str,
    id: str,
    kind: MovementKind,
    history: TicketingHistory,
    index: int,
) -> Movement:
    entry = history.entries[index]
    return Movement(
        account=account,
        voucher_id=id,
        kind=kind,
        money=money_from(AMOUNT, entry.amount.copy_abs(), currency, f"[{index}].amount"),
        reference=entry.transaction_id,
        created_at=entry.created_at,
        raw=history.raw[index],
    )


def value_reading(currency: str, voucher: TicketingVoucher, raw: RawObject) -> ValueReading:
    """Return the value of a voucher as the list shows it. The expiry is kept as the vendor wrote it.

    Raises:
        MalformedResponse: if the balance is missing.
    """
    if voucher.balance is None:
        raise MalformedResponse("the vendor did not send the balance of the voucher", problems=("balance: is missing",))
    assert voucher.own_id is not None
    return ValueReading(
        voucher_id=voucher.own_id,
        value=amount(currency, voucher),
        remaining=money_from(AMOUNT, voucher.balance, currency, "balance"),
        valid_until=voucher.valid_until,
        passthrough=raw.get("validUntil"),
        code=voucher.code,
    )
