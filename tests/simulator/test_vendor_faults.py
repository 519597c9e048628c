"""Faults that a vendor declares itself stand beside those of the kit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
import requests

from tests.simulator.conftest import JarSimulator
from voucher_gateway.simulator import (
    FAULTS,
    Fault,
    FaultKind,
    IdempotencyKeys,
    Reply,
    Request,
    Route,
    RunningSimulator,
    SimulatorOptions,
    fault,
    parse_fault,
    start,
)
from voucher_gateway.testing import SimulatedVendor
from voucher_gateway_ticketing import TicketingProvider
from voucher_gateway_ticketing.simulator import TicketingSimulator

TEMPORARY = {"errors": [{"category": "API_ERROR", "code": "TEMPORARY_ERROR"}]}


def _leave_running(simulator: KeyedJar, request: Request) -> None:
    simulator.keys.mark_running(request.headers["X-Idempotency-Key"])


class KeyedJar(JarSimulator):
    own_faults: ClassVar[tuple[FaultKind, ...]] = (
        fault("temporary-error", 503, TEMPORARY, headers=[("Retry-After", "1")]),
        fault(
            "worker-dies",
            502,
            sentence="The vendor does it, and its worker dies: the key stays locked.",
            commits=True,
            then=_leave_running,
        ),
    )

    def __init__(self, options: SimulatorOptions) -> None:
        super().__init__(options)
        self.keys = IdempotencyKeys(self.clock.now, running=lambda: Reply(409, {"detail": "Concurrent request."}))

    def routes(self) -> list[Route]:
        return [Route("POST", "/jars/{name}", self.add_once)]

    def add_once(self, request: Request) -> Reply:
        return self.keys.answer(request, self.add, key=request.headers.get("X-Idempotency-Key"))


@pytest.fixture
def keyed_jar() -> Iterator[RunningSimulator]:
    with start(KeyedJar) as running:
        yield running


@pytest.fixture
def add(keyed_jar: RunningSimulator, session: requests.Session) -> Callable[[], requests.Response]:
    url, headers = keyed_jar.announcement["base_url"] + "/jars/a", {"X-Idempotency-Key": "k"}
    return lambda: session.post(url, json={"amount": 1}, headers=headers, timeout=5)


def test_square_says_itself_that_an_error_is_temporary(
    keyed_jar: RunningSimulator, add: Callable[[], requests.Response]
) -> None:
    keyed_jar.inject("temporary-error", "POST *", after=0)
    refused = add()
    assert (refused.status_code, refused.json(), refused.headers["Retry-After"]) == (503, TEMPORARY, "1")
    assert keyed_jar.ledger() == []
    assert add().status_code == 201
    assert keyed_jar.requests[0].faults == ("temporary-error",)


def test_pretix_keeps_the_key_locked_when_a_worker_dies_after_its_work(
    keyed_jar: RunningSimulator, add: Callable[[], requests.Response]
) -> None:
    keyed_jar.inject("worker-dies")
    assert [add().status_code for _ in range(3)] == [502, 409, 409]
    assert keyed_jar.ledger() == [{"id": "a", "remaining": "1"}]


def test_the_table_of_a_vendor_has_its_own_faults_and_those_of_the_kit() -> None:
    kinds = KeyedJar.fault_kinds()
    assert set(kinds) == set(FAULTS) - {"replace-reservation", "rewrite-reference"} | {"temporary-error", "worker-dies"}
    assert [kinds[name].commits for name in ("temporary-error", "worker-dies")] == [False, True]
    assert kinds["temporary-error"].sentence == "The vendor answers 503 in its own words; nothing happened."
    assert (
        fault("late-error", 500, commits=True).sentence == "The vendor does it and answers with 500 in its own words."
    )


def test_the_control_api_shows_and_injects_them(
    keyed_jar: RunningSimulator, session: requests.Session, add: Callable[[], requests.Response]
) -> None:
    url = keyed_jar.announcement["control_url"] + "/faults"
    shown = {kind["name"]: kind for kind in session.get(url, timeout=5).json()}
    assert set(shown) == set(KeyedJar.fault_kinds())
    assert shown["temporary-error"]["commits"] is False
    assert shown["slow"]["options"] == {"delay_s": {"default": 1.0, "values": "a number from 0 to 1e+09"}}
    assert session.post(url, json={"name": "temporary-error"}, timeout=5).status_code == 200
    assert add().json() == TEMPORARY
    unknown = session.post(url, json={"name": "nope"}, timeout=5)
    assert "temporary-error" in unknown.json()["error"]


def test_the_command_line_names_them() -> None:
    parsed = parse_fault("temporary-error:POST *:2", KeyedJar.fault_kinds())
    assert (parsed.name, parsed.times, parsed.kind) == ("temporary-error", 2, KeyedJar.own_faults[0])


def test_the_contract_strikes_with_them() -> None:
    class BusyTicketing(TicketingSimulator):
        own_faults: ClassVar[tuple[FaultKind, ...]] = (fault("busy", 503, {"statusCode": "503"}),)

    with SimulatedVendor(TicketingProvider, BusyTicketing) as vendor:
        assert vendor.faults["busy"] is False
        assert "expire-token" not in vendor.faults
        vendor.inject_fault("busy", at=0)
        headers = {"Authorization": f"Bearer {vendor.announcement['api_key']}"}
        reply = requests.get(vendor.announcement["base_url"] + "/api/vouchers", headers=headers, timeout=5)
        assert (reply.status_code, reply.json()) == (503, {"statusCode": "503"})


@pytest.mark.parametrize("name", ["", "Temporary", "temporary error", "a:b", "slow", "hang", "-a"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="fault"):
        fault(name, 500)


def test_two_faults_of_one_name_are_refused() -> None:
    def declare(**members: Any) -> type:
        return type("Twice", (JarSimulator,), members)

    with pytest.raises(TypeError, match="two faults of the same name"):
        declare(own_faults=(fault("busy", 500), fault("busy", 503)))


def test_another_vendor_does_not_have_them() -> None:
    with pytest.raises(ValueError, match="unknown fault 'temporary-error'"):
        Fault("temporary-error")
