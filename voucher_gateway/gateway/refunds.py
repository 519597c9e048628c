"""Refunds: how much of a redemption is left, how much one gives back, its command, and where a moved voucher is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import attrs

from voucher_gateway.capabilities import Operation, OptionValue
from voucher_gateway.commands.command import content_without_options
from voucher_gateway.commands.value import RefundMovedVoucher, RefundRedemption
from voucher_gateway.emulation.registry import unsupported_error
from voucher_gateway.errors import ConfigurationError, InvalidRequest, UnsupportedOperation
from voucher_gateway.gateway.account import Account
from voucher_gateway.models.requests import MAX_REFERENCE_LENGTH
from voucher_gateway.models.results import Redemption, RefundLimit
from voucher_gateway.money import Money

if TYPE_CHECKING:
    # A journal needs SQLAlchemy, which is imported only when a journal is opened.
    from voucher_gateway.journal.journal import Journal
    from voucher_gateway.journal.moves import VoucherMove


REST: Final = "rest"
"""The recorded content of a refund whose caller named no amount."""


def refundable_amount(journal: Journal | None, accounts: Mapping[str, Account], redemption: Redemption) -> Money:
    """Return how much of a redemption is left to give back, as far as the journal knows.

    Raises:
        ConfigurationError: without a journal.
    """
    if journal is None:
        raise ConfigurationError(
            "this needs a journal, because only a journal knows what was given back: name one in the configuration",
            account=redemption.account,
            operation="refund",
        )
    return journal.refund_sums(refund_limit(journal, accounts, redemption.account, redemption)).left


def refund_limit(
    journal: Journal, accounts: Mapping[str, Account], account: str, redemption: Redemption
) -> RefundLimit:
    """Return what limits the refunds of a redemption that was made at an account."""
    vendor = None
    if account in accounts:
        provider = accounts[account].provider
        journal.names.admit(account, provider)  # its refunds may be recorded under a former name of the account
        vendor = (provider.name, provider.host)
    return RefundLimit(account=account, redemption=redemption, vendor=vendor)


def refund_command(
    journal: Journal | None,
    accounts: Mapping[str, Account],
    account: str,
    redemption: Redemption,
    money: Money | None,
    *,
    reference: str,
    order: str | None,
    wait: float,
    options: Mapping[str, OptionValue] | None,
) -> RefundRedemption:
    """Return the command of a refund at the account that redeemed.

    Raises:
        InvalidRequest: if it is more than was redeemed.
        OperationInProgress, AlreadyRefunded: if nothing is left.
    """
    if journal is None:
        back = redemption.money if money is None else money
        if back > redemption.money:
            raise InvalidRequest(
                f"{back} is more than the {redemption.money} redeemed", field="money", rule="at most what was redeemed"
            )
        return RefundRedemption(
            account=account,
            reference=reference,
            order=order,
            wait_s=wait,
            options=options,
            redemption=redemption,
            money=back,
        )
    limit = refund_limit(journal, accounts, account, redemption)
    back, content = amount_to_refund(journal, account, reference, redemption, money, limit)
    return RefundRedemption(
        account=account,
        reference=reference,
        order=order,
        wait_s=wait,
        options=options,
        redemption=redemption,
        money=back,
        content=content,
        refund_limit=limit,
    )


def amount_to_refund(
    journal: Journal, account: str, reference: str, redemption: Redemption, money: Money | None, limit: RefundLimit
) -> tuple[Money, str | None]:
    """Return how much a refund gives back, and the content under which the journal records that.

    Without an amount it is the rest. A repeated call under the same reference stands for the amount that was recorded.

    Args:
        journal: the journal.
        account: the account that the refund is recorded at.
        reference: its reference there.
        redemption: the redemption.
        money: what the caller asked for; None for the rest.
        limit: what limits the refunds of the redemption.

    Raises:
        InvalidRequest: if it is more than was redeemed.
        OperationInProgress, AlreadyRefunded: if nothing is left.
    """
    from voucher_gateway.journal.records import OperationKey

    record = journal.find(OperationKey(account, Operation.REFUND, reference))
    content = None if record is None else content_without_options(record.target.content)
    if money is not None:
        return money, content if record is not None and record.target.money == money else None
    if record is not None:
        recorded = record.target.money
        if recorded is not None and (content == REST or recorded == redemption.money):
            return recorded, content
        return redemption.money, REST  # the journal then reports the conflict
    sums = journal.refund_sums(limit)
    rest = min(redemption.money, sums.left)
    sums.check(rest)
    return rest, REST


# --- vouchers that were moved to another account ---


def find_move(journal: Journal, account: str, voucher_id: str) -> VoucherMove | None:
    """Return where a voucher of an account is now, after its last move; None if it was never moved."""
    moves = journal.move_chain(account, voucher_id)
    return attrs.evolve(moves[-1], account=account, voucher_id=voucher_id) if moves else None


def pending_move(journal: Journal, account: str, redemption: Redemption, reference: str) -> VoucherMove | None:
    """Return the move that a refund must follow; None if the refund belongs to the account that redeemed.

    A refund that began under the same reference before the last move is completed where it began. While a voucher is
    being moved the result is None: the journal then rejects the refund before it is sent.
    """
    if redemption.voucher_id is None:
        return None
    moves = journal.move_chain(account, redemption.voucher_id)
    if not moves or moves[-1].in_progress or _may_have_refunded(journal, account, reference):
        return None
    references = _references_after_move(journal, account, reference)
    for move in moves:
        if move.to_account and any(_may_have_refunded(journal, move.to_account, name) for name in references):
            return move
    return moves[-1]


def refund_command_after_move(
    journal: Journal,
    accounts: Mapping[str, Account],
    move: VoucherMove,
    account: str,
    redemption: Redemption,
    money: Money | None,
    *,
    reference: str,
    order: str | None,
    wait: float,
) -> RefundMovedVoucher:
    """Return the command of a refund at the account that has the voucher now.

    Raises:
        UnsupportedOperation: if that account cannot add value. The message says where the voucher is.
        ConfigurationError: if that account is not configured.
        InvalidRequest: if it is more than was redeemed.
        OperationInProgress, AlreadyRefunded: if nothing is left.
    """
    assert move.to_account is not None
    assert move.to_voucher_id is not None
    _require_top_up(accounts, move)
    references = _references_after_move(journal, account, reference)
    recorded = (name for name in references if _may_have_refunded(journal, move.to_account, name))
    moved_reference = next(recorded, references[0])
    limit = refund_limit(journal, accounts, account, redemption)
    back, content = amount_to_refund(journal, move.to_account, moved_reference, redemption, money, limit)
    return RefundMovedVoucher(
        account=move.to_account,
        reference=moved_reference,
        order=order,
        wait_s=wait,
        redemption=redemption,
        voucher_id=move.to_voucher_id,
        money=back,
        content=content,
        refund_limit=limit,
    )


def _require_top_up(accounts: Mapping[str, Account], move: VoucherMove) -> None:
    where = f"the voucher was moved to the account {move.to_account}, where its id is {move.to_voucher_id}"
    target = accounts.get(move.to_account or "")
    if target is None:
        raise ConfigurationError(f"{where}; this account is not configured", account=move.account)
    support = target.capabilities.of(Operation.TOP_UP)
    if not support.available:
        why = unsupported_error(target.provider, Operation.TOP_UP, support).message
        raise UnsupportedOperation(
            f"{where}; a refund would have to add value there, and {why}",
            emulation=support.emulation,
            account=move.account,
            operation="refund",
        )


def _may_have_refunded(journal: Journal, account: str, reference: str) -> bool:
    """Whether a refund under this reference succeeded, or may still succeed, or was removed from the journal."""
    from voucher_gateway.journal.records import OperationKey

    key = OperationKey(account, Operation.REFUND, reference)
    record = journal.find(key)
    return journal.pruned.has_operation(key) if record is None else record.state.may_have_happened


def _references_after_move(journal: Journal, account: str, reference: str) -> list[str]:
    """Return the references that a refund may have at the account that has the voucher now, the newest first."""
    return [_reference_after_move(name, reference) for name in (account, *journal.names.former_names(account))]


def _reference_after_move(account: str, reference: str) -> str:
    """Return a refund's reference at the other account, which is different from that account's own references."""
    name = f"{account}/{reference}"
    if len(name) <= MAX_REFERENCE_LENGTH:
        return name
    return f"{account[:64]}/{hashlib.sha256(reference.encode('utf-8', 'surrogatepass')).hexdigest()}"
