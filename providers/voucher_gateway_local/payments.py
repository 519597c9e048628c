"""The writers of reservations, captures, releases, redemptions and refunds.

Each function returns a function that writes one call in a transaction.
"""

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
from voucher_gateway_local.ledger import LedgerCall, LockedVoucher
from voucher_gateway_local.mapping import entry_of, money_of
from voucher_gateway_local.statements import END_OF, ENTRY, REFUNDED_AMOUNT, Row
from voucher_gateway_local.transactions import Written
from voucher_gateway_local.vault import Vault, same_pin


def check_pin(vault: Vault, row: Row, pin: Pin | None) -> None:
    """Check the PIN of a voucher. A voucher without a PIN accepts any.

    Raises:
        WrongPin: if the PIN is wrong or missing.
    """
    if not row["has_pin"]:
        return
    if pin is None:
        raise WrongPin("the voucher has a PIN, but the call has none")
    _, actual_pin = vault.open(row["id"], row["sealed"])
    if actual_pin is None or not same_pin(actual_pin, pin):
        raise WrongPin("the PIN is wrong")


def redeem(
    vault: Vault, fingerprint: str, money: Money, pin: Pin | None, call: LedgerCall
) -> Callable[[Connection], Written]:
    """Return the writer of a redemption, which takes value in one step."""

    def act(connection: Connection) -> Written:
        voucher = LockedVoucher.by_fingerprint(connection, fingerprint)
        check_pin(vault, voucher.row, pin)
        voucher.check_spendable(money, call.moment)
        return voucher.row, voucher.add(call, -money.minor)

    return act


def reserve(
    vault: Vault, fingerprint: str, money: Money, pin: Pin | None, call: LedgerCall, duration: timedelta
) -> Callable[[Connection], Written]:
    """Return the writer of a reservation, which sets value aside. Other reservations stay unchanged."""

    def act(connection: Connection) -> Written:
        voucher = LockedVoucher.by_fingerprint(connection, fingerprint)
        check_pin(vault, voucher.row, pin)
        voucher.check_spendable(money, call.moment)
        ends_at = format_micros(call.at + duration)
        entry = voucher.add(call, held_amount=money.minor, ends_at=ends_at)
        voucher.hold(money.minor, ends_at)
        return voucher.row, entry

    return act


def capture(
    reservation_id: str, voucher_id: str | None, money: Money, call: LedgerCall
) -> Callable[[Connection], Written]:
    """Return the writer of a capture, which takes all or a part of a reservation, and frees the rest.

    A reservation can be captured even after the validity of the voucher has ended.
    """

    def act(connection: Connection) -> Written:
        voucher, reservation = _open_reservation(connection, reservation_id, voucher_id, call)
        voucher.check_active()
        voucher.check_currency(money)
        if money.minor > reservation["held_amount"]:
            held = money_of(reservation["held_amount"], voucher.row["currency"])
            raise InsufficientValue(f"the reservation holds {held}, less than the requested amount")
        entry = voucher.add(call, -money.minor, held_amount=-reservation["held_amount"], subject=reservation["seq"])
        voucher.end_hold(reservation["seq"])
        return voucher.row, entry

    return act


def release(reservation_id: str, voucher_id: str | None, call: LedgerCall) -> Callable[[Connection], Written]:
    """Return the writer of a release, which ends a reservation without taking value."""

    def act(connection: Connection) -> Written:
        voucher, reservation = _open_reservation(connection, reservation_id, voucher_id, call)
        entry = voucher.add(call, held_amount=-reservation["held_amount"], subject=reservation["seq"])
        voucher.end_hold(reservation["seq"])
        return voucher.row, entry

    return act


def refund(
    redemption_id: str, voucher_id: str | None, money: Money, call: LedgerCall
) -> Callable[[Connection], Written]:
    """Return the writer of a refund. All refunds of a redemption together never exceed it.

    A refund also works for a voucher that is inactive or whose validity has ended.
    """

    def act(connection: Connection) -> Written:
        number, seq = entry_of(redemption_id, "redemption")
        voucher = _voucher(connection, number, voucher_id, "redemption")
        redemption = _entry(connection, number, seq, ("redeem", "capture"), "redemption")
        voucher.check_currency(money)
        if money.minor > -redemption["amount"]:
            rule = f"at most {money_of(-redemption['amount'], voucher.row['currency'])}, the redeemed amount"
            raise AmountOutOfRange(f"the refund must be {rule}", field="money", rule=rule)
        left = -redemption["amount"] - _sum_refunds(connection, number, seq)
        if money.minor > left:
            refundable = money_of(left, voucher.row["currency"])
            raise AlreadyRefunded(f"{refundable} of the redemption can still be refunded; the rest was refunded")
        return voucher.row, voucher.add(call, money.minor, subject=seq)

    return act


def _open_reservation(
    connection: Connection, id: str, voucher_id: str | None, call: LedgerCall
) -> tuple[LockedVoucher, Row]:
    number, seq = entry_of(id, "reservation")
    voucher = _voucher(connection, number, voucher_id, "reservation")
    reservation = _entry(connection, number, seq, ("reserve",), "reservation")
    end = END_OF.first_row(connection, {"voucher": number, "seq": seq})
    if end is not None and end["kind"] == "capture":
        raise AlreadyCaptured("the reservation was already captured")
    if end is not None and end["kind"] == "release":
        raise ReservationReleased("the reservation was already released")
    if end is not None or reservation["ends_at"] <= call.moment:
        raise ReservationExpired("the reservation has expired")
    return voucher, reservation


def _voucher(connection: Connection, number: int, voucher_id: str | None, what: str) -> LockedVoucher:
    """Lock the voucher of an entry. Two databases may use the same id of an entry, but not of a voucher."""
    voucher = LockedVoucher.by_number(connection, number)
    if voucher_id not in (None, voucher.row["id"]):
        raise VoucherNotFound(f"this voucher has no {what} with this id")
    return voucher


def _entry(connection: Connection, number: int, seq: int, kinds: tuple[str, ...], what: str) -> Row:
    entry = ENTRY.first_row(connection, {"voucher": number, "seq": seq})
    if entry is None or entry["kind"] not in kinds:
        raise VoucherNotFound(f"no {what} has this id")
    return entry


def _sum_refunds(connection: Connection, number: int, seq: int) -> int:
    refunded: int = connection.execute(REFUNDED_AMOUNT, {"voucher": number, "seq": seq}).scalar_one()
    return refunded
