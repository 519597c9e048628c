"""Reserving by redeeming at once and giving back what is not captured, at a vendor without reservations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway import (
    Account,
    Gateway,
    InsufficientValue,
    InvalidRequest,
    Money,
    Operation,
    OutcomeUnknown,
    ProviderUnavailable,
    Reservation,
    Support,
    Ticket,
    UnsupportedOperation,
    VoucherMoved,
)
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.moves import claim_moves, complete_moves
from voucher_gateway.provider_api import SecretSource

if TYPE_CHECKING:
    from tests.emulation.conftest import Till

GatewayTo = Callable[..., Gateway]
TICKET = Ticket(account="shop", provider="till", host="till.test", verb="refund")


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def reserve(gateway: Gateway, amount: str = "30") -> Reservation:
    return gateway.reserve("shop", "V-0001", euros(amount), reference="h-1", order="1001")


def test_it_must_be_accepted_by_name(till: Till) -> None:
    gateway = Gateway({"shop": till})
    for operation in (Operation.RESERVE, Operation.CAPTURE, Operation.RELEASE):
        support = gateway.capabilities("shop").of(operation)
        assert (support.support, support.emulation) == (Support.UNSUPPORTED, "reserve-by-redeem")
    with pytest.raises(UnsupportedOperation, match=r"accept_risks = \[\"reserve-by-redeem\"\]"):
        reserve(gateway)
    assert till.books.log == []


def test_a_reservation_takes_the_value_at_once_and_a_capture_sends_nothing_more(
    till: Till, gateway_to: GatewayTo
) -> None:
    gateway = gateway_to(till)
    reservation = reserve(gateway)
    assert (reservation.voucher_id, reservation.money, reservation.valid_until) == ("v", euros("30.00"), None)
    assert till.books.of(id="v").remaining == euros("20.00")
    taken = gateway.capture("shop", reservation, reference="c-1")
    assert (taken.money, taken.reservation_id, taken.voucher_id) == (euros("30.00"), reservation.id, "v")
    assert till.books.of(id="v").remaining == euros("20.00")
    assert till.books.log == [("redeem", "h-1")]


def test_naming_the_whole_amount_captures_the_whole(till: Till, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(till)
    assert gateway.capture("shop", reserve(gateway), euros("30"), reference="c-1").money == euros("30.00")
    assert till.books.log == [("redeem", "h-1")]


def test_capturing_a_part_gives_the_rest_back(till: Till, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(till)
    taken = gateway.capture("shop", reserve(gateway), euros("10.53"), reference="c-1")
    assert taken.money == euros("10.53")
    assert till.books.of(id="v").remaining == euros("39.47")
    assert till.books.log == [("redeem", "h-1"), ("refund", "c-1")]
    # What was captured can be refunded natively, and no more than that.
    gateway.refund("shop", taken, reference="b-1")
    assert till.books.of(id="v").remaining == euros("50.00")


def test_capturing_more_than_is_reserved_is_refused_before_anything_is_sent(till: Till, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(till)
    reservation = reserve(gateway)
    with pytest.raises(InvalidRequest) as caught:
        gateway.capture("shop", reservation, euros("30.01"), reference="c-1")
    assert caught.value.field == "money"
    assert till.books.log == [("redeem", "h-1")]


def test_capturing_another_currency_is_refused_before_anything_is_sent(till: Till, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(till)
    reservation = reserve(gateway)
    with pytest.raises(InvalidRequest, match="cannot combine"):
        gateway.capture("shop", reservation, Money("10", "USD"), reference="c-1")
    assert till.books.log == [("redeem", "h-1")]


def test_a_release_gives_everything_back_at_once(till: Till, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(till)
    reservation = reserve(gateway)
    release = gateway.release("shop", reservation, reference="l-1")
    assert (release.reservation_id, release.freed, release.frees_at) == (reservation.id, True, None)
    assert till.books.of(id="v").remaining == euros("50.00")


def test_a_reservation_of_more_than_there_is_takes_nothing(till: Till, gateway_to: GatewayTo) -> None:
    with pytest.raises(InsufficientValue):
        reserve(gateway_to(till), "50.01")
    assert till.books.of(id="v").remaining == euros("50.00")


def test_a_release_that_surely_did_nothing_can_be_made_again(till: Till, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(till)
    reservation = reserve(gateway)

    def fail() -> None:
        raise ProviderUnavailable("the vendor is gone")

    till.books.at["before-refund"] = [fail]
    with pytest.raises(ProviderUnavailable):
        gateway.release("shop", reservation, reference="l-1")
    assert till.books.of(id="v").remaining == euros("20.00")
    gateway.release("shop", reservation, reference="l-1")
    assert till.books.of(id="v").remaining == euros("50.00")


def test_a_partial_capture_whose_refund_is_unknown_is_unknown(till: Till, gateway_to: GatewayTo) -> None:
    gateway = gateway_to(till)
    reservation = reserve(gateway)

    def lose_the_answer() -> None:
        raise OutcomeUnknown("no answer", ticket=TICKET)

    till.books.at["after-refund"] = [lose_the_answer]
    with pytest.raises(OutcomeUnknown):
        gateway.capture("shop", reservation, euros("10"), reference="c-1")


def test_what_the_vendor_can_reserve_itself_is_never_mixed_with_it(till: Till) -> None:
    """A refund would not give a native reservation up, so the emulation stands for all three operations or none."""
    own = till.declared.with_support({Operation.RESERVE: till.declared.of(Operation.REDEEM)})

    class Mixed(type(till)):  # type: ignore[misc]  # the class is known by the fixture alone
        declared = own

        def reserve(self, *args: object, **named: object) -> Reservation:
            raise AssertionError("nobody calls it here")

    account = Account(name="shop", provider=Mixed(), accept_risks=["reserve-by-redeem"])
    for operation in (Operation.CAPTURE, Operation.RELEASE):
        assert account.capabilities.of(operation).support is Support.UNSUPPORTED
        assert account.capabilities.of(operation).emulation is None


cents = st.integers(1, 60_00).map(lambda units: Money.from_minor(units, "EUR"))


@given(holds=st.lists(st.tuples(cents, st.sampled_from(["capture", "release", "part", "leave"]), cents), max_size=12))
def test_no_cent_is_lost_or_made(
    tills: type[Till], gateway_to: GatewayTo, holds: list[tuple[Money, str, Money]]
) -> None:
    till = tills()
    entry = till.books.add("100.00")
    gateway = gateway_to(till)
    gone = euros("0")
    for number, (amount, then, part) in enumerate(holds):
        before = entry.remaining
        try:
            reservation = gateway.reserve("shop", "V-0001", amount, reference=f"h-{number}")
        except InsufficientValue:
            assert before < amount
            assert entry.remaining == before
            continue
        assert entry.remaining == before - amount
        if then == "release":
            assert gateway.release("shop", reservation, reference=f"l-{number}").freed
        elif then == "part" and part <= amount:
            gone += gateway.capture("shop", reservation, part, reference=f"c-{number}").money
        elif then == "capture":
            gone += gateway.capture("shop", reservation, reference=f"c-{number}").money
        else:
            gone += amount
        assert entry.remaining + gone == euros("100.00")


def test_nothing_is_given_back_to_a_voucher_that_was_moved_since(till: Till, sqlite_url: str) -> None:
    journal = open_journal(sqlite_url, {"1": SecretSource.of("a-key-for-the-tests-of-tills")})
    with Gateway([Account(name="shop", provider=till, accept_risks=["reserve-by-redeem"])], journal=journal) as gateway:
        reservation = reserve(gateway)
        with journal.database.write() as connection:
            claim_moves(connection, journal.keys, "shop", ["v"], "a-plan")
            complete_moves(connection, journal.keys, "shop", "another", [("v", "w")], "a-plan")
        with pytest.raises(VoucherMoved, match="moved to the account another, where its id is w"):
            gateway.release("shop", reservation, reference="l-1")
        with pytest.raises(VoucherMoved):
            gateway.capture("shop", reservation, euros("10"), reference="c-1")
        assert [verb for verb, _ in till.books.log] == ["redeem"]
        assert gateway.capture("shop", reservation, reference="c-2").money == euros("30")  # nothing comes back
