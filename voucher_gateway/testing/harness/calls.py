"""Checks of calls that must fail or send nothing, calls through a gateway, and recorded intents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.outcome import Intent
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.request_hooks import use_before_send_hook
from voucher_gateway.testing.harness.vendor import ACCOUNT, VendorUnderTest
from voucher_gateway.testing.promises.checks import PromiseViolation, require


@attrs.define
class CaughtError:
    """The error that a block raised.

    Attributes:
        error: the error; None before the block has raised one.
    """

    error: VoucherGatewayError | None = None


@contextmanager
def expect_error(what: str, *kinds: type[VoucherGatewayError]) -> Iterator[CaughtError]:
    """Check that the call inside the block is refused, and return the error.

    Args:
        what: what the call asks for, as the beginning of a sentence.
        kinds: the errors that are right.
    """
    expected = " or ".join(kind.__name__ for kind in kinds)
    caught = CaughtError()
    try:
        yield caught
    except kinds as error:
        caught.error = error
        return
    except VoucherGatewayError as error:
        seen = f"{what} raised {type(error).__name__} where {expected} is due: {error.message}"
    else:
        seen = f"{what} was carried out, where {expected} is due"
    raise PromiseViolation(seen)


@contextmanager
def catch_error() -> Iterator[CaughtError]:
    """Stop an error of this library at the end of the block, and return it."""
    caught = CaughtError()
    try:
        yield caught
    except VoucherGatewayError as error:
        caught.error = error


@contextmanager
def expect_no_request(vendor: VendorUnderTest, what: str) -> Iterator[None]:
    """Check that no request arrives inside the block."""
    before = len(vendor.request_lines)
    yield
    arrived = vendor.request_lines[before:]
    require(
        not arrived,
        f"{what} sent {', '.join(request.partition(' ')[0] or request for request in arrived)} to the vendor",
    )


class AccountClient:
    """The operations of a gateway for the account of a contract run, with the signatures of a provider."""

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway

    def __getattr__(self, operation: str) -> Any:
        return partial(getattr(self._gateway, operation), ACCOUNT)


@attrs.define
class BeforeSendRecorder:
    """A before-send hook that records the intents, as a journal would.

    Attributes:
        vendor: the vendor.
        intents: the intents, in order.
        after: the number of requests that had arrived before each intent.
    """

    vendor: VendorUnderTest
    intents: list[Intent] = attrs.field(factory=list)
    after: list[int] = attrs.field(factory=list)

    def before_send(self, intent: Intent) -> None:
        """Record a request that is about to be sent."""
        self.intents.append(intent)
        self.after.append(len(self.vendor.request_lines))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Use this hook inside the block."""
        with use_before_send_hook(self):
            yield


class Refusal(Exception):
    """The error by which a `RefusingRecorder` stops a request before it is sent."""


@attrs.define
class RefusingRecorder:
    """A before-send hook that records the intents and refuses every request.

    Attributes:
        intents: the intents, in order.
    """

    intents: list[Intent] = attrs.field(factory=list)

    def before_send(self, intent: Intent) -> None:
        """Record a request, and stop it."""
        self.intents.append(intent)
        raise Refusal


def is_reading(arrival: str) -> bool:
    """Whether a request only reads, by its method."""
    return arrival.startswith(("GET ", "HEAD ", "OPTIONS "))


def changing_requests(arrived: list[str], reading: frozenset[str]) -> list[str]:
    """Return the requests that change something.

    Args:
        arrived: the requests that arrived.
        reading: the requests that reads send, log-ins included.
    """
    return [request for request in arrived if not is_reading(request) and request not in reading]


def native_changes(provider: type[VoucherProvider] | VoucherProvider) -> Iterator[Operation]:
    """Yield the changing operations that a provider declares as native."""
    for operation in Operation:
        if operation.changes and provider.declared.of(operation).support is Support.NATIVE:
            yield operation
