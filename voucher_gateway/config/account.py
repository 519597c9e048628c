"""Reads the table of one account: the keys of every account, and those of its provider."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from voucher_gateway import registry
from voucher_gateway.config.provider_settings import ConfigProblems, Where, did_you_mean, read_settings, toml_type_name
from voucher_gateway.config.variables import is_variable, read_any, read_array
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.registry import InstalledProvider
from voucher_gateway.rules.codes import CodeNormalization

COMMON_KEYS: Final = ("provider", "code_pattern", "normalize_codes", "accept_risks", "former_names")
"""The keys that every account has."""

_ACCOUNT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


def is_account_name(name: object) -> bool:
    """Whether an account can have a name."""
    return isinstance(name, str) and _ACCOUNT_NAME.fullmatch(name) is not None


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


def read_account_table(
    name: Any, table: Any, problems: ConfigProblems, folder: Path | None, installed: tuple[InstalledProvider, ...]
) -> AccountConfig | None:
    """Return the account that a table describes, or None after adding to `problems`.

    Args:
        name: the account's name.
        table: its keys, as in a configuration.
        problems: receives the problems.
        folder: the folder of relative paths; None for the working directory.
        installed: the installed providers.
    """
    where = ("accounts", name)
    if not is_account_name(name):
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
            if key not in COMMON_KEYS and (meant := did_you_mean(key, COMMON_KEYS)) and "provider" not in table:
                problems.add((*where, key), f"is not a key of an account{meant}")
        return None
    own = {key: value for key, value in table.items() if key not in COMMON_KEYS}
    settings = read_settings(provider_type.settings_type, own, problems, where, folder=folder, reserved=COMMON_KEYS)
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
    if not all(map(is_account_name, given)):
        problems.add(where, "must hold names of accounts: letters, digits and _ . - (64 at most)")
        return ()
    return tuple(dict.fromkeys(given))


def _read(reader: Callable[[Any], Any], given: Any, problems: ConfigProblems, where: Where, *, default: Any) -> Any:
    """Return a value, perhaps read from an environment variable; the default after a problem with that."""
    value = default
    with problems.collect(where):
        value = reader(given)
    return value  # noqa: RET504 - still the default where the block noted a problem
