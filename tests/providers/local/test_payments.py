"""Value being set aside, taken and given back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from tests.providers.local.conftest import START, MakeTill, Till, eur
from voucher_gateway.provider_api import (
    AlreadyCaptured,
    AlreadyRefunded,
    AmountOutOfRange,
    Code,
    CurrencyMismatch,
    InsufficientValue,
    InvalidRequest,
    Money,
    MovementKind,
    Redemption,
    Reservation,
    ReservationExpired,
    ReservationReleased,
    VoucherExpired,
    VoucherInactive,
    VoucherNotFound,
    WrongPin,
)


def test_a_redemption_takes_value_to_the_last_cent(either_till: Till) -> None:
    code = either_till.code("10.53")
    done = either_till.redeem(code, "10.52", order="1001", reference="a")
    assert (done.money, done.remaining, done.reference, done.order) == (eur("10.52"), eur("0.01"), "a", "1001")
    assert done.created_at == START
    either_till.redeem(code, "0.01")
    assert either_till.remaining(code) == "0.00"


def test_whatever_moves_or_holds_value_is_seen_in_when_the_voucher_was_last_changed(either_till: Till) -> None:
    code = either_till.code("10.00")
    redemption = either_till.redeem(code, "10.00")
    for act in (
        lambda: either_till.provider.refund(redemption, eur("10.00"), reference="back"),
        lambda: either_till.reserve(code),
        lambda: either_till.provider.top_up(either_till.provider.find(Code(code)).id, eur("1.00"), reference="more"),
    ):
        either_till.clock.advance(minutes=1)
        act()
        assert either_till.provider.find(Code(code)).updated_at == either_till.clock.now
    (listed,) = either_till.provider.vouchers()
    assert (listed.created_at, listed.updated_at) == (START, either_till.clock.now)


def test_more_than_there_is_cannot_be_taken(either_till: Till) -> None:
    code = either_till.code("10.00")
    with pytest.raises(InsufficientValue, match=r"10\.00 EUR left") as caught:
        either_till.redeem(code, "10.01")
    assert (caught.value.account, caught.value.operation) == ("own", "redeem")
    assert either_till.remaining(code) == "10.00"


def test_an_inactive_voucher_is_neither_spent_nor_set_aside(either_till: Till) -> None:
    code = either_till.code(active=False)
    with pytest.raises(VoucherInactive):
        either_till.redeem(code)
    with pytest.raises(VoucherInactive):
        either_till.reserve(code)


def test_a_voucher_is_good_until_the_moment_of_its_end_and_not_then(either_till: Till) -> None:
    code = either_till.code(valid_until=START + timedelta(hours=1))
    either_till.clock.advance(minutes=59, seconds=59, microseconds=999_999)
    either_till.redeem(code)
    either_till.clock.advance(microseconds=1)
    with pytest.raises(VoucherExpired):
        either_till.redeem(code)


def test_another_currency_is_refused(either_till: Till) -> None:
    code = either_till.code()
    with pytest.raises(CurrencyMismatch, match="in EUR, not in CHF"):
        either_till.provider.redeem(code, Money("1.00", "CHF"), reference="a")


def test_only_amounts_above_zero_move(till: Till) -> None:
    voucher = till.issue(code="GIFT-1")
    reservation = till.reserve("GIFT-1")
    redemption = till.redeem("GIFT-1")
    for call in (
        lambda money: till.provider.redeem("GIFT-1", money, reference="a"),
        lambda money: till.provider.reserve("GIFT-1", money, reference="a"),
        lambda money: till.provider.capture(reservation, money, reference="a"),
        lambda money: till.provider.refund(redemption, money, reference="a"),
        lambda money: till.provider.top_up(voucher.id, money, reference="a"),
    ):
        for amount in ("0.00", "-1.00"):
            with pytest.raises(AmountOutOfRange):
                call(eur(amount))


# --- PINs ---


def test_a_voucher_with_a_pin_is_spent_with_that_pin_only(either_till: Till) -> None:
    code = either_till.code(pin="4711")
    for wrong in (None, "4712", "471", "47111"):
        with pytest.raises(WrongPin):
            either_till.redeem(code, pin=wrong)
        with pytest.raises(WrongPin):
            either_till.reserve(code, pin=wrong)
    either_till.redeem(code, pin="4711")
    either_till.reserve(code, pin="4711")


def test_reading_needs_no_pin_but_a_wrong_one_is_wrong(either_till: Till) -> None:
    code = either_till.code(pin="4711")
    assert either_till.provider.find(code).remaining == eur("50.00")
    assert either_till.provider.balance(code, "4711").remaining == eur("50.00")
    with pytest.raises(WrongPin):
        either_till.provider.balance(code, "0000")


def test_a_voucher_without_a_pin_does_not_look_at_one(either_till: Till) -> None:
    either_till.redeem(either_till.code(), pin="4711")


# --- reservations ---


def test_many_reservations_stand_on_one_voucher_each_with_its_own_end(either_till: Till) -> None:
    code = either_till.code("30.00")
    first = either_till.reserve(code, "10.00")
    either_till.clock.advance(minutes=20)
    second = either_till.reserve(code, "15.00")
    assert (first.valid_until, second.valid_until) == (
        START + timedelta(minutes=30),
        START + timedelta(minutes=50),
    )
    with pytest.raises(InsufficientValue, match=r"5\.00 EUR available; reservations hold 25\.00 EUR"):
        either_till.redeem(code, "5.01")
    assert either_till.remaining(code) == "30.00"
    either_till.clock.advance(minutes=10)
    either_till.redeem(code, "15.00")
    with pytest.raises(ReservationExpired):
        either_till.provider.capture(first, reference="late")
    assert either_till.provider.capture(second, reference="in time").remaining == eur("0.00")


def test_the_settings_say_how_long_a_reservation_lasts(make_till: MakeTill, own_url: str) -> None:
    till = make_till(own_url, reservation_minutes=5)
    assert till.reserve(till.code()).valid_until == START + timedelta(minutes=5)
    rules = till.provider.capabilities.reservations
    assert rules is not None
    assert rules.time_to_live == timedelta(minutes=5)


def test_a_capture_takes_what_was_set_aside(either_till: Till) -> None:
    code = either_till.code()
    reservation = either_till.reserve(code, "20.00")
    done = either_till.provider.capture(reservation, reference="a", order="1001")
    assert (done.money, done.remaining, done.reservation_id) == (eur("20.00"), eur("30.00"), reservation.id)
    with pytest.raises(AlreadyCaptured):
        either_till.provider.capture(reservation, reference="b")


def test_a_partial_capture_frees_the_rest(either_till: Till) -> None:
    code = either_till.code("20.00")
    reservation = either_till.reserve(code, "20.00")
    assert either_till.provider.capture(reservation, eur("5.00"), reference="a").money == eur("5.00")
    either_till.redeem(code, "15.00")
    assert either_till.remaining(code) == "0.00"


def test_no_more_is_captured_than_was_set_aside(either_till: Till) -> None:
    reservation = either_till.reserve(either_till.code(), "20.00")
    with pytest.raises(InsufficientValue, match=r"holds 20\.00 EUR"):
        either_till.provider.capture(reservation, eur("20.01"), reference="a")


def test_a_release_frees_the_value_at_once(either_till: Till) -> None:
    code = either_till.code("20.00")
    reservation = either_till.reserve(code, "20.00")
    done = either_till.provider.release(reservation, reference="a")
    assert (done.freed, done.reservation_id) == (True, reservation.id)
    either_till.redeem(code, "20.00")
    with pytest.raises(ReservationReleased):
        either_till.provider.capture(reservation, reference="b")
    with pytest.raises(ReservationReleased):
        either_till.provider.release(reservation, reference="c")


def test_a_reservation_whose_time_is_over_stays_over_even_if_the_clock_goes_back(either_till: Till) -> None:
    code = either_till.code("20.00")
    reservation = either_till.reserve(code, "20.00")
    either_till.clock.advance(minutes=30)
    either_till.redeem(code, "1.00")
    either_till.clock.advance(minutes=-29)
    with pytest.raises(ReservationExpired):
        either_till.provider.capture(reservation, reference="a")


def test_what_was_set_aside_in_time_stays_good_when_the_voucher_expires(either_till: Till) -> None:
    code = either_till.code(valid_until=START + timedelta(minutes=5))
    reservation = either_till.reserve(code)
    either_till.clock.advance(minutes=10)
    either_till.provider.capture(reservation, reference="a")


def test_a_voucher_that_was_stopped_captures_nothing_until_it_is_active_again(either_till: Till) -> None:
    voucher = either_till.issue(code="GIFT-1")
    reservation = either_till.reserve("GIFT-1")
    either_till.provider.deactivate(voucher.id, reference="stop")
    with pytest.raises(VoucherInactive):
        either_till.provider.capture(reservation, reference="a")
    either_till.provider.activate(voucher.id, reference="go")
    either_till.provider.capture(reservation, reference="a")


@pytest.mark.parametrize("id", ["", "x", "0-1", "1-0", "1-2-3", "9-9", "1-1", "١-٢", "1" * 30 + "-1"])
def test_an_id_of_no_reservation_is_not_found(till: Till, id: str) -> None:
    reservation = till.reserve(till.code())
    wrong = attrs.evolve(reservation, id=id)
    kinds = InvalidRequest if not id else VoucherNotFound
    with pytest.raises(kinds):
        till.provider.capture(wrong, reference="a")
    with pytest.raises(kinds):
        till.provider.release(wrong, reference="b")


# --- refunds ---


def test_a_redemption_is_given_back_in_parts_up_to_all_of_it(either_till: Till) -> None:
    code = either_till.code("50.00")
    redemption = either_till.redeem(code, "30.00")
    back = either_till.provider.refund(redemption, eur("10.00"), reference="a", order="1001")
    assert (back.money, back.remaining, back.redemption_id) == (eur("10.00"), eur("30.00"), redemption.id)
    either_till.provider.refund(redemption, eur("19.99"), reference="b")
    with pytest.raises(AlreadyRefunded, match=r"0\.01 EUR of the redemption can still be refunded"):
        either_till.provider.refund(redemption, eur("0.02"), reference="c")
    either_till.provider.refund(redemption, eur("0.01"), reference="c")
    with pytest.raises(AlreadyRefunded):
        either_till.provider.refund(redemption, eur("0.01"), reference="d")
    assert either_till.remaining(code) == "50.00"


def test_no_more_is_given_back_than_was_taken(either_till: Till) -> None:
    redemption = either_till.redeem(either_till.code("50.00"), "30.00")
    with pytest.raises(AmountOutOfRange, match=r"at most 30\.00 EUR"):
        either_till.provider.refund(redemption, eur("30.01"), reference="a")


def test_each_redemption_has_its_own_limit_of_refunds(either_till: Till) -> None:
    code = either_till.code("50.00")
    one, other = either_till.redeem(code, "10.00"), either_till.redeem(code, "20.00")
    either_till.provider.refund(one, reference="a")
    either_till.provider.refund(other, reference="b")
    with pytest.raises(AlreadyRefunded):
        either_till.provider.refund(one, reference="c")


def test_a_capture_is_given_back_like_a_redemption(either_till: Till) -> None:
    code = either_till.code("50.00")
    redemption = either_till.provider.capture(either_till.reserve(code, "20.00"), eur("8.00"), reference="a")
    assert either_till.provider.refund(redemption, reference="b").money == eur("8.00")


def test_a_voucher_that_is_over_or_stopped_takes_its_value_back(either_till: Till) -> None:
    voucher = either_till.issue(code="GIFT-1", valid_until=datetime(2026, 4, 1, tzinfo=UTC))
    redemption = either_till.redeem("GIFT-1")
    either_till.provider.deactivate(voucher.id, reference="stop")
    either_till.clock.advance(days=60)
    assert either_till.provider.refund(redemption, reference="a").remaining == eur("50.00")


def test_only_a_redemption_can_be_given_back(till: Till) -> None:
    voucher = till.issue(code="GIFT-1")
    till.provider.top_up(voucher.id, eur("1.00"), reference="a")
    redemption = till.redeem("GIFT-1")
    for id in ("1-1", "1-2", "1-9", "x", "1-", "1-9999999999"):
        with pytest.raises(VoucherNotFound, match="no redemption") as caught:
            till.provider.refund(attrs.evolve(redemption, id=id), reference="b")
        assert (caught.value.account, caught.value.operation) == ("own", "refund")


def test_an_entry_of_another_voucher_than_the_one_named_is_not_found(either_till: Till) -> None:
    """Ids such as 1-2 repeat in every database: the voucher's own says whether it is the right one."""
    own = either_till.provider
    code = either_till.code("50.00")
    taken, held = either_till.redeem(code), either_till.reserve(code)
    for call in (
        lambda: own.refund(attrs.evolve(taken, voucher_id="another"), reference="a"),
        lambda: own.capture(attrs.evolve(held, voucher_id="another"), reference="a"),
        lambda: own.release(attrs.evolve(held, voucher_id="another"), reference="a"),
    ):
        with pytest.raises(VoucherNotFound, match="this voucher has no"):
            call()
    assert own.refund(attrs.evolve(taken, voucher_id=None), reference="a").remaining == eur("50.00")
    assert own.capture(attrs.evolve(held, voucher_id=None), reference="a").remaining == eur("40.00")


