"""The ticketing vendor for tests: a simulator on a free port, and the document its exchanges must obey."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import requests
import responses
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

from tests.support.openapi import RequestChecker
from tests.support.simulators import simulators
from voucher_gateway.provider_api import SecretSource
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_ticketing import PRODUCTION, TicketingProvider, TicketingSettings
from voucher_gateway_ticketing.simulator import TicketingSimulator


@attrs.frozen
class VendorDocument:
    """The OpenAPI document beside this file."""

    openapi: OpenAPI

    def check_request(self, request: requests.PreparedRequest) -> None:
        """Raise an error if the document does not allow this request, the simulator's or an adapter's alike."""
        self.openapi.validate_request(RequestsOpenAPIRequest(request))

    def check_response(self, response: requests.Response) -> None:
        """Raise an error if the document does not allow this answer to its request."""
        self.openapi.validate_response(RequestsOpenAPIRequest(response.request), RequestsOpenAPIResponse(response))

    def check(self, response: requests.Response) -> None:
        """Raise an error if the document forbids the answer or the request that led to it."""
        self.check_request(response.request)
        self.check_response(response)


@attrs.frozen
class VendorClient:
    """Speaks HTTP to a running simulator with the key that it announced."""

    running: RunningSimulator
    session: requests.Session = attrs.field(factory=requests.Session)

    def call(self, method: str, path: str, *, key: str | None = "", **more: Any) -> requests.Response:
        """Send one request to a path as it stands; `key=None` sends no key, "" the announced one."""
        headers = dict(more.pop("headers", {}))
        if key is not None:
            headers.setdefault("Authorization", f"Bearer {key or self.running.announcement['api_key']}")
        url = self.running.announcement["base_url"] + path
        return self.session.request(method, url, headers=headers, timeout=10, **more)

    def create(self, amount: float, **fields: Any) -> dict[str, Any]:
        """Create a voucher and return its object."""
        response = self.call("POST", "/api/vouchers", json={"amount": amount, **fields})
        assert response.status_code == 201, response.text
        return cast("dict[str, Any]", response.json())

    def listed(self, **query: Any) -> dict[str, Any]:
        """The list's answer to this query."""
        response = self.call("GET", "/api/vouchers", params=query)
        assert response.status_code == 200, response.text
        return cast("dict[str, Any]", response.json())

    @property
    def simulator(self) -> TicketingSimulator:
        """The vendor itself, for what happens outside its API."""
        assert isinstance(self.running.simulator, TicketingSimulator)
        return self.running.simulator


@pytest.fixture(scope="session")
def ticketing_document() -> VendorDocument:
    """The document, read once."""
    return VendorDocument(OpenAPI.from_file_path(str(Path(__file__).with_name("openapi.yaml"))))


@pytest.fixture(scope="session")
def request_checker(ticketing_document: VendorDocument) -> RequestChecker:
    """Checks the requests that reached a simulator against the document."""
    return RequestChecker(ticketing_document.openapi)


@pytest.fixture
def start_ticketing() -> Iterator[Callable[..., VendorClient]]:
    """Start simulators with any options, and close them with the test. None may have raised an internal error."""
    with _ticketing_clients() as start_client:
        yield start_client


@pytest.fixture
def ticketing(start_ticketing: Callable[..., VendorClient]) -> VendorClient:
    """A simulator of the test's own, without vouchers."""
    return start_ticketing()


@pytest.fixture(scope="session")
def shared_ticketing() -> Iterator[VendorClient]:
    """One simulator for all tests that do not mind what others left behind, such as those of refusals."""
    with _ticketing_clients() as start_client:
        yield start_client()


@pytest.fixture(scope="session")
def seeded_ticketing() -> Iterator[VendorClient]:
    """One simulator with thirty varied vouchers, which no test may change."""
    with _ticketing_clients() as start_client:
        yield start_client(vouchers=30, seed=30)


@contextmanager
def _ticketing_clients() -> Iterator[Callable[..., VendorClient]]:
    with simulators() as start_simulator, ExitStack() as stack:

        def start_client(**options: Any) -> VendorClient:
            running = start_simulator(TicketingSimulator, **options)
            return VendorClient(running, stack.enter_context(requests.Session()))

        yield start_client


@pytest.fixture
def make_adapter(request_checker: RequestChecker) -> Iterator[Callable[..., TicketingProvider]]:
    """Make adapters of simulators, with settings; at the end, check what they sent against the document."""
    served: list[RunningSimulator] = []
    with ExitStack() as stack:

        def make(client: VendorClient, **settings: object) -> TicketingProvider:
            served.append(client.running)
            said = client.running.announcement
            given: dict[str, object] = {
                "base_url": said["base_url"],
                "api_key": SecretSource.of(said["api_key"]),
                **settings,
            }
            return stack.enter_context(TicketingProvider("events", TicketingSettings(**given)))  # type: ignore[arg-type]  # a test's own

        yield make
    for running in dict.fromkeys(served):
        request_checker.check_sent(running)


@pytest.fixture
def adapter(ticketing: VendorClient, make_adapter: Callable[..., TicketingProvider]) -> TicketingProvider:
    """The adapter, with an account at the simulator `ticketing`, whose currency it is not told."""
    return make_adapter(ticketing)


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    """The production host as far as a test lays answers out for it."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def lone_adapter() -> Iterator[TicketingProvider]:
    """An adapter of the production host that tries once, for tests of single requests and answers."""
    key = SecretSource.of("key_of_a_seller")
    settings = TicketingSettings(base_url=PRODUCTION, api_key=key, currency="EUR", tries=1)
    with TicketingProvider("events", settings) as provider:
        yield provider
