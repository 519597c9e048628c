"""A simulator of the JTL Voucher Cloud API 1.8, written from the vendor's documents."""

from __future__ import annotations

from .options import JtlOptions
from .simulator import JtlSimulator

__all__ = ["JtlOptions", "JtlSimulator"]
