"""One voucher within a transaction: its value, and the entries that a call adds to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs
from sqlalchemy.engine import Connection

from voucher_gateway.provider_api import (
    AmountOutOfRange,
    CurrencyMismatch,
    InsufficientValue,
    Money,
    Operation,
    ReferenceConflict,
    VoucherExpired,
    VoucherInactive,
    VoucherNotFound,
    format_micros,
)
from voucher_gateway.storage.statements import PreparedStatement
from voucher_gateway_local.statements import (
    DELETE_HOLD,
    HOLD,
    HOLDS,
    LAST_ENTRY,
    LOCKED_BY_FINGERPRINT,
    LOCKED_BY_ID,
    LOCKED_BY_NUMBER,
    Row,
    append,
)
from voucher_gateway_local.tables import LARGEST_MINOR

_LAPSE: Final = "lapse"
"""The kind of the entry that ends a reservation because its time is over, without a call."""


@attrs.frozen(kw_only=True)
class LedgerCall:
    """The fields of a changing call that its entry stores beside the amounts.

    Attributes:
        kind: the operation, which is the kind of the entry.
        reference: the caller's reference.
        order: the shop's order.
        content: a digest of the request.
        at: the time.
        moment: the same time as the text that columns store.
    """

    kind: Operation
    reference: str
    order: str | None
    content: str
    at: datetime
    moment: str = attrs.field(init=False, default=attrs.Factory(lambda call: format_micros(call.at), takes_self=True))


@attrs.define
class LockedVoucher:
    """A voucher that no other transaction can change until this one ends.

    Attributes:
        connection: the transaction.
        row: the voucher's row.
        seq: the number of its last entry.
        remaining: the remaining value, in minor units.
        held: the part of it that reservations hold, including expired ones until `expire_holds`.
    """

    connection: Connection
    row: Row
    seq: int
    remaining: int
    held: int

    @classmethod
    def by_fingerprint(cls, connection: Connection, fingerprint: str) -> LockedVoucher:
        """Lock the voucher with this code.

        Raises:
            VoucherNotFound: if no voucher has it.
        """
        return cls._of(connection, LOCKED_BY_FINGERPRINT, {"fingerprint": fingerprint}, "code")

    @classmethod
    def by_id(cls, connection: Connection, id: str) -> LockedVoucher:
        """Lock the voucher with this id.

        Raises:
            VoucherNotFound: if no voucher has it.
        """
        return cls._of(connection, LOCKED_BY_ID, {"id": id}, "id")

    @classmethod
    def by_number(cls, connection: Connection, number: int) -> LockedVoucher:
        """Lock the voucher with this number, which the ids of reservations and movements contain.

        Raises:
            VoucherNotFound: if no voucher has it.
        """
        locked = cls._of(connection, LOCKED_BY_NUMBER, {"voucher_number": number}, "number")
        if locked.row["deleted_at"] is not None:
            raise VoucherNotFound("the voucher was deleted")
        return locked

    @classmethod
    def _of(
        cls, connection: Connection, lock: PreparedStatement, columns: Mapping[str, Any], what: str
    ) -> LockedVoucher:
        row = lock.first_row(connection, columns)
        if row is None:
            raise VoucherNotFound(f"no voucher has this {what}")
        last = LAST_ENTRY.first_row(connection, {"voucher": row["number"]})
        assert last is not None  # a voucher comes with its first entry
        return cls(connection, row, last["seq"], last["after"], last["held"])

    def expire_holds(self, moment: str) -> None:
        """End the reservations whose time is over, so that `held` is the amount that is held now."""
        if not self.held:
            return
        for hold in HOLDS.all_rows(self.connection, {"voucher": self.row["number"]}):
            if hold["ends_at"] <= moment:
                self._end(hold, moment)

    def _end(self, hold: Row, moment: str) -> None:
        self._write(_LAPSE, moment, (None, None, None), (0, -hold["amount"]), hold["seq"])
        self.end_hold(hold["seq"])

    def end_hold(self, seq: int) -> None:
        """Remove a reservation from the table of open reservations."""
        DELETE_HOLD.execute(self.connection, {"voucher": self.row["number"], "seq": seq})

    def hold(self, amount: int, ends_at: str) -> None:
        """Add the entry that was just written to the table of open reservations."""
        values = {"voucher": self.row["number"], "seq": self.seq, "amount": amount, "ends_at": ends_at}
        HOLD.execute(self.connection, values)

    def check_spendable(self, money: Money, moment: str) -> None:
        """Check that the amount can be taken or reserved now. Expired reservations are ended first.

        Raises:
            VoucherInactive, VoucherExpired, CurrencyMismatch, InsufficientValue: if it cannot be taken.
        """
        self.check_active()
        self.check_valid(moment)
        self.check_currency(money)
        self.expire_holds(moment)
        if self.remaining - self.held < money.minor:
            raise InsufficientValue(self._insufficient_value_text())

    def _insufficient_value_text(self) -> str:
        currency = self.row["currency"]
        free = Money.from_minor(self.remaining - self.held, currency)
        if not self.held:
            return f"the voucher has {free} left, less than the requested amount"
        return f"the voucher has {free} available; reservations hold {Money.from_minor(self.held, currency)}"

    def check_active(self) -> None:
        """Check that the voucher is active."""
        if self.row["status"] != "active":
            raise VoucherInactive("the voucher is not active")

    def check_valid(self, moment: str) -> None:
        """Check that the validity of the voucher has not ended."""
        until = self.row["valid_until"]
        if until is not None and until <= moment:
            raise VoucherExpired("the validity of the voucher has ended")

    def check_currency(self, money: Money) -> None:
        """Check that the money is in the currency of the voucher."""
        if money.currency != self.row["currency"]:
            raise CurrencyMismatch(f"the voucher is in {self.row['currency']}, not in {money.currency}")

    def add(
        self,
        call: LedgerCall,
        amount: int = 0,
        *,
        held_amount: int = 0,
        subject: int | None = None,
        ends_at: str | None = None,
        state: str | None = None,
    ) -> Row:
        """Write the entry of a call, and return it.

        Raises:
            ReferenceConflict: if an entry of this kind has the reference already.
            AmountOutOfRange: if the value of the voucher would exceed the maximum.
        """
        names = (call.reference, call.content, call.order)
        return self._write(call.kind.value, call.moment, names, (amount, held_amount), subject, ends_at, state)

    def _write(
        self,
        kind: str,
        moment: str,
        names: tuple[str | None, str | None, str | None],
        amounts: tuple[int, int],
        subject: int | None,
        ends_at: str | None = None,
        state: str | None = None,
    ) -> Row:
        reference, content, order = names
        amount, held_amount = amounts
        entry: Row = {
            "voucher": self.row["number"],
            "seq": self.seq + 1,
            "kind": kind,
            "before": self.remaining,
            "amount": amount,
            "after": self.remaining + amount,
            "held_before": self.held,
            "held_amount": held_amount,
            "held": self.held + held_amount,
            "previous": self.seq or None,
            "subject": subject,
            "reference": reference,
            "content": content,
            "order_number": order,
            "ends_at": ends_at,
            "state": state,
            "at": moment,
        }
        if entry["after"] > LARGEST_MINOR:
            raise AmountOutOfRange(
                "the value of the voucher would exceed the maximum", field="amount", rule="see the capabilities"
            )
        if not append(self.connection, entry):
            raise ReferenceConflict(
                f"reference {reference!r} was already used for a different {kind}; use a new reference for a new call"
            )
        self.seq, self.remaining, self.held = entry["seq"], entry["after"], entry["held"]
        return entry
