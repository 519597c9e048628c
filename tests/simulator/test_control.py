"""The control API, as a test in any language sees it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from voucher_gateway.simulator import RunningSimulator


def test_the_clock_can_be_put_forward(jar: RunningSimulator, session: requests.Session) -> None:
    before = jar.clock.now()
    shown = session.post(jar.announcement["control_url"] + "/clock", json={"advance_s": 1800.5}).json()["now"]
    assert timedelta(seconds=1800) < jar.clock.now() - before < timedelta(seconds=1810)
    assert before < datetime.fromisoformat(shown) <= jar.clock.now()
    assert session.get(jar.announcement["control_url"] + "/clock").json()["now"] >= shown


def test_faults_can_be_injected_and_cleared(jar: RunningSimulator, session: requests.Session) -> None:
    door, url = jar.announcement["control_url"] + "/faults", jar.announcement["base_url"] + "/jars"
    fault = {"name": "error-before", "match": "GET /jars", "times": None, "status": 503}
    assert session.post(door, json=fault).status_code == 200
    assert [session.get(url).status_code for _ in range(2)] == [503, 503]
    assert session.delete(door).json() == {"cleared": 1}
    assert session.get(url).status_code == 200
    assert session.post(door, json={"name": "drop-before"}).json() == {
        "name": "drop-before",
        "match": "* *",
        "times": 1,
        "after": 0,
    }


def test_an_injected_fault_can_let_requests_pass(jar: RunningSimulator, session: requests.Session) -> None:
    door, url = jar.announcement["control_url"] + "/faults", jar.announcement["base_url"] + "/jars"
    assert session.post(door, json={"name": "error-before", "after": 2}).json()["after"] == 2
    assert [session.get(url).status_code for _ in range(4)] == [200, 200, 500, 200]


def test_the_record_shows_what_arrived_in_order_unmasked(jar: RunningSimulator, session: requests.Session) -> None:
    base = jar.announcement["base_url"]
    jar.inject("drop-before", "GET /jars/none")
    session.post(base + "/jars/a%2Fb?x=1", data='{"amount": 1}', headers={"Authorization": "Bearer secret"})
    session.get(base + "/text")
    first, second = session.get(jar.announcement["control_url"] + "/requests").json()
    assert (first["method"], first["path"], first["query"]) == ("POST", "/jars/a%2Fb", "x=1")
    assert (first["body"], first["status"], first["faults"]) == ('{"amount": 1}', 201, [])
    assert ["Authorization", "Bearer secret"] in first["headers"]
    assert datetime.fromisoformat(first["at"]).tzinfo is not None
    assert (second["method"], second["path"], second["status"]) == ("GET", "/text", 200)
    assert [record.path for record in jar.requests] == ["/jars/a%2Fb", "/text"]
    assert jar.requests[0].json() == {"amount": 1}
    assert jar.requests[0].header("authorization") == "Bearer secret"


def test_the_ledger_is_shown(jar: RunningSimulator, session: requests.Session) -> None:
    session.post(jar.announcement["base_url"] + "/jars/a", json={"amount": 5})
    shown = session.get(jar.announcement["control_url"] + "/ledger").json()
    assert shown == jar.ledger() == [{"id": "a", "remaining": "5"}]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/clock", b""),
        ("/clock", b"[]"),
        ("/clock", b"{}"),
        ("/clock", b'{"advance_s": -5}'),
        ("/clock", b'{"advance_s": true}'),
        ("/clock", b'{"advance_s": "5"}'),
        ("/clock", b'{"advance_s": NaN}'),
        ("/clock", b'{"advance_s": 1e999}'),
        ("/clock", b'{"advance_s": ' + b"9" * 4000 + b"}"),
        ("/clock", b'{"advance_s": 5, "by": 1}'),
        ("/clock", b'{"advance_s": [1]}'),
        ("/faults", b"{}"),
        ("/faults", b'{"name": 5}'),
        ("/faults", b'{"name": "nope"}'),
        ("/faults", b'{"name": "hang", "match": 5}'),
        ("/faults", b'{"name": "hang", "match": "GET"}'),
        ("/faults", b'{"name": "hang", "times": -1}'),
        ("/faults", b'{"name": "hang", "times": 1.5}'),
        ("/faults", b'{"name": "hang", "times": true}'),
        ("/faults", b'{"name": "hang", "after": -1}'),
        ("/faults", b'{"name": "hang", "after": "1"}'),
        ("/faults", b'{"name": "slow", "delay_s": true}'),
        ("/faults", b'{"name": "slow", "delay_s": {}}'),
        ("/faults", b'{"name": "slow", "delay": 1}'),
        ("/faults", b'{"name": "replace-reservation"}'),
    ],
)
def test_what_the_door_cannot_do_is_a_400_that_says_why(
    jar: RunningSimulator, session: requests.Session, path: str, body: bytes
) -> None:
    kind = {"Content-Type": "application/json"}
    reply = session.post(jar.announcement["control_url"] + path, data=body, headers=kind)
    assert reply.status_code == 400
    assert len(reply.json()["error"]) > 10
    assert session.delete(jar.announcement["control_url"] + "/faults").json() == {"cleared": 0}


def test_other_paths_and_methods_are_refused_in_json(jar: RunningSimulator, session: requests.Session) -> None:
    assert session.get(jar.announcement["control_url"] + "/nope").json()["error"]
    reply = session.put(jar.announcement["control_url"] + "/clock")
    assert (reply.status_code, list(reply.json())) == (405, ["error"])


def test_the_door_is_no_path_of_the_vendor_and_is_not_recorded(
    jar: RunningSimulator, session: requests.Session
) -> None:
    session.get(jar.announcement["control_url"] + "/ledger")
    assert jar.requests == []
    assert session.get(jar.announcement["base_url"] + "/ledger").status_code == 404


def test_the_door_stays_on_loopback_and_base_url_can_be_called_when_the_host_is_any(
    start_jar: Callable[..., RunningSimulator], session: requests.Session
) -> None:
    jar = start_jar(host="0.0.0.0")
    assert jar.announcement["control_url"].startswith("http://127.0.0.1:")
    assert session.get(jar.announcement["base_url"] + "/jars").status_code == 200


def test_instants_are_aware_and_utc(start_jar: Callable[..., RunningSimulator], session: requests.Session) -> None:
    jar = start_jar(start=datetime(2026, 1, 1, tzinfo=UTC))
    assert json.loads(session.get(jar.announcement["control_url"] + "/clock").content)["now"].startswith(
        "2026-01-01T00:00:0"
    )


CALLS = [
    ("GET", "/clock", None),
    ("GET", "/requests", None),
    ("GET", "/ledger", None),
    ("GET", "/faults", None),
    ("POST", "/clock", {"advance_s": 60}),
    ("POST", "/faults", {"name": "drop-before"}),
    ("DELETE", "/faults", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "attacker.example"},
        {"Host": "attacker.example:80"},
        {"Host": "127.0.0.1.attacker.example"},
        {"Host": "localhost@attacker.example"},
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
    ],
    ids=lambda headers: " ".join(*headers.items()),
)
def test_a_web_page_is_refused(
    jar: RunningSimulator,
    session: requests.Session,
    method: str,
    path: str,
    body: dict[str, object] | None,
    headers: dict[str, str],
) -> None:
    before = jar.clock.now()
    reply = session.request(method, jar.announcement["control_url"] + path, json=body, headers=headers)
    assert reply.status_code == 403
    assert list(reply.json()) == ["error"]
    assert jar.clock.now() - before < timedelta(seconds=50)
    assert session.delete(jar.announcement["control_url"] + "/faults").json() == {"cleared": 0}


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/json-patch"])
def test_a_post_of_another_kind_than_json_is_refused(
    jar: RunningSimulator, session: requests.Session, kind: str | None
) -> None:
    door = jar.announcement["control_url"] + "/faults"
    reply = session.post(door, data='{"name": "drop-before"}', headers={"Content-Type": kind})
    assert reply.status_code == 415
    assert "application/json" in reply.json()["error"]
    assert session.delete(door).json() == {"cleared": 0}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_this_machine_is_served_by_every_name(jar: RunningSimulator, session: requests.Session, host: str) -> None:
    door = jar.announcement["control_url"]
    port = door.rpartition(":")[2]
    assert session.get(f"{door}/clock", headers={"Host": f"{host}:{port}"}).status_code == 200
    kind = {"Content-Type": "application/json; charset=utf-8", "Host": f"{host}:{port}"}
    assert session.post(f"{door}/clock", data='{"advance_s": 1}', headers=kind).status_code == 200


def test_the_pages_of_the_door_itself_may_ask(jar: RunningSimulator, session: requests.Session) -> None:
    door = jar.announcement["control_url"]
    assert session.get(f"{door}/clock", headers={"Origin": door}).status_code == 200
