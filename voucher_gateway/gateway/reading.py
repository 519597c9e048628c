"""The gateway's verbs that only read."""

from __future__ import annotations

from voucher_gateway.adapter import Balance, Code, History, Listing, Operation, Pin, Presentation, Voucher, VoucherQuery
from voucher_gateway.gateway.accounts import Accounts
from voucher_gateway.gateway.lookup import Lookup, look_up


class Reading(Accounts):
    """Verbs that only read."""

    def find(self, code: str | Code, pin: str | Pin | None = None, *, broadcast: bool = False) -> Lookup:
        """Look for a code in all accounts whose `code_pattern` matches it, side by side.

        Args:
            code: the code.
            pin: the PIN, if there is one.
            broadcast: whether to show the code to the other accounts' vendors too.
        """
        return look_up(self.accounts, Code.of(code), Pin.of_given(pin), broadcast=broadcast)

    def get(self, account: str, id: str, *, secrets: bool = False) -> Voucher:
        """Return the voucher with this id."""
        return self._provider_for(account, Operation.GET).get(id, secrets=secrets)

    def balance(self, account: str, code: str | Code, pin: str | Pin | None = None) -> Balance:
        """Return what a voucher is worth now."""
        return self._provider_for(account, Operation.BALANCE).balance(Code.of(code), Pin.of_given(pin))

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
