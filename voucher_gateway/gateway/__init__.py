"""The gateway over all accounts."""

from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.find import FindResult
from voucher_gateway.gateway.gateway import Gateway

__all__ = ["Account", "FindResult", "Gateway"]
