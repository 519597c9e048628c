"""Why a voucher cannot be spent, and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.gateway.account import Account, require_capability
from voucher_gateway.gateway.explanation.events import (
    FIRST,
    JournalOperation,
    find_operation,
    make_events,
    read_operations,
)
from voucher_gateway.gateway.explanation.model import ExplainedVoucher, Explanation, ExplanationReason
from voucher_gateway.gateway.explanation.text import (
    as_sentence,
    day_text,
    moment_text,
    names_text,
    owner_text,
    verb_text,
)
from voucher_gateway.gateway.find import FindResult
from voucher_gateway.gateway.operations import search_operations
from voucher_gateway.instants import now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.moves import VoucherMove
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.journal.search import OperationFilter, VendorVoucher
from voucher_gateway.masking import Code
from voucher_gateway.models.results import Movement
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.money import Money
from voucher_gateway.telemetry.calls import observe_call

_TAKING: Final = (Operation.REDEEM, Operation.CAPTURE)
_AFTER_ALL_IDS: Final = "~"


def explain_code(
    journal: Journal | None, accounts: Mapping[str, Account], code: Code, result: FindResult
) -> Explanation:
    """Return why a code cannot be used, and the story of its voucher.

    Args:
        journal: the journal, or None.
        accounts: all accounts by name.
        code: the code.
        result: what the vendors answered about it.
    """
    records = [] if journal is None else list(search_operations(journal, accounts.values(), code=code))
    stories = [_read_story(journal, accounts[voucher.account], voucher, records) for voucher in result.vouchers]
    if not stories:
        return _explain_unknown(journal, result, records)
    explained = [story.explain() for story in stories]
    reason, sentence = _choose(explained)
    ids_of_stories = {record.id for story in stories for record in story.records}
    elsewhere = [record for record in records if record.id not in ids_of_stories]
    operations = [operation for story in stories for operation in story.operations]
    operations += [] if journal is None else read_operations(journal, elsewhere)
    movements = [movement for story in stories for movement in story.movements]
    moves = list({(move.account, move.voucher_id): move for story in stories for move in story.moves}.values())
    return Explanation(
        reason=reason,
        sentence=sentence,
        vouchers=tuple(explained),
        events=tuple(make_events(operations, movements, moves, stories[0].at)),
        missing=(*_failure_sentences(result), *(story.missing for story in stories if story.missing)),
    )


def _choose(explained: Sequence[ExplainedVoucher]) -> tuple[ExplanationReason, str]:
    """Return the reason of the only voucher, or of the only one that was not moved to another account."""
    remaining = [voucher for voucher in explained if voucher.reason is not ExplanationReason.MOVED] or list(
        explained[:1]
    )
    if len(remaining) == 1:
        return remaining[0].reason, remaining[0].sentence
    names = names_text(voucher.account for voucher in remaining)
    return ExplanationReason.SEVERAL, f"Several accounts have a voucher with this code: {names}."


def _failure_sentences(result: FindResult) -> list[str]:
    return [f"{name} could not be asked: {error.message}" for name, error in result.failed.items()]


def _explain_unknown(journal: Journal | None, result: FindResult, records: Sequence[OperationRecord]) -> Explanation:
    """Return the explanation of a code that no vendor knows. The journal may know what became of it."""
    operations = [] if journal is None else read_operations(journal, records)
    places = list(dict.fromkeys((record.key.account, record.voucher_id) for record in records if record.voucher_id))
    moves = [] if journal is None else [move for place in places for move in journal.move_chain(*place)]
    events = tuple(make_events(operations, (), moves, now()))
    reason, text = ExplanationReason.NOT_FOUND, f"not known at any account: asked {names_text(result.asked)}"
    if moves:
        reason, text = ExplanationReason.MOVED, _move_text(moves[-1])
    elif deletion := _last(records, Operation.DELETE):
        reason, text = (
            ExplanationReason.DELETED,
            f"{owner_text(deletion)} deleted it on {day_text(deletion.created_at)}",
        )
    elif result.failed:
        reason = ExplanationReason.NOT_ASKED
        text = f"not found, and not every account could be asked: asked {names_text(result.asked)}"
    if result.left_out and reason in (ExplanationReason.NOT_FOUND, ExplanationReason.NOT_ASKED):
        text += f"; not asked {names_text(result.left_out)} (the code_pattern does not match)"
    return Explanation(
        reason=reason, sentence=as_sentence(text), events=events, missing=tuple(_failure_sentences(result))
    )


@attrs.frozen(kw_only=True)
class _VoucherStory:
    """What is known of one voucher.

    Attributes:
        voucher: as its vendor shows it.
        at: the present moment by the vendor's clock.
        operations: those of the journal on it, the oldest first.
        movements: the vendor's history of it.
        moves: to other accounts.
        missing: why the history could not be read; empty if it was.
    """

    voucher: Voucher
    at: datetime
    operations: Sequence[JournalOperation]
    movements: Sequence[Movement]
    moves: Sequence[VoucherMove]
    missing: str

    @property
    def records(self) -> list[OperationRecord]:
        """The operations' records."""
        return [operation.record for operation in self.operations]

    @property
    def held(self) -> list[JournalOperation]:
        """The operations whose reservations hold value now."""
        return [operation for operation in self.operations if operation.is_held(self.at)]

    def explain(self) -> ExplainedVoucher:
        """Return the voucher with the reason why it cannot be spent."""
        reason, text = self._reason()
        voucher, held = self.voucher, [operation.hold.money for operation in self.held if operation.hold is not None]
        return ExplainedVoucher(
            account=voucher.account,
            id=voucher.id,
            code=voucher.code,
            reason=reason,
            sentence=as_sentence(text),
            status=voucher.status,
            remaining=voucher.remaining,
            held=_sum_money(held),
            valid_until=voucher.valid_until,
        )

    def _reason(self) -> tuple[ExplanationReason, str]:
        voucher = self.voucher
        if self.moves:
            return ExplanationReason.MOVED, _move_text(self.moves[-1])
        has_ended = voucher.valid_until is not None and voucher.valid_until <= self.at
        if voucher.status is Status.EXPIRED or has_ended:
            return ExplanationReason.EXPIRED, self._expiry_text()
        is_empty = voucher.remaining is not None and voucher.remaining.amount <= 0
        if voucher.status is Status.USED_UP or (is_empty and voucher.status is not Status.PENDING):
            return ExplanationReason.USED_UP, self._used_up_text()
        if voucher.status is not None and voucher.status.spendable is False:
            return ExplanationReason.INACTIVE, self._inactive_text()
        if self.held:
            return ExplanationReason.HELD, self._hold_text()
        unresolved = [record for record in self.records if record.state.is_unresolved]
        if unresolved:
            return ExplanationReason.IN_DOUBT, doubt_text(unresolved[0], self.at)
        until = "" if voucher.valid_until is None else f" until {day_text(voucher.valid_until)}"
        left = "" if voucher.remaining is None else f": {voucher.remaining} are left"
        return ExplanationReason.USABLE, f"it can be spent{until}{left}"

    def _expiry_text(self) -> str:
        on = "" if self.voucher.valid_until is None else f" on {day_text(self.voucher.valid_until)}"
        money = self.voucher.remaining
        return f"expired{on}" + (f"; {money} were left on it" if money is not None and money.amount > 0 else "")

    def _used_up_text(self) -> str:
        """Return who took the last value: an operation of ours, or another channel that the vendor's history shows."""
        takings = [movement for movement in self.movements if (movement.change or 0) < 0]
        makers = [(movement, find_operation(self.operations, movement)) for movement in takings]
        if makers:
            movement, operation = max(makers, key=_order_of_taking)
            if operation is not None:
                return _used_up_by(operation.record)
            on = "" if movement.created_at is None else f" on {day_text(movement.created_at)}"
            reference = "" if movement.reference is None else f" (reference '{movement.reference}')"
            return f"used up{on} by a {verb_text(movement.kind.value)} of another channel{reference}"
        last = max(filter(None, (_last(self.records, verb) for verb in _TAKING)), key=_id_of, default=None)
        return _used_up_by(last) if last else "used up; neither the journal nor the vendor's history shows by whom"

    def _inactive_text(self) -> str:
        status = self.voucher.status
        word = "inactive" if status is None else verb_text(status.value)
        activation, deactivation, issue = (
            _last(self.records, verb) for verb in (Operation.ACTIVATE, Operation.DEACTIVATE, Operation.ISSUE)
        )
        if deactivation is not None and (activation is None or activation.id < deactivation.id):
            return f"{word}: {owner_text(deactivation)} deactivated it on {day_text(deactivation.created_at)}"
        if activation is None and issue is not None:
            return f"{word}: {owner_text(issue)} issued it on {day_text(issue.created_at)}, and it was never activated"
        return word

    def _hold_text(self) -> str:
        holders = [
            f"{owner_text(operation.record)}{self._until(operation)} ({operation.hold.money})"
            for operation in self.held
            if operation.hold is not None
        ]
        free = self._free()
        return f"held by {names_text(holders)}" + ("" if free is None else f"; {free} of it are free")

    def _until(self, operation: JournalOperation) -> str:
        if operation.hold is None or operation.hold.expires_at is None:
            return ""
        return f" until {moment_text(operation.hold.expires_at, self.at)}"

    def _free(self) -> Money | None:
        held = _sum_money([operation.hold.money for operation in self.held if operation.hold is not None])
        left = self.voucher.remaining
        if held is None or left is None or left.currency != held.currency:
            return None
        return left - held if left > held else Money.zero(left.currency)


