"""What is owed on vouchers: counted by currency, standing, month of expiry and age, in memory of a few hundred sums."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.capabilities import Expiry
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.listing.page import ListingReport
from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money
from voucher_gateway.reports.balances import BalanceReader, VoucherBalance
from voucher_gateway.reports.snapshots import Snapshot, Snapshots

NO_END: Final = "no end"
"""The expiry of a voucher for which the vendor shows none."""
NOT_STARTED: Final = "not started"
"""The expiry of an inactive voucher whose validity begins with its activation."""

AGES: Final = ("under 3 months", "3 to 6 months", "6 to 12 months", "1 to 2 years", "2 to 3 years", "over 3 years")
"""The ages that are told apart, counted in whole calendar months since the vendor made the voucher."""
NO_AGE: Final = "not known"
_AGE_ENDS: Final = (3, 6, 12, 24, 36)


class BalanceStatus(enum.StrEnum):
    """Whether what is left on a voucher is owed. The first that fits."""

    UNKNOWN = "unknown"
    """The vendor would not say what is left: it is in no sum."""
    USED_UP = "used up"
    EXPIRED = "expired"
    """Its validity is over. Whether the law still lets the customer claim it is not for a program to say."""
    INACTIVE = "inactive"
    """It cannot be spent: never sold, or stopped. Only the shop knows which."""
    OUTSTANDING = "outstanding"
    """It can be spent: what is left is owed."""


@attrs.frozen(kw_only=True)
class Bucket:
    """Vouchers that have all of these in common, and what is left on them together.

    Attributes:
        currency: their currency; None where not even that is known.
        standing: whether it is owed.
        expiry: the month of their expiry as ``2027-03`` in UTC, or `NO_END` or `NOT_STARTED`.
        age: one of `AGES`, or `NO_AGE`.
    """

    currency: str | None
    standing: BalanceStatus
    expiry: str
    age: str


@attrs.frozen
class BucketTotal:
    """Some vouchers together.

    Attributes:
        vouchers: how many.
        money: what is left on them.
    """

    vouchers: int
    money: Money


@attrs.frozen(kw_only=True)
class AccountLiability:
    """What one account owes.

    Attributes:
        account: the account's name.
        at: the moment it is told for, by the vendor's clock.
        cells: how many vouchers there are of each kind, and what is left on them in minor units.
        listing: what the vendor's list said of itself, where the vendor was read.
        snapshot_at: when the snapshot was taken that this comes from; None where the vendor was read just now.
        consistent: whether the list fitted together: False if vouchers may be missing or counted twice, None where the
            vendor gives no total to compare with.
        problems: what did not fit.
    """

    account: str
    at: datetime
    cells: Mapping[Bucket, tuple[int, int]] = attrs.field(hash=False)
    listing: ListingReport | None = None
    snapshot_at: datetime | None = None
    consistent: bool | None = None
    problems: tuple[str, ...] = ()

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies, sorted."""
        return tuple(sorted({cell.currency for cell in self.cells if cell.currency is not None}))

    @property
    def vouchers(self) -> int:
        """How many vouchers there are."""
        return sum(count for count, _ in self.cells.values())

    @property
    def unknown(self) -> int:
        """How many vouchers are in no sum, because nobody would say what is left on them."""
        return sum(count for cell, (count, _) in self.cells.items() if cell.standing is BalanceStatus.UNKNOWN)

    def sum(self, currency: str, standing: BalanceStatus) -> BucketTotal:
        """Return the sum of a currency's vouchers of one standing."""
        return _sum(currency, self._cells_of(currency, standing))

    def by(self, currency: str, standing: BalanceStatus, what: Callable[[Bucket], str]) -> dict[str, BucketTotal]:
        """Return the sums of a currency's vouchers of one standing, by a trait of theirs."""
        keys = dict.fromkeys(what(cell) for cell, _ in self._cells_of(currency, standing))
        return {
            key: _sum(currency, (total for total in self._cells_of(currency, standing) if what(total[0]) == key))
            for key in sorted(keys)
        }

    def _cells_of(self, currency: str, standing: BalanceStatus) -> Iterator[tuple[Bucket, tuple[int, int]]]:
        return (
            total for total in self.cells.items() if total[0].currency == currency and total[0].standing is standing
        )


