"""Resolves operations: reads at the vendor what became of a request, and writes it to the journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.commands.steps import overwrite_id
from voucher_gateway.errors import (
    AccessDenied,
    ConfigurationError,
    OutcomePending,
    OutcomeUnknown,
    UnsupportedOperation,
    VoucherGatewayError,
)
from voucher_gateway.execution.vendor_keys import OpenKey, depends_on_key, find_open_key
from voucher_gateway.instants import now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.keys import tag_of
from voucher_gateway.journal.queries import OVERWRITE
from voucher_gateway.journal.records import OperationRecord, OperationState, RequestRecord, RequestResult
from voucher_gateway.journal.resolution_queries import (
    all_claimed_by_others,
    changes_references,
    code_fingerprints,
    is_result_of_another,
    last_voucher_id,
)
from voucher_gateway.masking import Code
from voucher_gateway.models.results import (
    Deletion,
    Redemption,
    Refund,
    Release,
    Reservation,
    TopUp,
    ValueResult,
    convert_result,
)
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.outcome import OTHER_VOUCHER, Effect, Intent, Outcome, Result
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.request_hooks import use_resolution

log: Final = get_logger("voucher_gateway.recovery")

FIRST_LOOKUP_INTERVAL: Final = timedelta(minutes=1)
MAX_LOOKUP_INTERVAL: Final = timedelta(hours=6)
"""The time between two look-ups of an unknown operation doubles from the first interval to the last one."""

_UNDECIDED_EFFECTS: Final = (None, Effect.UNKNOWN, Effect.PENDING, Effect.SUCCEEDED)


def find_undecided_requests(journal: Journal, record: OperationRecord) -> list[RequestRecord]:
    """Return the deciding requests of an operation that may have been carried out.

    Earlier attempts count too: where a repeat does no harm, it is sent before the first request is resolved.
    """
    return _select_undecided(journal.requests_of(record.id))


def _select_undecided(requests: Sequence[RequestRecord]) -> list[RequestRecord]:
    """Return the undecided requests. Those that only prepare a call count if no other one of it was sent."""
    undecided = [request for request in requests if request.decisive and request.effect in _UNDECIDED_EFFECTS]
    deciding = [request for request in undecided if request.intent.leaves is None]
    return deciding or [request for request in undecided if request.effect is not Effect.SUCCEEDED]


def close_abandoned(journal: Journal, record: OperationRecord) -> OperationRecord:
    """Close an operation that a crashed worker left open. It must have been taken over before.

    A request that was recorded without an effect may have been sent. A request that was not recorded was not sent.
    """
    requests = journal.requests_of(record.id)
    finished = [
        RequestResult(request.id, Effect.UNKNOWN, "the worker crashed", request.step)
        for request in requests
        if request.effect is None
    ]
    undecided = _select_undecided(requests)
    if not undecided:
        log.info("%s: not_executed: its worker stopped before a request that decides it", record.label)
        return journal.close_operation(record, OperationState.NOT_EXECUTED, finished=finished)
    log.warning("%s: unknown: its worker stopped before it knew the outcome", record.label)
    error = unknown_error(record, undecided[-1].intent, "the worker crashed before it knew the outcome")
    return journal.close_operation(record, OperationState.UNKNOWN, finished=finished, error=error)


def resolve_unknown(
    journal: Journal, record: OperationRecord, provider: VoucherProvider, code: Code | None = None
) -> tuple[OperationRecord, bool, OpenKey | None]:
    """Ask the vendor what became of an unknown or pending operation, and record the answer. It only reads there.

    An operation that the vendor has accepted stays pending until the vendor shows that it was executed or cancelled.

    Returns:
        the operation; whether it may be sent again although the outcome is still unknown; and the key under which it
        must go on then, where its unsettled request had one.

    Raises:
        ConfigurationError: if the account now leads to another host or login than the operation ran at.
    """
    if record.needs_decision:  # both readings are known and explain nothing, so a later reading cannot either
        log.warning("%s: unknown: a person must decide", record.label)
        return record, False, None
    sent = journal.requests_of(record.id)
    requests = _select_undecided(sent)
    if requests and all(request.intent.leaves is not None for request in requests):
        log.info("%s: resolved: not_executed: only preparing requests were sent", record.label)
        reason = f"only what prepares the {record.key.verb.value} was sent, which moves nothing"
        finished = [RequestResult(request.id, Effect.UNKNOWN, reason, request.step) for request in requests]
        return journal.close_operation(record, OperationState.NOT_EXECUTED, finished=finished), False, None
    code = voucher_code(journal, record, provider, code)
    log.debug("%s: asks the vendor about %d requests", record.label, len(requests))
    outcomes = _check_outcomes(journal, record, provider, requests, code)
    for request, outcome in zip(requests, outcomes, strict=True):
        if outcome.effect is Effect.SUCCEEDED:
            result = result_from_request(record, request, outcome)
            reservation = outcome.result if isinstance(outcome.result, Reservation) else None
            finished = [RequestResult(request.id, Effect.SUCCEEDED, outcome.reason, request.step, reservation)]
            log.info("%s: resolved: succeeded", record.label)
            closed = journal.close_operation(record, OperationState.SUCCEEDED, result=result, finished=finished)
            return closed, False, None
    if outcomes and all(outcome.effect in (Effect.NOT_EXECUTED, Effect.DECLINED) for outcome in outcomes):
        finished = [
            RequestResult(request.id, outcome.effect, outcome.reason, request.step)
            for request, outcome in zip(requests, outcomes, strict=True)
        ]
        is_declined = any(outcome.effect is Effect.DECLINED for outcome in outcomes)
        state = OperationState.DECLINED if is_declined else OperationState.NOT_EXECUTED
        log.info("%s: resolved: %s", record.label, state.value)
        return journal.close_operation(record, state, finished=finished), False, None
    if record.state is OperationState.PENDING or any(outcome.effect is Effect.PENDING for outcome in outcomes):
        return _keep_open(journal, record, requests, outcomes, OperationState.PENDING), False, None
    is_repeatable = bool(outcomes) and all(
        outcome.repeatable or outcome.effect is not Effect.UNKNOWN for outcome in outcomes
    )
    open_key = find_open_key(journal, provider, requests, sent)
    if open_key is not None:
        is_repeatable = True
    elif depends_on_key(provider, requests):
        is_repeatable = False  # whatever the provider says: without its key it would be another call
    is_repeatable = is_repeatable or _is_replaceable(record, requests, provider)
    return _keep_open(journal, record, requests, outcomes, OperationState.UNKNOWN), is_repeatable, open_key


def _check_outcomes(
    journal: Journal,
    record: OperationRecord,
    provider: VoucherProvider,
    requests: Sequence[RequestRecord],
    code: Code | None,
) -> list[Outcome]:
    """Return the outcome of each request. Those under one key are one call at the vendor, and looked up once."""
    by_key: dict[str, Outcome] = {}
    outcomes = []
    for request in requests:
        key = request.intent.key
        outcome = by_key.get(key) if key is not None else None
        if outcome is None:
            outcome = _check_outcome(journal, record, provider, request, code)
        if key is not None:
            by_key[key] = outcome
        outcomes.append(outcome)
    return outcomes


def _check_outcome(
    journal: Journal, record: OperationRecord, provider: VoucherProvider, request: RequestRecord, code: Code | None
) -> Outcome:
    """Return the outcome of a request, unless what the journal knows contradicts it: then the outcome is unknown."""
    outcome = ask_provider(provider, request.intent, code)
    if request.effect is Effect.PENDING and outcome.effect is Effect.NOT_EXECUTED:
        reason = f"the vendor has accepted it before, and now does not show it ({outcome.reason})"
        return Outcome(effect=Effect.PENDING, reason=reason)
    can_be_partial = provider.capabilities.partial_approval and request.step == Operation.REDEEM
    if outcome.effect is Effect.SUCCEEDED and outcome.result is None and can_be_partial:
        reason = "the vendor may have taken less than was asked for, and does not show how much: a person must decide"
        return Outcome(effect=Effect.UNKNOWN, reason=reason)
    if outcome.effect is Effect.SUCCEEDED and is_result_of_another(journal, record, outcome.result):
        reason = "the movement at the vendor belongs to another operation: a person must decide"
        return Outcome(effect=Effect.UNKNOWN, reason=reason)
    if outcome.candidates is None:
        return outcome
    target = record.target
    if changes_references(journal, provider=target.provider, host=target.host, login=target.login):
        reason = "this vendor changes the references that it is sent, so absence proves nothing: a person must decide"
        return Outcome(effect=Effect.UNKNOWN, reason=reason)
    is_absent = outcome.effect is Effect.NOT_EXECUTED or all_claimed_by_others(journal, record, outcome.candidates)
    if is_absent and may_concern_other_voucher(journal, provider, record, request, code):
        reason = "the history may be that of another voucher than the code's, so absence proves nothing"
        return Outcome(effect=Effect.UNKNOWN, reason=reason)
    if outcome.candidates and is_absent:
        reason = "every movement that could be this one belongs to another operation, and no more can arrive"
        return Outcome(effect=Effect.NOT_EXECUTED, reason=reason)
    return outcome


def _is_replaceable(record: OperationRecord, requests: Sequence[RequestRecord], provider: VoucherProvider) -> bool:
    """Whether an operation is a reservation that the vendor replaces when it is made again. It moves nothing."""
    rules = provider.capabilities.reservations
    return (
        record.key.verb is Operation.RESERVE
        and rules is not None
        and rules.superseded_by_next
        and all(request.step == Operation.RESERVE for request in requests)
    )


def _keep_open(
    journal: Journal,
    record: OperationRecord,
    requests: Sequence[RequestRecord],
    outcomes: Sequence[Outcome],
    state: OperationState,
) -> OperationRecord:
    """Record that an operation is still unknown or pending, and when the vendor is to be asked next."""
    is_pending = state is OperationState.PENDING
    open_effects = (Effect.PENDING, Effect.UNKNOWN) if is_pending else (Effect.UNKNOWN,)
    reasons = [
        outcome.reason for effect in open_effects for outcome in outcomes if outcome.effect is effect and outcome.reason
    ]
    reason = reasons[0] if reasons else "the vendor has accepted it" if is_pending else "not known"
    error = unknown_error(record, requests[-1].intent, reason, pending=is_pending) if requests else None
    interval = min(MAX_LOOKUP_INTERVAL, FIRST_LOOKUP_INTERVAL * 2 ** min(record.checks, 16))
    log.warning("%s: still %s; the next look-up is due in %s", record.label, state.value, interval)
    finished = [
        RequestResult(request.id, Effect.PENDING, outcome.reason, request.step)
        for request, outcome in zip(requests, outcomes, strict=True)
        if outcome.effect is Effect.PENDING and request.effect is not Effect.PENDING
    ]
    return journal.close_operation(
        record, state, error=error, finished=finished, check_at=now() + interval, checks=record.checks + 1
    )


def voucher_code(
    journal: Journal, record: OperationRecord, provider: VoucherProvider, code: Code | None
) -> Code | None:
    """Return the code of an operation as far as it is known: the caller's, or the code that the journal derived."""
    codes = provider.capabilities.codes
    is_derived = record.key.verb is Operation.ISSUE and codes.choosable and not codes.ids_choosable
    if code is None and is_derived and record.target.fingerprint is None:
        return journal.keys.derive_code(tag_of(record.id), codes, key_id=record.target.key_id)
    return code


