"""The read level: what must not be seen is not seen."""

from __future__ import annotations

import contextlib
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from voucher_gateway.adapter import Operation, Voucher, VoucherGatewayError, VoucherProvider, VoucherQuery
from voucher_gateway.testing.base import Contract
from voucher_gateway.testing.canary import LONG_ENOUGH, Canary, listening
from voucher_gateway.testing.keeping import hidden_texts, keeps, must
from voucher_gateway.testing.stage import HASTY, Stage, known_settings
from voucher_gateway.testing.truth import Truth, can, truths

_UNKNOWN: Final = "KANARIENVOGEL-47-11/x y"
_FAULTS: Final = ("error-before", "html", "not-json", "truncate", "drop-before", "unauthorized", "redirect")


class LeakingContract(Contract):
    """Codes, PINs, secrets and tokens are nobody's to see."""

    @keeps("R18")
    def test_no_secret_shows_anywhere(self, stage: Stage) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), listening() as canary:
            provider = stage.provider()
            canary.packages.add(type(provider).__module__.partition(".")[0])
            everything = [true for true in truths(stage) if len(true.code) >= LONG_ENOUGH]
            must(everything, f"the stage has no code of {LONG_ENOUGH} characters to look for: seed some")
            for true in everything[:6]:
                for call in _reads(provider, true):
                    _heard(canary, call)
                # A vendor that does not mind the case finds it, and the provider must not take it for the same.
                other = canary.plant(true.code.swapcase())
                _heard(canary, lambda: provider.find(other))  # noqa: B023 - called at once
            _heard(canary, lambda: provider.find(_UNKNOWN))
            _heard(canary, lambda: provider.check())
            hasty = stage.provider(**known_settings(self.provider, HASTY))
            for fault in _FAULTS:
                if fault in stage.faults:
                    for at in range(2):
                        for call in _reads(hasty, everything[0]):
                            stage.strike(fault, at)
                            _heard(canary, call)
                            stage.clear()
            for one in (provider, provider.settings, VoucherQuery(code=everything[0].code)):
                canary.heard(f"the repr of a {type(one).__name__}", f"{one} {one!r}")
        canary.heard("what was printed", printed.getvalue())
        canary.plant(_UNKNOWN)
        for secret in hidden_texts([stage, provider]):
            if len(secret) >= LONG_ENOUGH:
                canary.plant(secret)
        where = canary.shown()
        must(where is None, f"{where}")


def _reads(provider: VoucherProvider, true: Truth) -> Iterator[Callable[[], Any]]:
    yield lambda: provider.find(true.code)
    yield lambda: provider.find(f"{true.code}x")
    yield lambda: provider.get(true.id, secrets=True)
    if can(provider, Operation.BALANCE):
        yield lambda: provider.balance(true.code, true.pin)
    if can(provider, Operation.HISTORY):
        yield lambda: provider.history(true.id)
    if can(provider, Operation.PRESENTATION):
        yield lambda: provider.presentation(true.code)
        yield lambda: provider.presentation(true.code, id=true.id)
    if can(provider, Operation.VOUCHERS):
        yield lambda: list(provider.vouchers(VoucherQuery(limit=3)))
        if "code" in provider.declared.listing.filters:
            yield lambda: list(provider.vouchers(VoucherQuery(code=true.code)))


def _heard(canary: Canary, call: Callable[[], Any]) -> None:
    """Make a call, and let the canary hear its result or its error, as a log or a task queue would show it."""
    try:
        said = call()
    except VoucherGatewayError as error:
        canary.saw(error)
        canary.heard(f"the pickle of a {type(error).__name__}", pickle.dumps(error).decode("latin-1"))
    else:
        canary.heard(f"the repr of a {type(said).__name__}", f"{said} {said!r}")
        if isinstance(said, Voucher):  # the vendor's own object is kept as it came, and holds what it holds
            plain = attrs.evolve(said, raw=None)
            canary.heard("the pickle of a Voucher", pickle.dumps(plain).decode("latin-1"))
