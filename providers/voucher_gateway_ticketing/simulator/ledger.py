"""The vendor's books: every voucher with what was redeemed from it. Vouchers are values; a change replaces one."""

from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.simulator import LedgerMovement, LedgerVoucher
from voucher_gateway_ticketing.simulator.scalars import SellerCurrency, write_instant

ORIGINS: Final = ("default", "shop", "import", "upgrade", "refund")
"""How a voucher can come to be (vendor page; the seed shows only `default`)."""


@attrs.frozen
class CheckoutRedemption:
    """One ticket checkout that took value off a voucher."""

    transaction_id: str
    amount: int
    at: datetime


@attrs.frozen
class StoredVoucher:
    """One voucher; amounts are whole minor units of the seller's currency.

    `transaction_id`, `product_id` and `refund_id` say what the voucher resulted from, never where it was spent.
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
        """What can still be spent: the vendor keeps the value and what was taken, so an update moves it along."""
        return self.amount - self.redeemed

    def message(self, now: datetime) -> str:
        """The vendor's word for its state in the look-up by code: `expired`, `invalid` or `valid`.

        That a spent voucher is `invalid` is not documented; the five words are, without their conditions.
        """
        if self.valid_until is not None and self.valid_until < now:
            return "expired"
        return "valid" if self.balance else "invalid"


def ledger_entry(voucher: StoredVoucher, currency: SellerCurrency, now: datetime) -> dict[str, object]:
    """The truth about a voucher, for tests: redemptions are its movements, and nothing is ever reserved."""
    return LedgerVoucher(
        id=voucher.id,
        code=voucher.code,
        currency=currency.code,
        initial=currency.fixed_text(voucher.amount),
        remaining=currency.fixed_text(voucher.balance),
        reserved=currency.fixed_text(0),
        status=voucher.message(now),
        valid_until=None if voucher.valid_until is None else write_instant(voucher.valid_until),
        movements=tuple(
            LedgerMovement(
                id=redemption.transaction_id,
                kind="redemption",
                amount=currency.fixed_text(redemption.amount),
                at=write_instant(redemption.at),
            )
            for redemption in voucher.redemptions
        ),
    ).to_json()
