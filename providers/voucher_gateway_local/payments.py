"""Value being set aside, taken and given back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.engine import Connection

from voucher_gateway.provider_api import (
    AlreadyCaptured,
    AlreadyRefunded,
    AmountOutOfRange,
    InsufficientValue,
    Money,
    Pin,
    ReservationExpired,
    ReservationReleased,
    VoucherNotFound,
    WrongPin,
    format_micros,
)
from voucher_gateway_local.ledger import Call, LockedVoucher
from voucher_gateway_local.mapping import entry_of, money_of
from voucher_gateway_local.statements import END_OF, ENTRY, GIVEN_BACK, Row
from voucher_gateway_local.transactions import Written
from voucher_gateway_local.vault import Vault, same_pin


def check_pin(vault: Vault, row: Row, pin: Pin | None) -> None:
    """Make sure of a voucher's PIN. A voucher without one is not asked for it, and takes any.

    Raises:
        WrongPin: if it is another, or missing.
    """
    if not row["has_pin"]:
        return
    if pin is None:
        raise WrongPin("the voucher has a PIN, and none was given")
    _, kept = vault.open(row["id"], row["sealed"])
    if kept is None or not same_pin(kept, pin):
        raise WrongPin("the PIN is wrong")


def redeem(
    vault: Vault, fingerprint: str, money: Money, pin: Pin | None, call: Call
) -> Callable[[Connection], Written]:
    """Return what takes value at once."""

    def act(connection: Connection) -> Written:
        voucher = LockedVoucher.by_fingerprint(connection, fingerprint)
        check_pin(vault, voucher.row, pin)
        voucher.check_spendable(money, call.moment)
        return voucher.row, voucher.add(call, -money.minor)

    return act


def reserve(
    vault: Vault, fingerprint: str, money: Money, pin: Pin | None, call: Call, lasting: timedelta
) -> Callable[[Connection], Written]:
    """Return what sets value aside until a moment of its own; other reservations are left alone."""

    def act(connection: Connection) -> Written:
        voucher = LockedVoucher.by_fingerprint(connection, fingerprint)
        check_pin(vault, voucher.row, pin)
        voucher.check_spendable(money, call.moment)
        ends_at = format_micros(call.at + lasting)
        entry = voucher.add(call, held_amount=money.minor, ends_at=ends_at)
        voucher.hold(money.minor, ends_at)
        return voucher.row, entry

    return act


def capture(reservation_id: str, voucher_id: str | None, money: Money, call: Call) -> Callable[[Connection], Written]:
    """Return what takes (part of) what was set aside, and frees the rest.

    What was set aside in time stays good when the voucher's own validity ends before the reservation's.
    """

    def act(connection: Connection) -> Written:
        voucher, reserved = _open_reservation(connection, reservation_id, voucher_id, call)
        voucher.check_active()
        voucher.check_currency(money)
        if money.minor > reserved["held_amount"]:
            kept = money_of(reserved["held_amount"], voucher.row["currency"])
            raise InsufficientValue(f"the reservation holds {kept}, less than was asked for")
        entry = voucher.add(call, -money.minor, held_amount=-reserved["held_amount"], subject=reserved["seq"])
        voucher.end_hold(reserved["seq"])
        return voucher.row, entry

    return act


def release(reservation_id: str, voucher_id: str | None, call: Call) -> Callable[[Connection], Written]:
    """Return what gives a reservation up."""

    def act(connection: Connection) -> Written:
        voucher, reserved = _open_reservation(connection, reservation_id, voucher_id, call)
        entry = voucher.add(call, held_amount=-reserved["held_amount"], subject=reserved["seq"])
        voucher.end_hold(reserved["seq"])
        return voucher.row, entry

    return act


def refund(redemption_id: str, voucher_id: str | None, money: Money, call: Call) -> Callable[[Connection], Written]:
    """Return what gives (part of) a redemption back; all refunds of one together never exceed it.

    A voucher that is not active, or whose validity is over, takes its value back all the same.
    """

    def act(connection: Connection) -> Written:
        number, seq = entry_of(redemption_id, "redemption")
        voucher = _voucher(connection, number, voucher_id, "redemption")
        taken = _entry(connection, number, seq, ("redeem", "capture"), "redemption")
        voucher.check_currency(money)
        if money.minor > -taken["amount"]:
            rule = f"at most the {money_of(-taken['amount'], voucher.row['currency'])} that were taken"
            raise AmountOutOfRange(f"a redemption is given back once: {rule}", field="money", rule=rule)
        left = -taken["amount"] - _refunded_amount(connection, number, seq)
        if money.minor > left:
            free = money_of(left, voucher.row["currency"])
            raise AlreadyRefunded(f"of the redemption, {free} are left to give back: the rest was given back before")
        return voucher.row, voucher.add(call, money.minor, subject=seq)

    return act


def _open_reservation(connection: Connection, id: str, voucher_id: str | None, call: Call) -> tuple[LockedVoucher, Row]:
    number, seq = entry_of(id, "reservation")
    voucher = _voucher(connection, number, voucher_id, "reservation")
    reserved = _entry(connection, number, seq, ("reserve",), "reservation")
    end = connection.execute(END_OF, {"voucher": number, "seq": seq}).mappings().first()
    if end is not None and end["kind"] == "capture":
        raise AlreadyCaptured("the reservation was captured before")
    if end is not None and end["kind"] == "release":
        raise ReservationReleased("the reservation was given up before")
    if end is not None or reserved["ends_at"] <= call.moment:
        raise ReservationExpired("the reservation's time is over")
    return voucher, reserved


def _voucher(connection: Connection, number: int, voucher_id: str | None, what: str) -> LockedVoucher:
    """Lock the voucher of an entry. Ids of entries are alike in every database, those of vouchers are not."""
    voucher = LockedVoucher.by_number(connection, number)
    if voucher_id not in (None, voucher.row["id"]):
        raise VoucherNotFound(f"there is no {what} with this id of this voucher")
    return voucher


def _entry(connection: Connection, number: int, seq: int, kinds: tuple[str, ...], what: str) -> Row:
    entry = connection.execute(ENTRY, {"voucher": number, "seq": seq}).mappings().first()
    if entry is None or entry["kind"] not in kinds:
        raise VoucherNotFound(f"there is no {what} with this id")
    return entry


def _refunded_amount(connection: Connection, number: int, seq: int) -> int:
    refunded: int = connection.execute(GIVEN_BACK, {"voucher": number, "seq": seq}).scalar_one()
    return refunded
