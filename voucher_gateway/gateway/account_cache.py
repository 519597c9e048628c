"""The accounts of a source: found when they are first used, and renewed when their content changes."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from voucher_gateway.config.account import AccountConfig
from voucher_gateway.config.account_source import (
    AccountContent,
    AccountSource,
    FindAccount,
    FunctionSource,
    as_account_source,
    ask_source,
    names_of_source,
    read_content,
)
from voucher_gateway.errors import AccountsUnavailable, ConfigurationError, InvalidRequest
from voucher_gateway.gateway.account import Account
from voucher_gateway.limits.call_deadline import is_finite_number
from voucher_gateway.limits.shared_limits import SharedLimits
from voucher_gateway.masking import hide_arguments
from voucher_gateway.process import fork_safety
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.provider.provider import VoucherProvider

log: Final = get_logger("voucher_gateway.config")


@attrs.define
class _CachedAccount:
    account: Account
    content: AccountContent = attrs.field(repr=False)
    fresh_until: float
    used_at: float


class AccountCache(Mapping[str, Account]):
    """The accounts of a source by name. A `Gateway` that is given a source makes one.

    An account is asked for when it is first used, and again after `lifetime_s`. If its content has changed, or if it
    does not exist any more, this process drops it: its connections are closed when no call uses them any more. Between
    two questions a call works with the account as it was.

    Args:
        source: finds the accounts: an `AccountSource`, or a function that finds one.
        accounts: other accounts, which come before those of the source.
        lifetime_s: how long the answer of the source is used, in seconds.
        capacity: how many accounts of the source are kept. Beyond it, the one that was not used for longest is dropped.

    Raises:
        InvalidRequest: if `lifetime_s` is below zero, or `capacity` below one.
        ConfigurationError: if two of `accounts` have the same name.
    """

    def __init__(
        self,
        source: AccountSource | FindAccount,
        accounts: Iterable[Account] = (),
        *,
        lifetime_s: float = 60.0,
        capacity: int = 1000,
    ) -> None:
        if not is_finite_number(lifetime_s) or lifetime_s < 0:
            rule = "a number of seconds, zero or more"
            raise InvalidRequest(f"lifetime_s must be {rule}", field="lifetime_s", rule=rule)
        if capacity < 1:
            raise InvalidRequest("capacity must be above zero", field="capacity", rule="at least 1")
        self._source = as_account_source(source)
        self.fixed = accounts_by_name(accounts)
        self._lifetime_s = lifetime_s
        self._capacity = capacity
        self._cached: dict[str, _CachedAccount] = {}
        self._limits: SharedLimits | None = None
        self._dropped: weakref.WeakSet[VoucherProvider] = weakref.WeakSet()
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make new locks. The accounts stay: their providers renew their own connections."""
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    # What the source returns may hold a secret in plain text. And a tracker of errors that finds a mapping in a frame
    # reads all of it: that would ask the source for each account.
    @hide_arguments
    def __getitem__(self, name: str) -> Account:
        """Return an account.

        Raises:
            KeyError: if no account has this name.
            AccountsUnavailable: if the source must be asked, and raises an error. An older answer is not used.
            ConfigurationError: if what the source knows of the account is wrong.
        """
        if name in self.fixed:
            return self.fixed[name]
        fork_safety.renew_if_forked()
        at = time.monotonic()
        cached = self._cached.get(name)
        if cached is None or at >= cached.fresh_until:
            with self._lock_of(name):
                cached = self._cached.get(name)
                if cached is None or time.monotonic() >= cached.fresh_until:
                    cached = self._ask(name, cached)
        if cached is None:
            raise KeyError(name)
        cached.used_at = at
        return cached.account

    @hide_arguments
    def get(self, name: str, default: Any = None) -> Any:
        """Return an account, or the default if there is none with this name; as ``cache[name]``."""
        try:
            return self[name]
        except KeyError:
            return default

    @hide_arguments
    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    @hide_arguments
    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of all accounts. It asks the source for them, and for nothing else.

        Raises:
            AccountsUnavailable: if the source raises an error.
            ConfigurationError: if the source cannot list its accounts.
        """
        return iter(dict.fromkeys((*self.fixed, *names_of_source(self._source))))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @hide_arguments
    def find_renamed(self, former: Collection[str]) -> dict[str, str]:
        """Return the accounts of the source that had one of these names: the new names by the former ones.

        It asks the source about its accounts, one after the other, until all are found. It makes none of them, and
        passes over those that it cannot read.

        Raises:
            AccountsUnavailable: if the source raises an error when it lists its accounts.
            ConfigurationError: if it cannot list them.
        """
        new_names: dict[str, str] = {}
        for name in names_of_source(self._source):
            if len(new_names) == len(former):
                break
            try:
                content = ask_source(self._source, name)
            except (AccountsUnavailable, ConfigurationError):
                continue
            names = content.former_names if isinstance(content, AccountConfig) else (content or {}).get("former_names")
            if isinstance(names, list | tuple):
                new_names |= {old: name for old in names if old in former}
        return new_names

    @property
    def can_list(self) -> bool:
        """Whether the source can list its accounts. A function cannot."""
        return not isinstance(self._source, FunctionSource)

    @property
    def loaded(self) -> tuple[Account, ...]:
        """The accounts that this process has used, and those that do not come from the source. Asks nothing."""
        with self._guard:
            return (*self.fixed.values(), *(cached.account for cached in self._cached.values()))

    def share_limits(self, limits: SharedLimits) -> None:
        """Give all accounts the limits that hold in all processes with one journal, also those that are found later."""
        self._limits = limits
        for account in self.loaded:
            account.provider.use_shared_limits(limits)

    def close(self) -> None:
        """Close the connections of all accounts, also of those that were dropped and are still in use."""
        with self._guard:
            providers = {*self._dropped, *(cached.account.provider for cached in self._cached.values())}
            self._cached.clear()
        for provider in (*(account.provider for account in self.fixed.values()), *providers):
            provider.close()

    def _lock_of(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())

    def _ask(self, name: str, cached: _CachedAccount | None) -> _CachedAccount | None:
        """Ask the source about an account, under the lock of its name, and return what is cached of it then."""
        content = ask_source(self._source, name)
        fresh_until = time.monotonic() + self._lifetime_s
        if content is None:
            self._drop(name, "the source does not have it any more")
            with self._guard:  # a caller can ask for any text: do not keep a lock for each
                self._locks.pop(name, None)
            return None
        if cached is not None and content == cached.content:
            cached.fresh_until = fresh_until
            return cached
        account = self._make_account(name, content)
        self._drop(name, "its content has changed")
        cached = _CachedAccount(account, content, fresh_until, time.monotonic())
        with self._guard:
            self._cached[name] = cached
            idle = min(self._cached, key=lambda each: self._cached[each].used_at)
            is_full = len(self._cached) > self._capacity
        if is_full and idle != name:
            self._drop(idle, "others were used since")
        return cached

    def _make_account(self, name: str, content: AccountContent) -> Account:
        config = read_content(name, content)
        for former in config.former_names or ():
            if former in self.fixed or ask_source(self._source, former) is not None:
                raise ConfigurationError(f"former_names of {name}: {former} is still the name of an account")
        account = account_of(config)
        if self._limits is not None:
            account.provider.use_shared_limits(self._limits)
        return account

    def _drop(self, name: str, reason: str) -> None:
        with self._guard:
            cached = self._cached.pop(name, None)
            if cached is None:
                return
            self._dropped.add(cached.account.provider)
        cached.account.provider.close_when_unused()
        log.info("%s: this process drops the account, because %s", name, reason, extra={"account": name})


def account_of(config: AccountConfig) -> Account:
    """Return the account that a configuration describes, with its provider.

    Raises:
        ConfigurationError: if the provider refuses its settings.
    """
    return Account(
        name=config.name,
        provider=config.make_provider(),
        code_pattern=config.code_pattern,
        normalize_codes=config.normalize_codes,
        accept_risks=config.accept_risks,
        former_names=config.former_names,
    )


def accounts_by_name(accounts: Iterable[Account]) -> dict[str, Account]:
    """Return accounts by their names.

    Raises:
        ConfigurationError: if two have the same name, or if a former name is still in use.
    """
    accounts = list(accounts)
    by_name = {account.name: account for account in accounts}
    if len(by_name) < len(accounts):
        raise ConfigurationError("two accounts have the same name")
    for account in accounts:
        for former in account.former_names or ():
            if former in by_name:
                raise ConfigurationError(f"former_names of {account.name}: {former} is still the name of an account")
    return by_name
