"""Resolves operations later. Everything here only reads at the vendors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import attrs

from voucher_gateway.errors import AccountsUnavailable, ConfigurationError, InvalidRequest, OperationInProgress, Ticket
from voucher_gateway.execution.executor import JournalExecutor
from voucher_gateway.execution.resolution import resolve_unknown
from voucher_gateway.instants import now
from voucher_gateway.journal.queries import MAY_STILL_ARRIVE, open_requests
from voucher_gateway.journal.records import (
    UNRESOLVED,
    OperationKey,
    OperationRecord,
    OperationState,
    RequestRecord,
)
from voucher_gateway.outcome import Effect, Intent, Leftover, Result
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.request_hooks import use_resolution

log: Final = get_logger("voucher_gateway.recovery")

ProviderOf = Callable[[str], VoucherProvider]


@attrs.frozen(kw_only=True)
class Resolution:
    """What is known of an operation now.

    Attributes:
        account: the account's name.
        verb: the operation.
        reference: the caller's reference.
        state: succeeded, declined, not_executed, unknown or pending; open while a worker runs it.
        result: its result, if it succeeded.
        reason: what proves the state, or why it is still unknown.
        operation_id: the journal's id of it.
        left_behind: what its requests left behind at the vendor, such as a card without value. The same call goes on
            with it, as long as the vendor remembers the key.
    """

    account: str
    verb: str
    reference: str | None
    state: OperationState
    result: Result | None = None
    reason: str = ""
    operation_id: str | None = None
    left_behind: tuple[Leftover, ...] = ()


def resolve_ticket(provider: VoucherProvider, ticket: Ticket) -> Resolution:
    """Resolve a ticket without a journal.

    Raises:
        ConfigurationError: if the account leads to another host or login than the call ran at.
    """
    if (ticket.host, ticket.login) != (provider.host, provider.login):
        raise ConfigurationError(f"the ticket is of {ticket.host}, the account {provider.account} of {provider.host}")
    with use_resolution():
        outcome = provider.resolve(Intent.from_ticket(ticket))
    level = logging.WARNING if outcome.effect is Effect.UNKNOWN else logging.INFO
    log.log(level, "%s: %s: ticket resolved: %s", ticket.account, ticket.verb, outcome.effect.value)
    states = {
        Effect.SUCCEEDED: OperationState.SUCCEEDED,
        Effect.DECLINED: OperationState.DECLINED,
        Effect.NOT_EXECUTED: OperationState.NOT_EXECUTED,
        Effect.PENDING: OperationState.PENDING,
    }
    return Resolution(
        account=ticket.account,
        verb=ticket.verb,
        reference=ticket.reference,
        state=states.get(outcome.effect, OperationState.UNKNOWN),
        result=outcome.result,
        reason=outcome.reason,
        operation_id=ticket.operation_id,
    )


def resolve_operation(executor: JournalExecutor, provider_of: ProviderOf, subject: Ticket | OperationKey) -> Resolution:
    """Resolve one operation of the journal.

    Raises:
        InvalidRequest: if the journal has no operation with that key.
        OperationInProgress: if a worker runs it.
    """
    record = find_record(executor, subject)
    if record is None and isinstance(subject, Ticket):  # of a call without a journal, or with another journal
        return resolve_ticket(provider_of(subject.account), subject)
    record = refresh(executor, provider_of, require_record(record))
    return resolution(executor, record, reason=_last_reason(executor, provider_of, record))


def recover(
    executor: JournalExecutor, provider_of: ProviderOf, *, account: str | None, everything: bool
) -> list[Resolution]:
    """Resolve all operations that are due. Operations of living workers are left to those."""
    resolutions: list[Resolution] = []
    undecided = executor.journal.iterate_operations(
        states=UNRESOLVED, account=account, due=None if everything else now()
    )
    for record in undecided:
        try:
            refreshed = refresh(executor, provider_of, record)
            reason = _last_reason(executor, provider_of, refreshed)
            resolutions.append(resolution(executor, refreshed, reason=reason))
        except OperationInProgress:
            continue
        except (
            ConfigurationError,
            AccountsUnavailable,
        ) as error:
            # of this account only: the others' operations can still be resolved
            log.warning("%s: cannot be looked up: %s", record.label, type(error).__name__)
            unknown = attrs.evolve(record, state=OperationState.UNKNOWN)
            resolutions.append(resolution(executor, unknown, reason=error.message))
    return resolutions


def find_record(executor: JournalExecutor, subject: Ticket | OperationKey) -> OperationRecord | None:
    """Return the operation of a ticket or key; None if the journal has none.

    Raises:
        ReferencePruned: if its details were removed from the journal, so that its outcome is known.
    """
    if isinstance(subject, OperationKey):
        return executor.journal.find_unless_pruned(subject)
    return executor.journal.get(subject.operation_id) if subject.operation_id else None


def require_record(record: OperationRecord | None) -> OperationRecord:
    """Return an operation that must be in the journal.

    Raises:
        InvalidRequest: if it is not.
    """
    if record is None:
        raise InvalidRequest(
            "the journal has no such operation", field="reference", rule="of an operation that was sent"
        )
    return record


def refresh(executor: JournalExecutor, provider_of: ProviderOf, record: OperationRecord) -> OperationRecord:
    """Return an operation after a look-up at the vendor, if its outcome is unknown."""
    if record.state is OperationState.OPEN:
        record = executor.take_over_abandoned(record)
    if record.state.is_unresolved:
        record, _, _ = resolve_unknown(executor.journal, record, provider_of(record.key.account))
    return record


def _last_reason(executor: JournalExecutor, provider_of: ProviderOf, record: OperationRecord) -> str:
    """Return what proves that an operation happened or not, as its last deciding request says."""
    if record.state.is_unresolved:
        return ""
    if late_requests(executor, provider_of, record):
        return MAY_STILL_ARRIVE
    requests = executor.journal.requests_of(record.id)
    reasons = [request.reason for request in requests if request.decisive and request.reason]
    return reasons[-1] if reasons else ""


def late_requests(executor: JournalExecutor, provider_of: ProviderOf, record: OperationRecord) -> list[RequestRecord]:
    """Return the requests of a succeeded operation that may still arrive and overwrite the voucher's value."""
    if record.state is not OperationState.SUCCEEDED:
        return []
    late = open_requests(executor.journal.requests_of(record.id))
    # At other vendors an update leaves the value unchanged, and no decision is needed.
    return late if late and provider_of(record.key.account).capabilities.can_overwrite_value else []


def resolution(executor: JournalExecutor, record: OperationRecord, reason: str = "") -> Resolution:
    """Return what is known of an operation now."""
    return Resolution(
        account=record.key.account,
        verb=record.key.verb.value,
        reference=record.key.reference,
        state=record.state,
        result=record.replay() if record.result else None,
        reason=reason or record.reason,
        operation_id=record.id,
        left_behind=executor.journal.leftovers_of(record),
    )
