"""Square for tests: simulators on free ports, and the vendor's own document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import requests
import responses

from tests.support.openapi import RequestChecker
from tests.support.simulators import simulators
from tests.support.square import VendorClient, VendorDocument, load_document
from voucher_gateway.provider_api import SecretSource
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_square import PRODUCTION, SquareProvider, SquareSettings
from voucher_gateway_square.simulator import SquareSimulator


@pytest.fixture(scope="session")
def square_document() -> VendorDocument:
    """The document, read once."""
    return load_document()


@pytest.fixture(scope="session")
def request_checker(square_document: VendorDocument) -> RequestChecker:
    """Checks the requests that reached a simulator against the document."""
    return RequestChecker(square_document.openapi)


@pytest.fixture
def start_square() -> Iterator[Callable[..., VendorClient]]:
    """Start simulators with any options, and close them with the test. None may have raised an internal error."""
    with _square_clients() as start_client:
        yield start_client


@pytest.fixture
def square(start_square: Callable[..., VendorClient]) -> VendorClient:
    """A simulator of the test's own, without cards."""
    return start_square()


@contextmanager
def _square_clients() -> Iterator[Callable[..., VendorClient]]:
    with simulators() as start_simulator, ExitStack() as stack:

        def start_client(**options: Any) -> VendorClient:
            running = start_simulator(SquareSimulator, **options)
            return VendorClient(running, stack.enter_context(requests.Session()))

        yield start_client


@pytest.fixture
def make_adapter(request_checker: RequestChecker) -> Iterator[Callable[..., SquareProvider]]:
    """Make adapters of simulators, with settings; at the end, check what they sent against the document."""
    served: list[RunningSimulator] = []
    with ExitStack() as stack:

        def make(client: VendorClient, **settings: Any) -> SquareProvider:
            served.append(client.running)
            announcement = client.running.announcement
            token = SecretSource.of(settings.pop("access_token", announcement["access_token"]))
            settings = {"base_url": announcement["base_url"], "location_id": client.location, **settings}
            return stack.enter_context(SquareProvider("cafe", SquareSettings(access_token=token, **settings)))

        yield make
    for running in dict.fromkeys(served):
        request_checker.check_sent(running)


@pytest.fixture
def adapter(square: VendorClient, make_adapter: Callable[..., SquareProvider]) -> SquareProvider:
    """The adapter, with an account at the simulator `square`."""
    return make_adapter(square)


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    """The production host as far as a test lays answers out for it."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def lone_adapter() -> Iterator[SquareProvider]:
    """An adapter of the production host that tries once, for tests of single requests and answers."""
    token = SecretSource.of("EAAA-of-a-seller")
    settings = SquareSettings(base_url=PRODUCTION, access_token=token, location_id="L1", tries=1)
    with SquareProvider("cafe", settings) as provider:
        yield provider
