"""Records what a person found out about an operation that no reading decides, and corrects it.

The vendor is asked once more before each decision. A decision never contradicts what the vendor shows.
"""

from __future__ import annotations

from typing import Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import InvalidRequest, VoucherNotFound
from voucher_gateway.execution.executor import JournalExecutor
from voucher_gateway.execution.recovery import (
    ProviderOf,
    Resolution,
    find_record,
    late_requests,
    refresh,
    require_record,
    resolution,
)
from voucher_gateway.execution.resolution import (
    ask_provider,
    find_undecided_requests,
    minimal_result,
    voucher_code,
)
from voucher_gateway.journal.decisions import Correction, find_issue_of, find_refund_of
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.queries import DECIDED_BY
from voucher_gateway.journal.records import (
    OperationKey,
    OperationRecord,
    OperationState,
    RequestRecord,
    RequestResult,
)
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.outcome import Effect, Result
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.provider.provider import VoucherProvider

log: Final = get_logger("voucher_gateway.recovery")

_NOT_CORRECTABLE: Final = (Operation.RESERVE, Operation.CAPTURE, Operation.RELEASE)
"""Their decisions change a reservation in the journal, on which later calls depend."""


@attrs.frozen(kw_only=True)
class Decision:
    """What a person found out about an operation.

    Attributes:
        succeeded: whether it happened.
        by: the person's name.
        reason: how that person knows.
        voucher_id: the voucher that an issue made, at the vendor.
    """

    succeeded: bool
    by: str
    reason: str
    voucher_id: str | None = None

    @property
    def effect(self) -> Effect:
        """What the decision says of the requests of the operation."""
        return Effect.SUCCEEDED if self.succeeded else Effect.NOT_EXECUTED

    @property
    def state(self) -> OperationState:
        """The state of the operation after the decision."""
        return OperationState.SUCCEEDED if self.succeeded else OperationState.NOT_EXECUTED

    def check(self, verb: Operation) -> None:
        """Check that it has a name and a reason, and the id of an issued voucher.

        Raises:
            InvalidRequest: if something is missing, or an id is given that nothing needs.
        """
        if not self.by.strip() or not self.reason.strip():
            raise InvalidRequest("a decision needs a name and a reason", field="by", rule="not empty")
        is_issued = verb is Operation.ISSUE and self.succeeded
        if is_issued and not self.voucher_id:
            raise InvalidRequest(
                "to decide that a voucher was issued, name its id at the vendor: it is read and compared",
                field="voucher_id",
                rule="the id of the issued voucher",
            )
        if self.voucher_id is not None and not is_issued:
            raise InvalidRequest(
                "the id of a voucher is only for an issue that happened", field="voucher_id", rule="only for an issue"
            )


def decide(executor: JournalExecutor, provider_of: ProviderOf, key: OperationKey, decision: Decision) -> Resolution:
    """Record a person's decision, or correct an earlier one.

    For an operation that succeeded when it was repeated, the decision is whether its earlier request, which may still
    overwrite a value, arrived.

    Raises:
        InvalidRequest: if nothing of the operation is unknown, if a name, reason or id is missing, or if the vendor
            shows something else.
    """
    decision.check(key.verb)
    journal = executor.journal
    record = refresh(executor, provider_of, require_record(find_record(executor, key)))
    by, reason = decision.by.strip(), decision.reason.strip()
    if late := late_requests(executor, provider_of, record):
        journal.close_requests(record, _results_of_requests(late, decision), decided_by=by, decision=reason)
        log.info("%s: a person decided about its earlier request: %s", record.label, decision.effect.value)
        return resolution(executor, record, reason=f"{DECIDED_BY}{by}: {reason}")
    if not record.state.is_unresolved:
        former = record.decided_by or person_who_decided_against(journal, record)
        if former is not None:
            return _correct(executor, provider_of(key.account), record, decision, former)
        raise InvalidRequest(
            f"the operation is {record.state.value}, so nothing is to be decided",
            field="key",
            rule="an unknown or pending operation",
        )
    requests = find_undecided_requests(journal, record)
    closed = journal.close_operation(
        record,
        decision.state,
        result=_result(executor, provider_of(key.account), record, requests, decision),
        finished=_results_of_requests(requests, decision),
        decided_by=by,
        decision=reason,
    )
    log.info("%s: a person decided: %s", closed.label, closed.state.value)
    return resolution(executor, closed, reason=f"{DECIDED_BY}{by}: {reason}")


def person_who_decided_against(journal: Journal, record: OperationRecord) -> str | None:
    """Return the name of the person who last decided that an operation did not happen; None if that was no decision.

    The operation may have been executed again since.
    """
    decisions = [
        request
        for request in journal.requests_of(record.id)
        if request.effect is Effect.NOT_EXECUTED and (request.reason or "").startswith(DECIDED_BY)
    ]
    return (decisions[-1].reason or "").removeprefix(DECIDED_BY) if decisions else None