# --- history ---


def test_the_history_tells_every_movement_in_order_and_nothing_else(either_till: Till) -> None:
    voucher = either_till.issue("50.00", code="GIFT-1", active=False)
    provider = either_till.provider
    provider.activate(voucher.id, reference="on")
    redemption = either_till.redeem("GIFT-1", "10.00", reference="a")
    either_till.clock.advance(minutes=1)
    captured = provider.capture(either_till.reserve("GIFT-1", "5.00"), eur("4.00"), reference="b")
    provider.release(either_till.reserve("GIFT-1", "5.00"), reference="free")
    provider.refund(redemption, eur("2.00"), reference="c")
    provider.top_up(voucher.id, eur("1.00"), reference="d")
    history = provider.history(voucher.id)
    assert [(movement.kind, str(movement.money), movement.reference) for movement in history] == [
        (MovementKind.REDEMPTION, "10.00 EUR", "a"),
        (MovementKind.REDEMPTION, "4.00 EUR", "b"),
        (MovementKind.REFUND, "2.00 EUR", "c"),
        (MovementKind.TOP_UP, "1.00 EUR", "d"),
    ]
    assert [movement.id for movement in history][:2] == [redemption.id, captured.id]
    assert (history.complete, history.as_of) == (True, either_till.clock.now)


def test_a_reservation_and_what_is_taken_tell_the_tax_of_the_voucher(either_till: Till) -> None:
    code = either_till.code(taxable=True, tax_rate="7", code="GIFT-1")
    reservation = either_till.reserve(code, reference="held")
    told: list[Redemption | Reservation] = [
        reservation,
        either_till.provider.capture(reservation, reference="taken"),
        either_till.redeem(code, reference="at once"),
        either_till.reserve(code, reference="held"),
        either_till.redeem(code, reference="at once"),
    ]
    assert [(one.taxable, one.tax_rate) for one in told] == [(True, "7")] * 5
    plain = either_till.redeem(either_till.code(code="GIFT-2"))
    assert (plain.taxable, plain.tax_rate) == (None, None)
