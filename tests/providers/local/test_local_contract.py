"""Vouchers of one's own keep the whole contract."""

from __future__ import annotations

from typing import Any

from tests.providers.local.stage import LocalStage
from voucher_gateway.testing import ProviderContract
from voucher_gateway_local import LocalProvider


class TestLocal(ProviderContract):
    provider = LocalProvider
    stage_faults = frozenset(LocalStage.faults)

    def make_stage(self, **options: Any) -> LocalStage:
        return LocalStage(options.get("vouchers", 25))
