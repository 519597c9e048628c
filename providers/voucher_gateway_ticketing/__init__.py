"""The ticketing vendor (vivenu) for voucher-gateway: the provider ``ticketing``, and its simulator beside it.

The names here are loaded when they are first used: whoever wants the simulator alone imports no adapter with it.
"""

from voucher_gateway.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
