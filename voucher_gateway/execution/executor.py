"""Commands with a journal: money moves once."""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Final, cast

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.commands.command import Command, R
from voucher_gateway.commands.steps import Strategy
from voucher_gateway.errors import (
    AccessDenied,
    ConcurrentModification,
    DatabaseUnavailable,
    Declined,
    DuplicateCode,
    NotExecuted,
    OperationInProgress,
    OutcomePending,
    OutcomeUnknown,
    ProviderUnavailable,
    ReferenceConflict,
    Ticket,
    VoucherGatewayError,
)
from voucher_gateway.execution.attempts import Attempt
from voucher_gateway.execution.resolution import (
    ask_provider,
    close_abandoned,
    find_undecided_requests,
    resolve_unknown,
    result_from_request,
    unknown_error,
    voucher_code,
)
from voucher_gateway.execution.vendor_keys import find_prepared_key
from voucher_gateway.instants import now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.keys import new_id
from voucher_gateway.journal.records import (
    OperationKey,
    OperationRecord,
    OperationState,
    OperationTarget,
    RequestResult,
)
from voucher_gateway.limits.call_deadline import moment_within
from voucher_gateway.models.results import ValueResult
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.outcome import Effect, Result
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.provider.call_options import use_call_options
from voucher_gateway.provider.provider import VoucherProvider

log: Final = get_logger("voucher_gateway.execution")

POLL_INTERVAL_S: Final = 0.05
"""How often a call that waits for another worker looks again."""


