"""Look-ups that fail: what `resolve` returns for a call that happened if it cannot see that."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import attrs

from voucher_gateway.masking import Code
from voucher_gateway.outcome import Intent, Outcome
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.testing.harness.vendor import VendorUnderTest

_FAULTS: Final = ("error-before", "unauthorized", "not-json", "truncate")
"""The faults of look-ups, if the vendor has them."""

_REFUSALS: Final = (404, 403)
"""The statuses of refusals to show anything, if replies can be changed on their way."""

_ALL: Final = 8
"""How many requests meet the fault one after another: the first and whatever the provider tries instead."""

_SOME: Final = 4
"""How many more combinations are drawn unless a run is thorough."""


@attrs.frozen(kw_only=True)
class FailedLookup:
    """One look-up of what happened, while the vendor did not show it.

    Attributes:
        operation: the operation that had happened.
        met: the fault of the look-up.
        raised: what `resolve` returned or raised.
    """

    operation: str
    met: str
    raised: Outcome | Exception


def with_failing_lookups(
    vendor: VendorUnderTest, provider: VoucherProvider, intent: Intent, code: Code | None, draw: random.Random | None
) -> Iterator[FailedLookup]:
    """Look for a call again and again, each time with another fault at another of the requests.

    Args:
        vendor: the vendor.
        provider: an impatient one, which repeats nothing.
        intent: the call, which the vendor carried out.
        code: as the caller knows it.
        draw: draws some of the combinations; None for all.
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
    for met, begin in _sample([(way, at) for at in range(reads) for way in _ways(vendor)], draw, len(_ways(vendor))):
        name, inject = met
        inject(begin)
        result = try_resolve()
        vendor.clear_faults()
        yield FailedLookup(operation=intent.verb, met=f"{name} from its request {begin} on", raised=result)


def _sample(everything: list[Any], draw: random.Random | None, first: int) -> list[Any]:
    """Return all, or everything at the first request and some of the rest."""
    rest = everything[first:]
    if draw is None:
        return everything
    return everything[:first] + draw.sample(rest, min(_SOME, len(rest)))


def _ways(vendor: VendorUnderTest) -> list[tuple[str, Callable[[int], None]]]:
    """Return what a look-up can meet at a vendor, each with what lets it happen from a request on."""

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
