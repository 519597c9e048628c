"""The error of a file with mistakes."""

from __future__ import annotations

from collections.abc import Sequence

from voucher_gateway.provider_api import MalformedResponse


def mistaken(message: str, problems: Sequence[str]) -> MalformedResponse:
    """Return the error of a file whose owner has to mend it: no vendor and no adapter is at fault."""
    error = MalformedResponse(message, problems=tuple(problems))
    error.add_note("Mend the file where it says so, then give the same command again.")
    return error
