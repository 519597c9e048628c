"""Calls with a journal: money moves once."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any, Final, cast

import attrs

from voucher_gateway.adapter import (
    AccessDenied,
    DatabaseUnavailable,
    Declined,
    DuplicateCode,
    Effect,
    NotExecuted,
    Operation,
    OperationInProgress,
    OutcomeUnknown,
    ProviderUnavailable,
    Redemption,
    Refund,
    Reservation,
    Ticket,
    TopUp,
    VoucherGatewayError,
    VoucherProvider,
    now,
)
from voucher_gateway.emulation import Steps
from voucher_gateway.errors import ConcurrentModification, ReferenceConflict
from voucher_gateway.execution.call import Call, R
from voucher_gateway.execution.settling import (
    bury,
    known_code,
    resolved,
    settle,
    settled_result,
    unknown_error,
    unsettled,
)
from voucher_gateway.execution.steps import JournalledSteps
from voucher_gateway.journal import Entry, Finished, Journal, Key, State, new_id

log: Final = logging.getLogger(__name__)

_POLL_S: Final = 0.05


class Journalled:
    """Carries out calls on a journal. One for all threads of a process."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def run(self, call: Call, provider: VoucherProvider, perform: Callable[[Steps], R]) -> R:
        """Carry out a call, or replay it.

        Raises:
            ReferenceConflict: if its reference stands for another call.
            OperationInProgress: if another worker is still on it after `Call.wait_s`.
            OutcomeUnknown: if it may have run, now or earlier.
        """
        patience = time.monotonic() + call.wait_s
        while True:
            try:
                return self._once(call, provider, perform)
            except OperationInProgress as error:
                error.about(account=call.account, operation=call.operation.value)
                if time.monotonic() >= patience:
                    raise
            time.sleep(_POLL_S)

    def _once(self, call: Call, provider: VoucherProvider, perform: Callable[[Steps], R]) -> R:
        self.journal.names.admit(call.account, provider)
        entry = self.journal.find(Key(call.account, call.operation, call.reference))
        if entry is None:
            new = self._new(call, provider)
            if (found := self.journal.adopted(new)) is not None:
                self.journal.record(new, found)
                return cast(R, attrs.evolve(_named_by(call, found), replayed=True))
            return self._attempt(new, call, provider, perform)
        self._same(entry, call, provider)
        if entry.state is State.OPEN:
            entry = self.after_death(entry)
        if entry.state is State.UNKNOWN:
            entry, repeatable = settle(self.journal, entry, provider, call.code)
            if entry.state is State.UNKNOWN and not repeatable:
                raise _recorded(entry)
        if entry.state is State.SUCCEEDED:
            return cast(R, self._completed(entry, call, provider))
        again = attrs.evolve(
            entry, attempt=entry.attempt + 1, epoch=entry.epoch + 1, owner=self.journal.database.locks.owner()
        )
        return self._attempt(again, call, provider, perform)

    def after_death(self, entry: Entry) -> Entry:
        """Take an open operation over from a dead worker, and write down what that left behind.

        Raises:
            OperationInProgress: if the worker lives.
        """
        locks = self.journal.database.locks
        mine = locks.owner()
        if locks.works_on(entry.id) or (entry.owner != mine and self.journal.alive(entry)):
            raise OperationInProgress("another worker is on this very call")
        return bury(self.journal, self.journal.take_over(entry, owner=mine))

    def _new(self, call: Call, provider: VoucherProvider) -> Entry:
        at = now()
        return Entry(
            id=new_id(self.journal.keys.mark(call.account, call.operation.value, call.reference)),
            key=Key(call.account, call.operation, call.reference),
            order=call.order,
            target=self.journal.target(
                provider=provider.name,
                host=provider.host,
                login=provider.login,
                code=call.code,
                id=call.id,
                money=call.money,
                content=call.content,
            ),
            voucher_id=None,
            state=State.OPEN,
            attempt=1,
            epoch=1,
            owner=self.journal.database.locks.owner(),
            result=None,
            error=None,
            created_at=at,
            updated_at=at,
        )

    def _same(self, entry: Entry, call: Call, provider: VoucherProvider) -> None:
        meant = self.journal.target(
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

    def _attempt(self, entry: Entry, call: Call, provider: VoucherProvider, perform: Callable[[Steps], R]) -> R:
        # An unknown operation is begun again only where its provider says that a repeat does no harm.
        steps = JournalledSteps(self.journal, call, provider, entry, new=True, doubt=entry.state is State.UNKNOWN)
        with self.journal.database.locks.working_on(entry.id), steps.held:
            try:
                result = self._performed(steps, perform)
                self._keep(steps, result)
            except BaseException as error:
                if not isinstance(error, Exception):
                    self._interrupted(steps)
                raise
        return result

    def _interrupted(self, steps: JournalledSteps) -> None:
        """Leave no operation open that this process, which may live on, was interrupted at: within a commit even."""
        try:
            entry = self.journal.get(steps.entry.id)
            if entry is not None and entry.state is State.OPEN and entry.epoch == steps.entry.epoch:
                bury(self.journal, entry)
        except (DatabaseUnavailable, OperationInProgress) as trouble:
            log.warning("the interruption of operation %s could not be recorded: %s", steps.entry.id, trouble)

    def _performed(self, steps: JournalledSteps, perform: Callable[[Steps], R]) -> R:
        """Make the steps; if they fail, write down what that means for the operation as a whole."""
        try:
            return cast(R, _named_by(steps.call, perform(steps)))
        except (Declined, AccessDenied, NotExecuted) as error:
            # `new`: nothing was sent, so that no earlier attempt can be to blame
            if not steps.doubt and (steps.new or not _made_before(steps, error)):
                self._lost(steps, error)
                raise
            refused: VoucherGatewayError = error
        except BaseException as error:
            steps.name_ticket(error)
            self._lost(steps, error)
            if not isinstance(error, OutcomeUnknown) or steps.new or steps.uncertain:
                raise
            raise _harmless(error, steps.call) from None
        return cast(R, self._in_doubt(steps, refused))

    def _in_doubt(self, steps: JournalledSteps, refused: VoucherGatewayError) -> Any:
        """Return what an earlier attempt brought about, where this one was refused: perhaps for that very reason.

        Raises:
            OutcomeUnknown: if that cannot be seen. That this attempt did nothing says nothing of the earlier one.
        """
        sent = unsettled(self.journal, steps.entry)
        code = known_code(self.journal, steps.entry, steps.provider, steps.call.code)
        for one in sent:
            outcome = resolved(steps.provider, one.intent, code)
            if outcome.effect is Effect.SUCCEEDED:
                steps.finished.append(Finished(one.id, Effect.SUCCEEDED, outcome.reason, one.step))
                return settled_result(steps.entry, one, outcome)
        error = unknown_error(steps.entry, sent[-1].intent, f"an earlier attempt is in doubt; now {refused.message}")
        self._lost(steps, error)
        raise error

    def _keep(self, steps: JournalledSteps, result: Any) -> None:
        """Write the result down. If that fails the vendor has still done it: the caller must hear the truth."""
        try:
            if steps.new:  # nothing was sent, but a release, say, must still be remembered
                self.journal.record(steps.entry, result)
                return
            self.journal.settle(steps.entry, State.SUCCEEDED, result=result, finished=steps.finished)
        except (DatabaseUnavailable, OperationInProgress) as error:
            log.warning("the result of operation %s could not be recorded: %s", steps.entry.id, error)

    def _lost(self, steps: JournalledSteps, error: BaseException) -> None:
        """Write down how an attempt failed, as far as that can be done."""
        if steps.new:
            return
        if steps.uncertain or isinstance(error, ConcurrentModification):
            state = State.UNKNOWN
        else:
            state = State.DECLINED if isinstance(error, Declined | AccessDenied) else State.NOT_EXECUTED
        known = error if isinstance(error, VoucherGatewayError) else None
        try:
            self.journal.settle(steps.entry, state, error=known, finished=steps.finished)
        except (DatabaseUnavailable, OperationInProgress) as trouble:
            log.warning("the end of operation %s could not be recorded: %s", steps.entry.id, trouble)

    def _completed(self, entry: Entry, call: Call, provider: VoucherProvider) -> Any:
        """Return the recorded result, with the code of an issued voucher, which the journal never holds."""
        result: Any = entry.replay()
        if call.operation is not Operation.ISSUE:
            return result
        code = known_code(self.journal, entry, provider, call.code)
        return self._with_vendors_code(result, provider) if code is None else attrs.evolve(result, code=code)

    def _with_vendors_code(self, voucher: Any, provider: VoucherProvider) -> Any:
        try:
            found = provider.get(voucher.id, secrets=True)
        except VoucherGatewayError:
            return voucher
        return attrs.evolve(voucher, code=found.code, pin=found.pin)


def _made_before(steps: JournalledSteps, error: VoucherGatewayError) -> bool:
    """Whether a voucher is there already under the id that this very operation chose: a restored journal forgot it."""
    chosen = steps.call.id is None and steps.provider.capabilities.codes.ids_choosable
    return isinstance(error, DuplicateCode) and steps.call.operation is Operation.ISSUE and chosen


def _named_by(call: Call, result: Any) -> Any:
    """Return the result under the caller's reference; what the vendor knows is the wire reference."""
    if isinstance(result, Reservation | Redemption | Refund | TopUp):
        return attrs.evolve(result, reference=call.reference, order=call.order)
    return result


def _harmless(error: OutcomeUnknown, call: Call) -> ProviderUnavailable:
    """Return the error for an unknown outcome of a request that takes nothing, such as a redemption's reservation."""
    step = error.ticket.step or error.ticket.verb
    return ProviderUnavailable(
        f"nothing was taken: the outcome of the {step} before it is not known ({error.ticket.reason or error.message})",
        account=error.account,
        operation=call.operation.value,
        http_status=error.http_status,
        request_id=error.request_id,
    )


def _recorded(entry: Entry) -> VoucherGatewayError:
    """Return the error of an operation that stays unknown."""
    kept = json.loads(entry.error) if entry.error else {}
    ticket = Ticket.from_json(json.dumps(kept["ticket"])) if "ticket" in kept else _bare(entry)
    ticket = attrs.evolve(ticket, account=entry.key.account)  # which may have been renamed since
    message = kept.get("message") or "it is not known whether it was carried out"
    return OutcomeUnknown(message, ticket=ticket, account=entry.key.account, operation=entry.key.verb.value)


def _bare(entry: Entry) -> Ticket:
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
