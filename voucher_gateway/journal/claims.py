"""A movement at the vendor is the result of one operation at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from voucher_gateway.adapter import Redemption, Refund, TopUp
from voucher_gateway.database.schema import operations
from voucher_gateway.journal.records import Entry, State
from voucher_gateway.journal.results import read_result
from voucher_gateway.outcome import Result

if TYPE_CHECKING:
    from voucher_gateway.journal.journal import Journal

_OTHERS: Final = sa.select(operations.c.result).where(
    operations.c.provider == sa.bindparam("provider"),
    operations.c.host == sa.bindparam("host"),
    operations.c.voucher_id == sa.bindparam("voucher"),
    operations.c.verb == sa.bindparam("verb"),
    operations.c.state == State.SUCCEEDED.value,
    operations.c.id != sa.bindparam("mine"),
    operations.c.result.is_not(None),
)


def claimed_by_another(journal: Journal, entry: Entry, result: Result | None) -> bool:
    """Whether what was found at the vendor for an operation is another operation's result already.

    A refund at JTL names nothing. One that another worker made between the look at the history and the row of ours
    looks like ours.
    """
    if not isinstance(result, Redemption | Refund | TopUp):
        return False
    named = {
        "provider": entry.target.provider,
        "host": entry.target.host,
        "voucher": result.voucher_id,
        "verb": entry.key.verb.value,
        "mine": entry.id,
    }
    with journal.database.read() as connection:
        others = [read_result(text) for text in connection.scalars(_OTHERS, named)]
    return any(getattr(other, "id", None) == result.id for other in others)
