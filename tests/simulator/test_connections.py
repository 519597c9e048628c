"""What a test can learn of connections, and of a vendor's own answer to unknown paths that goes wrong."""

from __future__ import annotations

import time

import requests

from tests.testing.corner.simulator import CornerSimulator
from voucher_gateway.simulator import Reply, Request, start


class Forgetful(CornerSimulator):
    def not_found(self, request: Request) -> Reply:
        raise LookupError("nobody knows this path")


def test_open_connections_are_counted() -> None:
    with start(CornerSimulator) as running:
        assert running.connections == 0
        with requests.Session() as session:
            session.trust_env = False
            session.get(f"{running.announcement['base_url']}/vouchers")
            assert running.connections == 1
        until = time.monotonic() + 5
        while running.connections and time.monotonic() < until:
            time.sleep(0.01)
        assert running.connections == 0


def test_an_answer_to_an_unknown_path_that_goes_wrong_is_a_crash_of_the_simulator() -> None:
    with start(Forgetful) as running, requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{running.announcement['base_url']}/nothing").status_code == 500
        assert "nobody knows this path" in running.crashes[0]
