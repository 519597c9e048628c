"""Runs each changing call in one transaction, once for each reference, and proves that a call was not executed.

**When does the absence of an entry prove that its call was not executed?** When no transaction of the call can commit
any more. Every changing transaction therefore holds a lock on its reference. It takes the lock before the before-send
hook and before any change, and releases it only after the transaction has ended. Whoever then holds that lock and finds
no entry knows that there will be none:

* *PostgreSQL*: the lock is an advisory lock of the transaction. A separate statement takes it, and the next one is sent
  only after its reply. If the sender dies or loses its connection, the server may still execute a change or a
  commit of it. These belong to the transaction that holds the lock, and the server releases the lock only when that
  transaction is over and its effect is visible. If the lock request itself arrives after its sender died, no change
  follows it. All this holds at the server that the sender wrote to. If one URL has several servers, a look-up may reach
  a standby, which has its own locks and lags behind. So a look-up that finds nothing writes something. A standby
  refuses that, and then nothing is proved.
* *SQLite*: the lock is a byte lock of the process, which the system releases when the process dies. An unfinished
  transaction ends with its process, except for one case: the process is killed after its commit is in the write-ahead
  log, but before the shared index shows it. Other processes do not see this commit, but a restart after all have died
  would. So a look-up takes the write lock, and if it finds nothing, it writes something. That overwrites everything in
  the log after the last visible commit.

A frozen sender still holds its lock. A look-up then proves nothing, and says so. Nothing proves that a new primary
server has everything that the old one had committed: use synchronous replication.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.provider_api import (
    DatabaseUnavailable,
    Declined,
    Intent,
    InvalidRequest,
    Operation,
    OperationInProgress,
    OutcomeUnknown,
    ReferenceConflict,
    VoucherGatewayError,
    notify_before_send,
)
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.locks import transaction_lock
from voucher_gateway_local import validation
from voucher_gateway_local.ledger import LedgerCall
from voucher_gateway_local.open import OpenDatabase
from voucher_gateway_local.statements import OF_REFERENCE, RECORD_LOOK_UP, VOUCHER_BY_NUMBER, Row

T = TypeVar("T")

LONGEST_WAIT_S: Final = 10.0
"""How long a call waits for another call with the same reference or voucher."""
LOOK_WAIT_S: Final = 3.0
"""How long a look-up waits for the end of its call."""
_POLL_S: Final = 0.02

# The statement first limits the wait, so that a frozen holder does not block every other process.
_LOCK: Final = sa.text(
    f"SELECT set_config('lock_timeout', '{LONGEST_WAIT_S:.0f}s', true), pg_advisory_xact_lock(:number)"
)
_TRY_LOCK: Final = sa.text("SELECT pg_try_advisory_xact_lock(:number)")

# SQLSTATE classes of a COMMIT that PostgreSQL rolled back: a constraint, a conflict, no space.
_ROLLBACK_CLASSES: Final = ("23", "40", "53")
_READ_ONLY: Final = "25006"
"""PostgreSQL's SQLSTATE of a write at a standby, or in another read-only transaction."""

_NOT_OVER: Final = "its transaction is not over yet: look again later"


@attrs.frozen
class LookupResult:
    """The result of a look-up of a call.

    Attributes:
        certain: whether no transaction of the call can commit any more.
        entry: the entry of the call, if there is one.
        doubt: why it is not certain.
    """

    certain: bool
    entry: Row | None = None
    doubt: str = ""


def commit_once(database: Database, intent: Intent, act: Callable[[Connection], T]) -> T:
    """Run `act` in a transaction, commit it, and return the result of `act`.

    Raises:
        DatabaseUnavailable: if nothing was committed.
        OutcomeUnknown: if the commit failed in a way that it may have happened.
        OperationInProgress: if another process holds the lock of the reference for too long.
    """
    results: list[T] = []
    try:
        if database.is_sqlite:
            with database.locks.hold(_lock_name(intent), wait_s=LONGEST_WAIT_S):
                notify_before_send(intent)  # before the write lock is taken, as a journal in the same file needs it
                with database.write() as connection:
                    results.append(act(connection))
        else:
            with database.write() as connection:
                connection.execute(_LOCK, {"number": transaction_lock(_lock_name(intent))})
                notify_before_send(intent)
                results.append(act(connection))
    except DatabaseUnavailable as error:
        if not results or _was_rolled_back(error.vendor_code):
            raise
        failure = error
    else:
        return results[0]
    raise OutcomeUnknown(
        f"{failure.message}; it may have been carried out",
        ticket=intent.ticket(failure.message),
        account=intent.account,
        operation=intent.verb,
        vendor_code=failure.vendor_code,
    )


