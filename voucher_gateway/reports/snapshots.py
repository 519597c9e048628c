"""Snapshots: the balances of all vouchers of an account at one moment, in a database. They have no codes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import DatabaseUnavailable, InvalidRequest
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import format_instant
from voucher_gateway.iteration import batched
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.masking import hide_init_arguments
from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.reports.balances import BalanceReader, VoucherBalance
from voucher_gateway.reports.schema import SNAPSHOTS, balances, snapshots
from voucher_gateway.storage.engine import Database

log: Final = get_logger("voucher_gateway.reports")

_BATCH: Final = 1000
_MOST_LISTED: Final = 5
"""The largest number of snapshots that an error lists."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
_STATUS: Final = {
    Status.ACTIVE: "a",
    Status.INACTIVE: "i",
    Status.PENDING: "p",
    Status.BLOCKED: "b",
    Status.DEACTIVATED: "d",
    Status.EXPIRED: "e",
    Status.USED_UP: "z",
    Status.UNKNOWN: "u",
}
_STATUS_OF: Final = {letter: status for status, letter in _STATUS.items()}


@attrs.frozen(kw_only=True)
class Snapshot:
    """One snapshot of one account. Its instants are by the clock of the vendor.

    Attributes:
        id: its number.
        account: the name of the account.
        provider: the name of the provider.
        host: the host of the vendor.
        began_at: when the reading began. A balance is of this moment or later, up to `finished_at`.
        finished_at: when the reading ended; None for an incomplete snapshot, which no report uses.
        vouchers: the number of vouchers.
        unknown: the number of vouchers whose remaining value is not known.
        consistent: whether the list was complete; None if the vendor gives no total to compare with.
        problems: why the list may be incomplete.
        unreadable: the first vouchers that could not be read, each with the reason.
    """

    id: int
    account: str
    provider: str
    host: str
    began_at: datetime
    finished_at: datetime | None = None
    vouchers: int | None = None
    unknown: int | None = None
    consistent: bool | None = None
    problems: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


