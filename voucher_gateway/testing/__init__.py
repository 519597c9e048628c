"""The contract that every provider keeps, for authors of providers, and fixtures for shops.

An author derives a test class from `ProviderContract`; docs/contract.md has the promises. Needs the extra ``testing``.
"""

from voucher_gateway.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