def find_committed(database: Database, intent: Intent, look: Callable[[Connection], Row | None]) -> LookupResult:
    """Look up the entry of a call when none of its transactions can commit; see the docstring of the module."""
    name = _lock_name(intent)
    if database.is_sqlite:
        try:
            with database.locks.hold(name, wait_s=LOOK_WAIT_S), database.write() as connection:
                return _look_up(connection, look)
        except OperationInProgress:
            return LookupResult(False, doubt=_NOT_OVER)
    number = transaction_lock(name)
    deadline = time.monotonic() + LOOK_WAIT_S
    while True:
        try:
            with database.write() as connection:
                if connection.scalar(_TRY_LOCK, {"number": number}):
                    return _look_up(connection, look)
        except DatabaseUnavailable as error:
            if error.vendor_code != _READ_ONLY:
                raise
            return LookupResult(
                False, doubt="the server that was asked only follows another, or may only read: look again"
            )
        if time.monotonic() >= deadline:
            return LookupResult(False, doubt=_NOT_OVER)
        time.sleep(_POLL_S)


def _look_up(connection: Connection, look: Callable[[Connection], Row | None]) -> LookupResult:
    """Return the result, which is certain when the transaction is committed."""
    entry = look(connection)
    if entry is None:
        connection.execute(RECORD_LOOK_UP)
    return LookupResult(True, entry)


def _lock_name(intent: Intent) -> str:
    return f"local\0{intent.verb}\0{intent.reference}"


def _was_rolled_back(code: str | None) -> bool:
    """Return whether the error code of a failed commit proves that it did not happen."""
    if code is None:
        return False
    return code.startswith(("SQLITE_FULL", "SQLITE_BUSY", "SQLITE_CONSTRAINT")) or code[:2] in _ROLLBACK_CLASSES


Written = tuple[Row, Row]
"""A voucher's row, and the entry that a call wrote."""


class Changes:
    """Runs the changing calls of one account.

    Args:
        account: the account's name, for errors.
        open_book: returns the open database.
        clock: returns the time.
    """

    def __init__(self, account: str, open_book: Callable[[], OpenDatabase], clock: Callable[[], datetime]) -> None:
        self._account = account
        self._open = open_book
        self._clock = clock

    def call(self, verb: Operation, intent: Intent, *content: object) -> LedgerCall:
        """Return the call of an intent.

        Args:
            verb: the operation.
            intent: has reference and order.
            content: everything that the call requests.

        Raises:
            InvalidRequest: if the reference or order cannot be stored.
        """
        reference = intent.reference or ""
        validation.check_reference_and_order(reference, intent.order)
        return LedgerCall(
            kind=verb,
            reference=reference,
            order=intent.order,
            content=self._open().vault.content(verb.value, *content),
            at=self._clock(),
        )

    def run(
        self, intent: Intent, call: LedgerCall, act: Callable[[Connection], Written], make: Callable[[Row, Row], T]
    ) -> T:
        """Execute a call, or return the result of its first execution.

        Args:
            intent: the call, for the journal.
            call: the call, for the ledger.
            act: writes in a transaction.
            make: makes the result of what was written. That is before the commit, so that a failure undoes the call.

        Raises:
            ReferenceConflict: if the reference was used for a call with another content.
            DatabaseUnavailable, OutcomeUnknown: as `transactions.commit_once`.
        """

        def act_and_make(connection: Connection) -> T:
            return make(*act(connection))

        try:
            return self._run(intent, call, act_and_make, make)
        except VoucherGatewayError as error:
            error.with_context(account=self._account, operation=call.kind.value)
            raise

    def _run(
        self, intent: Intent, call: LedgerCall, act: Callable[[Connection], T], make: Callable[[Row, Row], T]
    ) -> T:
        try:
            return commit_once(self._open().database, intent, act)
        except (Declined, InvalidRequest, ReferenceConflict) as error:
            refused = error
        # The reason of the refusal may be that the call was executed before: the value is spent, or the id is in use.
        earlier = self._earlier(call)
        if earlier is None:
            raise refused
        return make(*earlier)

    def _earlier(self, call: LedgerCall) -> Written | None:
        """Return what an earlier call with the same reference wrote.

        Raises:
            ReferenceConflict: if the content differs.
        """
        with self._open().database.read() as connection:
            entry = OF_REFERENCE.first_row(connection, {"reference": call.reference, "kind": call.kind.value})
            if entry is None:
                return None
            if entry["content"] != call.content:
                raise ReferenceConflict(
                    f"reference {call.reference!r} was already used for a different {call.kind.value}; "
                    "use a new reference for a new call"
                )
            row = VOUCHER_BY_NUMBER.first_row(connection, {"voucher_number": entry["voucher"], "now": call.moment})
        assert row is not None  # the row of an entry's voucher is never deleted
        return row, entry