def doubt_text(record: OperationRecord, at: datetime) -> str:
    """Return the words for an operation whose outcome is not known."""
    money = "" if record.target.money is None else f" of {record.target.money}"
    verb = f"{verb_text(record.key.verb)}{money}"
    since = moment_text(record.created_at, at)
    if record.state is OperationState.OPEN:
        return f"the {verb} of {owner_text(record)} runs since {since}, or its worker crashed"
    if record.state is OperationState.PENDING:
        return f"the vendor has accepted the {verb} of {owner_text(record)} at {since} and not decided yet"
    return f"the {verb} of {owner_text(record)} is in doubt since {since}"


def _move_text(move: VoucherMove) -> str:
    if move.in_progress:
        return f"being moved to another account since {day_text(move.at)}"
    return f"moved to the account {move.to_account} on {day_text(move.at)}, where its id is {move.to_voucher_id}"


def _order_of_taking(pair: tuple[Movement, JournalOperation | None]) -> tuple[datetime, str]:
    """Return what sorts movements by time. A vendor's clock may have whole seconds only: then by our operations."""
    movement, operation = pair
    return movement.created_at or FIRST, _AFTER_ALL_IDS if operation is None else operation.record.id


def _used_up_by(record: OperationRecord) -> str:
    return f"used up on {day_text(record.created_at)} by {owner_text(record)}"


