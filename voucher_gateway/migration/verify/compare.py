"""Compares a plan with the present list of its source, and with a file that has masked codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import Final

import attrs

from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.listing.page import key_digest
from voucher_gateway.listing.unreadable import UnreadableEntry
from voucher_gateway.migration.plan.code_index import fingerprint
from voucher_gateway.migration.plan.model import PlannedVoucher
from voucher_gateway.migration.plan.plan_file import Plan
from voucher_gateway.migration.run.context import journal_of
from voucher_gateway.migration.verify.checks import Difference, DifferenceKind
from voucher_gateway.models.voucher import Status, Voucher
from voucher_gateway.provider.provider import VoucherProvider

_ADDED: Final = "it did not exist when the plan was made"


@attrs.frozen(kw_only=True)
class SourceChange:
    """A voucher that was added or changed at a source after it was planned.

    Attributes:
        source_id: its id; None if the change concerns the whole list.
        code: its masked code, if the list shows it.
        explanation: what changed, in a sentence.
    """

    source_id: str | None = None
    code: str | None = None
    explanation: str


def changes_since_plan(gateway: Gateway, plan: Plan) -> Iterator[SourceChange]:
    """Yield the vouchers that were added or changed at the source after the plan was made.

    The source is listed again. Memory holds a few small hashes for each voucher.

    Args:
        gateway: has the source, and the journal under whose keys the plan was made.
        plan: the plan.
    """
    keys = journal_of(gateway).keys
    known = {key_digest(voucher.source_id): _hash_fields(_fields_of_plan(voucher, keys)) for voucher in plan.vouchers()}
    with gateway.provider(plan.header.source.account).vouchers() as listing:
        for voucher in listing.entries():
            if isinstance(voucher, UnreadableEntry):
                before = known.get(key_digest(voucher.name))
                if before is None or "value" in before:  # it was planned as a readable one
                    yield SourceChange(source_id=voucher.id, explanation=f"it cannot be read: {voucher.reason}")
                continue
            code = None if voucher.code is None else str(voucher.code)
            before = known.get(key_digest(voucher.id))
            if before is None:
                yield SourceChange(source_id=voucher.id, code=code, explanation=_ADDED)
                continue
            # a field is compared only if both sides have it
            now = _hash_fields(_fields_of_list(voucher, keys))
            if names := [name for name in before if name in now and now[name] != before[name]]:
                explanation = f"it was planned with another {', '.join(names)}"
                yield SourceChange(source_id=voucher.id, code=code, explanation=explanation)
    if listing.report.consistent is False:
        yield SourceChange(explanation=f"the list is not complete: {'; '.join(listing.report.problems)}")


def _fields_of_plan(voucher: PlannedVoucher, keys: JournalKeys) -> Mapping[str, Hashable]:
    mark = voucher.fingerprint if voucher.key_id == keys.newest else None
    return {"code": mark, "value": voucher.remaining, "status": voucher.status, "end of validity": voucher.valid_until}


def _fields_of_list(voucher: Voucher, keys: JournalKeys) -> Mapping[str, Hashable]:
    mark = None if voucher.code is None else fingerprint(keys, voucher.code)
    return {"code": mark, "value": voucher.remaining, "status": voucher.status, "end of validity": voucher.valid_until}


def _hash_fields(fields: Mapping[str, Hashable]) -> Mapping[str, int]:
    return {name: hash(value) for name, value in fields.items() if value is not None}


def compare_masked_file(provider: VoucherProvider, plan: Plan) -> Iterator[Difference]:
    """Yield every voucher of a plan that a file with masked codes does not have, and the number of surplus vouchers.

    `verify_plan` recognises vouchers by their codes, which such a file does not have. Compared are the mask, the value,
    the end of validity and the status of each voucher, and how many vouchers have the same.

    Args:
        provider: of the file.
        plan: the plan.
    """
    with provider.vouchers() as listing:
        counts = Counter(hash(_key_in_file(voucher)) for voucher in listing)
    for planned in plan.carried_vouchers():
        mark = hash(_key_in_plan(planned))
        if counts[mark] > 0:
            counts[mark] -= 1
            continue
        yield Difference(
            kind=DifferenceKind.LOST,
            number=planned.number,
            source_id=planned.source_id,
            code=planned.code,
            explanation="the file does not have it as planned",
        )
    if surplus := counts.total():
        yield Difference(
            kind=DifferenceKind.DOUBLED, explanation=f"{surplus} of the file's vouchers are not in the plan"
        )


def _key_in_file(voucher: Voucher) -> Hashable:
    masked = (voucher.raw or {}).get("code")
    return masked, voucher.initial, voucher.remaining, voucher.valid_until, voucher.status


def _key_in_plan(planned: PlannedVoucher) -> Hashable:
    destination = planned.destination
    assert destination is not None
    status = None if destination.active is None else Status.ACTIVE if destination.active else Status.INACTIVE
    return planned.code, destination.value, destination.value, destination.valid_until, status
