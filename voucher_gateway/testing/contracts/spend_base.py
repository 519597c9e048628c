"""What the tests of the spend level are given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory


class SpendBase(Contract):
    """Fixtures of the spend level."""

    @pytest.fixture
    def scenes(self, stage: VendorUnderTest) -> VoucherFactory:
        """Vouchers of every kind, made by an instance of their own."""
        return VoucherFactory(stage, stage.provider())


def changing(provider: type[VoucherProvider] | VoucherProvider) -> Iterator[Operation]:
    """Yield the changing operations that a provider has itself."""
    for operation in Operation:
        if operation.changes and provider.declared.of(operation).support is Support.NATIVE:
            yield operation
