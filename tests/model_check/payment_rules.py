"""The rules that keep a payment of several legs and a card whole, as switches of the model."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class PaymentRules:
    """Which rules hold. Without any one of them, the exploration finds how money is lost, or a false word is said."""

    decision_first: bool = True
    """It is committed that the payment is captured before anything is taken."""
    one_decision: bool = True
    """A payment that is cancelled, or is being cancelled, is never captured."""
    row_before_request: bool = True
    """The journal has a row of each request before it is sent."""
    request_fence: bool = True
    """The journal records no request of a worker that another one has replaced."""
    commit_fence: bool = True
    """A worker that another one has replaced commits nothing to the payment."""
    same_reference: bool = True
    """Every worker makes the calls of a leg under the same references, so that the journal replays or resolves them."""
    doubt_is_not_refusal: bool = True
    """A leg whose take is in doubt is not lost."""
    loss_stops: bool = True
    """When a leg is lost, nothing more is taken."""
    unheld_first: bool = True
    """What can still fail is asked before what is held is taken."""
    card_authorized_last: bool = True
    """The card is authorized when every leg stands."""
    card_captured_last: bool = True
    """The card is captured when every leg is taken."""
    same_card_key: bool = True
    """Every worker makes a call at the card under the same key, and the processor does nothing twice under one key."""
    settle_before_release: bool = True
    """A cancellation gives nothing up while the take of a leg is in doubt."""
    learn_before_void: bool = True
    """A cancellation repeats a capture of the card that is in doubt, to learn whether it voids or refunds."""
    void_in_doubt: bool = True
    """A cancellation voids an authorization of the card, too, whose answer was lost."""
    void_blocks_late: bool = True
    """An authorization that arrives after its void is refused."""


PAYMENT_RULES: tuple[str, ...] = tuple(field.name for field in attrs.fields(PaymentRules))


def without_payment_rule(name: str) -> PaymentRules:
    """Return all rules but one."""
    return PaymentRules(**{name: False})
