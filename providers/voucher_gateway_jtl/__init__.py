"""JTL-Voucher for voucher-gateway: the provider ``jtl``, and its simulator in `voucher_gateway_jtl.simulator`.

The names are loaded at their first use, so that an import of the simulator does not import the adapter.
"""

from voucher_gateway.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