@hide_init_arguments  # the URL may hold a password
class Snapshots:
    """The snapshots in a database.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://...``; usually that of the journal.

    Raises:
        ConfigurationError: if the URL is of another form.
        DatabaseUnavailable: if it cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, SNAPSHOTS)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- taking ---

    @use_work_class(WorkClass.RECONCILE)
    def take(self, gateway: Gateway, account: str) -> Snapshot:
        """Read all balances of an account and store them as a snapshot.

        Incomplete snapshots of processes that were killed are removed.

        Raises:
            VoucherGatewayError: if the vendor cannot be read completely, or the database cannot be written. Nothing is
                stored then.
        """
        reading = BalanceReader(gateway, account)
        number = self._begin(gateway, reading)
        try:
            snapshot = self._write_positions(number, reading)
        except BaseException:
            # If it cannot be removed now, it stays incomplete. No report uses it, and the next snapshot removes it.
            with suppress(DatabaseUnavailable):
                self._remove(number)
            log.warning("snapshot %d of account %s is not complete, and is not kept", number, account)
            raise
        log.info(
            "snapshot %d of account %s: %d vouchers, %d of unknown value",
            number,
            account,
            snapshot.vouchers,
            snapshot.unknown,
        )
        return snapshot

    def _begin(self, gateway: Gateway, reading: BalanceReader) -> int:
        provider = gateway.provider(reading.account)
        owner = self._database.locks.owner()
        with self._database.write() as connection:
            _rename(connection, provider, gateway.account(reading.account).former_names or ())
            for row in _rows(connection, _select_incomplete(reading.account)):
                if not self._database.locks.alive(row["owner"]):
                    _delete(connection, row["id"])
            number = connection.execute(
                sa.insert(snapshots).returning(snapshots.c.id),
                {
                    "account": reading.account,
                    "provider": provider.name,
                    "host": provider.host,
                    "owner": owner,
                    "began_at": _micros(reading.began_at),
                },
            )
            return int(number.scalar_one())

    def _write_positions(self, number: int, reading: BalanceReader) -> Snapshot:
        count = unknown = 0
        for batch in batched(reading, _BATCH):
            rows = [_row(number, position) for position in batch]
            # A commit for each batch: operations of the shop, which share the database, wait for one batch at most.
            with self._database.write() as connection:
                connection.execute(sa.insert(balances), rows)
            count += len(batch)
            unknown += sum(position.remaining is None for position in batch)
        listing = reading.listing
        with self._database.write() as connection:
            done = connection.execute(
                sa.update(snapshots).where(snapshots.c.id == number, snapshots.c.finished_at.is_(None)),
                {
                    "began_at": _micros(reading.began_at),
                    "finished_at": _micros(reading.finished_at),
                    "vouchers": count,
                    "unknown": unknown,
                    "consistent": listing.consistent,
                    "problems": _write_problems(listing.problems, reading.unreadable),
                },
            )
            if done.rowcount != 1:
                raise DatabaseUnavailable("the snapshot was removed while it was taken; take it again")
            (row,) = _rows(connection, sa.select(snapshots).where(snapshots.c.id == number))
        return _snapshot(row)

    def _remove(self, number: int) -> None:
        with self._database.write() as connection:
            _delete(connection, number)

    def prune(self, account: str, *, keep_days: int) -> int:
        """Remove the older snapshots of an account, and return their number.

        Args:
            account: the name of the account.
            keep_days: the snapshots of so many days before the newest complete one are kept, as is that one.
        """
        newest = self.latest(account)
        if newest is None:
            return 0
        before = _micros(newest.began_at) - keep_days * (timedelta(days=1) // _MICRO)
        old = sa.select(snapshots).where(
            snapshots.c.account == account, snapshots.c.began_at < before, snapshots.c.finished_at.is_not(None)
        )
        with self._database.read() as connection:
            numbers = [row["id"] for row in _rows(connection, old)]
        for number in numbers:
            self._remove(number)
        return len(numbers)

    # --- reading ---

    def latest(self, account: str, at: datetime | None = None) -> Snapshot | None:
        """Return the newest complete snapshot of an account: of all, or of those that had begun at a moment."""
        query = (
            sa.select(snapshots)
            .where(snapshots.c.account == account, snapshots.c.finished_at.is_not(None))
            .order_by(snapshots.c.began_at.desc(), snapshots.c.id.desc())
            .limit(1)
        )
        if at is not None:
            query = query.where(snapshots.c.began_at <= _micros(at))
        with self._database.read() as connection:
            return next(map(_snapshot, _rows(connection, query)), None)

    def require(self, account: str, at: datetime) -> Snapshot:
        """Return the newest complete snapshot of an account that had begun at a moment.

        Raises:
            InvalidRequest: if the account has none.
        """
        snapshot = self.latest(account, at)
        if snapshot is None:
            raise InvalidRequest(
                f"account {account} has no complete snapshot of {to_second(at)} or before; {self._list_text(account)}",
                field="snapshots",
                rule="a snapshot of this moment or before",
            )
        return snapshot

    def _list_text(self, account: str) -> str:
        """Return which complete snapshots an account has: the moments of the oldest ones."""
        moments = [to_second(snapshot.began_at) for snapshot in self.list_complete(account)]
        if not moments:
            return "the account has none"
        later = f" and {len(moments) - _MOST_LISTED} later ones" if len(moments) > _MOST_LISTED else ""
        return f"it has those of {', '.join(moments[:_MOST_LISTED])}{later}"

    def list_incomplete(self, account: str) -> list[Snapshot]:
        """Return the incomplete snapshots of an account: they are being taken, or their process died."""
        with self._database.read() as connection:
            return [_snapshot(row) for row in _rows(connection, _select_incomplete(account))]

    def list_complete(self, account: str) -> list[Snapshot]:
        """Return the complete snapshots of an account, the oldest first."""
        query = (
            sa.select(snapshots)
            .where(snapshots.c.account == account, snapshots.c.finished_at.is_not(None))
            .order_by(snapshots.c.began_at, snapshots.c.id)
        )
        with self._database.read() as connection:
            return [_snapshot(row) for row in _rows(connection, query)]

    def positions(self, snapshot: Snapshot) -> Iterator[VoucherBalance]:
        """Iterate over the balances of a snapshot, in the order of the ids. Memory holds a thousand at a time."""
        query = sa.select(balances).where(balances.c.snapshot_id == snapshot.id)
        return map(_position, self._database.iterate_rows(query, balances.c.voucher_id))


def _select_incomplete(account: str) -> sa.Select[Any]:
    return sa.select(snapshots).where(snapshots.c.account == account, snapshots.c.finished_at.is_(None))


def _rows(connection: Connection, query: sa.Select[Any]) -> list[Mapping[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _rename(connection: Connection, provider: VoucherProvider, former_names: Collection[str]) -> None:
    """Give the snapshots of a renamed account its new name."""
    has_former_name = snapshots.c.account.in_(former_names)
    is_same_vendor = (snapshots.c.provider == provider.name) & (snapshots.c.host == provider.host)
    if former_names:
        connection.execute(sa.update(snapshots).where(has_former_name, is_same_vendor).values(account=provider.account))


def _delete(connection: Connection, number: int) -> None:
    connection.execute(sa.delete(balances).where(balances.c.snapshot_id == number))
    connection.execute(sa.delete(snapshots).where(snapshots.c.id == number))


def _row(number: int, position: VoucherBalance) -> dict[str, Any]:
    return {
        "snapshot_id": number,
        "voucher_id": position.id,
        "currency": position.currency,
        "initial": _amount(position.initial),
        "remaining": _amount(position.remaining),
        "status": None if position.status is None else _STATUS[position.status],
        "valid_until": _micros_or_none(position.valid_until),
        "created_at": _micros_or_none(position.created_at),
        "updated_at": _micros_or_none(position.updated_at),
    }


def _position(row: Mapping[str, Any]) -> VoucherBalance:
    return VoucherBalance(
        id=row["voucher_id"],
        initial=_money(row["initial"], row["currency"]),
        remaining=_money(row["remaining"], row["currency"]),
        status=None if row["status"] is None else _STATUS_OF[row["status"]],
        valid_until=_instant(row["valid_until"]),
        created_at=_instant(row["created_at"]),
        updated_at=_instant(row["updated_at"]),
    )


def _write_problems(problems: tuple[str, ...], unreadable: tuple[str, ...]) -> str:
    return json.dumps({"problems": problems, "unreadable": unreadable} if unreadable else problems, ensure_ascii=False)


def _read_problems(text: str | None) -> dict[str, tuple[str, ...]]:
    stored = json.loads(text or "[]")
    lists = {"problems": stored} if isinstance(stored, list) else stored
    return {name: tuple(sentences) for name, sentences in lists.items()}


def _snapshot(row: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        id=row["id"],
        account=row["account"],
        provider=row["provider"],
        host=row["host"],
        began_at=_EPOCH + row["began_at"] * _MICRO,
        finished_at=_instant(row["finished_at"]),
        vouchers=row["vouchers"],
        unknown=row["unknown"],
        consistent=row["consistent"],
        **_read_problems(row["problems"]),
    )


def _amount(money: Money | None) -> str | None:
    return None if money is None else f"{money.amount:f}"


def _money(amount: str | None, currency: str | None) -> Money | None:
    return None if amount is None or currency is None else Money(amount, currency)


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICRO


def _micros_or_none(instant: datetime | None) -> int | None:
    return None if instant is None else _micros(instant)


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + micros * _MICRO


def to_second(instant: datetime) -> str:
    """Return an instant as text, to the second: the clock of a vendor is not known more exactly."""
    return format_instant(instant.replace(microsecond=0))
