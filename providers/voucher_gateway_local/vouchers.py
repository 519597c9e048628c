"""The writers of issued, changed, topped-up and deleted vouchers.

Each function returns a function that writes one call in a transaction; `Issue` is such a function itself.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any, Final

import attrs
from sqlalchemy.engine import Connection

from voucher_gateway.provider_api import (
    Code,
    DuplicateCode,
    FieldError,
    Interval,
    Money,
    NewVoucher,
    Rejected,
    Status,
    Validity,
    VoucherChanges,
    format_micros,
)
from voucher_gateway_local import validation
from voucher_gateway_local.ledger import LedgerCall, LockedVoucher
from voucher_gateway_local.mapping import state_of
from voucher_gateway_local.settings import ALPHABET, LocalSettings
from voucher_gateway_local.statements import (
    CHANGE,
    CHANGEABLE,
    REMOVE,
    VOUCHER_BY_FINGERPRINT,
    VOUCHER_BY_NUMBER,
    Row,
    insert_voucher,
)
from voucher_gateway_local.transactions import Written
from voucher_gateway_local.vault import Vault

_ID_LENGTH: Final = 20
_TRIES: Final = 5
"""How often a new code is generated if the generated one already exists, as can happen with short codes."""


@attrs.frozen
class Issue:
    """The writer of a new voucher.

    Attributes:
        new: the voucher.
        call: the call.
        settings: the alphabet and length of generated codes.
        vault: encrypts code and PIN.
    """

    new: NewVoucher
    call: LedgerCall
    settings: LocalSettings
    vault: Vault

    def __call__(self, connection: Connection) -> Written:
        """Write the voucher within a transaction.

        Raises:
            DuplicateCode: if its id or code already exists.
        """
        # A chosen code is tried once, because another try would find the same voucher.
        for _ in range(1 if self.new.code is not None else _TRIES):
            code = self.new.code or self._make_code()
            id = self.new.id or _random_text(ALPHABET, _ID_LENGTH)
            values = self._values(id, code)
            number = insert_voucher(connection, values)
            if number is not None:
                return self._first_entry(connection, number, values)
            if not self._is_code_in_use(connection, code):
                raise DuplicateCode("a voucher with this id already exists")
        raise DuplicateCode("a voucher with this code already exists")

    def _first_entry(self, connection: Connection, number: int, values: Row) -> Written:
        voucher = LockedVoucher(connection, {**values, "number": number}, 0, 0, 0)
        state = state_of({**values, "moved": False, "held": 0})
        entry = voucher.add(self.call, self.new.initial.minor, state=state)
        return read_row(connection, number, self.call), entry

    def _values(self, id: str, code: Code) -> Row:
        new, at = self.new, self.call.moment
        status = Status.ACTIVE if new.active else Status.INACTIVE
        until = new.valid_until
        if new.validity is not None and status is Status.ACTIVE:
            until = validation.end_of_validity(new.validity, self.call.at)
        return {
            "id": id,
            "fingerprint": self.vault.fingerprint(code),
            "sealed": self.vault.seal(id, code, new.pin),
            "has_pin": new.pin is not None,
            "currency": new.initial.currency,
            "status": status.value,
            "medium": None if new.medium is None else new.medium.value,
            "valid_until": None if until is None else format_micros(until),
            "validity_value": None if new.validity is None else new.validity.value,
            "validity_interval": None if new.validity is None else new.validity.interval.value,
            "taxable": new.taxable,
            "tax_rate": new.tax_rate,
            "sku": new.sku,
            "batch": new.batch,
            "order_number": new.order or self.call.order,
            "metadata": validation.metadata_text(new.metadata),
            "created_at": at,
            "updated_at": at,
        }

    def _is_code_in_use(self, connection: Connection, code: Code) -> bool:
        parameters = {"fingerprint": self.vault.fingerprint(code), "now": self.call.moment}
        return VOUCHER_BY_FINGERPRINT.first_row(connection, parameters) is not None

    def _make_code(self) -> Code:
        return Code(_random_text(self.settings.code_alphabet, self.settings.code_length))


def _random_text(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def read_row(connection: Connection, number: int, call: LedgerCall) -> Row:
    """Return the current row of a voucher within a transaction."""
    row = VOUCHER_BY_NUMBER.first_row(connection, {"voucher_number": number, "now": call.moment})
    assert row is not None
    return row


def change_columns(connection: Connection, voucher: LockedVoucher, call: LedgerCall, **values: Any) -> Written:
    """Change columns of a voucher, and write an entry with its new state."""
    row: Row = {**voucher.row, **values, "updated_at": call.moment}
    values = {f"new_{name}": row[name] for name in CHANGEABLE}
    CHANGE.execute(connection, {"voucher_number": row["number"], **values})
    row = {**read_row(connection, row["number"], call), "updated_at": call.moment}  # as the next entry has it
    return row, voucher.add(call, state=state_of(row))


def activate(id: str, call: LedgerCall) -> Callable[[Connection], Written]:
    """Return the writer that activates a voucher. Only the first activation starts a relative validity."""

    def act(connection: Connection) -> Written:
        voucher = LockedVoucher.by_id(connection, id)
        row = voucher.row
        until = row["valid_until"]
        if until is None and row["validity_value"] is not None:
            validity = Validity(row["validity_value"], Interval(row["validity_interval"]))
            until = format_micros(validation.end_of_validity(validity, call.at))
        return change_columns(connection, voucher, call, status=Status.ACTIVE.value, valid_until=until)

    return act


def deactivate(id: str, call: LedgerCall) -> Callable[[Connection], Written]:
    """Return the writer that deactivates a voucher. Its reservations can then not be captured."""

    def act(connection: Connection) -> Written:
        return change_columns(connection, LockedVoucher.by_id(connection, id), call, status=Status.INACTIVE.value)

    return act


def values_of_changes(changes: VoucherChanges) -> dict[str, Any]:
    """Return the columns that the changes set. An absolute end replaces a relative validity.

    Raises:
        InvalidRequest: if a value cannot be stored.
    """
    values = changes.fields_to_change()
    for field in ("sku", "batch"):
        if values.get(field) is not None:
            validation.check_text(values[field], field)
    if "valid_until" in values:
        until = values["valid_until"]
        values["valid_until"] = None if until is None else format_micros(until)
        values |= {"validity_value": None, "validity_interval": None}
    return values


def update(id: str, values: dict[str, Any], call: LedgerCall) -> Callable[[Connection], Written]:
    """Return the writer that changes the data of a voucher."""

    def act(connection: Connection) -> Written:
        return change_columns(connection, LockedVoucher.by_id(connection, id), call, **values)

    return act


def top_up(id: str, money: Money, call: LedgerCall) -> Callable[[Connection], Written]:
    """Return the writer that adds value. The voucher may be inactive, but its validity must not have ended."""

    def act(connection: Connection) -> Written:
        voucher = LockedVoucher.by_id(connection, id)
        voucher.check_valid(call.moment)
        voucher.check_currency(money)
        return voucher.row, voucher.add(call, money.minor)

    return act


def delete(id: str, reason: str, call: LedgerCall) -> Callable[[Connection], Written]:
    """Return the writer that deletes a voucher without movements. Its code and PIN are erased, its entries stay."""

    def act(connection: Connection) -> Written:
        voucher = LockedVoucher.by_id(connection, id)
        voucher.expire_holds(call.moment)
        if voucher.held or read_row(connection, voucher.row["number"], call)["moved"]:
            rule = "no movement and no reservation"
            raise Rejected(f"only a voucher with {rule} can be deleted", fields=(FieldError(field="id", rule=rule),))
        entry = voucher.add(call, -voucher.remaining, state=json.dumps({"reason": reason}))
        connection.execute(REMOVE, {"voucher_number": voucher.row["number"], "at": call.moment})
        return voucher.row, entry

    return act
