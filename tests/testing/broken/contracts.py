"""The contract of every broken provider; run by `test_broken_providers.py` in a separate process."""

from __future__ import annotations

from tests.testing.broken import wrong_lists, wrong_manners, wrong_vouchers
from tests.testing.broken.registry import BROKEN
from tests.testing.corner.simulator import CornerSimulator
from voucher_gateway.testing import Level, ProviderContract

assert wrong_lists is not None
assert wrong_manners is not None
assert wrong_vouchers is not None

for _name, (_provider, _number) in BROKEN.items():
    globals()[f"Test{_name}"] = type(
        f"Test{_name}",
        (ProviderContract,),
        {
            "provider": _provider,
            "simulator": CornerSimulator,
            "level": Level.READ,
            "counts": False,
            "meant": _number,
            "__module__": __name__,
        },
    )
