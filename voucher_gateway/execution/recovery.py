"""Finding out later what became of operations. Everything here only reads at the vendors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from voucher_gateway.errors import ConfigurationError, InvalidRequest, OperationInProgress, Ticket
from voucher_gateway.execution.executor import JournalExecutor
from voucher_gateway.execution.resolution import minimal_result, resolve_unknown, undecided_requests
from voucher_gateway.instants import now
from voucher_gateway.journal.overwrites import MAY_STILL_ARRIVE, open_requests
from voucher_gateway.journal.records import OperationKey, OperationRecord, OperationState, RequestRecord, RequestResult
from voucher_gateway.outcome import Effect, Intent, Result
from voucher_gateway.provider import VoucherProvider

_BATCH: Final = 100

ProviderOf = Callable[[str], VoucherProvider]


@attrs.frozen(kw_only=True)
class Resolution:
    """What is known of an operation now.

    Attributes:
        account: the account's name.
        verb: the operation.
        reference: the caller's reference.
        state: succeeded, declined, not_executed or unknown; open while a worker is on it.
        result: what it brought about.
        reason: on what that rests, or why it is still unknown.
        operation_id: the journal's name of it.
    """

    account: str
    verb: str
    reference: str | None
    state: OperationState
    result: Result | None = None
    reason: str = ""
    operation_id: str | None = None


def resolve_ticket(provider: VoucherProvider, ticket: Ticket) -> Resolution:
    """Resolve a ticket without a journal.

    Raises:
        ConfigurationError: if the account leads to another host or login than the call ran at.
    """
    if (ticket.host, ticket.login) != (provider.host, provider.login):
        raise ConfigurationError(f"the ticket is of {ticket.host}, the account {provider.account} of {provider.host}")
    outcome = provider.resolve(Intent.from_ticket(ticket))
    known = {
        Effect.SUCCEEDED: OperationState.SUCCEEDED,
        Effect.DECLINED: OperationState.DECLINED,
        Effect.NOT_EXECUTED: OperationState.NOT_EXECUTED,
    }
    return Resolution(
        account=ticket.account,
        verb=ticket.verb,
        reference=ticket.reference,
        state=known.get(outcome.effect, OperationState.UNKNOWN),
        result=outcome.result,
        reason=outcome.reason,
        operation_id=ticket.operation_id,
    )


def resolve_operation(execution: JournalExecutor, provider_of: ProviderOf, doubt: Ticket | OperationKey) -> Resolution:
    """Resolve one operation of the journal.

    Raises:
        InvalidRequest: if the journal has no operation of that key.
        OperationInProgress: if a worker is on it.
    """
    entry = _find_record(execution, doubt)
    if entry is None and isinstance(doubt, Ticket):  # from a call without a journal, or with another
        return resolve_ticket(provider_of(doubt.account), doubt)
    looked_up = _refresh(execution, provider_of, _require_record(entry))
    return _resolution(looked_up, reason=_last_reason(execution, provider_of, looked_up))


def recover(
    execution: JournalExecutor, provider_of: ProviderOf, *, account: str | None, everything: bool
) -> list[Resolution]:
    """Resolve all that is due; operations of live workers are left to them."""
    resolutions: list[Resolution] = []
    after = None
    while True:
        batch = execution.journal.operations(
            states=(OperationState.OPEN, OperationState.UNKNOWN),
            account=account,
            due=None if everything else now(),
            limit=_BATCH,
            after=after,
        )
        for entry in batch:
            try:
                looked_up = _refresh(execution, provider_of, entry)
                resolutions.append(_resolution(looked_up, reason=_last_reason(execution, provider_of, looked_up)))
            except OperationInProgress:
                continue
            except ConfigurationError as error:  # of this one account: the others' operations can still be found
                resolutions.append(_resolution(attrs.evolve(entry, state=OperationState.UNKNOWN), reason=error.message))
        if len(batch) < _BATCH:
            return resolutions
        after = batch[-1].id


def decide(
    execution: JournalExecutor, provider_of: ProviderOf, key: OperationKey, *, succeeded: bool, by: str, reason: str
) -> Resolution:
    """Write a person's decision down.

    Of an operation that succeeded when it was repeated, what is decided is whether its earlier request, which may still
    overwrite a value, arrived.

    Raises:
        InvalidRequest: if nothing of the operation is unknown, or a name or reason is missing.
    """
    if not by.strip() or not reason.strip():
        raise InvalidRequest("a decision needs a name and a reason", field="by", rule="not empty")
    entry = _refresh(execution, provider_of, _require_record(_find_record(execution, key)))
    effect = Effect.SUCCEEDED if succeeded else Effect.NOT_EXECUTED
    if waiting := _late_requests(execution, provider_of, entry):
        finished = [RequestResult(one.id, effect, f"decided by {by}", one.step) for one in waiting]
        execution.journal.close_requests(entry, finished, decided_by=by.strip(), decision=reason.strip())
        return _resolution(entry, reason=f"decided by {by}: {reason}")
    if entry.state is not OperationState.UNKNOWN:
        raise InvalidRequest(
            f"the operation is {entry.state.value}, there is nothing to decide",
            field="key",
            rule="an unknown operation",
        )
    sent = undecided_requests(execution.journal, entry)
    settled = execution.journal.close_operation(
        entry,
        OperationState.SUCCEEDED if succeeded else OperationState.NOT_EXECUTED,
        result=minimal_result(entry, sent[-1]) if succeeded and sent else None,
        finished=[RequestResult(request.id, effect, f"decided by {by}", request.step) for request in sent],
        decided_by=by.strip(),
        decision=reason.strip(),
    )
    return _resolution(settled, reason=f"decided by {by}: {reason}")


def _find_record(execution: JournalExecutor, doubt: Ticket | OperationKey) -> OperationRecord | None:
    if isinstance(doubt, OperationKey):
        return execution.journal.find(doubt)
    return execution.journal.get(doubt.operation_id) if doubt.operation_id else None


def _require_record(entry: OperationRecord | None) -> OperationRecord:
    if entry is None:
        raise InvalidRequest(
            "the journal has no such operation", field="reference", rule="of an operation that was sent"
        )
    return entry


def _refresh(execution: JournalExecutor, provider_of: ProviderOf, entry: OperationRecord) -> OperationRecord:
    if entry.state is OperationState.OPEN:
        entry = execution.take_over_abandoned(entry)
    if entry.state is OperationState.UNKNOWN:
        entry, _ = resolve_unknown(execution.journal, entry, provider_of(entry.key.account))
    return entry


def _last_reason(execution: JournalExecutor, provider_of: ProviderOf, entry: OperationRecord) -> str:
    """Return on what it rests that an operation happened or not, as its last deciding request tells it."""
    if entry.state is OperationState.UNKNOWN:
        return ""
    if _late_requests(execution, provider_of, entry):
        return MAY_STILL_ARRIVE
    reasons = [
        request.reason for request in execution.journal.requests_of(entry.id) if request.decisive and request.reason
    ]
    return reasons[-1] if reasons else ""


def _late_requests(execution: JournalExecutor, provider_of: ProviderOf, entry: OperationRecord) -> list[RequestRecord]:
    """Return the requests of an operation that succeeded that may still overwrite its voucher's value."""
    if entry.state is not OperationState.SUCCEEDED:
        return []
    waiting = open_requests(execution.journal.requests_of(entry.id))
    # At other vendors an update leaves the value alone, and nothing waits for a person.
    return waiting if waiting and provider_of(entry.key.account).capabilities.can_overwrite_value else []


def _resolution(entry: OperationRecord, reason: str = "") -> Resolution:
    return Resolution(
        account=entry.key.account,
        verb=entry.key.verb.value,
        reference=entry.key.reference,
        state=entry.state,
        result=entry.replay() if entry.result else None,
        reason=reason or entry.reason,
        operation_id=entry.id,
    )
