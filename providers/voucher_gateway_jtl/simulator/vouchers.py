"""Vouchers, reservations and movements as the vendor keeps them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from attrs import define, field

from voucher_gateway_jtl.simulator.validation import end_of_validity

STATUSES: Final = ("active", "inactive")
MEDIA: Final = ("print", "digital")
INTERVALS: Final = ("days", "weeks", "months", "years")


@define
class MovementRecord:
    """An entry about a voucher, which the vendor calls a charge; its type tells the direction.

    Attributes:
        id: the vendor's.
        voucher_id: of its voucher.
        client_id: who moved the value.
        type: charge, recharge or refund.
        cents: always positive.
        order_number: as the client gave it; a refund is given none.
        at: with whole seconds.
        refunds: for a refund, the id of its charge; never shown on the wire.
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
    """Value set aside; live until it ends, is replaced by the next of its voucher, or is charged."""

    id: str
    voucher_id: str
    client_id: str
    cents: int
    created_at: datetime
    valid_until: datetime
    replaced: bool = False
    charged: bool = False

    def live(self, now: datetime) -> bool:
        """Whether it can be charged now."""
        return not self.replaced and not self.charged and now < self.valid_until


@define(kw_only=True)
class VoucherRecord:
    """A voucher with its secrets; amounts in cents, texts as the client gave them."""

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
        """The cents of its live reservation."""
        return self.reservation.cents if self.reservation and self.reservation.live(now) else 0

    def activate(self, now: datetime) -> None:
        """Makes it spendable; the validity starts again each time."""
        self.status = "active"
        self.valid_until = end_of_validity(now, self.validity_value, self.validity_interval)

    def deactivate(self) -> None:
        """Stops it; an inactive voucher has no end of validity (seed)."""
        self.status = "inactive"
        self.valid_until = None
