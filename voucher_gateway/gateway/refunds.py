"""How much of a redemption a refund gives back, and how much is left to give back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.gateway.accounts import Accounts
from voucher_gateway.models.results import Redemption
from voucher_gateway.money import Money

if TYPE_CHECKING:
    # With the journal comes SQLAlchemy, see `voucher_gateway.gateway.accounts`.
    from voucher_gateway.journal.refunds import RefundLimit, RefundSums

REST: Final = "rest"
"""The recorded content of a refund whose caller named no amount."""


class Refunds(Accounts):
    """The bound of refunds."""

    def refundable(self, redemption: Redemption) -> Money:
        """Return how much of a redemption is left to give back, as far as the journal knows.

        Refunds that are not settled count as given back, those at another account, where the voucher was moved, too.

        Args:
            redemption: the result of `redeem` or `capture`, or one from `redemption`.

        Raises:
            ConfigurationError: if there is no journal.
        """
        if self.journal is None:
            raise ConfigurationError(
                "there is no journal, and only a journal knows what was given back: name one in the configuration",
                account=redemption.account,
                operation="refund",
            )
        return self._sums(self._refund_limit(redemption.account, redemption)).left

    def _refund_limit(self, account: str, redemption: Redemption) -> RefundLimit | None:
        """Return what bounds the refunds of a redemption; None without a journal."""
        if self.journal is None:
            return None
        from voucher_gateway.journal.refunds import RefundLimit

        provider = self._accounts[account].provider if account in self._accounts else None
        if provider is not None:
            self.journal.names.admit(account, provider)  # its refunds may be recorded under a former name
        vendor = None if provider is None else (provider.name, provider.host)
        return RefundLimit(account=account, redemption=redemption, vendor=vendor)

    def _amount_to_refund(
        self, account: str, reference: str, redemption: Redemption, money: Money | None, limit: RefundLimit | None
    ) -> tuple[Money, str | None]:
        """Return how much a refund gives back, and the content under which the journal records that.

        Without an amount it is the rest. A call that is repeated under its reference stands for the amount that it
        was recorded with.

        Args:
            account: the account that the refund is recorded at.
            reference: its reference there.
            redemption: the redemption.
            money: what the caller asked for; None for the rest.
            limit: what bounds the refunds of the redemption.

        Raises:
            InvalidRequest: if it is more than was redeemed.
            OperationInProgress, AlreadyRefunded: if nothing is left.
        """
        if limit is None:
            back = redemption.money if money is None else money
            if back > redemption.money:
                raise InvalidRequest(
                    f"{back} is more than the {redemption.money} redeemed",
                    field="money",
                    rule="at most what was redeemed",
                )
            return back, None
        assert self.journal is not None
        from voucher_gateway.journal.records import OperationKey

        entry = self.journal.find(OperationKey(account, Operation.REFUND, reference))
        if money is not None:
            return money, entry.target.content if entry is not None and entry.target.money == money else None
        if entry is not None:
            recorded = entry.target.money
            if recorded is not None and (entry.target.content == REST or recorded == redemption.money):
                return recorded, entry.target.content
            return redemption.money, REST  # the journal then says which conflict that is
        sums = self._sums(limit)
        back = min(redemption.money, sums.left)
        sums.check(back)
        return back, REST

    def _sums(self, limit: RefundLimit | None) -> RefundSums:
        assert self.journal is not None
        assert limit is not None
        from voucher_gateway.journal.refunds import refund_sums

        with self.journal.database.read() as connection:
            return refund_sums(connection, limit)
