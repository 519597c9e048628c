"""Commands of the command line, built once a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import pytest
import typer.main

from voucher_gateway.cli.command_table import LazyCommand


@contextmanager
def remembered_commands() -> Iterator[None]:
    """Build the tree of commands once, and each command once for each function.

    Typer reads all signatures again for each run, which takes a quarter of the CPU of a command that runs in this
    process. A command holds nothing of a run: its values are in its context.
    """
    build_tree = cache(typer.main.get_command)
    load = LazyCommand.load
    commands: dict[tuple[str | None, str, Callable[..., Any]], Any] = {}

    def load_once(command: LazyCommand) -> Any:
        module, _, function = command.target.partition(":")
        key = command.name, command.target, getattr(import_module(f"voucher_gateway.cli.commands.{module}"), function)
        if key not in commands:
            commands[key] = load(command)
        return commands[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", build_tree)
        patch.setattr(LazyCommand, "load", load_once)
        yield
