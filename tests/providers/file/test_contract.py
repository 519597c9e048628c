"""Files keep the whole contract, as far as a record of vouchers can be held to it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.file.vendor import FileVendor
from voucher_gateway.testing import ProviderContract
from voucher_gateway_file import FileProvider


class TestJsonl(ProviderContract):
    provider = FileProvider
    vendor_faults = frozenset(FileVendor.faults)

    def make_vendor(self, **options: Any) -> FileVendor:
        return FileVendor("jsonl", options.get("vouchers", 25))


@pytest.mark.long
class TestCsv(ProviderContract):
    provider = FileProvider
    vendor_faults = frozenset(FileVendor.faults)
    counts = False

    def make_vendor(self, **options: Any) -> FileVendor:
        return FileVendor("csv", options.get("vouchers", 25))
