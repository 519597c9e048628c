"""Accounts that do not stand in a configuration, such as those of tenants in a database."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from voucher_gateway import registry
from voucher_gateway.config.account import AccountConfig, is_account_name, read_account_table
from voucher_gateway.config.named_object import read_named_object
from voucher_gateway.config.provider_settings import ConfigProblems
from voucher_gateway.errors import AccountsUnavailable, ConfigurationError, VoucherGatewayError
from voucher_gateway.masking import hide_arguments
from voucher_gateway.process.loggers import get_logger

log: Final = get_logger("voucher_gateway.config")

AccountContent: TypeAlias = Mapping[str, Any] | AccountConfig
"""What a source knows of an account: the keys of its table in a configuration, or the account that was read of them."""

_WHERE: Final = ("account_source",)


@runtime_checkable
class AccountSource(Protocol):
    """Finds accounts by name. Its methods are called by any thread of any process, so they must be safe for that.

    A name is for ever: use one that does not change, such as the tenant's id.
    """

    def find_account(self, name: str) -> AccountContent | None:
        """Return the keys of an account as in a configuration, such as ``{"provider": "jtl", ...}``.

        Args:
            name: the account's name. It may be a text that a caller gave, and that was never an account.

        Returns:
            None if no account has this name.
        """
        ...

    def account_names(self) -> Iterable[str]:
        """Return the names of all accounts."""
        ...


FindAccount: TypeAlias = Callable[[str], AccountContent | None]
"""The method `find_account` of an `AccountSource` as a function."""


class FunctionSource:
    """A source of which only the function is known that finds an account. It cannot list its accounts."""

    def __init__(self, find: FindAccount) -> None:
        self._find = find

    def find_account(self, name: str) -> AccountContent | None:
        """Return what the function returns for a name."""
        return self._find(name)

    def account_names(self) -> Iterable[str]:
        """Raise, as the names are not known.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(
            "the accounts come from a function, which cannot list them: name an account, or give an object with the"
            " methods find_account and account_names"
        )


def as_account_source(given: AccountSource | FindAccount) -> AccountSource:
    """Return a source, of a source or of the function that finds an account."""
    return given if isinstance(given, AccountSource) else FunctionSource(given)


def load_account_source(value: Any, problems: ConfigProblems) -> AccountSource | None:
    """Return the source that a configuration names, or None after adding to `problems`.

    Args:
        value: ``MODULE:NAME`` of an `AccountSource`, of a class that makes one when it is called without arguments, or
            of a function that finds an account; in a dict also such an object itself.
        problems: receives the problems.
    """
    count = len(problems)
    source = read_named_object(value, problems, _WHERE, example="shop.tenants:accounts")
    if len(problems) > count:
        return None
    if isinstance(source, type):
        with problems.collect(_WHERE, "cannot be made: its class raised an error"):
            source = source()
    if len(problems) > count:
        return None
    if isinstance(source, type) or not (isinstance(source, AccountSource) or callable(source)):
        problems.add(_WHERE, "must have the methods find_account and account_names, or be a function")
        return None
    return as_account_source(source)


def ask_source(source: AccountSource, name: str) -> AccountContent | None:
    """Return what a source knows of an account now, as a copy that nothing else changes; None if it has none.

    Raises:
        AccountsUnavailable: if the source raises an error.
        ConfigurationError: if it returns something else than an account.
    """
    content = _find_account(source, name)
    if content is None or isinstance(content, AccountConfig):
        return content
    if isinstance(content, Mapping):
        return copy.deepcopy(dict(content))
    kind = type(content).__name__
    del content  # it may hold a secret, and an error keeps this frame
    raise ConfigurationError(f"the source of accounts returned {kind} for {name!r:.80}; expected a table or None")


def _find_account(source: AccountSource, name: str) -> object:
    try:
        return source.find_account(name)
    except VoucherGatewayError:
        raise
    except Exception as error:
        raise _unavailable(error, "for this account", name) from error


def names_of_source(source: AccountSource) -> tuple[str, ...]:
    """Return the names of all accounts of a source.

    Raises:
        AccountsUnavailable: if the source raises an error.
        ConfigurationError: if it cannot list them.
    """
    try:
        names = source.account_names()
        unique = {} if isinstance(names, str) else dict.fromkeys(names)
    except VoucherGatewayError:
        raise
    except Exception as error:
        raise _unavailable(error, "when it was asked for all names") from error
    if isinstance(names, str) or not all(isinstance(name, str) for name in unique):
        raise ConfigurationError("account_names of the source of accounts must return the names, each as a string")
    return tuple(unique)


def _unavailable(error: Exception, when: str, account: str | None = None) -> AccountsUnavailable:
    # The message of a foreign error could hold a secret.
    log.warning("the source of accounts raised %s %s", type(error).__name__, when, extra={"account": account})
    message = f"the source of accounts raised {type(error).__name__} {when}; nothing was sent"
    is_name = account is not None and is_account_name(account)  # otherwise it is any text that a caller gave
    return AccountsUnavailable(message, account=account if is_name else None)


@hide_arguments
def read_account(source: AccountSource, name: str) -> AccountConfig | None:
    """Return the account of a name as a source describes it now; None if it has none.

    Raises:
        AccountsUnavailable: if the source raises an error.
        ConfigurationError: with one line for each thing that is wrong.
    """
    content = ask_source(source, name)
    return None if content is None else read_content(name, content)


@hide_arguments
def read_content(name: str, content: AccountContent) -> AccountConfig:
    """Return the account that a source described.

    Raises:
        ConfigurationError: with one line for each thing that is wrong.
    """
    if isinstance(content, AccountConfig):
        if content.name != name:
            raise ConfigurationError(f"the source of accounts returned {content.name} for {name!r:.80}")
        return content
    problems = ConfigProblems("account source")
    account = read_account_table(name, content, problems, None, registry.list_installed())
    problems.raise_if_any()
    assert account is not None
    return account
