"""The rule by which an unknown outcome is resolved: the entry of a call proves that it was executed, absence that not.

`transactions` explains why absence proves that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from voucher_gateway.provider_api import Effect, Intent, Operation, Outcome, Voucher, format_micros
from voucher_gateway_local import mapping
from voucher_gateway_local.open import OpenDatabase
from voucher_gateway_local.statements import OF_REFERENCE, VOUCHER_BY_NUMBER, Row
from voucher_gateway_local.transactions import find_committed

_RESULTS: Final[dict[str, Callable[[str, Row, Row], Any]]] = {
    Operation.RESERVE: mapping.reservation_of,
    Operation.CAPTURE: mapping.redemption_of,
    Operation.REDEEM: mapping.redemption_of,
    Operation.REFUND: mapping.refund_of,
    Operation.TOP_UP: mapping.top_up_of,
    Operation.RELEASE: mapping.release_of,
    Operation.DELETE: mapping.deletion_of,
}


def resolve(book: OpenDatabase, intent: Intent, make_voucher: Callable[[Row], Voucher]) -> Outcome:
    """Return the outcome of a call.

    Args:
        book: the database.
        intent: the call.
        make_voucher: returns the voucher of a row.
    """
    if not intent.reference:
        return Outcome(effect=Effect.UNKNOWN, reason="the call has no reference, so that it cannot be looked up")
    parameters = {"reference": intent.reference, "kind": intent.verb}
    committed = find_committed(book.database, intent, partial(OF_REFERENCE.first_row, parameters=parameters))
    if not committed.certain:
        return Outcome(effect=Effect.UNKNOWN, reason=committed.doubt)
    if committed.entry is None:
        return Outcome(effect=Effect.NOT_EXECUTED, reason="it wrote no entry, and no transaction of it can commit")
    entry = committed.entry
    with book.database.read() as connection:
        row = VOUCHER_BY_NUMBER.first_row(
            connection, {"voucher_number": entry["voucher"], "now": format_micros(intent.sent_at)}
        )
    assert row is not None  # the row of an entry's voucher is never deleted
    result = result_of(intent, row, entry, make_voucher)
    if intent.money is not None and _money_of(result) not in (None, intent.money):
        return Outcome(
            effect=Effect.UNKNOWN, reason=f"the reference has an entry of {_money_of(result)}: a person must decide"
        )
    return Outcome(effect=Effect.SUCCEEDED, result=result, reason=f"its entry is {entry['voucher']}-{entry['seq']}")


def result_of(intent: Intent, row: Row, entry: Row, make_voucher: Callable[[Row], Voucher]) -> Any:
    """Return the result of a call, from its entry."""
    if (make := _RESULTS.get(intent.verb)) is not None:
        return make(intent.account, row, entry)
    return make_voucher(mapping.row_after_entry(row, entry))


def _money_of(result: Any) -> Any:
    return result.initial if isinstance(result, Voucher) else getattr(result, "money", None)