@attrs.frozen
class Liability:
    """What several accounts owe.

    Attributes:
        accounts: one by one.
    """

    accounts: tuple[AccountLiability, ...]

    @property
    def currencies(self) -> tuple[str, ...]:
        """All currencies, sorted. They are never added together."""
        return tuple(sorted({currency for account in self.accounts for currency in account.currencies}))

    @property
    def inconsistent(self) -> tuple[AccountLiability, ...]:
        """The accounts whose lists did not fit together."""
        return tuple(account for account in self.accounts if account.consistent is False)

    @property
    def unknown(self) -> int:
        """How many vouchers are in no sum."""
        return sum(account.unknown for account in self.accounts)

    def total(self, currency: str, standing: BalanceStatus = BalanceStatus.OUTSTANDING) -> BucketTotal:
        """Return the sum of a currency over all accounts."""
        sums = [account.sum(currency, standing) for account in self.accounts]
        return BucketTotal(
            sum(total.vouchers for total in sums), Money.from_minor(sum(total.money.minor for total in sums), currency)
        )


def read_liability(gateway: Gateway, accounts: Iterable[str]) -> Liability:
    """Read what accounts owe from their vendors, one after the other. Only reads.

    Raises:
        VoucherGatewayError: if one of them cannot be read to its end; there are no totals of a part.
    """
    return Liability(tuple(_read(gateway, account) for account in accounts))


def _read(gateway: Gateway, account: str) -> AccountLiability:
    reading = BalanceReader(gateway, account)
    cells = tally(reading, lambda: reading.began_at, relative=_is_relative(gateway, account))
    return AccountLiability(
        account=account,
        at=reading.began_at,
        cells=cells,
        listing=reading.listing,
        consistent=reading.listing.consistent,
        problems=reading.listing.problems,
    )


def liability_as_of(gateway: Gateway, snapshots: Snapshots, accounts: Iterable[str], at: datetime) -> Liability:
    """Return what accounts owed, each from its newest complete snapshot that had begun at a moment.

    Raises:
        InvalidRequest: if an account has no such snapshot.
    """
    return Liability(
        tuple(_liability_of_snapshot(gateway, snapshots, snapshots.require(account, at)) for account in accounts)
    )


def _liability_of_snapshot(gateway: Gateway, snapshots: Snapshots, snapshot: Snapshot) -> AccountLiability:
    return AccountLiability(
        account=snapshot.account,
        at=snapshot.began_at,
        cells=tally(
            snapshots.positions(snapshot), lambda: snapshot.began_at, relative=_is_relative(gateway, snapshot.account)
        ),
        snapshot_at=snapshot.began_at,
        consistent=snapshot.consistent,
        problems=snapshot.problems,
    )


def _is_relative(gateway: Gateway, account: str) -> bool:
    """Whether an account's vouchers get their end of validity only when they are activated."""
    return gateway.capabilities(account).expiry is Expiry.RELATIVE


def tally(
    positions: Iterable[VoucherBalance], at: Callable[[], datetime], *, relative: bool
) -> dict[Bucket, tuple[int, int]]:
    """Count positions.

    Args:
        positions: of one account.
        at: tells the moment for which they are judged, once the first of them is there.
        relative: whether validity begins with activation.
    """
    cells: dict[Bucket, tuple[int, int]] = {}
    for position in positions:
        cell = cell_of(position, at(), relative=relative)
        count, minor = cells.get(cell, (0, 0))
        cells[cell] = (count + 1, minor + (0 if position.remaining is None else position.remaining.minor))
    return cells


def cell_of(position: VoucherBalance, at: datetime, *, relative: bool) -> Bucket:
    """Return where a voucher is counted."""
    return Bucket(
        currency=position.currency,
        standing=standing_of(position, at),
        expiry=_expiry_of(position, relative=relative),
        age=_age_of(position.created_at, at),
    )


def standing_of(position: VoucherBalance, at: datetime) -> BalanceStatus:
    """Return whether what is left on a voucher was owed at a moment."""
    if position.remaining is None:
        return BalanceStatus.UNKNOWN
    if not position.remaining:
        return BalanceStatus.USED_UP
    if position.is_expired(at):
        return BalanceStatus.EXPIRED
    return BalanceStatus.OUTSTANDING if position.spendable(at) else BalanceStatus.INACTIVE


def _expiry_of(position: VoucherBalance, *, relative: bool) -> str:
    if position.valid_until is not None:
        return f"{position.valid_until.year:04}-{position.valid_until.month:02}"
    return NOT_STARTED if relative and position.status is Status.INACTIVE else NO_END


def _age_of(created_at: datetime | None, at: datetime) -> str:
    if created_at is None:
        return NO_AGE
    months = (at.year - created_at.year) * 12 + at.month - created_at.month
    if (at.day, at.time()) < (created_at.day, created_at.time()):
        months -= 1
    return next((name for name, end in zip(AGES, _AGE_ENDS, strict=False) if months < end), AGES[-1])


def _sum(currency: str, chosen: Iterable[tuple[Bucket, tuple[int, int]]]) -> BucketTotal:
    counts = [count for _, count in chosen]
    return BucketTotal(sum(count for count, _ in counts), Money.from_minor(sum(minor for _, minor in counts), currency))
