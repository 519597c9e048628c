"""The gateway over all accounts."""

from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.gateway.lookup import FindResult

__all__ = ["Account", "FindResult", "Gateway"]
