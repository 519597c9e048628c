"""Promises about references: the names under which calls reach the vendor."""

from __future__ import annotations

from typing import Any, Final

from voucher_gateway.adapter import (
    Declined,
    DuplicateCode,
    InvalidRequest,
    Operation,
    ReferenceConflict,
    RepeatSafety,
    VoucherProvider,
)
from voucher_gateway.testing.books import times
from voucher_gateway.testing.calling import refused
from voucher_gateway.testing.deeds import ORDER, Deed, prepare
from voucher_gateway.testing.keeping import keeps, must
from voucher_gateway.testing.scenes import Scenes
from voucher_gateway.testing.spendbase import SpendBase, changing

MONEY: Final = (Operation.CAPTURE, Operation.REDEEM, Operation.REFUND, Operation.TOP_UP)
"""What the vendor enters into a voucher's history."""


class ReferencesContract(SpendBase):
    """References and orders."""

    @keeps("N1")
    def test_a_reference_reaches_the_vendor_whole(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        longest = provider_.declared.longest_reference
        for operation in MONEY:
            if not scenes.native(operation):
                continue
            for reference in (_long(scenes, longest), f"Nr. 7/ü~{scenes.reference()}.1.1"[-longest:]):
                deed = prepare(operation, scenes)
                assert deed.voucher_id is not None
                before = scenes.books()
                done = deed.call(provider_, reference)
                must(done.reference == reference, f"the result of {operation.value} has another reference")
                must(done.order == ORDER, f"the result of {operation.value} has another order")
                entered = scenes.books().new_movements(deed.voucher_id, before)
                must(len(entered) == 1, f"{operation.value} made {len(entered)} entries in the vendor's history")
                kept = entered[0]["reference"]
                must(
                    kept in (None, reference),
                    f"{operation.value} under a reference of {len(reference)} characters reached the vendor with"
                    f" another of {len(str(kept))}",
                )
                if scenes.native(Operation.HISTORY):
                    _must_find(provider_, deed, entered[0])

    @keeps("N2")
    def test_a_reference_that_is_too_long_is_never_cut(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        for operation in MONEY:
            if not scenes.native(operation):
                continue
            deed, reference = prepare(operation, scenes), "L" * 1000
            assert deed.voucher_id is not None
            before = scenes.books()
            try:
                deed.call(provider_, reference)
            except (InvalidRequest, Declined):
                scenes.books().must_be_as(before, f"{operation.value} under an endless reference was refused")
                continue
            (entered,) = scenes.books().new_movements(deed.voucher_id, before)
            must(entered["reference"] in (None, reference), f"{operation.value} cut a reference of 1000 characters")

    @keeps("N3")
    def test_a_repeated_call_is_as_safe_as_declared(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        for operation in changing(provider_):
            safety = provider_.declared.of(operation).repeat
            must(safety is not None, f"{operation.value} is declared without a word on what makes its repeat safe")
            if safety is RepeatSafety.LOOK_UP:
                must(
                    operation in provider_.declared.resolves,
                    f"a look-up is to make the repeat of {operation.value} safe, and `resolves` does not name it",
                )
            elif safety is RepeatSafety.VENDOR_KEY:
                _must_replay(prepare(operation, scenes), provider_, scenes)
            elif safety is RepeatSafety.NATURAL_KEY:
                deed = prepare(operation, scenes)
                deed.call(provider_, scenes.reference())
                what = f"a repeat of {operation.value}, which a natural key is declared to stop,"
                refused(lambda: deed.call(provider_, scenes.reference()), what, DuplicateCode)  # noqa: B023 - at once
                must(deed.times() == 1, f"a repeat of {operation.value} happened {deed.times()} times")


def _must_find(provider: VoucherProvider, deed: Deed, entered: Any) -> None:
    assert deed.voucher_id is not None
    assert deed.money is not None
    found = [one for one in provider.history(deed.voucher_id) if one.id == entered["id"]]
    must(len(found) == 1, f"`history` shows the entry of {deed.operation.value} {len(found)} times")
    must(found[0].reference == entered["reference"], "`history` tells another reference than the vendor keeps")
    must(times(found[0].money, deed.money) == 1, f"`history` says that {found[0].money} moved, not {deed.money}")


def _must_replay(deed: Deed, provider: VoucherProvider, scenes: Scenes) -> None:
    name, reference = deed.operation.value, scenes.reference()
    first = deed.call(provider, reference)
    before = scenes.books()
    again = deed.call(provider, reference)
    scenes.books().must_be_as(before, f"{name} was repeated under the same reference")
    for part in ("id", "voucher_id", "money", "reservation_id"):
        told, was = getattr(again, part, None), getattr(first, part, None)
        must(told == was, f"a repeat of {name} under the same reference tells another {part}")
    if deed.other is not None:
        other = deed.other
        refused(
            lambda: other(provider, reference),
            f"{name} of another amount under a reference that is taken",
            ReferenceConflict,
        )
        scenes.books().must_be_as(before, f"{name} under a taken reference was refused")


def _long(scenes: Scenes, longest: int) -> str:
    return f"{scenes.reference()}-{'x' * longest}"[:longest]
