"""Reads the configuration: the accounts and the journal.

::

    journal = "sqlite:///voucher-gateway.db"

    [accounts.shop]
    provider = "jtl"
    base_url = "https://vouchers-sbx.api.jtl-software.com/v1"
    client_id = "..."
    client_secret = { env = "JTL_SECRET" }
    code_pattern = "^JTL-"

`voucher_gateway.config.account` reads an account, and `voucher_gateway.config.provider_settings` the keys of its
provider. Accounts that stand elsewhere come from the object that ``account_source`` names. The
table ``[checks]`` has the attributes of `CheckLimits`. Nothing is coerced, but a value may stand in an environment
variable (`voucher_gateway.config.variables`). What differs between stages stands under ``[stages.NAME]``
(`voucher_gateway.config.stages`). An unknown key is an error. One error names everything that is wrong, one line each.
No message quotes a value that could be a secret.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from voucher_gateway import registry
from voucher_gateway.config.account import AccountConfig, read_account_table
from voucher_gateway.config.account_source import (
    AccountSource,
    FindAccount,
    load_account_source,
    names_of_source,
    read_account,
)
from voucher_gateway.config.check_limits import CheckLimits, read_check_limits
from voucher_gateway.config.other_means import load_other_means
from voucher_gateway.config.provider_settings import ConfigProblems, did_you_mean, toml_type_name
from voucher_gateway.config.stages import apply_stage
from voucher_gateway.config.variables import read_any
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.masking import hide_arguments
from voucher_gateway.setting_types import DatabaseUrl, SecretSource

CONFIG_VARIABLE: Final = "VOUCHER_GATEWAY_CONFIG"
"""The environment variable that names the config file of the command line."""

_DEFAULT_FILE: Final = "voucher-gateway.toml"
_TOP_KEYS: Final = ("account_source", "accounts", "checks", "journal", "journal_keys", "other_means", "stages")
_REPETITIONS: Final = {
    "Cannot declare ": "a table stands in it twice",
    "Cannot overwrite ": "a key stands in its table twice",
    "Duplicate inline table key ": "a key stands in its table twice",
}
"""How the parser's messages about a repetition begin, and what is said instead."""
_PLAIN_WORDS: Final = re.compile(r"(?:[A-Za-z ,/]|'[^']{1,2}')+", re.ASCII)
_KEY_ID: Final = re.compile(r"[A-Za-z0-9]{1,16}", re.ASCII)


@attrs.frozen(kw_only=True)
class Config:
    """A configuration without errors.

    Attributes:
        journal: the journal's database URL; None for no journal. It may hold a password and is kept out of repr.
        journal_keys: the journal's secret keys by id, the newest last; empty for the default key file.
        checks: how many codes may be tried.
        other_means: the shop's other means, an `OtherMeans`; None if the configuration names none.
        accounts: the accounts by name, in the order of the file.
        account_source: finds the accounts that do not stand in the configuration; None if it names no source.
    """

    journal: str | None = attrs.field(default=None, repr=False)
    journal_keys: Mapping[str, SecretSource] = attrs.field(factory=dict, hash=False)
    checks: CheckLimits = attrs.field(factory=CheckLimits)
    other_means: Any = attrs.field(default=None, repr=False)
    accounts: Mapping[str, AccountConfig] = attrs.field(hash=False)
    account_source: AccountSource | None = attrs.field(default=None, repr=False)

    def iterate_accounts(self) -> Iterator[AccountConfig]:
        """Iterate over the accounts of the configuration, and then over those of its source.

        Raises:
            AccountsUnavailable: if the source raises an error.
            ConfigurationError: if an account of the source is wrong, or if the source cannot list its accounts.
        """
        yield from self.accounts.values()
        if self.account_source is None:
            return
        for name in names_of_source(self.account_source):
            account = None if name in self.accounts else read_account(self.account_source, name)
            if account is not None:
                yield account


def default_config_path() -> Path:
    """Return the file that the environment names in `CONFIG_VARIABLE`, else the one in the working directory."""
    return Path(os.environ.get(CONFIG_VARIABLE) or _DEFAULT_FILE)


@hide_arguments
def load_config(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    stage: str | None = None,
    accounts: AccountSource | FindAccount | None = None,
) -> Config:
    """Read a configuration from a TOML file, or from a dict of the same shape.

    Checks that secrets exist, but calls no callables, which only a dict can hold. Relative paths of secrets and of an
    SQLite journal begin at the folder of the file, so that they do not depend on where a program is started. Those of
    a dict begin at the working directory.

    Args:
        source: the file's path, or the dict.
        stage: the stage, see `voucher_gateway.config.stages`; None for the one that the environment names, if any.
        accounts: where the accounts are that do not stand in it; None for the source that it names, if any.

    Raises:
        ConfigurationError: with one line for each thing that is wrong: file, account, key and the rule it breaks.
    """
    if isinstance(source, Mapping):
        return _config(source, stage, accounts, ConfigProblems("config"), None)
    path = Path(source)
    return _config(_parse_toml(path), stage, accounts, ConfigProblems(str(path)), path.absolute().parent)


