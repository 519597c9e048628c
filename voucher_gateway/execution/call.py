"""A changing call, and what carries it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.emulation.steps import StepRunner
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.masking import Code
from voucher_gateway.money import Money
from voucher_gateway.nfc import is_visible, nfc, nfc_or_none
from voucher_gateway.outcome import Result
from voucher_gateway.provider import VoucherProvider

if TYPE_CHECKING:
    # With the journal comes SQLAlchemy, see `voucher_gateway.gateway.accounts`.
    from voucher_gateway.journal.refunds import RefundLimit

R = TypeVar("R", bound=Result)

LONGEST_REFERENCE: Final = 200
"""In characters. What a vendor sees is made from it, or from the order, and shortened to the vendor's limit."""

IF_HELD: Final = ("refuse", "replace-own", "replace")
"""What a reservation may do to others on the same voucher, where the vendor keeps only the latest."""


@attrs.frozen
class Call:
    """One changing verb on one voucher.

    Attributes:
        account: the account's name.
        operation: the verb.
        reference: the caller's name for this one operation, in Unicode's normal form C.
        order: the shop's business number, likewise.
        id: the voucher, reservation or redemption that it acts on.
        code: the voucher's code, where it acts on that.
        money: the amount that is to move.
        content: a digest of all else that is asked for, by `content_of`.
        wait_s: how long to wait for another worker on the same call, in seconds.
        if_held: one of `IF_HELD`.
        refund_limit: for a refund with a journal, the redemption that bounds it.

    Raises:
        InvalidRequest: if `reference` or `order` is no name, or `if_held` is another word.
    """

    account: str
    operation: Operation
    reference: str = attrs.field(converter=nfc)
    order: str | None = attrs.field(converter=nfc_or_none)
    id: str | None = attrs.field(default=None, kw_only=True)
    code: Code | None = attrs.field(default=None, kw_only=True)
    money: Money | None = attrs.field(default=None, kw_only=True)
    content: str | None = attrs.field(default=None, kw_only=True)
    wait_s: float = attrs.field(default=0.0, kw_only=True)
    if_held: str = attrs.field(default="replace-own", kw_only=True)
    refund_limit: RefundLimit | None = attrs.field(default=None, kw_only=True, repr=False)

    def __attrs_post_init__(self) -> None:
        _check_name(self.reference, "reference")
        if self.order is not None:
            _check_name(self.order, "order")
        if self.if_held not in IF_HELD:
            rule = f"one of {', '.join(IF_HELD)}"
            raise InvalidRequest(f"if_held must be {rule}", field="if_held", rule=rule)


class Executor(Protocol):
    """Carries out calls."""

    def run(self, call: Call, provider: VoucherProvider, perform: Callable[[StepRunner], R]) -> R:
        """Carry out a call and return its result.

        Args:
            call: what is to be done.
            provider: at which vendor.
            perform: does it, taking every changing request as a step.
        """
        ...


def _check_name(name: str, field: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{field} is a str, not {type(name).__name__}")
    if not 1 <= len(name) <= LONGEST_REFERENCE or not is_visible(name) or name != name.strip():
        rule = f"1 to {LONGEST_REFERENCE} printable characters without white space around"
        raise InvalidRequest(f"{field} must have {rule}", field=field, rule=rule)
