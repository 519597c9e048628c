"""Reading both sides of a migration as a whole, for its verification."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from voucher_gateway.errors import VoucherNotFound
from voucher_gateway.migration.run.context import MigrationContext, VoucherReading
from voucher_gateway.migration.run.source_check import MOVE
from voucher_gateway.migration.verify.store import ListedVoucher, VerificationStore, ends_text
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Voucher

_CLOCKS_APART: Final = timedelta(days=1)
"""What was made at the target that long before the plan is surely none of its vouchers."""


def read_target(context: MigrationContext, evidence: VerificationStore) -> None:
    """Read all vouchers of the target that may be those of the plan, with their codes."""
    evidence.add_issued_ids(_issued_by_plan(context))
    with context.gateway.vouchers(context.target, _lately(context)) as listing:
        evidence.target(_with_codes(context, listing, evidence.key_id))
    evidence.match_vouchers()


def _issued_by_plan(context: MigrationContext) -> Iterator[tuple[int, str]]:
    """Give what the plan has issued by the journal: the voucher's number and its id at the target, in that order."""
    for step, voucher_id in context.journal.issued_by_plan(context.target, context.plan_id):
        yield int(step.partition(".")[0]), voucher_id


def _lately(context: MigrationContext) -> VoucherQuery | None:
    """Leave out what was there long before, where the vendor can: its codes would take a request each."""
    if "created_from" not in context.target_can.listing.filters:
        return None
    return VoucherQuery(created_from=context.header.made_at - _CLOCKS_APART)


def _with_codes(
    context: MigrationContext, listed: Iterable[Voucher], key_id: str | None
) -> Iterator[tuple[ListedVoucher, str | None]]:
    keys = context.journal.keys

    def whole(voucher: Voucher) -> tuple[ListedVoucher, str | None] | None:
        seen = VoucherReading(voucher=voucher, remaining=voucher.remaining)
        if (voucher.code is None and context.target_can.codes.readable) or voucher.remaining is None:
            try:
                seen = context.read(context.target, voucher.id)
            except VoucherNotFound:
                return None
        code = seen.voucher.code
        mark = None if code is None else keys.fingerprint(code, provider=MOVE, host=MOVE, key_id=key_id)
        return _listed_voucher(seen), mark

    yield from (reading for reading in context.ordered_map(whole, listed) if reading is not None)


def read_source(context: MigrationContext, evidence: VerificationStore) -> None:
    """Read the planned vouchers at the source: from its list, and those that are not in it one by one."""
    with context.gateway.vouchers(context.source) as listing:
        seen = (VoucherReading(voucher=voucher, remaining=voucher.remaining) for voucher in listing)
        evidence.source(_listed_voucher(reading) for reading in seen if reading.remaining is not None)

    def one_by_one(id: str) -> ListedVoucher | None:
        try:
            return _listed_voucher(context.read(context.source, id))
        except VoucherNotFound:
            return None  # deleted: nobody can spend it

    missing = context.ordered_map(one_by_one, evidence.not_at_source())
    evidence.source(voucher for voucher in missing if voucher is not None)


def _listed_voucher(seen: VoucherReading) -> ListedVoucher:
    voucher = seen.voucher
    return ListedVoucher(
        id=voucher.id,
        initial=voucher.initial,
        remaining=seen.remaining,
        ends=ends_text(voucher),
        status=None if voucher.status is None else voucher.status.value,
    )