def ask_provider(provider: VoucherProvider, intent: Intent, code: Code | None) -> Outcome:
    """Ask a provider what became of a request.

    Raises:
        ConfigurationError: if the account leads to another host or login than the request went to.
    """
    if (intent.host, intent.login) != (provider.host, provider.login):
        raise ConfigurationError(
            f"the operation ran at {intent.host} as {intent.login or 'this login'}, but the account {provider.account}"
            f" now leads to {provider.host} as {provider.login or 'another'}: it must not be looked up there"
        )
    try:
        with use_resolution():
            return provider.resolve(intent, code)
    except VoucherGatewayError as error:
        return Outcome(effect=Effect.UNKNOWN, reason=f"the vendor could not be asked: {error.message}")


def unknown_error(record: OperationRecord, intent: Intent, reason: str, *, pending: bool = False) -> OutcomeUnknown:
    """Return the error of an operation whose outcome is not known, or pending, with its ticket."""
    ticket = attrs.evolve(
        intent.ticket(reason),
        account=record.key.account,
        verb=record.key.verb.value,
        reference=record.key.reference,
        order=record.order,
        operation_id=record.id,
        step=intent.verb,
    )
    kind = OutcomePending if pending else OutcomeUnknown
    consequence = "the vendor will complete or cancel it later" if pending else "it may have been carried out"
    return kind(f"{reason}; {consequence}", ticket=ticket, account=record.key.account, operation=record.key.verb.value)


