"""Compares the journal with the vendor's own records, in both directions.

For every voucher that the journal touched, the vendor's history is read and each money operation is looked for in it,
by the reference it was sent under or by the id of its result. Only reads at the vendor.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.errors import ConfigurationError, InvalidRequest, VoucherGatewayError, VoucherNotFound
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import format_instant
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.leftovers import iterate_leftovers
from voucher_gateway.journal.records import UNRESOLVED, OperationRecord, OperationState
from voucher_gateway.journal.search import OperationFilter, iterate_operations, operation_ids_sent_since
from voucher_gateway.listing.unreadable import UnreadableEntry
from voucher_gateway.models.results import History, Movement
from voucher_gateway.models.voucher import MovementState
from voucher_gateway.money import Money
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.work_class import WorkClass, use_work_class

OnProgress = Callable[[int, int], None]
"""Is called with the number of vouchers that were looked at, and with the number of all."""

_MONEY: Final = frozenset({Operation.CAPTURE, Operation.REDEEM, Operation.REFUND, Operation.TOP_UP})


class FindingKind(enum.StrEnum):
    """The kinds of findings. All but the last three are differences.

    Attributes:
        MISSING_AT_VENDOR: the journal records success, and the vendor does not show the movement.
        MISSING_HERE: the vendor shows the movement, and the journal records a decline or no execution.
        UNRESOLVED: the vendor shows the movement, and the journal does not know the outcome: `recover` resolves it.
        AMOUNT_DIFFERS: journal and vendor have different amounts.
        DUPLICATE_REFERENCE: the vendor has several movements under one reference of ours.
        ORPHAN_HOLD: a reservation that cannot be captured or released through the journal still holds value.
        LEFT_BEHIND: a call of several requests went no further, and left something at the vendor that has no value.
        UNVERIFIABLE: the vendor keeps no record by which the operation could be found.
        FOREIGN: another channel, such as a till, moved money. This is normal.
    """

    MISSING_AT_VENDOR = "missing-at-vendor"
    MISSING_HERE = "missing-here"
    UNRESOLVED = "unresolved"
    AMOUNT_DIFFERS = "amount-differs"
    DUPLICATE_REFERENCE = "duplicate-reference"
    ORPHAN_HOLD = "orphan-hold"
    LEFT_BEHIND = "left-behind"
    UNVERIFIABLE = "unverifiable"
    FOREIGN = "foreign"

    @property
    def differs(self) -> bool:
        """Whether a person must look into it."""
        return self not in (FindingKind.LEFT_BEHIND, FindingKind.UNVERIFIABLE, FindingKind.FOREIGN)


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: what.
        account: the account's name.
        voucher_id: the voucher.
        verb: the operation, for those of the journal.
        reference: the caller's reference, or for a foreign movement the vendor's.
        money: the amount, ours where both have one.
        vendor_money: the vendor's amount, where it differs.
        movement_id: the vendor's id of the movement.
        explanation: a sentence.
    """

    kind: FindingKind
    account: str
    voucher_id: str | None
    verb: str | None = None
    reference: str | None = None
    money: Money | None = None
    vendor_money: Money | None = None
    movement_id: str | None = None
    explanation: str = ""


@attrs.frozen(kw_only=True)
class Reconciliation:
    """The outcome for one account.

    Attributes:
        account: the account's name.
        vouchers: how many vouchers were looked at.
        operations: how many operations of the journal were compared.
        findings: what was found.
        unchecked: vouchers that could not be read, and why.
        pruned: how many movements belong to operations whose details were removed. They were not compared.
        pruned_before: operations that changed last before this moment may have been removed, and vouchers that only
            they touched were not looked at, unless `everything` was asked for; None if that cannot be.
    """

    account: str
    vouchers: int
    operations: int
    findings: tuple[Finding, ...]
    unchecked: tuple[tuple[str, str], ...] = ()
    pruned: int = 0
    pruned_before: datetime | None = None

    @property
    def differences(self) -> tuple[Finding, ...]:
        """The findings that a person must look into."""
        return tuple(finding for finding in self.findings if finding.kind.differs)


