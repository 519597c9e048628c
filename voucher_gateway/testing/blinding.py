"""Look-ups that fail: what `resolve` makes of a call that happened when it cannot see whether it did."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import attrs

from voucher_gateway.adapter import Code, Intent, Outcome, VoucherProvider
from voucher_gateway.testing.stage import Stage

_FAULTS: Final = ("error-before", "unauthorized", "not-json", "truncate")
"""What a look-up meets, where a stage has it."""

_REFUSALS: Final = (404, 403)
"""With which status the vendor refuses to show anything, where replies can be changed on their way."""

_ALL: Final = 8
"""How many requests meet the fault one after another: the first and whatever the provider tries instead."""

_SOME: Final = 4
"""How many more combinations are drawn unless a run is thorough."""


@attrs.frozen(kw_only=True)
class Blind:
    """One look-up of what happened, while the vendor did not show it.

    Attributes:
        verb: what had happened.
        met: what the look-up met.
        said: what `resolve` said, or raised.
    """

    verb: str
    met: str
    said: Outcome | Exception


def blinded(
    stage: Stage, provider: VoucherProvider, intent: Intent, code: Code | None, draw: random.Random | None
) -> Iterator[Blind]:
    """Look for a call again and again, each time with another fault at another of the requests.

    Args:
        stage: the vendor.
        provider: an impatient one, which repeats nothing.
        intent: the call, which the vendor carried out.
        code: as the caller knows it.
        draw: draws some of the combinations; None for all.
    """

    def asked() -> Outcome | Exception:
        try:
            return provider.resolve(intent, code)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's provider raises is looked at
            return error

    asked()  # logs in, so that only look-ups are counted
    start = len(stage.arrivals())
    asked()
    reads = len(stage.arrivals()) - start
    for met, begin in _chosen([(one, at) for at in range(reads) for one in _ways(stage)], draw, len(_ways(stage))):
        name, strike = met
        strike(begin)
        said = asked()
        stage.clear()
        yield Blind(verb=intent.verb, met=f"{name} from its request {begin} on", said=said)


def _chosen(everything: list[Any], draw: random.Random | None, first: int) -> list[Any]:
    """Return all, or everything at the first request and some of the rest."""
    rest = everything[first:]
    if draw is None:
        return everything
    return everything[:first] + draw.sample(rest, min(_SOME, len(rest)))


def _ways(stage: Stage) -> list[tuple[str, Callable[[int], None]]]:
    """Return what a look-up can meet at a stage, each with what lets it happen from a request on."""

    def fault(name: str) -> Callable[[int], None]:
        def strike(begin: int) -> None:
            for at in range(begin, begin + _ALL):
                stage.strike(name, at)

        return strike

    found = [(f"the fault {name}", fault(name)) for name in _FAULTS if name in stage.faults]
    refuse = getattr(stage, "refuse", None)
    if callable(refuse):
        found += [(f"the status {status}", partial(refuse, status)) for status in _REFUSALS]
    return found
