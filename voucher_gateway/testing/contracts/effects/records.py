"""Promises about what `resolve` finds in a long record, among calls that look alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.models.results import ValueResult
from voucher_gateway.outcome import Effect, Intent
from voucher_gateway.testing.contracts.base import SpendContract
from voucher_gateway.testing.contracts.effects.references import MONEY
from voucher_gateway.testing.harness.calls import BeforeSendRecorder
from voucher_gateway.testing.harness.cases import make_money_case, similar_references
from voucher_gateway.testing.harness.vouchers import VoucherFactory, VoucherUnderTest
from voucher_gateway.testing.promises.checks import for_promise, not_tried, require

_MINOR: Final = 3
"""How much each call moves, in minor units: little, so that a voucher lasts for many."""

_VALUE: Final = 1500
"""The value of the voucher, in minor units: enough for all the calls."""

_OTHERS: Final = 110
"""The number of movements after the calls: more than a page of most vendors."""

_CHEAPEST: Final = (Operation.TOP_UP, Operation.REDEEM, Operation.CAPTURE)
"""The operations that can make the other movements; those of few requests come first."""


@attrs.frozen
class _PastCall:
    """A call that happened.

    Attributes:
        operation: its operation.
        intent: what a journal would know of it.
        movement_id: the vendor's id of its movement.
    """

    operation: Operation
    intent: Intent
    movement_id: str


class RecordsContract(SpendContract):
    """`resolve` reads all of a record."""

    @for_promise("U7")
    def test_a_call_is_found_in_a_long_record(self) -> None:
        with closing(self.make_old_vendor() or self.make_vendor()) as vendor:
            factory = VoucherFactory(vendor, vendor.provider())
            voucher = factory.voucher_with_longest_history(_VALUE)
            calls = list(_make_calls(factory, voucher))
            if not calls:
                not_tried("the vendor's movements have no references")
            vendor.advance(2)  # so that the others are later for a vendor that counts in seconds
            _add_movements(factory, voucher)
            for call in calls:
                _check_found(factory, voucher, call)


def _make_calls(factory: VoucherFactory, voucher: VoucherUnderTest) -> Iterator[_PastCall]:
    """Make a call of each operation whose outcome can be looked up, between calls under similar references."""
    for operation in MONEY:
        if not factory.native(operation) or operation not in factory.declared.resolvable:
            continue
        reference = f"{factory.reference()}-a"
        similar = similar_references(reference)
        _make_call(factory, voucher, operation, similar[0])
        past = _make_call(factory, voucher, operation, reference)
        for other in similar[1:]:
            _make_call(factory, voucher, operation, other)
        if past is not None:
            yield past


def _make_call(
    factory: VoucherFactory, voucher: VoucherUnderTest, operation: Operation, reference: str
) -> _PastCall | None:
    """Make a call, and return it; None if the vendor stores no reference, so that it cannot be told from others."""
    case, recorder = make_money_case(operation, factory, _MINOR, voucher), BeforeSendRecorder(factory.vendor)
    before = factory.snapshot()
    with recorder.watching():
        case.call(factory.provider, reference)
    movements = factory.snapshot().new_movements(voucher.id, before)
    require(len(movements) == 1, f"{operation.value} made {len(movements)} entries in the vendor's history")
    require(recorder.intents, f"{operation.value} announced nothing")
    if movements[0]["reference"] is None:
        return None
    return _PastCall(operation, recorder.intents[-1], str(movements[0]["id"]))


def _add_movements(factory: VoucherFactory, voucher: VoucherUnderTest) -> None:
    operation = next((operation for operation in _CHEAPEST if factory.native(operation)), None)
    for _ in range(0 if operation is None else _OTHERS):
        assert operation is not None
        make_money_case(operation, factory, _MINOR, voucher).call(factory.provider, factory.reference())


def _check_found(factory: VoucherFactory, voucher: VoucherUnderTest, call: _PastCall) -> None:
    outcome = factory.provider.resolve(call.intent, voucher.code)
    name, count = call.operation.value, len(factory.snapshot().movements(voucher.id))
    require(
        outcome.effect is Effect.SUCCEEDED,
        f"{name} is one of {count} movements of its voucher, and `resolve` says {outcome.effect.value}:"
        f" {outcome.reason}",
    )
    if isinstance(outcome.result, ValueResult):
        require(
            outcome.result.id == call.movement_id,
            f"`resolve` of {name} has another movement of the same amount as its result",
        )
