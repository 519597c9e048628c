"""The accounts, the journal and the executor of a gateway, on which its verbs are built."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from voucher_gateway.capabilities import Capabilities, Operation, OptionValue
from voucher_gateway.commands import (
    Command,
    RedeemVoucher,
)
from voucher_gateway.config.check_limits import CheckLimits
from voucher_gateway.config.loader import Config, default_config_path, load_config
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.execution.direct import DirectExecutor
from voucher_gateway.gateway.account import Account, check_command, require_capability, strategy_for
from voucher_gateway.gateway.partial import (
    redeem_whole,
    takes_what_is_left,
)
from voucher_gateway.masking import Code, hide_arguments
from voucher_gateway.outcome import Result
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.steps import Strategy
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


class GatewayBase:
    """The accounts of a gateway, and how a command is executed. `Gateway` adds the verbs."""

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
