"""Everything that a provider imports from voucher-gateway, and nothing else is promised to it.

Only providers import from here; the core imports each name from its own module. The names and their modules stand in
the stub ``provider_api.pyi``. Each is imported when it is first used, so a provider without HTTP loads no HTTP library.
"""

from voucher_gateway.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
