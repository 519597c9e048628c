"""Which faults a request meets, and what each does, over the real socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import requests

from voucher_gateway.simulator import FAULTS, Fault, parse_fault
from voucher_gateway.simulator.faults.queue import ArmedFaults

if TYPE_CHECKING:
    from voucher_gateway.simulator import RunningSimulator

ADD = "POST /jars/*"


def _add(jar: RunningSimulator, session: requests.Session, timeout: float = 5) -> requests.Response:
    url = jar.announcement["base_url"] + "/jars/a"
    return session.post(url, json={"amount": 1}, timeout=timeout, allow_redirects=False)


def _committed(jar: RunningSimulator) -> int:
    return sum(int(str(entry["remaining"])) for entry in jar.ledger() if entry["id"] == "a")


def test_every_fault_is_described_in_one_sentence() -> None:
    assert len(FAULTS) == 38
    for name, kind in FAULTS.items():
        assert kind.name == name
        assert kind.sentence[0].isupper() or kind.sentence[0].isdigit()
        assert kind.sentence.endswith(".")
        assert kind.stacks == (kind.commits is None)


def test_a_late_request_is_carried_out_after_others(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("deliver-late", ADD, after_requests=2)
    with pytest.raises(requests.ConnectionError, match="without response"):
        _add(jar, session)
    _add(jar, session)
    assert _committed(jar) == 1
    _add(jar, session)
    assert _committed(jar) == 3
    jar.inject("deliver-late", ADD, after_requests=1)
    with pytest.raises(requests.ConnectionError):
        _add(jar, session)
    jar.clear_faults()
    _add(jar, session)
    assert _committed(jar) == 4


def test_a_page_of_a_proxy_hides_what_the_vendor_did(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("html-after-commit", ADD)
    reply = _add(jar, session)
    assert (reply.status_code, reply.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert _committed(jar) == 1


@pytest.mark.parametrize("name", ["drop-before", "slow-before", "commit-then-drop"])
def test_a_dropped_connection_ends_without_a_byte(name: str, jar: RunningSimulator, session: requests.Session) -> None:
    options: dict[str, Any] = {"delay_s": 0.01} if name == "slow-before" else {}
    jar.inject(name, ADD, **options)
    with pytest.raises(requests.ConnectionError, match="without response"):
        _add(jar, session)
    assert _committed(jar) == (name == "commit-then-drop")
    assert (jar.requests[-1].status, jar.requests[-1].faults) == (None, (name,))


@pytest.mark.parametrize("name", ["reset-before", "commit-then-reset"])
def test_a_reset_connection_ends_with_a_reset(name: str, jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject(name, ADD)
    with pytest.raises(requests.ConnectionError, match="Connection reset by peer"):
        _add(jar, session)
    assert _committed(jar) == (name == "commit-then-reset")


@pytest.mark.parametrize("name", ["hang", "commit-then-hang"])
def test_a_hanging_server_never_answers_and_others_are_served(
    name: str, jar: RunningSimulator, session: requests.Session
) -> None:
    jar.inject(name, ADD)
    with pytest.raises(requests.ReadTimeout):
        _add(jar, session, timeout=1)
    assert _committed(jar) == (name == "commit-then-hang")
    assert _add(jar, session).status_code == 201


@pytest.mark.parametrize(
    ("name", "options", "status", "committed"),
    [
        ("error-before", {}, 500, False),
        ("error-before", {"status": 503}, 503, False),
        ("error-after-commit", {}, 500, True),
        ("error-after-commit", {"status": 504}, 504, True),
        ("rate-limit", {}, 429, False),
        ("unauthorized", {}, 401, False),
    ],
)
def test_error_statuses_come_in_the_vendors_own_shape(
    name: str, options: dict[str, Any], status: int, committed: bool, jar: RunningSimulator, session: requests.Session
) -> None:
    jar.inject(name, ADD, **options)
    reply = _add(jar, session)
    assert reply.status_code == status
    assert set(reply.json()) == {"oops"}
    assert _committed(jar) == committed
    assert jar.requests[-1].status == status


def test_a_rate_limit_says_when_to_try_again(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("rate-limit", ADD, retry_after_s=7)
    assert _add(jar, session).headers["Retry-After"] == "7"


def test_a_slow_answer_is_late_and_complete(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("slow", ADD, delay_s=0.2)
    before = time.monotonic()
    assert _add(jar, session).json() == {"name": "a", "amount": 1}
    assert time.monotonic() - before >= 0.2


@pytest.mark.parametrize("name", ["drip", "drip-headers"])
def test_a_dripping_answer_defeats_time_outs_for_each_byte(
    name: str, jar: RunningSimulator, session: requests.Session
) -> None:
    jar.inject(name, ADD, interval_s=0.1 if name == "drip" else 0.02)
    before = time.monotonic()
    assert _add(jar, session, timeout=2).json() == {"name": "a", "amount": 1}
    assert time.monotonic() - before >= 2
    assert _committed(jar) == 1


def test_a_truncated_answer_promises_more_than_it_brings(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("truncate", ADD)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        _add(jar, session)
    assert _committed(jar) == 1


@pytest.mark.parametrize(("name", "status", "committed"), [("html", 200, True), ("html-error", 502, False)])
def test_html_stands_where_json_is_due(
    name: str, status: int, committed: bool, jar: RunningSimulator, session: requests.Session
) -> None:
    jar.inject(name, ADD)
    reply = _add(jar, session)
    assert (reply.status_code, reply.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert "<html>" in reply.text
    assert _committed(jar) == committed


@pytest.mark.parametrize(
    ("name", "body"), [("not-json", '{"name":"a","amount":1,'), ("nan", '{"name":NaN,"amount":NaN}'), ("empty", "")]
)
def test_bodies_that_strict_readers_refuse(
    name: str, body: str, jar: RunningSimulator, session: requests.Session
) -> None:
    jar.inject(name, ADD)
    reply = _add(jar, session)
    assert (reply.text, reply.headers["Content-Type"]) == (body, "application/json")
    assert _committed(jar) == 1


def test_a_huge_answer_goes_on_until_the_client_leaves(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("huge", ADD)
    with session.post(jar.announcement["base_url"] + "/jars/a", json={"amount": 1}, stream=True) as reply:
        assert reply.headers["Content-Length"] == "200000000"
        assert len(reply.raw.read(1_000_000)) == 1_000_000
    jar.inject("huge", ADD, bytes=100_000)
    assert len(_add(jar, session).content) == 100_000
    assert _committed(jar) == 2


def test_a_small_answer_can_unpack_to_millions_of_values(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("huge-reply", ADD)
    url = jar.announcement["base_url"] + "/jars/a"
    with session.post(url, json={"amount": 1}, stream=True) as reply:
        assert (reply.status_code, reply.headers["Content-Encoding"]) == (200, "gzip")
        assert int(reply.headers["Content-Length"]) < 100_000
    jar.inject("huge-reply", ADD, bytes=3000)
    assert _add(jar, session).json() == [[]] * 1000
    assert _committed(jar) == 2


def test_a_wrong_echo_shows_another_amount(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("wrong-echo", ADD)
    assert _add(jar, session).json() == {"name": "a", "amount": 2}
    assert _committed(jar) == 1


def test_a_redirect_leads_elsewhere(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("redirect", ADD, location="http://evil.example/")
    reply = _add(jar, session)
    assert (reply.status_code, reply.headers["Location"]) == (302, "http://evil.example/")
    assert _committed(jar) == 0


def test_tokens_expire_just_before_the_request(jar: RunningSimulator, session: requests.Session) -> None:
    session.headers["X-Token"] = "good"
    assert _add(jar, session).status_code == 201
    jar.inject("expire-token", ADD)
    assert _add(jar, session).status_code == 401
    session.post(jar.announcement["base_url"] + "/token")
    assert _add(jar, session).status_code == 201


def test_a_voucher_appears_after_the_page(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("insert-while-paging", "GET /jars")
    url = jar.announcement["base_url"] + "/jars"
    assert session.get(url).json()["jars"] == {}
    assert len(session.get(url).json()["jars"]) == 1


def test_the_date_header_can_be_wrong(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("clock-skew", ADD, seconds=-86_400 * 365)
    assert str(jar.clock.now().year - 1) in _add(jar, session).headers["Date"]
    assert str(jar.clock.now().year) in _add(jar, session).headers["Date"]


def test_lagging_look_ups_show_the_ledger_as_it_was_some_seconds_ago(
    jar: RunningSimulator, session: requests.Session
) -> None:
    url = jar.announcement["base_url"] + "/jars"
    _add(jar, session)
    jar.inject("lagging-lookups", "GET *", times=0, lag_s=60)
    _add(jar, session)
    assert session.get(url).json()["jars"] == {"a": 1}
    assert session.get(url + "/a").json()["cookies"] == 2, "only look-ups lag"
    jar.clock.advance(61)
    _add(jar, session)
    assert session.get(url).json()["jars"] == {"a": 2}
    assert _committed(jar) == 3
    jar.clear_faults()
    assert session.get(url).json()["jars"] == {"a": 3}


def test_lagging_look_ups_can_lag_by_changing_requests(jar: RunningSimulator, session: requests.Session) -> None:
    url = jar.announcement["base_url"] + "/jars"
    jar.inject("lagging-lookups", "GET *", times=None, lag_requests=2)
    seen = []
    for _ in range(4):
        _add(jar, session)
        seen.append(session.get(url).json()["jars"].get("a", 0))
    assert seen == [0, 0, 1, 2]


def test_pictures_are_kept_only_as_long_as_a_fault_waits_for_them(
    jar: RunningSimulator, session: requests.Session
) -> None:
    jar.inject("lagging-lookups", "GET *", times=1)
    _add(jar, session)
    session.get(jar.announcement["base_url"] + "/jars")
    assert jar._application.snapshots.older(0, None) == {"jars": {"a": 1}}
    _add(jar, session)
    assert jar._application.snapshots.older(0, None) is None


def test_faults_wait_for_their_own_requests_and_as_often_as_said(
    jar: RunningSimulator, session: requests.Session
) -> None:
    jar.inject("error-before", "POST /jars/b*", times=2)
    base = jar.announcement["base_url"]
    statuses = [session.post(f"{base}/jars/{name}", json={"amount": 1}).status_code for name in ("a", "b", "b%2F", "b")]
    assert statuses == [201, 500, 500, 201]


def test_the_faults_of_one_name_can_be_removed_and_the_others_stay(
    jar: RunningSimulator, session: requests.Session
) -> None:
    url = jar.announcement["base_url"] + "/jars"
    jar.inject("lagging-lookups", "GET *", times=0, lag_s=60)
    jar.inject("commit-then-drop", ADD, times=0)
    with pytest.raises(requests.ConnectionError):
        _add(jar, session)
    jar.remove_fault("commit-then-drop")
    assert _add(jar, session).status_code == 201
    assert session.get(url).json()["jars"] == {}
    assert _committed(jar) == 2


def test_a_fault_lets_as_many_of_its_requests_pass_as_said(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("error-before", "POST /jars/b", times=2, after=2)
    base = jar.announcement["base_url"]
    statuses = [session.post(f"{base}/jars/{name}", json={"amount": 1}).status_code for name in "babbbb"]
    assert statuses == [201, 201, 201, 500, 500, 201]


def test_a_request_that_meets_another_fault_has_passed_too(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("error-before", ADD, status=501)
    jar.inject("error-before", ADD, after=1, status=502)
    assert [_add(jar, session).status_code for _ in range(3)] == [501, 502, 201]


@pytest.mark.parametrize("times", [0, None])
def test_a_fault_without_a_number_of_times_stays(
    times: int | None, jar: RunningSimulator, session: requests.Session
) -> None:
    jar.inject("error-before", times=times)
    assert {_add(jar, session).status_code for _ in range(5)} == {500}
    jar.clear_faults()
    assert _add(jar, session).status_code == 201


def test_of_faults_that_answer_one_comes_after_the_other(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("error-before", ADD, status=501)
    jar.inject("error-before", ADD, status=502)
    assert [_add(jar, session).status_code for _ in range(3)] == [501, 502, 201]


def test_circumstances_come_on_top(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("error-after-commit", ADD)
    jar.inject("insert-while-paging", ADD)
    jar.inject("clock-skew", ADD, seconds=86_400 * 365)
    reply = _add(jar, session)
    assert reply.status_code == 500
    assert str(jar.clock.now().year + 1) in reply.headers["Date"]
    assert len(jar.ledger()) == 2
    assert jar.requests[-1].faults == ("error-after-commit", "insert-while-paging", "clock-skew")


@pytest.mark.parametrize(
    ("match", "method", "path", "fits"),
    [
        ("* *", "GET", "/", True),
        ("POST /v1/*/charge", "POST", "/v1/reservations/a%2Fb/charge", True),
        ("POST /v1/*/charge", "POST", "/v1/a/b/charge", True),
        ("POST /v1/*/charge", "POST", "/v1/charge", False),
        ("POST /v1/*/charge", "GET", "/v1/x/charge", False),
        ("post /a", "POST", "/a", True),
        ("GET /a", "GET", "/a/b", False),
        ("GET /a.b[c]?", "GET", "/a.b[c]?", True),
        ("GET /a.b", "GET", "/axb", False),
        ("P* /a", "PATCH", "/a", True),
    ],
)
def test_a_pattern_knows_one_wildcard(match: str, method: str, path: str, fits: bool) -> None:
    assert Fault("hang", match).fits(method, path) is fits


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("hang", Fault("hang")),
        ("hang:POST /v1/*", Fault("hang", "POST /v1/*")),
        ("hang:POST /v1/*:3", Fault("hang", "POST /v1/*", 3)),
        ("hang:POST /v1/a:b", Fault("hang", "POST /v1/a:b")),
        ("hang:POST /v1/a:b:0", Fault("hang", "POST /v1/a:b", 0)),
        ("hang:POST /v1/a:0:3", Fault("hang", "POST /v1/a", 0, after=3)),
        ("hang::2:1", Fault("hang", times=2, after=1)),
    ],
)
def test_a_fault_is_read_from_the_command_line(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fault("no-such-fault"),
        lambda: Fault("hang", "POST"),
        lambda: Fault("hang", "POST /a /b"),
        lambda: Fault("hang", times=-1),
        lambda: Fault("hang", after=-1),
        lambda: Fault("hang", options={"delay_s": 1}),
        lambda: Fault("slow", options={"delay": 1}),
        lambda: Fault("slow", options={"delay_s": "1"}),
        lambda: Fault("slow", options={"delay_s": float("nan")}),
        lambda: Fault("slow", options={"delay_s": -1}),
        lambda: Fault("slow", options={"delay_s": 1e10}),
        lambda: Fault("redirect", options={"location": 5}),
        lambda: Fault("redirect", options={"location": "http://a\r\nX: y"}),
        lambda: Fault("error-before", options={"status": 42}),
        lambda: parse_fault("hang:nonsense"),
        lambda: parse_fault(""),
    ],
)
def test_faults_that_cannot_be_are_refused(make: Callable[[], Fault]) -> None:
    with pytest.raises(ValueError, match=r"fault|option"):
        make()


def test_a_fault_without_meaning_at_the_vendor_is_refused(jar: RunningSimulator) -> None:
    with pytest.raises(ValueError, match="no meaning"):
        jar.inject("replace-reservation")


def test_taking_uses_up_what_fits_and_leaves_the_rest_in_order() -> None:
    armed = ArmedFaults()
    for fault in (Fault("hang", "GET /a"), Fault("hang", times=2), Fault("clock-skew", times=0)):
        armed.arm(fault)
    assert [fault.match for fault in armed.take("GET", "/a")] == ["GET /a", "* *"]
    assert [len(armed.take("GET", "/a")) for _ in range(3)] == [2, 2, 1]
    assert armed.clear() == 1
    assert armed.take("GET", "/a") == []
