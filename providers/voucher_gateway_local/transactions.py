"""Transactions that change something, and the proof that one will never come.

**When is the absence of an entry a proof that its call was not carried out?** When no transaction of the call can
commit any more. Every changing transaction therefore holds a lock on its reference, taken before the journal hears of
the call and before anything is changed, and given back only after the transaction has ended. Who then holds that lock
and finds no entry knows that there will be none:

* *PostgreSQL*: the lock is an advisory lock of the transaction, taken by a statement of its own, whose answer is waited
  for before the next one is sent. So whatever the server may still have in hand of a sender that died or lost its
  connection (a change, or the commit itself) belongs to a transaction that holds the lock, and the server frees it only
  once that transaction is over and its effect can be seen. A lock request that reaches the server after its sender
  died brings no change behind it: the change was not sent yet. All this holds at the server that the sender wrote to.
  Where several are behind one URL, a look may land at a standby, which has locks of its own and lags behind. So the
  look writes something where it finds nothing, which a server that only follows another refuses: that proves nothing.
* *SQLite*: the lock is a byte lock of the process, which the system frees when the process dies, and an unfinished
  transaction dies with its process, except for one case: a process killed after its commit stood in the write-ahead log
  but before the others were told. They do not see it, and a restart after all have died would. So the look takes the
  write lock, and where it finds nothing it writes something itself: that overwrites whatever stands in the log behind
  the last commit that can be seen.

A sender that is frozen holds its lock, so a look then proves nothing, and says so. Nor does anything prove that a
server which was made the primary has all that the one before it had committed: let it commit with its standby.
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
from voucher_gateway_local.ledger import Call
from voucher_gateway_local.open import OpenDatabase
from voucher_gateway_local.statements import LOOKED, OF_REFERENCE, SHOWN_BY_NUMBER, Row

T = TypeVar("T")

LONGEST_WAIT_S: Final = 10.0
"""How long a call waits for another on the same reference or voucher."""
LOOK_WAIT_S: Final = 3.0
"""How long a look for a call waits for that call to end."""
_POLL_S: Final = 0.02

# The wait is limited first, in the same statement: a frozen holder must not freeze everybody else.
_LOCK: Final = sa.text(
    f"SELECT set_config('lock_timeout', '{LONGEST_WAIT_S:.0f}s', true), pg_advisory_xact_lock(:number)"
)
_TRY_LOCK: Final = sa.text("SELECT pg_try_advisory_xact_lock(:number)")

# SQLSTATE classes with which PostgreSQL answers a COMMIT that it has undone: a constraint, a conflict, no room.
_UNDONE: Final = ("23", "40", "53")
_READ_ONLY: Final = "25006"
"""PostgreSQL's SQLSTATE for a write at a standby, or wherever else nothing may be written."""

_GOES_ON: Final = "its transaction is not over yet: look again later"


@attrs.frozen
class FindResult:
    """What a look for a call came to.

    Attributes:
        certain: whether no transaction of the call can commit any more.
        entry: the entry of the call, if it is there.
        doubt: why it is not certain.
    """

    certain: bool
    entry: Row | None = None
    doubt: str = ""


def commit_once(database: Database, intent: Intent, act: Callable[[Connection], T]) -> T:
    """Carry out a call in a transaction, commit that, and return what `act` returned.

    Raises:
        DatabaseUnavailable: if nothing was committed.
        OutcomeUnknown: if the commit itself went wrong, so that it may have happened.
        OperationInProgress: if another process is on the same reference for too long.
    """
    done: list[T] = []
    try:
        if database.is_sqlite:
            with database.locks.hold(_name(intent), wait_s=LONGEST_WAIT_S):
                notify_before_send(intent)  # before the write lock, which a journal in the same file needs
                with database.write() as connection:
                    done.append(act(connection))
        else:
            with database.write() as connection:
                connection.execute(_LOCK, {"number": transaction_lock(_name(intent))})
                notify_before_send(intent)
                done.append(act(connection))
    except DatabaseUnavailable as error:
        if not done or _undone(error.vendor_code):
            raise
        lost = error
    else:
        return done[0]
    raise OutcomeUnknown(
        f"{lost.message}; it may have been carried out",
        ticket=intent.ticket(lost.message),
        account=intent.account,
        operation=intent.verb,
        vendor_code=lost.vendor_code,
    )


