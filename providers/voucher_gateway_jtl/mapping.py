"""Between JTL's wire objects and the domain: what means what, and what may be sent at all."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.provider_api import (
    AmountOutOfRange,
    Code,
    IntegrityMismatch,
    Intent,
    Interval,
    InvalidRequest,
    MalformedResponse,
    Medium,
    Money,
    Movement,
    MovementKind,
    NewVoucher,
    Pin,
    RawObject,
    Redemption,
    Refund,
    Reservation,
    TopUp,
    UnsupportedOperation,
    Validity,
    Voucher,
    VoucherChanges,
    WrongPin,
    hide_frames,
    money_from,
)
from voucher_gateway_jtl.capture_notes import tax_rate_noted, taxable_noted
from voucher_gateway_jtl.shop_data import data_text, read_data
from voucher_gateway_jtl.wire import AMOUNT, JtlCharge, JtlReservation, JtlVoucher

_LONGEST: Final = 255
_LONGEST_BATCH: Final = 30
_KINDS: Final = {"charge": MovementKind.REDEMPTION, "refund": MovementKind.REFUND, "recharge": MovementKind.TOP_UP}
# Half of a surrogate pair: Python text can hold one, UTF-8 cannot.
_HALF_A_CHARACTER: Final = re.compile(r"[\ud800-\udfff]")

# --- what may be sent ---


def _validate_text(text: str, field: str, longest: int = _LONGEST) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{field} is a str, not {type(text).__name__}")
    if not 1 <= len(text) <= longest:
        rule = f"1 to {longest} characters"
        raise InvalidRequest(f"{field} must have {rule} at JTL, not {len(text)}", field=field, rule=rule)
    if _HALF_A_CHARACTER.search(text):
        raise InvalidRequest(f"{field} is no valid Unicode text", field=field, rule="valid Unicode")
    return text


def validate_code(code: str | Code) -> Code:
    """Return the code if JTL could have it: 1 to 255 characters (seed)."""
    code = Code.of(code)
    with hide_frames():
        _validate_text(code.reveal(), "code")
    return code


def validate_pin(pin: str | Pin) -> Pin:
    """Return the PIN if JTL could have it: 1 to 255 characters (seed)."""
    pin = Pin.of(pin)
    with hide_frames():
        _validate_text(pin.reveal(), "pin")
    return pin


def validate_id(id: str) -> str:
    """Return the id if it can be part of a path: any 1 to 255 characters but ``.`` and ``..``."""
    if _validate_text(id, "id") in (".", ".."):
        raise InvalidRequest("id must not be '.' or '..'", field="id", rule="not '.' and not '..'")
    return id


def validate_reference(reference: str) -> str:
    """Return the reference if it can be an order number or a comment on a status; 255 characters at most.

    No limit is documented for either; this is the one of the other texts.
    """
    return _validate_text(reference, "reference")


def validate_comment(text: str) -> str:
    """Return the comment on a deletion, 255 characters at most (vendor page)."""
    return _validate_text(text, "reason")


def amount(money: Money) -> dict[str, Any]:
    """Return amount and currency for a body.

    Raises:
        AmountOutOfRange: if it is not above zero, or above 99999.99.
        AmountPrecisionError: if it has a third decimal that is not zero.
    """
    if not isinstance(money, Money):
        raise TypeError(f"an amount is a Money, not {type(money).__name__}")
    if money.amount <= 0:
        raise AmountOutOfRange(f"amount {money} is not above zero", field="amount", rule="above zero")
    return {"amount": AMOUNT.write(money), "currency": money.currency}


def create_body(new: NewVoucher, *, order: str | None) -> dict[str, Any]:
    """Return the body that creates a voucher. A value of zero is allowed here (vendor's changelog 1.1).

    Raises:
        InvalidRequest: naming the field that JTL cannot keep as it is.
        UnsupportedOperation: for an absolute expiry.
    """
    if new.valid_until is not None:
        raise UnsupportedOperation(
            "JTL takes no date of expiry, only a validity counted from activation", operation="issue"
        )
    body: dict[str, Any] = {"amount": AMOUNT.write(new.initial), "currency": new.initial.currency}
    texts = {"id": new.id, "sku": new.sku, "tax_rate": new.tax_rate}
    body |= {name: _validate_text(text, name) for name, text in texts.items() if text is not None}
    if new.id is not None:
        validate_id(new.id)
    if (sold_with := new.order or order) is not None:
        body["order_number"] = _validate_text(sold_with, "order")
    if new.batch is not None:
        body["batch"] = _validate_text(new.batch, "batch", _LONGEST_BATCH)
    if new.code is not None:
        body["code"] = validate_code(new.code)
    if new.pin is not None:
        body["pin"] = validate_pin(new.pin)
    if new.active is not None:
        body["status"] = "active" if new.active else "inactive"
    if new.medium is not None:
        body["type"] = _enum_value(new.medium, Medium.UNKNOWN, "medium")
    if new.validity is not None:
        body |= _validity(new.validity)
    if new.taxable is not None:
        body["taxable"] = new.taxable
    if new.metadata is not None:
        body["data"] = data_text(new.metadata)
    return body


def _enum_value(member: Medium | Interval, unknown: object, field: str) -> str:
    if member is unknown:
        raise InvalidRequest(f"{field} 'unknown' cannot be sent", field=field, rule="a known member")
    return member.value


def _validity(validity: Validity) -> dict[str, Any]:
    if type(validity.value) is not int or validity.value < 1:
        raise InvalidRequest("validity must be at least 1", field="validity", rule="a whole number from 1")
    interval = _enum_value(validity.interval, Interval.UNKNOWN, "validity")
    return {"validity_value": validity.value, "validity_interval": interval}


def changes(wanted: VoucherChanges) -> dict[str, Any]:
    """Return the body of an update: SKU and batch (vendor page)."""
    changed = wanted.fields_to_change()
    if "valid_until" in changed:
        raise UnsupportedOperation("JTL cannot change the expiry of a voucher", operation="update")
    if not changed:
        raise InvalidRequest("nothing is to be changed", field="changes", rule="at least one change")
    limits = {"sku": _LONGEST, "batch": _LONGEST_BATCH}
    for name, value in changed.items():
        if value is None:
            raise InvalidRequest(f"JTL cannot clear {name}", field=name, rule="not None")
        _validate_text(value, name, limits[name])
    return changed


# --- what the vendor says ---


def voucher(account: str, code: Code | None, voucher: JtlVoucher, raw: RawObject) -> Voucher:
    """Return the domain's voucher. `code` is the one it was found by, as lists do not show codes."""
    currency = voucher.currency
    metadata, unread = read_data(voucher.data)
    return Voucher(
        account=account,
        id=voucher.id,
        code=code if voucher.code is None else voucher.code,
        pin=voucher.pin,
        initial=_money(voucher.amount, currency, "amount"),
        remaining=_money(voucher.remaining_amount, currency, "remaining_amount"),
        status=voucher.status,
        medium=voucher.type,
        valid_until=voucher.valid_until,
        validity=_lasting(voucher),
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


def _lasting(voucher: JtlVoucher) -> Validity | None:
    if voucher.validity_value is None or voucher.validity_interval is None:
        return None
    return Validity(voucher.validity_value, voucher.validity_interval)


def with_secrets(voucher: Voucher, complete: JtlVoucher) -> Voucher:
    """Return the voucher with the code and PIN that the vendor's complete view shows."""
    return attrs.evolve(
        voucher,
        code=complete.code,
        pin=complete.pin,
    )


def check_pin(complete: JtlVoucher, pin: Pin, account: str) -> None:
    """Make sure of the PIN.

    Raises:
        WrongPin: if the voucher has another.
    """
    if complete.pin is not None and complete.pin != pin:
        raise WrongPin("the PIN is wrong", account=account, operation="find")


def currency_of(voucher: Voucher) -> str:
    """Return the currency of a voucher.

    Raises:
        MalformedResponse: if the vendor did not say it.
    """
    if voucher.initial is None:
        raise MalformedResponse("the voucher has no amount", problems=("amount: needed",))
    return voucher.initial.currency


def check_issued(account: str, new: NewVoucher, one: JtlVoucher, raw: RawObject) -> Voucher:
    """Return the voucher that was created, if it is the one that was asked for."""
    issued = voucher(account, None, one, raw)
    if issued.initial != new.initial:
        raise IntegrityMismatch(f"it tells of {issued.initial}, not of {new.initial}")
    if new.id is not None and issued.id != new.id:
        raise IntegrityMismatch("it tells of another id than the one asked for")
    if new.code is not None and issued.code is not None and issued.code != new.code:
        raise IntegrityMismatch("it tells of another code than the one asked for")
    return issued


def movement(account: str, currency: str, charge: JtlCharge, raw: RawObject) -> Movement:
    """Return an entry of a voucher's history."""
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
    """Return what moved, if it is what was asked for. Charges carry no currency: it is the request's."""
    assert intent.money is not None
    money = money_from(AMOUNT, charge.amount, intent.money.currency, "amount")
    if money != intent.money:
        raise IntegrityMismatch(f"it tells of {money}, not of {intent.money}")
    if charge.type != kind:
        raise IntegrityMismatch(f"it is no {kind}")
    if intent.voucher_id is not None and charge.voucher_id is not None and charge.voucher_id != intent.voucher_id:
        raise IntegrityMismatch("it tells of another voucher")
    return money


def reservation(account: str, intent: Intent, reservation: JtlReservation, raw: RawObject) -> Reservation:
    """Return the reservation that was made, if it is of the amount asked for."""
    assert intent.money is not None
    money = money_from(AMOUNT, reservation.amount, intent.money.currency, "amount")
    if money != intent.money:
        raise IntegrityMismatch(f"it tells of {money}, not of {intent.money}")
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
        taxable=taxable_noted(intent),
        tax_rate=tax_rate_noted(intent),
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
