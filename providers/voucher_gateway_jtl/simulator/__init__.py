"""A simulator of the JTL Voucher Cloud API 1.8, written from the vendor's documents."""

from __future__ import annotations

from voucher_gateway_jtl.simulator.options import JtlOptions
from voucher_gateway_jtl.simulator.simulator import JtlSimulator

__all__ = ["JtlOptions", "JtlSimulator"]
