"""One attempt at a command: each of its steps is written to the journal before it is sent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.commands.command import Command
from voucher_gateway.commands.steps import CommandStep, T
from voucher_gateway.commands.value import SpendCommand
from voucher_gateway.errors import (
    AccessDenied,
    ConcurrentModification,
    DatabaseUnavailable,
    Declined,
    IntegrityMismatch,
    OperationInProgress,
    OutcomePending,
    OutcomeUnknown,
    Rejected,
    ReservationSuperseded,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway.execution.resolution import is_other_voucher
from voucher_gateway.execution.vendor_keys import OpenKey
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.keys import tag_of
from voucher_gateway.journal.records import HoldRequest, OperationRecord, RequestResult
from voucher_gateway.journal.resolution_queries import note_changed_reference
from voucher_gateway.journal.rows import SentRequests
from voucher_gateway.masking import Code
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.results import Redemption, Reservation, TopUp
from voucher_gateway.outcome import OTHER_VOUCHER, Effect, Intent, Result, voucher_id_of
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.request_hooks import WatchedStep, use_before_send_hook, watch_step

log: Final = get_logger("voucher_gateway.execution")

_MAY_HAPPEN: Final = frozenset({Effect.UNKNOWN, Effect.PENDING, Effect.SUCCEEDED})

VOUCHER_LOCK_TIMEOUT_S: Final = 30.0
"""How long an attempt waits for the voucher's lock."""

LOGGED_WAIT_S: Final = 0.1
"""A longer wait for the voucher's lock is logged."""

HOLD_MARGIN: Final = timedelta(minutes=1)
"""Added to a reservation's life if it is unknown whether it was made: a request can be on its way for some time."""


def wire_reference(order: str | None, operation_id: str, attempt: int, step: int, *, max_length: int) -> str:
    """Return the name of one request at the vendor: the readable order, and what makes the name unique.

    It is the order, a tilde, the operation's tag (56 bits in 14 characters), the attempt and the step. The order is cut
    if the whole would be longer than the vendor accepts.
    """
    tag = f"~{tag_of(operation_id)}.{attempt}.{step}"
    return f"{(order or '')[: max(0, max_length - len(tag))]}{tag}"


