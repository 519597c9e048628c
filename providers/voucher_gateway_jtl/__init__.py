"""JTL-Voucher for voucher-gateway: the provider ``jtl``, and its simulator in `voucher_gateway_jtl.simulator`.

The names here are loaded when they are first used: whoever wants the simulator alone imports no adapter with it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voucher_gateway_jtl.provider import JtlProvider
    from voucher_gateway_jtl.settings import PRODUCTION, SANDBOX, JtlSettings

__all__ = ["PRODUCTION", "SANDBOX", "JtlProvider", "JtlSettings"]

_HOME_OF = {"JtlProvider": "provider", "JtlSettings": "settings", "PRODUCTION": "settings", "SANDBOX": "settings"}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
