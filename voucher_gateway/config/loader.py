"""Reads the configuration: the accounts and the journal.

::

    journal = "sqlite:///voucher-gateway.db"

    [accounts.shop]
    provider = "jtl"
    base_url = "https://vouchers-sbx.api.jtl-software.com/v1"
    client_id = "..."
    client_secret = { env = "JTL_SECRET" }
    code_pattern = "^JTL-"

An account has the keys ``provider``, ``code_pattern``, ``normalize_codes``, ``accept_risks`` and ``former_names``, and
those of its provider: the attributes of its `settings_type`, read by `voucher_gateway.config.provider_settings`. The
table ``[checks]`` has the attributes of `CheckLimits`. Nothing is coerced, but a value may stand in an environment
variable (`voucher_gateway.config.variables`). What differs between stages stands under ``[stages.NAME]``
(`voucher_gateway.config.stages`). An unknown key is an error. One error names everything that is wrong, one line each.
No message quotes a value that could be a secret.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from voucher_gateway import registry
from voucher_gateway.config.check_limits import CheckLimits, read_check_limits
from voucher_gateway.config.other_means import load_other_means
from voucher_gateway.config.provider_settings import ConfigProblems, Where, did_you_mean, read_settings, toml_type_name
from voucher_gateway.config.stages import apply_stage
from voucher_gateway.config.variables import is_variable, read_any, read_array
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.masking import hide_arguments
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.registry import InstalledProvider
from voucher_gateway.rules import CodeNormalization
from voucher_gateway.setting_types import DatabaseUrl, SecretSource

CONFIG_VARIABLE: Final = "VOUCHER_GATEWAY_CONFIG"
"""The environment variable that names the config file of the command line."""

_DEFAULT_FILE: Final = "voucher-gateway.toml"
_TOP_KEYS: Final = ("accounts", "checks", "journal", "journal_keys", "other_means", "stages")
_COMMON_KEYS: Final = ("provider", "code_pattern", "normalize_codes", "accept_risks", "former_names")
_ACCOUNT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_PLAIN_WORDS: Final = re.compile(r"(?:[A-Za-z ,/]|'[^']{1,2}')+", re.ASCII)
_KEY_ID: Final = re.compile(r"[A-Za-z0-9]{1,16}", re.ASCII)


@attrs.frozen(kw_only=True)
class AccountConfig:
    """One vendor login.

    Attributes:
        name: the caller's name for it.
        provider: the provider's name.
        code_pattern: matches the codes of this account; None if any code can be.
        normalize_codes: what is done to a code before it is looked up.
        accept_risks: the names of risky emulations that may be used, as in `emulation.registry.RISKS`.
        former_names: the names that the account had before; None if the configuration does not list them.
        provider_type: its class.
        settings: an instance of the provider's `settings_type`.
    """

    name: str
    provider: str
    provider_type: type[VoucherProvider]
    code_pattern: re.Pattern[str] | None = None
    normalize_codes: frozenset[CodeNormalization] = frozenset()
    accept_risks: frozenset[str] = frozenset()
    former_names: tuple[str, ...] | None = None
    settings: Any

    def make_provider(self) -> VoucherProvider:
        """Return the vendor, seen through this account. Whoever calls this closes it.

        Raises:
            ConfigurationError: if the provider refuses its settings.
        """
        return self.provider_type(self.name, self.settings)


@attrs.frozen(kw_only=True)
class Config:
    """A configuration without errors.

    Attributes:
        journal: the journal's database URL; None for no journal. It may hold a password and is kept out of repr.
        journal_keys: the journal's secret keys by id, the newest last; empty for the default key file.
        checks: how many codes may be tried.
        other_means: the shop's other means, an `OtherMeans`; None if the configuration names none.
        accounts: the accounts by name, in the order of the file.
    """

    journal: str | None = attrs.field(default=None, repr=False)
    journal_keys: Mapping[str, SecretSource] = attrs.field(factory=dict, hash=False)
    checks: CheckLimits = attrs.field(factory=CheckLimits)
    other_means: Any = attrs.field(default=None, repr=False)
    accounts: Mapping[str, AccountConfig] = attrs.field(hash=False)


def default_config_path() -> Path:
    """Return the file that the environment names in `CONFIG_VARIABLE`, else the one in the working directory."""
    return Path(os.environ.get(CONFIG_VARIABLE) or _DEFAULT_FILE)


@hide_arguments
def load_config(source: str | os.PathLike[str] | Mapping[str, Any], *, stage: str | None = None) -> Config:
    """Read a configuration from a TOML file, or from a dict of the same shape.

    Checks that secrets exist, but calls no callables, which only a dict can hold. Relative paths of secrets and of an
    SQLite journal begin at the folder of the file, so that they do not depend on where a program is started. Those of
    a dict begin at the working directory.

    Args:
        source: the file's path, or the dict.
        stage: the stage, see `voucher_gateway.config.stages`; None for the one that the environment names, if any.

    Raises:
        ConfigurationError: with one line for each thing that is wrong: file, account, key and the rule it breaks.
    """
    if isinstance(source, Mapping):
        return _config(source, stage, ConfigProblems("config"), None)
    path = Path(source)
    return _config(_parse_toml(path), stage, ConfigProblems(str(path)), path.absolute().parent)


def _parse_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
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
    return f"{sentence if _PLAIN_WORDS.fullmatch(sentence) else 'syntax error'} (at {place}"


def _config(source: Mapping[str, Any], stage: str | None, problems: ConfigProblems, folder: Path | None) -> Config:
    table = apply_stage(source, stage, problems)
    for key in table:
        if key not in _TOP_KEYS:
            problems.add((key,), f"is not a key of a configuration{did_you_mean(key, _TOP_KEYS)}")
    journal = _journal(table["journal"], problems, folder) if "journal" in table else None
    journal_keys = _journal_keys(table.get("journal_keys", {}), problems, folder)
    checks = read_check_limits(table.get("checks", {}), problems)
    other_means = load_other_means(read_any(table["other_means"]), problems) if "other_means" in table else None
    accounts = {}
    given = table.get("accounts", {})
    if not isinstance(given, Mapping):
        problems.add(("accounts",), f"must be a table, not {toml_type_name(given)}")
    elif not given:
        problems.add(("accounts",), "must hold at least one account, such as [accounts.shop]")
    else:
        installed = registry.list_installed()
        for name, account_table in given.items():
            account = _account(name, account_table, problems, folder, installed)
            if account is not None:
                accounts[name] = account
        _check_former_names(accounts, problems)
    problems.raise_if_any()
    return Config(journal=journal, journal_keys=journal_keys, checks=checks, other_means=other_means, accounts=accounts)


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


def _account(
    name: Any, table: Any, problems: ConfigProblems, folder: Path | None, installed: tuple[InstalledProvider, ...]
) -> AccountConfig | None:
    where = ("accounts", name)
    if not isinstance(name, str) or not _ACCOUNT_NAME.fullmatch(name):
        problems.add(where, "must be named with letters, digits and _ . - (64 at most, a letter or digit first)")
    if not isinstance(table, Mapping):
        problems.add(where, f"must be a table, not {toml_type_name(table)}")
        return None
    code_pattern = _code_pattern(table["code_pattern"], problems, where) if "code_pattern" in table else None
    normalize_codes = _normalize_codes(table.get("normalize_codes", ()), problems, where)
    accept_risks = _accept_risks(table.get("accept_risks", ()), problems, where)
    former_names = _former_names(table["former_names"], problems, where) if "former_names" in table else None
    provider_type = _provider_type(table, problems, where, installed)
    if provider_type is None:
        for key in table:
            # Without the provider its keys are not known, but a misspelt key of ours can be reported.
            if key not in _COMMON_KEYS and (meant := did_you_mean(key, _COMMON_KEYS)) and "provider" not in table:
                problems.add((*where, key), f"is not a key of an account{meant}")
        return None
    own = {key: value for key, value in table.items() if key not in _COMMON_KEYS}
    settings = read_settings(provider_type.settings_type, own, problems, where, folder=folder, reserved=_COMMON_KEYS)
    return AccountConfig(
        name=name,
        provider=read_any(table["provider"]),
        provider_type=provider_type,
        code_pattern=code_pattern,
        normalize_codes=normalize_codes,
        accept_risks=accept_risks,
        former_names=former_names,
        settings=settings,
    )


def _provider_type(
    table: Mapping[str, Any], problems: ConfigProblems, where: Where, installed: tuple[InstalledProvider, ...]
) -> type[VoucherProvider] | None:
    where = (*where, "provider")
    provider = table.get("provider")
    if is_variable(provider):
        provider = _read(read_any, provider, problems, where, default=None)
        if provider is None:
            return None
    names = sorted({candidate.name for candidate in installed})
    provider_type = None
    with problems.collect(where):
        if isinstance(provider, str) and provider in names:
            provider_type = registry.load(provider, installed)
        elif isinstance(provider, str) or "provider" not in table:
            rule = "is missing" if provider is None else f"is not an installed provider{did_you_mean(provider, names)}"
            problems.add(where, f"{rule}; installed: {', '.join(names) or 'none'}")
        else:
            problems.add(where, f"must be a string, not {toml_type_name(provider)}")
    return provider_type


def _code_pattern(given: Any, problems: ConfigProblems, where: Where) -> re.Pattern[str] | None:
    where = (*where, "code_pattern")
    given = _read(read_any, given, problems, where, default=None)
    if given is None:
        return None
    if not isinstance(given, str):
        problems.add(where, f"must be a string, not {toml_type_name(given)}")
    elif not given:
        problems.add(where, "must not be empty")
    else:
        try:
            return re.compile(given)
        except re.error as error:
            place = "" if error.pos is None else f" (error at character {error.pos + 1})"
            problems.add(where, f"must be a regular expression{place}")
        except (OverflowError, RecursionError):
            problems.add(where, "must be a smaller regular expression")
    return None


def _normalize_codes(given: Any, problems: ConfigProblems, where: Where) -> frozenset[CodeNormalization]:
    where = (*where, "normalize_codes")
    known = [word.value for word in CodeNormalization]
    given = _read(read_array, given, problems, where, default=())
    if not isinstance(given, list | tuple | set | frozenset):
        problems.add(where, f"must be an array of names, not {toml_type_name(given)}")
        return frozenset()
    for word in given:
        if not isinstance(word, str):
            problems.add(where, f"must be an array of strings, and has {toml_type_name(word)}")
        elif word not in known:
            problems.add(where, f"holds an unknown name{did_you_mean(word, known)}; known: {', '.join(known)}")
    words = frozenset(CodeNormalization(word) for word in given if word in known)
    if {CodeNormalization.UPPER_CASE, CodeNormalization.LOWER_CASE} <= words:
        problems.add(where, "must not hold both upper-case and lower-case")
    return words


def _accept_risks(given: Any, problems: ConfigProblems, where: Where) -> frozenset[str]:
    where = (*where, "accept_risks")
    given = _read(read_array, given, problems, where, default=())
    if not isinstance(given, list | tuple | set | frozenset):
        problems.add(where, f"must be an array of names, not {toml_type_name(given)}")
        return frozenset()
    if not given:
        return frozenset()
    # It imports every command and emulation, which takes as long as reading a configuration, and few accounts need it.
    from voucher_gateway.emulation.registry import RISKS

    for risk in given:
        if not isinstance(risk, str):
            problems.add(where, f"must be an array of strings, and has {toml_type_name(risk)}")
        elif risk not in RISKS:
            known = ", ".join(sorted(RISKS))
            problems.add(where, f"holds an unknown name{did_you_mean(risk, RISKS)}; known: {known}")
    return frozenset(risk for risk in given if isinstance(risk, str))


def _former_names(given: Any, problems: ConfigProblems, where: Where) -> tuple[str, ...]:
    where = (*where, "former_names")
    given = _read(read_array, given, problems, where, default=())
    if not isinstance(given, list | tuple):
        problems.add(where, f"must be an array of names, not {toml_type_name(given)}")
        return ()
    if any(not isinstance(name, str) or not _ACCOUNT_NAME.fullmatch(name) for name in given):
        problems.add(where, "must hold names of accounts: letters, digits and _ . - (64 at most)")
        return ()
    return tuple(dict.fromkeys(given))


def _read(reader: Callable[[Any], Any], given: Any, problems: ConfigProblems, where: Where, *, default: Any) -> Any:
    """Return a value, perhaps read from an environment variable; the default after a problem with that."""
    value = default
    with problems.collect(where):
        value = reader(given)
    return value  # noqa: RET504 - still the default where the block noted a problem


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
