"""The gateway in a Django project: one for each process, system checks, a command and a read-only admin.

INSTALLED_APPS = [..., "voucher_gateway.contrib.django"]
VOUCHER_GATEWAY = BASE_DIR / "voucher-gateway.toml"

from voucher_gateway.contrib.django import get_gateway
"""

from voucher_gateway.contrib.django.gateway import close_gateway, get_gateway, read_config

__all__ = ["close_gateway", "get_gateway", "read_config"]
