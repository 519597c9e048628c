"""Reading both sides of a migration as a whole, for its verification."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Final, TypeVar

import sqlalchemy as sa

from voucher_gateway.adapter import Operation, Voucher, VoucherNotFound, VoucherQuery
from voucher_gateway.database.schema import operations
from voucher_gateway.journal import State
from voucher_gateway.journal.moved import reference_of_move
from voucher_gateway.journal.results import read_result
from voucher_gateway.migration.evidence import Evidence, Shown, ends_text
from voucher_gateway.migration.journey import Journey, Seen
from voucher_gateway.migration.rates import Rates
from voucher_gateway.migration.standing import MOVE
from voucher_gateway.pacing import paced

T = TypeVar("T")
R = TypeVar("R")

_BATCH: Final = 1000
_CLOCKS_APART: Final = timedelta(days=1)
"""What was made at the target that long before the plan is surely none of its vouchers."""


def read_target(journey: Journey, evidence: Evidence) -> None:
    """Read all vouchers of the target that may be those of the plan, with their codes."""
    evidence.expect(_issued(journey))
    with journey.gateway.vouchers(journey.target, _lately(journey)) as listing:
        evidence.target(_with_codes(journey, listing, evidence.key_id))
    evidence.join()


def _issued(journey: Journey) -> Iterator[tuple[int, str]]:
    """Give what the plan has issued by the journal: the voucher's number and its id at the target, in that order."""
    prefix = reference_of_move(journey.plan_id, "")
    query = (
        sa.select(operations.c.id, operations.c.reference, operations.c.result)
        .where(
            operations.c.account == journey.target,
            operations.c.verb == Operation.ISSUE.value,
            operations.c.reference.startswith(prefix, autoescape=True),
            operations.c.state == State.SUCCEEDED.value,
            operations.c.result.is_not(None),
        )
        .order_by(operations.c.id)
        .limit(_BATCH)
    )
    last = ""
    while True:
        with journey.journal.database.read() as connection:
            batch = connection.execute(query.where(operations.c.id > last)).all()
        for _, reference, result in batch:
            issued = read_result(result)
            if isinstance(issued, Voucher) and issued.id:  # a person who decided it may not have known the id
                yield int(reference.removeprefix(prefix).partition(".")[0]), issued.id
        if len(batch) < _BATCH:
            return
        last = batch[-1].id


def _lately(journey: Journey) -> VoucherQuery | None:
    """Leave out what was there long before, where the vendor can: its codes would take a request each."""
    if "created_from" not in journey.target_can.listing.filters:
        return None
    return VoucherQuery(created_from=journey.header.made_at - _CLOCKS_APART)


def _with_codes(journey: Journey, listed: Iterable[Voucher], key_id: str | None) -> Iterator[tuple[Shown, str | None]]:
    keys = journey.journal.keys

    def whole(voucher: Voucher) -> tuple[Shown, str | None] | None:
        seen = Seen(voucher=voucher, remaining=voucher.remaining)
        if (voucher.code is None and journey.target_can.codes.readable) or voucher.remaining is None:
            try:
                seen = journey.read(journey.target, voucher.id)
            except VoucherNotFound:
                return None
        code = seen.voucher.code
        mark = None if code is None else keys.fingerprint(code, provider=MOVE, host=MOVE, key_id=key_id)
        return _shown(seen), mark

    yield from (one for one in side_by_side(journey, whole, listed) if one is not None)


def read_source(journey: Journey, evidence: Evidence) -> None:
    """Read the planned vouchers at the source: from its list, and those that are not in it one by one."""
    with journey.gateway.vouchers(journey.source) as listing:
        seen = (Seen(voucher=one, remaining=one.remaining) for one in listing)
        evidence.source(_shown(one) for one in seen if one.remaining is not None)

    def one_by_one(id: str) -> Shown | None:
        try:
            return _shown(journey.read(journey.source, id))
        except VoucherNotFound:
            return None  # deleted: nobody can spend it

    missing = side_by_side(journey, one_by_one, evidence.not_at_source())
    evidence.source(one for one in missing if one is not None)


def side_by_side(journey: Journey, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Give what `work` makes of each item, in order, with as many threads as the plan has workers; memory is flat."""
    workers, rates = journey.header.workers, Rates(journey.header.rates, journey.stop)

    def paced_work(item: T) -> R:
        with paced(rates.wait):
            return work(item)

    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="verify") as pool:
        for item in items:
            waiting.append(pool.submit(paced_work, item))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _shown(seen: Seen) -> Shown:
    voucher = seen.voucher
    return Shown(
        id=voucher.id,
        initial=voucher.initial,
        remaining=seen.remaining,
        ends=ends_text(voucher),
        status=None if voucher.status is None else voucher.status.value,
    )
