"""Promises about value that is given back, and about values that are overwritten."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from voucher_gateway.adapter import (
    AlreadyRefunded,
    InsufficientValue,
    InvalidRequest,
    Money,
    Operation,
    Redemption,
    Refund,
    Rejected,
    UnsupportedOperation,
    VoucherProvider,
)
from voucher_gateway.testing.books import VALUE, Books
from voucher_gateway.testing.calling import Announcements, nothing_sent, refused
from voucher_gateway.testing.deeds import prepare
from voucher_gateway.testing.keeping import keeps, must
from voucher_gateway.testing.scenes import Scenes, Subject
from voucher_gateway.testing.spendbase import SpendBase, changing
from voucher_gateway.testing.stage import Stage


class RefundingContract(SpendBase):
    """Refunds, and values that are overwritten."""

    @keeps("S17")
    def test_refund_gives_exactly_the_redemption_back(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        for minor in (1007, 29, 435):
            subject = scenes.redeemed(minor)
            before = scenes.books()
            done = provider_.refund(_taken(subject), reference=scenes.reference(), order="O-1")
            _must_have_given(scenes.money(minor), done, subject, before, scenes.books())

    @keeps("S18")
    def test_refunding_a_part_is_as_declared(self, stage: Stage, provider_: VoucherProvider, scenes: Scenes) -> None:
        subject = scenes.redeemed(1007)
        first, second = scenes.money(407), scenes.money(600)
        if not provider_.declared.of(Operation.REFUND).partial:
            with nothing_sent(stage, "the refund of a part"):
                refused(
                    lambda: provider_.refund(_taken(subject), first, reference=scenes.reference()),
                    "the refund of a part",
                    UnsupportedOperation,
                    InvalidRequest,
                )
            return
        for part in (first, second):
            before = scenes.books()
            done = provider_.refund(_taken(subject), part, reference=scenes.reference())
            _must_have_given(part, done, subject, before, scenes.books())

    @keeps("S19")
    def test_nothing_is_refunded_beyond_the_redemption(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        subject = scenes.redeemed(1007)
        beyond = partial(provider_.refund, _taken(subject), scenes.money(1008), reference=scenes.reference())
        before = scenes.books()
        refused(
            beyond,
            "a refund of more than was taken",
            InvalidRequest,
            UnsupportedOperation,
            Rejected,
            AlreadyRefunded,
            InsufficientValue,
        )
        scenes.books().must_be_as(before, "a refund of more than was taken was refused")
        provider_.refund(_taken(subject), reference=scenes.reference())
        before = scenes.books()
        again = partial(provider_.refund, _taken(subject), reference=scenes.reference())
        refused(again, "a second refund of the whole", AlreadyRefunded, Rejected)
        scenes.books().must_be_as(before, "a second refund was refused")

    @keeps("S21")
    def test_no_amount_becomes_a_float(self, provider_: VoucherProvider, scenes: Scenes) -> None:
        scenes.made_exact = _tripping
        for operation in changing(provider_):
            deed = prepare(operation, scenes)
            if deed.money is None:
                continue
            deed.call(provider_, scenes.reference())
            must(deed.times() == 1, f"{operation.value} moved {deed.times()} times {deed.money}")

    @keeps("S20")
    def test_a_value_is_read_and_overwritten_as_it_is(
        self, stage: Stage, provider_: VoucherProvider, scenes: Scenes
    ) -> None:
        absolute = scenes.native(Operation.ISSUE) and provider_.declared.expiry.takes_instants
        fields: dict[str, Any] = {"valid_until": scenes.vendor_now() + timedelta(days=400)} if absolute else {}
        subject = scenes.spendable(**fields)
        read = provider_.read_value(subject.code)
        books = scenes.books()
        must(read.voucher_id == subject.id, "`read_value` gives another voucher")
        must(read == provider_.read_value(id=subject.id), "`read_value` says other things by id than by code")
        must(read.remaining == books.remaining(subject.id), f"`read_value` says that {read.remaining} is left")
        must(read.value == books.part(subject.id, "initial"), f"`read_value` says that the value is {read.value}")
        for step in (scenes.money(-1007), scenes.money(435), scenes.money(29)):
            before, old = scenes.books(), provider_.read_value(id=subject.id)
            witness = Announcements(stage)
            intent = provider_.intent(
                Operation.REDEEM, reference=scenes.reference(), voucher_id=subject.id, subject=subject.id
            )
            with witness.watching():
                provider_.write_value(old, old.value + step, intent=intent)
            after = scenes.books()
            moved = after.remaining(subject.id) - before.remaining(subject.id)
            must(moved == step, f"the value was overwritten with {step} more, and {moved} more is left")
            must(
                witness.intents == [intent], "`write_value` did not announce its request under the intent it was given"
            )
            after.must_differ_only(before, "write_value", subject.id, VALUE | {"initial"})


class _Tripping(Decimal):
    """An amount that notices when it becomes a float."""

    def __float__(self) -> float:
        raise TypeError("an amount became a float")


def _tripping(money: Money) -> Money:
    return Money.trusted(_Tripping(money.amount), money.currency)


def _taken(subject: Subject) -> Redemption:
    assert subject.redemption is not None
    return subject.redemption


def _must_have_given(money: Money, done: Refund, subject: Subject, before: Books, after: Books) -> None:
    back = after.remaining(subject.id) - before.remaining(subject.id)
    must(back == money, f"{money} was to be given back, and {back} was")
    must(done.money == money, f"{money} was given back, and the result tells of {done.money}")
    must(done.voucher_id in (None, subject.id), "the result names another voucher")
    left = after.remaining(subject.id)
    must(done.remaining in (None, left), f"the result says that {done.remaining} is left, and {left} is")
    after.must_differ_only(before, "the refund", subject.id, VALUE | {"initial"})
