"""The gateway over all accounts."""

from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.gateway.lookup import Lookup

__all__ = ["Account", "Gateway", "Lookup"]
