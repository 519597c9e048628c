"""Promises about codes, PINs and secrets, which appear in no log, message or repr."""

from __future__ import annotations

import contextlib
import io
import logging
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import attrs
import pytest

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import SpendContract
from voucher_gateway.testing.contracts.payments.redemptions import spend_calls
from voucher_gateway.testing.contracts.vouchers.changes import other_currency
from voucher_gateway.testing.harness.calls import native_changes
from voucher_gateway.testing.harness.canary import LONG_ENOUGH, Canary, listen_to_logs
from voucher_gateway.testing.harness.cases import make_case
from voucher_gateway.testing.harness.ledger import ExpectedVoucher, can, ledger_vouchers
from voucher_gateway.testing.harness.vendor import IMPATIENT, VendorUnderTest, select_settings
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promises.checks import for_promise, require, secrets_in

_WRONG_PIN: Final = "2718281828-wrong"
_UNKNOWN: Final = "KANARIENVOGEL-47-11/x y"
_FAULTS: Final = ("error-before", "html", "not-json", "truncate", "drop-before", "unauthorized", "redirect")


class SecrecyContract(SpendContract):
    """Codes, PINs, secrets and tokens appear nowhere."""

    @for_promise("R18")
    def test_no_secret_shows_anywhere(self, vendor: VendorUnderTest) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), listen_to_logs() as canary:
            provider = vendor.provider()
            canary.packages.add(type(provider).__module__.partition(".")[0])
            everything = [true for true in ledger_vouchers(vendor) if len(true.code) >= LONG_ENOUGH]
            require(everything, f"the vendor has no code of {LONG_ENOUGH} characters to look for: seed some")
            for true in everything[:6]:
                for call in _reads(provider, true):
                    _note_result(canary, call)
                # A vendor that ignores case finds it, and the provider must not take it for the same code.
                other = canary.plant(true.code.swapcase())
                _note_result(canary, partial(provider.find, other))
            _note_result(canary, partial(provider.find, _UNKNOWN))
            _note_result(canary, provider.check)
            impatient = vendor.provider(**select_settings(self.provider, IMPATIENT))
            for fault in _FAULTS:
                if fault in vendor.faults:
                    for at in range(2):
                        for call in _reads(impatient, everything[0]):
                            vendor.inject_fault(fault, at)
                            _note_result(canary, call)
                            vendor.clear_faults()
            for value in (provider, provider.settings, VoucherQuery(code=everything[0].code)):
                canary.note(f"the repr of a {type(value).__name__}", f"{value} {value!r}")
        canary.note("what was printed", printed.getvalue())
        canary.plant(_UNKNOWN)
        for secret in secrets_in([vendor, provider]):
            if len(secret) >= LONG_ENOUGH:
                canary.plant(secret)
        where = canary.find_leak()
        require(where is None, f"{where}")

    @for_promise("E7")
    def test_no_error_and_no_log_gives_a_code_away(
        self,
        vendor: VendorUnderTest,
        provider_: VoucherProvider,
        factory: VoucherFactory,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        canary = Canary()
        canary.packages.add(type(provider_).__module__.partition(".")[0])

        def attempt(call: Callable[[], object]) -> None:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - whatever a stranger's provider raises is looked at
                canary.saw(error)

        for operation in native_changes(provider_):
            for fault in (None, "commit-then-drop", "error-after-commit"):
                case = make_case(operation, factory)
                if case.code is not None:
                    canary.plant(case.code.reveal())
                if fault in vendor.faults and fault is not None:
                    vendor.inject_fault(fault, 0)
                for _ in range(2):  # the second call is declined if the vendor recognizes the first
                    attempt(partial(case.call, provider_, factory.reference()))
                vendor.clear_faults()
        for call in calls_that_fail(provider_, factory, canary.plant):
            attempt(call)
        for record in caplog.records:
            canary.emit(record)
        for text in secrets_in([vendor, provider_]):
            if len(text) >= LONG_ENOUGH:
                canary.plant(text)
        where = canary.find_leak()
        require(where is None, f"{where}")


def _reads(provider: VoucherProvider, true: ExpectedVoucher) -> Iterator[Callable[[], Any]]:
    yield partial(provider.find, true.code)
    yield partial(provider.find, f"{true.code}x")
    yield partial(provider.get, true.id, secrets=True)
    if can(provider, Operation.BALANCE):
        yield partial(provider.balance, true.code, true.pin)
    if can(provider, Operation.HISTORY):
        yield partial(provider.history, true.id)
    if can(provider, Operation.PRESENTATION):
        yield partial(provider.presentation, true.code)
        yield partial(provider.presentation, true.code, id=true.id)
    if can(provider, Operation.VOUCHERS):
        yield lambda: list(provider.vouchers(VoucherQuery(limit=3)))
        if "code" in provider.declared.listing.filters:
            yield lambda: list(provider.vouchers(VoucherQuery(code=true.code)))


def _note_result(canary: Canary, call: Callable[[], Any]) -> None:
    """Make a call, and note the repr and the pickle of its result or its error, as logs and task queues have them."""
    try:
        result = call()
    except VoucherGatewayError as error:
        canary.saw(error)
        canary.note(f"the pickle of a {type(error).__name__}", pickle.dumps(error).decode("latin-1"))
    else:
        canary.note(f"the repr of a {type(result).__name__}", f"{result} {result!r}")
        if isinstance(result, Voucher):  # `raw` is the vendor's own object and may hold secrets
            plain = attrs.evolve(result, raw=None)
            canary.note("the pickle of a Voucher", pickle.dumps(plain).decode("latin-1"))


def calls_that_fail(
    provider: VoucherProvider, factory: VoucherFactory, plant: Callable[[str], str]
) -> Iterator[Callable[[], object]]:
    """Yield calls that the vendor declines, one for every reason that the test can cause.

    Args:
        provider: makes them.
        factory: makes the vouchers.
        plant: is called with every code and PIN before it is used.
    """
    for code, money, pin in _calls_to_decline(provider, factory):
        plant(code.reveal())
        if pin is not None:
            plant(pin)
        for spend in spend_calls(provider, factory).values():
            for written in (code, code.reveal()):
                yield partial(spend, written, money, pin if pin is None else Pin(pin))
        if provider.declared.of(Operation.BALANCE).available:
            yield partial(provider.balance, code.reveal(), pin)


def _calls_to_decline(provider: VoucherProvider, factory: VoucherFactory) -> Iterator[tuple[Code, Money, str | None]]:
    """Yield code, amount and PIN of calls with a wrong amount, currency, PIN, code, status or validity."""
    small, declared = factory.money(100), provider.declared
    if not spend_calls(provider, factory):
        return
    subject = factory.spendable_voucher()
    yield subject.code, subject.value + factory.money(1), None
    yield subject.code, other_currency(factory), None
    yield factory.code(), small, None
    if "pin" in declared.stored_fields:
        yield factory.with_pin("4815162342")[0].code, small, _WRONG_PIN
    if factory.has_statuses:
        yield factory.inactive_voucher().code, small, None
    if declared.expiry.takes_instants or declared.expiry.takes_lengths:
        yield factory.expired_voucher().code, small, None
