"""The calls of the other means, under keys that never change. Each is committed before and after it is made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, ParamSpec, TypeVar

from voucher_gateway.errors import ConfigurationError, Declined, NotExecuted
from voucher_gateway.money import Money
from voucher_gateway.payments.means import Authorization, OtherMeans
from voucher_gateway.payments.rows.references import other_capture_key, other_key, other_return_key, other_void_key
from voucher_gateway.payments.rows.states import OtherState
from voucher_gateway.payments.work import PaymentWork

P = ParamSpec("P")
T = TypeVar("T")

NEEDS_MEANS: Final = "it needs its other means: call resume() in the shop"
"""Why a payment waits that has its other means inside, where the caller gave none."""


def require_means(work: PaymentWork) -> OtherMeans:
    """Return the other means.

    Raises:
        ConfigurationError: if the caller gave none.
    """
    if work.other is None:
        raise ConfigurationError("the payment has its other means inside: give it as other=")
    return work.other


def authorization_of(work: PaymentWork) -> Authorization:
    """Return the present authorization at the other means."""
    record = work.record
    return Authorization(key=other_key(record.id, record.other_generation), id=record.other_id, order=record.order)


def authorize_other(work: PaymentWork, **changes: Any) -> None:
    """Authorize the committed amount at the other means, and commit that it is authorized.

    Args:
        work: the work on the payment.
        changes: what else changes of the payment in the same commit.

    Raises:
        Declined, NotExecuted: if it is surely not authorized.
        Exception: if that is not known; the means' own error.
    """
    amount, means = _amount(work), require_means(work)
    key = authorization_of(work).key
    returned = _call(work, "authorization", means.authorize, amount, key)
    work.commit(other_state=OtherState.AUTHORIZED, other_id=None if returned is None else str(returned), **changes)


def capture_other(work: PaymentWork) -> None:
    """Take what is authorized at the other means; the caller commits that it is taken.

    Raises:
        Declined, NotExecuted: if it is surely not taken.
        Exception: if that is not known; the means' own error.
    """
    amount, means = _amount(work), require_means(work)
    key = other_capture_key(work.record.id, work.record.other_generation)
    _call(work, "capture", means.capture, amount, key, authorization_of(work))


def void_other(work: PaymentWork, state: OtherState) -> None:
    """Give up the authorization at the other means, or what may be one, and commit a state.

    Raises:
        NotExecuted: if it is surely not given up.
        Exception: if that is not known; the means' own error.
    """
    amount, means = _amount(work), require_means(work)
    if work.record.other_state is not OtherState.VOIDING:
        work.commit(other_state=OtherState.VOIDING)
    key = other_void_key(work.record.id, work.record.other_generation)
    with suppress(Declined):  # nothing is to be given up
        _call(work, "void", means.void, amount, key, authorization_of(work))
    work.commit(**(next_generation(work) if state is OtherState.NONE else {"other_state": state}))


def return_other(work: PaymentWork, amount: Money) -> None:
    """Give back what was taken at the other means, and commit it.

    Raises:
        Declined, NotExecuted: if it is surely not given back.
        Exception: if that is not known; the means' own error.
    """
    means = require_means(work)
    if work.record.other_state is not OtherState.RETURNING:
        work.commit(other_state=OtherState.RETURNING)
    key = other_return_key(work.record.id, work.record.other_generation)
    _call(work, "refund", means.refund, amount, key, authorization_of(work))
    work.commit(other_state=OtherState.RETURNED)


def next_generation(work: PaymentWork) -> dict[str, Any]:
    """Return the changes that let the other means be authorized again, under another key."""
    generation = work.record.other_generation + 1
    return {"other_state": OtherState.NONE, "other_generation": generation, "other_amount": None, "other_id": None}


def _amount(work: PaymentWork) -> Money:
    amount = work.record.other_amount
    assert amount is not None
    return amount


def _call(work: PaymentWork, name: str, call: Callable[P, T], *args: P.args, **keywords: P.kwargs) -> T:
    """Make a call of the other means. If its outcome is unknown, commit that it needs attention.

    Raises:
        Exception: whatever the means raises.
    """
    work.confirm()
    try:
        return call(*args, **keywords)
    except (Declined, NotExecuted):
        raise
    except Exception as error:
        reason = f"the outcome of the {name} at the other means is not known ({type(error).__name__}): call it again"
        work.commit(attention=reason)
        raise