def find_committed(database: Database, intent: Intent, look: Callable[[Connection], Row | None]) -> FindResult:
    """Look for the entry of a call, where no transaction of it can commit any more; see this module's own text."""
    name = _name(intent)
    if database.is_sqlite:
        try:
            with database.locks.hold(name, wait_s=LOOK_WAIT_S), database.write() as connection:
                return _look_up(connection, look)
        except OperationInProgress:
            return FindResult(False, doubt=_GOES_ON)
    number = transaction_lock(name)
    patience = time.monotonic() + LOOK_WAIT_S
    while True:
        try:
            with database.write() as connection:
                if connection.scalar(_TRY_LOCK, {"number": number}):
                    return _look_up(connection, look)
        except DatabaseUnavailable as error:
            if error.vendor_code != _READ_ONLY:
                raise
            return FindResult(
                False, doubt="the server that was asked only follows another, or may only read: look again"
            )
        if time.monotonic() >= patience:
            return FindResult(False, doubt=_GOES_ON)
        time.sleep(_POLL_S)


def _look_up(connection: Connection, look: Callable[[Connection], Row | None]) -> FindResult:
    """Return what is certain once the transaction is committed."""
    entry = look(connection)
    if entry is None:
        connection.execute(LOOKED)
    return FindResult(True, entry)


def _name(intent: Intent) -> str:
    return f"local\0{intent.verb}\0{intent.reference}"


def _undone(code: str | None) -> bool:
    """Whether a failed commit certainly did not happen, as far as the database said why it failed."""
    if code is None:
        return False
    return code.startswith(("SQLITE_FULL", "SQLITE_BUSY", "SQLITE_CONSTRAINT")) or code[:2] in _UNDONE


Written = tuple[Row, Row]
"""A voucher's row, and the entry that a call wrote about it."""


class Changes:
    """Carries out changing calls of one account.

    Args:
        account: the account's name, for errors.
        open_book: gives the open database.
        clock: the time.
    """

    def __init__(self, account: str, open_book: Callable[[], OpenDatabase], clock: Callable[[], datetime]) -> None:
        self._account = account
        self._open = open_book
        self._clock = clock

    def call(self, verb: Operation, intent: Intent, *content: object) -> Call:
        """Return the call of an intent.

        Args:
            verb: what it does.
            intent: under which reference and order.
            content: all that it asks for.

        Raises:
            InvalidRequest: if the reference or order cannot be kept.
        """
        reference = intent.reference or ""
        validation.names(reference, intent.order)
        return Call(
            kind=verb,
            reference=reference,
            order=intent.order,
            content=self._open().vault.content(verb.value, *content),
            at=self._clock(),
        )

    def run(self, intent: Intent, call: Call, act: Callable[[Connection], Written], make: Callable[[Row, Row], T]) -> T:
        """Carry a call out, or find what it wrote when it was first carried out.

        Args:
            intent: the call, for the journal.
            call: the call, for the ledger.
            act: writes within a transaction.
            make: makes the result of what was written. It is made before the commit: what cannot be told is not done.

        Raises:
            ReferenceConflict: if the reference stands for a call with another content.
            DatabaseUnavailable, OutcomeUnknown: as `transactions.commit_once`.
        """
        try:
            return self._run(intent, call, lambda connection: make(*act(connection)), make)
        except VoucherGatewayError as error:
            error.with_context(account=self._account, operation=call.kind.value)
            raise

    def _run(self, intent: Intent, call: Call, act: Callable[[Connection], T], make: Callable[[Row, Row], T]) -> T:
        try:
            return commit_once(self._open().database, intent, act)
        except (Declined, InvalidRequest, ReferenceConflict) as error:
            refused = error
        # It may have been refused for the very reason that it was carried out before: nothing else is left to spend,
        # or there is no room for it a second time.
        earlier = self._earlier(call)
        if earlier is None:
            raise refused
        return make(*earlier)

    def _earlier(self, call: Call) -> Written | None:
        """Return what a call of the same reference wrote.

        Raises:
            ReferenceConflict: if that asked for something else.
        """
        with self._open().database.read() as connection:
            entry = (
                connection.execute(OF_REFERENCE, {"reference": call.reference, "kind": call.kind.value})
                .mappings()
                .first()
            )
            if entry is None:
                return None
            if entry["content"] != call.content:
                raise ReferenceConflict(
                    f"the reference {call.reference!r} stands for another {call.kind.value} already: a new call needs"
                    " a new reference"
                )
            row = (
                connection.execute(SHOWN_BY_NUMBER, {"voucher_number": entry["voucher"], "now": call.moment})
                .mappings()
                .first()
            )
        assert row is not None  # an entry's voucher is never removed
        return row, entry
