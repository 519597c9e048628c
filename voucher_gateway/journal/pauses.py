"""The pauses of accounts: written by one process, and obeyed by all that share the journal.

Each process reads them at most every two seconds, so that a call does not read the database for them. Moments are by
the clock of the database, and what is left of a pause is counted by the clock that runs in each process: machines whose
clocks differ end a pause at the same time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import DatabaseUnavailable, InvalidRequest
from voucher_gateway.instants import format_micros, parse_instant
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.keys.row_seals import PAUSES
from voucher_gateway.journal.schema import pauses
from voucher_gateway.limits.call_deadline import seconds_within
from voucher_gateway.limits.shared_limits import AccountPause
from voucher_gateway.process.fork_safety import register, renew_if_forked
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.storage.clock import read_clock
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.locks import lock_in_transaction

log: Final = get_logger("voucher_gateway.journal")

READ_EVERY_S: Final = 2.0
"""How old the pauses can be that a process obeys, in seconds."""

_LOCK: Final = "account pauses"
_LONGEST_READ_S: Final = 1.0
_LONGEST_WRITE_S: Final = 3.0
"""How long a pause waits for others that write. A person waits for it, and can repeat it."""
_LONGEST: Final = timedelta(days=3650)
_LONGEST_TEXT: Final = 200

_ALL: Final = sa.select(pauses).order_by(pauses.c.account)


@attrs.frozen
class _KnownPause:
    pause: AccountPause
    ends: float | None
    """The moment of ``time.monotonic``."""


class Pauses:
    """The pauses of accounts in a journal.

    Args:
        database: the journal's.
        keys: its keys, for the events of pauses.
    """

    def __init__(self, database: Database, keys: JournalKeys) -> None:
        self._database = database
        self._keys = keys
        self._known: Mapping[str, _KnownPause] | None = None
        self._read_at = 0.0
        self.renew_after_fork()
        register(self)

    def renew_after_fork(self) -> None:
        """Make a new lock: another thread of the parent may have held it."""
        self._reading = threading.Lock()

    def find(self, account: str) -> AccountPause | None:
        """Return the pause of an account, as it was at most two seconds ago; None if it is not paused.

        If the database cannot be read, what was read last stays in force.
        """
        renew_if_forked()
        if self._known is None or time.monotonic() - self._read_at > READ_EVERY_S:
            self._refresh()
        known = None if self._known is None else self._known.get(account)
        if known is None or (known.ends is not None and time.monotonic() >= known.ends):
            return None
        return known.pause

    def list_all(self) -> list[AccountPause]:
        """Return the pauses that are in force now, by account.

        Raises:
            DatabaseUnavailable: if they cannot be read.
        """
        with self._database.read() as connection:
            return [known.pause for known in _read(connection).values()]

    def pause(
        self,
        account: str,
        *,
        duration: timedelta | None = None,
        reason: str | None = None,
        by: str | None = None,
        everything: bool = False,
    ) -> AccountPause:
        """Pause an account, or change its pause, and return the pause.

        Raises:
            InvalidRequest: if the duration is not above zero, or a text is too long.
            DatabaseUnavailable: if it cannot be committed.
        """
        _check(duration, {"reason": reason, "by": by}, everything=everything)
        with self._write(f"the pause of the account {account}") as connection:
            at = read_clock(connection)
            pause = AccountPause(
                account=account,
                everything=everything,
                since=at,
                until=None if duration is None else at + duration,
                reason=reason,
                by=by,
            )
            deleted = connection.execute(sa.delete(pauses).where(pauses.c.account == account))
            connection.execute(sa.insert(pauses), PAUSES.seal_row(self._keys, _row_of(pause)))
            PAUSES.add_to_count(connection, self._keys, 1 - deleted.rowcount)
            append_event(connection, self._keys, EventKind.ACCOUNT_PAUSED, account, _event_of(pause))
        self._refresh(at_once=True)
        log.warning("%s: paused%s", account, " for everything" if everything else "")
        return pause

    def resume(self, account: str) -> bool:
        """End the pause of an account, and return whether there was one in force.

        Raises:
            DatabaseUnavailable: if it cannot be committed.
        """
        with self._write(f"the end of the pause of the account {account}") as connection:
            was_paused = account in _read(connection)
            deleted = connection.execute(sa.delete(pauses).where(pauses.c.account == account))
            PAUSES.add_to_count(connection, self._keys, -deleted.rowcount)
            if was_paused:
                append_event(connection, self._keys, EventKind.ACCOUNT_RESUMED, account, {"account": account})
        self._refresh(at_once=True)
        log.warning("%s: resumed", account)
        return was_paused

    @contextmanager
    def _write(self, what: str) -> Iterator[Connection]:
        """Give a connection for writing pauses.

        Raises:
            DatabaseUnavailable: if they cannot be committed. It says what was not recorded.
        """
        try:
            with self._database.write(wait_s=seconds_within(_LONGEST_WRITE_S)) as connection:
                lock_in_transaction(connection, _LOCK)
                yield connection
        except DatabaseUnavailable as error:
            problem, code = error.message, error.vendor_code
        else:
            return
        raise DatabaseUnavailable(f"{what} could not be recorded: {problem}; try again", vendor_code=code)

    def _refresh(self, *, at_once: bool = False) -> None:
        """Read the pauses again. One thread does so; the others go on with what is known.

        Args:
            at_once: whether to wait for another thread that reads them, and to read them after it.
        """
        if not self._reading.acquire(blocking=at_once or self._known is None):
            return
        try:
            if at_once or self._known is None or time.monotonic() - self._read_at > READ_EVERY_S:
                began = time.monotonic()
                with self._database.read(wait_s=_LONGEST_READ_S) as connection:
                    self._known = _read(connection)
                self._read_at = began
        except DatabaseUnavailable as error:
            log.debug("the pauses of accounts could not be read: %s", error)
        finally:
            self._reading.release()


def rename_pause(connection: Connection, keys: JournalKeys, former: str, name: str) -> None:
    """Give the pause of an account its new name. If the new name has a pause, that one counts.

    Args:
        connection: in a transaction.
        keys: the journal's.
        former: the name until now.
        name: the new name.
    """
    lock_in_transaction(connection, _LOCK)
    query = sa.select(pauses).where(pauses.c.account.in_([former, name]))
    rows = {row["account"]: dict(row) for row in connection.execute(query).mappings()}
    of_former = pauses.c.account == former
    if former in rows and name in rows:
        connection.execute(sa.delete(pauses).where(of_former))
        PAUSES.add_to_count(connection, keys, -1)
    elif former in rows:
        renamed = PAUSES.seal_again(keys, rows[former], {**rows[former], "account": name})
        connection.execute(sa.update(pauses).where(of_former).values(renamed))


def _read(connection: Connection) -> dict[str, _KnownPause]:
    rows: Sequence[Mapping[str, object]] = connection.execute(_ALL).mappings().all()  # type: ignore[assignment]
    if not rows:
        return {}
    at, clock = read_clock(connection), time.monotonic()
    known = {}
    for row in rows:
        pause = _pause_of(row)
        left = None if pause.until is None else (pause.until - at).total_seconds()
        if left is None or left > 0:
            known[pause.account] = _KnownPause(pause, None if left is None else clock + left)
    return known


def _event_of(pause: AccountPause) -> dict[str, object]:
    return {
        "account": pause.account,
        "everything": pause.everything,
        "until": None if pause.until is None else format_micros(pause.until),
        "reason": pause.reason,
        "by": pause.by,
    }


def _row_of(pause: AccountPause) -> dict[str, object]:
    return {
        "account": pause.account,
        "everything": pause.everything,
        "paused_at": format_micros(pause.since),
        "ends_at": None if pause.until is None else format_micros(pause.until),
        "reason": pause.reason,
        "paused_by": pause.by,
    }


def _pause_of(row: Mapping[str, object]) -> AccountPause:
    reason, by, until = row["reason"], row["paused_by"], row["ends_at"]
    return AccountPause(
        account=str(row["account"]),
        everything=bool(row["everything"]),
        since=parse_instant(str(row["paused_at"])),
        until=None if until is None else parse_instant(str(until)),
        reason=None if reason is None else str(reason),
        by=None if by is None else str(by),
    )


def _check(duration: object, texts: Mapping[str, object], *, everything: object) -> None:
    if not isinstance(everything, bool):
        raise InvalidRequest("everything must be True or False", field="everything", rule="True or False")
    if duration is not None and not (isinstance(duration, timedelta) and timedelta(0) < duration <= _LONGEST):
        rule = f"above zero and at most {_LONGEST.days} days"
        raise InvalidRequest(f"the duration of a pause must be {rule}", field="duration", rule=rule)
    for name, text in texts.items():
        if text is not None and not _is_short_text(text):
            rule = f"a text of 1 to {_LONGEST_TEXT} printable characters"
            raise InvalidRequest(f"{name} must be {rule}", field=name, rule=rule)


def _is_short_text(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= _LONGEST_TEXT and text.isprintable()
