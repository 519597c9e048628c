"""What the shell offers after a Tab: names of accounts and providers, and operations.

Nothing is sent, no provider is loaded and no error is shown: a shell has no place for one.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import typer


def complete_account(context: typer.Context, incomplete: str) -> list[str]:
    """Return the accounts of the configuration whose names begin so."""
    from voucher_gateway.config.loader import default_config_path

    path = context.find_root().params.get("config") or default_config_path()
    try:
        accounts = tomllib.loads(Path(path).read_text("utf-8")).get("accounts", {})
    except (OSError, ValueError):
        return []
    return [name for name in accounts if name.startswith(incomplete)]


def complete_provider(incomplete: str) -> list[str]:
    """Return the installed providers whose names begin so."""
    from voucher_gateway import registry

    return [provider.name for provider in registry.list_installed() if provider.name.startswith(incomplete)]


def complete_provider_or_account(context: typer.Context, incomplete: str) -> list[str]:
    """Return the providers and the accounts whose names begin so."""
    return [*complete_provider(incomplete), *complete_account(context, incomplete)]


def complete_operation(incomplete: str) -> list[str]:
    """Return the commands of changing operations that begin so."""
    from voucher_gateway.capabilities import Operation

    names = [operation.value.replace("_", "-") for operation in Operation if operation.changes]
    return [name for name in names if name.startswith(incomplete)]
