"""Promises about connections: the rest of one reply never becomes the reply to another call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any, Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import AccessDenied, MalformedResponse, NotExecuted, VoucherGatewayError
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import Contract, changing
from voucher_gateway.testing.harness.cases import OperationCase, make_case
from voucher_gateway.testing.harness.fault_matrix import FaultMatrix
from voucher_gateway.testing.harness.ledger import LedgerVoucher, check_voucher, ledger_vouchers
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.promise_checks import fail, for_promise, require

_FAULTS: Final = ("interim", "no-content-with-body", "answer-twice")
"""Faults that leave something on a connection that stays open."""

_MOST_VOUCHERS: Final = 4


class ConnectionsContract(Contract):
    """Every call gets its own reply, whatever came before on the connection."""

    @for_promise("R20")
    def test_no_reply_becomes_the_answer_to_another_read(self, stage: VendorUnderTest) -> None:
        vouchers = ledger_vouchers(stage)[:_MOST_VOUCHERS]
        require(len(vouchers) > 1, "the stage has one voucher, so that no reply can be another voucher's: seed more")
        for fault in _available(stage):
            provider = stage.provider()
            provider.get(vouchers[0].id)  # a token is there, so that the fault meets the call itself
            for position, voucher in enumerate(vouchers):
                other = vouchers[position - 1]
                for (name, read), (_, read_other) in zip(
                    _reads(provider, voucher), _reads(provider, other), strict=True
                ):
                    where = f"{name} with {fault}"
                    stage.inject_fault(fault, 0)
                    with suppress(NotExecuted, MalformedResponse, AccessDenied):
                        check_voucher(read(), voucher, where)
                    stage.clear_faults()
                    where = f"{name} of another voucher, right after {where},"
                    try:
                        answer = read_other()
                    except VoucherGatewayError as error:
                        fail(f"{where} raised {type(error).__name__}, although nothing was wrong with it")
                    check_voucher(answer, other, where)

    @for_promise("E8")
    def test_no_reply_becomes_the_answer_to_another_change(
        self, stage: VendorUnderTest, provider_: VoucherProvider
    ) -> None:
        campaign = FaultMatrix(stage, thorough=False)
        campaign.reading, scenes = campaign.requests_of_reads(), campaign.scenes
        for operation in changing(provider_):
            rehearsal = campaign.rehearse(operation)
            if rehearsal.error is not None or not rehearsal.changing:
                continue  # promises E1 and E3 say so
            for fault in _available(stage):
                struck, following = make_case(operation, scenes), make_case(operation, scenes)
                where = f"{operation.value} with the fault {fault}"
                with closing(stage.provider()) as provider:
                    stage.inject_fault(fault, rehearsal.changing[-1])
                    _make_the_struck_call(struck, provider, scenes.reference(), where)
                    stage.clear_faults()
                    _make_the_following_call(following, provider, scenes.reference(), where)


def _available(stage: VendorUnderTest) -> list[str]:
    return [fault for fault in _FAULTS if fault in stage.faults]


def _reads(provider: VoucherProvider, voucher: LedgerVoucher) -> Iterator[tuple[str, Callable[[], Voucher]]]:
    yield "find", lambda: provider.find(voucher.code)
    yield "get", lambda: provider.get(voucher.id)


def _make_the_struck_call(deed: OperationCase, provider: VoucherProvider, reference: str, where: str) -> None:
    try:
        deed.call(provider, reference)
    except VoucherGatewayError as error:
        require(
            error.outcome == "unknown" or deed.times() == 0, f"{where} raised {type(error).__name__}, and it happened"
        )
    else:
        require(deed.times() == int(deed.visible_in_ledger), f"{where} succeeded, and happened {deed.times()} times")


def _make_the_following_call(deed: OperationCase, provider: VoucherProvider, reference: str, where: str) -> None:
    where = f"{deed.operation.value} of another voucher, right after {where},"
    try:
        result = deed.call(provider, reference)
    except VoucherGatewayError as error:
        fail(f"{where} raised {type(error).__name__}, although nothing was wrong with it")
    require(deed.times() == int(deed.visible_in_ledger), f"{where} succeeded, and happened {deed.times()} times")
    if deed.operation is Operation.ISSUE:
        require(result.initial == deed.money, f"{where} gave another voucher than the one asked for")
    elif deed.voucher_id is not None:
        voucher_id = _voucher_id_of(result)
        require(voucher_id in (None, deed.voucher_id), f"{where} told of the voucher {voucher_id!r}")


def _voucher_id_of(result: Any) -> str | None:
    named: str | None = result.id if isinstance(result, Voucher) else getattr(result, "voucher_id", None)
    return named
