"""The data of a certificate."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.migration.certificate.open_work import OpenOperation
from voucher_gateway.migration.plan.model import End
from voucher_gateway.migration.plan.totals import Tally
from voucher_gateway.migration.run_records import RunRecord
from voucher_gateway.migration.schema import PlanState
from voucher_gateway.migration.verify.checks import Difference
from voucher_gateway.migration.verify.other_plans import OtherPlan
from voucher_gateway.migration.verify.parts import CurrencySummary, PartTotal
from voucher_gateway.migration.verify.shifted_ends import ShiftedEnds
from voucher_gateway.migration.verify.store import UnreadableVoucher
from voucher_gateway.migration.verify.verify import Total

FORMAT: Final = 1
"""The version of the format."""

MOST_DIFFERENCES: Final = 1000
"""The largest number of differences that a certificate names. It counts all of them."""


class Verdict(enum.StrEnum):
    """What a certificate says about a migration as a whole.

    Attributes:
        COMPLETE: every voucher that the plan carries is at the target, and every amount agrees.
        PARTIAL: every amount of what was moved agrees. Other vouchers of the plan were not moved.
        IN_DOUBT: the journal records something in doubt, or something that has begun and not ended. What is not in
            doubt agrees.
        DIFFERENT: an amount or a voucher is not as it should be.
        ROLLED_BACK: the plan was rolled back, and each voucher is at the source as before, or another plan has it.
        NOT_KNOWN: the journal knows no run of the plan. All amounts are those of the vendors.
    """

    COMPLETE = "complete"
    PARTIAL = "partial"
    IN_DOUBT = "in-doubt"
    DIFFERENT = "different"
    ROLLED_BACK = "rolled-back"
    NOT_KNOWN = "not-known"


@attrs.frozen(kw_only=True)
class PersonsDecision:
    """The decision of a person about an operation of the plan whose outcome stayed unknown.

    Attributes:
        account: the account of the operation.
        verb: its verb.
        reference: its reference.
        state: its state since the decision.
        by: the name of the person.
        reason: how that person knows; empty if the operation was sent again after the decision.
        at: when the operation was last changed, or when the decision was made.
    """

    account: str
    verb: str
    reference: str
    state: str
    by: str
    reason: str
    at: datetime


@attrs.frozen(kw_only=True)
class CertifiedPlan:
    """The plan of a certificate.

    Attributes:
        id: the SHA-256 of its file.
        made_at: when it was made.
        source: the account that vouchers come from.
        target: the account that they go to.
        copy: whether the source was not changed.
        retire: what became of the vouchers at the source.
        steps: the steps of each voucher, in a sentence.
        vouchers: all vouchers of the source.
        accepted: the names of the risks that the policy accepts.
        policy: the whole policy.
        losses: by the name of the loss, for the vouchers that are carried.
        reasons: by the reason why the plan does not carry vouchers.
        listing: sentences that say whether all vouchers of the source were listed.
    """

    id: str
    made_at: datetime
    source: End
    target: End
    copy: bool
    retire: str
    steps: str
    vouchers: int
    accepted: tuple[str, ...]
    policy: Mapping[str, object] = attrs.field(hash=False)
    losses: Mapping[str, Tally] = attrs.field(hash=False)
    reasons: Mapping[str, Tally] = attrs.field(hash=False)
    listing: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Certificate:
    """The certificate of a migration. All amounts are read from both vendors at `made_at`.

    Attributes:
        made_at: when both accounts had been read.
        made_by: the name of the person.
        host: the name of the machine.
        version: the version of the library.
        verdict: what it says as a whole.
        state: the state of the migration; None if this journal knows no run.
        plan: the plan.
        currencies: the whole source by currency, the largest value first.
        parts: the whole source by part and currency.
        totals: what the plan carries, and what the target has for it, by currency.
        shifted_ends: the vouchers that end at another time than before, by account, shift and currency.
        unreadable: the first vouchers of both accounts that cannot be read, at most a thousand. No sum contains them.
        other_plans: the other plans that move or have moved vouchers of the source. Their certificates prove them.
        new_codes: the vouchers that were moved and have another code.
        codes_not_compared: the number of vouchers that were recognised by ids, because the target shows no codes.
        differences: the differences between plan and vendors; at most `MOST_DIFFERENCES`.
        difference_count: the number of all differences.
        open_operations: the operations at both accounts whose outcome the journal did not know while they were read;
            at most a thousand.
        open_operation_count: the number of all of them.
        unfinished: the number of vouchers whose move or rollback has begun and has not ended, those in doubt included.
        run_in_progress: whether a run or a rollback of the plan was under way while both accounts were read.
        runs: who has run, rolled back and verified the plan.
        decisions: what persons decided about operations whose outcome stayed unknown.
        rows: the number of vouchers in the list of all vouchers.
        rows_sha256: the SHA-256 of that list, which is the file ``vouchers.csv``.
    """

    made_at: datetime
    made_by: str
    host: str
    version: str
    verdict: Verdict
    state: PlanState | None
    plan: CertifiedPlan
    currencies: tuple[CurrencySummary, ...]
    parts: tuple[PartTotal, ...]
    totals: Mapping[str, Total] = attrs.field(hash=False)
    shifted_ends: tuple[ShiftedEnds, ...]
    unreadable: tuple[UnreadableVoucher, ...]
    other_plans: tuple[OtherPlan, ...]
    new_codes: Tally
    codes_not_compared: int
    differences: tuple[Difference, ...]
    difference_count: int
    open_operations: tuple[OpenOperation, ...]
    open_operation_count: int
    unfinished: int
    run_in_progress: bool
    runs: tuple[RunRecord, ...]
    decisions: tuple[PersonsDecision, ...]
    rows: int
    rows_sha256: str