class JournalExecutor:
    """Executes commands on a journal. All threads of a process share one."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def execute(self, command: Command[R], provider: VoucherProvider, strategy: Strategy) -> R:
        """Execute a command, or replay its result, and return that.

        Raises:
            ReferenceConflict: if its reference was already used for another call.
            OperationInProgress: if another worker still runs it after `Command.wait_s`.
            OutcomeUnknown: if it may have run, now or earlier.
        """
        deadline = moment_within(command.wait_s)
        waits = False
        while True:
            try:
                return cast(R, self._run_once(command, provider, strategy))
            except OperationInProgress as error:
                error.with_context(account=command.account, operation=command.operation.value)
                if time.monotonic() >= deadline:
                    raise
            if not waits:
                log.debug("%s: %s: waits for another worker", command.account, command.operation.value)
                waits = True
            time.sleep(POLL_INTERVAL_S)

    def _run_once(self, command: Command[Any], provider: VoucherProvider, strategy: Strategy) -> Result:
        self.journal.names.admit(command.account, provider)
        record = self.journal.find_unless_pruned(OperationKey(command.account, command.operation, command.reference))
        if record is None:
            record = self._new_record(command, provider)
            partial = provider.capabilities.partial_approval
            if (result := self.journal.find_forgotten_result(record, partial=partial)) is not None:
                self.journal.record_without_request(record, result)
                log.warning("%s: executed before the journal was restored; no request is sent", record.label)
                return attrs.evolve(_with_caller_reference(command, result), replayed=True)
            return self._run_attempt(Attempt(self.journal, command, provider, record, unsaved=True), strategy)
        self._require_same_request(record, command, provider)
        if record.state is OperationState.OPEN:
            record = self.take_over_abandoned(record)
        open_key = None
        if record.state.is_unresolved:
            record, is_repeatable, open_key = resolve_unknown(self.journal, record, provider, command.code)
            if record.state.is_unresolved and not is_repeatable:
                raise _make_unknown_error(record)
        if record.state is OperationState.SUCCEEDED:
            return self._replay(record, command, provider)
        if record.state is OperationState.NOT_EXECUTED:
            open_key = find_prepared_key(self.journal, provider, self.journal.requests_of(record.id))
        # An unknown operation comes here only if it goes on under its key, or if a repeated request does no harm.
        is_unknown = record.state is OperationState.UNKNOWN
        owner = self.journal.database.locks.owner()
        record = attrs.evolve(record, attempt=record.attempt + 1, epoch=record.epoch + 1, owner=owner)
        attempt = Attempt(
            self.journal,
            command,
            provider,
            record,
            unsaved=True,
            earlier_attempt_unknown=is_unknown,
            open_key=open_key,
        )
        return self._run_attempt(attempt, strategy)

    def take_over_abandoned(self, record: OperationRecord) -> OperationRecord:
        """Take an open operation over from a crashed worker, and close what that worker left.

        Raises:
            OperationInProgress: if the worker is alive.
        """
        locks = self.journal.database.locks
        own_name = locks.owner()
        if locks.is_active_here(record.id) or (record.owner != own_name and self.journal.is_owner_alive(record)):
            raise OperationInProgress("another worker runs this call")
        record = self.journal.take_over(record, owner=own_name)
        log.warning("%s: taken over from a worker that crashed", record.label)
        return close_abandoned(self.journal, record)

    def _new_record(self, command: Command[Any], provider: VoucherProvider) -> OperationRecord:
        created_at = now()
        return OperationRecord(
            id=new_id(self.journal.keys.tag(command.account, command.operation.value, command.reference)),
            key=OperationKey(command.account, command.operation, command.reference),
            order=command.order,
            target=self.journal.describe_target(
                provider=provider.name,
                host=provider.host,
                login=provider.login,
                code=command.code,
                id=command.subject,
                money=command.amount,
                content=command.recorded_content,
            ),
            voucher_id=None,
            state=OperationState.OPEN,
            attempt=1,
            epoch=1,
            owner=self.journal.database.locks.owner(),
            result=None,
            error=None,
            created_at=created_at,
            updated_at=created_at,
        )

    def _require_same_request(self, record: OperationRecord, command: Command[Any], provider: VoucherProvider) -> None:
        target = self.journal.describe_target(
            provider=provider.name,
            host=provider.host,
            # Some logins are known only after the first request: an unknown login is not another login.
            login=provider.login if provider.login and record.target.login else record.target.login,
            code=command.code,
            like=record.target,
            id=command.subject,
            money=command.amount,
            content=command.recorded_content,
        )
        if target == record.target:
            return
        labels = {"fingerprint": "code", "money": "amount"}
        names = [field.name for field in attrs.fields(OperationTarget)]
        differing = [name for name in names if getattr(target, name) != getattr(record.target, name)]
        raise ReferenceConflict(
            f"reference {command.reference!r} was already used for a different {command.operation.value} (another"
            f" {', '.join(labels.get(name, name) for name in differing)}); use a new reference for a new call",
            account=command.account,
            operation=command.operation.value,
        )

    def _run_attempt(self, attempt: Attempt, strategy: Strategy) -> Result:
        """Run an attempt under the locks that show that this process works on it, and record how it ended."""
        log.debug("%s: attempt %d begins", attempt.label, attempt.record.attempt)
        with self.journal.database.locks.mark_active(attempt.record.id), attempt.locks:
            try:
                result = self._run_steps(attempt, strategy)
                self._record_success(attempt, result)
            except BaseException as error:
                if not isinstance(error, Exception):
                    self._record_interruption(attempt)
                raise
        return result

    def _run_steps(self, attempt: Attempt, strategy: Strategy) -> Result:
        """Run the steps. If they fail, record what that means for the operation as a whole."""
        try:
            with use_call_options(attempt.command.options):
                result = strategy(attempt.command, attempt, attempt.provider)
            return _with_caller_reference(attempt.command, result)
        except (Declined, AccessDenied, NotExecuted) as error:
            # If nothing was sent (`unsaved`), an earlier attempt cannot be the reason.
            if not attempt.earlier_attempt_unknown and (
                attempt.unsaved or not _was_created_before_restore(attempt, error)
            ):
                self._record_failure(attempt, error)
                raise
            refusal: VoucherGatewayError = error
        except BaseException as error:
            attempt.complete_ticket(error)
            self._record_failure(attempt, error)
            if not isinstance(error, OutcomeUnknown) or attempt.unsaved or attempt.may_have_taken_effect:
                raise
            raise _as_unavailable(error, attempt.command) from None
        return self._resolve_earlier_attempts(attempt, refusal)

    def _resolve_earlier_attempts(self, attempt: Attempt, refusal: VoucherGatewayError) -> Result:
        """Return the result of an earlier attempt, where this one was refused: perhaps for that very reason.

        Raises:
            OutcomeUnknown: if no reading proves it. This attempt's refusal says nothing about the earlier one.
        """
        requests = find_undecided_requests(self.journal, attempt.record)
        code = voucher_code(self.journal, attempt.record, attempt.provider, attempt.command.code)
        for request in requests:
            outcome = ask_provider(attempt.provider, request.intent, code)
            if outcome.effect is Effect.SUCCEEDED:
                attempt.finished.append(RequestResult(request.id, Effect.SUCCEEDED, outcome.reason, request.step))
                return result_from_request(attempt.record, request, outcome)
            if outcome.effect is Effect.PENDING:
                attempt.finished.append(RequestResult(request.id, Effect.PENDING, outcome.reason, request.step))
                pending = unknown_error(attempt.record, request.intent, outcome.reason, pending=True)
                self._record_failure(attempt, pending)
                raise pending
        reason = f"the outcome of an earlier attempt is unknown; now {refusal.message}"
        error = unknown_error(attempt.record, requests[-1].intent, reason)
        self._record_failure(attempt, error)
        raise error

    def _record_success(self, attempt: Attempt, result: Result) -> None:
        """Record the result. If that fails, the vendor has still done it, so the caller gets the result."""
        try:
            if attempt.unsaved:  # nothing was sent, but a release, for example, must be remembered too
                self.journal.record_without_request(attempt.record, result)
            else:
                self.journal.close_operation(
                    attempt.record,
                    OperationState.SUCCEEDED,
                    result=result,
                    finished=attempt.finished,
                    sent=attempt.sent,
                )
        except (DatabaseUnavailable, OperationInProgress) as error:
            log.warning("%s: succeeded, but the result could not be recorded: %s", attempt.label, error)
        else:
            log.debug("%s: succeeded", attempt.label)

    def _record_failure(self, attempt: Attempt, error: BaseException) -> None:
        """Record how an attempt failed, as far as that is possible."""
        label, error_name = attempt.label, type(error).__name__
        if attempt.unsaved:
            log.debug("%s: ended before any request was sent: %s", label, error_name)
            return
        if attempt.may_have_taken_effect and isinstance(error, OutcomePending):
            state = OperationState.PENDING
        elif attempt.may_have_taken_effect or isinstance(error, ConcurrentModification):
            state = OperationState.UNKNOWN
        elif isinstance(error, Declined | AccessDenied):
            state = OperationState.DECLINED
        else:
            state = OperationState.NOT_EXECUTED
        level = logging.WARNING if state.is_unresolved else logging.DEBUG
        log.log(level, "%s: %s: %s", label, state.value, error_name)
        own_error = error if isinstance(error, VoucherGatewayError) else None
        try:
            self.journal.close_operation(attempt.record, state, error=own_error, finished=attempt.finished)
        except (DatabaseUnavailable, OperationInProgress) as failure:
            log.warning("%s: its end could not be recorded: %s", label, failure)

    def _record_interruption(self, attempt: Attempt) -> None:
        """Close the operation after an interrupt, even one inside a commit: this process may continue to run."""
        try:
            record = self.journal.get(attempt.record.id)
            if record is not None and record.state is OperationState.OPEN and record.epoch == attempt.record.epoch:
                close_abandoned(self.journal, record)
        except (DatabaseUnavailable, OperationInProgress) as failure:
            log.warning("%s: its interruption could not be recorded: %s", attempt.label, failure)

    def _replay(self, record: OperationRecord, command: Command[Any], provider: VoucherProvider) -> Result:
        """Return the recorded result, with the code of an issued voucher, which the journal never stores."""
        log.debug("%s: replays the recorded result; no request is sent", record.label)
        result = record.replay()
        if not isinstance(result, Voucher) or command.operation is not Operation.ISSUE:
            return result
        code = voucher_code(self.journal, record, provider, command.code)
        return _with_vendors_code(result, provider) if code is None else attrs.evolve(result, code=code)


def _with_vendors_code(voucher: Voucher, provider: VoucherProvider) -> Voucher:
    try:
        current = provider.get(voucher.id, secrets=True)
    except VoucherGatewayError:
        return voucher
    return attrs.evolve(voucher, code=current.code, pin=current.pin)


def _was_created_before_restore(attempt: Attempt, error: VoucherGatewayError) -> bool:
    """Whether a voucher already exists under the id that this operation chose: a restored journal forgot it."""
    is_generated = attempt.command.subject is None and attempt.provider.capabilities.codes.ids_choosable
    return isinstance(error, DuplicateCode) and attempt.command.operation is Operation.ISSUE and is_generated


def _with_caller_reference(command: Command[Any], result: Result) -> Result:
    """Return the result under the caller's reference. The vendor knows the wire reference."""
    if isinstance(result, ValueResult):
        return attrs.evolve(result, reference=command.reference, order=command.order)
    return result