def _last(records: Sequence[OperationRecord], verb: Operation) -> OperationRecord | None:
    """Return the last successful operation of a verb, or None."""
    successes = [record for record in records if record.key.verb is verb and record.state is OperationState.SUCCEEDED]
    return max(successes, key=_id_of, default=None)


def _id_of(record: OperationRecord) -> str:
    return record.id


def _sum_money(amounts: Sequence[Money]) -> Money | None:
    return None if not amounts else sum(amounts[1:], amounts[0])


def _read_story(
    journal: Journal | None, account: Account, voucher: Voucher, of_code: Sequence[OperationRecord]
) -> _VoucherStory:
    movements, missing = _read_history(account, voucher.id)
    records: list[OperationRecord] = []
    moves: list[VoucherMove] = []
    if journal is not None:
        at_vendor = VendorVoucher(account.provider.name, account.provider.host, voucher.id)
        of_voucher = journal.search(OperationFilter(fingerprints=(), vouchers=[at_vendor]))
        unnamed = [record for record in of_code if record.voucher_id is None and _is_at_vendor(record, account)]
        records = [*of_voucher, *unnamed]
        moves = journal.move_chain(account.name, voucher.id)
    return _VoucherStory(
        voucher=voucher,
        at=account.provider.vendor_now(),
        operations=[] if journal is None else read_operations(journal, records),
        movements=movements,
        moves=moves,
        missing=missing,
    )


def _is_at_vendor(record: OperationRecord, account: Account) -> bool:
    return (record.target.provider, record.target.host) == (account.provider.name, account.provider.host)


def _read_history(account: Account, voucher_id: str) -> tuple[Sequence[Movement], str]:
    """Return the vendor's movements of a voucher, and why they or some of them are missing; empty if none is."""
    try:
        require_capability(account, Operation.HISTORY)
        with observe_call(account.name, Operation.HISTORY):
            history = account.provider.history(voucher_id)
    except VoucherGatewayError as error:
        return (), f"{account.name} shows no history: {error.message}"
    return history.movements, "" if history.complete else f"{account.name} did not show the whole history"
