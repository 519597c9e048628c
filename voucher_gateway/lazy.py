"""Public names of a module that are imported when they are first used.

The names stand once, in the stub beside the module's file, which type checkers read as well:

    __getattr__, __dir__, __all__ = attach_stub(__name__, __file__)

The library `lazy-loader` does the same. Its documentation names a race between threads on Python below 3.11.9 and
3.12.3, and we support those versions.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def attach_stub(module: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` for a module.

    Args:
        module: the module's ``__name__``.
        file: its ``__file__``. The stub of that name beside it (``.pyi``) holds ``from module import name as name`` and
            the type of ``__all__``.
    """
    homes = _read_stub(Path(file).with_suffix(".pyi"))
    public = sorted(name for name in homes if not name.startswith("_"))

    def load_name(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = _import_name(homes[name], name)
        setattr(sys.modules[module], name, value)  # so the next access does not come here
        return value

    def list_names() -> list[str]:
        return sorted(homes)

    return load_name, list_names, public


def _import_name(home: str, name: str) -> Any:
    """Return what ``from home import name`` gives: an attribute, or else a submodule."""
    package = importlib.import_module(home)
    return getattr(package, name) if hasattr(package, name) else importlib.import_module(f"{home}.{name}")


def _read_stub(stub: Path) -> dict[str, str]:
    tree = ast.parse(stub.read_text("utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or "" for node in imports for alias in node.names}
