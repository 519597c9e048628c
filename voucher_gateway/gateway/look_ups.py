"""The verbs of a gateway that read at the vendors."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.checks.check import CodeCheck, is_usable, judge_code
from voucher_gateway.errors import IntegrityMismatch
from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.base import GatewayBase
from voucher_gateway.gateway.find import FindResult, accounts_to_check, find_in_accounts
from voucher_gateway.limits.call_deadline import use_call_deadline
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.listing.listing import Listing
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.presentation import Presentation
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.results import (
    Balance,
    History,
)
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.telemetry.calls import observe_call


class LookUpVerbs(GatewayBase):
    """The verbs that read at the vendors."""

    def find(
        self,
        code: str | Code,
        pin: str | Pin | None = None,
        *,
        broadcast: bool = False,
        timeout: float | None = None,
    ) -> FindResult:
        """Look for a code, in parallel, in all accounts whose `code_pattern` matches it.

        Args:
            code: the voucher's code.
            pin: the PIN, if there is one.
            broadcast: whether to show the code to the vendors of the other accounts too.
            timeout: how long the call may take in all, in seconds; see `Gateway`.

        Returns:
            the vouchers, the accounts that answered, and the errors of the accounts that did not.

        Example:
            ```python
            result = gateway.find("JTL-SPRING-0042")
            print(result.state, result.voucher.account)  # found shop
            ```
        """
        code, pin = Code.of(code), Pin.of_given(pin)
        with use_call_deadline(timeout):
            return self._find(self.accounts, code, pin, broadcast=broadcast)

    def check(
        self,
        code: str | Code,
        pin: str | Pin | None = None,
        *,
        caller: str,
        account: str | None = None,
        timeout: float | None = None,
    ) -> CodeCheck:
        """Tell a customer about a code, behind the guess guard: for forms that everybody can use.

        Codes that cannot be used get one answer: unknown, expired, empty, not active, or with a wrong PIN. The limits
        of the table ``checks`` of the configuration hold for all processes and machines with this journal.

        Args:
            code: the code as it was typed.
            pin: the PIN, if there is one.
            caller: who tries it, such as the client's IP address. All addresses of an IPv6 network of 64 bits are one
                caller. The journal stores a keyed digest of it, and only for the length of a period.
            account: only this account. Needed if several accounts are configured and none has a `code_pattern`.
            timeout: how long the call may take in all, in seconds; see `Gateway`.

        Raises:
            TooManyChecks: if this caller, or all callers together, tried too many codes that cannot be used.
            ProviderUnavailable: if an account that may have the code could not be asked. Tell the customer to try
                again later.
            InvalidRequest: if two accounts have a usable voucher with this code, or `caller` cannot be one.
            ConfigurationError: without a journal, or no account can be chosen.

        Example:
            ```python
            answer = gateway.check("JTL-SPRING-0042", caller="203.0.113.7")
            print(answer.usable, answer.remaining)  # True 100.00 EUR
            ```
        """
        code, pin = Code.of(code), Pin.of_given(pin)
        accounts = accounts_to_check(self.accounts if account is None else (self.account(account),))
        with use_call_deadline(timeout), self._check_guard().attempt(caller) as attempt:
            result = self._find(accounts, code, pin, broadcast=accounts[0].code_pattern is None)
            usable = [
                voucher
                for voucher in result.vouchers
                if is_usable(voucher, self.provider(voucher.account).vendor_now())
            ]
            answer = judge_code(attempt, usable, result.asked, result.failed)
        if answer.account is None:
            return answer
        return attrs.evolve(answer, masked_code=str(self.account(answer.account).normalize(code)))

    def _find(self, accounts: Sequence[Account], code: Code, pin: Pin | None, *, broadcast: bool) -> FindResult:
        result = find_in_accounts(accounts, code, pin, broadcast=broadcast)
        mismatches = {
            voucher.account: _other_voucher_error(voucher.account, Operation.FIND)
            for voucher in result.vouchers
            if self._is_other_voucher(voucher.account, code, voucher.id)
        }
        return attrs.evolve(
            result,
            vouchers=tuple(voucher for voucher in result.vouchers if voucher.account not in mismatches),
            asked=tuple(name for name in result.asked if name not in mismatches),
            failed={**result.failed, **mismatches},
        )

    def get(self, account: str, id: str, *, secrets: bool = False, timeout: float | None = None) -> Voucher:
        """Return the voucher with an id.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            secrets: whether to read the code and the PIN, where the vendor shows them only in a request of their own.
            timeout: how long the call may take in all, in seconds; see `Gateway`.

        Raises:
            VoucherNotFound: if the vendor does not know it.

        Example:
            ```python
            voucher = gateway.find("JTL-SPRING-0042").voucher
            print(gateway.get("shop", voucher.id).remaining)  # 100.00 EUR
            ```
        """
        provider = self._provider_for(account, Operation.GET)
        with use_call_deadline(timeout), observe_call(account, Operation.GET):
            return provider.get(id, secrets=secrets)

    def balance(
        self, account: str, code: str | Code, pin: str | Pin | None = None, *, timeout: float | None = None
    ) -> Balance:
        """Return what a voucher is worth now.

        Args:
            account: the account's name.
            code: the voucher's code.
            pin: the PIN, if there is one.
            timeout: how long the call may take in all, in seconds; see `Gateway`.

        Raises:
            VoucherNotFound: if the vendor does not know it.
            IntegrityMismatch: if the vendor names another voucher for this code than before.

        Example:
            ```python
            print(gateway.balance("shop", "JTL-SPRING-0042").remaining)  # 100.00 EUR
            ```
        """
        code, pin = self.account(account).normalize(Code.of(code)), Pin.of_given(pin)
        provider = self._provider_for(account, Operation.BALANCE)
        with use_call_deadline(timeout), observe_call(account, Operation.BALANCE):
            balance = provider.balance(code, pin)
            if self._is_other_voucher(account, code, balance.voucher_id):
                raise _other_voucher_error(account, Operation.BALANCE)
        return balance

    def vouchers(self, account: str, query: VoucherQuery | None = None) -> Listing[Voucher]:
        """List vouchers lazily, page by page.

        Args:
            account: the account's name.
            query: which vouchers; None for all.

        Raises:
            InvalidRequest: if the vendor does not have a filter of the query.

        Example:
            ```python
            vouchers = list(gateway.vouchers("shop", VoucherQuery(status=Status.ACTIVE)))
            print(vouchers[0].remaining)  # 100.00 EUR
            ```
        """
        if query is not None and query.code is not None:
            query = attrs.evolve(query, code=self.account(account).normalize(query.code))
        provider = self._provider_for(account, Operation.VOUCHERS)
        with use_work_class(WorkClass.RECONCILE):  # the listing keeps it
            return provider.vouchers(query)

    def history(self, account: str, id: str, *, timeout: float | None = None) -> History:
        """Return what happened to a voucher, the oldest movement first as far as the vendor orders them.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            timeout: how long the call may take in all, in seconds; see `Gateway`.

        Example:
            ```python
            voucher = gateway.find("JTL-SPRING-0042").voucher
            print(len(gateway.history("shop", voucher.id)))  # 0
            ```
        """
        provider = self._provider_for(account, Operation.HISTORY)
        with use_call_deadline(timeout), observe_call(account, Operation.HISTORY):
            return provider.history(id)

    def presentation(
        self, account: str, code: str | Code, *, id: str | None = None, timeout: float | None = None
    ) -> Presentation:
        """Return how the seller presents a voucher to its owner, for printing it.

        Args:
            account: the account's name.
            code: the voucher's code.
            id: the vendor's id of the voucher, if the caller knows it. It saves a look-up.
            timeout: how long the call may take in all, in seconds; see `Gateway`.

        Example:
            ```python
            print(gateway.presentation("events", "EVENT-2F8C-6WJN").seller.currency)  # EUR
            ```
        """
        code = self.account(account).normalize(Code.of(code))
        provider = self._provider_for(account, Operation.PRESENTATION)
        with use_call_deadline(timeout), observe_call(account, Operation.PRESENTATION):
            return provider.presentation(code, id=id)


def _other_voucher_error(account: str, operation: Operation) -> IntegrityMismatch:
    return IntegrityMismatch(
        "the vendor named another voucher for this code than before", account=account, operation=operation.value
    )