def result_from_request(record: OperationRecord, request: RequestRecord, outcome: Outcome) -> Result:
    """Return the result of an operation, from that of the request that decided it.

    The vendor knows it under the wire reference, the caller under the operation's reference.
    """
    result = _as_operation_result(record, outcome.result or minimal_result(record, request))
    if isinstance(result, ValueResult):
        return attrs.evolve(result, reference=record.key.reference, order=record.order)
    return result


def _as_operation_result(record: OperationRecord, result: Result) -> Result:
    """Return the result of an emulation's request as that of the operation that it emulates."""
    verb, account, target = record.key.verb, record.key.account, record.target
    if verb is Operation.RESERVE and isinstance(result, Redemption):
        return convert_result(result, Reservation, account=account)
    if verb is Operation.RELEASE and isinstance(result, Refund):
        return Release(account=account, reservation_id=target.id or result.id, freed=True)
    if verb is Operation.REFUND and isinstance(result, TopUp):  # of a voucher that was moved
        return convert_result(result, Refund, account=account, redemption_id=target.id)
    if verb is Operation.CAPTURE and isinstance(result, Refund) and target.id and target.money:
        return Redemption(
            account=account,
            id=target.id,
            voucher_id=result.voucher_id,
            money=target.money,
            reservation_id=target.id,
        )
    return result


