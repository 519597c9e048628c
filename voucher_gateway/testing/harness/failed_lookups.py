"""Look-ups that fail: the result of `resolve` for a call that happened, if the vendor does not show it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import attrs

from voucher_gateway.masking import Code
from voucher_gateway.outcome import Intent, Outcome
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.harness.vendor import VendorUnderTest

_FAULTS: Final = ("error-before", "unauthorized", "not-json", "truncate")
"""The faults of look-ups, if the vendor has them."""

_REFUSALS: Final = (404, 403)
"""The statuses of refusals to show anything, if replies can be changed on their way."""

_ALL: Final = 8
"""How many requests in a row meet the fault: the first, and those that the provider tries instead."""

_SOME: Final = 4
"""How many further combinations a run selects that is not thorough."""


@attrs.frozen(kw_only=True)
class FailedLookup:
    """One look-up of what happened, while the vendor did not show it.

    Attributes:
        operation: the operation that had happened.
        met: the fault of the look-up, for messages.
        result: the outcome or the error of `resolve`.
    """

    operation: str
    met: str
    result: Outcome | Exception


def with_failing_lookups(
    vendor: VendorUnderTest, provider: VoucherProvider, intent: Intent, code: Code | None, draw: random.Random | None
) -> Iterator[FailedLookup]:
    """Resolve a call repeatedly, each time with another fault or another first request, and yield each result.

    Args:
        vendor: the vendor.
        provider: an impatient provider, which repeats nothing.
        intent: the call, which the vendor carried out.
        code: the voucher's code, if the caller knows it.
        draw: selects some of the combinations; None for all.
    """

    def try_resolve() -> Outcome | Exception:
        try:
            return provider.resolve(intent, code)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's provider raises is looked at
            return error

    try_resolve()  # logs in, so that only look-ups are counted
    start = len(vendor.request_lines)
    try_resolve()
    reads = len(vendor.request_lines) - start
    faults = _lookup_faults(vendor)
    combinations = [(fault, begin) for begin in range(reads) for fault in faults]
    for (name, inject), begin in _sample(combinations, draw, len(faults)):
        inject(begin)
        result = try_resolve()
        vendor.clear_faults()
        yield FailedLookup(operation=intent.verb, met=f"{name} from its request {begin} on", result=result)


def _sample(everything: list[Any], draw: random.Random | None, first: int) -> list[Any]:
    """Return all combinations, or those at the first request and some of the rest."""
    rest = everything[first:]
    if draw is None:
        return everything
    return everything[:first] + draw.sample(rest, min(_SOME, len(rest)))


def _lookup_faults(vendor: VendorUnderTest) -> list[tuple[str, Callable[[int], None]]]:
    """Return the faults of look-ups at a vendor, each with a function that injects it from a request on."""

    def fault(name: str) -> Callable[[int], None]:
        def inject(begin: int) -> None:
            for at in range(begin, begin + _ALL):
                vendor.inject_fault(name, at)

        return inject

    ways = [(f"the fault {name}", fault(name)) for name in _FAULTS if name in vendor.faults]
    refuse = getattr(vendor, "refuse", None)
    if callable(refuse):
        ways += [(f"the status {status}", partial(refuse, status)) for status in _REFUSALS]
    return ways
