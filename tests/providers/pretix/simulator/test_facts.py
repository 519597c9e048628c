"""The simulator answers the requests of the facts as the real program does: the same tests run on both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.providers.pretix.simulator.simulated_program import START, SimulatedProgram
from tests.witness.test_pretix_facts import (
    TestIssue,
    TestIssuers,
    TestKeys,
    TestReading,
    TestRefusals,
    TestTransact,
    TestUpdate,
)
from voucher_gateway.simulator import start

__all__ = ["TestIssue", "TestIssuers", "TestKeys", "TestReading", "TestRefusals", "TestTransact", "TestUpdate"]


@pytest.fixture
def pretix() -> Iterator[SimulatedProgram]:
    """A simulator without cards."""
    with start("pretix", vouchers=0, start=START) as running:
        yield SimulatedProgram(running)
