"""How a vendor's reservations, redemptions and refunds behave, as data in `Capabilities`."""

from __future__ import annotations

import enum
from datetime import timedelta

import attrs


class RefundLink(enum.StrEnum):
    """Whether the vendor ties a refund to its redemption, and gives back no more than that took.

    Where it does not, the journal sums up the refunds of a redemption. Without a journal nothing does.

    Attributes:
        LINKED: it ties every refund to its redemption.
        WHOLE_LINKED: it ties the refund of the whole redemption. A refund of a part only adds value to the voucher.
        UNLINKED: a refund only adds value to the voucher.
    """

    LINKED = "linked"
    WHOLE_LINKED = "whole-linked"
    UNLINKED = "unlinked"


class RestAfterCapture(enum.StrEnum):
    """What becomes of the rest of a reservation of which a part was captured.

    Attributes:
        FREED: it can be spent again at once.
        HELD: it stays reserved until it is captured or released, or until the reservation ends.
    """

    FREED = "freed"
    HELD = "held"


@attrs.frozen(kw_only=True)
class ReservationRules:
    """How reservations behave at the vendor.

    Attributes:
        at_once: how many reservations a voucher can have at the same time; None for no documented limit.
        superseded_by_next: whether a new reservation silently ends the one before.
        time_to_live: how long one lasts if the caller does not choose it; None for no end.
        max_time_to_live: the longest life that a caller can choose; None where it cannot be chosen.
        extendable: whether the vendor can extend the life of a reservation that it has made.
        own_key: whether the reservation has a name of the caller's choice, by which it can be found again.
        partial_capture: whether less than the whole may be captured.
        rest_after_capture: what becomes of the rest after a partial capture.
        captures: how many captures one reservation allows; None for any number, up to its amount.
        release: whether the vendor has a call that ends one.

    Raises:
        ValueError: if the rules contradict each other.
    """

    at_once: int | None
    superseded_by_next: bool
    time_to_live: timedelta | None
    max_time_to_live: timedelta | None = None
    extendable: bool = False
    own_key: bool = False
    partial_capture: bool
    rest_after_capture: RestAfterCapture = RestAfterCapture.FREED
    captures: int | None = 1
    release: bool

    def __attrs_post_init__(self) -> None:
        if self.at_once is not None and self.at_once < 1:
            raise ValueError("at_once must be at least 1, or None for no documented limit")
        if self.superseded_by_next and self.at_once != 1:
            raise ValueError("superseded_by_next needs at_once=1: the next reservation ends the only one before")
        if self.captures is not None and self.captures < 1:
            raise ValueError("captures must be at least 1, or None for any number")
        if self.captures != 1 and self.rest_after_capture is RestAfterCapture.FREED:
            raise ValueError("several captures need rest_after_capture=RestAfterCapture.HELD")
        if self.rest_after_capture is RestAfterCapture.HELD and not self.partial_capture:
            raise ValueError("rest_after_capture=RestAfterCapture.HELD needs partial_capture")
        if self.max_time_to_live is not None and (
            self.time_to_live is None or self.max_time_to_live < self.time_to_live
        ):
            raise ValueError("max_time_to_live must be at least time_to_live, and needs one")

    @property
    def holds_rest(self) -> bool:
        """Whether the rest stays reserved after a partial capture."""
        return self.rest_after_capture is RestAfterCapture.HELD
