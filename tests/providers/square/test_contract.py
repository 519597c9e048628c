"""The Square provider keeps the contract, against its simulator."""

from __future__ import annotations

from voucher_gateway.testing import ProviderContract
from voucher_gateway_square import SquareProvider


class TestSquare(ProviderContract):
    provider = SquareProvider
