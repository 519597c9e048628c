"""The pretix provider keeps the contract of all providers against the real program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from tests.witness.pretix_program import PretixProgram
from tests.witness.pretix_relay import PretixRelay
from voucher_gateway.testing import Level, ProviderContract
from voucher_gateway_pretix import PretixProvider


@pytest.mark.slow
class TestPretixProgram(ProviderContract):
    provider = PretixProvider
    simulator = PretixRelay
    level = Level.CRASH_SAFE
    counts = False
    settings: ClassVar[Mapping[str, Any]] = {"read_timeout_s": 60.0, "total_timeout_s": 120.0}  # one worker answers all

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _the_program(cls, running_pretix: PretixProgram) -> None:
        PretixRelay.program = running_pretix
