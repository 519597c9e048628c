"""One exact, safe interface to vendors of gift cards (stored-value vouchers).

    from voucher_gateway import Gateway, Money

    gateway = Gateway.from_config("voucher-gateway.toml")
    gateway.redeem("shop", code, Money("10.53", "EUR"), reference="1001-a", order="1001")

The names here are loaded when they are first used, so that importing the package costs next to nothing.
"""

from voucher_gateway.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
