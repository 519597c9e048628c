"""One line in the log for each call of a gateway: what was asked for, how it ended, and what it cost.

The line is of the logger ``voucher_gateway.calls``, at INFO. Its fields are attributes of the log record as well, for a
handler that writes JSON. A field never holds a code: a reference that contains the code of its call is masked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import attrs

from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.masking import MASK, Code
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.telemetry import tracing

log: Final = get_logger("voucher_gateway.calls")

SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
"""How a call ended that raised an error without an outcome, such as wrong arguments."""


@attrs.define
class CallObservation:
    """What is seen of one call while it runs.

    Attributes:
        account: the account's name.
        verb: the operation.
        reference: the caller's reference; None for a read.
        order: the shop's order number.
        requests: how many requests the vendor was to get.
        tries: how often one was sent, repeated ones included.
        replayed: whether the journal answered, so that nothing was sent.
        outcome: how it ended: succeeded, declined, not_executed, unknown, pending or failed.
        error: the type of the error that ended it; None without one.
        duration_ms: how long it took, in milliseconds.
    """

    account: str
    verb: str
    reference: str | None = None
    order: str | None = None
    requests: int = 0
    tries: int = 0
    replayed: bool = False
    outcome: str = SUCCEEDED
    error: str | None = None
    duration_ms: float = 0.0

    def set_error(self, error: BaseException) -> None:
        """Note the error that ended the call, and let it name the call."""
        self.outcome = error.name_call(self.verb).outcome if isinstance(error, VoucherGatewayError) else FAILED
        self.error = type(error).__name__

    def fields(self) -> dict[str, Any]:
        """Return the fields of the log record."""
        return {**attrs.asdict(self), "duration_ms": round(self.duration_ms, 1)}

    def __str__(self) -> str:
        reference = "" if self.reference is None else f" {self.reference}"
        order = "" if self.order is None else f" of order {self.order}"
        error = "" if self.error is None else f" ({self.error})"
        outcome = "replayed" if self.replayed else self.outcome
        return (
            f"{self.account}: {self.verb}{reference}{order}: {outcome}{error},"
            f" {self.duration_ms:.0f} ms, {_count(self.requests, 'request')}, {_count(self.tries, 'try')}"
        )


_observed: ContextVar[CallObservation | None] = ContextVar("observed_call", default=None)


@contextmanager
def observe_call(
    account: str, verb: str, *, reference: str | None = None, order: str | None = None, code: Code | None = None
) -> Iterator[CallObservation]:
    """Observe a call: write its line when the block ends, and make its span and its metrics.

    An error that leaves the block names the call, and as its step the operation that it named until then.

    Args:
        account: the account's name.
        verb: the operation.
        reference: the caller's reference.
        order: the shop's order number.
        code: the voucher's code, which must not be in a field.
    """
    call = CallObservation(account, verb, _without_code(reference, code), _without_code(order, code))
    token = _observed.set(call)
    start = time.perf_counter()
    try:
        with tracing.call_span(account, verb, call.reference, call.order) as span:
            try:
                yield call
            except BaseException as error:
                call.set_error(error)
                raise
            finally:
                call.duration_ms = (time.perf_counter() - start) * 1000
                span.end_call(call.outcome, call.error, call.replayed, call.duration_ms)
    finally:
        _observed.reset(token)
        if log.isEnabledFor(logging.INFO):
            log.info("%s", call, extra=call.fields())


def note_request() -> None:
    """Count a request of the observed call. `HttpClient` calls this once for each request."""
    if (call := _observed.get()) is not None:
        call.requests += 1


def note_try() -> None:
    """Count a sending of a request of the observed call."""
    if (call := _observed.get()) is not None:
        call.tries += 1


def _without_code(text: str | None, code: Code | None) -> str | None:
    return MASK if text is not None and code is not None and code.reveal() in text else text


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
