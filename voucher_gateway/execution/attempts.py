"""The steps of one attempt at a call, each written to the journal before it is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Final, TypeVar

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import (
    ConcurrentModification,
    DatabaseUnavailable,
    IntegrityMismatch,
    OperationInProgress,
    OutcomeUnknown,
    Rejected,
    ReservationSuperseded,
    VoucherGatewayError,
    VoucherNotFound,
)
from voucher_gateway.execution.call import Call
from voucher_gateway.execution.voucher_check import is_other_voucher
from voucher_gateway.integrity import OTHER_VOUCHER, voucher_id_of
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys import tag_of
from voucher_gateway.journal.records import HoldRequest, OperationRecord, RequestResult
from voucher_gateway.journal.resolution_queries import note_changed_reference
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.results import Redemption, Reservation, TopUp
from voucher_gateway.outcome import Effect, Intent
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.request_hooks import use_before_send_hook

log: Final = logging.getLogger(__name__)

T = TypeVar("T")

LOCK_WAIT_S: Final = 30.0
"""How long an emulation waits for the voucher's lock."""

HOLD_MARGIN: Final = timedelta(minutes=1)
"""Added to a reservation's life when nobody knows whether it was made: a request can be under way for a while."""

_MARK: Final = 12


def wire_reference(order: str | None, operation_id: str, attempt: int, step: int, *, longest: int) -> str:
    """Return the name of one request at the vendor: readable order first, then what makes it unlike any other.

    The rule: the order, a tilde, the operation's mark (56 bits, in 14 characters), the attempt and the step; the order
    is cut where all of it would be longer than the vendor takes.
    """
    mark = f"~{tag_of(operation_id)}.{attempt}.{step}"
    return f"{(order or '')[: max(0, longest - len(mark))]}{mark}"


@attrs.define
class Attempt:
    """The steps of one attempt.

    Attributes:
        journal: where they are written.
        call: the call.
        provider: at which vendor.
        entry: the operation, as this worker holds it.
        new: whether the operation, or this attempt at it, is still to be written.
        doubt: whether an earlier attempt may have been carried out.
        finished: what became of requests, to be written with the next commit.
        decisive: by row, the effects of this attempt's requests whose success is the operation's.
        held: the locks of the attempt; whoever runs it closes this once the operation is settled.
    """

    journal: Journal
    call: Call
    provider: VoucherProvider
    entry: OperationRecord
    new: bool
    doubt: bool = False
    finished: list[RequestResult] = attrs.field(factory=list)
    decisive: dict[int, Effect] = attrs.field(factory=dict)
    held: ExitStack = attrs.field(factory=ExitStack)
    _count: int = 0

    @property
    def uncertain(self) -> bool:
        """Whether something may have been done for good."""
        return self.doubt or not {Effect.UNKNOWN, Effect.SUCCEEDED}.isdisjoint(self.decisive.values())

    def run(self, name: str, send: Callable[[str], T], *, decisive: bool = True) -> T:
        """Make one changing request under a name of its own at the vendor."""
        self._count += 1
        longest = self.provider.capabilities.max_reference_length
        reference = wire_reference(self.entry.order, self.entry.id, self.entry.attempt, self._count, longest=longest)
        step = _RequestRecorder(self, name, decisive)
        superseded: VoucherGatewayError | None = None
        try:
            with use_before_send_hook(step):
                result = send(reference)
        except VoucherGatewayError as error:
            step.finish(Effect(error.outcome), error.message)
            if not self._is_superseded(step, error):
                raise
            superseded = error
        except BaseException as error:
            step.finish(Effect.UNKNOWN, f"interrupted by {type(error).__name__}")
            raise
        if superseded is not None:
            raise _superseding_error(superseded)
        self._check_voucher(step, result)
        step.finish(Effect.SUCCEEDED, None, result if isinstance(result, Reservation) else None)
        if isinstance(result, Redemption | TopUp) and result.reference not in (None, reference):
            self._note_changed_reference()
        return result

    def _is_superseded(self, step: _RequestRecorder, error: VoucherGatewayError) -> bool:
        """Whether a capture was refused without a reason, and an earlier request may have ended its reservation."""
        intent = step.intent
        unexplained = isinstance(error, Rejected | VoucherNotFound)
        if step.name != Operation.CAPTURE or not unexplained or intent is None or intent.subject is None:
            return False
        try:
            with self.journal.database.read() as connection:
                return self.journal.holds.may_be_superseded(connection, intent.host, intent.subject)
        except DatabaseUnavailable:
            return False

    def _check_voucher(self, step: _RequestRecorder, made: object) -> None:
        """Make sure that an answer names the voucher that the request was about, as far as that is known.

        Raises:
            OutcomeUnknown: if it names another one.
        """
        named, intent, code = voucher_id_of(made), step.intent, self.call.code
        if named is None or intent is None or step.name == Operation.ISSUE or named == intent.voucher_id:
            return
        if intent.voucher_id is None and (
            code is None or not is_other_voucher(self.journal, self.provider, code, named)
        ):
            return
        reason = f"the answer cannot be trusted: {OTHER_VOUCHER}"
        step.finish(Effect.UNKNOWN, reason)
        raise OutcomeUnknown(
            f"{reason}; it may have been carried out",
            ticket=intent.ticket(reason),
            account=self.call.account,
            operation=intent.verb,
        )

    def _note_changed_reference(self) -> None:
        """Note that the vendor keeps another reference than it was sent. The result stands even if this fails."""
        provider = self.provider
        try:
            note_changed_reference(self.journal, provider=provider.name, host=provider.host, login=provider.login)
        except DatabaseUnavailable as error:
            log.warning("it could not be recorded that %s changes references: %s", provider.title, error)

    def name_ticket(self, error: BaseException) -> None:
        """Let the ticket of an error name the operation too, where it knows only the request so far."""
        if (
            isinstance(error, OutcomeUnknown | ConcurrentModification)
            and error.ticket
            and not error.ticket.operation_id
        ):
            error.ticket = attrs.evolve(
                error.ticket,
                verb=self.call.operation.value,
                reference=self.call.reference,
                order=self.call.order,
                operation_id=self.entry.id,
                step=error.ticket.verb,
            )

    @contextmanager
    def lock(self, host: str, voucher_id: str) -> Iterator[None]:
        """Keep everybody who shares the journal off the voucher.

        Raises:
            OperationInProgress: if it cannot be had, or if a request may still overwrite the voucher's value.
            IntegrityMismatch: if the code of the call stands for another voucher.
        """
        code = self.call.code
        if code is not None and is_other_voucher(self.journal, self.provider, code, voucher_id):
            raise IntegrityMismatch(
                "the vendor named another voucher for this code than before; nothing was sent",
                account=self.call.account,
                operation=self.call.operation.value,
            )
        # Held until the operation is settled: who has it next must find this one done.
        self.held.enter_context(self.journal.database.locks.hold(f"{host}\0{voucher_id}", wait_s=LOCK_WAIT_S))
        # Where an update leaves the value alone, one that arrives late cannot undo anything of it.
        if self.provider.capabilities.can_overwrite_value:
            other = self.journal.unresolved_overwrite(self.entry, voucher_id)
            if other is not None:
                raise OperationInProgress(str(other))
        yield

    def with_generated_id(self, new: NewVoucher) -> NewVoucher:
        """Choose the id, or else the code, of a new voucher from the operation's id, so that it can be found again."""
        codes = self.provider.capabilities.codes
        if codes.ids_choosable:
            return new if new.id is not None else attrs.evolve(new, id=f"vg{tag_of(self.entry.id)}")
        if codes.choosable and new.code is None:
            key_id = self.entry.target.key_id
            return attrs.evolve(new, code=self.journal.keys.derive_code(tag_of(self.entry.id), key_id=key_id))
        return new

    def hold(self) -> HoldRequest | None:
        """Return what the reservation of this call does to others on the voucher."""
        rules = self.provider.capabilities.reservations
        if self.call.code is None or rules is None:
            return None
        lasts = None if rules.time_to_live is None else self.provider.vendor_now() + rules.time_to_live + HOLD_MARGIN
        return HoldRequest(
            code=self.call.code,
            order=self.call.order,
            exclusive=rules.superseded_by_next,
            if_held=self.call.if_held,
            lasts_until=lasts,
        )


