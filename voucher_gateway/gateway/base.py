"""The accounts, the journal and the executor of a gateway, on which its verbs are built."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, cast

import attrs

from voucher_gateway.capabilities import Capabilities, Operation, OptionValue
from voucher_gateway.commands.command import Command
from voucher_gateway.commands.steps import Strategy
from voucher_gateway.commands.value import RedeemVoucher
from voucher_gateway.config.account_source import AccountSource, FindAccount, as_account_source
from voucher_gateway.config.check_limits import CheckLimits
from voucher_gateway.config.loader import Config, default_config_path, load_config
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.execution.direct import DirectExecutor
from voucher_gateway.gateway.account import Account, check_command, require_capability, strategy_for
from voucher_gateway.gateway.account_cache import AccountCache, account_of, accounts_by_name
from voucher_gateway.gateway.partial import (
    redeem_whole,
    takes_what_is_left,
)
from voucher_gateway.limits.call_deadline import use_call_deadline
from voucher_gateway.limits.shared_limits import SharedLimits
from voucher_gateway.masking import Code, hide_arguments
from voucher_gateway.outcome import Result
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.request_hooks import NEW_VERBS, use_completion
from voucher_gateway.telemetry.calls import observe_call

if TYPE_CHECKING:
    # A journal needs SQLAlchemy, which takes longer to import than everything else. What needs it is imported late.
    from voucher_gateway.checks.guard import CheckGuard
    from voucher_gateway.execution.executor import JournalExecutor
    from voucher_gateway.journal.journal import Journal
    from voucher_gateway.payments.means import OtherMeans

R = TypeVar("R", bound=Result)

Options: TypeAlias = Mapping[str, OptionValue]
"""The options of a call, by name."""


Accounts: TypeAlias = AccountCache | AccountSource | FindAccount | Mapping[str, VoucherProvider] | Iterable[Account]
"""The accounts of a gateway, or what finds them."""


class GatewayBase:
    """The accounts of a gateway, and how a command is executed. `Gateway` adds the verbs."""

    def __init__(
        self,
        accounts: Accounts,
        *,
        journal: Journal | str | None = None,
        check_limits: CheckLimits | None = None,
        other_means: OtherMeans | None = None,
    ) -> None:
        self._accounts = _accounts_of(accounts)
        self._journal_executor = None if journal is None else _open_executor(journal, self._accounts)
        self._executor = self._journal_executor or DirectExecutor()
        self._check_limits = check_limits or CheckLimits()
        self._other_means = other_means

    @classmethod
    @hide_arguments
    def from_config(
        cls,
        source: str | os.PathLike[str] | Mapping[str, Any] | Config,
        *,
        stage: str | None = None,
        accounts: AccountSource | FindAccount | None = None,
    ) -> Self:
        """Make the gateway that a configuration describes.

        Args:
            source: the path of a TOML file, a dict with the same content, or a configuration that was read before.
            stage: the stage of the configuration; None for the one that ``VOUCHER_GATEWAY_STAGE`` names, if any.
            accounts: finds the accounts that do not stand in the configuration, such as those of tenants in a
                database: an `AccountSource`, or a function that finds one. None for the source that it names, if any.

        Raises:
            ConfigurationError: with everything that is wrong with it.
        """
        config = source if isinstance(source, Config) else load_config(source, stage=stage, accounts=accounts)
        if isinstance(source, Config) and accounts is not None:
            config = attrs.evolve(config, account_source=as_account_source(accounts))
        fixed = [account_of(account) for account in config.accounts.values()]
        configured = fixed if config.account_source is None else AccountCache(config.account_source, fixed)
        if config.journal is None:
            return cls(configured, other_means=config.other_means)
        from voucher_gateway.journal.journal import open_journal

        journal = open_journal(config.journal, config.journal_keys)
        try:
            return cls(configured, journal=journal, check_limits=config.checks, other_means=config.other_means)
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
        if isinstance(self._accounts, AccountCache):
            self._accounts.close()
        else:
            for account in self._accounts.values():
                account.provider.close()
        if self.journal is not None:
            self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def journal(self) -> Journal | None:
        """The journal, or None."""
        return None if self._journal_executor is None else self._journal_executor.journal

    @property
    def accounts(self) -> tuple[Account, ...]:
        """All accounts, in the order of the configuration. Those of a source are all found now.

        Raises:
            AccountsUnavailable: if the source of the accounts raises an error.
            ConfigurationError: if an account of the source is wrong, or if the source cannot list its accounts.
        """
        return tuple(filter(None, map(self._accounts.get, self._accounts)))

    @property
    def account_names(self) -> tuple[str, ...]:
        """The names of all accounts, in the order of the configuration.

        Raises:
            AccountsUnavailable: if the source of the accounts raises an error.
            ConfigurationError: if it cannot list its accounts.
        """
        return tuple(self._accounts)

    @property
    def loaded_accounts(self) -> tuple[Account, ...]:
        """The accounts without those of a source that this process has not used yet. Asks nothing."""
        return self._accounts.loaded if isinstance(self._accounts, AccountCache) else self.accounts

    @property
    def other_means(self) -> OtherMeans | None:
        """The other means of payments that have it inside, where a call gives none, or None."""
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
            ConfigurationError: if no account has this name.
            AccountsUnavailable: if the source of the accounts must be asked, and raises an error.

        Example:
            ```python
            print(gateway.account("shop").name)  # shop
            ```
        """
        account = self._accounts.get(name)
        if account is not None:
            return account
        for account in self.loaded_accounts:
            if name in (account.former_names or ()):
                raise ConfigurationError(f"the account {name} is called {account.name} now")
        if isinstance(self._accounts, AccountCache):
            advice = "" if self._accounts.can_list else "; if it was renamed, name it by the name that it has now"
            raise ConfigurationError(
                f"unknown account {name!r:.80}: the source of the accounts does not have it{advice}"
            )
        known = ", ".join(self._accounts) or "none"
        raise ConfigurationError(f"unknown account {name!r:.80}; the accounts are: {known}")

    def has_account(self, name: str) -> bool:
        """Whether there is an account with this name now. Former names do not count.

        Args:
            name: the account's name.

        Raises:
            AccountsUnavailable: if the source of the accounts must be asked, and raises an error.

        Example:
            ```python
            print(gateway.has_account("shop"), gateway.has_account("shap"))  # True False
            ```
        """
        return name in self._accounts

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

    def _execute(self, command: Command[R], timeout: float | None = None) -> R:
        account = self.account(command.account)
        strategy = strategy_for(account, command.operation)
        if isinstance(command, RedeemVoucher) and not command.partial and takes_what_is_left(account):
            strategy = redeem_whole
        check_command(account, command)
        with use_call_deadline(timeout):
            return self._run(command, account.provider, strategy)

    def _run(self, command: Command[R], provider: VoucherProvider, strategy: Strategy) -> R:
        with observe_call(
            command.account, command.operation, reference=command.reference, order=command.order, code=command.code
        ) as call:
            with nullcontext() if command.operation.value in NEW_VERBS else use_completion():
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
            raise ConfigurationError("this needs a journal: name one in the configuration")
        return self._journal_executor

    def _follow_rename(self, account: str, *, search: bool = False) -> str:
        """Give what the journal holds of an account's former names its name, and return the name that it has now."""
        journal = self._require_journal().journal
        from voucher_gateway.gateway.renames import follow_rename

        return follow_rename(self._accounts, journal.names, account, search=search)

    def _is_other_voucher(self, account: str, code: Code, voucher_id: str) -> bool:
        if self.journal is None:
            return False
        from voucher_gateway.execution.resolution import is_other_voucher

        configured = self.account(account)
        return is_other_voucher(self.journal, configured.provider, configured.normalize(code), voucher_id)


def _accounts_of(given: Accounts) -> dict[str, Account] | AccountCache:
    if isinstance(given, AccountCache):
        return given
    if isinstance(given, AccountSource) or callable(given):
        return AccountCache(given)
    if isinstance(given, Mapping):
        providers = cast("Mapping[str, VoucherProvider]", given)  # an `AccountCache` was returned above
        return accounts_by_name(Account(name=name, provider=provider) for name, provider in providers.items())
    return accounts_by_name(given)


def _open_executor(journal: Journal | str, accounts: Mapping[str, Account]) -> JournalExecutor:
    from voucher_gateway.execution.executor import JournalExecutor
    from voucher_gateway.journal.journal import open_journal

    if isinstance(journal, str):
        journal = open_journal(journal)
    limits = SharedLimits(pauses=journal.pauses, permits=journal.permits)
    if isinstance(accounts, AccountCache):
        accounts.share_limits(limits)
        journal.names.configure(accounts.fixed)
        journal.names.add_source(accounts)
    else:
        for account in accounts.values():
            account.provider.use_shared_limits(limits)
        journal.names.configure(accounts)
    return JournalExecutor(journal)
