"""`requests_per_second`: each request has its permit, also a repeat and a token."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.errors import ProviderUnavailable
from voucher_gateway.http.rate_limit import LocalPermits
from voucher_gateway.limits.shared_limits import AccountPause, Backlog, SharedLimits
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.provider_api import Intent, OutcomeUnknown, Path, Request, Response
from voucher_gateway.request_hooks import use_resolution

if TYPE_CHECKING:
    from tests.http.conftest import Answer, Asked, ClientOf, Serve, Visit

LOOK_UP = Request(method="GET", path=Path.of("/jars"))
CHANGE = Request(method="POST", path=Path.of("/changes"), json={"amount": "10.53"})
INTENT = Intent(account="shop", provider="acme", verb="redeem", host="127.0.0.1", login=None, reference="1001-a")


def answer(_: Asked) -> Answer:
    return 200, '{"ok": true}'


class CountingPermits(LocalPermits):
    """Counts what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []

    def find(self, account: str) -> AccountPause | None:
        return None

    def take(self, name: str, *, cost_us: int, limit_us: int) -> Backlog:
        backlog = super().take(name, cost_us=cost_us, limit_us=limit_us)
        if backlog.is_taken:
            self.taken.append(name)
        return backlog


def test_requests_are_spaced(serve: Serve, client_of: ClientOf) -> None:
    client = client_of(serve(each=answer), requests_per_second=20.0, burst=2)
    began = time.monotonic()
    for _ in range(8):
        client.read(LOOK_UP, Response.json)
    assert time.monotonic() - began >= 6 / 20 * 0.95


def test_a_repeat_has_a_permit_of_its_own(serve: Serve, client_of: ClientOf) -> None:
    permits = CountingPermits()
    statuses = iter([500, 500, 200])
    server = serve(each=lambda _: (next(statuses), '{"ok": true}'))
    client = client_of(server, requests_per_second=1000.0, burst=3, tries=3)
    client.use_shared_limits(SharedLimits(pauses=permits, permits=permits))
    client.read(LOOK_UP, Response.json)
    assert permits.taken == ["account:shop"] * len(server.heard)


def test_without_a_rate_nothing_is_counted(serve: Serve, client_of: ClientOf) -> None:
    permits = CountingPermits()
    client = client_of(serve(each=answer))
    client.use_shared_limits(SharedLimits(pauses=permits, permits=permits))
    client.read(LOOK_UP, Response.json)
    assert permits.taken == []


def test_a_checkout_that_cannot_wait_for_its_turn_fails_at_once_and_nothing_is_sent(
    serve: Serve, client_of: ClientOf
) -> None:
    server = serve(each=answer)
    client = client_of(server, requests_per_second=0.1, burst=1, total_timeout_s=1.0)
    client.read(LOOK_UP, Response.json)
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable, match="requests_per_second") as refused:
        client.change(CHANGE, INTENT, Response.json)
    assert time.monotonic() - began < 0.5
    assert (refused.value.account, refused.value.outcome, len(server.heard)) == ("shop", "not_executed", 1)


def test_a_change_that_was_sent_is_unknown_and_the_next_one_is_not_executed(serve: Serve, client_of: ClientOf) -> None:
    def play(visit: Visit) -> None:
        visit.asked()  # and the connection is closed

    server = serve(play)
    client = client_of(server, requests_per_second=0.1, burst=1, total_timeout_s=1.0)
    with pytest.raises(OutcomeUnknown):
        client.change(CHANGE, INTENT, Response.json)
    with pytest.raises(ProviderUnavailable):
        client.change(CHANGE, INTENT, Response.json)
    assert len(server.heard) == 1


def test_work_without_a_customer_waits_for_its_turn_beyond_the_time_out(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=answer)
    client = client_of(server, requests_per_second=4.0, burst=1, total_timeout_s=0.1, batch_timeout_s=0.1)
    with use_work_class(WorkClass.MIGRATE):
        for _ in range(4):
            client.read(LOOK_UP, Response.json)
    assert len(server.heard) == 4


def test_a_look_up_of_an_unknown_outcome_is_paced_and_not_refused(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=answer)
    client = client_of(server, requests_per_second=10.0, burst=1)
    began = time.monotonic()
    with use_resolution():
        for _ in range(4):
            client.read(LOOK_UP, Response.json)
    assert time.monotonic() - began >= 3 / 10 * 0.95
