"""What is owed on vouchers, by currency, status, month of expiry and age. Memory holds a few hundred sums."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.capabilities import Expiry
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.listing.page import ListingReport
from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money
from voucher_gateway.reports.balances import BalanceReader, VoucherBalance
from voucher_gateway.reports.snapshots import Snapshot, Snapshots

NO_END: Final = "no end"
"""The expiry of a voucher without an end of validity."""
NOT_STARTED: Final = "not started"
"""The expiry of an inactive voucher whose validity begins with its activation."""

AGES: Final = ("under 3 months", "3 to 6 months", "6 to 12 months", "1 to 2 years", "2 to 3 years", "over 3 years")
"""The age groups, in whole calendar months since the vendor created the voucher."""
NO_AGE: Final = "not known"
_AGE_ENDS: Final = (3, 6, 12, 24, 36)


class BalanceStatus(enum.StrEnum):
    """Whether the remaining value of a voucher is owed. If several apply, it is the first of them.

    Attributes:
        UNKNOWN: the vendor does not show the remaining value. No sum contains it.
        USED_UP: no value is left.
        EXPIRED: its validity has ended. Whether the customer can still claim it is a question of law.
        BLOCKED: it cannot be spent for now. Its value is still the customer's, so add it to what is owed.
        INACTIVE: it cannot be spent: it was never sold, or it was deactivated. Some vendors show which.
        OUTSTANDING: it can be spent. Its remaining value is owed.
    """

    UNKNOWN = "unknown"
    USED_UP = "used up"
    EXPIRED = "expired"
    BLOCKED = "blocked"
    INACTIVE = "inactive"
    OUTSTANDING = "outstanding"


@attrs.frozen(kw_only=True)
class Bucket:
    """The vouchers that have all of these properties in common.

    Attributes:
        currency: the currency; None if it is not known.
        standing: whether the value is owed.
        expiry: the month of expiry in UTC as ``2027-03``, or `NO_END`, or `NOT_STARTED`.
        age: one of `AGES`, or `NO_AGE`.
    """

    currency: str | None
    standing: BalanceStatus
    expiry: str
    age: str


@attrs.frozen
class BucketTotal:
    """The sum of some vouchers.

    Attributes:
        vouchers: how many they are.
        money: their remaining value.
    """

    vouchers: int
    money: Money


@attrs.frozen(kw_only=True)
class AccountLiability:
    """What one account owes.

    Attributes:
        account: the name of the account.
        at: the moment of the report, by the clock of the vendor.
        cells: the number of vouchers in each bucket, and their remaining value in minor units.
        listing: the report of the listing, if the vendor was read.
        snapshot_at: when the snapshot was begun that this was read from; None if the vendor was read.
        consistent: whether the list was complete: False if vouchers may be missing or counted twice, None if the vendor
            gives no total to compare with.
        problems: why the list may be incomplete.
        unreadable: the first vouchers that cannot be read, each with the reason. No sum contains them.
    """

    account: str
    at: datetime
    cells: Mapping[Bucket, tuple[int, int]] = attrs.field(hash=False)
    listing: ListingReport | None = None
    snapshot_at: datetime | None = None
    consistent: bool | None = None
    problems: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies, sorted."""
        return tuple(sorted({cell.currency for cell in self.cells if cell.currency is not None}))

    @property
    def vouchers(self) -> int:
        """The number of vouchers."""
        return sum(count for count, _ in self.cells.values())

    @property
    def unknown(self) -> int:
        """The number of vouchers whose remaining value is not known. No sum contains them."""
        return sum(count for cell, (count, _) in self.cells.items() if cell.standing is BalanceStatus.UNKNOWN)

    def sum(self, currency: str, standing: BalanceStatus) -> BucketTotal:
        """Return the sum of the vouchers in one currency and status."""
        return _sum(currency, self._cells_of(currency, standing))

    def by(self, currency: str, standing: BalanceStatus, what: Callable[[Bucket], str]) -> dict[str, BucketTotal]:
        """Return the sums of the vouchers in one currency and status, by the label that `what` returns."""
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
        accounts: what each account owes.
    """

    accounts: tuple[AccountLiability, ...]

    @property
    def currencies(self) -> tuple[str, ...]:
        """All currencies, sorted. Amounts of different currencies are never added."""
        return tuple(sorted({currency for account in self.accounts for currency in account.currencies}))

    @property
    def inconsistent(self) -> tuple[AccountLiability, ...]:
        """The accounts whose lists may be incomplete."""
        return tuple(account for account in self.accounts if account.consistent is False)

    @property
    def unknown(self) -> int:
        """The number of vouchers whose remaining value is not known."""
        return sum(account.unknown for account in self.accounts)

    def total(self, currency: str, standing: BalanceStatus = BalanceStatus.OUTSTANDING) -> BucketTotal:
        """Return the sum of all accounts in one currency."""
        sums = [account.sum(currency, standing) for account in self.accounts]
        return BucketTotal(
            sum(total.vouchers for total in sums), Money.from_minor(sum(total.money.minor for total in sums), currency)
        )


@use_work_class(WorkClass.RECONCILE)
def read_liability(gateway: Gateway, accounts: Iterable[str]) -> Liability:
    """Read what accounts owe from their vendors, one account after the other. Nothing is changed.

    Raises:
        VoucherGatewayError: if an account cannot be read completely. Totals of a part are not returned.
    """
    return Liability(tuple(_read(gateway, account) for account in accounts))


def _read(gateway: Gateway, account: str) -> AccountLiability:
    reading = BalanceReader(gateway, account)
    cells = tally(((balance, reading.began_at) for balance in reading), relative=_is_relative(gateway, account))
    return AccountLiability(
        account=account,
        at=reading.began_at,
        cells=cells,
        listing=reading.listing,
        consistent=reading.listing.consistent,
        problems=reading.listing.problems,
        unreadable=reading.unreadable,
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
            ((balance, snapshot.began_at) for balance in snapshots.positions(snapshot)),
            relative=_is_relative(gateway, snapshot.account),
        ),
        snapshot_at=snapshot.began_at,
        consistent=snapshot.consistent,
        problems=snapshot.problems,
        unreadable=snapshot.unreadable,
    )


def _is_relative(gateway: Gateway, account: str) -> bool:
    """Return whether the vouchers of an account get their end of validity only when they are activated."""
    return gateway.capabilities(account).expiry is Expiry.RELATIVE


def tally(positions: Iterable[tuple[VoucherBalance, datetime]], *, relative: bool) -> dict[Bucket, tuple[int, int]]:
    """Return the number of vouchers in each bucket, and their remaining value in minor units.

    Args:
        positions: the balances of one account, each with the moment of the report. A reading knows that moment only
            after its first balance.
        relative: whether validity begins with activation.
    """
    cells: dict[Bucket, tuple[int, int]] = {}
    for position, at in positions:
        cell = cell_of(position, at, relative=relative)
        count, minor = cells.get(cell, (0, 0))
        cells[cell] = (count + 1, minor + (0 if position.remaining is None else position.remaining.minor))
    return cells


def cell_of(position: VoucherBalance, at: datetime, *, relative: bool) -> Bucket:
    """Return the bucket of a voucher."""
    return Bucket(
        currency=position.currency,
        standing=status_at(position, at),
        expiry=_expiry_of(position, relative=relative),
        age=_age_of(position.created_at, at),
    )


def status_at(position: VoucherBalance, at: datetime) -> BalanceStatus:
    """Return whether the remaining value of a voucher was owed at a moment."""
    if position.remaining is None:
        return BalanceStatus.UNKNOWN
    if not position.remaining:
        return BalanceStatus.INACTIVE if position.status is Status.PENDING else BalanceStatus.USED_UP
    if position.is_expired(at):
        return BalanceStatus.EXPIRED
    if position.status is Status.BLOCKED:
        return BalanceStatus.BLOCKED
    return BalanceStatus.OUTSTANDING if position.spendable(at) else BalanceStatus.INACTIVE


def _expiry_of(position: VoucherBalance, *, relative: bool) -> str:
    if position.valid_until is not None:
        return f"{position.valid_until.year:04}-{position.valid_until.month:02}"
    return NOT_STARTED if relative and position.status in (Status.INACTIVE, Status.PENDING) else NO_END


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
