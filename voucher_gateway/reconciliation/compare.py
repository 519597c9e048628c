"""Compares the operations of one voucher with the vendor's movements of it."""

from __future__ import annotations

from typing import Final

import attrs

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.models.results import History, Movement
from voucher_gateway.models.voucher import MovementState
from voucher_gateway.money import Money
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.reconciliation.findings import Finding, FindingKind

_MONEY: Final = frozenset({Operation.CAPTURE, Operation.REDEEM, Operation.REFUND, Operation.TOP_UP})
_OF_RESERVATIONS: Final = {
    Operation.RESERVE: Operation.REDEEM,
    Operation.CAPTURE: Operation.REFUND,
    Operation.RELEASE: Operation.REFUND,
}


@attrs.frozen
class OperationWithNames:
    """An operation of the journal with the names it was sent under.

    Attributes:
        entry: the operation.
        references: those that the vendor got.
        voucher_id: the voucher; None if it is not known.
        sent: the amount of its last request; None if it has sent none.
        made_of: the verb that moves money for it, where a reservation is made of a redemption; None where the vendor
            has reservations.
    """

    entry: OperationRecord
    references: frozenset[str]
    voucher_id: str | None
    sent: Money | None = None
    made_of: Operation | None = None

    @property
    def result_id(self) -> str | None:
        """The vendor's id of the movement; None if it is not known, or is that of another operation."""
        is_of_other = self.made_of is Operation.REFUND  # the result names the redemption that the reservation made
        return None if self.entry.result is None or is_of_other else getattr(self.entry.replay(), "id", None)


def money_verb(provider: VoucherProvider, verb: Operation) -> Operation | None:
    """Return the verb that moves money for an operation; None for one that moves none.

    Where a reservation takes the value at once (`reserve_by_redeem`), it is a redemption. A release, and the capture of
    a part, are then refunds.
    """
    if verb not in _OF_RESERVATIONS or provider.capabilities.of(Operation.RESERVE).support is Support.NATIVE:
        return verb if verb in _MONEY else None
    return _OF_RESERVATIONS[verb]


def compare_voucher(provider: VoucherProvider, history: History, known: list[OperationWithNames]) -> list[Finding]:
    """Compare one voucher's operations with its history."""
    findings: list[Finding] = []
    for operation in known:
        matches = [movement for movement in history.movements if _is_of_operation(movement, operation)]
        findings += _compare_operation(provider, operation, matches)
    return findings


def _is_of_operation(movement: Movement, operation: OperationWithNames) -> bool:
    if movement.state is MovementState.CANCELLED:
        return False
    is_result = movement.id is not None and movement.id == operation.result_id
    return is_result or movement.reference in operation.references


def foreign_movements(history: History, known: list[OperationWithNames]) -> list[Movement]:
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


def _compare_operation(provider: VoucherProvider, known: OperationWithNames, matches: list[Movement]) -> list[Finding]:
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
        if entry.state is not OperationState.SUCCEEDED or (known.made_of is not None and not known.references):
            return []  # the capture of a whole reservation that took the value at once sends nothing
        if not _is_visible_at_vendor(provider, known):
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
    elif (moved := _money_of_operation(known)) is not None and first.money != moved:
        findings.append(finding(FindingKind.AMOUNT_DIFFERS, f"{moved} here, {first.money} there", first))
    return findings


def _money_of_operation(known: OperationWithNames) -> Money | None:
    """Return what a succeeded operation moved: by its result, because some vendors take less than was asked for."""
    entry = known.entry
    if known.made_of is Operation.REFUND:
        return known.sent
    moved = getattr(entry.replay(), "money", None) if entry.result is not None else None
    return entry.target.money if moved is None else moved


def _is_visible_at_vendor(provider: VoucherProvider, known: OperationWithNames) -> bool:
    """Whether the vendor's history would show the operation; what overwrites a value leaves no trace."""
    verb = known.made_of or known.entry.key.verb
    native = provider.capabilities.of(verb).support is Support.NATIVE
    return native or (verb is Operation.REDEEM and not provider.capabilities.can_overwrite_value)


def foreign_movement(account: str, voucher_id: str, movement: Movement) -> Finding:
    """Return the finding for a movement that another channel made."""
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
