"""What a voucher can pay of an order: its account, what is left on it, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.checks.guard import Attempt, CheckGuard
from voucher_gateway.errors import (
    CurrencyMismatch,
    Declined,
    InsufficientValue,
    InvalidRequest,
    ProviderUnavailable,
    UnsupportedOperation,
    VoucherExpired,
    VoucherInactive,
    VoucherNotFound,
)
from voucher_gateway.instants import format_instant
from voucher_gateway.journal.queries import select_replaceable_value
from voucher_gateway.masking import Code, Pin, drop_frames
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.money import Money
from voucher_gateway.payments.verbs import VoucherAccount, VoucherVerbs
from voucher_gateway.payments.work import require_journal
from voucher_gateway.telemetry.calls import observe_call

if TYPE_CHECKING:
    from datetime import datetime

UNSPENDABLE_STATUSES: Final = (Status.INACTIVE, Status.PENDING, Status.BLOCKED, Status.DEACTIVATED)
"""The statuses of a voucher that is neither expired nor used up, and that its owner cannot spend."""


@attrs.frozen(kw_only=True)
class LegCandidate:
    """A voucher that can pay a part of an order.

    Attributes:
        account: the name of its account.
        voucher_id: the vendor's id.
        code: the code in the form in which it is looked up.
        remaining: what it can pay.
        valid_until: the end of its validity, if there is one.
        holdable: whether its value can be reserved.
    """

    account: str
    voucher_id: str
    code: Code
    remaining: Money
    valid_until: datetime | None
    holdable: bool


@contextmanager
def count_check(verbs: VoucherVerbs, caller: str | None) -> Iterator[Attempt]:
    """Count the code that the block looks up, as `CheckGuard.attempt` does; without a caller count nothing.

    Raises:
        TooManyChecks: if the caller, or all callers together, tried too many codes. The block is not run.
        InvalidRequest: if `caller` cannot be one.
    """
    if caller is None:
        yield Attempt()
        return
    with CheckGuard(require_journal(verbs), verbs.check_limits).attempt(caller) as attempt:
        yield attempt


def find_leg(
    verbs: VoucherVerbs,
    attempt: Attempt,
    code: Code,
    pin: Pin | None,
    *,
    account: str | None,
    order: str,
    currency: str,
) -> LegCandidate:
    """Look a voucher up, and check that it can pay. Nothing moves.

    Args:
        verbs: the gateway.
        attempt: the attempt of the guess guard.
        code: the code, as it was typed.
        pin: the PIN, if there is one.
        account: the account to ask; None to ask every account whose pattern matches the code.
        order: the shop's order number. What is reserved for it at present can be spent by it.
        currency: the currency of the order.

    Raises:
        VoucherNotFound: if no account knows the code.
        WrongPin: if the PIN is wrong.
        ProviderUnavailable: if it was not found, and an account that may have it could not be asked.
        InvalidRequest: if several accounts have it.
        VoucherInactive, VoucherExpired, CurrencyMismatch, InsufficientValue: if it cannot pay.
        UnsupportedOperation: if value cannot be taken at its account.
    """
    voucher = _find_voucher(verbs, attempt, code, pin, account)
    owner = verbs.account(voucher.account)
    code = owner.normalize(code)
    holdable = is_holdable(owner)
    remaining = voucher.remaining
    if remaining is None:
        remaining = verbs.balance(owner.name, code, pin).remaining
    check_voucher(owner, voucher.status, voucher.valid_until, remaining, currency)
    remaining = _with_own_hold(verbs, owner, code, order, remaining)
    if remaining.amount <= 0:
        raise InsufficientValue("nothing is left on the voucher", account=owner.name, operation="find")
    return LegCandidate(
        account=owner.name,
        voucher_id=voucher.id,
        code=code,
        remaining=remaining,
        valid_until=voucher.valid_until,
        holdable=holdable,
    )


def is_holdable(account: VoucherAccount) -> bool:
    """Whether an account can reserve value, and capture and release it.

    Raises:
        UnsupportedOperation: if value can neither be reserved nor taken there.
    """
    capabilities = account.capabilities
    steps = (Operation.RESERVE, Operation.CAPTURE, Operation.RELEASE)
    if not capabilities.record and all(capabilities.of(step).available for step in steps):
        return True
    if capabilities.record or not capabilities.of(Operation.REDEEM).available:
        raise UnsupportedOperation("its vouchers cannot be spent there", account=account.name, operation="redeem")
    return False


def check_voucher(
    account: VoucherAccount,
    status: Status | None,
    valid_until: datetime | None,
    remaining: Money,
    currency: str,
) -> None:
    """Check what the vendor shows of a voucher.

    Raises:
        VoucherInactive, VoucherExpired, CurrencyMismatch: if it cannot pay.
    """
    if status in UNSPENDABLE_STATUSES:
        raise VoucherInactive(f"the voucher cannot be spent: it is {status}", account=account.name)
    if valid_until is not None and valid_until <= account.provider.vendor_now():
        raise VoucherExpired(f"the voucher's validity ended at {format_instant(valid_until)}", account=account.name)
    if status is Status.EXPIRED:
        raise VoucherExpired("the voucher's validity is over", account=account.name)
    if remaining.currency != currency:
        raise CurrencyMismatch(f"the voucher is in {remaining.currency}, the order in {currency}", account=account.name)


def _find_voucher(verbs: VoucherVerbs, attempt: Attempt, code: Code, pin: Pin | None, account: str | None) -> Voucher:
    if account is not None:
        chosen = verbs.account(account)
        with observe_call(chosen.name, Operation.FIND):
            return chosen.provider.find(chosen.normalize(code), pin)
    result = verbs.find(code, pin)
    if len(result.vouchers) == 1:
        return result.vouchers[0]
    if result.vouchers:
        names = ", ".join(voucher.account for voucher in result.vouchers)
        raise InvalidRequest(
            f"several accounts have this code ({names}): name one as account", field="account", rule="one of them"
        )
    refusals = [error for error in result.failed.values() if isinstance(error, Declined | InvalidRequest)]
    if result.asked or refusals:
        attempt.reject()
    if refusals and len(refusals) == len(result.failed):
        raise drop_frames(refusals[0])
    if result.failed:
        names = ", ".join(result.failed)
        raise ProviderUnavailable(f"the code was not found, and these accounts could not be asked: {names}")
    if not result.asked:
        raise VoucherNotFound(
            "no account has a code_pattern that matches the code; or name an account", operation="find"
        )
    raise VoucherNotFound("no account knows the code", operation="find")


def _with_own_hold(verbs: VoucherVerbs, account: VoucherAccount, code: Code, order: str, remaining: Money) -> Money:
    """Return what an order can spend: at some vendors, its next reservation replaces its earlier ones."""
    rules = account.capabilities.reservations
    if rules is None or not rules.superseded_by_next:
        return remaining
    provider, journal = account.provider, require_journal(verbs)
    with journal.database.read() as connection:
        held = select_replaceable_value(
            connection,
            provider=provider.name,
            host=provider.host,
            fingerprints=journal.keys.fingerprints(code, provider=provider.name, host=provider.host),
            order=order,
            at=provider.vendor_now(),
        )
    if held is None or held.currency != remaining.currency:
        return remaining
    return max(held, remaining)
