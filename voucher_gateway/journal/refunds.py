"""What was given back of a redemption, and how much of it is left to give back.

A refund whose outcome is not known counts as given back. The sum is made in the transaction that records the next
refund, so that two processes cannot both give the same rest back.
"""

from __future__ import annotations

from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import AlreadyRefunded, InvalidRequest, OperationInProgress
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.moves import move_chain
from voucher_gateway.journal.pruned.pruned import amount_of_removed_redemption, select_pruned_refunds
from voucher_gateway.journal.records import OperationRecord, OperationState, read_result
from voucher_gateway.journal.rows import UNRESOLVED_STATES
from voucher_gateway.journal.schema import operations
from voucher_gateway.models.results import Redemption, RefundLimit
from voucher_gateway.money import Money
from voucher_gateway.storage.locks import lock_in_transaction
from voucher_gateway.storage.statements import without_index


@attrs.frozen(kw_only=True)
class RefundSums:
    """The sums of one redemption and its refunds.

    Attributes:
        redeemed: what was redeemed.
        given_back: the refunds that succeeded.
        in_doubt: the refunds whose outcome is not known.
        unresolved: the references of the refunds in doubt.
    """

    redeemed: Money
    given_back: Money
    in_doubt: Money
    unresolved: tuple[str, ...] = ()

    @property
    def left(self) -> Money:
        """What can still be given back; never negative."""
        left = self.redeemed - self.given_back - self.in_doubt
        return left if left.amount > 0 else Money.zero(self.redeemed.currency)

    def check(self, money: Money) -> None:
        """Refuse a refund of more than is left.

        Raises:
            InvalidRequest: if it is more than was redeemed at all.
            OperationInProgress: if refunds whose outcome is not known decide whether that much is left.
            AlreadyRefunded: if less is left in any case.
        """
        if money > self.redeemed:
            raise InvalidRequest(
                f"{money} is more than the {self.redeemed} redeemed", field="money", rule="at most what was redeemed"
            )
        if money.amount > 0 and money <= self.left:
            return
        if self.in_doubt and money <= self.redeemed - self.given_back:
            references = ", ".join(repr(reference) for reference in self.unresolved)
            raise OperationInProgress(
                f"{self.in_doubt} of the {self.redeemed} redeemed may have been given back under {references}, whose"
                f" outcome is not known; {self.left} of it are left to give back. Resolve that refund first"
            )
        raise AlreadyRefunded(
            f"{self.given_back} of the {self.redeemed} redeemed was given back already;"
            f" {self.left} of it are left to give back"
        )


def refund_sums(
    connection: Connection, keys: JournalKeys, limit: RefundLimit, *, besides: str | None = None
) -> RefundSums:
    """Return the sums of a redemption, at every account where the voucher was.

    Args:
        connection: in a transaction, or not.
        keys: the journal's, which recognise what was removed from it.
        limit: the redemption.
        besides: the id of an operation that does not count.
    """
    redemption = limit.redemption
    moves = [] if redemption.voucher_id is None else move_chain(connection, keys, limit.account, redemption.voucher_id)
    accounts = {limit.account, *(move.to_account for move in moves if move.to_account is not None)}
    query = sa.select(operations.c.reference, operations.c.state, operations.c.amount, operations.c.currency).where(
        operations.c.verb == Operation.REFUND.value,
        operations.c.target == redemption.id,
        operations.c.account.in_(accounts) | _at_vendor(limit),
        operations.c.state.in_([OperationState.SUCCEEDED.value, *UNRESOLVED_STATES]),
    )
    if besides is not None:
        query = query.where(operations.c.id != besides)
    redeemed = _amount_redeemed(connection, keys, limit)
    given_back = in_doubt = Money.zero(redeemed.currency)
    unresolved: list[str] = []
    refunds = query.order_by(operations.c.id)
    if (removed := select_pruned_refunds(connection, keys, limit, accounts)) is not None:
        refunds = _with_removed(query, removed)
    for row in connection.execute(refunds):
        money = Money(row.amount, row.currency)
        if row.state in UNRESOLVED_STATES:
            in_doubt += money
            unresolved.append(row.reference)
        else:
            given_back += money
    return RefundSums(redeemed=redeemed, given_back=given_back, in_doubt=in_doubt, unresolved=tuple(unresolved))


def _with_removed(query: sa.Select[Any], removed: sa.Select[Any]) -> sa.Select[Any]:
    """Return a query of the refunds in the journal and of those that were removed from it.

    Both are read by one statement: a refund that another process removes at the same moment is in exactly one of them.
    """
    constants = (sa.literal("").label("reference"), sa.literal(OperationState.SUCCEEDED.value).label("state"))
    kept = removed.subquery("removed")
    both = sa.union_all(query, sa.select(*constants, kept.c.amount, kept.c.currency)).subquery("refunds")
    return sa.select(both)


def check_refund(connection: Connection, keys: JournalKeys, record: OperationRecord, limit: RefundLimit) -> None:
    """Refuse a refund of more than is left, in the transaction that records it.

    Raises:
        InvalidRequest, OperationInProgress, AlreadyRefunded: as `RefundSums.check`.
    """
    assert record.target.money is not None
    lock_in_transaction(connection, "refunds", limit.redemption.id)
    refund_sums(connection, keys, limit, besides=record.id).check(record.target.money)


def _amount_redeemed(connection: Connection, keys: JournalKeys, limit: RefundLimit) -> Money:
    """Return what was redeemed: as the journal recorded it, else as the caller says.

    The operation is looked for before what is left of removed ones: it may be removed at the same moment.
    """
    redemption = limit.redemption
    of_voucher: Any = _at_vendor(limit) & (operations.c.voucher_id == redemption.voucher_id)
    of_reference: Any = (without_index(operations.c.account) == limit.account) & (
        operations.c.reference == redemption.reference
    )
    query = sa.select(operations.c.result).where(
        without_index(operations.c.verb).in_([Operation.REDEEM.value, Operation.CAPTURE.value]),
        without_index(operations.c.state) == OperationState.SUCCEEDED.value,
        operations.c.result.is_not(None),
        of_reference if redemption.voucher_id is None or limit.vendor is None else of_voucher,
    )
    for text in connection.scalars(query):
        result = read_result(text)
        if isinstance(result, Redemption) and result.id == redemption.id:
            return result.money
    return amount_of_removed_redemption(connection, keys, limit) or redemption.money


def _at_vendor(limit: RefundLimit) -> Any:
    if limit.vendor is None:
        return sa.false()
    return (operations.c.provider == limit.vendor[0]) & (operations.c.host == limit.vendor[1])