def _parse_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        problem = f"cannot be read: {error.strerror or 'unreadable'}"
    except tomllib.TOMLDecodeError as error:
        problem = f"is not TOML: {_safe_parser_message(str(error))}"
    except UnicodeDecodeError:
        problem = "is not text in UTF-8"
    except RecursionError:
        problem = "is nested too deeply"
    except ValueError:
        problem = "holds a number or path that is out of range"
    # Raised outside of the handlers, because the parser's error can hold the whole text of the file.
    raise ConfigurationError(f"{path}: {problem}")


def _safe_parser_message(error: str) -> str:
    """Return the parser's message without its quotes of the file. The position always stays."""
    sentence, _, place = error.rpartition(" (at ")
    for begin, meaning in _REPETITIONS.items():
        if sentence.startswith(begin):
            return f"{meaning} (at {place}"
    return f"{sentence if _PLAIN_WORDS.fullmatch(sentence) else 'syntax error'} (at {place}"


def _config(
    source: Mapping[str, Any],
    stage: str | None,
    elsewhere: AccountSource | FindAccount | None,
    problems: ConfigProblems,
    folder: Path | None,
) -> Config:
    table = apply_stage(source, stage, problems)
    if elsewhere is not None:
        table["account_source"] = elsewhere
    for key in table:
        if key not in _TOP_KEYS:
            problems.add((key,), f"is not a key of a configuration{did_you_mean(key, _TOP_KEYS)}")
    journal = _journal(table["journal"], problems, folder) if "journal" in table else None
    journal_keys = _journal_keys(table.get("journal_keys", {}), problems, folder)
    checks = read_check_limits(table.get("checks", {}), problems)
    other_means = load_other_means(read_any(table["other_means"]), problems) if "other_means" in table else None
    account_source = None
    if "account_source" in table:
        account_source = load_account_source(read_any(table["account_source"]), problems)
    accounts = {}
    given = table.get("accounts", {})
    if not isinstance(given, Mapping):
        problems.add(("accounts",), f"must be a table, not {toml_type_name(given)}")
    elif not given and "account_source" not in table:
        problems.add(("accounts",), "must hold at least one account, such as [accounts.shop]")
    else:
        installed = registry.list_installed()
        for name, account_table in given.items():
            account = read_account_table(name, account_table, problems, folder, installed)
            if account is not None:
                accounts[name] = account
        _check_former_names(accounts, problems)
    problems.raise_if_any()
    return Config(
        journal=journal,
        journal_keys=journal_keys,
        checks=checks,
        other_means=other_means,
        accounts=accounts,
        account_source=account_source,
    )


def _journal(given: Any, problems: ConfigProblems, folder: Path | None) -> str | None:
    """Read the URL, which may be given like a secret, because it may hold a password."""
    if callable(given):
        given = None  # the URL is read now, and no callable is called while loading
    journal = None
    with problems.collect(("journal",)):
        journal = DatabaseUrl.of(given, folder=folder).get()
    return journal  # noqa: RET504 - still None where the block noted a problem


def _journal_keys(given: Any, problems: ConfigProblems, folder: Path | None) -> dict[str, SecretSource]:
    if not isinstance(given, Mapping):
        problems.add(("journal_keys",), f"must be a table of keys by id, not {toml_type_name(given)}")
        return {}
    keys = {}
    for name, key in given.items():
        with problems.collect(("journal_keys", name)):
            if not isinstance(name, str) or not _KEY_ID.fullmatch(name):
                raise ConfigurationError("must be named with 1 to 16 letters and digits")
            keys[name] = SecretSource.of(key, folder=folder)
            keys[name].check()
    return keys


def _check_former_names(accounts: Mapping[str, AccountConfig], problems: ConfigProblems) -> None:
    """Check that a former name belongs to one account only, and is not the name of an account now."""
    taken: dict[str, str] = {}
    for account in accounts.values():
        for former in account.former_names or ():
            where = ("accounts", account.name, "former_names")
            if former in accounts:
                problems.add(where, f"has {former}, which is still an account of this configuration")
            elif former in taken:
                problems.add(where, f"has {former}, which is also a former name of {taken[former]}")
            taken[former] = account.name