@attrs.frozen
class _OperationWithNames:
    """An operation of the journal with the names it was sent under."""

    entry: OperationRecord
    references: frozenset[str]
    voucher_id: str | None

    @property
    def result_id(self) -> str | None:
        return None if self.entry.result is None else getattr(self.entry.replay(), "id", None)


@use_work_class(WorkClass.RECONCILE)
def reconcile(
    gateway: Gateway,
    account: str,
    *,
    everything: bool = False,
    since: datetime | None = None,
    on_progress: OnProgress | None = None,
) -> Reconciliation:
    """Compare one account.

    Args:
        gateway: a gateway with a journal.
        account: the account's name.
        everything: whether to look at every voucher of the account, not only at those that the journal touched.
        since: look only at the vouchers for which a request was sent since this moment, and at those of operations
            whose outcome is not known; None for all that the journal has ever touched.
        on_progress: is called after each voucher with the number of vouchers until then, and of all.

    Raises:
        ConfigurationError: if the gateway has no journal.
        InvalidRequest: if both `everything` and `since` are given.
    """
    journal, provider = gateway.journal, gateway.provider(account)
    if journal is None:
        raise ConfigurationError("a reconciliation needs a journal: name one in the configuration")
    if everything and since is not None:
        raise InvalidRequest("everything and since exclude each other", field="since", rule="without everything")
    unnamed: dict[str, list[_OperationWithNames]] = defaultdict(list)
    touched = _ids_of_money_operations(journal, provider, since, unnamed)
    findings = [*_orphan_holds(journal, provider), *_leftovers(journal, provider)]
    operations = pruned = 0
    unchecked: list[tuple[str, str]] = []
    ids = _all_ids(provider, touched, unchecked) if everything else list(touched)
    for looked_at, voucher_id in enumerate(ids, 1):
        known = [*_operations_of(journal, provider, voucher_id), *unnamed.get(voucher_id, ())]
        operations += len(known)
        try:
            history = provider.history(voucher_id)
        except VoucherNotFound:
            history = History(voucher_id=voucher_id, movements=(), complete=True)
        except VoucherGatewayError as error:
            unchecked.append((voucher_id, error.message))
            history = None
        if history is not None and not history.complete:
            unchecked.append((voucher_id, "its history could not be read to a consistent end"))
        elif history is not None:
            others = _foreign_movements(history, known)
            removed = [movement for movement in others if journal.pruned.has_movement(provider.host, movement)]
            pruned += len(removed)
            findings += _compare_voucher(provider, history, known)
            findings += [
                _foreign_movement(provider.account, voucher_id, movement)
                for movement in others
                if movement not in removed
            ]
        if on_progress is not None:
            on_progress(looked_at, len(ids))
    return Reconciliation(
        account=provider.account,
        vouchers=len(ids),
        operations=operations,
        findings=tuple(findings),
        unchecked=tuple(unchecked),
        pruned=pruned,
        pruned_before=_unseen_before(journal, since),
    )


def _unseen_before(journal: Journal, since: datetime | None) -> datetime | None:
    """Return the moment before which operations that were asked for may have been removed; None if none was."""
    before = journal.pruned.before()
    return None if before is None or (since is not None and since >= before) else before


def _ids_of_money_operations(
    journal: Journal,
    provider: VoucherProvider,
    since: datetime | None,
    unnamed: dict[str, list[_OperationWithNames]],
) -> dict[str, None]:
    """Return the ids of the vouchers that money operations touched at this very vendor, in the order of the journal.

    An operation whose row does not name its voucher yet, because no answer came, is put into `unnamed`.
    """
    ids: dict[str, None] = {}
    for entry in _entries(journal, provider.account, since):
        if not _is_of_vendor(entry, provider):
            continue
        if entry.voucher_id is not None:
            ids[entry.voucher_id] = None
            continue
        known = _with_names(journal, entry)
        if known.voucher_id is not None:
            ids[known.voucher_id] = None
            unnamed[known.voucher_id].append(known)
    return ids


