"""The pretended card processor of `docs/examples`, running as a separate process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import requests

from docs.examples.card_processor.client import CardMeans

EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "examples"
IMPATIENT_S: Final = 0.5
"""How long a client of a test waits for an answer."""


@attrs.frozen
class RunningProcessor:
    """A card processor that listens, with its control API.

    Attributes:
        base_url: where it listens.
    """

    base_url: str

    def means(self, card: str = "tok_good", **options: Any) -> CardMeans:
        """Return its client for the card of one order."""
        return CardMeans(self.base_url, card, **{"timeout_s": IMPATIENT_S, **options})

    def arm(self, name: str, operation: str = "*", **options: int) -> None:
        """Let a fault wait for its requests."""
        self._control("POST", "faults", {"name": name, "operation": operation, **options})

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._control("DELETE", "faults")

    def deliver(self) -> None:
        """Carry out the requests that are late."""
        self._control("POST", "deliver", {})

    def advance(self, seconds: float) -> None:
        """Move its clock forward."""
        self._control("POST", "clock", {"seconds": seconds})

    def confirm(self, key: str, *, accepted: bool = True) -> None:
        """Confirm a payment as the customer does at the bank."""
        reply = requests.post(f"{self.base_url}/charges/{key}/confirm", json={"accepted": accepted}, timeout=10)
        reply.raise_for_status()

    def charges(self) -> list[dict[str, Any]]:
        """Return all charges of its books."""
        charges: list[dict[str, Any]] = self._control("GET", "books")["charges"]
        return charges

    def requests(self) -> list[dict[str, str]]:
        """Return the requests that arrived: operation, key and fault."""
        arrived: list[dict[str, str]] = self._control("GET", "requests")["requests"]
        return arrived

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        reply = requests.request(method, f"{self.base_url}/control/{path}", json=body, timeout=10)
        reply.raise_for_status()
        return reply.json()


def kept(charge: dict[str, Any]) -> Decimal:
    """Return what a charge of the books took and did not give back."""
    return Decimal(charge["captured"]) - sum(map(Decimal, charge["refunded"].values()), Decimal(0))


@contextmanager
def card_processor() -> Iterator[RunningProcessor]:
    """Run the processor as a separate process."""
    command = [sys.executable, "-m", "card_processor"]
    with subprocess.Popen(command, cwd=EXAMPLES, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield RunningProcessor(json.loads(process.stdout.readline())["base_url"])
        finally:
            process.kill()
