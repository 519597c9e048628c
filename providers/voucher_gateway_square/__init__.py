"""Square for voucher-gateway: the provider ``square``, and its simulator beside it.

The names are loaded at their first use, so that an import of the simulator does not import the adapter.
"""

from voucher_gateway.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
