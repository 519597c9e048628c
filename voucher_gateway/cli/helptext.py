"""The help of commands, from their docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable


def paragraphs(command: Callable[..., None]) -> str:
    """Return a command's docstring with each paragraph on one line, so that the help fits any width."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in (inspect.getdoc(command) or "").split("\n\n"))
