"""A new provider's distribution, written from templates: adapter, simulator skeleton, contract test, README."""

from __future__ import annotations

from voucher_gateway.scaffold.names import Naming
from voucher_gateway.scaffold.write import write_project

__all__ = ["Naming", "write_project"]
