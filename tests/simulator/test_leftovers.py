"""Faults that leave something on a connection that stays open, over the real socket."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from voucher_gateway.simulator import RunningSimulator

ADD = "POST /jars/*"
POST_ONE = b'POST /jars/a HTTP/1.1\r\nHost: jar\r\nContent-Length: 12\r\n\r\n{"amount":1}'


def _answers(connection: socket.socket, count: int, *, bodiless: bool = False) -> list[bytes]:
    """Read so many answers; interim ones have no body, and other ones have the one that their length says."""
    reader, found = connection.makefile("rb", buffering=0), []
    for _ in range(count):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = reader.read(1)
            assert byte, head
            head += byte
        length = re.search(rb"Content-Length: (\d+)", head)
        if length is not None and not bodiless:
            head += b"".join(reader.read(1) or b"" for _ in range(int(length[1])))
        found.append(head)
    return found


def _committed(jar: RunningSimulator) -> int:
    return sum(int(str(entry["remaining"])) for entry in jar.ledger() if entry["id"] == "a")


def test_interim_replies_come_before_the_answer_on_a_connection_that_stays(
    jar: RunningSimulator, open_connection: Callable[[RunningSimulator], socket.socket]
) -> None:
    jar.inject("interim", ADD, delay_s=0.1, status=102)
    jar.inject("interim", ADD, delay_s=0, after=1)
    with open_connection(jar) as connection:
        for status in (102, 103, None):
            before = time.monotonic()
            connection.sendall(POST_ONE)
            answers = _answers(connection, 1 if status is None else 2)
            if status is not None:
                assert answers[0].startswith(f"HTTP/1.1 {status} ".encode())
            assert answers[-1].startswith(b"HTTP/1.1 201 ")
            assert b"Connection: close" not in answers[-1]
            assert status != 102 or time.monotonic() - before >= 0.1
    assert _committed(jar) == 3


def test_a_204_can_have_a_body_on_a_connection_that_stays(
    jar: RunningSimulator, open_connection: Callable[[RunningSimulator], socket.socket]
) -> None:
    jar.inject("no-content-with-body", ADD, delay_s=0.02)
    with open_connection(jar) as connection:
        connection.sendall(POST_ONE)
        (head,) = _answers(connection, 1, bodiless=True)
        assert head.startswith(b"HTTP/1.1 204 No Content\r\n")
        assert b"Content-Length: 12\r\n" in head
        assert connection.recv(100) == b'"No Content"'
        connection.sendall(POST_ONE)
        assert _answers(connection, 1)[0].startswith(b"HTTP/1.1 201 ")
    assert _committed(jar) == 2


def test_a_refusal_is_never_turned_into_a_204(jar: RunningSimulator, session: requests.Session) -> None:
    jar.inject("no-content-with-body", "POST /token/none")
    assert session.post(jar.announcement["base_url"] + "/token/none").status_code == 404


def test_an_answer_can_come_twice_in_one_piece(
    jar: RunningSimulator, open_connection: Callable[[RunningSimulator], socket.socket]
) -> None:
    jar.inject("answer-twice", ADD)
    with open_connection(jar) as connection:
        connection.sendall(POST_ONE)
        first, second = _answers(connection, 2)
        assert first == second
        assert first.endswith(b'{"name":"a","amount":1}')
        connection.sendall(POST_ONE)
        assert _answers(connection, 1) == [first]
    assert _committed(jar) == 2
