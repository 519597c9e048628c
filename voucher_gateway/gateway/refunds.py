"""How much a refund gives back, how much of a redemption is left, and the command of a refund."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.commands import RefundRedemption
from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.gateway.account import Account
from voucher_gateway.models.results import Redemption, RefundLimit
from voucher_gateway.money import Money

if TYPE_CHECKING:
    # A journal needs SQLAlchemy, which is imported only when a journal is opened.
    from voucher_gateway.journal.journal import Journal

REST: Final = "rest"
"""The recorded content of a refund whose caller named no amount."""


def refundable_amount(journal: Journal | None, accounts: Mapping[str, Account], redemption: Redemption) -> Money:
    """Return how much of a redemption is left to give back, as far as the journal knows.

    Raises:
        ConfigurationError: if there is no journal.
    """
    if journal is None:
        raise ConfigurationError(
            "there is no journal, and only a journal knows what was given back: name one in the configuration",
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
            account=account, reference=reference, order=order, wait_s=wait, redemption=redemption, money=back
        )
    limit = refund_limit(journal, accounts, account, redemption)
    back, content = amount_to_refund(journal, account, reference, redemption, money, limit)
    return RefundRedemption(
        account=account,
        reference=reference,
        order=order,
        wait_s=wait,
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
    if money is not None:
        return money, record.target.content if record is not None and record.target.money == money else None
    if record is not None:
        recorded = record.target.money
        if recorded is not None and (record.target.content == REST or recorded == redemption.money):
            return recorded, record.target.content
        return redemption.money, REST  # the journal then reports the conflict
    sums = journal.refund_sums(limit)
    rest = min(redemption.money, sums.left)
    sums.check(rest)
    return rest, REST
