"""Look-ups that fail: what `resolve` makes of a call that happened when it cannot see whether it did."""

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
"""What a look-up meets, where a stage has it."""

_REFUSALS: Final = (404, 403)
"""With which status the vendor refuses to show anything, where replies can be changed on their way."""

_ALL: Final = 8
"""How many requests meet the fault one after another: the first and whatever the provider tries instead."""

_SOME: Final = 4
"""How many more combinations are drawn unless a run is thorough."""


@attrs.frozen(kw_only=True)
class FailedLookup:
    """One look-up of what happened, while the vendor did not show it.

    Attributes:
        verb: what had happened.
        met: what the look-up met.
        said: what `resolve` said, or raised.
    """

    verb: str
    met: str
    raised: Outcome | Exception


def with_failing_lookups(
    stage: VendorUnderTest, provider: VoucherProvider, intent: Intent, code: Code | None, draw: random.Random | None
) -> Iterator[FailedLookup]:
    """Look for a call again and again, each time with another fault at another of the requests.

    Args:
        stage: the vendor.
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
    start = len(stage.requests())
    try_resolve()
    reads = len(stage.requests()) - start
    for met, begin in _sample([(way, at) for at in range(reads) for way in _ways(stage)], draw, len(_ways(stage))):
        name, strike = met
        strike(begin)
        result = try_resolve()
        stage.clear_faults()
        yield FailedLookup(verb=intent.verb, met=f"{name} from its request {begin} on", raised=result)


def _sample(everything: list[Any], draw: random.Random | None, first: int) -> list[Any]:
    """Return all, or everything at the first request and some of the rest."""
    rest = everything[first:]
    if draw is None:
        return everything
    return everything[:first] + draw.sample(rest, min(_SOME, len(rest)))


def _ways(stage: VendorUnderTest) -> list[tuple[str, Callable[[int], None]]]:
    """Return what a look-up can meet at a stage, each with what lets it happen from a request on."""

    def fault(name: str) -> Callable[[int], None]:
        def strike(begin: int) -> None:
            for at in range(begin, begin + _ALL):
                stage.inject_fault(name, at)

        return strike

    ways = [(f"the fault {name}", fault(name)) for name in _FAULTS if name in stage.faults]
    refuse = getattr(stage, "refuse", None)
    if callable(refuse):
        ways += [(f"the status {status}", partial(refuse, status)) for status in _REFUSALS]
    return ways