@attrs.define
class _RequestRecorder:
    """One step: the witness of its requests, which are several where a try surely was not executed."""

    steps: Attempt
    name: str
    decisive: bool
    row: int | None = None
    intent: Intent | None = None

    def before_send(self, intent: Intent) -> None:
        """Commit that a request is about to be sent."""
        steps = self.steps
        if self.row is not None:
            steps.finished.append(
                RequestResult(self.row, Effect.NOT_EXECUTED, "surely not executed; tried again", self.name)
            )
            self._set_effect(Effect.NOT_EXECUTED)
            self.row = None
        row = steps.journal.record_request(
            steps.entry,
            new=steps.new,
            step=self.name,
            decisive=self.decisive,
            intent=intent,
            finished=steps.finished,
            hold=steps.hold() if self.name == Operation.RESERVE else None,
            vendor_now=steps.provider.vendor_now(),
            refund_limit=steps.call.refund_limit,
        )
        steps.new = False
        steps.finished = []
        self.row, self.intent = row, intent
        self._set_effect(Effect.UNKNOWN)  # until it is known better: an interrupt can come at any moment
        if self.name == Operation.REFUND and steps.journal.is_forgotten_refund(intent):
            reason = "the vendor shows a refund of this amount that the restored journal does not know: decide by hand"
            raise OutcomeUnknown(reason, ticket=intent.ticket(reason))

    def finish(self, effect: Effect, reason: str | None, reservation: Reservation | None = None) -> None:
        """Note what became of the last request."""
        if self.row is None:
            return
        self.steps.finished.append(RequestResult(self.row, effect, reason, self.name, reservation))
        self._set_effect(effect)

    def _set_effect(self, effect: Effect) -> None:
        if self.decisive and self.row is not None:
            self.steps.decisive[self.row] = effect


def _superseding_error(refused: VoucherGatewayError) -> ReservationSuperseded:
    return ReservationSuperseded(
        "the vendor refuses the capture; the first request for this reservation, whose answer was lost, may have"
        " arrived since and ended it: reserve under a new reference",
        account=refused.account,
        operation=refused.operation,
        http_status=refused.http_status,
        vendor_code=refused.vendor_code,
        request_id=refused.request_id,
    )
