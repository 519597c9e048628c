"""Migrations: move all vouchers of one account to another. Plan, run, verify, roll back.

A migration uses only the interface that all providers share, so it works between any two accounts. The names of this
package are loaded when they are first used.
"""

from voucher_gateway.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
