"""Two refunds of one voucher and one amount: JTL's refunds name nothing, so one must not pass for the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from voucher_gateway.http.messages import EncodedRequest, Response
from voucher_gateway.http.transport import Transport
from voucher_gateway.journal.records import OperationState
from voucher_gateway.provider_api import Money, OutcomeUnknown, Redemption
from voucher_gateway.storage.locks import Locks

if TYPE_CHECKING:
    from tests.races.conftest import SharedVoucher

TEN = Money("10.00", "EUR")


@contextmanager
def _after_the_look(do: Callable[[], object]) -> Iterator[None]:
    """Do something once, right after a voucher's history was read."""
    send = Transport.send
    left = [do]

    def watched(
        transport: Transport, request: EncodedRequest, *, deadline: float, returns_page: bool = False
    ) -> Response:
        reply = send(transport, request, deadline=deadline, returns_page=returns_page)
        if "/charges?" in request.url and left:
            left.pop()()
        return reply

    door: Any = Transport
    door.send = watched
    try:
        yield
    finally:
        door.send = send


def _redeem_twice(voucher: SharedVoucher) -> tuple[Redemption, Redemption]:
    first = voucher.gateway.redeem("shop", voucher.code, TEN, reference="1001-a")
    second = voucher.gateway.redeem("shop", voucher.code, TEN, reference="1002-a")
    return first, second


def test_a_second_refund_of_a_voucher_waits_until_the_first_is_over(
    share_voucher: Callable[[str, str], SharedVoucher], either_url: str
) -> None:
    voucher = share_voucher("jtl", either_url)
    first, second = _redeem_twice(voucher)
    over: list[str] = []

    def refund_the_second() -> None:
        voucher.gateway.refund("shop", second, reference="1002-b")
        over.append("the second")

    other = threading.Thread(target=refund_the_second)

    def begin_the_second() -> None:
        other.start()
        other.join(0.3)
        assert not over, "the second did not wait"

    with _after_the_look(begin_the_second):
        voucher.gateway.refund("shop", first, reference="1001-b")
    other.join(30)
    assert over
    assert voucher.remaining() == "50.00"


def test_a_refund_made_at_the_same_time_is_not_taken_for_ones_own(
    share_voucher: Callable[[str, str], SharedVoucher], either_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if a session, and with it the voucher's lock, was lost between the look and the row.
    monkeypatch.setattr(Locks, "hold", lambda *_, **__: nullcontext())
    voucher = share_voucher("jtl", either_url)
    first, second = _redeem_twice(voucher)

    def refund_the_second() -> None:
        voucher.gateway.refund("shop", second, reference="1002-b")
        voucher.running.inject("drop-before", "POST */refund")

    with _after_the_look(refund_the_second), pytest.raises(OutcomeUnknown):
        voucher.gateway.refund("shop", first, reference="1001-b")
    with pytest.raises(OutcomeUnknown):
        voucher.gateway.refund("shop", first, reference="1001-b")
    entry = voucher.gateway.operation("shop", "refund", "1001-b")
    assert entry is not None
    assert entry.state is OperationState.UNKNOWN
    assert voucher.remaining() == "40.00"
