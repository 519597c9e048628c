"""`AsyncSale`: the sale of a voucher for asyncio."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from voucher_gateway.async_gateway.methods import run_for_self, run_on_thread
from voucher_gateway.async_gateway.threads import CallThreads
from voucher_gateway.masking import Code, Pin
from voucher_gateway.money import Money
from voucher_gateway.sales.records import Revocation, SaleRecord, SaleState
from voucher_gateway.sales.sale import Sale


class AsyncSale:
    """A `Sale` whose methods are awaited. `AsyncGateway.sale` returns it.

    A cancelled task does not undo its call: it ends on its thread. Await `refresh`, or the same method again.
    """

    def __init__(self, sale: Sale, threads: CallThreads) -> None:
        self._sale = sale
        self._threads = threads

    @classmethod
    def of_given(cls, sale: Sale | None, threads: CallThreads) -> Self | None:
        """Return the asynchronous form of a sale; None for None."""
        return None if sale is None else cls(sale, threads)

    def __repr__(self) -> str:
        return f"Async{self._sale!r}"

    @property
    def blocking(self) -> Sale:
        """The sale whose methods block."""
        return self._sale

    @property
    def threads(self) -> CallThreads:
        """The threads that run the calls."""
        return self._threads

    @property
    def record(self) -> SaleRecord:
        """Everything that is recorded of the sale, as this object has read it last."""
        return self._sale.record

    @property
    def name(self) -> str:
        """The name of the sale."""
        return self._sale.name

    @property
    def account(self) -> str:
        """The name of the account that issues the voucher."""
        return self._sale.account

    @property
    def order(self) -> str:
        """The shop's order number."""
        return self._sale.order

    @property
    def initial(self) -> Money:
        """The value of the voucher when it is issued."""
        return self._sale.initial

    @property
    def state(self) -> SaleState:
        """The state of the sale."""
        return self._sale.state

    @property
    def attention(self) -> str | None:
        """Why a person or a look-up is needed; None if neither is."""
        return self._sale.attention

    @property
    def voucher_id(self) -> str | None:
        """The vendor's id of the voucher; None before it is issued."""
        return self._sale.voucher_id

    @property
    def revocation(self) -> Revocation | None:
        """What the revocation found; None if the sale is not revoked."""
        return self._sale.revocation

    @property
    def delivered_at(self) -> datetime | None:
        """When the code was delivered; None if it was not."""
        return self._sale.delivered_at

    async def read_code(self) -> Code:
        """Return the voucher's code, as `Sale.code` does."""
        return await self._threads.run(lambda: self._sale.code)

    async def read_pin(self) -> Pin | None:
        """Return the voucher's PIN, as `Sale.pin` does."""
        return await self._threads.run(lambda: self._sale.pin)

    refresh = run_for_self(Sale.refresh)
    prepare = run_for_self(Sale.prepare)
    fulfil = run_for_self(Sale.fulfil)
    delivered = run_for_self(Sale.delivered)
    restore = run_for_self(Sale.restore)
    resume = run_for_self(Sale.resume)
    revoke = run_on_thread(Sale.revoke)
