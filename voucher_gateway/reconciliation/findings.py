"""What a reconciliation finds."""

from __future__ import annotations

import enum
from datetime import datetime

import attrs

from voucher_gateway.money import Money


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
