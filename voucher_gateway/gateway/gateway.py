"""The gateway: the verbs of every account, with the account's name first.

This file is longer than others because each public verb has its whole documentation here. The code of a verb is a few
lines: it makes a command of its arguments, and `_execute` gives that to the executor.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import attrs

from voucher_gateway.capabilities import Capabilities, Operation, OptionValue
from voucher_gateway.checks.check import CodeCheck, is_usable, judge_code
from voucher_gateway.commands import (
    ActivateVoucher,
    CaptureReservation,
    Command,
    DeactivateVoucher,
    DeleteVoucher,
    IfHeld,
    IssueVoucher,
    RedeemVoucher,
    ReleaseReservation,
    ReserveValue,
    TopUpVoucher,
    UpdateVoucher,
)
from voucher_gateway.config.check_limits import CheckLimits
from voucher_gateway.config.loader import Config, default_config_path, load_config
from voucher_gateway.emulation.by_other_operations import refund_by_top_up
from voucher_gateway.errors import ConfigurationError, IntegrityMismatch, InvalidRequest, Ticket
from voucher_gateway.execution.direct import DirectExecutor
from voucher_gateway.gateway.account import Account, check_command, require_capability, strategy_for
from voucher_gateway.gateway.find import FindResult, accounts_to_check, find_in_accounts
from voucher_gateway.gateway.partial import (
    redeem_whole,
    require_partial_approval,
    return_part,
    takes_what_is_left,
)
from voucher_gateway.gateway.refunds import (
    find_move,
    pending_move,
    refund_command,
    refund_command_after_move,
    refundable_amount,
)
from voucher_gateway.instants import require_aware
from voucher_gateway.listing.listing import Listing
from voucher_gateway.masking import Code, Pin, hide_arguments
from voucher_gateway.models.presentation import Presentation
from voucher_gateway.models.requests import NewVoucher, VoucherChanges, VoucherQuery, nfc
from voucher_gateway.models.results import (
    Balance,
    Deletion,
    History,
    Redemption,
    Refund,
    Release,
    Reservation,
    TopUp,
)
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money, positive
from voucher_gateway.outcome import Result
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.steps import Strategy
from voucher_gateway.telemetry.calls import observe_call

if TYPE_CHECKING:
    # A journal needs SQLAlchemy, which takes longer to import than everything else. What needs it is imported late.
    from voucher_gateway.checks.guard import CheckGuard
    from voucher_gateway.execution.executor import JournalExecutor
    from voucher_gateway.execution.lookup_hints import LookupHint
    from voucher_gateway.execution.recovery import Resolution
    from voucher_gateway.gateway.explanation.model import Explanation
    from voucher_gateway.journal.journal import Journal
    from voucher_gateway.journal.moves import VoucherMove
    from voucher_gateway.journal.records import OperationKey, OperationRecord, OperationState
    from voucher_gateway.payments.means import OtherMeans
    from voucher_gateway.payments.payment import Payment
    from voucher_gateway.payments.records import PaymentRecord
    from voucher_gateway.payments.states import PaymentState
    from voucher_gateway.sales.desk import SalesDesk
    from voucher_gateway.sales.records import SaleRecord, SaleState
    from voucher_gateway.sales.sale import Sale

R = TypeVar("R", bound=Result)

Options: TypeAlias = Mapping[str, OptionValue]
"""The options of a call, by name."""


class Gateway:
    """Every account of a shop behind one set of verbs. All threads of a process may share it.

        with Gateway.from_config("voucher-gateway.toml") as gateway:
            gateway.redeem("shop", code, Money("10.53", "EUR"), reference="1001-a", order="1001")

    Changing verbs take these arguments:

    - `reference`: an idempotency key, your own name for this one operation, of 1 to 200 characters. Make it and store
      it before the call.
    - `order`: the shop's order number.
    - `wait`: how long to wait, in seconds, if another worker runs the same call; then it raises `OperationInProgress`.
    - `options`: what only this vendor has, such as a location or a reason, by name; `Capabilities.options` lists them.
      They are part of the call: the same reference with other options is a `ReferenceConflict`. Never give a secret.

    A code is looked up in the form that the account's ``normalize_codes`` makes of it.

    With a journal, a call that succeeded is replayed when its reference comes again, and a call that may have run is
    never sent again. Without a journal nothing is remembered: a repeated call is sent again.

    An operation that the vendor lacks is emulated if that is safe, or if the account accepts the risk. Otherwise it
    raises `UnsupportedOperation` before anything is sent.

    Every verb can raise the errors of `voucher_gateway.errors`. A changing verb raises `OutcomeUnknown` if it may have
    run without our knowledge: keep its ticket and `resolve` it.

    Args:
        accounts: the accounts, or providers by account name.
        journal: the journal, or the URL of an SQLite journal; None for no journal.
        check_limits: how many codes may be tried by `check`; None for the defaults.
        other_means: the other means of payments that have it inside, where a call gives none.

    Raises:
        ConfigurationError: if two accounts have the same name, or a former name is still in use.
    """

    def __init__(
        self,
        accounts: Iterable[Account] | Mapping[str, VoucherProvider],
        *,
        journal: Journal | str | None = None,
        check_limits: CheckLimits | None = None,
        other_means: OtherMeans | None = None,
    ) -> None:
        if isinstance(accounts, Mapping):
            accounts = [Account(name=name, provider=provider) for name, provider in accounts.items()]
        accounts = list(accounts)
        self._accounts = {account.name: account for account in accounts}
        if len(self._accounts) < len(accounts):
            raise ConfigurationError("two accounts have the same name")
        for account in accounts:
            for former in account.former_names or ():
                if former in self._accounts:
                    raise ConfigurationError(
                        f"former_names of {account.name}: {former} is still the name of an account"
                    )
        self._journal_executor = None if journal is None else _open_executor(journal, accounts)
        self._executor = self._journal_executor or DirectExecutor()
        self._check_limits = check_limits or CheckLimits()
        self._other_means = other_means

    @classmethod
    @hide_arguments
    def from_config(
        cls, source: str | os.PathLike[str] | Mapping[str, Any] | Config, *, stage: str | None = None
    ) -> Self:
        """Make the gateway that a configuration describes.

        Args:
            source: the path of a TOML file, a dict with the same content, or a configuration that was read before.
            stage: the stage of the configuration; None for the one that ``VOUCHER_GATEWAY_STAGE`` names, if any.

        Raises:
            ConfigurationError: with everything that is wrong with it.
        """
        config = source if isinstance(source, Config) else load_config(source, stage=stage)
        accounts = [
            Account(
                name=account.name,
                provider=account.make_provider(),
                code_pattern=account.code_pattern,
                normalize_codes=account.normalize_codes,
                accept_risks=account.accept_risks,
                former_names=account.former_names,
            )
            for account in config.accounts.values()
        ]
        if config.journal is None:
            return cls(accounts, other_means=config.other_means)
        from voucher_gateway.journal.journal import open_journal

        journal = open_journal(config.journal, config.journal_keys)
        try:
            return cls(accounts, journal=journal, check_limits=config.checks, other_means=config.other_means)
        except BaseException:
            journal.close()
            raise

    @classmethod
    def from_env(cls) -> Self:
        """Make the gateway of the file that ``VOUCHER_GATEWAY_CONFIG`` names.

        Its stage is that of ``VOUCHER_GATEWAY_STAGE``. Without these variables, it is the file
        ``voucher-gateway.toml`` in the working directory, without a stage.

        Raises:
            ConfigurationError: with everything that is wrong with it.
        """
        return cls.from_config(default_config_path())

    def close(self) -> None:
        """Close all connections. A ``with`` block does the same at its end."""
        for account in self._accounts.values():
            account.provider.close()
        if self.journal is not None:
            self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- accounts ---

    @property
    def journal(self) -> Journal | None:
        """The journal; None if there is none."""
        return None if self._journal_executor is None else self._journal_executor.journal

    @property
    def accounts(self) -> tuple[Account, ...]:
        """All accounts, in the order of the configuration."""
        return tuple(self._accounts.values())

    @property
    def other_means(self) -> OtherMeans | None:
        """The other means of payments that have it inside, where a call gives none; None if there is none."""
        return self._other_means

    @property
    def check_limits(self) -> CheckLimits:
        """How many codes that cannot be used may be tried; see `check`."""
        return self._check_limits

    def account(self, name: str) -> Account:
        """Return an account.

        Args:
            name: the account's name.

        Raises:
            ConfigurationError: if there is no account with this name.

        Example:
            ```python
            print(gateway.account("shop").name)  # shop
            ```
        """
        if name in self._accounts:
            return self._accounts[name]
        for account in self._accounts.values():
            if name in (account.former_names or ()):
                raise ConfigurationError(f"the account {name} is called {account.name} now")
        known = ", ".join(self._accounts) or "none"
        raise ConfigurationError(f"there is no account {name!r:.80}; there are: {known}")

    def provider(self, account: str) -> VoucherProvider:
        """Return the provider of an account, for calls without a journal and without emulations.

        Args:
            account: the account's name.
        """
        return self.account(account).provider

    def capabilities(self, account: str) -> Capabilities:
        """Return what an account can do: natively, by a safe emulation, or by an emulation that it accepts.

        Args:
            account: the account's name.

        Example:
            ```python
            print(gateway.capabilities("shop").amounts.minimum)  # 0...
            ```
        """
        return self.account(account).capabilities

    # --- reading ---

    def find(self, code: str | Code, pin: str | Pin | None = None, *, broadcast: bool = False) -> FindResult:
        """Look for a code, in parallel, in all accounts whose `code_pattern` matches it.

        Args:
            code: the voucher's code.
            pin: the PIN, if there is one.
            broadcast: whether to show the code to the vendors of the other accounts too.

        Returns:
            the vouchers, the accounts that answered, and the errors of the accounts that did not.

        Example:
            ```python
            result = gateway.find("JTL-SPRING-0042")
            print(result.state, result.voucher.account)  # found shop
            ```
        """
        return self._find(self.accounts, Code.of(code), Pin.of_given(pin), broadcast=broadcast)

    def check(
        self, code: str | Code, pin: str | Pin | None = None, *, caller: str, account: str | None = None
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

        Raises:
            TooManyChecks: if this caller, or all callers together, tried too many codes that cannot be used.
            ProviderUnavailable: if an account that may have the code could not be asked. Tell the customer to try
                again later.
            InvalidRequest: if two accounts have a usable voucher with this code, or `caller` cannot be one.
            ConfigurationError: if there is no journal, or no account can be chosen.

        Example:
            ```python
            answer = gateway.check("JTL-SPRING-0042", caller="203.0.113.7")
            print(answer.usable, answer.remaining)  # True 100.00 EUR
            ```
        """
        code, pin = Code.of(code), Pin.of_given(pin)
        accounts = accounts_to_check(self.accounts if account is None else (self.account(account),))
        with self._check_guard().attempt(caller) as attempt:
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

    def get(self, account: str, id: str, *, secrets: bool = False) -> Voucher:
        """Return the voucher with an id.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            secrets: whether to read the code and the PIN, where the vendor shows them only in a request of their own.

        Raises:
            VoucherNotFound: if the vendor does not know it.

        Example:
            ```python
            voucher = gateway.find("JTL-SPRING-0042").voucher
            print(gateway.get("shop", voucher.id).remaining)  # 100.00 EUR
            ```
        """
        provider = self._provider_for(account, Operation.GET)
        with observe_call(account, Operation.GET):
            return provider.get(id, secrets=secrets)

    def balance(self, account: str, code: str | Code, pin: str | Pin | None = None) -> Balance:
        """Return what a voucher is worth now.

        Args:
            account: the account's name.
            code: the voucher's code.
            pin: the PIN, if there is one.

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
        with observe_call(account, Operation.BALANCE):
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
        return self._provider_for(account, Operation.VOUCHERS).vouchers(query)

    def history(self, account: str, id: str) -> History:
        """Return what happened to a voucher, the oldest movement first as far as the vendor orders them.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.

        Example:
            ```python
            voucher = gateway.find("JTL-SPRING-0042").voucher
            print(len(gateway.history("shop", voucher.id)))  # 0
            ```
        """
        provider = self._provider_for(account, Operation.HISTORY)
        with observe_call(account, Operation.HISTORY):
            return provider.history(id)

    def presentation(self, account: str, code: str | Code, *, id: str | None = None) -> Presentation:
        """Return how the seller presents a voucher to its owner, for printing it.

        Args:
            account: the account's name.
            code: the voucher's code.
            id: the vendor's id of the voucher, if the caller knows it. It saves a look-up.

        Example:
            ```python
            print(gateway.presentation("events", "EVENT-2F8C-6WJN").seller.currency)  # EUR
            ```
        """
        code = self.account(account).normalize(Code.of(code))
        provider = self._provider_for(account, Operation.PRESENTATION)
        with observe_call(account, Operation.PRESENTATION):
            return provider.presentation(code, id=id)

    # --- vouchers ---

    def issue(
        self,
        account: str,
        new: NewVoucher,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        options: Options | None = None,
    ) -> Voucher:
        """Issue a new voucher (vendors: create).

        Args:
            account: the account's name.
            new: the voucher. What is None is left to the vendor.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            options: what only this vendor has, by name.

        Raises:
            DuplicateCode: if its code or id is already in use.
            InvalidRequest: if the vendor cannot store a field of it.

        Example:
            ```python
            voucher = gateway.issue("shop", NewVoucher(initial=Money(50, "EUR")), reference="2001-card-1", order="2001")
            print(voucher.initial)  # 50.00 EUR
            ```
        """
        return self._execute(
            IssueVoucher(account=account, reference=reference, order=order, wait_s=wait, options=options, new=new)
        )

    def activate(
        self,
        account: str,
        id: str,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        options: Options | None = None,
    ) -> Voucher:
        """Make a voucher spendable.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            options: what only this vendor has, by name.

        Example:
            ```python
            card = gateway.issue("shop", NewVoucher(initial=Money(50, "EUR"), active=False), reference="2001-card-1")
            voucher = gateway.activate("shop", card.id, reference="2001-activate-1")
            print(voucher.status)  # active
            ```
        """
        return self._execute(
            ActivateVoucher(
                account=account, reference=reference, order=order, wait_s=wait, options=options, voucher_id=id
            )
        )

    def deactivate(
        self,
        account: str,
        id: str,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        options: Options | None = None,
    ) -> Voucher:
        """Stop a voucher from being spent.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            options: what only this vendor has, by name.

        Example:
            ```python
            card = gateway.find("JTL-SPRING-0042").voucher
            print(gateway.deactivate("shop", card.id, reference="lost-card-17").status)  # inactive
            ```
        """
        return self._execute(
            DeactivateVoucher(
                account=account, reference=reference, order=order, wait_s=wait, options=options, voucher_id=id
            )
        )

    def update(
        self,
        account: str,
        id: str,
        changes: VoucherChanges,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        options: Options | None = None,
    ) -> Voucher:
        """Change a voucher's data, never its value.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            changes: the fields to change.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            options: what only this vendor has, by name.

        Example:
            ```python
            card = gateway.find("JTL-SPRING-0042").voucher
            changed = gateway.update("shop", card.id, VoucherChanges(batch="Goodwill"), reference="batch-17")
            print(changed.batch)  # Goodwill
            ```
        """
        return self._execute(
            UpdateVoucher(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                voucher_id=id,
                changes=changes,
            )
        )

    def top_up(
        self,
        account: str,
        id: str,
        money: Money,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        options: Options | None = None,
    ) -> TopUp:
        """Add value to a voucher (JTL: recharge).

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            money: how much; above zero.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            options: what only this vendor has, by name.

        Example:
            ```python
            card = gateway.find("JTL-SPRING-0042").voucher
            top_up = gateway.top_up("shop", card.id, Money(25, "EUR"), reference="2002-top-up")
            print(top_up.money)  # 25.00 EUR
            ```
        """
        return self._execute(
            TopUpVoucher(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                voucher_id=id,
                money=money,
            )
        )

    def delete(
        self,
        account: str,
        id: str,
        reason: str,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        options: Options | None = None,
    ) -> Deletion:
        """Remove a voucher for good.

        Args:
            account: the account's name.
            id: the vendor's id of the voucher.
            reason: the reason, which the vendor may store.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            options: what only this vendor has, by name.

        Example:
            ```python
            card = gateway.issue("shop", NewVoucher(initial=Money(50, "EUR")), reference="2001-card-1")
            gateway.delete("shop", card.id, "sold by mistake", reference="2001-undo")
            ```
        """
        return self._execute(
            DeleteVoucher(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                voucher_id=id,
                reason=reason,
            )
        )

    # --- payments ---

    def reserve(
        self,
        account: str,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        options: Options | None = None,
        if_held: IfHeld = "replace-own",
    ) -> Reservation:
        """Set value aside, to be captured or released.

        Args:
            account: the account's name.
            code: the voucher's code.
            money: how much; above zero.
            pin: the PIN, if there is one.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            options: what only this vendor has, by name.
            if_held: what to do about our other reservations that this one would end at the vendor: ``refuse``,
                ``replace-own`` (replace those of the same order) or ``replace``. Needs a journal.

        Raises:
            InsufficientValue: if the voucher holds less.
            VoucherHeld: if a reservation that may not be replaced stands on the voucher.

        Example:
            ```python
            due = Money(10, "EUR")
            reservation = gateway.reserve("shop", "JTL-SPRING-0042", due, reference="1001-hold", order="1001")
            print(reservation.money)  # 10.00 EUR
            ```
        """
        code, pin = self.account(account).normalize(Code.of(code)), Pin.of_given(pin)
        return self._execute(
            ReserveValue(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                code=code,
                money=money,
                pin=pin,
                if_held=if_held,
            )
        )

    def capture(
        self,
        account: str,
        reservation: Reservation,
        money: Money | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        options: Options | None = None,
    ) -> Redemption:
        """Take the value that was set aside.

        Args:
            account: the account's name.
            reservation: the result of `reserve`, or one from `reservation`.
            money: how much, above zero; None for all of it. Not every vendor can take a part.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            options: what only this vendor has, by name.

        Raises:
            ReservationExpired, ReservationSuperseded, ReservationReleased: if the reservation has ended.
            AlreadyCaptured: if it was captured before, under another reference.

        Example:
            ```python
            reservation = gateway.reserve("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-hold")
            redemption = gateway.capture("shop", reservation, reference="1001-take")
            print(redemption.money)  # 10.00 EUR
            ```
        """
        money = None if money is None else positive(money, field="money")
        return self._execute(
            CaptureReservation(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                reservation=reservation,
                money=money,
            )
        )

    def release(
        self,
        account: str,
        reservation: Reservation,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        options: Options | None = None,
    ) -> Release:
        """Give a reservation up. If the vendor has no request for that, the result says when the value is free.

        Args:
            account: the account's name.
            reservation: the result of `reserve`, or one from `reservation`.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            options: what only this vendor has, by name.

        Example:
            ```python
            reservation = gateway.reserve("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-hold")
            gateway.release("shop", reservation, reference="1001-cancel")
            ```
        """
        return self._execute(
            ReleaseReservation(
                account=account,
                reference=reference,
                order=order,
                wait_s=wait,
                options=options,
                reservation=reservation,
            )
        )

    def redeem(
        self,
        account: str,
        code: str | Code,
        money: Money,
        pin: str | Pin | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        options: Options | None = None,
        if_held: IfHeld = "replace-own",
        partial: bool = False,
    ) -> Redemption:
        """Take value in one step.

        Some vendors take what is left where that is less than the amount (`Capabilities.partial_approval`). There, the
        balance is read first, and nothing is sent if it is too small. If less was taken nevertheless, it is given back
        by a refund, under a reference made of this one. A repeat of the call goes on with that.

        Args:
            account: the account's name.
            code: the voucher's code.
            money: how much; above zero.
            pin: the PIN, if there is one.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            options: what only this vendor has, by name.
            if_held: as in `reserve`.
            partial: whether to accept less than the amount, where the vendor takes what is left. The result has the
                amount that was taken. It counts to what a reference stands for.

        Raises:
            InsufficientValue: if the voucher holds less. Nothing moved, or what moved was given back.
            PartlyRedeemed: if less was taken, and could not be given back.
            UnsupportedOperation: if `partial` is True and the vendor takes the whole amount or nothing.
            VoucherHeld: if a reservation that may not be replaced stands on the voucher.

        Example:
            ```python
            due = Money("10.53", "EUR")
            redemption = gateway.redeem("shop", "JTL-SPRING-0042", due, reference="1001-card-1", order="1001")
            print(redemption.money, redemption.replayed)  # 10.53 EUR False
            ```
        """
        code, pin = self.account(account).normalize(Code.of(code)), Pin.of_given(pin)
        if partial:
            require_partial_approval(self.account(account))
        command = RedeemVoucher(
            account=account,
            reference=reference,
            order=order,
            wait_s=wait,
            options=options,
            code=code,
            money=money,
            pin=pin,
            if_held=if_held,
            partial=partial,
        )
        redemption = self._execute(command)
        is_enough = redemption.money >= command.money or (partial and redemption.money.amount > 0)
        if is_enough or not takes_what_is_left(self.account(account)):
            return redemption
        give_back = functools.partial(self._give_back, redemption, order=command.order, wait=wait)
        raise return_part(redemption, command, give_back)

    def refund(
        self,
        account: str,
        redemption: Redemption,
        money: Money | None = None,
        *,
        reference: str,
        order: str | None = None,
        wait: float = 0.0,
        options: Options | None = None,
    ) -> Refund:
        """Give a redemption back.

        With a journal, all refunds of a redemption together, including those whose outcome is unknown, give back at
        most what it took. Without a journal nothing is summed.

        If the voucher was moved to another account since, the value is added to it there (refund-by-top-up), and the
        result names that account; see `find_moved`.

        Args:
            account: the name of the account that redeemed.
            redemption: the result of `redeem` or `capture`, or one from `redemption`.
            money: how much, above zero; None for what is left to give back.
            reference: the idempotency key of this call.
            order: the shop's order number.
            wait: how long to wait for another worker on the same call, in seconds.
            options: what only this vendor has, by name.

        Raises:
            AlreadyRefunded: if less is left to give back; `refundable` returns how much.
            OperationInProgress: if an earlier refund with an unknown outcome decides whether that much is left.

        Example:
            ```python
            redemption = gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            refund = gateway.refund("shop", redemption, Money(4, "EUR"), reference="1001-return-1")
            print(refund.money)  # 4.00 EUR
            ```
        """
        reference = nfc(reference)
        money = None if money is None else positive(money, field="money")
        move = None if self.journal is None else pending_move(self.journal, account, redemption, reference)
        if self.journal is None or move is None:
            return self._execute(
                refund_command(
                    self.journal,
                    self._accounts,
                    account,
                    redemption,
                    money,
                    reference=reference,
                    order=order,
                    wait=wait,
                    options=options,
                )
            )
        if options:
            raise InvalidRequest(
                f"the voucher was moved to the account {move.to_account}, which does not have the options of this call",
                field="options",
                rule="none for a voucher that was moved",
                account=account,
                operation="refund",
            )
        command = refund_command_after_move(
            self.journal,
            self._accounts,
            move,
            account,
            redemption,
            money,
            reference=reference,
            order=order,
            wait=wait,
        )
        refund = self._run(command, self.provider(command.account), refund_by_top_up)
        return attrs.evolve(refund, reference=reference)

    def refundable(self, redemption: Redemption) -> Money:
        """Return how much of a redemption is left to give back, as far as the journal knows.

        A refund whose outcome is unknown counts as given back. So does a refund at another account, where the voucher
        was moved.

        Args:
            redemption: the result of `redeem` or `capture`, or one from `redemption`.

        Raises:
            ConfigurationError: if there is no journal.

        Example:
            ```python
            redemption = gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            print(gateway.refundable(redemption))  # 10.00 EUR
            ```
        """
        return refundable_amount(self.journal, self._accounts, redemption)

    def find_moved(self, account: str, voucher_id: str) -> VoucherMove | None:
        """Return where a migration moved a voucher of an account, or that it is being moved now.

        Args:
            account: the account where it was.
            voucher_id: its id there.

        Returns:
            where it is now, after its last move; None if it was never moved, or if there is no journal.
        """
        return None if self.journal is None else find_move(self.journal, account, voucher_id)

    # --- the payments of orders ---

    def payment(
        self,
        order: str,
        *,
        total: Money,
        allocation: str = "soonest-expiry-first",
        other: OtherMeans | None = None,
        renew: bool = False,
        wait: float = 0.0,
    ) -> Payment:
        """Return the payment of an order by vouchers and other means, and open it if there is none. Needs a journal.

        If the order has a payment of another total of which nothing is taken, that one is cancelled, and the next one
        is opened, without vouchers.

        Args:
            order: the shop's order number.
            total: what the order costs.
            allocation: in which order the vouchers pay: ``soonest-expiry-first``, ``as-entered``, ``fewest-vouchers``
                or ``largest-first``. It counts when the payment is opened.
            other: the other means, such as a card, if it shall be inside the payment. It is given again whenever the
                payment is used, unless the configuration names it (``other_means``).
            renew: whether to open another payment if the one there is was cancelled.
            wait: how long each method of the payment waits for another worker on it, in seconds.

        Raises:
            PaymentConflict: if there is a payment of another total that is captured, or is being captured or cancelled.
            ConfigurationError: if there is no journal, or the package `cryptography` is not installed.

        Example:
            ```python
            payment = gateway.payment("1001", total=Money("89.90", "EUR"))
            payment.add("JTL-SPRING-0042", limit=Money("40.00", "EUR"))
            print(payment.due)  # 49.90 EUR
            payment.authorize()
            payment.capture()  # now the shop captures its card for payment.due
            print(payment.state)  # captured
            ```
        """
        from voucher_gateway.payments.orders import open_payment

        return open_payment(self, order, total, allocation=allocation, other=other, renew=renew, wait=wait)

    def find_payment(
        self, order: str, *, attempt: int | None = None, other: OtherMeans | None = None, wait: float = 0.0
    ) -> Payment | None:
        """Return the payment of an order; None if it has none.

        Args:
            order: the shop's order number.
            attempt: which of the payments of the order, from 1; None for the latest.
            other: the other means, if it is inside the payment; None for that of the configuration.
            wait: how long each method of the payment waits for another worker on it, in seconds.

        Raises:
            ConfigurationError: if there is no journal.

        Example:
            ```python
            gateway.payment("1001", total=Money("89.90", "EUR"))
            payment = gateway.find_payment("1001")  # later, in another process
            print(payment.state)  # open
            ```
        """
        from voucher_gateway.payments.orders import find_payment

        return find_payment(self, order, attempt=attempt, other=other, wait=wait)

    def payments(
        self,
        *,
        states: Iterable[PaymentState] = (),
        order: str | None = None,
        needs_attention: bool | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[PaymentRecord]:
        """Iterate over the payments of all orders, the newest first.

        Args:
            states: only payments in these states; all if there is none.
            order: only payments of this order.
            needs_attention: True for payments that wait for a person or a look-up, False for the others.
            since: only payments that were opened at this moment or later.
            limit: at most this many.

        Raises:
            ConfigurationError: if there is no journal.

        Example:
            ```python
            gateway.payment("1001", total=Money("89.90", "EUR"))
            print([payment.order for payment in gateway.payments(states=[PaymentState.OPEN])])  # ['1001']
            ```
        """
        from voucher_gateway.payments.orders import open_store

        since = None if since is None else require_aware(since, "since")
        return open_store(self).iterate(
            states=states, order=order, needs_attention=needs_attention, since=since, limit=limit
        )

    # --- sales ---

    def sale(self, name: str, account: str, new: NewVoucher, *, order: str | None = None, wait: float = 0.0) -> Sale:
        """Open the sale of a voucher, or return the one that has this name. Nothing is sent.

        The code is derived from the journal's key and the sale, as far as the vendor lets us choose it.

        Args:
            name: your own name for this one voucher, such as the order's number and the position. It is unique among
                all sales.
            account: the name of the account that issues the voucher.
            new: the voucher, without `active`.
            order: the shop's order number; the order of `new` or the name by default.
            wait: how long the methods of the sale wait for another worker on it, in seconds.

        Raises:
            ReferenceConflict: if the sale of this name is of another account, voucher or order.
            ConfigurationError: if there is no journal; or if the voucher has a code or a PIN of your choice, and the
                package for encryption is not installed.

        Example:
            ```python
            sale = gateway.sale("1002-1", "shop", NewVoucher(initial=Money(50, "EUR")))
            sale.prepare()  # issued, and inactive
            sale.fulfil()  # after the payment
            print(sale.state, sale.code)  # fulfilled ••••...
            sale.delivered()  # once the buyer has the code
            ```
        """
        return self._sales_desk().open(name, account, new, order=order, wait=wait)

    def sell_many(
        self,
        batch: str,
        account: str,
        new: NewVoucher,
        count: int,
        *,
        order: str | None = None,
        fulfil: bool = False,
        workers: int = 4,
        wait: float = 0.0,
    ) -> Iterator[Sale]:
        """Make equal vouchers under the name of a batch, such as for a printer, and yield their sales.

        The sales are called ``BATCH/000001`` and so on. If the same call comes again after it was broken off, it goes
        on: the codes are the same, and no voucher is made twice. A failure is raised for the first sale that meets it.

        Args:
            batch: the name of the batch.
            account: the name of the account that issues the vouchers.
            new: the voucher, without a code, a PIN and an id of your own.
            count: how many. It is part of what the name of the batch stands for.
            order: the shop's order number; the name of the batch by default.
            fulfil: whether to make them spendable at once. Otherwise they are prepared.
            workers: how many are made at a time.
            wait: how long to wait for another worker on one of the sales, in seconds.

        Raises:
            ReferenceConflict: if the batch of this name is of another account, voucher, number or order.
            UnsupportedOperation: if the vendor has no inactive vouchers, and they are not to be fulfilled.

        Example:
            ```python
            sales = list(gateway.sell_many("spring-2030", "shop", NewVoucher(initial=Money(50, "EUR")), 3))
            print(sales[0].name, sales[0].code)  # spring-2030/000001 ••••...
            ```
        """
        from voucher_gateway.sales.bulk import sell_batch

        return sell_batch(
            self._sales_desk(),
            batch,
            account,
            new,
            count,
            order=order,
            fulfil=fulfil,
            workers=workers,
            wait=wait,
        )

    def find_sale(self, name: str, *, wait: float = 0.0) -> Sale | None:
        """Return the sale of a name; None if it does not exist.

        Args:
            name: the name of the sale.
            wait: how long the methods of the sale wait for another worker on it, in seconds.

        Example:
            ```python
            gateway.sale("1002-1", "shop", NewVoucher(initial=Money(50, "EUR"))).fulfil()
            print(gateway.find_sale("1002-1").state)  # fulfilled
            ```
        """
        return self._sales_desk().find(name, wait=wait)

    def sales(
        self,
        *,
        states: Iterable[SaleState] = (),
        account: str | None = None,
        batch: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[SaleRecord]:
        """Yield the sales, the newest first.

        Args:
            states: only sales in these states; all if there is none.
            account: only sales of this account.
            batch: only sales of this print batch.
            since: only sales that were opened at this moment or later.
            limit: at most this many.

        Example:
            ```python
            gateway.sale("1002-1", "shop", NewVoucher(initial=Money(50, "EUR"))).fulfil()
            for record in gateway.sales(states=[SaleState.FULFILLED]):
                print(record.name, record.initial)  # 1002-1 50.00 EUR
            ```
        """
        return self._sales_desk().iterate(states=states, account=account, batch=batch, since=since, limit=limit)

    # --- operations of the journal ---

    def operation(self, account: str, verb: Operation | str, reference: str) -> OperationRecord | None:
        """Return what the journal records of an operation; None if it never sent anything.

        Args:
            account: the account's name.
            verb: the operation, e.g. ``redeem``.
            reference: the reference of the call.

        Raises:
            ConfigurationError: if there is no journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            print(gateway.operation("shop", "redeem", "1001-card-1").state)  # succeeded
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.journal.records import OperationKey

        return journal.find(OperationKey(account, Operation(verb), reference))

    def operations(
        self,
        *,
        states: Iterable[OperationState | str] = (),
        account: str | None = None,
        verb: Operation | str | None = None,
        reference: str | None = None,
        order: str | None = None,
        voucher: str | None = None,
        code: str | Code | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[OperationRecord]:
        """Iterate over the journal's operations, the newest first. Memory holds a hundred at a time.

        An operation may go on while you iterate: its record is of the moment when it was read.

        Args:
            states: only operations in these states; all if there is none.
            account: only operations of this account.
            verb: only operations of this verb, e.g. ``redeem``.
            reference: only operations under this reference.
            order: only operations of this order of the shop.
            voucher: only operations on the voucher with this id, at any account.
            code: only operations that named this code, and all others on the same voucher.
            since: only operations that were recorded at this moment or later.
            until: only operations that were recorded before this moment.
            limit: at most this many.

        Raises:
            ConfigurationError: if there is no journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1", order="1001")
            for record in gateway.operations(order="1001"):
                print(record.key.verb, record.key.reference, record.state)  # redeem 1001-card-1 succeeded
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.gateway.operations import search_operations

        return search_operations(
            journal,
            self.accounts,
            states=states,
            account=account,
            verb=verb,
            reference=reference,
            order=order,
            voucher=voucher,
            code=Code.of_given(code),
            since=since,
            until=until,
            limit=limit,
        )

    def explain(
        self,
        code: str | Code | None = None,
        pin: str | Pin | None = None,
        *,
        order: str | None = None,
        broadcast: bool = False,
    ) -> Explanation:
        """Return why a voucher cannot be spent, or what became of an order, in one sentence and as a story.

        For a code, the vendors are asked as in `find`, and for the history of the voucher. For an order, only the
        journal is read. Nothing is changed.

        Args:
            code: the voucher's code; or give `order`.
            pin: the PIN, if there is one.
            order: the shop's order number.
            broadcast: whether to show the code to the vendors of the accounts whose pattern does not match, too.

        Raises:
            InvalidRequest: unless either a code or an order is given.
            ConfigurationError: if an order is given, and there is no journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(100, "EUR"), reference="1001-card-1", order="1001")
            print(gateway.explain("JTL-SPRING-0042").sentence)  # Used up on ... by order 1001.
            print(gateway.explain(order="1001").sentence)  # Order 1001 took 100.00 EUR.
            ```
        """
        if (code is None) == (order is None):
            raise InvalidRequest("give either a code or an order", field="code", rule="one of code and order")
        if order is not None:
            journal = self._require_journal().journal
            from voucher_gateway.gateway.explanation.order import explain_order

            return explain_order(journal, self._accounts, order)
        assert code is not None
        code = Code.of(code)
        result = self.find(code, pin, broadcast=broadcast)
        from voucher_gateway.gateway.explanation.voucher import explain_code

        return explain_code(self.journal, self._accounts, code, result)

    def reservation(self, account: str, reference: str) -> Reservation:
        """Return the reservation that was made under a reference.

        Args:
            account: the account's name.
            reference: the reference of the `reserve`.

        Raises:
            InvalidRequest: if the journal has no such reservation.
            ConfigurationError: if there is no journal.

        Example:
            ```python
            gateway.reserve("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-hold")
            reservation = gateway.reservation("shop", "1001-hold")  # later, in another process
            print(gateway.capture("shop", reservation, reference="1001-take").money)  # 10.00 EUR
            ```
        """
        return self._find_result(Reservation, account, reference, Operation.RESERVE)

    def redemption(self, account: str, reference: str) -> Redemption:
        """Return the redemption that a `capture` or a `redeem` made under a reference.

        Args:
            account: the account's name.
            reference: the reference of the `redeem` or `capture`.

        Raises:
            InvalidRequest: if the journal has no such redemption, or one of each verb.
            ConfigurationError: if there is no journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            redemption = gateway.redemption("shop", "1001-card-1")  # later, in another process
            print(gateway.refund("shop", redemption, reference="1001-return-1").money)  # 10.00 EUR
            ```
        """
        return self._find_result(Redemption, account, reference, Operation.CAPTURE, Operation.REDEEM)

    def resolve(self, doubt: Ticket | str | OperationKey) -> Resolution:
        """Find out what became of a call. It only reads at the vendor.

        Args:
            doubt: the ticket of an `OutcomeUnknown`, as object or JSON, or an operation's key.

        Raises:
            OperationInProgress: if a worker still runs the call.
            ConfigurationError: if the account leads to another host or login than the call ran at.
            InvalidRequest: if there is no such operation.

        Example:
            ```python
            try:
                gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            except OutcomeUnknown as error:
                resolution = gateway.resolve(error.ticket)
                print(resolution.state)
            ```
        """
        from voucher_gateway.execution.recovery import resolve_operation, resolve_ticket

        subject = Ticket.from_json(doubt) if isinstance(doubt, str) else doubt
        if self._journal_executor is not None:
            return resolve_operation(self._journal_executor, self.provider, subject)
        if not isinstance(subject, Ticket):
            raise ConfigurationError("without a journal only a ticket can be resolved")
        return resolve_ticket(self.provider(subject.account), subject)

    def recover(
        self, *, account: str | None = None, everything: bool = False, other: OtherMeans | None = None
    ) -> list[Resolution]:
        """Ask the vendors about every operation that is unknown or that a crashed worker left open.

        An operation that stays unknown is looked up at longer and longer intervals. Then complete what was decided
        about payments and sales, and what a worker left open: captures, cancellations and refunds of payments, sales to
        be fulfilled or revoked. It makes no decision. `payments` and `sales` show what still waits.

        Several machines may run this at the same time, for example from cron. It moves money only where that was
        decided.

        Args:
            account: only operations and sales of this account, and no payments.
            everything: whether to look up operations that are not due yet, too.
            other: the other means of payments that have it inside; None for that of the configuration. Without any,
                their vouchers are completed, and the rest waits.

        Raises:
            ConfigurationError: if there is no journal.

        Example:
            ```python
            for resolution in gateway.recover():
                print(resolution.state)
            ```
        """
        executor = self._require_journal()
        from voucher_gateway.execution.recovery import recover
        from voucher_gateway.payments.orders import recover_if_used
        from voucher_gateway.sales.desk import complete_sales

        resolutions = recover(executor, self.provider, account=account, everything=everything)
        if account is None:
            recover_if_used(self, other)
        complete_sales(self, account=account)
        return resolutions

    def decide(
        self, key: OperationKey, *, succeeded: bool, by: str, reason: str, voucher_id: str | None = None
    ) -> Resolution:
        """Record what a person found out about an operation that no reading can decide.

        The vendor is asked once more first. A second decision corrects the first one; the journal keeps both.

        Args:
            key: the operation.
            succeeded: whether it happened.
            by: the person's name.
            reason: how that person knows.
            voucher_id: the voucher that an issue made, at the vendor. It is read, and compared with the operation.

        Raises:
            InvalidRequest: if the outcome of the operation is known, if a name, reason or id is missing, or if the
                vendor shows something else.
            ConfigurationError: if there is no journal.
        """
        executor = self._require_journal()
        from voucher_gateway.execution.decisions import Decision, decide

        decision = Decision(succeeded=succeeded, by=by, reason=reason, voucher_id=voucher_id)
        return decide(executor, self.provider, key, decision)

    def lookup_hints(self, key: OperationKey, *, ask_vendor: bool = False) -> list[LookupHint]:
        """Return what a person looks for in the vendor's screens before `decide`, for each request of an operation.

        Args:
            key: the operation.
            ask_vendor: whether to read at the vendor what was left on the voucher before, where the journal does not
                know it.

        Raises:
            InvalidRequest: if the journal has no such operation.
            ConfigurationError: if there is no journal.

        Example:
            ```python
            gateway.redeem("shop", "JTL-SPRING-0042", Money(10, "EUR"), reference="1001-card-1")
            key = OperationKey("shop", Operation.REDEEM, "1001-card-1")
            print(gateway.lookup_hints(key))  # []
            ```
        """
        journal = self._require_journal().journal
        from voucher_gateway.execution.lookup_hints import find_hints

        record = journal.find(key)
        if record is None:
            raise InvalidRequest("the journal has no such operation", field="key", rule="an operation that was sent")
        return find_hints(journal, record, self.provider(key.account) if ask_vendor else None)

    # --- helpers ---

    def _sales_desk(self) -> SalesDesk:
        from voucher_gateway.sales.desk import open_desk

        return open_desk(self)

    def _give_back(self, redemption: Redemption, reference: str, *, order: str | None, wait: float) -> Refund:
        return self.refund(redemption.account, redemption, reference=reference, order=order, wait=wait)

    def _execute(self, command: Command[R]) -> R:
        account = self.account(command.account)
        strategy = strategy_for(account, command.operation)
        if isinstance(command, RedeemVoucher) and not command.partial and takes_what_is_left(account):
            strategy = redeem_whole
        check_command(account, command)
        return self._run(command, account.provider, strategy)

    def _run(self, command: Command[R], provider: VoucherProvider, strategy: Strategy) -> R:
        with observe_call(
            command.account, command.operation, reference=command.reference, order=command.order, code=command.code
        ) as call:
            result = self._executor.execute(command, provider, strategy)
            call.replayed = getattr(result, "replayed", False)
        return result

    def _provider_for(self, account: str, operation: Operation) -> VoucherProvider:
        configured = self.account(account)
        require_capability(configured, operation)
        return configured.provider

    def _check_guard(self) -> CheckGuard:
        from voucher_gateway.checks.guard import CheckGuard

        return CheckGuard(self._require_journal().journal, self._check_limits)

    def _require_journal(self) -> JournalExecutor:
        if self._journal_executor is None:
            raise ConfigurationError("there is no journal: name one in the configuration")
        return self._journal_executor

    def _is_other_voucher(self, account: str, code: Code, voucher_id: str) -> bool:
        if self.journal is None:
            return False
        from voucher_gateway.execution.resolution import is_other_voucher

        configured = self.account(account)
        return is_other_voucher(self.journal, configured.provider, configured.normalize(code), voucher_id)

    def _find_result(self, kind: type[R], account: str, reference: str, *verbs: Operation) -> R:
        records = [self.operation(account, verb, reference) for verb in verbs]
        results = [record.replay() for record in records if record is not None and record.result is not None]
        matches = [result for result in results if isinstance(result, kind)]
        if len(matches) == 1:
            return matches[0]
        words = " and a ".join(verb.value for verb in verbs) if matches else " or ".join(verb.value for verb in verbs)
        raise InvalidRequest(
            f"the journal has {'a' if matches else 'no'} {words} under the reference {reference!r:.200}",
            field="reference",
            rule="of exactly one operation that succeeded",
        )


def _open_executor(journal: Journal | str, accounts: Iterable[Account]) -> JournalExecutor:
    from voucher_gateway.execution.executor import JournalExecutor
    from voucher_gateway.journal.journal import open_journal
    from voucher_gateway.journal.names import NamedAccount

    if isinstance(journal, str):
        journal = open_journal(journal)
    journal.names.configure(
        {account.name: NamedAccount(account.provider, account.former_names) for account in accounts}
    )
    return JournalExecutor(journal)


def _other_voucher_error(account: str, operation: Operation) -> IntegrityMismatch:
    return IntegrityMismatch(
        "the vendor named another voucher for this code than before", account=account, operation=operation.value
    )
