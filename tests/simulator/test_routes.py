"""Paths reach the vendor as they were sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.simulator import Reply, Route
from voucher_gateway.simulator.http.routes import BadPath, find_route

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from voucher_gateway.simulator import Request, RunningSimulator

    Talk = Callable[[RunningSimulator, bytes], bytes]


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def _body(answer: bytes) -> object:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("plain", "plain"),
        ("a%2Fb", "a/b"),
        ("%2e", "."),
        ("..", ".."),
        (".", "."),
        ("%3F%23%25", "?#%"),
        ("a%20b", "a b"),
        ("a+b", "a+b"),
        ("%C3%BC", "ü"),
        ("%F0%9F%8E%81", "🎁"),
        ("a:b@c;d=e,f", "a:b@c;d=e,f"),
        ("%00", "\x00"),
    ],
)
def test_a_part_is_decoded_on_its_own(jar: RunningSimulator, talk: Talk, part: str, name: str) -> None:
    answer = talk(jar, f"GET /jars/{part} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert _status(answer) == 200
    assert _body(answer) == {"name": name, "cookies": None, "query": []}
    assert jar.requests[-1].path == f"/jars/{part}"


@pytest.mark.parametrize(
    "path", ["/jars/", "//jars/a", "/jars//a", "/jars/a/", "/jars/../jars/a", "/", "*", "/jars/a/b"]
)
def test_nothing_is_merged_or_resolved(jar: RunningSimulator, talk: Talk, path: str) -> None:
    answer = talk(jar, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert _status(answer) == 404
    assert jar.requests[-1].path == path


@pytest.mark.parametrize("part", ["%", "%2", "%zz", "%ff", "%C3%28", "%ED%A0%80"])
def test_what_is_no_encoded_utf_8_gets_the_vendors_400(jar: RunningSimulator, talk: Talk, part: str) -> None:
    answer = talk(jar, f"GET /jars/{part} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert _status(answer) == 400
    assert _body(answer) == {"oops": "The path is not percent-encoded UTF-8."}


@pytest.mark.parametrize("query", ["x=%ff", "&".join(["x=1"] * 1001)])
def test_a_query_that_cannot_be_read_gets_the_vendors_400(jar: RunningSimulator, talk: Talk, query: str) -> None:
    answer = talk(jar, f"GET /jars/a?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (_status(answer), _body(answer)) == (400, {"oops": "The query is not percent-encoded UTF-8."})


def test_the_query_keeps_its_repetitions(jar: RunningSimulator, session: requests.Session) -> None:
    url = jar.announcement["base_url"] + "/jars/a?b=2&a=1&b=&c=%2B+%26"
    assert session.get(url).json()["query"] == [["b", "2"], ["b", ""], ["a", "1"], ["c", "+ &"]]
    assert jar.requests[-1].query == "b=2&a=1&b=&c=%2B+%26"


def test_raw_bytes_count_as_utf_8(jar: RunningSimulator, talk: Talk) -> None:
    assert _body(talk(jar, "GET /jars/ü HTTP/1.1\r\nHost: x\r\n\r\n".encode())) == {
        "name": "ü",
        "cookies": None,
        "query": [],
    }
    assert _status(talk(jar, b"GET /jars/\xe4 HTTP/1.1\r\nHost: x\r\n\r\n")) == 400


def test_an_absolute_target_is_understood(jar: RunningSimulator, talk: Talk) -> None:
    answer = talk(jar, b"GET http://vouchers.example:80/jars/a%2Fb?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert _body(answer) == {"name": "a/b", "cookies": None, "query": [["x", "1"]]}


def test_a_literal_path_goes_before_one_with_parts(jar: RunningSimulator, session: requests.Session) -> None:
    assert session.get(jar.announcement["base_url"] + "/jars/best").json() == {"name": "best"}


def test_another_method_gets_the_vendors_405_with_the_allowed_ones(
    jar: RunningSimulator, session: requests.Session
) -> None:
    reply = session.put(jar.announcement["base_url"] + "/jars/best")
    assert (reply.status_code, reply.headers["Allow"]) == (405, "GET, POST, DELETE")
    assert reply.json() == {"oops": "This method is not allowed here."}


def test_the_first_fitting_route_answers() -> None:
    def handler(_: Request) -> Reply:
        return Reply(204)

    routes = [Route("GET", "/a/{x}", handler), Route("POST", "/a/{x}", handler), Route("GET", "/a/{x}/{y}", handler)]
    assert find_route(routes, "POST", "/a/1").route is routes[1]
    assert find_route(routes, "GET", "/a/1/2").parts == {"x": "1", "y": "2"}
    assert find_route(routes, "DELETE", "/a/1").allowed == ("GET", "POST")
    assert find_route(routes, "GET", "/b").allowed == ()
    with pytest.raises(BadPath):
        find_route(routes, "GET", "/a/%GG")
