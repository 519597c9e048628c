"""The contract of every broken provider; run by `test_spending_contract_bites.py` in a process of its own."""

from __future__ import annotations

from tests.testing.spending import (
    wrong_crashes,
    wrong_effects,
    wrong_issues,
    wrong_references,
    wrong_refunds,
    wrong_spending,
)
from tests.testing.spending.registering import BROKEN
from voucher_gateway.testing import ProviderContract

assert all((wrong_crashes, wrong_effects, wrong_issues, wrong_references, wrong_refunds, wrong_spending))

for _name, (_provider, _number) in BROKEN.items():
    globals()[f"Test{_name}"] = type(
        f"Test{_name}",
        (ProviderContract,),
        {"provider": _provider, "counts": False, "meant": _number, "__module__": __name__},
    )
