"""Broken providers by name, and the promise that each is meant to break."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tests.testing.corner.provider import CornerBase

Corner = TypeVar("Corner", bound=CornerBase)

BROKEN: dict[str, tuple[type[CornerBase], str]] = {}


def breaks(number: str) -> Callable[[type[Corner]], type[Corner]]:
    """Note that a provider breaks a promise."""

    def note(provider: type[Corner]) -> type[Corner]:
        BROKEN[provider.__name__] = (provider, number)
        return provider

    return note
