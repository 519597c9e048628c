"""Finding out what became of an operation, by reading at the vendor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.emulation.by_update import overwrite_id
from voucher_gateway.errors import ConfigurationError, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.execution.voucher_check import may_concern_other_voucher
from voucher_gateway.instants import now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys import tag_of
from voucher_gateway.journal.overwrites import OVERWRITE
from voucher_gateway.journal.records import OperationRecord, OperationState, RequestRecord, RequestResult
from voucher_gateway.journal.resolution_queries import all_claimed_by_others, changes_references, is_result_of_another
from voucher_gateway.masking import Code
from voucher_gateway.models.results import Deletion, Redemption, Refund, Release, Reservation, TopUp
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.outcome import Effect, Intent, Outcome, Result
from voucher_gateway.provider import VoucherProvider

FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=6)
"""Between two look-ups of one operation; the wait doubles in between."""

_MAYBE: Final = (None, Effect.UNKNOWN, Effect.SUCCEEDED)


def undecided_requests(journal: Journal, entry: OperationRecord) -> list[RequestRecord]:
    """Return the requests by which an operation is decided that is not settled: those that may have been carried out.

    Earlier attempts count too: where a repeat does no harm, one is made before the first is known.
    """
    return [request for request in journal.requests_of(entry.id) if request.decisive and request.effect in _MAYBE]


def close_abandoned(journal: Journal, entry: OperationRecord) -> OperationRecord:
    """Write down what a worker left behind when it died. Its operation must have been taken over before.

    A request that was written and not finished may have been sent; one that was not written surely was not.
    """
    sent = journal.requests_of(entry.id)
    finished = [
        RequestResult(request.id, Effect.UNKNOWN, "the worker died", request.step)
        for request in sent
        if request.effect is None
    ]
    decisive = [request for request in sent if request.decisive and request.effect in _MAYBE]
    if not decisive:
        return journal.close_operation(entry, OperationState.NOT_EXECUTED, finished=finished)
    error = unknown_error(entry, decisive[-1].intent, "the worker died before it knew")
    return journal.close_operation(entry, OperationState.UNKNOWN, finished=finished, error=error)


def resolve_unknown(
    journal: Journal, entry: OperationRecord, provider: VoucherProvider, code: Code | None = None
) -> tuple[OperationRecord, bool]:
    """Look at the vendor for what became of an unknown operation, and write down what is found. Only reads there.

    Returns:
        the operation, and whether the same request may be sent again although it is still unknown.

    Raises:
        ConfigurationError: if the account now leads to another host or login than the operation ran at.
    """
    if entry.needs_decision:  # both readings were seen then, and explain nothing: later ones cannot
        return entry, False
    sent = undecided_requests(journal, entry)
    code = voucher_code(journal, entry, provider, code)
    outcomes = [_our_own(journal, entry, provider, request, code) for request in sent]
    for request, outcome in zip(sent, outcomes, strict=True):
        if outcome.effect is Effect.SUCCEEDED:
            result = result_from_request(entry, request, outcome)
            finished = [RequestResult(request.id, Effect.SUCCEEDED, outcome.reason, request.step)]
            return journal.close_operation(entry, OperationState.SUCCEEDED, result=result, finished=finished), False
    if outcomes and all(outcome.effect in (Effect.NOT_EXECUTED, Effect.DECLINED) for outcome in outcomes):
        finished = [
            RequestResult(request.id, outcome.effect, outcome.reason, request.step)
            for request, outcome in zip(sent, outcomes, strict=True)
        ]
        return journal.close_operation(entry, OperationState.NOT_EXECUTED, finished=finished), False
    repeatable = bool(outcomes) and all(
        outcome.repeatable or outcome.effect is not Effect.UNKNOWN for outcome in outcomes
    )
    repeatable = repeatable or _is_replaceable(entry, sent, provider)
    return _still_unknown(journal, entry, sent, outcomes), repeatable


def _our_own(
    journal: Journal, entry: OperationRecord, provider: VoucherProvider, sent: RequestRecord, code: Code | None
) -> Outcome:
    """Return an outcome as far as it stands against what the journal knows of other operations and of the vendor."""
    outcome = ask_provider(provider, sent.intent, code)
    if outcome.effect is Effect.SUCCEEDED and is_result_of_another(journal, entry, outcome.result):
        return Outcome(effect=Effect.UNKNOWN, reason="what is there is another operation's: a person must decide")
    if outcome.candidates is None:
        return outcome
    target = entry.target
    if changes_references(journal, provider=target.provider, host=target.host, login=target.login):
        reason = "this vendor changes the references that it is sent, so absence proves nothing: a person must decide"
        return Outcome(effect=Effect.UNKNOWN, reason=reason)
    absent = outcome.effect is Effect.NOT_EXECUTED or all_claimed_by_others(journal, entry, outcome.candidates)
    if absent and may_concern_other_voucher(journal, provider, entry, sent, code):
        reason = "the history is perhaps that of another voucher than the code's, so absence proves nothing"
        return Outcome(effect=Effect.UNKNOWN, reason=reason)
    if outcome.candidates and absent:
        reason = "no movement that could be this one but those of other operations is there, and none can come any more"
        return Outcome(effect=Effect.NOT_EXECUTED, reason=reason)
    return outcome


def _is_replaceable(entry: OperationRecord, sent: Sequence[RequestRecord], provider: VoucherProvider) -> bool:
    """Whether an operation is a reservation that the vendor replaces when it is made again. It moves nothing."""
    rules = provider.capabilities.reservations
    return (
        entry.key.verb is Operation.RESERVE
        and rules is not None
        and rules.superseded_by_next
        and all(request.step == Operation.RESERVE for request in sent)
    )


def _still_unknown(
    journal: Journal, entry: OperationRecord, sent: Sequence[RequestRecord], outcomes: Sequence[Outcome]
) -> OperationRecord:
    reason = next(
        (outcome.reason for outcome in outcomes if outcome.effect is Effect.UNKNOWN and outcome.reason), "not known"
    )
    error = unknown_error(entry, sent[-1].intent, reason) if sent else None
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(entry.checks, 16))
    return journal.close_operation(
        entry, OperationState.UNKNOWN, error=error, check_at=now() + wait, checks=entry.checks + 1
    )


def voucher_code(journal: Journal, entry: OperationRecord, provider: VoucherProvider, code: Code | None) -> Code | None:
    """Return the code of an operation as far as it is known: the caller's, or that which the journal chose."""
    codes = provider.capabilities.codes
    chosen = entry.key.verb is Operation.ISSUE and codes.choosable and not codes.ids_choosable
    if code is None and chosen and entry.target.fingerprint is None:
        return journal.keys.derive_code(tag_of(entry.id), key_id=entry.target.key_id)
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
        return provider.resolve(intent, code)
    except VoucherGatewayError as error:
        return Outcome(effect=Effect.UNKNOWN, reason=f"the vendor could not be asked: {error.message}")


