"""Promises about connections: no call gets the rest of an earlier reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from typing import Any, Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import AccessDenied, MalformedResponse, NotExecuted, VoucherGatewayError
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import Contract
from voucher_gateway.testing.harness.calls import native_changes
from voucher_gateway.testing.harness.cases import OperationCase, make_case
from voucher_gateway.testing.harness.fault_matrix import FaultMatrix
from voucher_gateway.testing.harness.ledger import ExpectedVoucher, check_voucher, ledger_vouchers
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.promises.checks import fail, for_promise, require

_FAULTS: Final = ("interim", "no-content-with-body", "answer-twice")
"""Faults that leave bytes on a connection that stays open."""

_MOST_VOUCHERS: Final = 4


class ConnectionsContract(Contract):
    """Every call gets its own reply, whatever came before on the connection."""

    @for_promise("R20")
    def test_no_reply_becomes_the_answer_to_another_read(self, vendor: VendorUnderTest) -> None:
        vouchers = ledger_vouchers(vendor)[:_MOST_VOUCHERS]
        require(len(vouchers) > 1, "the vendor has one voucher, so that no reply can be another voucher's: seed more")
        for fault in _available(vendor):
            provider = vendor.provider()
            provider.get(vouchers[0].id)  # fetches a token, so that the fault meets the call itself
            for position, voucher in enumerate(vouchers):
                other = vouchers[position - 1]
                for (name, read), (_, read_other) in zip(
                    _reads(provider, voucher), _reads(provider, other), strict=True
                ):
                    where = f"{name} with {fault}"
                    vendor.inject_fault(fault, 0)
                    with suppress(NotExecuted, MalformedResponse, AccessDenied):
                        check_voucher(read(), voucher, where)
                    vendor.clear_faults()
                    where = f"{name} of another voucher, right after {where},"
                    try:
                        answer = read_other()
                    except VoucherGatewayError as error:
                        fail(f"{where} raised {type(error).__name__}, although nothing was wrong with it")
                    check_voucher(answer, other, where)

    @for_promise("E8")
    def test_no_reply_becomes_the_answer_to_another_change(
        self, vendor: VendorUnderTest, provider_: VoucherProvider
    ) -> None:
        matrix = FaultMatrix(vendor, thorough=False)
        matrix.reading, factory = matrix.requests_of_reads(), matrix.factory
        for operation in native_changes(provider_):
            dry_run = matrix.run_without_fault(operation)
            if dry_run.error is not None or not dry_run.changing:
                continue  # promises E1 and E3 report that
            for fault in _available(vendor):
                first, following = make_case(operation, factory), make_case(operation, factory)
                where = f"{operation.value} with the fault {fault}"
                with closing(vendor.provider()) as provider:
                    vendor.inject_fault(fault, dry_run.changing[-1])
                    _make_the_interrupted_call(first, provider, factory.reference(), where)
                    vendor.clear_faults()
                    _make_the_following_call(following, provider, factory.reference(), where)


def _available(vendor: VendorUnderTest) -> list[str]:
    return [fault for fault in _FAULTS if fault in vendor.faults]


def _reads(provider: VoucherProvider, voucher: ExpectedVoucher) -> Iterator[tuple[str, Callable[[], Voucher]]]:
    yield "find", partial(provider.find, voucher.code)
    yield "get", partial(provider.get, voucher.id)


def _make_the_interrupted_call(case: OperationCase, provider: VoucherProvider, reference: str, where: str) -> None:
    try:
        case.call(provider, reference)
    except VoucherGatewayError as error:
        require(
            error.outcome == "unknown" or case.times() == 0, f"{where} raised {type(error).__name__}, and it happened"
        )
    else:
        require(case.times() == int(case.visible_in_ledger), f"{where} succeeded, and happened {case.times()} times")


def _make_the_following_call(case: OperationCase, provider: VoucherProvider, reference: str, where: str) -> None:
    where = f"{case.operation.value} of another voucher, right after {where},"
    try:
        result = case.call(provider, reference)
    except VoucherGatewayError as error:
        fail(f"{where} raised {type(error).__name__}, although nothing was wrong with it")
    require(case.times() == int(case.visible_in_ledger), f"{where} succeeded, and happened {case.times()} times")
    if case.operation is Operation.ISSUE:
        require(
            (result.initial or result.remaining) == case.money, f"{where} gave another voucher than the one asked for"
        )
    elif case.voucher_id is not None:
        voucher_id = _voucher_id_of(result)
        require(voucher_id in (None, case.voucher_id), f"{where} named the voucher {voucher_id!r}")


def _voucher_id_of(result: Any) -> str | None:
    voucher_id: str | None = result.id if isinstance(result, Voucher) else getattr(result, "voucher_id", None)
    return voucher_id
