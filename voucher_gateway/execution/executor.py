"""Calls with a journal: money moves once."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any, Final, cast

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.emulation.steps import StepRunner
from voucher_gateway.errors import (
    AccessDenied,
    ConcurrentModification,
    DatabaseUnavailable,
    Declined,
    DuplicateCode,
    NotExecuted,
    OperationInProgress,
    OutcomeUnknown,
    ProviderUnavailable,
    ReferenceConflict,
    Ticket,
    VoucherGatewayError,
)
from voucher_gateway.execution.attempts import Attempt
from voucher_gateway.execution.call import Call, R
from voucher_gateway.execution.resolution import (
    ask_provider,
    close_abandoned,
    resolve_unknown,
    result_from_request,
    undecided_requests,
    unknown_error,
    voucher_code,
)
from voucher_gateway.instants import now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys import new_id
from voucher_gateway.journal.records import OperationKey, OperationRecord, OperationState, RequestResult
from voucher_gateway.models.results import Redemption, Refund, Reservation, TopUp
from voucher_gateway.outcome import Effect
from voucher_gateway.provider import VoucherProvider

log: Final = logging.getLogger(__name__)

_POLL_S: Final = 0.05


class JournalExecutor:
    """Carries out calls on a journal. One for all threads of a process."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def run(self, call: Call, provider: VoucherProvider, perform: Callable[[StepRunner], R]) -> R:
        """Carry out a call, or replay it.

        Raises:
            ReferenceConflict: if its reference stands for another call.
            OperationInProgress: if another worker is still on it after `Call.wait_s`.
            OutcomeUnknown: if it may have run, now or earlier.
        """
        patience = time.monotonic() + call.wait_s
        while True:
            try:
                return self._run_once(call, provider, perform)
            except OperationInProgress as error:
                error.with_context(account=call.account, operation=call.operation.value)
                if time.monotonic() >= patience:
                    raise
            time.sleep(_POLL_S)

    def _run_once(self, call: Call, provider: VoucherProvider, perform: Callable[[StepRunner], R]) -> R:
        self.journal.names.admit(call.account, provider)
        entry = self.journal.find(OperationKey(call.account, call.operation, call.reference))
        if entry is None:
            new = self._new(call, provider)
            if (result := self.journal.find_forgotten_result(new)) is not None:
                self.journal.record_without_request(new, result)
                return cast(R, attrs.evolve(_with_caller_reference(call, result), replayed=True))
            return self._start_attempt(new, call, provider, perform)
        self._require_same_request(entry, call, provider)
        if entry.state is OperationState.OPEN:
            entry = self.take_over_abandoned(entry)
        if entry.state is OperationState.UNKNOWN:
            entry, repeatable = resolve_unknown(self.journal, entry, provider, call.code)
            if entry.state is OperationState.UNKNOWN and not repeatable:
                raise _stored_unknown_error(entry)
        if entry.state is OperationState.SUCCEEDED:
            return cast(R, self._replay(entry, call, provider))
        again = attrs.evolve(
            entry, attempt=entry.attempt + 1, epoch=entry.epoch + 1, owner=self.journal.database.locks.owner()
        )
        return self._start_attempt(again, call, provider, perform)

    def take_over_abandoned(self, entry: OperationRecord) -> OperationRecord:
        """Take an open operation over from a dead worker, and write down what that left behind.

        Raises:
            OperationInProgress: if the worker lives.
        """
        locks = self.journal.database.locks
        mine = locks.owner()
        if locks.is_active_here(entry.id) or (entry.owner != mine and self.journal.is_owner_alive(entry)):
            raise OperationInProgress("another worker is on this very call")
        return close_abandoned(self.journal, self.journal.take_over(entry, owner=mine))

    def _new(self, call: Call, provider: VoucherProvider) -> OperationRecord:
        at = now()
        return OperationRecord(
            id=new_id(self.journal.keys.tag(call.account, call.operation.value, call.reference)),
            key=OperationKey(call.account, call.operation, call.reference),
            order=call.order,
            target=self.journal.describe_target(
                provider=provider.name,
                host=provider.host,
                login=provider.login,
                code=call.code,
                id=call.id,
                money=call.money,
                content=call.content,
            ),
            voucher_id=None,
            state=OperationState.OPEN,
            attempt=1,
            epoch=1,
            owner=self.journal.database.locks.owner(),
            result=None,
            error=None,
            created_at=at,
            updated_at=at,
        )

    def _require_same_request(self, entry: OperationRecord, call: Call, provider: VoucherProvider) -> None:
        meant = self.journal.describe_target(
            provider=provider.name,
            host=provider.host,
            # Some logins are known only after the first request: what is not known is not another login.
            login=provider.login if provider.login and entry.target.login else entry.target.login,
            code=call.code,
            like=entry.target,
            id=call.id,
            money=call.money,
            content=call.content,
        )
        if meant != entry.target:
            differs = ", ".join(
                {"fingerprint": "code", "money": "amount"}.get(field.name, field.name)
                for field in attrs.fields(type(meant))
                if getattr(meant, field.name) != getattr(entry.target, field.name)
            )
            raise ReferenceConflict(
                f"the reference {call.reference!r} stands for another {call.operation.value} already (another"
                f" {differs}): a new call needs a new reference",
                account=call.account,
                operation=call.operation.value,
            )

    def _start_attempt(
        self, entry: OperationRecord, call: Call, provider: VoucherProvider, perform: Callable[[StepRunner], R]
    ) -> R:
        # An unknown operation is begun again only where its provider says that a repeat does no harm.
        steps = Attempt(self.journal, call, provider, entry, new=True, doubt=entry.state is OperationState.UNKNOWN)
        with self.journal.database.locks.mark_active(entry.id), steps.held:
            try:
                result = self._run_attempt(steps, perform)
                self._record_success(steps, result)
            except BaseException as error:
                if not isinstance(error, Exception):
                    self._record_interruption(steps)
                raise
        return result

    def _record_interruption(self, steps: Attempt) -> None:
        """Leave no operation open that this process, which may live on, was interrupted at: within a commit even."""
        try:
            entry = self.journal.get(steps.entry.id)
            if entry is not None and entry.state is OperationState.OPEN and entry.epoch == steps.entry.epoch:
                close_abandoned(self.journal, entry)
        except (DatabaseUnavailable, OperationInProgress) as trouble:
            log.warning("the interruption of operation %s could not be recorded: %s", steps.entry.id, trouble)

    def _run_attempt(self, steps: Attempt, perform: Callable[[StepRunner], R]) -> R:
        """Make the steps; if they fail, write down what that means for the operation as a whole."""
        try:
            return cast(R, _with_caller_reference(steps.call, perform(steps)))
        except (Declined, AccessDenied, NotExecuted) as error:
            # `new`: nothing was sent, so that no earlier attempt can be to blame
            if not steps.doubt and (steps.new or not _created_before_restore(steps, error)):
                self._record_failure(steps, error)
                raise
            refused: VoucherGatewayError = error
        except BaseException as error:
            steps.name_ticket(error)
            self._record_failure(steps, error)
            if not isinstance(error, OutcomeUnknown) or steps.new or steps.uncertain:
                raise
            raise _as_unavailable(error, steps.call) from None
        return cast(R, self._resolve_earlier_attempts(steps, refused))

    def _resolve_earlier_attempts(self, steps: Attempt, refused: VoucherGatewayError) -> Any:
        """Return what an earlier attempt brought about, where this one was refused: perhaps for that very reason.

        Raises:
            OutcomeUnknown: if that cannot be seen. That this attempt did nothing says nothing of the earlier one.
        """
        sent = undecided_requests(self.journal, steps.entry)
        code = voucher_code(self.journal, steps.entry, steps.provider, steps.call.code)
        for request in sent:
            outcome = ask_provider(steps.provider, request.intent, code)
            if outcome.effect is Effect.SUCCEEDED:
                steps.finished.append(RequestResult(request.id, Effect.SUCCEEDED, outcome.reason, request.step))
                return result_from_request(steps.entry, request, outcome)
        error = unknown_error(steps.entry, sent[-1].intent, f"an earlier attempt is in doubt; now {refused.message}")
        self._record_failure(steps, error)
        raise error

    def _record_success(self, steps: Attempt, result: Any) -> None:
        """Write the result down. If that fails the vendor has still done it: the caller must hear the truth."""
        try:
            if steps.new:  # nothing was sent, but a release, say, must still be remembered
                self.journal.record_without_request(steps.entry, result)
                return
            self.journal.close_operation(steps.entry, OperationState.SUCCEEDED, result=result, finished=steps.finished)
        except (DatabaseUnavailable, OperationInProgress) as error:
            log.warning("the result of operation %s could not be recorded: %s", steps.entry.id, error)

    def _record_failure(self, steps: Attempt, error: BaseException) -> None:
        """Write down how an attempt failed, as far as that can be done."""
        if steps.new:
            return
        if steps.uncertain or isinstance(error, ConcurrentModification):
            state = OperationState.UNKNOWN
        else:
            state = (
                OperationState.DECLINED if isinstance(error, Declined | AccessDenied) else OperationState.NOT_EXECUTED
            )
        known = error if isinstance(error, VoucherGatewayError) else None
        try:
            self.journal.close_operation(steps.entry, state, error=known, finished=steps.finished)
        except (DatabaseUnavailable, OperationInProgress) as trouble:
            log.warning("the end of operation %s could not be recorded: %s", steps.entry.id, trouble)

    def _replay(self, entry: OperationRecord, call: Call, provider: VoucherProvider) -> Any:
        """Return the recorded result, with the code of an issued voucher, which the journal never holds."""
        result: Any = entry.replay()
        if call.operation is not Operation.ISSUE:
            return result
        code = voucher_code(self.journal, entry, provider, call.code)
        return self._with_vendors_code(result, provider) if code is None else attrs.evolve(result, code=code)

    def _with_vendors_code(self, voucher: Any, provider: VoucherProvider) -> Any:
        try:
            full_voucher = provider.get(voucher.id, secrets=True)
        except VoucherGatewayError:
            return voucher
        return attrs.evolve(voucher, code=full_voucher.code, pin=full_voucher.pin)


