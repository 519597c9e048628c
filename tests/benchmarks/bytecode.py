"""The environment of child processes whose imports are measured."""

from __future__ import annotations

import os


def environment_with_bytecode(folder: str) -> dict[str, str]:
    """Return an environment in which Python stores the bytecode of all modules, as it does for an installed program.

    With PYTHONDONTWRITEBYTECODE only our modules would be compiled at each start.

    Args:
        folder: for the bytecode, of all modules alike.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
