"""The JTL simulator, and the vendor's contract to hold requests and replies against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

from tests.support.openapi import RequestChecker
from tests.support.simulators import simulators
from voucher_gateway.provider_api import SecretSource
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_jtl import PRODUCTION, JtlProvider, JtlSettings


@pytest.fixture
def start_jtl() -> Iterator[Callable[..., RunningSimulator]]:
    """Start JTL simulators with options, and close them at the end. None may have raised an internal error."""
    with simulators() as start_simulator:
        yield partial(start_simulator, "jtl")


@pytest.fixture
def jtl(start_jtl: Callable[..., RunningSimulator]) -> RunningSimulator:
    """A JTL simulator without vouchers."""
    return start_jtl()


class Caller(requests.Session):
    """A plain HTTP client of a JTL simulator, with the announced token; paths count from /v1."""

    def __init__(self, running: RunningSimulator) -> None:
        super().__init__()
        self.trust_env = False
        self.running = running
        self.headers["Authorization"] = f"Bearer {running.announcement['token']}"

    def call(self, method: str, path: str, json: object = None, **options: object) -> requests.Response:
        return self.request(method, self.running.announcement["base_url"] + path, json=json, **options)  # type: ignore[arg-type]  # whatever requests takes

    def issue(self, amount: str = "50.00", currency: str = "EUR", **fields: object) -> dict[str, Any]:
        body = {"amount": amount, "currency": currency, "status": "active", "type": "digital", **fields}
        reply = self.call("POST", "/vouchers", body)
        assert reply.status_code == 201, reply.text
        voucher: dict[str, Any] = reply.json()
        return voucher

    def reserve(self, code: str, amount: str, currency: str = "EUR", **fields: object) -> requests.Response:
        return self.call("POST", "/reservations", {"amount": amount, "currency": currency, "code": code, **fields})

    def charge(self, reservation_id: str, order: str = "1001") -> requests.Response:
        return self.call("POST", f"/reservations/{reservation_id}/charge", {"order_number": order})

    def remaining(self, voucher_id: str) -> str:
        remaining: str = self.call("GET", f"/vouchers/{voucher_id}").json()["remaining_amount"]
        return remaining


@pytest.fixture
def call_jtl() -> Iterator[Callable[[RunningSimulator], Caller]]:
    """Make plain HTTP clients of simulators, and close them at the end."""
    with ExitStack() as stack:
        yield lambda running: stack.enter_context(Caller(running))


@pytest.fixture
def caller(jtl: RunningSimulator, call_jtl: Callable[[RunningSimulator], Caller]) -> Caller:
    """A plain HTTP client of the simulator `jtl`."""
    return call_jtl(jtl)


@pytest.fixture(scope="session")
def jtl_document() -> OpenAPI:
    """The vendor's contract in our words."""
    return OpenAPI.from_file_path(str(Path(__file__).with_name("openapi.yaml")))


@pytest.fixture(scope="session")
def strict_jtl_document(jtl_document: OpenAPI) -> OpenAPI:
    """The contract with null only where the vendor's own examples and sentences have it."""
    nullable = {"valid_until", "voucher_tax_rate"}
    return OpenAPI.from_dict(_without_null(jtl_document.spec.read_value(), nullable))


def _without_null(spec: Any, nullable: set[str]) -> Any:
    if isinstance(spec, list):
        return [_without_null(part, nullable) for part in spec]
    if not isinstance(spec, dict):
        return spec
    strict = {name: part if name in nullable else _without_null(part, nullable) for name, part in spec.items()}
    if isinstance(strict.get("type"), list):
        strict["type"] = next(kind for kind in strict["type"] if kind != "null")
    if {"type": "null"} in strict.get("oneOf", ()):
        strict["oneOf"] = [part for part in strict["oneOf"] if part != {"type": "null"}]
    return strict


@pytest.fixture
def check_reply(strict_jtl_document: OpenAPI) -> Callable[[requests.Response], None]:
    """Check a reply of the simulator against the strict contract, whatever the request was."""

    def check(response: requests.Response) -> None:
        request, reply = RequestsOpenAPIRequest(response.request), RequestsOpenAPIResponse(response)
        strict_jtl_document.validate_response(request, reply)

    return check


@pytest.fixture
def check_exchange(jtl_document: OpenAPI) -> Callable[[requests.Response], None]:
    """Check a reply of the simulator and the request that led to it against the contract."""

    def check(response: requests.Response) -> None:
        request = RequestsOpenAPIRequest(response.request)
        jtl_document.validate_request(request)
        jtl_document.validate_response(request, RequestsOpenAPIResponse(response))

    return check


@pytest.fixture(scope="session")
def request_checker(jtl_document: OpenAPI) -> RequestChecker:
    """Checks the requests that reached a simulator against the contract.

    For tests of clients that hide their HTTP, such as our adapter.
    """
    return RequestChecker(jtl_document)


@pytest.fixture
def make_adapter(request_checker: RequestChecker) -> Iterator[Callable[..., JtlProvider]]:
    """Make adapters of simulators, with settings; at the end, check what they sent against the contract."""
    served: list[RunningSimulator] = []
    with ExitStack() as stack:

        def make(running: RunningSimulator, **settings: object) -> JtlProvider:
            served.append(running)
            said = running.announcement
            given: dict[str, object] = {
                "base_url": said["base_url"],
                "client_id": said["client_id"],
                "client_secret": SecretSource.of(said["client_secret"]),
                **settings,
            }
            return stack.enter_context(JtlProvider("shop", JtlSettings(**given)))  # type: ignore[arg-type]  # a test's own

        yield make
    for running in dict.fromkeys(served):
        request_checker.check_sent(running)


@pytest.fixture
def adapter(jtl: RunningSimulator, make_adapter: Callable[..., JtlProvider]) -> JtlProvider:
    """The adapter, with an account at the simulator `jtl`."""
    return make_adapter(jtl)


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    """The production host as far as a test lays answers out for it; it hands a token out already."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        token = {"access_token": "a-good-token", "token_type": "Bearer", "expires_in": 3600}
        mock.post(f"{PRODUCTION.removesuffix('/v1')}/oauth/token", json=token)
        yield mock


@pytest.fixture
def lone_adapter() -> Iterator[JtlProvider]:
    """An adapter of the production host that tries once, for tests of single requests and answers."""
    secret = SecretSource.of("a-client-secret")
    settings = JtlSettings(base_url=PRODUCTION, client_id="a-client", client_secret=secret, tries=1)
    with JtlProvider("shop", settings) as provider:
        yield provider