def _created_before_restore(steps: Attempt, error: VoucherGatewayError) -> bool:
    """Whether a voucher is there already under the id that this very operation chose: a restored journal forgot it."""
    chosen = steps.call.id is None and steps.provider.capabilities.codes.ids_choosable
    return isinstance(error, DuplicateCode) and steps.call.operation is Operation.ISSUE and chosen


def _with_caller_reference(call: Call, result: Any) -> Any:
    """Return the result under the caller's reference; what the vendor knows is the wire reference."""
    if isinstance(result, Reservation | Redemption | Refund | TopUp):
        return attrs.evolve(result, reference=call.reference, order=call.order)
    return result


def _as_unavailable(error: OutcomeUnknown, call: Call) -> ProviderUnavailable:
    """Return the error for an unknown outcome of a request that takes nothing, such as a redemption's reservation."""
    step = error.ticket.step or error.ticket.verb
    return ProviderUnavailable(
        f"nothing was taken: the outcome of the {step} before it is not known ({error.ticket.reason or error.message})",
        account=error.account,
        operation=call.operation.value,
        http_status=error.http_status,
        request_id=error.request_id,
    )


def _stored_unknown_error(entry: OperationRecord) -> VoucherGatewayError:
    """Return the error of an operation that stays unknown."""
    kept = json.loads(entry.error) if entry.error else {}
    ticket = Ticket.from_json(json.dumps(kept["ticket"])) if "ticket" in kept else _minimal_ticket(entry)
    ticket = attrs.evolve(ticket, account=entry.key.account)  # which may have been renamed since
    message = kept.get("message") or "it is not known whether it was carried out"
    return OutcomeUnknown(message, ticket=ticket, account=entry.key.account, operation=entry.key.verb.value)


def _minimal_ticket(entry: OperationRecord) -> Ticket:
    money = entry.target.money
    return Ticket(
        account=entry.key.account,
        provider=entry.target.provider,
        host=entry.target.host,
        login=entry.target.login,
        verb=entry.key.verb.value,
        reference=entry.key.reference,
        order=entry.order,
        voucher_id=entry.voucher_id,
        amount=None if money is None else f"{money.amount:f}",
        currency=None if money is None else money.currency,
        operation_id=entry.id,
    )
