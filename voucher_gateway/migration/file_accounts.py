"""Accounts for files of vouchers. With them a file can be the source or the target of a migration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from voucher_gateway import registry
from voucher_gateway.config.provider_settings import ConfigProblems, read_settings
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.gateway import Gateway

FILE_SUFFIXES: Final = (".jsonl", ".csv")
"""The suffixes of the files of vouchers."""

FileFormat = Literal["jsonl", "csv"]
"""The format of a file of vouchers."""

_PROVIDER: Final = "file"
_MAX_PATH_LENGTH: Final = 255
"""In characters: the longest name of an account in the journal."""


def is_file_name(name: str) -> bool:
    """Return whether the name of a source or target is the path of a file of vouchers."""
    return Path(name).suffix.lower() in FILE_SUFFIXES


def problems_path(path: str) -> str:
    """Return the path of the file that lists the problems of a file of vouchers, beside that file."""
    return f"{path}.problems.txt"


@contextmanager
def add_file_accounts(
    gateway: Gateway,
    *names: str,
    reveal: bool = False,
    mask: bool = False,
    file_format: FileFormat | None = None,
    settings: Mapping[str, Mapping[str, object]] | None = None,
) -> Iterator[Gateway]:
    """Yield a gateway with all accounts of another one, and an account for each name that is the path of a file.

    The name of such an account is the path, exactly as it was given. At the end only the files are closed.

    Args:
        gateway: has the other accounts, and optionally a journal.
        *names: names of accounts, or paths that end in one of `FILE_SUFFIXES`.
        reveal: whether codes and PINs may be written into the files.
        mask: whether masked codes are written, if codes may not be written.
        file_format: the format of the files. If it is given, every name that is not an account is the path of a file.
        settings: other settings of the files, by path, such as the ``delimiter`` of CSV.

    Raises:
        ConfigurationError: if a name is neither an account nor such a path, or a setting is wrong.
    """
    paths = [name for name in dict.fromkeys(names) if not gateway.has_account(name)]
    if file_format is None and not all(map(is_file_name, paths)):
        # the message does not repeat the name: it may be a code that was given instead of an account
        raise ConfigurationError(
            f"no account has this name, and it is not a path that ends in {' or '.join(FILE_SUFFIXES)};"
            f" accounts: {', '.join(gateway.account_names)}"
        )
    common = {"reveal": reveal, "mask": mask, "format": file_format}
    files = [_file_account(path, {**common, **(settings or {}).get(path, {})}) for path in paths]
    try:
        needed = {name: gateway.account(name) for name in names if name not in paths}
        configured = {account.name: account for account in gateway.loaded_accounts} | needed
        yield Gateway([*configured.values(), *files], journal=gateway.journal)
    finally:
        for file in files:
            file.provider.close()


def _file_account(path: str, given: Mapping[str, object]) -> Account:
    if len(path) > _MAX_PATH_LENGTH:
        raise ConfigurationError(f"the path of a file has at most {_MAX_PATH_LENGTH} characters; use a relative path")
    provider_type = registry.load(_PROVIDER)
    problems = ConfigProblems(path)
    table = {"path": path, **{name: value for name, value in given.items() if value is not None}}
    settings = read_settings(provider_type.settings_type, table, problems, (), folder=None, reserved=())
    problems.raise_if_any()
    return Account(name=path, provider=provider_type(path, settings), former_names=())
