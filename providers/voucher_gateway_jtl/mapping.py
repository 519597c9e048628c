"""Maps JTL's objects to the domain's, and checks that a reply is about what was requested.

JTL shows the tax of a voucher with the reservation, but not with the charge. The redemption must have it as well, even
if another process finds the charge later. So the intent of a capture has it in its notes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, TypeVar

import attrs

from voucher_gateway.provider_api import (
    Code,
    IntegrityMismatch,
    Intent,
    MalformedResponse,
    Metadata,
    Money,
    Movement,
    MovementKind,
    NewVoucher,
    Pin,
    RawObject,
    Redemption,
    Refund,
    Reservation,
    Status,
    TopUp,
    Validity,
    Voucher,
    WrongPin,
    decode,
    format_instant,
    metadata_of,
    money_from,
)
from voucher_gateway_jtl.wire import AMOUNT, JtlCharge, JtlReservation, JtlVoucher

_KINDS: Final = {"charge": MovementKind.REDEMPTION, "refund": MovementKind.REFUND, "recharge": MovementKind.TOP_UP}
_TAXABLE: Final = "voucher_taxable"
_TAX_RATE: Final = "voucher_tax_rate"
_FLAGS: Final = {"yes": True, "no": False}
_ALL_READ: Final[frozenset[str]] = frozenset()
_NOT_READ: Final = frozenset({"metadata"})

V = TypeVar("V", Voucher, JtlVoucher)


def voucher(account: str, code: Code | None, voucher: JtlVoucher, raw: RawObject) -> Voucher:
    """Return the voucher as a domain object. `code` is the code that was searched, as lists do not show codes."""
    currency = voucher.currency
    metadata, unread = read_data(voucher.data)
    return Voucher(
        account=account,
        id=voucher.id,
        code=code if voucher.code is None else voucher.code,
        pin=voucher.pin,
        initial=_money(voucher.amount, currency, "amount"),
        remaining=_money(voucher.remaining_amount, currency, "remaining_amount"),
        status=None if voucher.status is None else Status(voucher.status.value),
        medium=voucher.type,
        valid_until=voucher.valid_until,
        validity=_validity(voucher),
        taxable=voucher.taxable,
        tax_rate=voucher.tax_rate,
        sku=voucher.sku,
        batch=voucher.batch,
        order=voucher.order_number,
        metadata=metadata,
        login=voucher.client_id,
        created_at=voucher.created_at,
        updated_at=voucher.updated_at,
        deletable=voucher.deletable,
        raw=raw,
        unread=unread,
    )


def _money(number: Decimal | None, currency: str | None, field: str) -> Money | None:
    if number is None:
        return None
    if currency is None:
        raise MalformedResponse("the voucher has an amount but no currency", problems=("currency: is missing",))
    return money_from(AMOUNT, number, currency, field)


def _validity(voucher: JtlVoucher) -> Validity | None:
    if voucher.validity_value is None or voucher.validity_interval is None:
        return None
    return Validity(voucher.validity_value, voucher.validity_interval)


def with_secrets(voucher: Voucher, complete: JtlVoucher) -> Voucher:
    """Return the voucher with the code and PIN of the vendor's complete view."""
    return attrs.evolve(
        voucher,
        code=complete.code,
        pin=complete.pin,
    )


def check_pin(complete: JtlVoucher, pin: Pin, account: str) -> None:
    """Check the PIN of a voucher.

    Raises:
        WrongPin: if the voucher has another PIN.
    """
    if complete.pin is not None and complete.pin != pin:
        raise WrongPin("the PIN is wrong", account=account, operation="find")


def currency_of(voucher: Voucher) -> str:
    """Return the currency of a voucher.

    Raises:
        MalformedResponse: if the reply does not have it.
    """
    if voucher.initial is None:
        raise MalformedResponse("the voucher has no amount", problems=("amount: is missing",))
    return voucher.initial.currency


def check_issued(account: str, new: NewVoucher, created: JtlVoucher, raw: RawObject) -> Voucher:
    """Return the voucher that was created.

    Raises:
        IntegrityMismatch: if it is not the one that was requested.
    """
    issued = voucher(account, None, created, raw)
    if issued.initial != new.initial:
        raise IntegrityMismatch(f"the reply has {issued.initial} instead of {new.initial}")
    if new.id is not None and issued.id != new.id:
        raise IntegrityMismatch("the reply has another id than the request")
    if new.code is not None and issued.code is not None and issued.code != new.code:
        raise IntegrityMismatch("the reply has another code than the request")
    return issued


def movement(account: str, currency: str, charge: JtlCharge, raw: RawObject) -> Movement:
    """Return a movement of a voucher's history."""
    return Movement(
        account=account,
        id=charge.id,
        voucher_id=charge.voucher_id,
        kind=_KINDS.get(charge.type or "", MovementKind.UNKNOWN),
        money=money_from(AMOUNT, charge.amount, currency, "amount"),
        reference=charge.order_number,
        login=charge.client_id,
        created_at=charge.created_at,
        raw=raw,
    )


