"""The vouchers of the vendor with their redemptions. A voucher is immutable; a change replaces it."""

from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.simulator import LedgerMovement, LedgerVoucher
from voucher_gateway_ticketing.simulator.scalars import SellerCurrency, write_instant

ORIGINS: Final = ("default", "shop", "import", "upgrade", "refund")
"""The origins that a voucher can have (vendor page; the seed shows only `default`)."""


@attrs.frozen
class CheckoutRedemption:
    """A ticket checkout that took value from a voucher."""

    transaction_id: str
    amount: int
    at: datetime


@attrs.frozen
class StoredVoucher:
    """A voucher. Amounts are in minor units of the seller's currency.

    `transaction_id`, `product_id` and `refund_id` tell where the voucher came from, not where it was spent.
    """

    id: str
    code: str = attrs.field(repr=False)
    amount: int
    created_at: datetime
    updated_at: datetime
    valid_until: datetime | None = None
    origin: str = "default"
    transaction_id: str | None = None
    product_id: str | None = None
    refund_id: str | None = None
    customer_id: str | None = None
    redemptions: tuple[CheckoutRedemption, ...] = ()

    @property
    def redeemed(self) -> int:
        """The sum of all redemptions."""
        return sum(redemption.amount for redemption in self.redemptions)

    @property
    def balance(self) -> int:
        """The value that is left: the value, which an update changes, minus the redemptions."""
        return self.amount - self.redeemed

    def message(self, now: datetime) -> str:
        """Return the vendor's word for the state in the look-up by code: `expired`, `invalid` or `valid`.

        The vendor documents five words without their conditions. That a spent voucher is `invalid` is our choice.
        """
        if self.valid_until is not None and self.valid_until < now:
            return "expired"
        return "valid" if self.balance else "invalid"


def make_ledger_voucher(voucher: StoredVoucher, currency: SellerCurrency, now: datetime) -> dict[str, object]:
    """Return the true state of a voucher, for tests. Its redemptions are its movements; nothing is ever reserved."""
    return LedgerVoucher(
        id=voucher.id,
        code=voucher.code,
        currency=currency.code,
        initial=currency.decimal_text(voucher.amount),
        remaining=currency.decimal_text(voucher.balance),
        reserved=currency.decimal_text(0),
        status=voucher.message(now),
        valid_until=None if voucher.valid_until is None else write_instant(voucher.valid_until),
        movements=tuple(
            LedgerMovement(
                id=redemption.transaction_id,
                kind="redemption",
                amount=currency.decimal_text(redemption.amount),
                at=write_instant(redemption.at),
            )
            for redemption in voucher.redemptions
        ),
    ).to_json()