def minimal_result(record: OperationRecord, request: RequestRecord) -> Result:
    """Return the result of an operation of which the vendor shows only that it happened.

    An emulation that overwrites a value makes the id of its result from the request. The same id is returned here,
    because the caller may have received that result although it could not be recorded, and refunds are summed by the
    redemption's id.
    """
    intent = request.intent
    verb, money = record.key.verb, record.target.money or intent.money
    fields: dict[str, Any] = {
        "account": record.key.account,
        "id": overwrite_id(intent) if request.step == OVERWRITE else f"operation:{record.id}",
        "voucher_id": intent.voucher_id,
        "created_at": intent.sent_at,
    }
    if verb is Operation.RELEASE:
        return Release(account=record.key.account, reservation_id=record.target.id or "", freed=True)
    if verb is Operation.DELETE:
        return Deletion(account=record.key.account, voucher_id=intent.voucher_id or intent.subject or "")
    if money is not None and verb in (Operation.REDEEM, Operation.CAPTURE):
        return Redemption(**fields, money=money, reservation_id=record.target.id)
    if money is not None and verb is Operation.RESERVE:
        return Reservation(**fields, money=money)
    if money is not None and verb is Operation.REFUND:
        return Refund(**fields, redemption_id=record.target.id, money=money)
    if money is not None and verb is Operation.TOP_UP:
        return TopUp(**fields, money=money)
    return Voucher(account=record.key.account, id=intent.voucher_id or intent.subject or "", initial=money)


# --- the voucher that an answer names for a code, and the voucher that the journal knows ---


def is_other_voucher(
    journal: Journal,
    provider: VoucherProvider,
    code: Code,
    voucher_id: str,
    fingerprint: tuple[str, str | None] = ("", None),
) -> bool:
    """Whether an answer about a code names another voucher than the code has.

    The journal knows the voucher of the last operation on the code. A code can change its voucher: the voucher was
    deleted and the code issued again, or the first answer was wrong. So if the two differ, the vendor is asked once
    more, and two equal answers count. `fingerprint` is what is known of the code, as of `JournalKeys.fingerprints`.
    """
    known = last_voucher_id(
        journal, provider=provider.name, host=provider.host, login=provider.login, code=code, known=fingerprint
    )
    if known is None or known == voucher_id:
        return False
    try:
        return provider.find(code).id != voucher_id
    except VoucherGatewayError:
        return True


def may_concern_other_voucher(
    journal: Journal, provider: VoucherProvider, record: OperationRecord, request: RequestRecord, code: Code | None
) -> bool:
    """Whether a request may have moved the value of another voucher than the journal names.

    The journal may have the voucher's id from only one answer, that to the reservation. If that answer was wrong, the
    history of the named voucher proves nothing. So the vendor is asked which voucher has the code, or which code the
    named voucher has. If it shows neither, at least the answers to the request itself must not have differed.
    """
    voucher_id = request.intent.voucher_id
    if voucher_id is None:
        return False
    try:
        if code is not None:
            return provider.find(code).id != voucher_id
        fingerprints = code_fingerprints(journal, record, request.intent)
        vendors_code = provider.get(voucher_id, secrets=True).code if fingerprints else None
    except (AccessDenied, UnsupportedOperation):
        vendors_code = None
    except VoucherGatewayError:
        return True  # asked again at the next look-up
    if vendors_code is None:
        return OTHER_VOUCHER in (request.reason or "")
    return fingerprints.isdisjoint(journal.keys.fingerprints(vendors_code, provider=provider.name, host=provider.host))
