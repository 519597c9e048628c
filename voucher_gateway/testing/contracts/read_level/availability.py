"""The read level: reads while the vendor has a fault."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import (
    AccessDenied,
    AuthenticationFailed,
    MalformedResponse,
    NotExecuted,
    OutcomeUnknown,
    VoucherGatewayError,
)
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.results import History
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.setting_types import SecretSource
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.harness.ledger import (
    ExpectedVoucher,
    by_id,
    can,
    check_voucher,
    ledger_vouchers,
)
from voucher_gateway.testing.harness.vendor import IMPATIENT, VendorUnderTest, select_settings
from voucher_gateway.testing.promises.checks import fail, for_promise, not_tried, require
from voucher_gateway.testing.simulated_vendor import SimulatedVendor

_WAITING: Final = frozenset({"hang", "commit-then-hang", "drip", "drip-headers"})
"""Faults that last as long as the provider waits; they are tried on one call only, to save time."""
_CHANGES_THE_TRUTH: Final = frozenset({"wrong-echo", "wrong-voucher", "insert-while-paging", "replace-reservation"})
"""Faults that change the vendor's data or its ledger, so that the answer cannot be compared."""
_FOREIGN_404S: Final = ("code", "message", "html")
"""The bodies of the 404 of an API gateway."""
_MOST_ARRIVALS: Final = 12
_ENOUGH: Final = 40
_LIMITS: Final = frozenset({"max_reply_bytes", "max_reply_values", "max_page_bytes", "max_page_values"})
_MOST_MEMORY: Final = 64 * 2**20
_MOST_SECONDS: Final = 10.0


class AvailabilityContract(Contract):
    """A read of a vendor with a fault returns the truth, or raises an honest error."""

    @for_promise("R13")
    def test_the_answer_is_right_or_an_honest_error(self, vendor: VendorUnderTest) -> None:
        require(vendor.faults, "nothing can go wrong at the vendor: let its `faults` say what can")
        true = ledger_vouchers(vendor)[0]
        impatient = select_settings(self.provider, IMPATIENT)
        calm = {name: call() for name, call in _reads(vendor.provider(), true)}
        for fault in vendor.faults:
            if fault in _CHANGES_THE_TRUTH:
                continue
            provider = vendor.provider(**impatient)
            provider.get(true.id)  # fetches a token, so that the fault meets the call itself
            for name, call in _reads(provider, true):
                if fault in _WAITING and name != "find":
                    continue
                for at in range(2 if name in ("history", "presentation") else 1):
                    vendor.inject_fault(fault, at)
                    self._try(f"{name} with {fault}", call, calm[name])
                    vendor.clear_faults()

    def _try(self, where: str, call: Callable[[], Any], calm: Any) -> None:
        try:
            result = call()
        except OutcomeUnknown:
            fail(f"{where} raised OutcomeUnknown, and a read changes nothing")
        except (NotExecuted, MalformedResponse, AccessDenied):
            return
        except VoucherGatewayError as error:
            fail(f"{where} was reported as {type(error).__name__}")
        _check_same(where, result, calm)

    @for_promise("R22")
    def test_a_404_of_an_api_gateway_is_not_a_missing_voucher(self, vendor: VendorUnderTest) -> None:
        true = ledger_vouchers(vendor)[0]
        provider = vendor.provider()
        provider.get(true.id)  # fetches a token, so that the fault meets the call itself
        for body in _FOREIGN_404S if isinstance(vendor, SimulatedVendor) else ("",):
            for name, call in _reads(provider, true):
                _answer_404(vendor, body)
                try:
                    call()
                except (NotExecuted, MalformedResponse, AccessDenied):
                    pass
                except VoucherGatewayError as error:
                    fail(f"{name} reported the 404 of an API gateway ({body}) as {type(error).__name__}")
                else:
                    fail(f"{name} gave an answer although an API gateway answered 404 ({body}) in the vendor's place")
                vendor.clear_faults()

    @for_promise("R14")
    def test_a_vendor_that_cannot_answer_is_not_asked_for_ever(self, vendor: VendorUnderTest) -> None:
        true = ledger_vouchers(vendor)[0]
        for fault in ("error-before", "drop-before", "html"):
            if fault not in vendor.faults:
                continue
            provider = vendor.provider()
            provider.get(true.id)
            for name, call in _reads(provider, true):
                for at in range(_ENOUGH):
                    vendor.inject_fault(fault, at)
                before = len(vendor.request_lines)
                try:
                    call()
                except (NotExecuted, MalformedResponse):
                    pass
                else:
                    fail(f"{name} gave an answer while the vendor answered everything with {fault}")
                count = len(vendor.request_lines) - before
                require(count <= _MOST_ARRIVALS, f"{name} asked {count} times before it gave up")
                vendor.clear_faults()

    @for_promise("R15")
    def test_a_refused_login_is_said(self, vendor: VendorUnderTest) -> None:
        true = ledger_vouchers(vendor)[0]
        provider = vendor.provider()
        for name, call in _reads(provider, true):
            for at in range(_ENOUGH):
                vendor.inject_fault("unauthorized", at)
            try:
                call()
            except AccessDenied as error:
                is_refusal = isinstance(error, AuthenticationFailed) or error.http_status in (401, 403)
                require(is_refusal, f"{name} reported a refused login as {type(error).__name__} without the status")
            else:
                fail(f"{name} gave an answer although the vendor refused the login")
            vendor.clear_faults()
        check_voucher(provider.find(true.code), true, "find, after the login was accepted again,")

    @for_promise("R25")
    def test_accounts_with_different_logins_share_nothing(self, vendor: VendorUnderTest) -> None:
        true = ledger_vouchers(vendor)[0]
        first = vendor.provider()
        wrong = _with_other_secrets(first)
        if not wrong:
            not_tried("the settings have no secret, so that there is one login only")
        for provider, refused in ((first, vendor.provider(**wrong)), (vendor.provider(), vendor.provider(**wrong))):
            if provider is first:
                check_voucher(provider.find(true.code), true, "find")  # logs in before the other account is used
            for name, call in _reads(refused, true):
                try:
                    call()
                except AccessDenied:
                    check_voucher(provider.find(true.code), true, "find, beside an account with another login,")
                else:
                    fail(f"{name} of an account whose login is wrong gave an answer, as another account had logged in")

    @for_promise("R21")
    def test_a_reply_of_millions_of_values_costs_little(self, vendor: VendorUnderTest) -> None:
        true = ledger_vouchers(vendor)[0]
        provider = vendor.provider(**_default_limits(self.provider))
        provider.get(true.id)
        for name, call in _reads(provider, true):
            for at in range(2 if name == "history" else 1):
                requests_before = len(vendor.request_lines)
                vendor.inject_fault("huge-reply", at)
                peak, seconds, error = _measure(call)
                vendor.clear_faults()
                if len(vendor.request_lines) - requests_before <= at:
                    continue  # no request met the fault
                where = f"{name}, given a reply of millions of values at its request {at},"
                refused = isinstance(error, NotExecuted | MalformedResponse)
                require(refused, f"{where} {'gave an answer' if error is None else f'raised {type(error).__name__}'}")
                require(peak < _MOST_MEMORY, f"{where} took {peak // 2**20} MiB of memory")
                require(seconds < _MOST_SECONDS, f"{where} took {seconds:.0f} s")


