"""Ends of validity that are not as before the migration: at the target, or at the source after a return."""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from voucher_gateway.instants import parse_instant
from voucher_gateway.migration.plan.assess import is_not_spendable, is_stopped
from voucher_gateway.migration.plan.model import PlannedVoucher
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.rows import value_of
from voucher_gateway.migration.verify.store import ListedVoucher
from voucher_gateway.money import Money

SHORTEST_SHIFT: Final = timedelta(seconds=1)
"""A shorter shift is not reported: an account stores ends in other steps than another."""

_TABLE: Final = """
CREATE TABLE shifted (number INTEGER PRIMARY KEY, at_target INTEGER, shift TEXT, seconds INTEGER, currency TEXT,
    minor INTEGER, source_id TEXT, code TEXT, end_before TEXT, end_now TEXT);
CREATE INDEX by_shift ON shifted (at_target, shift, currency, seconds);
"""


class Shift(enum.StrEnum):
    """How an end of validity differs from before.

    Attributes:
        LATER: it is later.
        EARLIER: it is earlier.
        NO_END: the voucher had an end, and has none now.
        NEW_END: the voucher had no end, and has one now.
    """

    LATER = "later"
    EARLIER = "earlier"
    NO_END = "no-end"
    NEW_END = "new-end"


@attrs.frozen(kw_only=True)
class ShiftedEnd:
    """One voucher whose end is not as before.

    Attributes:
        number: its number in the plan.
        source_id: its id at the source.
        code: its masked code.
        account: the account at which it was read.
        shift: how its end differs.
        value: its remaining value there.
        before: its end by the plan; None if it had none.
        now: its end now; None if it has none.
        seconds: the length of the shift, in whole seconds; None if one of the ends is missing.
    """

    number: int
    source_id: str
    code: str | None
    account: str
    shift: Shift
    value: Money
    before: datetime | None
    now: datetime | None
    seconds: int | None


@attrs.frozen(kw_only=True)
class ShiftedEnds:
    """The vouchers of one account and one currency whose ends differ in the same way.

    Attributes:
        account: the account at which they were read.
        shift: how their ends differ.
        count: the number of vouchers.
        money: their remaining value there.
        median_s: the median of the shifts, in whole seconds; None if one of the ends is missing.
        most_s: the longest shift, in whole seconds; None if one of the ends is missing.
    """

    account: str
    shift: Shift
    count: int
    money: Money
    median_s: int | None
    most_s: int | None


class ShiftedEndStore:
    """The shifted ends of one verification, in its temporary database.

    Args:
        connection: the connection to that database.
        context: what all moves of the plan share.
    """

    def __init__(self, connection: sqlite3.Connection, context: MigrationContext) -> None:
        self._connection = connection
        self._context = context
        connection.executescript(_TABLE)

    def compare(
        self,
        planned: PlannedVoucher,
        at_target: list[ListedVoucher],
        at_source: ListedVoucher | None,
        *,
        rolled_back: bool,
    ) -> None:
        """Compare the end of a voucher with its plan, at the account where it can be spent, and store a shift.

        Args:
            planned: the planned voucher.
            at_target: its vouchers at the target.
            at_source: the voucher at the source.
            rolled_back: whether the plan was rolled back.
        """
        if not rolled_back and len(at_target) == 1:
            self._compare(planned, at_target[0], at_target=True)
        elif at_source is not None and not self._context.leaves_source and not is_stopped(at_source.status):
            self._compare(planned, at_source, at_target=False)

    def _compare(self, planned: PlannedVoucher, listed: ListedVoucher, *, at_target: bool) -> None:
        before = planned.valid_until
        now = None if listed.ends is None else parse_instant(listed.ends)
        # The activation of an inactive voucher may set its end.
        if (now is None and is_stopped(listed.status)) or (before is None and is_not_spendable(planned.status)):
            return
        shift, length = _compare_ends(before, now)
        if shift is None:
            return
        value = value_of(planned) if listed.remaining is None else listed.remaining
        row = (
            *(planned.number, at_target, shift.value, None if length is None else length // SHORTEST_SHIFT),
            *(value.currency, value.minor, planned.source_id, planned.code),
            *(None if end is None else end.isoformat() for end in (before, now)),
        )
        self._connection.execute("INSERT INTO shifted VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def groups(self) -> tuple[ShiftedEnds, ...]:
        """Return the shifted ends by account, shift and currency."""
        rows = self._connection.execute(
            "SELECT at_target, shift, currency, count(*), sum(minor), max(seconds) FROM shifted"
            " GROUP BY at_target, shift, currency ORDER BY at_target DESC, shift, currency"
        ).fetchall()
        return tuple(self._group(row) for row in rows)

    def _group(self, row: tuple[Any, ...]) -> ShiftedEnds:
        at_target, shift, currency, count, minor, most = row
        (median,) = self._connection.execute(
            "SELECT seconds FROM shifted WHERE at_target = ? AND shift = ? AND currency = ?"
            " ORDER BY seconds LIMIT 1 OFFSET ?",
            (at_target, shift, currency, (count - 1) // 2),
        ).fetchone()
        return ShiftedEnds(
            account=self._account(at_target),
            shift=Shift(shift),
            count=count,
            money=Money.from_minor(minor, currency),
            median_s=median,
            most_s=most,
        )

    def vouchers(self) -> Iterator[ShiftedEnd]:
        """Yield every voucher with a shifted end, in the order of the plan."""
        query = (
            "SELECT number, source_id, code, at_target, shift, minor, currency, end_before, end_now, seconds"
            " FROM shifted ORDER BY number"
        )
        for (
            number,
            source_id,
            code,
            at_target,
            shift,
            minor,
            currency,
            before,
            now,
            seconds,
        ) in self._connection.execute(query):
            yield ShiftedEnd(
                number=number,
                source_id=source_id,
                code=code,
                account=self._account(at_target),
                shift=Shift(shift),
                value=Money.from_minor(minor, currency),
                before=None if before is None else datetime.fromisoformat(before),
                now=None if now is None else datetime.fromisoformat(now),
                seconds=seconds,
            )

    def _account(self, at_target: int) -> str:
        return self._context.target if at_target else self._context.source


def _compare_ends(before: datetime | None, now: datetime | None) -> tuple[Shift | None, timedelta | None]:
    """Return how an end differs from before, and the length of the shift; None for what does not exist."""
    if before is None or now is None:
        if before is now:
            return None, None
        return (Shift.NEW_END if before is None else Shift.NO_END), None
    if abs(now - before) < SHORTEST_SHIFT:
        return None, None
    return (Shift.LATER if now > before else Shift.EARLIER), abs(now - before)
