"""Reads both sides of a plan into the store of a verification."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Final

from voucher_gateway.errors import MalformedResponse, VoucherNotFound
from voucher_gateway.instants import format_micros, now
from voucher_gateway.iteration import batched
from voucher_gateway.listing.listing import Listing
from voucher_gateway.listing.unreadable import UnreadableEntry
from voucher_gateway.migration.plan.code_index import fingerprint
from voucher_gateway.migration.run.context import MigrationContext, VoucherReading
from voucher_gateway.migration.run.pruned import require_not_pruned
from voucher_gateway.migration.verify.other_plans import OtherMove
from voucher_gateway.migration.verify.progress import ProgressReporter
from voucher_gateway.migration.verify.store import ListedVoucher, VerificationStore, ends_text
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Voucher

_BATCH: Final = 100
"""The number of vouchers that are read together."""
_CLOCKS_APART: Final = timedelta(days=1)
"""A voucher that was created at the target this long before the plan, by its clock, is not one of the plan."""


_SKEW: Final = timedelta(minutes=10)
"""The clocks of the vendors may differ by this much."""


def read_target(context: MigrationContext, store: VerificationStore, progress: ProgressReporter) -> None:
    """Read all vouchers of the target that may be those of the plan, with their codes.

    Raises:
        InvalidRequest: if the journal has not the operations of the plan any more.
    """
    require_not_pruned(context, "it cannot be verified any more")
    store.add_issued_ids(_iterate_issued(context))
    with context.gateway.vouchers(context.target, _query_since_plan(context)) as listing:
        store.target(_with_codes(context, listing, store, progress))
    store.target(_read_unlisted(context, store, progress))
    store.match_vouchers()
    since = format_micros(context.header.made_at - _SKEW)
    store.add_unrecorded(since, partial(context.journal.has_issued, context.target))


def _iterate_issued(context: MigrationContext) -> Iterator[tuple[int, str]]:
    """Yield the number and the id at the target of each voucher that the plan has issued, as the journal knows."""
    for step, voucher_id in context.journal.iterate_issued_by_plan(context.target, context.plan_id):
        yield int(step.partition(".")[0]), voucher_id


def _query_since_plan(context: MigrationContext) -> VoucherQuery | None:
    """Return a query for recent vouchers, if the vendor can filter them: each code may take a request.

    The vendor filters by its own clock, which may be behind ours.
    """
    if "created_from" not in context.target_can.listing.filters:
        return None
    provider = context.gateway.provider(context.target)
    context.retry_while_safe(provider.check)  # the reply shows the time of the vendor
    behind = max(timedelta(0), now() - provider.vendor_now())
    return VoucherQuery(created_from=context.header.made_at - _CLOCKS_APART - behind)


def _readable(
    listing: Listing[Voucher], store: VerificationStore, account: str, progress: ProgressReporter
) -> Iterator[Voucher]:
    """Yield the vouchers of a listing, and store those that cannot be read."""
    for entry in progress.count_listed(listing.entries(), listing, account):
        if isinstance(entry, UnreadableEntry):
            store.add_unreadable(account, entry.name, entry.reason)
        else:
            yield entry


def _with_codes(
    context: MigrationContext, listing: Listing[Voucher], store: VerificationStore, progress: ProgressReporter
) -> Iterator[tuple[ListedVoucher, str | None]]:
    readable = _readable(listing, store, context.target, progress)

    def needs_reading(voucher: Voucher) -> bool:
        return (voucher.code is None and context.target_can.codes.readable) or voucher.remaining is None

    def read(voucher: Voucher) -> _TargetReading:
        return _read_target_voucher(context, store, voucher.id)

    # Threads only for requests: to hand a voucher to a thread and back takes longer than to compare it.
    for batch in batched(readable, _BATCH):
        for voucher in batch:
            if not needs_reading(voucher):
                yield _with_mark(context, store, VoucherReading(voucher=voucher, remaining=voucher.remaining))
        readings = context.ordered_map(read, filter(needs_reading, batch))
        yield from _without_unreadable(context, store, readings)


def _read_unlisted(
    context: MigrationContext, store: VerificationStore, progress: ProgressReporter
) -> Iterator[tuple[ListedVoucher, str | None]]:
    """Yield the vouchers of the target that a run has issued, as the journal knows, and the list does not have.

    A list may lack a voucher that is there: another one was deleted while it was read, or the clock of the vendor was
    wrong when the voucher was created.
    """
    ids = store.not_at_target()
    looked_up = progress.count_items(ids, f"looked up one by one at {context.target}", len(ids))

    def read_one(id: str) -> _TargetReading:
        return _read_target_voucher(context, store, id)

    yield from _without_unreadable(context, store, context.ordered_map(read_one, looked_up))


_TargetReading = tuple[ListedVoucher, str | None] | UnreadableEntry | None


def _read_target_voucher(context: MigrationContext, store: VerificationStore, id: str) -> _TargetReading:
    """Read a voucher of the target with its code; None if it is not there."""
    try:
        return _with_mark(context, store, context.read(context.target, id))
    except VoucherNotFound:
        return None
    except MalformedResponse as error:
        return UnreadableEntry.of(None, error.problems or (error.message,), id=id)


def _with_mark(
    context: MigrationContext, store: VerificationStore, seen: VoucherReading
) -> tuple[ListedVoucher, str | None]:
    code = seen.voucher.code
    return _voucher_from_list(seen), None if code is None else fingerprint(context.journal.keys, code, store.key_id)


def _without_unreadable(
    context: MigrationContext, store: VerificationStore, readings: Iterable[_TargetReading]
) -> Iterator[tuple[ListedVoucher, str | None]]:
    for reading in readings:
        if isinstance(reading, UnreadableEntry):
            store.add_unreadable(context.target, reading.name, reading.reason)
        elif reading is not None:
            yield reading


def read_source(context: MigrationContext, store: VerificationStore, progress: ProgressReporter) -> None:
    """Read the vouchers of the source: from its list, and one by one if they are planned and not in it."""
    with context.gateway.vouchers(context.source) as listing:
        readable = _readable(listing, store, context.source, progress)
        seen = (VoucherReading(voucher=voucher, remaining=voucher.remaining) for voucher in readable)
        store.source(_voucher_from_list(reading) for reading in seen)

    def read_one(id: str) -> ListedVoucher | UnreadableEntry | None:
        try:
            return _voucher_from_list(context.read(context.source, id))
        except VoucherNotFound:
            return None  # deleted, so it cannot be spent
        except MalformedResponse as error:
            return UnreadableEntry.of(None, error.problems or (error.message,), id=id)

    ids = store.not_at_source()
    looked_up = progress.count_items(ids, f"looked up one by one at {context.source}", len(ids))
    missing = list(context.ordered_map(read_one, looked_up))
    store.source(voucher for voucher in missing if isinstance(voucher, ListedVoucher))
    for entry in missing:
        if isinstance(entry, UnreadableEntry):
            store.add_unreadable(context.source, entry.name, entry.reason)
    if not context.leaves_source:
        store.add_moves_of_other_plans(_moves_of_other_plans(context))


def _moves_of_other_plans(context: MigrationContext) -> Iterator[tuple[str, OtherMove]]:
    """Yield the vouchers of the source that other plans move or have moved: pairs of id and move."""
    for move in context.journal.moves_of_other_plans(context.source, context.plan_id):
        yield move.voucher_id, OtherMove(move.plan_id, move.to_account, move.to_voucher_id)


def _voucher_from_list(seen: VoucherReading) -> ListedVoucher:
    voucher = seen.voucher
    return ListedVoucher(
        id=voucher.id,
        initial=voucher.initial,
        remaining=seen.remaining,
        ends=ends_text(voucher),
        status=None if voucher.status is None else voucher.status.value,
        created=None if voucher.created_at is None else format_micros(voucher.created_at),
    )
