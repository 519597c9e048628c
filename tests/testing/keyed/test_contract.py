"""A provider of a vendor with keys keeps the promises that the wrong ones of it break."""

from __future__ import annotations

from tests.testing.keyed.provider import KeyedProvider
from tests.testing.keyed.simulator import KeyedSimulator
from voucher_gateway.testing.contracts.crash import CrashContract
from voucher_gateway.testing.contracts.effects.keys import KeysContract
from voucher_gateway.testing.contracts.effects.references import ReferencesContract
from voucher_gateway.testing.contracts.effects.resolution import ResolutionContract


class TestKeyed(ReferencesContract, ResolutionContract, KeysContract, CrashContract):
    provider = KeyedProvider
    simulator = KeyedSimulator
    counts = False
