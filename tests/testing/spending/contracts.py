"""The contract of every broken provider; run by `test_broken_providers.py` in a separate process."""

from __future__ import annotations

from typing import Any

from tests.providers.local.vendor import LocalVendor
from tests.testing.keyed.provider import KeyedProvider
from tests.testing.keyed.simulator import KeyedSimulator
from tests.testing.spending import (
    wrong_crashes,
    wrong_effects,
    wrong_issues,
    wrong_keys,
    wrong_lookups,
    wrong_references,
    wrong_refunds,
    wrong_spending,
)
from tests.testing.spending.registry import BROKEN
from voucher_gateway.provider_api import VoucherProvider
from voucher_gateway.testing import ProviderContract
from voucher_gateway_local import LocalProvider

assert all(
    (
        wrong_crashes,
        wrong_effects,
        wrong_issues,
        wrong_keys,
        wrong_lookups,
        wrong_references,
        wrong_refunds,
        wrong_spending,
    )
)


class _DatabaseVendor(LocalVendor):
    """A database of one's own vouchers behind a broken provider."""

    def __init__(self, kind: type[LocalProvider], vouchers: int) -> None:
        self._kind = kind
        super().__init__(vouchers)

    def provider(self, **settings: Any) -> LocalProvider:
        made = super().provider(**settings)
        made.__class__ = self._kind  # the vendor knows one class only, and these differ in methods alone
        return made


def _vendor_attributes(kind: type[VoucherProvider]) -> dict[str, Any]:
    """Return what a contract says of its vendor, where that is not the installed simulator of the provider's name."""
    if issubclass(kind, KeyedProvider):
        return {"simulator": KeyedSimulator}
    if not issubclass(kind, LocalProvider):
        return {}
    return {
        "make_vendor": lambda _, **options: _DatabaseVendor(kind, options.get("vouchers", 25)),
        "vendor_faults": frozenset(LocalVendor.faults),
    }


for _name, (_provider, _number) in BROKEN.items():
    globals()[f"Test{_name}"] = type(
        f"Test{_name}",
        (ProviderContract,),
        {
            "provider": _provider,
            "counts": False,
            "meant": _number,
            "__module__": __name__,
            **_vendor_attributes(_provider),
        },
    )
