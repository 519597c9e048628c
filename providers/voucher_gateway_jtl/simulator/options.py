"""The options of the JTL simulator."""

from __future__ import annotations

from attrs import field, frozen, validators

from voucher_gateway.simulator import SimulatorOptions


@frozen(kw_only=True)
class JtlOptions(SimulatorOptions):
    """The common options, and one for each point that the vendor's documents leave open.

    An adapter can so be tested against every reading of the documents.

    Attributes:
        token_lifetime_s: the lifetime of access tokens; the announced one does not expire by time.
        pin_required: whether a voucher with a PIN can be reserved without it.
        reserved_is_subtracted: whether reserved value is subtracted from remaining_amount.
        update_inactive_only: whether an update of an active voucher is refused. Changelog 1.1 says so; in the page's
            example the voucher is active.
        omit_unset: whether replies leave fields without a value out, because the vendor's schema has no null for
            them; otherwise they are null.
        seed_links: whether the links of lists are those of the vendor's example, which are wrong: another host, and
            the same page numbers on every page.
        refunds_show_order: whether a refund repeats the order number of its charge.
        max_per_page: the most items of a page, even if the client asks for more.
    """

    token_lifetime_s: int = field(default=3600, validator=validators.ge(1))
    pin_required: bool = True
    reserved_is_subtracted: bool = False
    update_inactive_only: bool = False
    omit_unset: bool = True
    seed_links: bool = False
    refunds_show_order: bool = False
    max_per_page: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