def _correct(
    executor: JournalExecutor, provider: VoucherProvider, record: OperationRecord, decision: Decision, former: str
) -> Resolution:
    """Replace the decision of an operation by another one. The journal keeps both, with names and reasons.

    Args:
        executor: has the journal.
        provider: of the account.
        record: the operation. After a decision that it did not happen, it may have been sent again and refused.
        decision: the new decision.
        former: the name of the person who decided before.
    """
    journal, verb = executor.journal, record.key.verb
    sent = journal.requests_of(record.id)
    requests = [request for request in sent if (request.reason or "").startswith(DECIDED_BY)]
    if any(request.decisive and request.effect is Effect.SUCCEEDED for request in sent if request not in requests):
        # The decision was about an earlier request. What the vendor has shown of the operation itself stands.
        raise InvalidRequest(
            "the operation is succeeded, so nothing is to be decided", field="key", rule="an operation that was decided"
        )
    if _is_same_outcome(record, decision) and not _names_missing_voucher(record, decision):
        raise InvalidRequest(
            f"{former} has decided so already, so nothing is to be decided",
            field="key",
            rule="another outcome than the earlier decision",
        )
    if verb in _NOT_CORRECTABLE or not requests:
        raise InvalidRequest(
            f"the decision about a {verb.value} cannot be corrected, because later calls depend on it; make a new call"
            " under a new reference",
            field="key",
            rule=f"none of {', '.join(verb.value for verb in _NOT_CORRECTABLE)}",
        )
    with journal.database.read() as connection:
        refund = find_refund_of(connection, journal.keys, record)
    if refund is not None:
        raise InvalidRequest(
            f"the refund {refund!r} depends on it, so its decision cannot be corrected",
            field="key",
            rule="a redemption without refunds",
        )
    _require_not_contradicted(executor, provider, record, requests, decision)
    word = "had" if record.state is OperationState.SUCCEEDED else "had not"
    before = f"before, {former} decided that it {word} happened: {record.decision or 'see its events'}"
    by, reason = decision.by.strip(), f"{decision.reason.strip()} ({before})"
    result = _result(executor, provider, record, requests, decision)
    correction = Correction(state=decision.state, result=result, by=by, reason=reason)
    corrected = journal.correct_decision(record, correction, _results_of_requests(requests, decision))
    log.warning("%s: a person corrected a decision: %s", record.label, decision.state.value)
    return resolution(executor, corrected, reason=f"{DECIDED_BY}{by}: {reason}")


def _is_same_outcome(record: OperationRecord, decision: Decision) -> bool:
    return (record.state is OperationState.SUCCEEDED) is decision.succeeded


def _names_missing_voucher(record: OperationRecord, decision: Decision) -> bool:
    """Return whether a decision that a voucher was issued now names the voucher, or another one."""
    return decision.voucher_id is not None and decision.voucher_id != record.voucher_id


def _require_not_contradicted(
    executor: JournalExecutor,
    provider: VoucherProvider,
    record: OperationRecord,
    requests: list[RequestRecord],
    decision: Decision,
) -> None:
    """Check that the vendor does not show the contrary of a correction."""
    code = voucher_code(executor.journal, record, provider, None)
    for request in requests:
        outcome = ask_provider(provider, request.intent, code)
        contrary = Effect.NOT_EXECUTED if decision.succeeded else Effect.SUCCEEDED
        if outcome.effect is contrary:
            raise InvalidRequest(
                f"the vendor shows the contrary: {outcome.reason}", field="succeeded", rule="what the vendor shows"
            )


def _results_of_requests(requests: list[RequestRecord], decision: Decision) -> list[RequestResult]:
    reason = f"{DECIDED_BY}{decision.by}"
    return [RequestResult(request.id, decision.effect, reason, request.step) for request in requests]


def _result(
    executor: JournalExecutor,
    provider: VoucherProvider,
    record: OperationRecord,
    requests: list[RequestRecord],
    decision: Decision,
) -> Result | None:
    """Return the result of an operation that happened: of an issue the voucher, as it is read now."""
    if not decision.succeeded or not requests:
        return None
    if decision.voucher_id is None:
        return minimal_result(record, requests[-1])
    return _read_issued(executor, provider, record, decision.voucher_id)


def _read_issued(
    executor: JournalExecutor, provider: VoucherProvider, record: OperationRecord, voucher_id: str
) -> Voucher:
    """Read the voucher that an issue is said to have made, and compare it with the operation.

    Raises:
        InvalidRequest: if the vendor does not have it, or if it is not what the operation issued.
    """
    try:
        voucher = provider.get(voucher_id, secrets=provider.capabilities.codes.readable)
    except VoucherNotFound:
        raise _wrong_id("the vendor has no voucher with this id") from None
    money, target = record.target.money, record.target
    first = voucher.remaining if voucher.initial is None else voucher.initial
    if money is not None and first is not None and first != money:
        raise _wrong_id(f"the voucher has {first}, and the operation issued one of {money}")
    if target.fingerprint is not None and voucher.code is not None:
        keys = executor.journal.keys
        fingerprint = keys.fingerprint(voucher.code, provider=target.provider, host=target.host, key_id=target.key_id)
        if fingerprint != target.fingerprint:
            raise _wrong_id("the voucher has another code than the operation chose")
    with executor.journal.database.read() as connection:
        other = find_issue_of(connection, executor.journal.keys, record, voucher_id)
    if other is not None:
        raise _wrong_id(f"the operation {other!r} has issued that voucher")
    return attrs.evolve(voucher, raw=None)


def _wrong_id(message: str) -> InvalidRequest:
    return InvalidRequest(message, field="voucher_id", rule="the id of the voucher that the operation issued")
