"""How `providers` shows what the contract run of a provider proved."""

from __future__ import annotations

from typing import Any

import attrs

from voucher_gateway.adapter import ConfigurationError, VoucherProvider
from voucher_gateway.conformance import Conformance
from voucher_gateway.testing.claims import claim_of

_NONE = "no contract run"
_UNREADABLE = "unreadable"


@attrs.frozen(kw_only=True)
class Proven:
    """What the conformance.json of one provider told.

    Attributes:
        found: what it says; None where there is none, or none that can be read.
        error: why it cannot be read, in a sentence.
    """

    found: Conformance | None = None
    error: str | None = None

    @classmethod
    def of(cls, provider: type[VoucherProvider]) -> Proven:
        """Look for the file of a provider."""
        try:
            return cls(found=claim_of(provider))
        except ConfigurationError as error:
            return cls(error=f"{provider.name}: {error.message}")

    @property
    def line(self) -> str:
        """For people: level and figures."""
        if self.error is not None:
            return _UNREADABLE
        return _NONE if self.found is None else self.found.summary

    @property
    def object(self) -> dict[str, Any] | None:
        """For programs; None where there was no contract run."""
        if self.error is not None:
            return {"error": self.error}
        if self.found is None:
            return None
        return {
            "suite": self.found.suite,
            "level": self.found.level.word,
            "kept": list(self.found.kept),
            "not_applicable": dict(self.found.not_applicable),
            "error": None,
        }
