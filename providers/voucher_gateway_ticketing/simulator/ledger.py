"""The vendor's books: every voucher with what was redeemed from it. Vouchers are values; a change replaces one."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import attrs

from .amounts import SellerCurrency
from .instants import parse_instant, write_instant

ORIGINS: Final = ("default", "shop", "import", "upgrade", "refund")
"""How a voucher can come to be (vendor page; the seed shows only `default`)."""


@attrs.frozen
class Redemption:
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
    redemptions: tuple[Redemption, ...] = ()

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


@attrs.define
class VoucherLedger:
    """All vouchers in the order in which they were made, found by id or by code."""

    _by_id: dict[str, StoredVoucher] = attrs.field(factory=dict, repr=False)
    _ids_by_code: dict[str, list[str]] = attrs.field(factory=dict, repr=False)

    def __iter__(self) -> Iterator[StoredVoucher]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, voucher_id: str) -> StoredVoucher | None:
        """The voucher with this id."""
        return self._by_id.get(voucher_id)

    def with_code(self, code: str) -> list[StoredVoucher]:
        """Every voucher with exactly this code, oldest first; more than one only where duplicates are allowed."""
        return [self._by_id[voucher_id] for voucher_id in self._ids_by_code.get(code, ())]

    def put(self, voucher: StoredVoucher) -> None:
        """Add a voucher, or replace the one with its id; a code never changes."""
        if voucher.id not in self._by_id:
            self._ids_by_code.setdefault(voucher.code, []).append(voucher.id)
        self._by_id[voucher.id] = voucher

    def dump(self) -> list[dict[str, Any]]:
        """The whole ledger as JSON values."""
        return [attrs.asdict(voucher, value_serializer=_to_json) for voucher in self]

    @classmethod
    def load(cls, vouchers: list[dict[str, Any]]) -> "VoucherLedger":
        """The ledger that `dump` wrote; raises KeyError, TypeError or ValueError for anything else."""
        ledger = cls()
        for saved in vouchers:
            valid_until = saved["valid_until"]
            redemptions = tuple(
                Redemption(entry["transaction_id"], entry["amount"], parse_instant(entry["at"]))
                for entry in saved["redemptions"]
            )
            ledger.put(
                StoredVoucher(
                    **{
                        **saved,
                        "created_at": parse_instant(saved["created_at"]),
                        "updated_at": parse_instant(saved["updated_at"]),
                        "valid_until": None if valid_until is None else parse_instant(valid_until),
                        "redemptions": redemptions,
                    }
                )
            )
        return ledger


def ledger_entry(voucher: StoredVoucher, currency: SellerCurrency, now: datetime) -> dict[str, object]:
    """The truth about a voucher, for tests: redemptions are its movements, and nothing is ever reserved."""
    return {
        "id": voucher.id,
        "code": voucher.code,
        "currency": currency.code,
        "initial": currency.fixed(voucher.amount),
        "remaining": currency.fixed(voucher.balance),
        "reserved": currency.fixed(0),
        "status": voucher.message(now),
        "valid_until": None if voucher.valid_until is None else write_instant(voucher.valid_until),
        "movements": [
            {
                "id": redemption.transaction_id,
                "kind": "redemption",
                "amount": currency.fixed(redemption.amount),
                "reference": None,
                "at": write_instant(redemption.at),
            }
            for redemption in voucher.redemptions
        ],
    }


def _to_json(_owner: Any, _field: Any, value: Any) -> Any:
    return write_instant(value) if isinstance(value, datetime) else value
