"""The words of a certificate, the same on the page and on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from voucher_gateway.html.document import set_digit_gaps
from voucher_gateway.migration.certificate.model import Certificate, Verdict
from voucher_gateway.migration.plan.text import join_amounts, length_of
from voucher_gateway.migration.schema import PlanState
from voucher_gateway.migration.verify.other_plans import OtherPlan
from voucher_gateway.migration.verify.parts import SourcePart
from voucher_gateway.migration.verify.shifted_ends import Shift

PART_NAMES: Final[Mapping[SourcePart, str]] = {
    SourcePart.MOVED: "moved",
    SourcePart.KEPT: "stays at the target",
    SourcePart.IN_DOUBT: "in doubt",
    SourcePart.LEFT: "not moved yet",
    SourcePart.CHANGED: "changed since plan",
    SourcePart.REFUSED: "refused in the run",
    SourcePart.BROUGHT_BACK: "brought back",
    SourcePart.SKIPPED: "left out by policy",
    SourcePart.NOT_ACCEPTED: "refused by plan",
    SourcePart.UNREADABLE: "not readable",
    SourcePart.ISSUED_SINCE: "issued since plan",
    SourcePart.ANOTHER_PLAN: "moved by another plan",
}
"""What became of the vouchers of a part, for people."""

_VERDICTS: Final[Mapping[Verdict, str]] = {
    Verdict.COMPLETE: "The migration is complete, and every amount agrees",
    Verdict.PARTIAL: "What was moved agrees, and a part was not moved",
    Verdict.IN_DOUBT: "Something is in doubt: this certificate is not final",
    Verdict.DIFFERENT: "There are differences",
    Verdict.ROLLED_BACK: "The migration was rolled back, and the source is as before",
    Verdict.NOT_KNOWN: "This journal knows no run of this plan",
}
_EXPLANATIONS: Final[Mapping[Verdict, str]] = {
    Verdict.COMPLETE: (
        "Every voucher that the plan carries is at the target exactly once, with its value, its currency and its end of"
        " validity. None of them can be spent at the source. For each currency the value that was moved is the value"
        " that was issued at the target, to the smallest unit."
    ),
    Verdict.PARTIAL: (
        "Every voucher that was moved is at the target exactly once, with its value, its currency and its end of"
        " validity, and for each currency the value that was moved is the value that was issued at the target. Some"
        " vouchers that the plan carries were not moved; the tables name them with their value."
    ),
    Verdict.IN_DOUBT: (
        "The journal records something that has begun and whose end it does not know. A request that was sent may still"
        " change an amount at an account. Everything else agrees. Do not sign this certificate: settle what is open,"
        " and make it again."
    ),
    Verdict.DIFFERENT: (
        "At least one voucher or one amount is not as the plan says. Do not sign before every difference is explained."
    ),
    Verdict.ROLLED_BACK: (
        "Every voucher that the plan carries is at the source, with its value, and ends no earlier than before."
    ),
    Verdict.NOT_KNOWN: (
        "The plan was not run, or it was run with another journal. The amounts are those that both accounts have now; a"
        " voucher counts as moved if the target has it. This certificate does not say who moved a voucher, or which"
        " vouchers are in doubt. Do not sign before the journal of the run, or its backup, is named."
    ),
}
_ROLLED_BACK_AND_MOVED: Final = (
    "Every voucher that the plan carries is at the source, with its value, and ends no earlier than before, unless"
    " another plan has moved it. What another plan has moved cannot be spent at the source."
)
_COPIED: Final = (
    "The plan is a copy: the source was not changed, so every voucher can be spent at the source and at the target."
)
SHIFT_NAMES: Final[Mapping[Shift, str]] = {
    Shift.LATER: "ends later than before",
    Shift.EARLIER: "ends earlier than before",
    Shift.NO_END: "had an end, and has none now",
    Shift.NEW_END: "had no end, and has one now",
}
"""How an end of validity differs from before, for people."""


def state_text(state: PlanState | None) -> str:
    """Return the state of a migration, for people."""
    return "not known to this journal" if state is None else state.value.replace("-", " ")


def verdict_title(certificate: Certificate) -> str:
    """Return what a certificate says as a whole, in a few words."""
    if certificate.verdict is Verdict.ROLLED_BACK and certificate.other_plans:
        return "The migration was rolled back, and another plan has moved vouchers of the source"
    return _VERDICTS[certificate.verdict]


def verdict_sentences(certificate: Certificate) -> list[str]:
    """Return what a certificate says as a whole, in sentences."""
    sentences = [_EXPLANATIONS[certificate.verdict]]
    if certificate.verdict is Verdict.ROLLED_BACK and certificate.other_plans:
        sentences = [_ROLLED_BACK_AND_MOVED]
    if not certificate.totals:
        sentences = ["The plan carries no voucher."]
    elif certificate.plan.copy:
        # the explanation of a complete migration speaks of a source that was changed
        sentences = [sentences[0].replace(" None of them can be spent at the source.", ""), _COPIED]
    if certificate.difference_count:
        plural = "" if certificate.difference_count == 1 else "s"
        sentences.append(
            f"{set_digit_gaps(str(certificate.difference_count))} difference{plural} from the plan: see the table of"
            " differences."
        )
    sentences += map(other_plan_sentence, certificate.other_plans)
    return sentences + _open_work_sentences(certificate)


def _open_work_sentences(certificate: Certificate) -> list[str]:
    """Return what has begun and has not ended, and how to settle it."""
    sentences = []
    if certificate.unfinished:
        work = "migrate rollback" if certificate.state is PlanState.ROLLED_BACK else "migrate run"
        moves = "The move of 1 voucher has" if certificate.unfinished == 1 else f"{_moves(certificate.unfinished)} have"
        sentences.append(
            f"{moves} begun and not ended, or its outcome is in doubt: `{work}` with this plan looks it up and goes on."
        )
    if certificate.open_operation_count:
        is_single = certificate.open_operation_count == 1
        operations = (
            "1 operation" if is_single else f"{set_digit_gaps(str(certificate.open_operation_count))} operations"
        )
        first = certificate.open_operations[0]
        sentences.append(
            f"The outcome of {operations} at these accounts is not known. `recover --all`, or"
            f" `resolve {first.account} {first.verb} {first.reference}`{'' if is_single else ' and so on'}, looks"
            f" {'it' if is_single else 'them'} up; `operations decide` records what a person has found out."
        )
    if certificate.run_in_progress:
        sentences.append(
            "A run or a rollback of the plan was under way while both accounts were read: wait for its end."
        )
    return sentences


def _moves(count: int) -> str:
    return f"The moves of {set_digit_gaps(str(count))} vouchers"


def other_plan_sentence(plan: OtherPlan) -> str:
    """Return how many vouchers another plan has moved, and that they do not count here."""
    vouchers = "1 voucher" if plan.count == 1 else f"{set_digit_gaps(str(plan.count))} vouchers"
    work = "is moving" if plan.target is None else "has moved"
    target = "" if plan.target is None else f" to {plan.target}"
    amounts = f" ({join_amounts(plan.money)})" if plan.money else ""
    return f"The migration {plan.plan_id[:12]} {work} {vouchers}{target}{amounts}. Only its certificate counts them."


def shift_text(seconds: int | None) -> str:
    """Return the length of a shift of an end of validity; empty if it has none."""
    return "" if seconds is None else length_of(timedelta(seconds=seconds))
