"""What is read from the journal: operations, their requests, holds, moves and refunds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from voucher_gateway.instants import parse_instant
from voucher_gateway.journal import queries, rows, search
from voucher_gateway.journal.holds import Hold, Holds
from voucher_gateway.journal.keys.keys import JournalKeys, require_right_keys
from voucher_gateway.journal.keys.row_seals import prepare_counts
from voucher_gateway.journal.leftovers import find_leftovers
from voucher_gateway.journal.moves import (
    VoucherMove,
    iterate_moves_of_other_plans,
    move_chain,
    move_reference,
)
from voucher_gateway.journal.names import AccountNames
from voucher_gateway.journal.pauses import Pauses
from voucher_gateway.journal.permits import Permits
from voucher_gateway.journal.pruned.names import PrunedNames
from voucher_gateway.journal.pruned.pruned import require_not_pruned
from voucher_gateway.journal.queries import OpenOverwrite, open_overwrite
from voucher_gateway.journal.records import (
    OperationKey,
    OperationRecord,
    OperationState,
    OperationTarget,
    RequestRecord,
    read_result,
)
from voucher_gateway.journal.refunds import RefundSums, refund_sums
from voucher_gateway.journal.restore_guard import RESTORED_AT, RestoreGuard
from voucher_gateway.journal.schema import facts
from voucher_gateway.journal.search import OperationFilter
from voucher_gateway.limits.call_deadline import seconds_within
from voucher_gateway.masking import Code
from voucher_gateway.models.results import RefundLimit
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.outcome import Intent, Leftover, Result
from voucher_gateway.storage.connections import BUSY_TIMEOUT_S
from voucher_gateway.storage.engine import Database

_SHORTEST_WAIT_S: Final = 0.5
"""A call whose time is over waits that long for the other threads, to read what became of it."""

_RESTORED_AT: Final = sa.select(facts.c.value).where(facts.c.name == RESTORED_AT)


class JournalLookUps:
    """What is read from a journal in a database, for all threads of a process.

    Args:
        database: where it is.
        keys: its secret keys.

    Raises:
        ConfigurationError: if a key is missing, or differs from the key that operations were recorded with.
    """

    def __init__(self, database: Database, keys: JournalKeys) -> None:
        self.database = database
        self.keys = keys
        self.holds = Holds()
        self.names = AccountNames(database, keys)
        self.pruned = PrunedNames(database, keys)
        self.pauses = Pauses(database, keys)
        self.permits = Permits(database)
        require_right_keys(database, keys)
        prepare_counts(database, keys)
        with database.read() as connection:
            self.restoration = RestoreGuard(connection)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    # --- reading ---

    def find(self, key: OperationKey) -> OperationRecord | None:
        """Return the operation of a key."""
        with self.database.read() as connection:
            return rows.select_operation(connection, key)

    def find_unless_pruned(self, key: OperationKey) -> OperationRecord | None:
        """Return the operation of a key; None if there never was one.

        Raises:
            ReferencePruned: if it was removed. Nothing may be sent then.
            ConfigurationError: if the key that recognises it is missing.
        """
        wait_s = max(_SHORTEST_WAIT_S, seconds_within(BUSY_TIMEOUT_S))
        with self.database.read(wait_s=wait_s) as connection:
            record = rows.select_operation(connection, key)
            if record is None:
                require_not_pruned(connection, self.keys, key)
            return record

    def get(self, operation_id: str) -> OperationRecord | None:
        """Return the operation of this id."""
        with self.database.read() as connection:
            return rows.select_operation_by_id(connection, operation_id)

    def requests_of(self, operation_id: str) -> list[RequestRecord]:
        """Return the requests of an operation, the oldest first."""
        with self.database.read() as connection:
            return rows.select_requests(connection, operation_id)

    def leftovers_of(self, record: OperationRecord) -> tuple[Leftover, ...]:
        """Return what an operation of several requests left behind at the vendor, because it went no further."""
        return find_leftovers(record, self.requests_of(record.id))

    def search(self, criteria: OperationFilter, *, limit: int | None = None) -> Iterator[OperationRecord]:
        """Iterate over operations, the newest first: `voucher_gateway.journal.search.iterate_operations`."""
        return search.iterate_operations(self.database, criteria, limit=limit)

    def iterate_operations(
        self, *, states: Iterable[OperationState] = (), account: str | None = None, due: datetime | None = None
    ) -> Iterator[OperationRecord]:
        """Iterate over operations, the oldest first. Memory holds a hundred at a time.

        An operation may be written while the caller iterates: its record is of the moment when it was read.

        Args:
            states: only operations in these states; all if none is named.
            account: only operations of this account.
            due: only operations whose next look-up is due at this moment.
        """
        criteria = OperationFilter(states=frozenset(states), account=account, due=due)
        return search.iterate_operations(self.database, criteria, newest_first=False)

    def active_holds(self, *, account: str, at: datetime) -> list[tuple[Hold, OperationRecord]]:
        """Return the reservations of an account that may still hold value at a moment of the vendor's clock."""
        with self.database.read() as connection:
            return [
                (hold, record)
                for hold in self.holds.active(connection, at)
                if (record := rows.select_operation_by_id(connection, hold.operation_id)) is not None
                and record.key.account == account
            ]

    def held_amounts(self, *, at: datetime) -> list[tuple[str, Money]]:
        """Return the account and the amount of each reservation that may hold value at a moment."""
        with self.database.read() as connection:
            return self.holds.amounts(connection, at)

    def hold_of(self, operation_id: str) -> Hold | None:
        """Return the reservation that an operation made, or tried to make; None if it made none."""
        with self.database.read() as connection:
            return self.holds.of_operation(connection, operation_id)

    def hold_of_reservation(self, host: str, reservation_id: str) -> Hold | None:
        """Return what the journal knows of a reservation at a vendor; None if it does not know it."""
        with self.database.read() as connection:
            return self.holds.of_reservation(connection, host, reservation_id)

    def find_forgotten_result(self, record: OperationRecord, *, partial: bool = False) -> Result | None:
        """Return what a vendor showed of a new operation when the journal was restored; None if nothing.

        `partial` says whether the vendor may have taken less than was asked for.
        """
        if not self.restoration.has_imported_movements:
            return None
        key = record.key
        tags = [
            self.keys.tag(name, key.verb.value, key.reference, key_id=key_id)
            for name in (key.account, *self.names.former_names(key.account))
            for key_id in self.keys.keys
        ]
        with self.database.read() as connection:
            return self.restoration.find_forgotten_result(connection, record, tags, partial=partial)

    def find_unresolved_overwrite(self, record: OperationRecord, voucher_id: str) -> OpenOverwrite | None:
        """Return another operation that may still overwrite this voucher's value, or None."""
        with self.database.read() as connection:
            return open_overwrite(connection, record, voucher_id)

    def is_forgotten_refund(self, intent: Intent) -> bool:
        """Whether a refund may be one that the journal forgot when it was restored: then it must not be sent."""
        if not self.restoration.has_imported_movements:
            return False
        with self.database.write() as connection:
            return self.restoration.is_forgotten_refund(connection, self.keys, intent)

    def restored_at(self) -> datetime | None:
        """Return when this journal was restored from a backup; None if it never was."""
        with self.database.read() as connection:
            value = connection.scalar(_RESTORED_AT)
        return None if value is None else parse_instant(value)

    def move_chain(self, account: str, voucher_id: str) -> list[VoucherMove]:
        """Return all moves of a voucher to other accounts, the first one first; empty if it was never moved."""
        with self.database.read() as connection:
            return move_chain(connection, self.keys, account, voucher_id)

    def moves_of_other_plans(self, account: str, plan_id: str) -> Iterator[VoucherMove]:
        """Iterate over the moves of the vouchers of an account by all plans but this one, in the order of their ids."""
        return iterate_moves_of_other_plans(self.database, account, plan_id)

    def iterate_moved_ids(self, account: str) -> Iterator[str]:
        """Iterate over the ids of the vouchers of an account that migrations move or have moved."""
        return queries.iterate_moved_ids(self.database, account)

    def refund_sums(self, limit: RefundLimit) -> RefundSums:
        """Return the sums of a redemption and its refunds, at every account where the voucher was."""
        with self.database.read() as connection:
            return refund_sums(connection, self.keys, limit)

    def may_be_superseded(self, host: str, reservation_id: str) -> bool:
        """Whether an earlier request for this reservation, whose outcome is not known, may have ended it since."""
        with self.database.read() as connection:
            return self.holds.may_be_superseded(connection, host, reservation_id)

    def find_unresolved_operation(self, *, provider: str, host: str, voucher_id: str) -> OperationKey | None:
        """Return the key of an operation on a voucher whose outcome is not known yet, or None."""
        with self.database.read() as connection:
            return queries.select_unresolved(connection, provider=provider, host=host, voucher_id=voucher_id)

    def is_reserved(self, code: Code, *, provider: str, host: str, at: datetime) -> bool:
        """Whether a reservation of ours may hold value of a voucher at a moment of the vendor's clock."""
        fingerprints = self.keys.fingerprints(code, provider=provider, host=host)
        with self.database.read() as connection:
            return queries.has_active_hold(connection, provider=provider, host=host, fingerprints=fingerprints, at=at)

    def value_change(self, account: str, voucher_id: str, currency: str) -> Money:
        """Return what the account's successful operations changed of a voucher's value: negative where they took."""
        with self.database.read() as connection:
            return queries.sum_changes(connection, account=account, voucher_id=voucher_id, currency=currency)

    def iterate_issued_by_plan(self, account: str, plan_id: str) -> Iterator[tuple[str, str]]:
        """Return the vouchers that a migration plan has issued at an account, in the order of issue.

        A voucher without an id is left out: a person who decides an operation may not know the id.

        Returns:
            pairs: the operation's name within the plan (see `move_reference`), and the voucher's id.
        """
        prefix = move_reference(plan_id, "")
        for row in queries.iterate_issued(self.database, account=account, reference_prefix=prefix):
            voucher = read_result(row["result"])
            if isinstance(voucher, Voucher) and voucher.id:
                yield row["reference"].removeprefix(prefix), voucher.id

    def has_issued(self, account: str, voucher_id: str) -> bool:
        """Whether the journal has a record that a voucher of this id was issued at an account."""
        with self.database.read() as connection:
            return queries.has_issued(connection, account=account, voucher_id=voucher_id)

    def operations_decided_in_plan(self, plan_id: str) -> list[Mapping[str, Any]]:
        """Return the operations of a migration plan that a person has decided, the earliest decision first."""
        with self.database.read() as connection:
            return queries.select_decided(connection, move_reference(plan_id, ""))

    def is_owner_alive(self, record: OperationRecord) -> bool:
        """Whether the worker of an open operation is alive."""
        return record.owner is not None and self.database.locks.alive(record.owner)

    def describe_target(
        self,
        *,
        provider: str,
        host: str,
        login: str | None,
        code: Code | None,
        like: OperationTarget | None = None,
        **what: Any,
    ) -> OperationTarget:
        """Return what a call shall do. The code is fingerprinted with the newest key, or with that of `like`."""
        key_id = self.keys.newest if like is None else like.key_id
        fingerprint = None if code is None else self.keys.fingerprint(code, provider=provider, host=host, key_id=key_id)
        return OperationTarget(
            provider=provider, host=host, login=login, key_id=key_id, fingerprint=fingerprint, **what
        )
