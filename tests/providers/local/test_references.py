"""A reference makes one thing happen, once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.providers.local.conftest import Till, eur
from voucher_gateway.provider_api import (
    InvalidRequest,
    NewVoucher,
    ReferenceConflict,
    Status,
    VoucherChanges,
    VoucherNotFound,
)

Call = Callable[[], Any]


@pytest.fixture
def calls(either_till: Till) -> dict[str, tuple[Call, Call]]:
    """Every changing call under the reference `again`, and the same reference with something else."""
    own = either_till.provider
    voucher = either_till.issue("100.00", code="GIFT-1", id="one")
    either_till.issue("100.00", code="GIFT-2", id="two")
    either_till.issue("100.00", id="gone")
    taken, other_taken = either_till.redeem("GIFT-1", "10.00"), either_till.redeem("GIFT-1", "10.00")
    held, let_go = either_till.reserve("GIFT-1"), either_till.reserve("GIFT-1")
    named: dict[str, Any] = {"reference": "again"}
    new = NewVoucher(initial=eur("5.00"), active=True, pin="4711", metadata={"b": 1, "a": 2})
    other = NewVoucher(initial=eur("5.00"), active=True, pin="4712", metadata={"b": 1, "a": 2})
    return {
        "issue": (lambda: own.issue(new, **named), lambda: own.issue(other, **named)),
        "activate": (lambda: own.activate("one", **named), lambda: own.activate("two", **named)),
        "deactivate": (lambda: own.deactivate("two", **named), lambda: own.deactivate("one", **named)),
        "update": (
            lambda: own.update(voucher.id, VoucherChanges(sku="x"), **named),
            lambda: own.update(voucher.id, VoucherChanges(sku="y"), **named),
        ),
        "top_up": (lambda: own.top_up("one", eur("1.00"), **named), lambda: own.top_up("one", eur("2.00"), **named)),
        "delete": (lambda: own.delete("gone", "why", **named), lambda: own.delete("two", "why", **named)),
        "reserve": (
            lambda: own.reserve("GIFT-1", eur("3.00"), **named),
            lambda: own.reserve("GIFT-2", eur("3.00"), **named),
        ),
        "capture": (lambda: own.capture(held, **named), lambda: own.capture(held, eur("1.00"), **named)),
        "release": (lambda: own.release(let_go, **named), lambda: own.release(held, **named)),
        "redeem": (
            lambda: own.redeem("GIFT-1", eur("3.00"), **named),
            lambda: own.redeem("GIFT-1", eur("3.01"), **named),
        ),
        "refund": (lambda: own.refund(taken, **named), lambda: own.refund(other_taken, **named)),
    }


def test_every_call_again_gives_the_first_result_and_moves_nothing(
    either_till: Till, calls: dict[str, tuple[Call, Call]]
) -> None:
    for name, (call, other) in calls.items():
        first = call()
        entries = either_till.rows("local_entries")
        either_till.clock.advance(days=2)
        assert call() == first, name
        with pytest.raises(ReferenceConflict, match="was already used for") as caught:
            other()
        assert caught.value.operation == name
        assert either_till.rows("local_entries") == entries, name
        either_till.clock.advance(days=-2)


def test_a_repeat_is_answered_even_when_nothing_is_left_to_spend(either_till: Till) -> None:
    code = either_till.code("10.00")
    first = either_till.redeem(code, "10.00", reference="a")
    assert either_till.redeem(code, "10.00", reference="a") == first


def test_a_repeat_is_answered_even_when_there_is_no_room_for_a_second_one(either_till: Till) -> None:
    made, much = either_till.issue("1.00"), eur("999999999999998.00")
    first = either_till.provider.top_up(made.id, much, reference="a")
    assert either_till.provider.top_up(made.id, much, reference="a") == first


def test_another_call_under_a_reference_is_a_conflict_whatever_else_is_wrong_with_it(either_till: Till) -> None:
    redemption = either_till.redeem(either_till.code(), "10.00")
    either_till.provider.refund(redemption, reference="a")
    with pytest.raises(ReferenceConflict):
        either_till.provider.refund(redemption, eur("10.01"), reference="a")


def test_metadata_is_told_apart_as_it_is_kept(either_till: Till) -> None:
    def issue(metadata: dict[str, Any]) -> str:
        new = NewVoucher(initial=eur("5.00"), metadata=metadata)
        return either_till.provider.issue(new, reference="a").id

    first = issue({"rate": Decimal("1.0"), "of": {"a": 1, "b": 2}})
    assert issue({"of": {"b": 2, "a": 1}, "rate": Decimal("1.0")}) == first
    with pytest.raises(ReferenceConflict):
        issue({"rate": "1.0", "of": {"a": 1, "b": 2}})


def test_a_repeat_hears_what_the_voucher_was_then(either_till: Till) -> None:
    voucher = either_till.issue(active=False, sku="old", code="GIFT-1")
    activated = either_till.provider.activate(voucher.id, reference="on")
    either_till.redeem("GIFT-1", "20.00")
    either_till.provider.update(voucher.id, VoucherChanges(sku="new"), reference="change")
    either_till.provider.deactivate(voucher.id, reference="off")
    again = either_till.provider.activate(voucher.id, reference="on")
    assert (again.status, again.remaining, again.sku) == (Status.ACTIVE, eur("50.00"), "old")
    assert (again.valid_until, again.updated_at) == (activated.valid_until, activated.updated_at)
    assert either_till.provider.get(voucher.id).status is Status.INACTIVE


def test_an_issue_again_shows_the_code_and_pin_that_were_made_then(either_till: Till) -> None:
    new = NewVoucher(initial=eur("5.00"), pin="4711")
    first, again = (either_till.provider.issue(new, reference="a") for _ in range(2))
    assert first.code is not None
    assert again.code is not None
    assert again.code.reveal() == first.code.reveal()
    assert again.pin == first.pin


def test_verbs_may_share_a_reference(either_till: Till) -> None:
    code = either_till.code()
    reservation = either_till.reserve(code, reference="1001-a")
    redemption = either_till.provider.capture(reservation, reference="1001-a")
    either_till.provider.refund(redemption, reference="1001-a")


def test_a_call_that_was_declined_may_be_made_again_under_its_reference(either_till: Till) -> None:
    with pytest.raises(VoucherNotFound):
        either_till.redeem("GIFT-1", reference="a")
    either_till.code(code="GIFT-1")
    assert either_till.redeem("GIFT-1", "10.00", reference="a").remaining == eur("40.00")


@pytest.mark.parametrize("reference", ["", "x" * 256, "a\x00"])
def test_a_reference_that_cannot_be_kept_is_refused(till: Till, reference: str) -> None:
    code = till.code()
    with pytest.raises(InvalidRequest) as caught:
        till.redeem(code, reference=reference)
    assert caught.value.field == "reference"
    assert till.remaining(code) == "50.00"
