"""The names of accounts: finds that an account was renamed, and gives its operations the new name.

References are found by the account's name. Under a new name none would be found, and a repeated call would take the
money again. So the journal keeps under which names it knows a vendor login (provider, host and login).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import ConfigurationError, OperationInProgress
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.keys.row_seals import ACCOUNTS
from voucher_gateway.journal.moves import rename_moves
from voucher_gateway.journal.pauses import rename_pause
from voucher_gateway.journal.pruned.accounts import rename_pruned_accounts
from voucher_gateway.journal.restore_guard import rename_movements
from voucher_gateway.journal.schema import accounts, moved, operations
from voucher_gateway.masking import hide_arguments
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.locks import lock_in_transaction
from voucher_gateway.storage.statements import PreparedStatement

log: Final = get_logger("voucher_gateway.journal")


@attrs.frozen
class VendorLogin:
    """One login at a vendor. If a vendor does not show it, all logins at a host count as one."""

    provider: str
    host: str
    login: str | None

    @classmethod
    def of(cls, provider: VoucherProvider) -> VendorLogin:
        """Return the login of an account, as far as it is known now."""
        return cls(provider.name, provider.host, provider.login)

    @property
    def key(self) -> dict[str, str]:
        """The columns that hold it."""
        return {"provider": self.provider, "host": self.host, "login": self.login or ""}


class NamedAccount(Protocol):
    """An account of the configuration."""

    @property
    def provider(self) -> VoucherProvider:
        """The vendor, seen through this account."""
        ...

    @property
    def former_names(self) -> Sequence[str] | None:
        """The names that it had; None where the configuration says nothing of them."""
        ...


_SAME_LOGIN: Final = (
    (accounts.c.provider == sa.bindparam("provider"))
    & (accounts.c.host == sa.bindparam("host"))
    & (accounts.c.login == sa.bindparam("login"))
)
_OF_LOGIN: Final = PreparedStatement(sa.select(accounts.c.name, accounts.c.known_as).where(_SAME_LOGIN))
_IS_NAME: Final = PreparedStatement(
    sa.select(accounts.c.name).where(_SAME_LOGIN, accounts.c.name == sa.bindparam("name"))
)
_FORMER: Final = sa.select(accounts.c.known_as).where(
    accounts.c.name == sa.bindparam("name"), accounts.c.known_as != accounts.c.name
)

_LATER: Final = (
    sa.select(accounts.c.name)
    .where(accounts.c.known_as == sa.bindparam("name"), accounts.c.name != accounts.c.known_as)
    .distinct()
)


class AccountNames:
    """The names under which a journal knows logins.

    Args:
        database: the journal's.
        keys: the journal's.
    """

    def __init__(self, database: Database, keys: JournalKeys) -> None:
        self._database = database
        self._keys = keys
        self._configured: dict[str, NamedAccount] = {}
        self._sources: list[Mapping[str, NamedAccount]] = []
        self._admitted: set[tuple[str, VendorLogin]] = set()

    def configure(self, given: Mapping[str, NamedAccount]) -> None:
        """Register the accounts of a configuration, and rename those whose former names the journal knows.

        Raises:
            ConfigurationError: if the journal knows the login of one of them under other names only.
        """
        self._configured |= given
        for name, account in given.items():
            self.admit(name, account.provider)

    def add_source(self, accounts: Mapping[str, NamedAccount]) -> None:
        """Register accounts that are looked up by name when they are needed. A call admits the account that it uses."""
        self._sources.append(accounts)

    def admit(self, name: str, provider: VoucherProvider) -> None:
        """Check that the journal knows an account's login under its name, and rename operations of a former name.

        Raises:
            ConfigurationError: if the journal knows the login under other names only.
        """
        login = VendorLogin.of(provider)
        if (name, login) in self._admitted:
            return
        with self._database.read() as connection:
            former = self._former_names_in_use(connection, name, login)
        if former:
            with self._database.write() as connection:
                rename_account(connection, self._keys, former, name, login.key)
            log.info("the operations of the accounts %s belong to %s now", ", ".join(former), name)
        self._admitted.add((name, login))

    def add(self, connection: Connection, name: str, login: VendorLogin) -> None:
        """Add a login under the name of a new operation's account, if the operation may have that name.

        Another process may have renamed the account since this one started, and some logins become known only with
        the first request.

        Args:
            connection: in the transaction that inserted the operation.
            name: the account's name.
            login: where the operation runs.

        Raises:
            ConfigurationError: if the journal knows the login under other names only.
            OperationInProgress: if the account must be renamed first: the next call does that.
        """
        lock_in_transaction(connection, "journal accounts")
        if self._former_names_in_use(connection, name, login):
            raise OperationInProgress(
                f"the journal has operations of the account {name} under a former name; try again"
            )
        row = {**login.key, "name": name, "known_as": name}
        if _IS_NAME.first_row(connection, {**login.key, "name": name}) is None:
            connection.execute(sa.insert(accounts), ACCOUNTS.seal_row(self._keys, row))
            ACCOUNTS.add_to_count(connection, self._keys, 1)

    def former_names(self, name: str) -> list[str]:
        """Return the names that an account had."""
        with self._database.read() as connection:
            return [row["known_as"] for row in connection.execute(_FORMER, {"name": name}).mappings()]

    def later_names(self, name: str) -> list[str]:
        """Return the names that the accounts got that had a name."""
        with self._database.read() as connection:
            return [row["name"] for row in connection.execute(_LATER, {"name": name}).mappings()]

    def _former_names_in_use(self, connection: Connection, name: str, login: VendorLogin) -> list[str]:
        """Return the names that the journal still has for this account, and that are its former ones.

        Raises:
            ConfigurationError: if the journal knows the login under other names only, and nothing says whose they are.
        """
        rows = _OF_LOGIN.all_rows(connection, login.key)
        names = sorted({row["name"] for row in rows})
        account = self._find_configured(name)
        former = None if account is None else account.former_names
        in_use = [known for known in names if known != name and known in (former or ())]
        if in_use or name in names or former == ():
            return in_use
        if not_configured := [known for known in names if not self._is_configured(known, login)]:
            later_names = [row["name"] for row in rows if row["known_as"] == name]
            raise _unknown_name(name, login, not_configured, later_names)
        return []

    @hide_arguments  # a tracker of errors would read all accounts of a source
    def _find_configured(self, name: str) -> NamedAccount | None:
        candidates = (accounts.get(name) for accounts in (self._configured, *self._sources))
        return next(filter(None, candidates), None)

    def _is_configured(self, name: str, login: VendorLogin) -> bool:
        account = self._find_configured(name)
        return account is not None and VendorLogin.of(account.provider) == login


def _unknown_name(
    name: str, login: VendorLogin, known: Sequence[str], later_names: Sequence[str]
) -> ConfigurationError:
    names = ", ".join(known)
    listed = ", ".join(f'"{known_name}"' for known_name in known)
    history = f" (it was renamed to {', '.join(later_names)})" if later_names else ""
    return ConfigurationError(
        f"account {name}: the journal knows its login ({login.login or login.provider} at {login.host}) as"
        f" {names}{history}, and would not find the references of that name: use that name, or write"
        f" former_names = [{listed}] in [accounts.{name}] if the account was renamed; former_names = [] says that it is"
        " another account"
    )


def rename_account(
    connection: Connection, keys: JournalKeys, former: Iterable[str], name: str, login: Mapping[str, str]
) -> None:
    """Give all that the journal holds of a login under former names its new name.

    Args:
        connection: in a transaction.
        keys: the journal's.
        former: the former names.
        name: the new name.
        login: provider, host and login.

    Raises:
        ConfigurationError: if both names were used with the same reference.
    """
    if connection.dialect.name == "postgresql":
        # Waits for the transactions that have inserted an operation. Later ones see the new name, and are refused.
        connection.execute(sa.text(f"LOCK TABLE {operations.name}, {moved.name} IN SHARE ROW EXCLUSIVE MODE"))
    lock_in_transaction(connection, "journal accounts")
    for old in former:
        _require_distinct(connection, old, name, login)
        at_login = (
            (operations.c.provider == login["provider"])
            & (operations.c.host == login["host"])
            & (operations.c.login.is_(None) | (operations.c.login == login["login"]))
        )
        connection.execute(sa.update(operations).where(operations.c.account == old, at_login).values(account=name))
        rename_movements(connection, keys, old, name, login["host"])
        rename_pause(connection, keys, old, name)
        rename_moves(connection, keys, old, name)
        rename_pruned_accounts(connection, keys, old, name, login)
        _keep_names(connection, keys, old, name, login)
    for old in former:
        append_event(connection, keys, EventKind.ACCOUNT_RENAMED, name, {"account": name, "former_name": old})


def _require_distinct(connection: Connection, old: str, name: str, login: Mapping[str, str]) -> None:
    old_operations, old_moves = operations.alias(), moved.alias()
    shared_reference = (
        sa.select(operations.c.reference)
        .join(
            old_operations,
            (operations.c.verb == old_operations.c.verb) & (operations.c.reference == old_operations.c.reference),
        )
        .where(operations.c.account == name, old_operations.c.account == old)
        .where(old_operations.c.provider == login["provider"], old_operations.c.host == login["host"])
        .limit(1)
    )
    shared_voucher = (
        sa.select(moved.c.voucher_id)
        .join(old_moves, moved.c.voucher_id == old_moves.c.voucher_id)
        .where(moved.c.account == name, old_moves.c.account == old)
        .limit(1)
    )
    reference, voucher_id = connection.scalar(shared_reference), connection.scalar(shared_voucher)
    if reference is not None or voucher_id is not None:
        what = f"the reference {reference!r:.80}" if reference is not None else f"a move of the voucher {voucher_id}"
        raise ConfigurationError(
            f"former_names: the journal has {what} under both names, {old} and {name}: keep them as two accounts"
        )


def _keep_names(connection: Connection, keys: JournalKeys, old: str, name: str, login: Mapping[str, str]) -> None:
    rows_of_both: Any = (
        (accounts.c.provider == login["provider"])
        & (accounts.c.host == login["host"])
        & (accounts.c.login == login["login"])
        & accounts.c.name.in_([old, name])
    )
    rows = [dict(row) for row in connection.execute(sa.select(accounts).where(rows_of_both)).mappings()]
    changed = [row for row in rows if not ACCOUNTS.has_own_seal(keys, row)]
    names = {*[row["known_as"] for row in rows], old, name}
    connection.execute(sa.delete(accounts).where(rows_of_both))
    new = [ACCOUNTS.seal_row(keys, {**login, "name": name, "known_as": known}) for known in sorted(names)]
    # A row that something else changed leaves rows without a seal, so that an audit finds it afterwards.
    connection.execute(sa.insert(accounts), [{**row, "seal": ""} if changed else row for row in new])
    ACCOUNTS.add_to_count(connection, keys, len(new) - len(rows))
