"""The simulated pretix for the tests of the adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.providers.pretix.vendor import Pretix
from tests.support.simulators import simulators
from voucher_gateway_pretix.simulator import PretixSimulator


@pytest.fixture
def pretix(tmp_path: Path) -> Iterator[Pretix]:
    """A simulator of the test's own, without cards."""
    with simulators() as start_simulator, ExitStack() as stack:
        yield Pretix(start_simulator(PretixSimulator, vouchers=0), f"sqlite:///{tmp_path / 'journal.db'}", stack)
