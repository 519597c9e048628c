"""What each voucher of an account is worth at one moment, read from the vendor as one stream."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.concurrency import ordered_map
from voucher_gateway.errors import Declined, MalformedResponse, UnsupportedOperation
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import now
from voucher_gateway.listing.listing import Listing
from voucher_gateway.listing.page import ListingReport
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.money import Money
from voucher_gateway.provider import VoucherProvider

WORKERS: Final = 8
"""Vouchers that are read side by side, where each has to be asked for."""
_CHUNK: Final = 200


@attrs.frozen(kw_only=True)
class VoucherBalance:
    """One voucher's part in what an account owes. No code and no PIN.

    Attributes:
        id: the vendor's id.
        initial: the face value.
        remaining: what is left; None where the vendor would not say.
        status: active or not; None where the vendor has no such thing.
        valid_until: the end of validity; None for none or not known.
        created_at: when the vendor made it.
        updated_at: when the vendor last changed it.
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
        """Return the position of a voucher."""
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
        """The voucher's currency; None where no amount of it is known."""
        known = self.initial if self.remaining is None else self.remaining
        return None if known is None else known.currency

    def spendable(self, at: datetime) -> bool:
        """Whether the voucher could be spent at a moment, so that what is left on it is owed.

        A status that is not known counts as active: a debt is a debt until it is known to be none.
        """
        return self.status is not Status.INACTIVE and not self.is_expired(at)

    def is_expired(self, at: datetime) -> bool:
        """Whether validity was over at a moment."""
        return self.valid_until is not None and self.valid_until <= at


class BalanceReader:
    """One pass over all vouchers of an account. Iterating it reads; memory holds a few pages.

    A voucher whose list entry does not say what is left is read by itself; where that does not tell either, its
    position has no `remaining`.

    Args:
        gateway: has the account.
        account: the account's name.

    Attributes:
        account: the account's name.
        began_at: when reading began, by the vendor's clock; exact as soon as the first voucher was given.
    """

    def __init__(self, gateway: Gateway, account: str) -> None:
        self.account = account
        self._gateway = gateway
        self._provider: VoucherProvider = gateway.provider(account)
        self._listing: Listing[Voucher] = gateway.vouchers(account)
        self.began_at = self._provider.vendor_now()

    @property
    def finished_at(self) -> datetime:
        """The present moment by the vendor's clock."""
        return self._provider.vendor_now()

    @property
    def listing(self) -> ListingReport:
        """What the list says of itself so far."""
        return self._listing.report

    def __iter__(self) -> Iterator[VoucherBalance]:
        began = now()
        chunk: list[Voucher] = []
        with self._listing as vouchers:
            for voucher in vouchers:
                if self._listing.report.seen == 1:
                    # Only an answer tells how far the vendor's clock is from ours.
                    self.began_at = self._provider.vendor_now() - _since(began)
                chunk.append(voucher)
                if len(chunk) == _CHUNK:
                    yield from self._positions(chunk)
                    chunk = []
        yield from self._positions(chunk)

    def _positions(self, vouchers: list[Voucher]) -> Iterator[VoucherBalance]:
        silent = [voucher for voucher in vouchers if voucher.remaining is None]
        remaining: dict[str, Money | None] = {}
        if silent:
            balances = ordered_map(self._remaining, silent, WORKERS)
            remaining = dict(zip((voucher.id for voucher in silent), balances, strict=True))
        for voucher in vouchers:
            position = VoucherBalance.of(voucher)
            yield attrs.evolve(position, remaining=remaining[voucher.id]) if voucher.id in remaining else position

    def _remaining(self, voucher: Voucher) -> Money | None:
        """Ask for one voucher by itself; None if that does not tell what is left. Other errors are the caller's."""
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
