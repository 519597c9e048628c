"""What the tests of the spend level are given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from voucher_gateway.adapter import Operation, Support, VoucherProvider
from voucher_gateway.testing.base import Contract
from voucher_gateway.testing.scenes import Scenes
from voucher_gateway.testing.stage import Stage


class SpendBase(Contract):
    """Fixtures of the spend level."""

    @pytest.fixture
    def scenes(self, stage: Stage) -> Scenes:
        """Vouchers of every kind, made by an instance of their own."""
        return Scenes(stage, stage.provider())


def changing(provider: type[VoucherProvider] | VoucherProvider) -> Iterator[Operation]:
    """Yield the changing operations that a provider has itself."""
    for one in Operation:
        if one.changes and provider.declared.of(one).support is Support.NATIVE:
            yield one
