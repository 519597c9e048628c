"""The pretix provider keeps the contract of the read level against the real program."""

from __future__ import annotations

import pytest

from tests.witness.pretix_program import PretixProgram
from tests.witness.pretix_relay import PretixRelay
from voucher_gateway.testing import Level, ProviderContract
from voucher_gateway_pretix import PretixProvider


@pytest.mark.slow
class TestPretixProgram(ProviderContract):
    provider = PretixProvider
    simulator = PretixRelay
    level = Level.READ
    counts = False

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _the_program(cls, running_pretix: PretixProgram) -> None:
        PretixRelay.program = running_pretix
