"""Many sales of equal vouchers under one name, such as those of a print batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from voucher_gateway.errors import InvalidRequest, UnsupportedOperation
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.models.requests import NewVoucher, nfc
from voucher_gateway.sales.desk import SalesDesk
from voucher_gateway.sales.records import STOPPED
from voucher_gateway.sales.sale import Sale

MAX_BATCH_SIZE: Final = 1_000_000
"""The largest batch."""

_MAX_WORKERS: Final = 64

_UNIQUE_FIELDS: Final = ("id", "code", "pin")
"""Fields that two vouchers must not share."""


def sell_batch(
    desk: SalesDesk,
    batch: str,
    account: str,
    new: NewVoucher,
    count: int,
    *,
    order: str | None,
    fulfil: bool,
    workers: int,
    wait: float,
) -> Iterator[Sale]:
    """Prepare the sales of a batch, or fulfil them, several at a time, and yield them in the order of their numbers.

    Raises:
        InvalidRequest: if the number of vouchers or of workers is wrong, or the voucher has an id, a code or a PIN.
        UnsupportedOperation: if the vouchers would not exist before they are fulfilled.
    """
    batch = nfc(batch)
    _check(new, count, workers)
    seller = _BatchSeller(desk, batch, account, new, count, order=order, fulfil=fulfil, wait=wait)
    seller.require_vouchers()
    seller.open(1)  # so that a wrong batch is refused before any voucher is made
    return _sell_all(seller, count, workers)


class _BatchSeller:
    """Opens and completes the sales of one batch."""

    def __init__(
        self,
        desk: SalesDesk,
        batch: str,
        account: str,
        new: NewVoucher,
        count: int,
        *,
        order: str | None,
        fulfil: bool,
        wait: float,
    ) -> None:
        self._desk = desk
        self._batch = batch
        self._account = account
        self._new = new
        self._count = count
        self._order = order
        self._fulfil = fulfil
        self._wait = wait

    def open(self, number: int) -> Sale:
        """Open a sale of the batch."""
        return self._desk.open(
            f"{self._batch}/{number:06d}",
            self._account,
            self._new,
            order=self._order,
            batch=self._batch,
            batch_size=self._count,
            wait=self._wait,
        )

    def sell(self, number: int) -> Sale:
        """Open a sale of the batch, and prepare or fulfil it. A sale that was revoked since stays as it is."""
        sale = self.open(number)
        if sale.state in STOPPED:
            return sale
        return sale.fulfil() if self._fulfil else sale.prepare()

    def require_vouchers(self) -> None:
        """Check that preparing makes vouchers."""
        if not self._fulfil and not self._desk.issues_inactive(self._account):
            raise UnsupportedOperation(
                "this vendor has no inactive vouchers, so that a voucher exists only once it is fulfilled: fulfil the"
                " batch",
                account=self._account,
                operation="issue",
            )


def _sell_all(seller: _BatchSeller, count: int, workers: int) -> Iterator[Sale]:
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="voucher-sales")
    try:
        waiting: deque[Future[Sale]] = deque()
        for number in range(1, count + 1):
            waiting.append(pool.submit(_sell, seller, number))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@use_work_class(WorkClass.MIGRATE)
def _sell(seller: _BatchSeller, number: int) -> Sale:
    return seller.sell(number)


def _check(new: NewVoucher, count: int, workers: int) -> None:
    numbers: tuple[tuple[str, object, int], ...] = (
        ("count", count, MAX_BATCH_SIZE),
        ("workers", workers, _MAX_WORKERS),
    )
    for name, number, most in numbers:
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
            rule = f"an integer from 1 to {most}"
            raise InvalidRequest(f"{name} must be {rule}", field=name, rule=rule)
    for name in _UNIQUE_FIELDS:
        if getattr(new, name) is not None:
            raise InvalidRequest(
                f"the vouchers of a batch cannot have the same {name}: leave it out", field=name, rule="left out"
            )
