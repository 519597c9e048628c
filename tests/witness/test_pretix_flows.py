"""Every call of the adapter, and what becomes of lost answers, on the real program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.providers.pretix.test_flows import TestCalls, TestLostAnswers, TestRefusals, TestValueAfterwards
from tests.providers.pretix.vendor import Pretix
from tests.support.simulators import simulators
from tests.witness.pretix_program import PretixProgram
from tests.witness.pretix_relay import PretixRelay

__all__ = ["TestCalls", "TestLostAnswers", "TestRefusals", "TestValueAfterwards"]

pytestmark = pytest.mark.slow


@pytest.fixture
def pretix(running_pretix: PretixProgram, tmp_path: Path) -> Iterator[Pretix]:
    """The program without gift cards, behind the relay. It takes longer to answer than a simulator."""
    PretixRelay.program = running_pretix
    with simulators() as start_simulator, ExitStack() as stack:
        running = start_simulator(PretixRelay, vouchers=0)
        patience = {"read_timeout_s": 60.0, "total_timeout_s": 120.0}
        yield Pretix(running, f"sqlite:///{tmp_path / 'journal.db'}", stack, patience)
