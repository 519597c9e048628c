"""The contract of every provider of voucher-gateway."""

from __future__ import annotations

from voucher_gateway import registry
from voucher_gateway.testing import Level, ProviderContract

from voucher_gateway_acme.provider import AcmeProvider
from voucher_gateway_acme.simulator import AcmeSimulator


class TestAcme(ProviderContract):
    """Tests every promise that applies to the provider."""

    provider = AcmeProvider
    simulator = AcmeSimulator
    level = Level.CRASH_SAFE


def test_the_gateway_finds_the_provider_that_is_installed() -> None:
    assert registry.load("acme") is AcmeProvider
