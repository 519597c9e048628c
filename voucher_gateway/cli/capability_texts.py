"""Capabilities in words, for `voucher-gateway providers` and for the pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from voucher_gateway.rules.payments import RefundLink

if TYPE_CHECKING:
    from voucher_gateway.capabilities import Capabilities
    from voucher_gateway.rules.payments import ReservationRules

REFUND_LINKS: Final[Mapping[RefundLink, str]] = {
    RefundLink.LINKED: "linked to their redemption, so the vendor bounds them",
    RefundLink.WHOLE_LINKED: "linked to their redemption if they are whole; only the journal bounds those of a part",
    RefundLink.UNLINKED: "not linked to their redemption; only the journal bounds them",
}


def describe_payments(declared: Capabilities) -> Iterator[str]:
    """Yield what is to be known of the reservations and refunds of a vendor."""
    if declared.reservations is not None:
        yield from describe_reservations(declared.reservations)
    if declared.partial_approval:
        yield "a redemption of more than is left takes what is left"
    if declared.refund_link is not None:
        yield f"refunds are {REFUND_LINKS[declared.refund_link]}"


def describe_reservations(rules: ReservationRules) -> Iterator[str]:
    """Yield the rules of reservations."""
    if rules.at_once is None:
        yield "a voucher can have several at once"
    else:
        yield f"a voucher can have {rules.at_once} at once" + (", the latest" if rules.superseded_by_next else "")
    if rules.time_to_live is None:
        yield "they have no end"
    elif rules.max_time_to_live is None:
        yield f"they last {_minutes(rules.time_to_live)}"
    else:
        yield f"they last {_minutes(rules.time_to_live)}, or up to {_minutes(rules.max_time_to_live)} if chosen"
    if rules.extendable:
        yield "they can be extended"
    if rules.own_key:
        yield "they have a name of the caller's choice"
    if rules.partial_capture:
        yield f"a part can be captured, and the rest is {rules.rest_after_capture.value}"
    if rules.captures != 1:
        yield "several captures" if rules.captures is None else f"up to {rules.captures} captures"


def _minutes(life: timedelta) -> str:
    minutes = life.total_seconds() / 60
    return f"{minutes:g} minute" if minutes == 1 else f"{minutes:g} minutes"
