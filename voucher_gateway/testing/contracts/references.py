"""Promises about references: the names under which calls reach the vendor."""

from __future__ import annotations

from typing import Any, Final

from voucher_gateway.capabilities import Operation, RepeatSafety
from voucher_gateway.errors import Declined, DuplicateCode, InvalidRequest, ReferenceConflict
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import SpendBase, changing
from voucher_gateway.testing.harness.calls import expect_error
from voucher_gateway.testing.harness.cases import ORDER, OperationCase, make_case
from voucher_gateway.testing.harness.ledger import times_moved
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promise_checks import for_promise, require

MONEY: Final = (Operation.CAPTURE, Operation.REDEEM, Operation.REFUND, Operation.TOP_UP)
"""What the vendor enters into a voucher's history."""


class ReferencesContract(SpendBase):
    """References and orders."""

    @for_promise("N1")
    def test_a_reference_reaches_the_vendor_whole(self, provider_: VoucherProvider, scenes: VoucherFactory) -> None:
        longest = provider_.declared.max_reference_length
        for operation in MONEY:
            if not scenes.native(operation):
                continue
            for reference in (_long(scenes, longest), f"Nr. 7/ü~{scenes.reference()}.1.1"[-longest:]):
                deed = make_case(operation, scenes)
                assert deed.voucher_id is not None
                before = scenes.books()
                done = deed.call(provider_, reference)
                require(done.reference == reference, f"the result of {operation.value} has another reference")
                require(done.order == ORDER, f"the result of {operation.value} has another order")
                entered = scenes.books().new_movements(deed.voucher_id, before)
                require(len(entered) == 1, f"{operation.value} made {len(entered)} entries in the vendor's history")
                kept = entered[0]["reference"]
                require(
                    kept in (None, reference),
                    f"{operation.value} under a reference of {len(reference)} characters reached the vendor with"
                    f" another of {len(str(kept))}",
                )
                if scenes.native(Operation.HISTORY):
                    _must_find(provider_, deed, entered[0])

    @for_promise("N2")
    def test_a_reference_that_is_too_long_is_never_cut(
        self, provider_: VoucherProvider, scenes: VoucherFactory
    ) -> None:
        for operation in MONEY:
            if not scenes.native(operation):
                continue
            deed, reference = make_case(operation, scenes), "L" * 1000
            assert deed.voucher_id is not None
            before = scenes.books()
            try:
                deed.call(provider_, reference)
            except (InvalidRequest, Declined):
                scenes.books().require_unchanged(before, f"{operation.value} under an endless reference was refused")
                continue
            (entered,) = scenes.books().new_movements(deed.voucher_id, before)
            require(entered["reference"] in (None, reference), f"{operation.value} cut a reference of 1000 characters")

    @for_promise("N3")
    def test_a_repeated_call_is_as_safe_as_declared(self, provider_: VoucherProvider, scenes: VoucherFactory) -> None:
        for operation in changing(provider_):
            safety = provider_.declared.of(operation).repeat
            require(safety is not None, f"{operation.value} is declared without a word on what makes its repeat safe")
            if safety is RepeatSafety.LOOK_UP:
                require(
                    operation in provider_.declared.resolvable,
                    f"a look-up is to make the repeat of {operation.value} safe, and `resolvable` does not name it",
                )
            elif safety is RepeatSafety.VENDOR_KEY:
                _must_replay(make_case(operation, scenes), provider_, scenes)
            elif safety is RepeatSafety.NATURAL_KEY:
                deed = make_case(operation, scenes)
                deed.call(provider_, scenes.reference())
                what = f"a repeat of {operation.value}, which a natural key is declared to stop,"
                expect_error(lambda: deed.call(provider_, scenes.reference()), what, DuplicateCode)  # noqa: B023 - at once
                require(deed.times() == 1, f"a repeat of {operation.value} happened {deed.times()} times")


def _must_find(provider: VoucherProvider, deed: OperationCase, entered: Any) -> None:
    assert deed.voucher_id is not None
    assert deed.money is not None
    movements = [movement for movement in provider.history(deed.voucher_id) if movement.id == entered["id"]]
    require(len(movements) == 1, f"`history` shows the entry of {deed.operation.value} {len(movements)} times")
    require(movements[0].reference == entered["reference"], "`history` tells another reference than the vendor keeps")
    require(
        times_moved(movements[0].money, deed.money) == 1,
        f"`history` says that {movements[0].money} moved, not {deed.money}",
    )


def _must_replay(deed: OperationCase, provider: VoucherProvider, scenes: VoucherFactory) -> None:
    name, reference = deed.operation.value, scenes.reference()
    first = deed.call(provider, reference)
    before = scenes.books()
    again = deed.call(provider, reference)
    scenes.books().require_unchanged(before, f"{name} was repeated under the same reference")
    for part in ("id", "voucher_id", "money", "reservation_id"):
        values, was = getattr(again, part, None), getattr(first, part, None)
        require(values == was, f"a repeat of {name} under the same reference tells another {part}")
    if deed.with_other_amount is not None:
        other = deed.with_other_amount
        expect_error(
            lambda: other(provider, reference),
            f"{name} of another amount under a reference that is taken",
            ReferenceConflict,
        )
        scenes.books().require_unchanged(before, f"{name} under a taken reference was refused")


def _long(scenes: VoucherFactory, longest: int) -> str:
    return f"{scenes.reference()}-{'x' * longest}"[:longest]
