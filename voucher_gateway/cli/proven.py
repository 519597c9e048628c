"""How `providers` shows what the contract run of a provider proved."""

from __future__ import annotations

from typing import Any

import attrs

from voucher_gateway.conformance import Conformance
from voucher_gateway.errors.kinds import ConfigurationError
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.testing.claims import load_conformance

_NONE = "no contract run"
_UNREADABLE = "unreadable"


@attrs.frozen(kw_only=True)
class ConformanceOutput:
    """What the conformance.json of one provider told.

    Attributes:
        conformance: what it says; None where there is none, or none that can be read.
        error: why it cannot be read, in a sentence.
    """

    conformance: Conformance | None = None
    error: str | None = None

    @classmethod
    def of(cls, provider: type[VoucherProvider]) -> ConformanceOutput:
        """Look for the file of a provider."""
        try:
            return cls(conformance=load_conformance(provider))
        except ConfigurationError as error:
            return cls(error=f"{provider.name}: {error.message}")

    @property
    def line(self) -> str:
        """For people: level and figures."""
        if self.error is not None:
            return _UNREADABLE
        return _NONE if self.conformance is None else self.conformance.summary

    @property
    def object(self) -> dict[str, Any] | None:
        """For programs; None where there was no contract run."""
        if self.error is not None:
            return {"error": self.error}
        if self.conformance is None:
            return None
        return {
            "suite": self.conformance.suite,
            "level": self.conformance.level.word,
            "kept": list(self.conformance.kept),
            "not_applicable": dict(self.conformance.not_applicable),
            "error": None,
        }
