"""A person who decides by the vendors' ledgers what no reading of the gateway can decide."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import attrs

from tests.blackfriday.books import ZERO, Reality
from voucher_gateway import Gateway
from voucher_gateway.capabilities import Operation
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.payments.rows.references import payment_mark

_PAYS: Final[Mapping[Operation, int]] = {Operation.REDEEM: 1, Operation.CAPTURE: 1, Operation.REFUND: -1}
_PAYS_BY_RESERVING: Final[Mapping[Operation, int]] = {
    Operation.REDEEM: 1,
    Operation.RESERVE: 1,
    Operation.RELEASE: -1,
    Operation.REFUND: -1,
}
"""At an account whose reservations are emulated: they take the value at once."""

_EMULATED: Final = frozenset({"cafe"})

Voucher = tuple[str, str]


def decide_by_ledgers(gateway: Gateway, reality: Reality) -> int:
    """Decide every operation that is unknown, where the ledger leaves one answer. Return how many were decided."""
    vouchers = _vouchers(gateway)
    by_voucher: defaultdict[Voucher, list[OperationRecord]] = defaultdict(list)
    for record in gateway.operations():
        voucher = vouchers.get(_leg_of(record))
        if voucher is not None:
            by_voucher[voucher].append(record)
    paid = reality.by_voucher
    return sum(_decide(gateway, records, paid[voucher]) for voucher, records in by_voucher.items())


def _decide(gateway: Gateway, records: Sequence[OperationRecord], paid: Decimal) -> int:
    unknown = [record for record in records if record.state is OperationState.UNKNOWN]
    succeeded = [record for record in records if record.state is OperationState.SUCCEEDED]
    amounts = {record.id: _paid(record, records) for record in records}
    known = sum((amounts[record.id] for record in succeeded), ZERO)
    answers = [
        happened
        for happened in itertools.product((False, True), repeat=len(unknown))
        if known + sum((amounts[record.id] for record in itertools.compress(unknown, happened)), ZERO) == paid
    ]
    if not unknown or len(answers) != 1:
        return 0
    for record, happened in zip(unknown, answers[0], strict=True):
        gateway.decide(record.key, succeeded=happened, by="a person", reason="the vendor's ledger")
    return len(unknown)


def _paid(record: OperationRecord, records: Sequence[OperationRecord]) -> Decimal:
    """Return what the voucher pays if an operation happens. A release gives back what its reservation took."""
    signs = _PAYS_BY_RESERVING if record.key.account in _EMULATED else _PAYS
    money = record.target.money
    if record.key.verb is Operation.RELEASE:
        own = [other for other in records if other.key == attrs.evolve(record.key, verb=Operation.RESERVE)]
        money = own[0].target.money if own else None
    return ZERO if money is None else signs.get(record.key.verb, 0) * money.amount


def _vouchers(gateway: Gateway) -> dict[tuple[str, str, int], Voucher]:
    """Return the vouchers of all legs, by account, mark of the payment and number of the leg."""
    return {
        (leg.account, payment_mark(record.id), leg.number): (leg.account, leg.voucher_id)
        for record in gateway.payments()
        for leg in record.legs
    }


def _leg_of(record: OperationRecord) -> tuple[str, str, int]:
    """Return account, payment and leg of an operation, by its reference: MARK-LEG-... or MARK-rREFUND-LEG."""
    mark, second, third, *_ = (*record.key.reference.split("-"), "", "")
    number = third if second.startswith("r") else second
    return record.key.account, mark, int(number) if number.isdigit() else 0