def _entries(journal: Journal, account: str, since: datetime | None) -> Iterator[OperationRecord]:
    """Yield the operations of an account that have sent a request since a moment, and those in doubt; each once."""
    if since is None:
        yield from iterate_operations(journal.database, OperationFilter(account=account), newest_first=False)
        return
    sent = operation_ids_sent_since(journal.database, since)
    in_doubt = OperationFilter(account=account, states=UNRESOLVED)
    for entry in iterate_operations(journal.database, in_doubt, newest_first=False):
        sent.discard(entry.id)
        yield entry
    for operation_id in sorted(sent):
        record = journal.get(operation_id)
        if record is not None and record.key.account == account:
            yield record


def _operations_of(journal: Journal, provider: VoucherProvider, voucher_id: str) -> Iterator[_OperationWithNames]:
    """Yield the money operations on a voucher that were sent to this very vendor, the oldest first."""
    wanted = OperationFilter(account=provider.account, voucher_id=voucher_id)
    for entry in iterate_operations(journal.database, wanted, newest_first=False):
        if _is_of_vendor(entry, provider):
            yield _with_names(journal, entry)


def _is_of_vendor(entry: OperationRecord, provider: VoucherProvider) -> bool:
    return entry.key.verb in _MONEY and entry.target.host == provider.host


def _with_names(journal: Journal, entry: OperationRecord) -> _OperationWithNames:
    sent = [request for request in journal.requests_of(entry.id) if request.decisive]
    names = frozenset(request.intent.reference for request in sent if request.intent.reference)
    ids = [request.intent.voucher_id for request in sent if request.intent.voucher_id]
    return _OperationWithNames(entry, names, entry.voucher_id or (ids[-1] if ids else None))


def _all_ids(provider: VoucherProvider, touched: Iterable[str], unchecked: list[tuple[str, str]]) -> list[str]:
    """Return the ids of all vouchers, and add those whose id cannot be read to `unchecked`, by their places."""
    ids = dict.fromkeys(touched)
    with provider.vouchers() as vouchers:
        for entry in vouchers.entries():
            if entry.id is not None:  # the history may be readable, though the voucher is not
                ids[entry.id] = None
            elif isinstance(entry, UnreadableEntry):
                unchecked.append((entry.name, entry.reason))
    return list(ids)


def _compare_voucher(provider: VoucherProvider, history: History, known: list[_OperationWithNames]) -> list[Finding]:
    """Compare one voucher's operations with its history."""
    findings: list[Finding] = []
    for operation in known:
        matches = [movement for movement in history.movements if _is_of_operation(movement, operation)]
        findings += _compare_operation(provider, operation, matches)
    return findings


def _is_of_operation(movement: Movement, operation: _OperationWithNames) -> bool:
    if movement.state is MovementState.CANCELLED:
        return False
    is_result = movement.id is not None and movement.id == operation.result_id
    return is_result or movement.reference in operation.references


def _foreign_movements(history: History, known: list[_OperationWithNames]) -> list[Movement]:
    """Return the movements of value that belong to no operation of the journal."""
    return [
        movement
        for movement in history.movements
        if _moves_value(movement) and not any(_is_of_operation(movement, operation) for operation in known)
    ]


def _moves_value(movement: Movement) -> bool:
    """Return whether a movement changes what is left of a voucher after its first value, or may do so."""
    if movement.kind.opens or movement.kind.sign == 0:
        return False
    return movement.state is not MovementState.CANCELLED


