"""The ticketing vendor (vivenu) for voucher-gateway: the provider ``ticketing``, and its simulator beside it.

The names here are loaded when they are first used: whoever wants the simulator alone imports no adapter with it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voucher_gateway_ticketing.provider import TicketingProvider
    from voucher_gateway_ticketing.settings import PRODUCTION, STAGING, TicketingSettings

__all__ = ["PRODUCTION", "STAGING", "TicketingProvider", "TicketingSettings"]

_HOME_OF = {
    "PRODUCTION": "settings",
    "STAGING": "settings",
    "TicketingProvider": "provider",
    "TicketingSettings": "settings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
