"""Files as accounts: where a command takes the name of an account, the path of a file of vouchers will do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from voucher_gateway import registry
from voucher_gateway.cli.session import CliContext, configuring
from voucher_gateway.errors.kinds import ConfigurationError
from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.gateway import Gateway

FILE_SUFFIXES: Final = (".jsonl", ".csv")
"""What a path ends in that stands for a file of vouchers."""

_PROVIDER: Final = "file"

_LONGEST_PATH: Final = 255
"""In characters: as long as an account's name can be in the journal."""


def is_file(name: str) -> bool:
    """Whether the name of an end is the path of a file of vouchers."""
    return Path(name).suffix.lower() in FILE_SUFFIXES


def open_gateway_with_files(
    session: CliContext, *names: str, reveal: bool = False, mask: bool = False, file_format: str | None = None
) -> Gateway:
    """Return the gateway of the configuration, with an account for each name that is the path of a file.

    Such an account has the path as its name, just as it was given. Close the gateway, or use it in a ``with`` block.

    Args:
        session: the run of the command line.
        *names: accounts of the configuration, or paths that end in one of `FILE_SUFFIXES`.
        reveal: whether codes and PINs may be written into the files.
        mask: whether masks are written in their place otherwise.
        file_format: ``jsonl`` or ``csv``, for files whose suffix does not tell; they are then files whatever they
            are called, unless the configuration has an account of that name.

    Raises:
        ConfigurationError: if the configuration is wrong, or a name is neither an account nor such a path.
    """
    with configuring():
        configured = Gateway.from_config(session.config_path)
    try:
        known = {account.name for account in configured.accounts}
        paths = [name for name in dict.fromkeys(names) if name not in known]
        if file_format is None:
            _check_named(paths, known)
        files = [_file_account(path, reveal=reveal, mask=mask, format=file_format) for path in paths]
    except BaseException:
        configured.close()
        raise
    return Gateway([*configured.accounts, *files], journal=configured.journal)


def _check_named(paths: Iterable[str], known: Iterable[str]) -> None:
    if not all(map(is_file, paths)):
        # the name is not repeated: a code given in the account's place would show
        raise ConfigurationError(
            f"there is no account of this name, and it is no path that ends in {' or '.join(FILE_SUFFIXES)};"
            f" accounts: {', '.join(known)}"
        )


def _file_account(path: str, **settings: Any) -> Account:
    if len(path) > _LONGEST_PATH:
        raise ConfigurationError(f"the path of a file has at most {_LONGEST_PATH} characters: give a relative one")
    provider = registry.load(_PROVIDER)
    return Account(name=path, provider=provider(path, provider.settings_type(path=path, **settings)), former_names=())
