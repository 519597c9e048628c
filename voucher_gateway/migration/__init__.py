"""Moving an estate of vouchers from one account to another: plan, run, verify, roll back.

Everything goes through the interface that all providers have, so that any pair of accounts will do. The names here are
loaded when they are first used.
"""

from voucher_gateway.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
