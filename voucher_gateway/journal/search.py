"""Searches the journal for operations by their order, code, time and other facts, the newest first.

SQLite keeps no statistics of our tables, and may take the index of the states, of which there are few, where it has the
index of the orders. So the query names one filter whose index is to be used: the one that most likely leaves the fewest
rows. The other conditions are written so that they cannot choose an index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import attrs
import sqlalchemy as sa

from voucher_gateway.capabilities import Operation
from voucher_gateway.instants import format_micros
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.journal.schema import accounts, operations, requests
from voucher_gateway.masking import Code
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.statements import without_index

_BATCH: Final = 100
"""How many operations are read at a time: few, because a caller may ask a vendor about each before the next."""
_CLOCK_MARGIN_MS: Final = 3_600_000
"""How far the moment in an id may be from the moment when its operation was recorded: a call may wait for its turn."""


@attrs.frozen
class VendorVoucher:
    """A voucher at a vendor.

    Attributes:
        provider: the provider's name.
        host: the vendor's host.
        id: the vendor's id of the voucher.
    """

    provider: str
    host: str
    id: str


@attrs.frozen(kw_only=True)
class OperationFilter:
    """Conditions on operations of the journal. An operation must meet all that are set.

    Attributes:
        states: in these states; in any if none is named.
        account: of this account.
        verb: of this verb.
        reference: under this reference of the caller.
        order: of this order of the shop.
        voucher_id: of the voucher with this id, at any vendor.
        fingerprints: of a code with one of these fingerprints, or of one of `vouchers`; None for any code and voucher.
        vouchers: counts only where `fingerprints` is given.
        since: recorded at this moment or later.
        until: recorded before this moment.
        due: whose next look-up is due at this moment.
    """

    states: Collection[OperationState] = ()
    account: str | None = None
    verb: Operation | None = None
    reference: str | None = None
    order: str | None = None
    voucher_id: str | None = None
    fingerprints: Collection[str] | None = None
    vouchers: Collection[VendorVoucher] = ()
    since: datetime | None = None
    until: datetime | None = None
    due: datetime | None = None


def iterate_operations(
    database: Database, criteria: OperationFilter, *, newest_first: bool = True, limit: int | None = None
) -> Iterator[OperationRecord]:
    """Iterate over operations in the order of their creation. Memory holds a hundred at a time.

    An operation may be written while the caller iterates: its record is of the moment when it was read.

    Args:
        database: the journal's.
        criteria: which operations.
        newest_first: whether the newest comes first, or the oldest.
        limit: at most this many.
    """
    batch = _BATCH if limit is None else max(1, min(limit, _BATCH))
    rows = database.iterate_rows(operations_query(criteria), operations.c.id, batch=batch, descending=newest_first)
    return map(OperationRecord.from_row, islice(rows, limit))


def operation_ids_sent_since(database: Database, since: datetime) -> set[str]:
    """Return the ids of the operations that have sent a request at a moment or later, begun before that or not.

    The rows of requests are read from the newest on, as far as the moment reaches.
    """
    query = sa.select(requests.c.id, requests.c.operation_id, requests.c.sent_at)
    begin, end = format_micros(since), format_micros(since - timedelta(milliseconds=_CLOCK_MARGIN_MS))
    ids: set[str] = set()
    for row in database.iterate_rows(query, requests.c.id, descending=True):
        if row["sent_at"] < end:  # rows of several machines may be a little out of order
            break
        if row["sent_at"] >= begin:
            ids.add(row["operation_id"])
    return ids


def operations_query(criteria: OperationFilter) -> sa.Select[Any]:
    """Return the query of a filter, without an order."""
    query = sa.select(operations).where(*_id_range(criteria))
    is_indexed = criteria.fingerprints is not None
    if is_indexed:
        query = query.where(_is_of_code(criteria))
    for column, values in _columns_of_filter(criteria):
        compared: Any = without_index(column) if is_indexed else column
        query = query.where(sa.or_(*[compared == value for value in values]))
        is_indexed = True
    if len(criteria.states) > 1 and not _are_few(criteria.states):
        # Their index would have to be sorted for every page. A condition that excludes uses none.
        excluded = [state.value for state in OperationState if state not in criteria.states]
        query = query.where(operations.c.state.not_in(excluded))
    if criteria.due is not None:
        query = query.where(operations.c.check_at.is_(None) | (operations.c.check_at <= format_micros(criteria.due)))
    return query


def add_code(
    criteria: OperationFilter,
    database: Database,
    keys: JournalKeys,
    code: Code,
    forms: Iterable[tuple[str, str, Code]],
) -> OperationFilter:
    """Return a filter for the operations that named a code, and for all others on the same vouchers.

    Args:
        criteria: what else is asked for.
        database: the journal's.
        keys: the journal's.
        code: the code as it was typed, for the vendors that no account leads to any more.
        forms: provider, host, and the form in which the code is looked up there.
    """
    with database.read() as connection:
        vendors = connection.execute(sa.select(accounts.c.provider, accounts.c.host).distinct())
        codes = [*[(row.provider, row.host, code) for row in vendors], *forms]
        fingerprints = {
            fingerprint
            for provider, host, form in codes
            for fingerprint in keys.fingerprints(form, provider=provider, host=host)
        }
        rows = connection.execute(
            sa.select(operations.c.provider, operations.c.host, operations.c.voucher_id)
            .where(operations.c.fingerprint.in_(fingerprints), operations.c.voucher_id.is_not(None))
            .distinct()
        )
        vouchers = [VendorVoucher(*row) for row in rows]
    return attrs.evolve(criteria, fingerprints=fingerprints, vouchers=vouchers)


def _are_few(states: Collection[OperationState]) -> bool:
    """Return whether few operations have these states, because they leave them again."""
    return all(state.is_unresolved for state in states)


def _columns_of_filter(criteria: OperationFilter) -> Iterator[tuple[sa.Column[Any], Collection[str]]]:
    """Return the columns that a filter names, with the values that they may have: the fewest rows first."""
    if criteria.voucher_id is not None:
        yield operations.c.voucher_id, [criteria.voucher_id]
    if criteria.reference is not None:
        yield operations.c.reference, [criteria.reference]
    if criteria.order is not None:
        yield operations.c.order_number, [criteria.order]
    states = [state.value for state in criteria.states]
    if states and _are_few(criteria.states):
        yield operations.c.state, states
    if criteria.account is not None:
        yield operations.c.account, [criteria.account]
    if criteria.verb is not None:
        yield operations.c.verb, [criteria.verb.value]
    if len(states) == 1 and not _are_few(criteria.states):
        yield operations.c.state, states


def _is_of_code(criteria: OperationFilter) -> sa.ColumnElement[bool]:
    """Return the condition that an operation is of one of several codes or vouchers."""
    of_code = [operations.c.fingerprint == fingerprint for fingerprint in criteria.fingerprints or ()]
    of_voucher = [
        (operations.c.voucher_id == voucher.id)
        & (operations.c.provider == voucher.provider)
        & (operations.c.host == voucher.host)
        for voucher in criteria.vouchers
    ]
    return sa.or_(sa.false(), *of_code, *of_voucher)


def _id_range(criteria: OperationFilter) -> Iterator[sa.ColumnElement[bool]]:
    """Return the conditions on the moment of the record. An id begins with the moment when it was made."""
    if criteria.since is not None:
        yield operations.c.id >= first_id_at(criteria.since, -_CLOCK_MARGIN_MS)
        yield operations.c.created_at >= format_micros(criteria.since)
    if criteria.until is not None:
        yield operations.c.id < first_id_at(criteria.until, _CLOCK_MARGIN_MS)
        yield operations.c.created_at < format_micros(criteria.until)


def first_id_at(instant: datetime, margin_ms: int = _CLOCK_MARGIN_MS) -> str:
    """Return what sorts before all ids that are made from a moment on, give or take a margin."""
    return f"{max(0, int(instant.timestamp() * 1000) + margin_ms):012x}"
