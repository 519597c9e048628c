"""Another channel spends at the same vendor, without the journal, while a value is overwritten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.http.messages import EncodedRequest, Response
from voucher_gateway.http.transport import Transport
from voucher_gateway.journal.records import OperationState
from voucher_gateway_ticketing.simulator import TicketingSimulator

if TYPE_CHECKING:
    from tests.races.conftest import SharedVoucher


@contextmanager
def _around_the_write(do: Callable[[], object], *, before: bool) -> Iterator[None]:
    """Do something right before or right after this process overwrites a value, once."""
    send = Transport.send
    left = [do]

    def watched(
        transport: Transport, request: EncodedRequest, *, deadline: float, returns_page: bool = False
    ) -> Response:
        if before and request.method == "PUT" and left:
            left.pop()()
        reply = send(transport, request, deadline=deadline, returns_page=returns_page)
        if not before and request.method == "PUT" and left:
            left.pop()()
        return reply

    door: Any = Transport
    door.send = watched
    try:
        yield
    finally:
        door.send = send


@pytest.mark.parametrize("before", [True, False], ids=["before the write", "after the write"])
@pytest.mark.parametrize("amount", ["3.00", "10.00"])
def test_a_checkout_at_the_same_time_is_exact_or_loud(
    amount: str, before: bool, share_voucher: Callable[[str, str], SharedVoucher], sqlite_url: str
) -> None:
    voucher = share_voucher("ticketing", sqlite_url)
    simulator = voucher.running.simulator
    assert isinstance(simulator, TicketingSimulator)
    with _around_the_write(lambda: simulator.redeem_at_checkout(voucher.code, amount), before=before):
        outcome = voucher.task("10.00", "1001-a").run(voucher.gateway)
    entry = voucher.gateway.operation("shop", "redeem", "1001-a")
    assert entry is not None
    gone = Decimal(50) - Decimal(voucher.remaining())
    if outcome.startswith("redeemed"):
        assert gone == Decimal(10) + Decimal(amount)
    else:
        assert outcome == "ConcurrentModification"
        assert entry.state is OperationState.UNKNOWN