@attrs.define
class Attempt:
    """Runs the steps of one attempt at a command.

    Attributes:
        journal: where the steps are written.
        command: what the caller asks for.
        provider: the vendor.
        record: the operation, as this worker owns it.
        unsaved: whether the operation, or this attempt at it, is not written yet.
        earlier_attempt_unknown: whether an earlier attempt may have been carried out.
        open_key: the requests of an earlier attempt under whose keys the first step goes on; None if there are none.
        finished: results of requests, to be written with the next commit.
        sent: the requests of this attempt, as they were written.
        label: that of the record, for log lines.
        effects: by row, the effects of this attempt's requests that decide the operation's outcome.
        locks: the locks of the attempt. The executor closes this when the operation is closed.
    """

    journal: Journal
    command: Command[Result]
    provider: VoucherProvider
    record: OperationRecord
    unsaved: bool
    earlier_attempt_unknown: bool = False
    open_key: OpenKey | None = None
    finished: list[RequestResult] = attrs.field(factory=list)
    effects: dict[int, Effect] = attrs.field(factory=dict)
    locks: ExitStack = attrs.field(factory=ExitStack)
    sent: SentRequests = attrs.field(init=False)
    label: str = attrs.field(init=False)
    _step_count: int = 0

    def __attrs_post_init__(self) -> None:
        self.label = self.record.label
        self.sent = SentRequests(is_complete=self.unsaved and self.record.attempt == 1)

    @property
    def may_have_taken_effect(self) -> bool:
        """Whether this operation may have changed something for good."""
        return self.earlier_attempt_unknown or not _MAY_HAPPEN.isdisjoint(self.effects.values())

    def run(self, step: CommandStep[T], *, decides_outcome: bool = True) -> T:
        """Send one step under its own name at the vendor, and return its result."""
        self._step_count += 1
        max_length = self.provider.capabilities.max_reference_length
        record = self.record
        reference = wire_reference(record.order, record.id, record.attempt, self._step_count, max_length=max_length)
        open_key = self.open_key if self._step_count == 1 else None
        if open_key is not None:
            reference = self._require_same_step(open_key, step.name).wire_reference
        recorder = RequestRecorder(self, step.name, decides_outcome, open_key=open_key)
        superseded: VoucherGatewayError | None = None
        unknown: VoucherGatewayError | None = None
        try:
            with use_before_send_hook(recorder), watch_step() as watched:
                recorder.watched = watched
                result = step.send(self.provider, reference)
        except VoucherGatewayError as error:
            unknown = watched.unknown_outcome(error)
            watched.name_leftovers(unknown or error)
            recorder.finish_with_error(unknown or error)
            if unknown is None:
                recorder.settle_refused_key(error)
                if not self._may_be_superseded(recorder, error):
                    raise
                superseded = error
        except BaseException as error:
            recorder.finish(Effect.UNKNOWN, f"interrupted by {type(error).__name__}")
            raise
        if unknown is not None:
            raise unknown
        if superseded is not None:
            raise _make_superseded_error(superseded)
        self._require_right_voucher(recorder, result)
        recorder.finish(Effect.SUCCEEDED, None, result if isinstance(result, Reservation) else None)
        recorder.settle_open_key(Effect.SUCCEEDED)
        if isinstance(result, Redemption | TopUp) and result.reference not in (None, reference):
            self._note_changed_reference()
        return result

    def _require_same_step(self, open_key: OpenKey, step: str) -> OpenKey:
        """Return the key of the request in doubt, if this step sent it.

        Raises:
            OutcomeUnknown: if another step did. Nothing is sent.
        """
        if open_key.step == step:
            return open_key
        reason = f"a {open_key.step} is in doubt, and the operation would now begin with a {step}"
        raise OutcomeUnknown(
            f"{reason}: nothing was sent",
            ticket=open_key.last_intent.ticket(reason),
            account=self.command.account,
            operation=self.command.operation.value,
        )

    def _may_be_superseded(self, recorder: RequestRecorder, error: VoucherGatewayError) -> bool:
        """Whether a capture was refused without a reason, and an earlier request may have ended its reservation."""
        intent = recorder.intent
        is_unexplained = isinstance(error, Rejected | VoucherNotFound)
        if recorder.step != Operation.CAPTURE or not is_unexplained or intent is None or intent.subject is None:
            return False
        try:
            return self.journal.may_be_superseded(intent.host, intent.subject)
        except DatabaseUnavailable:
            return False

    def _require_right_voucher(self, recorder: RequestRecorder, result: object) -> None:
        """Make sure that an answer names the voucher of the request, as far as that is known.

        Raises:
            OutcomeUnknown: if it names another one.
        """
        voucher_id, intent, code = voucher_id_of(result), recorder.intent, self.command.code
        if voucher_id is None or intent is None or recorder.step == Operation.ISSUE or voucher_id == intent.voucher_id:
            return
        if intent.voucher_id is None and (code is None or not self._is_other_voucher(code, voucher_id)):
            return
        reason = f"the answer cannot be trusted: {OTHER_VOUCHER}"
        recorder.finish(Effect.UNKNOWN, reason)
        raise OutcomeUnknown(
            f"{reason}; it may have been carried out",
            ticket=intent.ticket(reason),
            account=self.command.account,
            operation=intent.verb,
        )

    def _is_other_voucher(self, code: Code, voucher_id: str) -> bool:
        target = self.record.target
        return is_other_voucher(
            self.journal, self.provider, code, voucher_id, fingerprint=(target.key_id, target.fingerprint)
        )

    def _note_changed_reference(self) -> None:
        """Record that the vendor stores another reference than it was sent. The result stands even if this fails."""
        provider = self.provider
        try:
            note_changed_reference(self.journal, provider=provider.name, host=provider.host, login=provider.login)
        except DatabaseUnavailable as error:
            log.warning("%s: could not record that the vendor changes references: %s", self.label, error)

    def complete_ticket(self, error: BaseException) -> None:
        """Add the operation to the ticket of an error, if the ticket names only the request."""
        if not isinstance(error, OutcomeUnknown | ConcurrentModification):
            return
        if error.ticket is None or error.ticket.operation_id:
            return
        error.ticket = attrs.evolve(
            error.ticket,
            verb=self.command.operation.value,
            reference=self.command.reference,
            order=self.command.order,
            operation_id=self.record.id,
            step=error.ticket.verb,
        )

    @contextmanager
    def lock(self, host: str, voucher_id: str) -> Iterator[None]:
        """Keep all others who share the journal away from the voucher.

        Raises:
            OperationInProgress: if another worker holds the lock, or if a request may still overwrite the value.
            IntegrityMismatch: if the command's code belongs to another voucher.
        """
        code = self.command.code
        if code is not None and self._is_other_voucher(code, voucher_id):
            raise IntegrityMismatch(
                "the vendor named another voucher for this code than before; nothing was sent",
                account=self.command.account,
                operation=self.command.operation.value,
            )
        # Held until the operation is closed: the next owner of the lock must find this operation closed.
        lock = self.journal.database.locks.hold(f"{host}\0{voucher_id}", wait_s=VOUCHER_LOCK_TIMEOUT_S)
        begin = time.monotonic()
        self.locks.enter_context(lock)
        if (waited_s := time.monotonic() - begin) > LOGGED_WAIT_S:
            log.debug("%s: waited %.1f s for the lock of the voucher", self.label, waited_s)
        # Where an update leaves the value unchanged, an update that arrives late cannot undo anything.
        if self.provider.capabilities.can_overwrite_value:
            overwrite = self.journal.find_unresolved_overwrite(self.record, voucher_id)
            if overwrite is not None:
                raise OperationInProgress(str(overwrite))
        yield

    def with_generated_id(self, new: NewVoucher) -> NewVoucher:
        """Return a new voucher with an id, or else a code, made from the operation's id, so that it is found again."""
        codes = self.provider.capabilities.codes
        if codes.ids_choosable:
            return new if new.id is not None else attrs.evolve(new, id=f"vg{tag_of(self.record.id)}")
        if codes.choosable and new.code is None:
            key_id = self.record.target.key_id
            return attrs.evolve(new, code=self.journal.keys.derive_code(tag_of(self.record.id), codes, key_id=key_id))
        return new

    def hold_request(self) -> HoldRequest | None:
        """Return what the reservation of this command does to other reservations on the voucher."""
        rules = self.provider.capabilities.reservations
        if not isinstance(self.command, SpendCommand) or rules is None:
            return None
        lasts = None if rules.time_to_live is None else self.provider.vendor_now() + rules.time_to_live + HOLD_MARGIN
        return HoldRequest(
            code=self.command.code,
            order=self.command.order,
            exclusive=rules.superseded_by_next,
            holds_rest=rules.holds_rest,
            if_held=self.command.if_held,
            lasts_until=lasts,
        )