def unknown_error(entry: OperationRecord, intent: Intent, reason: str) -> OutcomeUnknown:
    """Return the error of an operation whose outcome is not known, with its ticket."""
    ticket = attrs.evolve(
        intent.ticket(reason),
        account=entry.key.account,
        verb=entry.key.verb.value,
        reference=entry.key.reference,
        order=entry.order,
        operation_id=entry.id,
        step=intent.verb,
    )
    return OutcomeUnknown(
        f"{reason}; it may have been carried out",
        ticket=ticket,
        account=entry.key.account,
        operation=entry.key.verb.value,
    )


def result_from_request(entry: OperationRecord, sent: RequestRecord, outcome: Outcome) -> Result:
    """Return the result of an operation, from that of the request that decided it.

    The vendor knows it under the wire reference, the caller under the operation's.
    """
    result = _in_terms_of(entry, outcome.result or minimal_result(entry, sent))
    if isinstance(result, Reservation | Redemption | Refund | TopUp):
        return attrs.evolve(result, reference=entry.key.reference, order=entry.order)
    return result


def _in_terms_of(entry: OperationRecord, result: Result) -> Result:
    """Return the result of an emulation's request as that of the verb that it stands for."""
    verb, account, target = entry.key.verb, entry.key.account, entry.target
    if verb is Operation.RESERVE and isinstance(result, Redemption):
        return Reservation(
            account=account,
            id=result.id,
            voucher_id=result.voucher_id,
            money=result.money,
            taxable=result.taxable,
            tax_rate=result.tax_rate,
            login=result.login,
            created_at=result.created_at,
        )
    if verb is Operation.RELEASE and isinstance(result, Refund):
        return Release(account=account, reservation_id=target.id or result.id, freed=True)
    if verb is Operation.REFUND and isinstance(result, TopUp):  # of a voucher that was moved since
        return Refund(
            account=account,
            id=result.id,
            redemption_id=target.id,
            voucher_id=result.voucher_id,
            money=result.money,
            remaining=result.remaining,
            login=result.login,
            created_at=result.created_at,
        )
    if verb is Operation.CAPTURE and isinstance(result, Refund) and target.id and target.money:
        return Redemption(
            account=account,
            id=target.id,
            voucher_id=result.voucher_id,
            money=target.money,
            reservation_id=target.id,
        )
    return result


def minimal_result(entry: OperationRecord, sent: RequestRecord) -> Result:
    """Return the result of an operation of which the vendor shows that it happened, but nothing more.

    An emulation that overwrites a value names its result after the request. The same id is given here: the caller may
    have got that result although it could not be recorded, and refunds are summed by the id of the redemption.
    """
    intent = sent.intent
    verb, money = entry.key.verb, entry.target.money or intent.money
    named: dict[str, Any] = {
        "account": entry.key.account,
        "id": overwrite_id(intent) if sent.step == OVERWRITE else f"operation:{entry.id}",
        "voucher_id": intent.voucher_id,
    }
    if money is not None and verb in (Operation.REDEEM, Operation.CAPTURE):
        return Redemption(**named, money=money, reservation_id=entry.target.id, created_at=intent.sent_at)
    if money is not None and verb is Operation.RESERVE:
        return Reservation(**named, money=money, created_at=intent.sent_at)
    if verb is Operation.RELEASE:
        return Release(account=entry.key.account, reservation_id=entry.target.id or "", freed=True)
    if money is not None and verb is Operation.REFUND:
        return Refund(**named, redemption_id=entry.target.id, money=money, created_at=intent.sent_at)
    if money is not None and verb is Operation.TOP_UP:
        return TopUp(**named, money=money, created_at=intent.sent_at)
    if verb is Operation.DELETE:
        return Deletion(account=entry.key.account, voucher_id=intent.voucher_id or intent.subject or "")
    return Voucher(account=entry.key.account, id=intent.voucher_id or intent.subject or "", initial=money)
