"""Which operations of the journal a caller asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.gateway.account import Account
from voucher_gateway.instants import require_aware
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.journal.search import OperationFilter, add_code
from voucher_gateway.masking import Code
from voucher_gateway.models.requests import nfc


def search_operations(
    journal: Journal,
    accounts: Iterable[Account],
    *,
    states: Iterable[OperationState | str] = (),
    account: str | None = None,
    verb: Operation | str | None = None,
    reference: str | None = None,
    order: str | None = None,
    voucher: str | None = None,
    code: Code | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> Iterator[OperationRecord]:
    """Iterate over the operations that `Gateway.operations` returns; it has the same arguments.

    Raises:
        InvalidRequest: if a value is not one that an operation can have.
    """
    if limit is not None and limit < 0:
        raise InvalidRequest("limit is 0 or more, or None for all", field="limit", rule="0 or more")
    criteria = OperationFilter(
        states=frozenset(map(OperationState, states)),
        account=account,
        verb=None if verb is None else Operation(verb),
        reference=None if reference is None else nfc(reference),
        order=order,
        voucher_id=voucher,
        since=None if since is None else require_aware(since, "since"),
        until=None if until is None else require_aware(until, "until"),
    )
    if code is not None:
        forms = [(each.provider.name, each.provider.host, each.normalize(code)) for each in accounts]
        criteria = add_code(criteria, journal.database, journal.keys, code, forms)
    return journal.search(criteria, limit=limit)