def _check_moved(charge: JtlCharge, intent: Intent, kind: str) -> Money:
    """Return the value that moved, if it is the requested one. Charges have no currency: it is the request's."""
    assert intent.money is not None
    money = money_from(AMOUNT, charge.amount, intent.money.currency, "amount")
    if money != intent.money:
        raise IntegrityMismatch(f"the reply has {money} instead of {intent.money}")
    if charge.type != kind:
        raise IntegrityMismatch(f"the reply is not a {kind}")
    if intent.voucher_id is not None and charge.voucher_id is not None and charge.voucher_id != intent.voucher_id:
        raise IntegrityMismatch("the reply is about another voucher")
    return money


def reservation(account: str, intent: Intent, reservation: JtlReservation, raw: RawObject) -> Reservation:
    """Return the reservation that was made, if it has the requested amount."""
    assert intent.money is not None
    money = money_from(AMOUNT, reservation.amount, intent.money.currency, "amount")
    if money != intent.money:
        raise IntegrityMismatch(f"the reply has {money} instead of {intent.money}")
    return Reservation(
        account=account,
        id=reservation.id,
        voucher_id=reservation.voucher_id,
        money=money,
        valid_until=reservation.valid_until,
        reference=intent.reference,
        order=intent.order,
        taxable=reservation.voucher_taxable,
        tax_rate=reservation.voucher_tax_rate,
        login=reservation.client_id,
        created_at=reservation.created_at,
        raw=raw,
    )


def redemption(account: str, intent: Intent, charge: JtlCharge, raw: RawObject) -> Redemption:
    """Return the charge that was made."""
    return Redemption(
        account=account,
        id=charge.id,
        voucher_id=charge.voucher_id or intent.voucher_id,
        money=_check_moved(charge, intent, "charge"),
        reference=charge.order_number or intent.reference,
        order=intent.order,
        reservation_id=intent.subject,
        taxable=taxable_from_notes(intent),
        tax_rate=tax_rate_from_notes(intent),
        login=charge.client_id,
        created_at=charge.created_at,
        raw=raw,
    )


def refund(account: str, intent: Intent, charge: JtlCharge, raw: RawObject) -> Refund:
    """Return the refund that was made."""
    return Refund(
        account=account,
        id=charge.id,
        redemption_id=intent.subject,
        voucher_id=charge.voucher_id or intent.voucher_id,
        money=_check_moved(charge, intent, "refund"),
        reference=intent.reference,
        order=intent.order,
        login=charge.client_id,
        created_at=charge.created_at,
        raw=raw,
    )


def top_up(account: str, intent: Intent, charge: JtlCharge, raw: RawObject) -> TopUp:
    """Return the recharge that was made."""
    return TopUp(
        account=account,
        id=charge.id,
        voucher_id=charge.voucher_id or intent.voucher_id,
        money=_check_moved(charge, intent, "recharge"),
        reference=charge.order_number or intent.reference,
        order=intent.order,
        login=charge.client_id,
        created_at=charge.created_at,
        raw=raw,
    )


def read_data(data: str | None) -> tuple[Metadata | None, frozenset[str]]:
    """Return the metadata of a text, and the fields that could not be read. Text that is not JSON stays in `raw`."""
    if not data:
        return None, _ALL_READ
    try:
        return metadata_of(decode(data.encode())), _ALL_READ
    except (MalformedResponse, UnicodeEncodeError):
        return None, _NOT_READ


def require_id(id: str, answer: V) -> V:
    """Return the voucher of a reply, if it has the requested id.

    Raises:
        IntegrityMismatch: if it has another one.
    """
    if answer.id != id:
        raise IntegrityMismatch("the reply is about another voucher")
    return answer


def require_code(code: Code, answer: JtlVoucher) -> JtlVoucher:
    """Return the voucher that the code filter found, unless it shows another code.

    Raises:
        IntegrityMismatch: if it does.
    """
    if answer.code not in (None, code):
        raise IntegrityMismatch("the reply has another code than the request")
    return answer


def capture_notes(reservation: Reservation) -> dict[str, str]:
    """Return the notes of a capture: the end of the reservation, which decides an unknown outcome, and the tax."""
    notes = {}
    if reservation.valid_until is not None:
        notes["valid_until"] = format_instant(reservation.valid_until)
    if reservation.taxable is not None:
        notes[_TAXABLE] = "yes" if reservation.taxable else "no"
    if reservation.tax_rate is not None:
        notes[_TAX_RATE] = reservation.tax_rate
    return notes


def taxable_from_notes(intent: Intent) -> bool | None:
    """Return the tax flag of the voucher, from the notes of a capture."""
    return _FLAGS.get(intent.notes.get(_TAXABLE, ""))


def tax_rate_from_notes(intent: Intent) -> str | None:
    """Return the tax rate of the voucher, from the notes of a capture."""
    return intent.notes.get(_TAX_RATE)
