"""Calls as the contract makes them: refused ones, silent ones, and those of a gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs

from voucher_gateway.adapter import Intent, VoucherGatewayError
from voucher_gateway.testing.keeping import Seen, must
from voucher_gateway.testing.stage import ACCOUNT, Stage
from voucher_gateway.witness import witnessed


def refused(call: Callable[[], object], what: str, *kinds: type[VoucherGatewayError]) -> VoucherGatewayError:
    """Make a call that must be refused, and return the error.

    Args:
        call: the call.
        what: what it asks for, as the beginning of a sentence.
        kinds: the errors that are right.
    """
    wanted = " or ".join(one.__name__ for one in kinds)
    seen = f"{what} was carried out, where {wanted} is due"
    try:
        call()
    except kinds as error:
        return error
    except VoucherGatewayError as error:
        seen = f"{what} raised {type(error).__name__} where {wanted} is due: {error.message}"
    raise Seen(seen)


@contextmanager
def nothing_sent(stage: Stage, what: str) -> Iterator[None]:
    """Make sure that no request arrives meanwhile."""
    before = len(stage.arrivals())
    yield
    arrived = stage.arrivals()[before:]
    must(not arrived, f"{what} sent {', '.join(one.partition(' ')[0] or one for one in arrived)} to the vendor")


class Till:
    """The verbs of a gateway for the one account of a contract run, so that they look like a provider's."""

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway

    def __getattr__(self, verb: str) -> Any:
        return partial(getattr(self._gateway, verb), ACCOUNT)


@attrs.define
class Announcements:
    """A witness that counts what it is told, as a journal would write it.

    Attributes:
        stage: the vendor.
        intents: of each announced request.
        after: how many requests had arrived when each was announced.
    """

    stage: Stage
    intents: list[Intent] = attrs.field(factory=list)
    after: list[int] = attrs.field(factory=list)

    def sending(self, intent: Intent) -> None:
        """Take note of a request that is about to be sent."""
        self.intents.append(intent)
        self.after.append(len(self.stage.arrivals()))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Be the witness meanwhile."""
        with witnessed(self):
            yield


def is_reading(arrival: str) -> bool:
    """Whether a request changes nothing by its method, where it has one."""
    return arrival.startswith(("GET ", "HEAD ", "OPTIONS "))


def changing_of(arrived: list[str], reading: frozenset[str]) -> list[str]:
    """Return those of the arrivals that change something.

    Args:
        arrived: the arrivals.
        reading: what reads were seen to send, log-ins included.
    """
    return [one for one in arrived if not is_reading(one) and one not in reading]
