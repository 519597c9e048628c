"""How this vendor's simulator can be set up, chiefly where the documents leave several answers open."""

from typing import Literal

from attrs import field, frozen, validators

from voucher_gateway.simulator import SimulatorOptions
from voucher_gateway_ticketing.simulator.amounts import SellerCurrency
from voucher_gateway_ticketing.simulator.responses import RefusalBodies

CodeFilter = Literal["exact", "prefix", "case-insensitive"]
ListOrder = Literal["oldest-first", "newest-first"]


def _require_currency(_owner: object, _attribute: object, code: str) -> None:
    SellerCurrency.of(code)


@frozen(kw_only=True)
class TicketingOptions(SimulatorOptions):
    """The common options and this vendor's own.

    Attributes:
        seller_currency: ISO 4217 code of the seller's currency, which prices every voucher.
        show_id: vouchers carry an `_id`, which no document shows; otherwise only the look-up by code does.
        float_noise: balances are computed in binary floating point, such as 29.999999999999996.
        allow_duplicate_codes: a code can be created twice; what the vendor does is not documented.
        code_filter: how the list compares codes; not documented.
        list_order: not documented either.
        negative_redemptions: transactions show amounts with a minus; their sign is not documented.
        refusal_bodies: what a 400 or 404 has for a body, which no document says of the voucher calls: the shape that is
            described elsewhere, another JSON object, a text, or nothing.
        unknown_code_is_invalid: the look-up answers 200 with `invalid` for a code that does not exist, not 404.
    """

    seller_currency: str = field(default="EUR", validator=_require_currency)
    show_id: bool = True
    float_noise: bool = False
    allow_duplicate_codes: bool = False
    code_filter: CodeFilter = field(default="exact", validator=validators.in_(("exact", "prefix", "case-insensitive")))
    list_order: ListOrder = field(default="oldest-first", validator=validators.in_(("oldest-first", "newest-first")))
    negative_redemptions: bool = False
    refusal_bodies: RefusalBodies = field(
        default="described", validator=validators.in_(("described", "message", "text", "empty"))
    )
    unknown_code_is_invalid: bool = False
