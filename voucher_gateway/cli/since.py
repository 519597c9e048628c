"""What came to a source, or changed there, after it was planned: a plan that is through knows nothing of it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.keys import JournalKeys
from voucher_gateway.listing.resume_token import digest
from voucher_gateway.migration.plan.code_index import fingerprint
from voucher_gateway.migration.plan.model import PlannedVoucher
from voucher_gateway.migration.plan.plan_file import read_vouchers
from voucher_gateway.models.voucher import Voucher

_NEW: Final = "it was not there when the plan was made"


@attrs.frozen(kw_only=True)
class SourceChange:
    """A voucher of which the plan knows nothing, or something else than is true now.

    Attributes:
        source_id: its id; None if it is about the list itself.
        code: its masked code, as far as the list shows it.
        explanation: in a sentence.
    """

    source_id: str | None = None
    code: str | None = None
    explanation: str


def changes_since_plan(gateway: Gateway, account: str, plan: Path) -> Iterator[SourceChange]:
    """List a source again and give what a plan of it lacks. Memory holds a few small hashes for each voucher.

    Args:
        gateway: has the source, and the journal under whose keys the plan was made.
        account: the source.
        plan: the plan's file.
    """
    assert gateway.journal is not None  # there is no plan without
    keys = gateway.journal.keys
    known = {digest(voucher.source_id): _hash_fields(_of_plan(voucher, keys)) for voucher in read_vouchers(plan)}
    with gateway.provider(account).vouchers() as listing:
        for voucher in listing:
            code = None if voucher.code is None else str(voucher.code)
            before = known.get(digest(voucher.id))
            if before is None:
                yield SourceChange(source_id=voucher.id, code=code, explanation=_NEW)
                continue
            # what the one or the other does not tell is not compared
            now = _hash_fields(_of_list(voucher, keys))
            if other := [name for name in before if name in now and now[name] != before[name]]:
                names = ", ".join(other)
                yield SourceChange(source_id=voucher.id, code=code, explanation=f"it was planned with another {names}")
    if listing.report.consistent is False:
        yield SourceChange(explanation=f"the list is not whole: {'; '.join(listing.report.problems)}")


def _of_plan(voucher: PlannedVoucher, keys: JournalKeys) -> Mapping[str, Hashable]:
    mark = voucher.fingerprint if voucher.key_id == keys.newest else None
    return {"code": mark, "value": voucher.remaining, "status": voucher.status, "end of validity": voucher.valid_until}


def _of_list(voucher: Voucher, keys: JournalKeys) -> Mapping[str, Hashable]:
    mark = None if voucher.code is None else fingerprint(keys, voucher.code)
    return {"code": mark, "value": voucher.remaining, "status": voucher.status, "end of validity": voucher.valid_until}


def _hash_fields(fields: Mapping[str, Hashable]) -> Mapping[str, int]:
    return {name: hash(value) for name, value in fields.items() if value is not None}
