"""A forked child speaks on connections of its own, whatever the threads of its parent were doing."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path as File
from typing import TYPE_CHECKING

import pytest
from requests.adapters import HTTPAdapter

from tests.support.forked_child import run_in_child
from voucher_gateway.provider_api import ClientCredentials, HttpClient, Intent, Path, Request, Response
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import Answer, Asked, ClientOf, Serve, Server

LOOK = Request(method="GET", path=Path.of("/jars"))
CHARGE = Request(method="POST", path=Path.of("/charges"), json={})


@pytest.mark.parametrize("tls", [False, True])
def test_a_child_makes_its_own_connection_and_the_parents_goes_on(
    tls: bool, serve: Serve, client_of: ClientOf, certificate: File, intent: Intent
) -> None:
    server = serve(tls=tls)
    client = client_of(server, ca_bundle=str(certificate))
    client.read(LOOK, Response.json)
    assert len(server.visits) == 1

    for count in (2, 3):
        assert run_in_child(lambda: client.change(CHARGE, intent, Response.json)) == "{'ok': True}"
        assert len(server.visits) == count

    client.read(LOOK, Response.json)
    assert (len(server.heard), len(server.visits)) == (4, 3)


def slow_token(server_of: list[Server]) -> Callable[[Asked], Answer]:
    def answer(asked: Asked) -> Answer:
        if asked.target == "/token" and len(server_of[0].heard) == 1:
            time.sleep(0.5)
        return 200, '{"access_token": "t", "token_type": "bearer"}'

    return answer


def authenticated(client: HttpClient, server: Server) -> HttpClient:
    client.auth = ClientCredentials(
        client_id="till-1", client_secret=SecretSource.of("a-secret"), post=client.post_form(f"{server.url}/token")
    )
    return client


def test_a_child_that_is_born_while_a_thread_fetches_a_token_fetches_its_own(serve: Serve, client_of: ClientOf) -> None:
    servers: list[Server] = []
    servers.append(server := serve(each=slow_token(servers)))
    client = authenticated(client_of(server, read_timeout_s=5, total_timeout_s=5), server)
    fetching = threading.Thread(target=client.read, args=(LOOK, Response.json))
    fetching.start()
    while not server.heard:
        time.sleep(0.01)

    assert run_in_child(lambda: client.read(LOOK, lambda reply: reply.status), within_s=3) == "200"
    fetching.join()
    assert sorted(asked.target for asked in server.heard) == ["/jars", "/jars", "/token", "/token"]


def test_a_child_uses_the_token_that_its_parent_had(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=lambda _: (200, '{"access_token": "t", "token_type": "bearer"}'))
    client = authenticated(client_of(server), server)
    client.read(LOOK, Response.json)
    run_in_child(lambda: client.read(LOOK, Response.json))
    assert [asked.target for asked in server.heard] == ["/token", "/jars", "/jars"]


def test_a_child_logs_that_it_renewed_what_it_inherited(
    serve: Serve, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    client_of(serve())
    caplog.set_level(logging.DEBUG, "voucher_gateway.fork_safety")
    messages = run_in_child(lambda: caplog.messages)
    assert re.fullmatch(rf"\['renewed \d+ objects of process {os.getpid()} for its child \d+'\]", messages)
    assert caplog.messages == []


def test_a_child_that_is_born_while_a_thread_takes_a_connection_does_not_wait_for_it(
    serve: Serve, client_of: ClientOf
) -> None:
    server = serve()
    client = client_of(server)
    client.read(LOOK, Response.json)
    # The moment is too short to be met by chance, so a thread holds urllib3's lock for longer.
    with held_by_a_thread(lock_of_pools(client, server)):
        assert run_in_child(lambda: client.read(LOOK, Response.json), within_s=3) == "{'ok': True}"
    assert client.read(LOOK, Response.json) == {"ok": True}
    assert len(server.visits) == 2


def lock_of_pools(client: HttpClient, server: Server) -> AbstractContextManager[object]:
    """Return urllib3's only lock: `ForkSafePoolQueue` has none."""
    adapter = client._transport._session.get_adapter(server.url)
    assert isinstance(adapter, HTTPAdapter)
    lock: AbstractContextManager[object] = adapter.poolmanager.pools.lock
    return lock


@contextmanager
def held_by_a_thread(lock: AbstractContextManager[object]) -> Iterator[None]:
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            over.wait(10)

    holding = threading.Thread(target=hold)
    holding.start()
    held.wait()
    yield
    over.set()
    holding.join()