def _compare_operation(provider: VoucherProvider, known: _OperationWithNames, matches: list[Movement]) -> list[Finding]:
    entry = known.entry

    def finding(kind: FindingKind, explanation: str, movement: Movement | None = None) -> Finding:
        return Finding(
            kind=kind,
            account=entry.key.account,
            voucher_id=known.voucher_id,
            verb=entry.key.verb.value,
            reference=entry.key.reference,
            money=entry.target.money,
            vendor_money=None if movement is None else movement.money,
            movement_id=None if movement is None else movement.id,
            explanation=explanation,
        )

    if not matches:
        if entry.state is not OperationState.SUCCEEDED:
            return []
        if not _is_visible_at_vendor(provider, entry):
            return [finding(FindingKind.UNVERIFIABLE, "the vendor keeps no record of this operation")]
        return [finding(FindingKind.MISSING_AT_VENDOR, "the journal says it happened, the vendor shows nothing of it")]
    findings = []
    if len(matches) > 1:
        findings.append(
            finding(FindingKind.DUPLICATE_REFERENCE, f"the vendor shows it {len(matches)} times", matches[1])
        )
    first = matches[0]
    if first.state is MovementState.PENDING:
        if not entry.state.is_unresolved:
            explanation = f"the vendor has not completed it yet, the journal says {entry.state.value}"
            findings.append(finding(FindingKind.UNRESOLVED, explanation, first))
    elif entry.state.is_unresolved:
        findings.append(finding(FindingKind.UNRESOLVED, "it happened; recover writes that down", first))
    elif entry.state is not OperationState.SUCCEEDED:
        findings.append(finding(FindingKind.MISSING_HERE, f"it happened, the journal says {entry.state.value}", first))
    elif (moved := _money_of_operation(entry)) is not None and first.money != moved:
        findings.append(finding(FindingKind.AMOUNT_DIFFERS, f"{moved} here, {first.money} there", first))
    return findings


def _money_of_operation(entry: OperationRecord) -> Money | None:
    """Return what a succeeded operation moved: by its result, because some vendors take less than was asked for."""
    moved = getattr(entry.replay(), "money", None) if entry.result is not None else None
    return entry.target.money if moved is None else moved


def _is_visible_at_vendor(provider: VoucherProvider, entry: OperationRecord) -> bool:
    """Whether the vendor's history would show the operation; what overwrites a value leaves no trace."""
    native = provider.capabilities.of(entry.key.verb).support is Support.NATIVE
    return native or (entry.key.verb is Operation.REDEEM and not provider.capabilities.can_overwrite_value)


def _foreign_movement(account: str, voucher_id: str, movement: Movement) -> Finding:
    return Finding(
        kind=FindingKind.FOREIGN,
        account=account,
        voucher_id=voucher_id,
        verb=movement.kind.value,
        reference=movement.reference,
        money=movement.money,
        movement_id=movement.id,
        explanation="not made through this journal",
    )


def _leftovers(journal: Journal, provider: VoucherProvider) -> Iterator[Finding]:
    """Yield what calls of several requests left behind at this very vendor."""
    for entry, leftover in iterate_leftovers(journal.database, provider.account):
        if entry.target.host == provider.host:
            yield Finding(
                kind=FindingKind.LEFT_BEHIND,
                account=entry.key.account,
                voucher_id=leftover.voucher_id,
                verb=entry.key.verb.value,
                reference=entry.key.reference,
                explanation=str(leftover),
            )


def _orphan_holds(journal: Journal, provider: VoucherProvider) -> Iterator[Finding]:
    """Yield reservations that still stand although their operation ended without giving one to the caller."""
    for hold, entry in journal.active_holds(account=provider.account, at=provider.vendor_now()):
        if entry.key.verb is Operation.RESERVE and entry.state is OperationState.SUCCEEDED:
            continue  # the caller has it, and may capture or release it
        if entry.key.verb is Operation.RESERVE and entry.state is OperationState.PENDING:
            continue  # the vendor may still make it
        if entry.state is OperationState.OPEN and journal.is_owner_alive(entry):
            continue  # a worker is about to capture it, or to hand it over
        if entry.key.verb is Operation.REDEEM and entry.state in (OperationState.UNKNOWN, OperationState.PENDING):
            continue  # its capture is in doubt: whether the hold still stands is found out with that
        yield Finding(
            kind=FindingKind.ORPHAN_HOLD,
            account=entry.key.account,
            voucher_id=entry.voucher_id,
            verb=entry.key.verb.value,
            reference=entry.key.reference,
            money=hold.money,
            explanation=f"it holds value until {_moment(hold.expires_at)}",
        )


def _moment(at: datetime | None) -> str:
    return "it is captured or released" if at is None else format_instant(at)
