"""The gateway's verbs that only read."""

from __future__ import annotations

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import IntegrityMismatch
from voucher_gateway.gateway.accounts import Accounts
from voucher_gateway.gateway.find import FindResult, find_in_accounts
from voucher_gateway.listing.listing import Listing
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.presentation import Presentation
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.results import Balance, History
from voucher_gateway.models.voucher import Voucher


class Reading(Accounts):
    """Verbs that only read."""

    def find(self, code: str | Code, pin: str | Pin | None = None, *, broadcast: bool = False) -> FindResult:
        """Look for a code in all accounts whose `code_pattern` matches it, side by side.

        Args:
            code: the code.
            pin: the PIN, if there is one.
            broadcast: whether to show the code to the other accounts' vendors too.
        """
        code, pin = Code.of(code), Pin.of_given(pin)
        lookup = find_in_accounts(self.accounts, code, pin, broadcast=broadcast)
        others = [voucher for voucher in lookup.vouchers if self._is_other_voucher(voucher.account, code, voucher.id)]
        if not others:
            return lookup
        names = {voucher.account for voucher in others}
        return attrs.evolve(
            lookup,
            vouchers=tuple(voucher for voucher in lookup.vouchers if voucher.account not in names),
            asked=tuple(name for name in lookup.asked if name not in names),
            failed={**lookup.failed, **{name: _other_voucher(name, Operation.FIND) for name in names}},
        )

    def get(self, account: str, id: str, *, secrets: bool = False) -> Voucher:
        """Return the voucher with this id."""
        return self._provider_for(account, Operation.GET).get(id, secrets=secrets)

    def balance(self, account: str, code: str | Code, pin: str | Pin | None = None) -> Balance:
        """Return what a voucher is worth now."""
        code, pin = Code.of(code), Pin.of_given(pin)
        balance = self._provider_for(account, Operation.BALANCE).balance(code, pin)
        if self._is_other_voucher(account, code, balance.voucher_id):
            raise _other_voucher(account, Operation.BALANCE)
        return balance

    def _is_other_voucher(self, account: str, code: Code, voucher_id: str) -> bool:
        if self.journal is None:
            return False
        from voucher_gateway.execution.voucher_check import is_other_voucher

        return is_other_voucher(self.journal, self.provider(account), code, voucher_id)

    def vouchers(self, account: str, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List vouchers lazily."""
        return self._provider_for(account, Operation.VOUCHERS).vouchers(query)

    def history(self, account: str, id: str) -> History:
        """Return what happened to a voucher."""
        return self._provider_for(account, Operation.HISTORY).history(id)

    def presentation(self, account: str, code: str | Code, *, id: str | None = None) -> Presentation:
        """Return how the seller presents a voucher to its owner, for printing it.

        Args:
            account: the account's name.
            code: the voucher's code.
            id: the vendor's id of the voucher, where the caller knows it. It saves a look-up.
        """
        return self._provider_for(account, Operation.PRESENTATION).presentation(Code.of(code), id=id)


def _other_voucher(account: str, operation: Operation) -> IntegrityMismatch:
    return IntegrityMismatch(
        "the vendor named another voucher for this code than before", account=account, operation=operation.value
    )
