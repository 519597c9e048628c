"""The answer of a shop front to a code that a customer typed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import attrs

from voucher_gateway.errors import Declined, InvalidRequest, ProviderUnavailable, VoucherGatewayError
from voucher_gateway.masking import drop_frames
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money

if TYPE_CHECKING:
    from voucher_gateway.checks.guard import Attempt


@attrs.frozen(kw_only=True)
class CodeCheck:
    """What a shop front may tell any visitor about a code.

    The answer is the same for each code that cannot be used: unknown, expired, empty, not active, or with a wrong PIN.

    Attributes:
        usable: whether it can be spent now.
        message: a sentence for the customer.
        account: the account of the voucher; None unless it can be used, as are all that follow.
        masked_code: its code, masked.
        remaining: what is left of it; None also if the vendor does not say it.
        valid_until: the end of its validity, in UTC; None also for never.
    """

    usable: bool
    message: str
    account: str | None = None
    masked_code: str | None = None
    remaining: Money | None = None
    valid_until: datetime | None = None


UNUSABLE: Final = CodeCheck(
    usable=False,
    message="This code cannot be used. Check that it is typed correctly, and that its value is not used up.",
)
"""The one answer about all codes that cannot be used."""


def is_usable(voucher: Voucher, at: datetime) -> bool:
    """Whether a voucher can be spent, as far as its vendor shows."""
    return (
        (voucher.status is None or voucher.status.spendable is not False)
        and (voucher.valid_until is None or voucher.valid_until > at)
        and (voucher.remaining is None or voucher.remaining.amount > 0)
    )


def judge_code(
    attempt: Attempt, usable: Sequence[Voucher], answered: Collection[str], failed: Mapping[str, VoucherGatewayError]
) -> CodeCheck:
    """Return the answer about a code, and tell the guard whether it was a guess.

    Args:
        attempt: the attempt of the guard.
        usable: the vouchers with this code that can be used.
        answered: the accounts that answered.
        failed: the accounts that could not be asked, or refused, and why.

    Raises:
        InvalidRequest: if two accounts have a usable voucher with this code.
        VoucherGatewayError: if an account that may have the code could not be asked.
    """
    if len(usable) > 1:
        names = " and ".join(voucher.account for voucher in usable)
        raise InvalidRequest(f"the accounts {names} have this code: give account", field="account", rule="one of them")
    if usable:
        (voucher,) = usable
        return CodeCheck(
            usable=True,
            message="This code can be used.",
            account=voucher.account,
            remaining=voucher.remaining,
            valid_until=voucher.valid_until,
        )
    unanswered = {name: error for name, error in failed.items() if not isinstance(error, Declined | InvalidRequest)}
    if answered or len(unanswered) < len(failed):
        attempt.reject()
    if unanswered:
        raise _error_of_silence(unanswered)
    attempt.reject()
    return UNUSABLE


def _error_of_silence(failed: Mapping[str, VoucherGatewayError]) -> VoucherGatewayError:
    if len(failed) == 1:
        (error,) = failed.values()
        return drop_frames(error)
    kinds = ", ".join(f"{name} ({type(error).__name__})" for name, error in failed.items())
    return ProviderUnavailable(f"these accounts could not be asked: {kinds}")
