"""A person who decides by the vendor's screen what no reading of the gateway can decide."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tests.payment_crash.world import EVENTS, SPENT_ELSEWHERE, Order, PaymentWorld
from voucher_gateway import Gateway
from voucher_gateway.capabilities import Operation
from voucher_gateway.journal.records import OperationRecord, OperationState

_SIGNS: Final = {Operation.REDEEM: -1, Operation.CAPTURE: -1, Operation.REFUND: 1}


def decide_by_ledger(gateway: Gateway, world: PaymentWorld, order: Order) -> int:
    """Decide each operation of an order that is still unknown, and return how many there were."""
    operations = [record for record in gateway.operations() if record.order == order.number]
    unknown = [record for record in operations if record.state is OperationState.UNKNOWN]
    for record in unknown:
        account = record.key.account
        known = sum((_moved(other) for other in operations if other.key.account == account), Decimal(0))
        missing = Decimal(world.entry(order, account)["remaining"]) - order.values[account] - known
        if account == EVENTS and order.number in world.spent_elsewhere:
            missing += SPENT_ELSEWHERE
        happened = missing != 0
        assert missing in (0, _amount(record)), f"{record.key}: the ledger moved by {missing}"
        gateway.decide(record.key, succeeded=happened, by="a person", reason="the vendor's screen")
    return len(unknown)


def _moved(record: OperationRecord) -> Decimal:
    return _amount(record) if record.state is OperationState.SUCCEEDED else Decimal(0)


def _amount(record: OperationRecord) -> Decimal:
    money = record.target.money
    return Decimal(0) if money is None else _SIGNS.get(record.key.verb, 0) * money.amount