def _answer_404(vendor: VendorUnderTest, body: str) -> None:
    """Let an API gateway answer the next requests with 404, with one kind of body if the vendor has a choice."""
    for at in range(_MOST_ARRIVALS):
        if isinstance(vendor, SimulatedVendor):
            vendor.inject("foreign-404", after=at, body=body)
        else:
            vendor.inject_fault("foreign-404", at)


def _with_other_secrets(provider: VoucherProvider) -> dict[str, str]:
    """Return the secrets among the settings of a provider, each with another last character."""
    secrets: dict[str, str] = {}
    for field in attrs.fields(type(provider.settings)):
        value = getattr(provider.settings, field.name)
        if isinstance(value, SecretSource) and (text := value.get().reveal()):
            secrets[field.alias] = text[:-1] + ("A" if text[-1] != "A" else "B")
    return secrets


def _default_limits(provider: type[VoucherProvider]) -> dict[str, Any]:
    """Return the default limits of replies that the provider has as settings."""
    return {
        field.alias: field.default
        for field in attrs.fields(provider.settings_type)
        if field.alias in _LIMITS and type(field.default) is int
    }


def _measure(call: Callable[[], object]) -> tuple[int, float, Exception | None]:
    """Make a call, and return its peak of memory in bytes, its duration in seconds, and its error."""
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before, start = tracemalloc.get_traced_memory()[0], time.monotonic()
    error: Exception | None = None
    try:
        call()
    except Exception as raised:  # noqa: BLE001 - whatever a stranger's provider raises is looked at
        error = raised
    seconds, peak = time.monotonic() - start, tracemalloc.get_traced_memory()[1] - before
    if not tracing:
        tracemalloc.stop()
    return peak, seconds, error


def _reads(provider: VoucherProvider, true: ExpectedVoucher) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield every kind of reading call, by its name."""
    yield "find", partial(provider.find, true.code)
    yield "get", partial(provider.get, true.id)
    if can(provider, Operation.BALANCE):
        yield "balance", partial(provider.balance, true.code)
    if can(provider, Operation.VOUCHERS):
        yield "vouchers", lambda: list(provider.vouchers(VoucherQuery()))
    if can(provider, Operation.HISTORY):
        yield "history", partial(provider.history, true.id)
    if can(provider, Operation.PRESENTATION):
        yield "presentation", lambda: provider.presentation(true.code).voucher


def _check_same(where: str, result: Any, calm: Any) -> None:
    """Compare the answer of a read in trouble with the answer of the same read without trouble."""
    if isinstance(calm, list):
        missing = by_id(calm).keys() - by_id(result).keys()
        require(not missing, f"{where} was reported as complete, and lacks {len(missing)} of {len(calm)} vouchers")
        same = by_id(result) == by_id(calm)
    elif isinstance(calm, History):
        require(
            len(result) == len(calm),
            f"{where} has {len(result)} movements; without trouble it has {len(calm)}",
        )
        same = result.movements == calm.movements
    else:
        same = result == calm
    require(same, f"{where} gave another answer than without trouble")
