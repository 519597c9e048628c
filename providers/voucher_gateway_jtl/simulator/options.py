"""What the documents of the vendor leave open, as options."""

from __future__ import annotations

from attrs import field, frozen, validators

from voucher_gateway.simulator import SimulatorOptions


@frozen(kw_only=True)
class JtlOptions(SimulatorOptions):
    """What the vendor leaves open, so that adapters can be tried against either reading.

    Attributes:
        token_lifetime_s: of access tokens; the one of the announcement does not end by time.
        pin_required: whether a voucher with a PIN can be reserved without it.
        reserved_is_subtracted: whether remaining_amount leaves out what is reserved.
        update_inactive_only: whether sku and batch of an active voucher are fixed (changelog 1.1 says so, the page's
            example is active).
        omit_unset: whether fields without a value are left out of answers, as the vendor's schema has no null for
            them; otherwise they are null.
        seed_links: whether the links of lists are the nonsense of the vendor's example: another host, and the same
            pages whatever page was asked for.
        refunds_show_order: whether a refund repeats the order number of its charge.
        max_per_page: the longest page that clients get, whatever they ask for.
    """

    token_lifetime_s: int = field(default=3600, validator=validators.ge(1))
    pin_required: bool = True
    reserved_is_subtracted: bool = False
    update_inactive_only: bool = False
    omit_unset: bool = True
    seed_links: bool = False
    refunds_show_order: bool = False
    max_per_page: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
