"""`AsyncGateway`: the verbs of a `Gateway` for asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any, Final, Self

from voucher_gateway.async_gateway.events import AsyncEventFeed, iterate_events
from voucher_gateway.async_gateway.methods import iterate_on_thread, run_and_wrap, run_on_thread
from voucher_gateway.async_gateway.payment import AsyncPayment
from voucher_gateway.async_gateway.sale import AsyncSale
from voucher_gateway.async_gateway.threads import CallThreads
from voucher_gateway.config.account_source import AccountSource, FindAccount
from voucher_gateway.config.loader import Config
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.masking import hide_arguments

DEFAULT_THREADS: Final = 16
"""How many calls an `AsyncGateway` runs at the same time, if its caller does not say it."""


class AsyncGateway:
    """A `Gateway` whose verbs are awaited. Each call runs on one of the gateway's own threads.

        async with AsyncGateway.from_config("voucher-gateway.toml") as gateway:
            await gateway.redeem("shop", code, Money("10.53", "EUR"), reference="1001-a", order="1001")

    The verbs have the arguments, the results and the errors of those of `Gateway`. `payment` and `sale` return objects
    whose methods are awaited as well; so does `event_feed`. `vouchers`, `operations`, `payments`, `sales`, `sell_many`
    and `events` are read by ``async for``. More calls than `threads` wait for a thread.

    A cancelled task does not undo its call. A call that has begun ends on its thread, and the journal keeps its
    outcome. So a time-out of yours, as by `asyncio.timeout`, is an unknown outcome: give the same call again, with the
    same reference. A call that still waits for a thread is not made.

    Args:
        gateway: the gateway. This object closes it.
        threads: how many calls can run at the same time.
    """

    def __init__(self, gateway: Gateway, *, threads: int = DEFAULT_THREADS) -> None:
        self._gateway = gateway
        self._threads = CallThreads(threads)

    @classmethod
    @hide_arguments
    def from_config(
        cls,
        source: str | os.PathLike[str] | Mapping[str, Any] | Config,
        *,
        stage: str | None = None,
        accounts: AccountSource | FindAccount | None = None,
        threads: int = DEFAULT_THREADS,
    ) -> Self:
        """Make the gateway that a configuration describes. It reads files: call it before the event loop is busy.

        Args:
            source: as in `Gateway.from_config`.
            stage: as in `Gateway.from_config`.
            accounts: as in `Gateway.from_config`.
            threads: how many calls can run at the same time.

        Raises:
            ConfigurationError: with everything that is wrong with it.
        """
        return cls(Gateway.from_config(source, stage=stage, accounts=accounts), threads=threads)

    @classmethod
    def from_env(cls, *, threads: int = DEFAULT_THREADS) -> Self:
        """Make the gateway of the file that the environment names, as `Gateway.from_env` does.

        Args:
            threads: how many calls can run at the same time.

        Raises:
            ConfigurationError: with everything that is wrong with it.
        """
        return cls(Gateway.from_env(), threads=threads)

    async def close(self) -> None:
        """Wait for the calls that run, and close all connections. An ``async with`` block does the same at its end."""
        await self._threads.close()
        await asyncio.to_thread(self._gateway.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def blocking(self) -> Gateway:
        """The gateway whose verbs block, for all that has no asynchronous form."""
        return self._gateway

    @property
    def threads(self) -> CallThreads:
        """The threads that run the calls."""
        return self._threads

    find = run_on_thread(Gateway.find)
    get = run_on_thread(Gateway.get)
    balance = run_on_thread(Gateway.balance)
    history = run_on_thread(Gateway.history)
    presentation = run_on_thread(Gateway.presentation)
    issue = run_on_thread(Gateway.issue)
    activate = run_on_thread(Gateway.activate)
    deactivate = run_on_thread(Gateway.deactivate)
    update = run_on_thread(Gateway.update)
    top_up = run_on_thread(Gateway.top_up)
    delete = run_on_thread(Gateway.delete)
    reserve = run_on_thread(Gateway.reserve)
    capture = run_on_thread(Gateway.capture)
    release = run_on_thread(Gateway.release)
    redeem = run_on_thread(Gateway.redeem)
    refund = run_on_thread(Gateway.refund)
    refundable = run_on_thread(Gateway.refundable)
    find_moved = run_on_thread(Gateway.find_moved)
    explain = run_on_thread(Gateway.explain)
    operation = run_on_thread(Gateway.operation)
    reservation = run_on_thread(Gateway.reservation)
    redemption = run_on_thread(Gateway.redemption)
    resolve = run_on_thread(Gateway.resolve)
    recover = run_on_thread(Gateway.recover)
    decide = run_on_thread(Gateway.decide)
    lookup_hints = run_on_thread(Gateway.lookup_hints)
    check = run_on_thread(Gateway.check)
    pause_account = run_on_thread(Gateway.pause_account)
    resume_account = run_on_thread(Gateway.resume_account)
    paused_accounts = run_on_thread(Gateway.paused_accounts)
    prune_journal = run_on_thread(Gateway.prune_journal)
    archive_journal = run_on_thread(Gateway.archive_journal)
    forget_order = run_on_thread(Gateway.forget_order)
    journal_status = run_on_thread(Gateway.journal_status)
    verify_journal = run_on_thread(Gateway.verify_journal)
    journal_anchor = run_on_thread(Gateway.journal_anchor)
    payment = run_and_wrap(Gateway.payment, AsyncPayment)
    find_payment = run_and_wrap(Gateway.find_payment, AsyncPayment.of_given)
    sale = run_and_wrap(Gateway.sale, AsyncSale)
    find_sale = run_and_wrap(Gateway.find_sale, AsyncSale.of_given)
    event_feed = run_and_wrap(Gateway.event_feed, AsyncEventFeed)

    events = iterate_events
    vouchers = iterate_on_thread(Gateway.vouchers)
    operations = iterate_on_thread(Gateway.operations)
    payments = iterate_on_thread(Gateway.payments)
    sales = iterate_on_thread(Gateway.sales)
    sell_many = iterate_on_thread(Gateway.sell_many)
    archived_operations = iterate_on_thread(Gateway.archived_operations)
