"""The read level: what must not be seen is not seen."""

from __future__ import annotations

import contextlib
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.harness.canary import LONG_ENOUGH, Canary, listening
from voucher_gateway.testing.harness.ledger import LedgerVoucher, can, ledger_vouchers
from voucher_gateway.testing.harness.vendor import IMPATIENT, VendorUnderTest, select_settings
from voucher_gateway.testing.promise_checks import for_promise, require, secrets_in

_UNKNOWN: Final = "KANARIENVOGEL-47-11/x y"
_FAULTS: Final = ("error-before", "html", "not-json", "truncate", "drop-before", "unauthorized", "redirect")


class LeakingContract(Contract):
    """Codes, PINs, secrets and tokens are nobody's to see."""

    @for_promise("R18")
    def test_no_secret_shows_anywhere(self, stage: VendorUnderTest) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), listening() as canary:
            provider = stage.provider()
            canary.packages.add(type(provider).__module__.partition(".")[0])
            everything = [true for true in ledger_vouchers(stage) if len(true.code) >= LONG_ENOUGH]
            require(everything, f"the stage has no code of {LONG_ENOUGH} characters to look for: seed some")
            for true in everything[:6]:
                for call in _reads(provider, true):
                    _note_result(canary, call)
                # A vendor that does not mind the case finds it, and the provider must not take it for the same.
                other = canary.plant(true.code.swapcase())
                _note_result(canary, lambda: provider.find(other))  # noqa: B023 - called at once
            _note_result(canary, lambda: provider.find(_UNKNOWN))
            _note_result(canary, lambda: provider.check())
            hasty = stage.provider(**select_settings(self.provider, IMPATIENT))
            for fault in _FAULTS:
                if fault in stage.faults:
                    for at in range(2):
                        for call in _reads(hasty, everything[0]):
                            stage.inject_fault(fault, at)
                            _note_result(canary, call)
                            stage.clear_faults()
            for value in (provider, provider.settings, VoucherQuery(code=everything[0].code)):
                canary.note(f"the repr of a {type(value).__name__}", f"{value} {value!r}")
        canary.note("what was printed", printed.getvalue())
        canary.plant(_UNKNOWN)
        for secret in secrets_in([stage, provider]):
            if len(secret) >= LONG_ENOUGH:
                canary.plant(secret)
        where = canary.find_leak()
        require(where is None, f"{where}")


def _reads(provider: VoucherProvider, true: LedgerVoucher) -> Iterator[Callable[[], Any]]:
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


def _note_result(canary: Canary, call: Callable[[], Any]) -> None:
    """Make a call, and let the canary hear its result or its error, as a log or a task queue would show it."""
    try:
        result = call()
    except VoucherGatewayError as error:
        canary.saw(error)
        canary.note(f"the pickle of a {type(error).__name__}", pickle.dumps(error).decode("latin-1"))
    else:
        canary.note(f"the repr of a {type(result).__name__}", f"{result} {result!r}")
        if isinstance(result, Voucher):  # the vendor's own object is kept as it came, and holds what it holds
            plain = attrs.evolve(result, raw=None)
            canary.note("the pickle of a Voucher", pickle.dumps(plain).decode("latin-1"))
