"""The accounts of a gateway, and the way that all of its calls go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Self, TypeVar

from voucher_gateway.capabilities import Capabilities, Operation, Support
from voucher_gateway.emulation.registry import unsupported_error
from voucher_gateway.emulation.steps import StepRunner
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.execution.call import Call, Executor
from voucher_gateway.execution.direct import DirectExecutor
from voucher_gateway.gateway.account import Account
from voucher_gateway.outcome import Result
from voucher_gateway.provider import VoucherProvider

if TYPE_CHECKING:
    # With a journal comes SQLAlchemy, which costs more than all else together, so all that needs it is imported late.
    from voucher_gateway.execution.executor import JournalExecutor
    from voucher_gateway.journal.journal import Journal

R = TypeVar("R", bound=Result)


class Accounts:
    """The accounts, and how a call to one of them is carried out: natively or emulated, with or without a journal.

    Args:
        accounts: the accounts, or providers by account name.
        journal: the journal, or the URL of one in SQLite; None for none.
    """

    def __init__(
        self, accounts: Iterable[Account] | Mapping[str, VoucherProvider], *, journal: Journal | str | None = None
    ) -> None:
        if isinstance(accounts, Mapping):
            accounts = [Account(name=name, provider=provider) for name, provider in accounts.items()]
        accounts = list(accounts)
        former = {former: account.name for account in accounts for former in account.former_names or ()}
        if len({account.name for account in accounts}) < len(accounts):
            raise ConfigurationError("two accounts have the same name")
        if both := sorted(former.keys() & {account.name for account in accounts}):
            raise ConfigurationError(f"former_names of {former[both[0]]}: {both[0]} is an account still")
        self._accounts = {account.name: account for account in accounts}
        self._journalling = None if journal is None else _journalling(journal)
        self._execution: Executor = self._journalling or DirectExecutor()
        if self._journalling is not None:
            _configure(self._journalling.journal, accounts)

    @property
    def journal(self) -> Journal | None:
        """The journal; None if there is none."""
        return None if self._journalling is None else self._journalling.journal

    def close(self) -> None:
        """Close all connections."""
        for account in self._accounts.values():
            account.provider.close()
        if self.journal is not None:
            self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def accounts(self) -> tuple[Account, ...]:
        """All accounts, in the order of the configuration."""
        return tuple(self._accounts.values())

    def account(self, name: str) -> Account:
        """Return an account.

        Raises:
            ConfigurationError: if there is none of this name.
        """
        try:
            return self._accounts[name]
        except KeyError:
            known = ", ".join(self._accounts) or "none"
            for account in self._accounts.values():
                if name in (account.former_names or ()):
                    raise ConfigurationError(f"the account {name} is called {account.name} now") from None
            raise ConfigurationError(f"there is no account {name!r:.80}; there are: {known}") from None

    def provider(self, account: str) -> VoucherProvider:
        """Return the provider of an account, for calls without the gateway's emulations."""
        return self.account(account).provider

    def capabilities(self, account: str) -> Capabilities:
        """Return what can be done with an account: natively, by a safe emulation, or by one that it accepts."""
        return self.account(account).capabilities

    def _available(self, account: str, operation: Operation) -> tuple[VoucherProvider, str | None]:
        """Return the provider, and the emulation that stands for the operation, if it is not the provider's own.

        Raises:
            UnsupportedOperation: if it is neither native nor emulated.
        """
        configured = self.account(account)
        support = configured.capabilities.of(operation)
        if not support.available:
            raise unsupported_error(configured.provider, operation, support)
        return configured.provider, support.emulation if support.support is Support.EMULATED else None

    def _provider_for(self, account: str, operation: Operation) -> VoucherProvider:
        return self._available(account, operation)[0]

    def _run(
        self,
        call: Call,
        native: Callable[[VoucherProvider, str], R],
        emulations: Mapping[str, Callable[[StepRunner, VoucherProvider], R]] | None = None,
    ) -> R:
        """Run a call: in one step of the provider's own, or as the emulation that stands for it."""

        def one_step(steps: StepRunner, provider: VoucherProvider) -> R:
            with _alone(steps, provider, call):
                return steps.run(call.operation.value, lambda reference: native(provider, reference))

        ways: dict[str | None, Callable[[StepRunner, VoucherProvider], R]] = {None: one_step}
        ways.update(emulations or {})
        return self._run_steps(call, ways)

    def _run_steps(self, call: Call, ways: Mapping[str | None, Callable[[StepRunner, VoucherProvider], R]]) -> R:
        provider, emulation = self._available(call.account, call.operation)
        perform = ways[emulation]
        return self._execution.run(call, provider, lambda steps: perform(steps, provider))


def _journalling(journal: Journal | str) -> JournalExecutor:
    from voucher_gateway.execution.executor import JournalExecutor
    from voucher_gateway.journal.open import open_journal

    return JournalExecutor(open_journal(journal) if isinstance(journal, str) else journal)


def _configure(journal: Journal, accounts: Iterable[Account]) -> None:
    from voucher_gateway.journal.names import NamedAccount

    journal.names.configure(
        {account.name: NamedAccount(account.provider, account.former_names) for account in accounts}
    )


def _alone(steps: StepRunner, provider: VoucherProvider, call: Call) -> AbstractContextManager[None]:
    """Keep emulations off a voucher that a native update overwrites as a whole, or one would undo the other."""
    if call.operation is Operation.UPDATE and call.id is not None and provider.capabilities.can_overwrite_value:
        return steps.lock(provider.host, call.id)
    return nullcontext()
