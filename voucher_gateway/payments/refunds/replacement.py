"""New vouchers instead of what cannot be given back to the vouchers of a payment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import (
    Declined,
    InvalidRequest,
    UnsupportedOperation,
    VoucherExpired,
    VoucherGatewayError,
    VoucherInactive,
    VoucherNotFound,
)
from voucher_gateway.instants import now
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.payments.leg_calls import may_have_happened
from voucher_gateway.payments.refunds.refund_store import commit_refund, insert_refund, read_refunds
from voucher_gateway.payments.rows.distribution import RefundShares
from voucher_gateway.payments.rows.records import sum_money
from voucher_gateway.payments.rows.references import replacement_reference
from voucher_gateway.payments.rows.refund_records import PaymentRefund, RefundPart, ReplacementRule, strategy_text
from voucher_gateway.payments.rows.states import OTHER, PartState
from voucher_gateway.payments.work import PaymentWork
from voucher_gateway.process.loggers import get_logger

log: Final = get_logger("voucher_gateway.payments")

IMPOSSIBLE: Final = (Declined, InvalidRequest, UnsupportedOperation)
"""The errors that prove that a part is not given back, and that the same call never will."""

GONE: Final = (VoucherNotFound, VoucherExpired, VoucherInactive, UnsupportedOperation)
"""Those of them after which a new voucher may be issued. After the others, another party may have given it back."""

_GONE_NAMES: Final = frozenset(error.__name__ for error in GONE)


def require_issue(work: PaymentWork, replace: ReplacementRule) -> None:
    """Check that the account of a rule can issue vouchers.

    Raises:
        UnsupportedOperation: if it cannot.
        ConfigurationError: if the configuration does not have the account.
    """
    account = work.verbs.account(replace.account)
    if not account.capabilities.of(Operation.ISSUE).available:
        raise UnsupportedOperation(
            "it issues no vouchers: name another account for the replacement",
            account=account.name,
            operation="issue",
        )


def replace_parts(work: PaymentWork, refund: PaymentRefund, failures: list[Exception]) -> None:
    """Issue new vouchers for the parts of a refund that cannot be given back. What fails for now goes to `failures`."""
    for part in refund.parts:
        if part.state is not PartState.NOT_POSSIBLE or not is_replaceable(part):
            continue
        try:
            voucher = _issue_replacement(work, refund, part)
        except VoucherGatewayError as error:
            if isinstance(error, IMPOSSIBLE) and not _may_have_issued(work, refund, part):
                reason = f"{part.reason}; and no voucher can be issued instead: {type(error).__name__}: {error.message}"
                commit_refund(work, refund, {part.leg: {"reason": reason}})
                continue
            sentence = f"refund {refund.reference!r:.200}: the voucher instead of leg {part.leg}: {error.message}"
            work.commit(attention=sentence)
            failures.append(error)
        else:
            replaced = {"replacement_account": voucher.account, "replacement_id": voucher.id}
            commit_refund(work, refund, {part.leg: {"state": PartState.REPLACED.value, **replaced}})


def is_replaceable(part: RefundPart) -> bool:
    """Whether a new voucher may be issued for a part that cannot be given back: its voucher is gone or useless."""
    return part.leg != OTHER and (part.reason or "").partition(":")[0] in _GONE_NAMES


def impossible_reason(error: VoucherGatewayError) -> str:
    """Return why a part cannot be given back. It begins with the name of the error, by which it is recognised."""
    return f"{type(error).__name__}: {error.message}"


def begin_replacements(
    work: PaymentWork, amounts: Mapping[int, Money], reasons: Mapping[int, str], replace: ReplacementRule
) -> None:
    """Commit that legs of a cancelled payment are replaced by new vouchers. `continue_refunds` issues them.

    Args:
        work: the work on the payment.
        amounts: what is replaced, by leg.
        reasons: why it cannot be given back, by leg.
        replace: where the new vouchers are issued.
    """
    number, at = work.record.refunds + 1, now()
    shares: RefundShares = {leg: amounts[leg] for leg in sorted(amounts)}
    names = {refund.reference for refund in read_refunds(work.store, work.record)}
    reference = next(name for count in range(number, 2 * number + 1) if (name := f"cancellation {count}") not in names)
    refund = PaymentRefund(
        number=number,
        reference=reference,
        asked=None,
        amount=sum_money(amounts.values(), work.record.total.currency),
        strategy=strategy_text(shares),
        replacement=replace,
        created_at=at,
        updated_at=at,
        parts=tuple(
            RefundPart(leg=leg, amount=amount, state=PartState.NOT_POSSIBLE, reason=reasons[leg])
            for leg, amount in sorted(amounts.items())
        ),
    )
    with work.transaction(refund=refund, refunds=number) as connection:
        insert_refund(connection, work.record.id, refund)
    log.info("payment %s: new vouchers of %s replace what cannot be given back", work.record.id, refund.amount)


def read_replacement(work: PaymentWork, reference: str, leg: int) -> Voucher:
    """Return the voucher that was issued instead of the refund of a leg, with its code.

    Raises:
        InvalidRequest: if none was issued.
    """
    for refund in read_refunds(work.store, work.record):
        for part in refund.parts:
            if refund.reference == reference and part.leg == leg and part.state is PartState.REPLACED:
                return _issue_replacement(work, refund, part)
    raise InvalidRequest(
        f"no voucher was issued for leg {leg} in the refund {reference!r:.200}",
        field="leg",
        rule="of a part that was replaced",
    )


def _may_have_issued(work: PaymentWork, refund: PaymentRefund, part: RefundPart) -> bool:
    assert refund.replacement is not None
    reference = replacement_reference(work.record.id, refund.reference, part.leg)
    return may_have_happened(work, refund.replacement.account, Operation.ISSUE, reference)


def _issue_replacement(work: PaymentWork, refund: PaymentRefund, part: RefundPart) -> Voucher:
    assert refund.replacement is not None
    return work.verbs.issue(
        refund.replacement.account,
        refund.replacement.new_voucher(part.amount),
        reference=replacement_reference(work.record.id, refund.reference, part.leg),
        order=work.record.order,
    )