def _as_unavailable(error: OutcomeUnknown, command: Command[Any]) -> ProviderUnavailable:
    """Return the error for an unknown outcome of a request that takes nothing, such as a redemption's reservation."""
    step = error.ticket.step or error.ticket.verb
    return ProviderUnavailable(
        f"nothing was taken: the outcome of the {step} before it is not known ({error.ticket.reason or error.message})",
        account=error.account,
        operation=command.operation.value,
        http_status=error.http_status,
        request_id=error.request_id,
    )


def _make_unknown_error(record: OperationRecord) -> VoucherGatewayError:
    """Return the error of an operation that stays unknown."""
    stored = json.loads(record.error) if record.error else {}
    ticket = Ticket.from_json(json.dumps(stored["ticket"])) if "ticket" in stored else _minimal_ticket(record)
    ticket = attrs.evolve(ticket, account=record.key.account)  # the account may have another name now
    is_pending = record.state is OperationState.PENDING
    kind = OutcomePending if is_pending else OutcomeUnknown
    default = "the vendor has accepted it" if is_pending else "it is not known whether it was carried out"
    message = stored.get("message") or default
    return kind(message, ticket=ticket, account=record.key.account, operation=record.key.verb.value)


def _minimal_ticket(record: OperationRecord) -> Ticket:
    money = record.target.money
    return Ticket(
        account=record.key.account,
        provider=record.target.provider,
        host=record.target.host,
        login=record.target.login,
        verb=record.key.verb.value,
        reference=record.key.reference,
        order=record.order,
        voucher_id=record.voucher_id,
        amount=None if money is None else f"{money.amount:f}",
        currency=None if money is None else money.currency,
        operation_id=record.id,
    )
