"""Vouchers that the shop issues itself, in SQLite or PostgreSQL: the provider ``local``."""

from voucher_gateway_local.provider import LocalProvider
from voucher_gateway_local.settings import LocalSettings

__all__ = ["LocalProvider", "LocalSettings"]
