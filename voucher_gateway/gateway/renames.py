"""Finds the accounts of a source that were renamed since the journal recorded something under their former names.

A source can have thousands of accounts, so a process does not know them before it uses them. What waits in the journal
under a name that the source does not have any more is a reason to look for the account that has it as a former name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from voucher_gateway.errors import AccountsUnavailable, ConfigurationError
from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.account_cache import AccountCache
from voucher_gateway.process.loggers import get_logger

if TYPE_CHECKING:
    from voucher_gateway.journal.names import AccountNames

log: Final = get_logger("voucher_gateway.journal")


def follow_rename(accounts: Mapping[str, Account], names: AccountNames, name: str, *, search: bool) -> str:
    """Give what the journal holds of an account's former names its name, and return the name that it has now.

    Args:
        accounts: the accounts of the gateway.
        names: those of the journal.
        name: the account's name, or a former one. It is returned as it is if nothing tells whose it was.
        search: whether to look through all accounts of a source for the one that had the name.
    """
    if not isinstance(accounts, AccountCache):
        return name if name in accounts else next(_renamed_from(name, accounts.values()), name)
    if _admit(accounts, names, name):
        return name
    for present in (*_renamed_from(name, accounts.loaded), *names.later_names(name)):
        if _admit(accounts, names, present):
            return present
    return adopt_renamed_accounts(accounts, names, {name}).get(name, name) if search else name


def _renamed_from(name: str, accounts: Iterable[Account]) -> Iterator[str]:
    return (account.name for account in accounts if name in (account.former_names or ()))


def adopt_renamed_accounts(accounts: AccountCache, names: AccountNames, in_journal: Collection[str]) -> dict[str, str]:
    """Give what the journal holds under former names its new name, and return the new names by the former ones.

    Nothing that the source cannot tell now is an error: what waits under that name waits on.

    Args:
        accounts: the accounts of the gateway.
        names: those of the journal.
        in_journal: the names of accounts under which something waits in the journal.
    """
    missing = {name for name in in_journal if not _admit(accounts, names, name)}
    if not missing:
        return {}
    try:
        renamed = accounts.find_renamed(missing)
    except (AccountsUnavailable, ConfigurationError) as error:
        log.warning("it is not known whether %s were renamed: %s", ", ".join(sorted(missing)), error.message)
        return {}
    return {former: name for former, name in renamed.items() if _admit(accounts, names, name)}


def _admit(accounts: AccountCache, names: AccountNames, name: str) -> bool:
    """Give what the journal holds of an account's former names its name; return whether there is such an account."""
    try:
        account = accounts.get(name)
        if account is not None:
            names.admit(name, account.provider)
    except (AccountsUnavailable, ConfigurationError) as error:
        log.warning("%s: what is recorded of its former names stays there: %s", name, error.message)
        return True
    return account is not None
