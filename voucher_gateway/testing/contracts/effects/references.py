"""Promises about references, the idempotency keys of calls, as they reach the vendor."""

from __future__ import annotations

from typing import Any, Final

from voucher_gateway.capabilities import Operation, RepeatSafety
from voucher_gateway.errors import Declined, DuplicateCode, InvalidRequest, ReferenceConflict
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import SpendContract
from voucher_gateway.testing.harness.calls import expect_error, native_changes
from voucher_gateway.testing.harness.cases import ORDER, OperationCase, make_case
from voucher_gateway.testing.harness.ledger import times_moved
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promises.checks import for_promise, require

MONEY: Final = (Operation.CAPTURE, Operation.REDEEM, Operation.REFUND, Operation.TOP_UP)
"""The operations that the vendor enters into a voucher's history."""


class ReferencesContract(SpendContract):
    """References and orders."""

    @for_promise("N1")
    def test_a_reference_reaches_the_vendor_whole(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        longest = provider_.declared.max_reference_length
        for operation in MONEY:
            if not factory.native(operation):
                continue
            for reference in (_long_reference(factory, longest), f"Nr. 7/ü~{factory.reference()}.1.1"[-longest:]):
                case = make_case(operation, factory)
                assert case.voucher_id is not None
                before = factory.snapshot()
                done = case.call(provider_, reference)
                require(done.reference == reference, f"the result of {operation.value} has another reference")
                require(done.order == ORDER, f"the result of {operation.value} has another order")
                movements = factory.snapshot().new_movements(case.voucher_id, before)
                require(len(movements) == 1, f"{operation.value} made {len(movements)} entries in the vendor's history")
                vendor_reference = movements[0]["reference"]
                require(
                    vendor_reference in (None, reference),
                    f"{operation.value} under a reference of {len(reference)} characters reached the vendor with"
                    f" another of {len(str(vendor_reference))}",
                )
                if factory.native(Operation.HISTORY):
                    _check_history_entry(provider_, case, movements[0])

    @for_promise("N2")
    def test_a_reference_that_is_too_long_is_never_cut(
        self, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        for operation in MONEY:
            if not factory.native(operation):
                continue
            case, reference = make_case(operation, factory), "L" * 1000
            assert case.voucher_id is not None
            before = factory.snapshot()
            try:
                case.call(provider_, reference)
            except (InvalidRequest, Declined):
                factory.snapshot().require_unchanged(
                    before, f"{operation.value} under an endless reference was refused"
                )
                continue
            (movement,) = factory.snapshot().new_movements(case.voucher_id, before)
            require(movement["reference"] in (None, reference), f"{operation.value} cut a reference of 1000 characters")

    @for_promise("N3")
    def test_a_repeated_call_is_as_safe_as_declared(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        for operation in native_changes(provider_):
            safety = provider_.declared.of(operation).repeat
            require(safety is not None, f"{operation.value} is declared without a word on what makes its repeat safe")
            if safety is RepeatSafety.LOOK_UP:
                require(
                    operation in provider_.declared.resolvable,
                    f"a look-up is to make the repeat of {operation.value} safe, and `resolvable` does not name it",
                )
            elif safety is RepeatSafety.VENDOR_KEY:
                _check_replay(make_case(operation, factory), provider_, factory)
            elif safety is RepeatSafety.NATURAL_KEY:
                case = make_case(operation, factory)
                case.call(provider_, factory.reference())
                what = f"a repeat of {operation.value}, which a natural key is declared to stop,"
                with expect_error(what, DuplicateCode):
                    case.call(provider_, factory.reference())
                require(case.times() == 1, f"a repeat of {operation.value} happened {case.times()} times")


def _check_history_entry(provider: VoucherProvider, case: OperationCase, entry: Any) -> None:
    assert case.voucher_id is not None
    assert case.money is not None
    movements = [movement for movement in provider.history(case.voucher_id) if movement.id == entry["id"]]
    require(len(movements) == 1, f"`history` shows the entry of {case.operation.value} {len(movements)} times")
    require(movements[0].reference == entry["reference"], "`history` has another reference than the vendor keeps")
    moved = movements[0].money
    require(
        moved is not None and times_moved(moved, case.money) == 1,
        f"`history` says that {moved} moved, not {case.money}",
    )


def _check_replay(case: OperationCase, provider: VoucherProvider, factory: VoucherFactory) -> None:
    name, reference = case.operation.value, factory.reference()
    first = case.call(provider, reference)
    before = factory.snapshot()
    again = case.call(provider, reference)
    factory.snapshot().require_unchanged(before, f"{name} was repeated under the same reference")
    for part in ("id", "voucher_id", "money", "reservation_id"):
        values, was = getattr(again, part, None), getattr(first, part, None)
        require(values == was, f"a repeat of {name} under the same reference has another {part}")
    if case.other_arguments is not None:
        with expect_error(f"{name} of another amount under a reference that is taken", ReferenceConflict):
            case.call_with_other_amount(provider, reference)
        factory.snapshot().require_unchanged(before, f"{name} under a taken reference was refused")


def _long_reference(factory: VoucherFactory, longest: int) -> str:
    return f"{factory.reference()}-{'x' * longest}"[:longest]
