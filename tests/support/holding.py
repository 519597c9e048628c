"""A vendor in memory whose reservations are captured in parts. What is not captured stays reserved."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import attrs

from voucher_gateway.provider_api import (
    AlreadyCaptured,
    Capabilities,
    Code,
    CodeRules,
    Expiry,
    ListingRules,
    Money,
    Operation,
    Pin,
    Redemption,
    RefundLink,
    Release,
    RepeatSafety,
    Reservation,
    ReservationRules,
    RestAfterCapture,
    Voucher,
    VoucherProvider,
    native,
    notify_before_send,
)

CODE: Final = "HOLDING-0042"


@attrs.frozen
class Settings:
    """No settings."""


class HoldingVendor(VoucherProvider):
    """The vendor, with one voucher of 50.00 EUR.

    Attributes:
        held: what is left of each reservation.
    """

    name = "holding"
    title = "Holding"
    interface_version = 1
    settings_type = Settings
    declared = Capabilities(
        operations={
            Operation.FIND: native(),
            Operation.GET: native(),
            Operation.RESERVE: native(repeat=RepeatSafety.NONE),
            Operation.CAPTURE: native(partial=True, repeat=RepeatSafety.NONE),
            Operation.RELEASE: native(repeat=RepeatSafety.NONE),
        },
        codes=CodeRules(choosable=False, readable=True),
        expiry=Expiry.NONE,
        listing=ListingRules(page_size=10),
        reservations=ReservationRules(
            at_once=None,
            superseded_by_next=False,
            time_to_live=None,
            partial_capture=True,
            rest_after_capture=RestAfterCapture.HELD,
            captures=None,
            release=True,
        ),
        refund_link=RefundLink.UNLINKED,
    )

    def __init__(self, account: str = "shop") -> None:
        super().__init__(account, Settings())
        self.held: dict[str, Money] = {}

    @property
    def host(self) -> str:
        return "holding.example"

    def vendor_now(self) -> datetime:
        return datetime(2026, 11, 21, 12, tzinfo=UTC)

    def find(self, code: str | Code, pin: str | Pin | None = None) -> Voucher:
        return self.get("v1")

    def get(self, id: str, *, secrets: bool = False) -> Voucher:
        return Voucher(account=self.account, id=id, code=Code(CODE), remaining=Money("50.00", "EUR"))

    def reserve(
        self,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
    ) -> Reservation:
        intent = self.intent(Operation.RESERVE, reference=reference, order=order, voucher_id="v1", money=money)
        notify_before_send(intent)
        id = f"h{len(self.held) + 1}"
        self.held[id] = money
        return Reservation(account=self.account, id=id, voucher_id="v1", money=money)

    def capture(
        self, reservation: Reservation, money: Money | None = None, *, reference: str, order: str | None = None
    ) -> Redemption:
        taken = self.held[reservation.id] if money is None else money
        intent = self.intent(
            Operation.CAPTURE,
            reference=reference,
            order=order,
            voucher_id="v1",
            subject=reservation.id,
            money=taken,
        )
        notify_before_send(intent)
        if taken > self.held[reservation.id]:
            raise AlreadyCaptured("less is left of the reservation")
        self.held[reservation.id] = self.held[reservation.id] - taken
        return Redemption(
            account=self.account, id=f"r-{reference}", voucher_id="v1", money=taken, reservation_id=reservation.id
        )

    def release(self, reservation: Reservation, *, reference: str, order: str | None = None) -> Release:
        intent = self.intent(Operation.RELEASE, reference=reference, order=order, subject=reservation.id)
        notify_before_send(intent)
        self.held[reservation.id] = Money("0.00", "EUR")
        return Release(account=self.account, reservation_id=reservation.id, freed=True)
