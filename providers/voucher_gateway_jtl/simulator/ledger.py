"""The vouchers, reservations and movements that the vendor keeps, and the rules by which value moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from voucher_gateway.simulator import from_records, to_records
from voucher_gateway_jtl.simulator.scalars import LARGEST_CENTS, end_of_validity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from voucher_gateway_jtl.simulator.errors import Errors


STATUSES: Final = ("active", "inactive")
MEDIA: Final = ("print", "digital")
INTERVALS: Final = ("days", "weeks", "months", "years")


@define
class MovementRecord:
    """A movement of value, which the vendor calls a charge. Its type tells the direction.

    Attributes:
        id: the vendor's id of the movement.
        voucher_id: the id of its voucher.
        client_id: the client that moved the value.
        type: charge, recharge or refund.
        cents: the amount, always positive.
        order_number: as the client sent it; a refund has none.
        at: the time, in whole seconds.
        refunds: the id of the charge that a refund gives back; no reply shows it.
    """

    id: str
    voucher_id: str
    client_id: str
    type: str
    cents: int
    order_number: str | None
    at: datetime
    refunds: str | None = None


@define
class ReservationRecord:
    """Reserved value. It is active until it expires, is replaced by the next one of its voucher, or is charged."""

    id: str
    voucher_id: str
    client_id: str
    cents: int
    created_at: datetime
    valid_until: datetime
    replaced: bool = False
    charged: bool = False

    def is_active(self, now: datetime) -> bool:
        """Return whether it can be charged now."""
        return not self.replaced and not self.charged and now < self.valid_until


@define(kw_only=True)
class VoucherRecord:
    """A voucher with its secrets. Amounts are in cents, texts are as the client sent them."""

    id: str
    client_id: str
    code: str
    pin: str | None = None
    sku: str | None = None
    batch: str | None = None
    cents: int
    remaining: int
    currency: str
    valid_until: datetime | None = None
    validity_value: int
    validity_interval: str
    status: str = "inactive"
    type: str = "digital"
    taxable: bool = False
    tax_rate: str | None = None
    order_number: str | None = None
    data: str | None = None
    created_at: datetime
    updated_at: datetime
    movements: list[MovementRecord] = field(factory=list)
    reservation: ReservationRecord | None = None

    @property
    def active(self) -> bool:
        """Whether its status allows spending."""
        return self.status == "active"

    @property
    def deletable(self) -> bool:
        """Never charged (vendor page) and not active (vendor changelog 1.4)."""
        return not self.active and all(movement.type != "charge" for movement in self.movements)

    def reserved_cents(self, now: datetime) -> int:
        """Return the cents of its active reservation."""
        return self.reservation.cents if self.reservation and self.reservation.is_active(now) else 0

    def activate(self, now: datetime) -> None:
        """Make it spendable. The validity starts again each time."""
        self.status = "active"
        self.valid_until = end_of_validity(now, self.validity_value, self.validity_interval)

    def deactivate(self) -> None:
        """Make it not spendable. An inactive voucher has no end of validity (seed)."""
        self.status = "inactive"
        self.valid_until = None


RESERVATION_LIFETIME: Final = timedelta(minutes=30)
"""Seed: a reservation expires after 30 minutes, or when the next one is requested for its voucher."""


class Ledger:
    """All vouchers in order of creation, with indexes of what clients look up.

    Args:
        errors: makes the refusals.
        new_id: makes ids of reservations and movements.
    """

    def __init__(self, errors: Errors, new_id: Callable[[], str]) -> None:
        self._errors = errors
        self._new_id = new_id
        self.vouchers: dict[str, VoucherRecord] = {}
        self.by_code: dict[str, VoucherRecord] = {}
        self.reservations: dict[str, ReservationRecord] = {}
        self.movements: dict[str, MovementRecord] = {}

    def __iter__(self) -> Iterator[VoucherRecord]:
        return iter(self.vouchers.values())

    def dump(self) -> dict[str, Any]:
        """Return every voucher and reservation as new JSON values."""
        return {
            "vouchers": to_records(list(self)),
            "reservations": to_records(list(self.reservations.values())),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Replace everything in the ledger by what `dump` returned."""
        reservations = from_records(list[ReservationRecord], state["reservations"])
        vouchers = from_records(list[VoucherRecord], state["vouchers"])
        for index in (self.vouchers, self.by_code, self.reservations, self.movements):
            index.clear()
        self.reservations.update((reservation.id, reservation) for reservation in reservations)
        for voucher in vouchers:
            if voucher.reservation is not None:  # the same object, so that a charge changes both places
                voucher.reservation = self.reservations[voucher.reservation.id]
            self.add(voucher)

    def add(self, voucher: VoucherRecord) -> None:
        """Add a voucher with its movements. Its id and code must be new."""
        self.vouchers[voucher.id] = voucher
        self.by_code[voucher.code] = voucher
        self.movements.update((movement.id, movement) for movement in voucher.movements)

    def remove(self, voucher: VoucherRecord) -> None:
        """Delete a voucher with its movements and reservations.

        Raises:
            Refused: if it was charged or is active.
        """
        if not voucher.deletable:
            raise self._errors.against_rules("not-deletable")
        del self.vouchers[voucher.id]
        del self.by_code[voucher.code]
        for movement in voucher.movements:
            del self.movements[movement.id]
        for id in [id for id, reservation in self.reservations.items() if reservation.voucher_id == voucher.id]:
            del self.reservations[id]

    def voucher(self, voucher_id: str) -> VoucherRecord:
        """Return the voucher with an id.

        Raises:
            Refused: 404 if it does not exist.
        """
        if voucher_id not in self.vouchers:
            raise self._errors.no_voucher()
        return self.vouchers[voucher_id]

    def voucher_by_code(self, code: str) -> VoucherRecord:
        """Return the voucher with exactly this code.

        Raises:
            Refused: 404 if it does not exist.
        """
        if code not in self.by_code:
            raise self._errors.no_voucher()
        return self.by_code[code]

    def reserve(
        self, voucher: VoucherRecord, cents: int, currency: str, client_id: str, now: datetime
    ) -> ReservationRecord:
        """Reserve value, and replace the voucher's older reservation, whichever client made it.

        Raises:
            Refused: if the voucher cannot be spent, or has another currency or too little value.
        """
        self._check_spendable(voucher, now)
        self._check_currency(voucher, currency)
        if cents > voucher.remaining:
            raise self._errors.against_rules("insufficient-credit")
        if voucher.reservation:
            voucher.reservation.replaced = True
        at = _to_seconds(now)
        reservation = ReservationRecord(self._new_id(), voucher.id, client_id, cents, at, at + RESERVATION_LIFETIME)
        voucher.reservation = reservation
        self.reservations[reservation.id] = reservation
        return reservation

    def charge(self, reservation_id: str, order_number: str, client_id: str, now: datetime) -> MovementRecord:
        """Take the whole reserved value. That works once.

        Raises:
            Refused: 404 if the reservation is unknown, expired or replaced; 422 if it was charged already, or if the
                voucher cannot be spent any more.
        """
        reservation = self.reservations.get(reservation_id)
        if reservation is None:
            raise self._errors.absent("no-reservation")
        if reservation.charged:
            raise self._errors.against_rules("reservation-charged")
        if not reservation.is_active(now):
            raise self._errors.absent("reservation-replaced" if reservation.replaced else "reservation-expired")
        voucher = self.vouchers[reservation.voucher_id]
        self._check_spendable(voucher, now)
        reservation.charged = True
        voucher.remaining -= reservation.cents
        return self._record(
            voucher,
            MovementRecord(
                self._new_id(), voucher.id, client_id, "charge", reservation.cents, order_number, _to_seconds(now)
            ),
        )

    def refund(self, charge_id: str, cents: int, currency: str, client_id: str, now: datetime) -> MovementRecord:
        """Give back a part or all of a charge (all since changelog 1.7).

        Raises:
            Refused: 404 if the movement does not exist; 422 if it is not a charge, if the currency differs, or if the
                refunds would exceed it.
        """
        charge = self.movements.get(charge_id)
        if charge is None:
            raise self._errors.absent("no-charge")
        if charge.type != "charge":
            raise self._errors.against_rules("not-a-charge")
        voucher = self.vouchers[charge.voucher_id]
        self._check_currency(voucher, currency)
        refunded = sum(movement.cents for movement in voucher.movements if movement.refunds == charge.id)
        if refunded + cents > charge.cents:
            raise self._errors.against_rules("refund-exceeds-charge")
        refund = MovementRecord(
            self._new_id(), voucher.id, client_id, "refund", cents, None, _to_seconds(now), charge.id
        )
        return self._add_value(voucher, refund)

    def recharge(
        self, voucher: VoucherRecord, cents: int, currency: str, order_number: str, client_id: str, now: datetime
    ) -> MovementRecord:
        """Add value, also to a voucher that is inactive or expired: no page forbids it.

        Raises:
            Refused: 422 for another currency, or more value than a voucher can hold.
        """
        self._check_currency(voucher, currency)
        recharge = MovementRecord(
            self._new_id(), voucher.id, client_id, "recharge", cents, order_number, _to_seconds(now)
        )
        return self._add_value(voucher, recharge)

    def _add_value(self, voucher: VoucherRecord, movement: MovementRecord) -> MovementRecord:
        if voucher.remaining + movement.cents > LARGEST_CENTS:
            raise self._errors.against_rules("too-much-credit")
        voucher.remaining += movement.cents
        return self._record(voucher, movement)

    def _record(self, voucher: VoucherRecord, movement: MovementRecord) -> MovementRecord:
        voucher.movements.append(movement)
        voucher.updated_at = movement.at
        self.movements[movement.id] = movement
        return movement

    def _check_spendable(self, voucher: VoucherRecord, now: datetime) -> None:
        if not voucher.active:
            raise self._errors.against_rules("inactive")
        if voucher.valid_until is not None and now >= voucher.valid_until:
            raise self._errors.against_rules("expired")

    def _check_currency(self, voucher: VoucherRecord, currency: str) -> None:
        if voucher.currency != currency:
            raise self._errors.against_rules("currency-mismatch")


def _to_seconds(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)  # the wire has whole seconds