@attrs.define
class RequestRecorder:
    """Records the requests of one step: there are several if a try was certainly not executed and is repeated.

    Attributes:
        attempt: the attempt.
        step: the step's name.
        decides_outcome: whether the operation succeeds when this step does.
        row: the last request's row in the journal.
        intent: the last request.
        open_key: the requests in doubt under whose keys this step goes on; None if there are none.
        watched: what the HTTP client saw in this step.
        sent_keys: the keys that this step has sent.
    """

    attempt: Attempt
    step: str
    decides_outcome: bool
    row: int | None = None
    intent: Intent | None = None
    open_key: OpenKey | None = None
    watched: WatchedStep | None = None
    sent_keys: set[str] = attrs.field(factory=set)

    def before_send(self, intent: Intent) -> None:
        """Commit that a request is about to be sent."""
        attempt = self.attempt
        self._require_key_in_doubt(intent)
        if self.row is not None and self._is_same_request(intent):
            attempt.journal.confirm_request(attempt.record)  # its row, and so its first sending, stays what it is
            return
        if self.row is not None:
            effect = self._effect_of_last()
            reason = "certainly not executed; tried again"
            if effect is not Effect.NOT_EXECUTED:
                reason = "another request of the same call followed"
            attempt.finished.append(RequestResult(self.row, effect, reason, self.step))
            self._set_effect(effect)
            self.row = None
        row = attempt.journal.record_request(
            attempt.record,
            new=attempt.unsaved,
            step=self.step,
            decisive=self.decides_outcome,
            intent=intent,
            finished=attempt.finished,
            hold=attempt.hold_request() if self.step == Operation.RESERVE else None,
            vendor_now=attempt.provider.vendor_now(),
            refund_limit=attempt.command.refund_limit,
            sent=attempt.sent,
        )
        attempt.unsaved = False
        attempt.finished = []
        self.row, self.intent = row, intent
        if intent.key is not None:
            self.sent_keys.add(intent.key)
        self._set_effect(Effect.UNKNOWN)  # until more is known: an interrupt can come at any moment
        if self.step == Operation.REFUND and attempt.journal.is_forgotten_refund(intent):
            reason = "the vendor shows a refund of this amount that the restored journal does not know: decide by hand"
            raise OutcomeUnknown(reason, ticket=intent.ticket(reason))

    def _require_key_in_doubt(self, intent: Intent) -> None:
        """Make sure that a step in doubt sends only what its key makes safe.

        Raises:
            OutcomeUnknown: if it would send anything else. Nothing is sent.
        """
        objection = None if self.open_key is None else self.open_key.find_objection(intent, self.sent_keys)
        if self.watched is not None and intent.key in self.watched.forgotten_keys:
            objection = "the vendor has forgotten the key with an error"
        if objection is None:
            return
        raise OutcomeUnknown(
            f"an earlier request is in doubt and nothing was sent: {objection}",
            ticket=intent.ticket(objection),
            account=self.attempt.command.account,
            operation=intent.verb,
        )

    def _is_same_request(self, intent: Intent) -> bool:
        """Whether the last request is sent again under its key."""
        last = self.intent
        return (
            last is not None
            and intent.key is not None
            and (intent.key, intent.key_credentials) == (last.key, last.key_credentials)
        )

    def _effect_of_last(self) -> Effect:
        """Return the effect of the last request, after which another one is sent.

        Without keys and parts it is the same one, certainly not executed. Otherwise it may be another one of the call.
        """
        name = None if self.intent is None else self.intent.name_in_call
        if name is None or self.watched is None:
            return Effect.NOT_EXECUTED
        return self.watched.effects.get(name, Effect.UNKNOWN)

    def settle_open_key(self, effect: Effect) -> None:
        """Note that the vendor's answer under their keys decided the requests in doubt as well."""
        if self.open_key is None:
            return
        reason = "the vendor answered a repeat under its key"
        for request in self.open_key.requests:
            if request.intent.key in self.sent_keys:
                self.attempt.finished.append(RequestResult(request.id, effect, reason, self.step))

    def settle_refused_key(self, error: VoucherGatewayError) -> None:
        """Note that the vendor keeps a refusal under the key of the request in doubt: it was never executed."""
        is_kept = self.watched is not None and self.watched.effect is Effect.DECLINED
        is_refusal = isinstance(error, Declined | AccessDenied)
        if self.open_key is None or not is_kept or not is_refusal:
            return
        sent = self.sent_keys - {request.intent.key for request in self.open_key.prepared}
        if {request.intent.key for request in self.open_key.requests} == sent and len(sent) == 1:
            self.settle_open_key(Effect.DECLINED)
            self.attempt.earlier_attempt_unknown = False

    def finish_with_error(self, error: VoucherGatewayError) -> None:
        """Note the effect that the error of the step tells of the last request."""
        if not isinstance(error, OutcomePending):
            self.finish(Effect(error.outcome), error.message)
            return
        self.finish(Effect.PENDING, error.message, notes=error.ticket.notes)
        self.settle_open_key(Effect.PENDING)

    def finish(
        self,
        effect: Effect,
        reason: str | None,
        reservation: Reservation | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Note the effect of the last request."""
        if self.row is None:
            return
        if self.intent is not None and self.intent.leaves is not None and self._effect_of_last() is Effect.SUCCEEDED:
            effect = Effect.SUCCEEDED  # what failed is the call, after this request
        key = None if self.intent is None else self.intent.key
        key_forgotten = self.watched is not None and key in self.watched.forgotten_keys
        self.attempt.finished.append(
            RequestResult(self.row, effect, reason, self.step, reservation, key_forgotten, notes)
        )
        self._set_effect(effect)
        log.debug("%s: step %s: request %d: %s", self.attempt.label, self.step, self.row, effect.value)

    def _set_effect(self, effect: Effect) -> None:
        if not self.decides_outcome or self.row is None:
            return
        self.attempt.effects[self.row] = effect
        if self.intent is not None and self.intent.leaves is not None and effect is Effect.SUCCEEDED:
            del self.attempt.effects[self.row]  # it has prepared the call, and moved nothing


def _make_superseded_error(refusal: VoucherGatewayError) -> ReservationSuperseded:
    return ReservationSuperseded(
        "the vendor refuses the capture; the first request for this reservation, whose answer was lost, may have"
        " arrived later and ended it: reserve under a new reference",
        account=refusal.account,
        operation=refusal.operation,
        http_status=refusal.http_status,
        vendor_code=refusal.vendor_code,
        request_id=refusal.request_id,
    )
