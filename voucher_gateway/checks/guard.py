"""Counts the codes that are tried, and refuses a code when a caller, or all callers together, tried too many.

The rule: a code that cannot be used costs a whole guess, a code that can be used a tenth of one, and a code that no
vendor could be asked about costs nothing. A caller may not spend more than the limit in any period of its length. A
code counts as a whole guess while the vendor is being asked, so that many workers at once do not exceed the limit. A
worker that dies leaves it as a guess.

A caller is counted with all its costs. All callers together are counted with their whole guesses only: many customers
with good vouchers do not use up what is for guesses. A refused check costs nothing, so a caller who goes on trying is
not refused for longer.

The answer that a code cannot be used is delayed, so that its time tells nothing. The limits keep the number of threads
that wait small.

The package `limits` was considered and rejected: it has no storage in an SQL database (version 5.8), and it cannot take
back a count, which is needed after a good code and for a vendor that is down.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.checks.callers import normalize_caller
from voucher_gateway.checks.schema import CHECKS, checks
from voucher_gateway.config.check_limits import CheckLimits
from voucher_gateway.errors import (
    CurrencyMismatch,
    DatabaseUnavailable,
    Declined,
    InvalidRequest,
    MalformedResponse,
    TooManyChecks,
    VoucherGatewayError,
)
from voucher_gateway.instants import format_instant, format_micros, now, parse_instant
from voucher_gateway.journal.journal import Journal
from voucher_gateway.limits.call_deadline import seconds_within
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.storage.connections import BUSY_TIMEOUT_S
from voucher_gateway.storage.locks import lock_in_transaction
from voucher_gateway.storage.statements import PreparedStatement

log: Final = get_logger("voucher_gateway.checks")

GUESS: Final = 10
"""What a code costs that cannot be used, in tenths of a guess."""
USABLE: Final = 1
"""What a code costs that can be used, in tenths of a guess."""

_GUESSES: Final = (Declined, InvalidRequest, MalformedResponse)
"""Errors after which the caller may know more about the code than before."""

_WARN_EVERY_S: Final = 60.0

_SHORTEST_WAIT_S: Final = 0.5
"""A check whose time is over waits that long for the database, to write what it really cost."""

_DELETE_OLD: Final = PreparedStatement(
    sa.delete(checks).where(
        sa.or_(
            *(
                sa.and_(
                    checks.c.cost == cost,
                    sa.or_(checks.c.checked_at <= sa.bindparam("oldest"), checks.c.checked_at > sa.bindparam("newest")),
                )
                for cost in (USABLE, GUESS)
            )
        )
    )
)
# A row of the future is that of a clock that was wrong. It counts if that clock was wrong by less than a period.
_IN_PERIOD: Final = sa.and_(checks.c.checked_at > sa.bindparam("after"), checks.c.checked_at <= sa.bindparam("newest"))
_OF_CALLER: Final = PreparedStatement(
    sa.select(checks.c.checked_at, checks.c.cost)
    .where(checks.c.caller == sa.bindparam("caller"), _IN_PERIOD)
    .order_by(checks.c.checked_at.desc())
)
_GUESS_OF_ALL: Final = PreparedStatement(
    sa.select(checks.c.checked_at)
    .where(checks.c.cost == GUESS, _IN_PERIOD)
    .order_by(checks.c.checked_at.desc())
    .limit(1)
    .offset(sa.bindparam("newer", type_=sa.Integer))
)
_INSERT: Final = PreparedStatement(sa.insert(checks))
_SET_COST: Final = PreparedStatement(
    sa.update(checks).where(checks.c.id == sa.bindparam("check")).values(cost=sa.bindparam("new_cost"))
)
_DELETE: Final = PreparedStatement(sa.delete(checks).where(checks.c.id == sa.bindparam("check")))


def find_retry_at(costs: Iterable[tuple[datetime, int]], limit: int, period: timedelta) -> datetime | None:
    """Return when one more guess is within the limit; None if it is now.

    Args:
        costs: when codes were tried in the period that ends now, the latest first, and what each cost.
        limit: what may be spent in a period.
        period: the length of a period.
    """
    spent = GUESS
    for checked_at, cost in costs:
        spent += cost
        if spent > limit:
            return checked_at + period
    return None


class Attempt:
    """One code that is being tried.

    Attributes:
        is_guess: whether a vendor answered that this code cannot be used.
    """

    def __init__(self) -> None:
        self.is_guess = False

    def reject(self) -> None:
        """Record that a vendor answered that this code cannot be used, even if another vendor could not be asked."""
        self.is_guess = True


class CheckGuard:
    """The guard of one gateway.

    Args:
        journal: its database holds the count, and its key makes the digests of callers.
        limits: how many codes may be tried.

    Raises:
        DatabaseUnavailable: if the table cannot be created.
    """

    def __init__(self, journal: Journal, limits: CheckLimits) -> None:
        self._database = journal.database
        self._keys = journal.keys
        self._limits = limits
        self._database.add_schema(CHECKS)

    @contextmanager
    def attempt(self, caller: str) -> Iterator[Attempt]:
        """Count the code that the block looks up.

        A block without an error is a code that can be used, unless it calls `Attempt.reject`. An error that says that
        no vendor could be asked, such as `ProviderUnavailable`, costs nothing. Every other error is a guess, except
        `CurrencyMismatch`: such a code can be used.

        Args:
            caller: see `normalize_caller`.

        Raises:
            TooManyChecks: if the caller, or all callers together, tried too many codes. The block is not run.
            InvalidRequest: if `caller` cannot be one.
            DatabaseUnavailable: if it cannot be counted. The block is not run.
        """
        started = time.monotonic()
        check = self._admit(self._keys.caller_digest(normalize_caller(caller)))
        attempt = Attempt()
        try:
            yield attempt
        except VoucherGatewayError as error:
            if isinstance(error, CurrencyMismatch):
                self._correct(_SET_COST, {"check": check, "new_cost": USABLE})
            elif not attempt.is_guess and not isinstance(error, _GUESSES):
                self._correct(_DELETE, {"check": check})
            elif isinstance(error, Declined):
                self._wait(started)
            raise
        if attempt.is_guess:
            self._wait(started)
        else:
            self._correct(_SET_COST, {"check": check, "new_cost": USABLE})

    def _wait(self, started: float) -> None:
        """Wait until the answer has taken a multiple of the time that is set: its time must not tell the reason.

        At JTL a code that exists costs two requests where a PIN is given, and an unknown code one.
        """
        if step_s := self._limits.unusable_time_s:
            time.sleep(step_s - (time.monotonic() - started) % step_s)

    def _admit(self, digest: str) -> str:
        """Count a guess, and return its id.

        Raises:
            TooManyChecks: if one more guess would exceed a limit.
        """
        # A refused caller takes no lock, so that a flood of guesses does not hold up payments.
        with self._database.read() as connection:
            retry_at = self._find_retry_at(connection, digest, _clock(connection))
        if retry_at is None:
            with self._database.write(wait_s=seconds_within(BUSY_TIMEOUT_S)) as connection:
                lock_in_transaction(connection, CHECKS.subject)
                at = _clock(connection)
                self._delete_old(connection, at)
                retry_at = self._find_retry_at(connection, digest, at)
                if retry_at is None:
                    check = secrets.token_hex(16)
                    row = {"id": check, "caller": digest, "checked_at": format_micros(at), "cost": GUESS}
                    _INSERT.execute(connection, row)
                    return check
        retry_at = _round_up(retry_at)
        raise TooManyChecks(
            f"too many codes were tried: try the next one at {format_instant(retry_at)} or later", retry_at=retry_at
        )

    def _delete_old(self, connection: Connection, at: datetime) -> None:
        period = self._limits.longest_period
        _DELETE_OLD.execute(connection, {"oldest": format_micros(at - period), "newest": format_micros(at + period)})

    def _find_retry_at(self, connection: Connection, digest: str, at: datetime) -> datetime | None:
        """Return when this caller may try a code again; None if it may now."""
        limits = self._limits
        newest = format_micros(at + limits.longest_period)
        values: dict[str, Any] = {"after": format_micros(at - limits.caller_period), "newest": newest}
        rows = _OF_CALLER.all_rows(connection, {"caller": digest, **values})
        costs = ((parse_instant(row["checked_at"]), row["cost"]) for row in rows)
        of_caller = find_retry_at(costs, limits.caller_guesses * GUESS, limits.caller_period)
        values["after"] = format_micros(at - limits.total_period)
        oldest = _GUESS_OF_ALL.first_row(connection, {"newer": limits.total_guesses - 1, **values})
        if oldest is None:
            return of_caller
        _warn_of_total(limits)
        of_all = parse_instant(oldest["checked_at"]) + limits.total_period
        return of_all if of_caller is None else max(of_caller, of_all)

    def _correct(self, statement: PreparedStatement, values: dict[str, Any]) -> None:
        """Write what a check really cost. If that fails it stays a guess, and the caller gets the answer."""
        try:
            with self._database.write(wait_s=max(_SHORTEST_WAIT_S, seconds_within(BUSY_TIMEOUT_S))) as connection:
                statement.execute(connection, values)
        except DatabaseUnavailable as error:
            log.warning("a check of a code stays counted as a guess: %s", error)


_last_warning = -math.inf


def _warn_of_total(limits: CheckLimits) -> None:
    """Log that the limit of all callers is reached, once a minute."""
    global _last_warning
    if time.monotonic() - _last_warning > _WARN_EVERY_S:
        _last_warning = time.monotonic()
        log.warning(
            "all callers together tried %d codes that cannot be used in %d seconds: no caller may try one now",
            limits.total_guesses,
            limits.total_period_s,
        )


def _clock(connection: Connection) -> datetime:
    """Return the present instant by one clock for all workers: that of the server, or of the machine with the file."""
    if connection.dialect.name == "sqlite":
        return now()
    instant: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return instant.astimezone(UTC)


def _round_up(instant: datetime) -> datetime:
    return instant if not instant.microsecond else instant.replace(microsecond=0) + timedelta(seconds=1)
