"""Files keep the whole contract, as far as a record of vouchers can be held to it."""

from __future__ import annotations

from typing import Any

from tests.providers.file.stage import FileStage
from voucher_gateway.testing import ProviderContract
from voucher_gateway_file import FileProvider


class TestJsonl(ProviderContract):
    provider = FileProvider
    stage_faults = frozenset(FileStage.faults)

    def make_stage(self, **options: Any) -> FileStage:
        return FileStage("jsonl", options.get("vouchers", 25))


class TestCsv(ProviderContract):
    provider = FileProvider
    stage_faults = frozenset(FileStage.faults)
    counts = False

    def make_stage(self, **options: Any) -> FileStage:
        return FileStage("csv", options.get("vouchers", 25))
