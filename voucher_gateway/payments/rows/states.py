"""The states of a payment, of its legs, of its other means, and of its refunds."""

from __future__ import annotations

import enum
from typing import Final


class PaymentState(enum.StrEnum):
    """The state of a payment.

    Attributes:
        OPEN: vouchers can be added and removed. Nothing is taken. Value may be held while it is being authorized.
        AUTHORIZED: every leg stands, and the other means too if it is inside the payment. Nothing is taken.
        CAPTURING: the decision to take the money is committed. It can be resumed.
        CAPTURED: everything is taken.
        SHORT: a leg is lost. The caller decides whether other means pay the rest, or whether the payment is cancelled.
        CANCELLING: the decision to give everything back is committed. It can be resumed.
        CANCELLED: everything is given back.
    """

    OPEN = "open"
    AUTHORIZED = "authorized"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    SHORT = "short"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class LegState(enum.StrEnum):
    """The state of one leg of a payment.

    Attributes:
        PLANNED: nothing was sent for it in the present generation.
        HOLDING: its reservation is being made.
        HELD: its value is reserved, which guarantees it until `PaymentLeg.held_until`.
        CHECKED: the vendor cannot reserve. The value was there when the payment was authorized.
        CAPTURING: its value is being taken.
        CAPTURED: its value is taken.
        LOST: its value cannot be taken any more. It pays nothing of the order.
        RELEASING: its reservation is being given up.
        RELEASED: its reservation is given up, or ends by itself.
        RETURNING: its value is being given back.
        RETURNED: its value is given back.
        KEPT: its value is taken and cannot be given back, and the caller has accepted that.
        REMOVED: the caller removed it from the payment, and nothing of it is held any more.
    """

    PLANNED = "planned"
    HOLDING = "holding"
    HELD = "held"
    CHECKED = "checked"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    LOST = "lost"
    RELEASING = "releasing"
    RELEASED = "released"
    RETURNING = "returning"
    RETURNED = "returned"
    KEPT = "kept"
    REMOVED = "removed"


class OtherState(enum.StrEnum):
    """The state of the other means, where it is inside the payment.

    Attributes:
        NONE: nothing was asked of it in the present generation.
        AUTHORIZING: its authorization may have been asked for.
        AUTHORIZED: its authorization stands.
        CAPTURING: its capture may have been asked for.
        CAPTURED: its money is taken.
        LOST: its capture was refused.
        VOIDING: its authorization is being given up.
        VOIDED: it has no authorization any more.
        RETURNING: its money is being given back.
        RETURNED: its money is given back.
        KEPT: its money cannot be given back.
    """

    NONE = "none"
    AUTHORIZING = "authorizing"
    AUTHORIZED = "authorized"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    LOST = "lost"
    VOIDING = "voiding"
    VOIDED = "voided"
    RETURNING = "returning"
    RETURNED = "returned"
    KEPT = "kept"


class RefundState(enum.StrEnum):
    """The state of a refund of a payment.

    Attributes:
        OPEN: its parts are committed, and not all of them are done.
        DONE: every part is refunded, replaced, told, or proved to be impossible.
    """

    OPEN = "open"
    DONE = "done"


class PartState(enum.StrEnum):
    """The state of one part of a refund.

    Attributes:
        PLANNED: its amount is committed. It may have been sent.
        REFUNDED: it was given back.
        NOT_POSSIBLE: it cannot be given back; `RefundPart.reason` says why.
        REPLACED: a new voucher was issued instead.
        TOLD: the shop gives it back by its own means.
    """

    PLANNED = "planned"
    REFUNDED = "refunded"
    NOT_POSSIBLE = "not_possible"
    REPLACED = "replaced"
    TOLD = "told"


OTHER: Final = 0
"""The number of the other means among the legs, which are numbered from 1."""

DECIDED: Final = (PaymentState.CAPTURING, PaymentState.CANCELLING)
"""The states in which a decision is committed and not yet carried out."""
