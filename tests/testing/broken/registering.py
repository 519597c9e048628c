"""Broken providers by name, and the promise that each is meant to break."""

from __future__ import annotations

from collections.abc import Callable

from tests.testing.corner.provider import CornerProvider

BROKEN: dict[str, tuple[type[CornerProvider], str]] = {}


def breaks(number: str) -> Callable[[type[CornerProvider]], type[CornerProvider]]:
    """Note that a provider breaks a promise."""

    def note(provider: type[CornerProvider]) -> type[CornerProvider]:
        BROKEN[provider.__name__] = (provider, number)
        return provider

    return note
