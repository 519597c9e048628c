"""Every fault of the simulator at every request of every verb: never twice, never a wrong word about it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import attrs
import pytest

from tests.crash.truth import Scene, scene
from tests.crash.verbs import VERBS
from voucher_gateway.http import retry
from voucher_gateway.http.messages import EncodedRequest, Response
from voucher_gateway.http.transport import Transport
from voucher_gateway.journal.journal import Journal
from voucher_gateway.provider_api import ConcurrentModification, Effect, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.simulator import FAULTS

_accounts: Final = itertools.count(1)

_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "rate-limit": {"retry_after_s": 0},
    "slow": {"delay_s": 0.05},
    "slow-before": {"delay_s": 0.05},
    "drip": {"interval_s": 0.05},
    "drip-headers": {"interval_s": 0.05},
    "huge": {"bytes": 300_000},
    "huge-reply": {"bytes": 300_000},
    "interim": {"delay_s": 0.05},
    "no-content-with-body": {"delay_s": 0.02},
    "lagging-lookups": {"lag_s": 1e6},
}
_LASTING: Final = frozenset({"lagging-lookups", "clock-skew", "insert-while-paging"})
"""What does not strike one request, but holds from it on."""
_QUICK: Final[Mapping[str, Any]] = {
    "read_timeout_s": 0.4,
    "total_timeout_s": 0.8,
    "max_reply_bytes": 100_000,
    "max_page_bytes": 100_000,
}
_SURE: Final = frozenset({"rate-limit", "unauthorized"})
"""Refusals that say that nothing was done."""


@pytest.fixture(autouse=True)
def quick_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between repeats are another test's subject."""
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)


@contextmanager
def _before_request(strike: Callable[[int, str], None]) -> Iterator[None]:
    """Call something before each request of this process, with its number and method, token requests included."""
    send = Transport.send
    numbers = itertools.count()

    def watched(
        transport: Transport, request: EncodedRequest, *, deadline: float, returns_page: bool = False
    ) -> Response:
        strike(next(numbers), "TOKEN" if request.url.endswith("/oauth/token") else request.method)
        return send(transport, request, deadline=deadline, returns_page=returns_page)

    door: Any = Transport
    door.send = watched
    try:
        yield
    finally:
        door.send = send


def _requests(verb: str, journal: Journal, url: str) -> list[str]:
    """Return the methods of all requests of a verb."""
    methods: list[str] = []
    with scene(VERBS[verb], journal, url, f"shop{next(_accounts)}") as one, _fresh(one) as fresh:
        with _before_request(lambda _, method: methods.append(method)):
            fresh.perform()
        fresh.check(repeated=True)
    return methods


@contextmanager
def _fresh(one: Scene) -> Iterator[Scene]:
    """Give the scene an impatient gateway that has sent nothing yet, not even for a token."""
    site = attrs.evolve(one.site, settings={**one.site.settings, **_QUICK})
    gateway = site.gateway(one.gateway.journal)
    try:
        yield attrs.evolve(one, site=site, gateway=gateway)
    finally:
        gateway.provider(one.site.account).close()


def _strike(one: Scene, fault: str, at: int, methods: list[str]) -> None:
    """Make the call with a fault at one of its requests, and hold what it says against what happened."""

    def inject(number: int, _: str) -> None:
        if number == at:
            one.running.inject(fault, times=0 if fault in _LASTING else 1, **_OPTIONS.get(fault, {}))

    said: VoucherGatewayError | None = None
    with _before_request(inject):
        try:
            one.perform()
        except VoucherGatewayError as error:
            said = error
    times, seen = one.times(), f"{one.verb.name}: {fault} at {methods[at]} {at}: {type(said).__name__} ({said})"
    assert times in (0, 1), f"{seen}: it happened {times} times"
    if said is None:
        assert times == 1 or one.verb.name == "jtl/release", f"{seen}: it did not happen"
    elif Effect(said.outcome) is not Effect.UNKNOWN:
        assert times == 0, f"{seen}: it happened"
    changing = [number for number, method in enumerate(methods) if method not in ("GET", "TOKEN")]
    # This fault lasts, so a reading that follows the change, to see what became of it, lags as well.
    reads_back = fault == "lagging-lookups" and bool(changing) and changing[-1] < len(methods) - 1
    before = not changing or at < changing[0]
    sure = at in changing and (fault in _SURE or FAULTS[fault].commits is None)
    if (before or sure) and not reads_back:
        assert not isinstance(said, OutcomeUnknown), f"{seen}: that can be known"
    one.running.clear_faults()
    one.retry()
    # Readings that lag behind look as if somebody else had changed the value. A reservation that names another voucher
    # than the code's leads to that voucher's history, which proves nothing: a person must look.
    wrong_history = fault == "wrong-voucher" and one.verb.name == "jtl/redeem" and at == changing[0]
    one.check(repeated=True, loud=isinstance(said, ConcurrentModification) or wrong_history)


def _faults(verb: str) -> list[str]:
    return sorted(set(FAULTS) - VERBS[verb].vendor_lacks)


def _strike_everywhere(verb: str, journal: Journal, url: str, faults: list[str]) -> int:
    methods = _requests(verb, journal, url)
    struck = 0
    for at, fault in itertools.product(range(len(methods)), faults):
        with scene(VERBS[verb], journal, url, f"shop{next(_accounts)}") as one, _fresh(one) as fresh:
            _strike(fresh, fault, at, methods)
        struck += 1
    return struck


@pytest.mark.parametrize("verb", ["jtl/redeem", "jtl/refund", "ticketing/redeem"])
def test_what_the_gateway_says_of_a_struck_call_is_true(verb: str, sqlite_url: str, sqlite_journal: Journal) -> None:
    faults = ["commit-then-drop", "error-before", "truncate", "lagging-lookups"]
    assert _strike_everywhere(verb, sqlite_journal, sqlite_url, faults) >= 12


@pytest.mark.slow
@pytest.mark.parametrize("verb", [name for name in VERBS if name != "jtl/release"])
def test_what_the_gateway_says_is_true_whatever_strikes(
    verb: str, sqlite_url: str, sqlite_journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    struck = _strike_everywhere(verb, sqlite_journal, sqlite_url, _faults(verb))
    with capsys.disabled():
        print(f"\n{verb}: {struck} faults", end="")  # noqa: T201 - for who reads along
