"""Reads the balance of each voucher of an account from the vendor, as one stream."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import Declined, MalformedResponse, UnsupportedOperation
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import now
from voucher_gateway.iteration import ordered_map
from voucher_gateway.listing.listing import Listing
from voucher_gateway.listing.page import ListingReport
from voucher_gateway.listing.unreadable import UnreadableEntry
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.money import Money
from voucher_gateway.provider.provider import VoucherProvider

WORKERS: Final = 8
"""The number of threads, if each voucher has to be read by itself."""
_CHUNK: Final = 200
MOST_UNREADABLE: Final = 100
"""The largest number of unreadable vouchers that are named."""


@attrs.frozen(kw_only=True)
class VoucherBalance:
    """The balance of one voucher. It has no code and no PIN.

    Attributes:
        id: the id at the vendor.
        initial: the initial value.
        remaining: the remaining value; None if the vendor does not show it.
        status: the status; None if the vendor has none.
        valid_until: the end of validity; None if it has none, or it is not known.
        created_at: when the vendor created the voucher.
        updated_at: when the vendor last changed the voucher.
    """

    id: str
    initial: Money | None = None
    remaining: Money | None = None
    status: Status | None = None
    valid_until: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @classmethod
    def of(cls, voucher: Voucher) -> VoucherBalance:
        """Return the balance of a voucher."""
        return cls(
            id=voucher.id,
            initial=voucher.initial,
            remaining=voucher.remaining,
            status=voucher.status,
            valid_until=voucher.valid_until,
            created_at=voucher.created_at,
            updated_at=voucher.updated_at,
        )

    @property
    def currency(self) -> str | None:
        """The currency; None if no amount is known."""
        known = self.initial if self.remaining is None else self.remaining
        return None if known is None else known.currency

    def spendable(self, at: datetime) -> bool:
        """Return whether the voucher could be spent at a moment, so that its remaining value is owed.

        An unknown status counts as active, so that a report does not show too little.
        """
        return (self.status is None or self.status.spendable is not False) and not self.is_expired(at)

    def is_expired(self, at: datetime) -> bool:
        """Return whether validity had ended at a moment, or had ended for the vendor when the voucher was read."""
        return self.status is Status.EXPIRED or (self.valid_until is not None and self.valid_until <= at)


class BalanceReader:
    """Yields the balances of all vouchers of an account, once. Memory holds a few pages.

    If the list does not show the remaining value of a voucher, the voucher is read by itself. If that does not show it
    either, its balance has no `remaining`. So it is with a voucher that cannot be read at all.

    Args:
        gateway: has the account.
        account: the name of the account.

    Attributes:
        account: the name of the account.
        began_at: when the reading began, by the clock of the vendor. It is exact after the first voucher.
    """

    def __init__(self, gateway: Gateway, account: str) -> None:
        self.account = account
        self._gateway = gateway
        self._provider: VoucherProvider = gateway.provider(account)
        self._listing: Listing[Voucher] = gateway.vouchers(account)
        self.began_at = self._provider.vendor_now()

    @property
    def finished_at(self) -> datetime:
        """The present moment, by the clock of the vendor."""
        return self._provider.vendor_now()

    @property
    def listing(self) -> ListingReport:
        """The report of the listing so far."""
        return self._listing.report

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The first vouchers that could not be read so far, each with the reason."""
        return tuple(f"{entry.name}: {entry.reason}" for entry in self._listing.unreadable[:MOST_UNREADABLE])

    def __iter__(self) -> Iterator[VoucherBalance]:
        began = now()
        chunk: list[Voucher] = []
        with self._listing as vouchers:
            for voucher in vouchers.entries():
                if isinstance(voucher, UnreadableEntry):
                    yield VoucherBalance(id=voucher.name)
                    continue
                if self._listing.report.seen == 1:
                    # The clock of the vendor is known from its first response.
                    self.began_at = self._provider.vendor_now() - _since(began)
                chunk.append(voucher)
                if len(chunk) == _CHUNK:
                    yield from self._balances(chunk)
                    chunk = []
        yield from self._balances(chunk)

    def _balances(self, vouchers: list[Voucher]) -> Iterator[VoucherBalance]:
        incomplete = [voucher for voucher in vouchers if voucher.remaining is None]
        remaining: dict[str, Money | None] = {}
        if incomplete:
            amounts = ordered_map(self._remaining, incomplete, WORKERS)
            remaining = dict(zip((voucher.id for voucher in incomplete), amounts, strict=True))
        for voucher in vouchers:
            balance = VoucherBalance.of(voucher)
            yield attrs.evolve(balance, remaining=remaining[voucher.id]) if voucher.id in remaining else balance

    def _remaining(self, voucher: Voucher) -> Money | None:
        """Read one voucher by itself and return its remaining value; None if the vendor does not show it."""
        capabilities = self._gateway.capabilities(self.account)
        try:
            balance = self._gateway.get(self.account, voucher.id).remaining
            if balance is None and voucher.code is not None and capabilities.of(Operation.BALANCE).available:
                balance = self._gateway.balance(self.account, voucher.code).remaining
        except (Declined, MalformedResponse, UnsupportedOperation):
            return None
        return balance


def _since(began: datetime) -> timedelta:
    return now() - began
