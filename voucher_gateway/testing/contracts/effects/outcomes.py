"""Promises about the reported outcome of calls that meet a fault."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

import pytest

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import Ticket, VoucherGatewayError
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.outcome import Intent, voucher_id_of
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.request_hooks import use_before_send_hook
from voucher_gateway.testing.contracts.base import SpendContract
from voucher_gateway.testing.harness.calls import (
    BeforeSendRecorder,
    Refusal,
    RefusingRecorder,
    changing_requests,
    native_changes,
)
from voucher_gateway.testing.harness.cases import ORDER, make_case
from voucher_gateway.testing.harness.fault_injection import inject_lasting, own_faults
from voucher_gateway.testing.harness.fault_matrix import FaultMatrix
from voucher_gateway.testing.harness.reply_changes import each_leaf
from voucher_gateway.testing.harness.vendor import ACCOUNT, VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promises.checks import for_promise, not_tried, require
from voucher_gateway.testing.simulated_vendor import SimulatedVendor

_MATRIX: Final = "_fault_matrix"

_TEMPORARY: Final = ("rate-limit", "error-before")
"""Temporary errors that every vendor may have, beside those in its own words."""


class _VoucherRenamer:
    """A before-send hook: from its first call on, every reply names another voucher."""

    def __init__(self, vendor: SimulatedVendor, voucher_id: str) -> None:
        self.other = f"not-{voucher_id}"
        self.count = 0
        self._vendor, self._voucher_id = vendor, voucher_id

    def before_send(self, _: Intent) -> None:
        self._vendor.tamper(each_leaf(self._rename_id))

    def _rename_id(self, value: Any) -> Any:
        if value != self._voucher_id or not isinstance(value, str):
            return value
        self.count += 1
        return self.other


class EffectsContract(SpendContract):
    """Outcomes under every fault."""

    @pytest.fixture
    def matrix(self, request: pytest.FixtureRequest) -> Callable[[], FaultMatrix]:
        """Return a function that returns the fault matrix. It runs once for a class; the tests check its results."""

        def create() -> FaultMatrix:
            matrix = request.cls.__dict__.get(_MATRIX)
            if matrix is None:
                thorough = bool(request.config.getoption("--contract-thorough", default=False))
                with closing(self.make_vendor()) as vendor:
                    matrix = FaultMatrix(vendor, thorough=thorough).run()
                setattr(request.cls, _MATRIX, matrix)
            assert isinstance(matrix, FaultMatrix)
            return matrix

        return create

    @for_promise("E1")
    def test_what_is_said_of_a_call_is_true(self, matrix: Callable[[], FaultMatrix]) -> None:
        for dry_run in matrix().dry_runs.values():
            name = dry_run.case.operation.value
            require(dry_run.error is None, f"{name} fails although nothing is wrong: {_error_text(dry_run.error)}")
            require(
                dry_run.times == int(dry_run.case.visible_in_ledger),
                f"{name} succeeded, and happened {dry_run.times} times",
            )
        require(matrix().results, "nothing can go wrong at the vendor: let its `faults` say what can")
        for result in matrix().results:
            happened = f"{result.where}: {result.reply_text}, and it happened {result.times} times"
            require(result.times in (0, 1), happened)
            if result.error is None:
                require(result.times == 1, happened)
                continue
            known = isinstance(result.error, VoucherGatewayError)
            require(
                known,
                f"{result.where}: {_error_text(result.error)} was raised, not an error of voucher_gateway",
            )
            if not result.unknown:
                require(result.times == 0, happened)
            else:
                require(result.intents, f"{result.where}: {result.reply_text}, although nothing had been sent yet")

    @for_promise("E2")
    def test_a_call_that_may_have_happened_is_not_sent_again(self, matrix: Callable[[], FaultMatrix]) -> None:
        for result in matrix().results:
            if result.changing and not result.repeatable:
                require(not result.repeats, f"{result.where}: it was sent {result.repeats + 1} times")

    @for_promise("E3")
    def test_every_changing_request_is_announced_right_before(self, matrix: Callable[[], FaultMatrix]) -> None:
        for dry_run in matrix().dry_runs.values():
            name = dry_run.case.operation.value
            require(
                dry_run.changing,
                f"{name} sent nothing that changes anything: {len(dry_run.arrived)} requests arrived",
            )
            require(
                dry_run.announced == dry_run.changing,
                f"{name} sent its changing requests as number {_number_list(dry_run.changing)} and announced"
                " those of number"
                f" {_number_list(dry_run.announced)}",
            )

    @for_promise("E4")
    def test_nothing_is_sent_that_the_journal_refuses(
        self,
        matrix: Callable[[], FaultMatrix],
        vendor: VendorUnderTest,
        provider_: VoucherProvider,
        factory: VoucherFactory,
    ) -> None:
        for operation in native_changes(provider_):
            case, recorder, start = make_case(operation, factory), RefusingRecorder(), len(vendor.request_lines)
            error_: BaseException | None = None
            with use_before_send_hook(recorder):
                try:
                    case.call(provider_, factory.reference())
                except Exception as error:  # noqa: BLE001 - whatever a stranger's provider makes of it
                    error_ = error
            sent = changing_requests(vendor.request_lines[start:], matrix().reading)
            name = operation.value
            require(
                isinstance(error_, Refusal),
                f"{name} went on after its announcement was refused ({_error_text(error_)})",
            )
            require(not sent and case.times() == 0, f"{name} was sent although its announcement was refused")

    @for_promise("E5")
    def test_the_ticket_of_an_unknown_outcome_is_whole(self, matrix: Callable[[], FaultMatrix]) -> None:
        unknown = [result for result in matrix().results if result.unknown]
        if not unknown:
            not_tried("no fault left an outcome unknown, so no ticket was made")
        provider = matrix().factory.provider
        for result in unknown:
            ticket = result.ticket
            require(isinstance(ticket, Ticket), f"{result.where}: the error has no ticket")
            assert ticket is not None
            copy = Ticket.from_json(ticket.to_json())
            require(copy == ticket, f"{result.where}: the ticket is another one when it was written as JSON and read")
            expected: dict[str, Any] = {
                "account": ACCOUNT,
                "provider": provider.name,
                "host": provider.host,
                "login": provider.login,
                "verb": result.operation.value,
                "order": ORDER,
            }
            if result.case.money is not None:
                expected |= {"amount": f"{result.case.money.amount:f}", "currency": result.case.money.currency}
            for name, value in expected.items():
                require(getattr(ticket, name) == value, f"{result.where}: the ticket has another {name} than the call")
            require(ticket.reference, f"{result.where}: the ticket has no reference")
            require(ticket.sent_at, f"{result.where}: the ticket does not say when it was sent")
            if result.operation is not Operation.ISSUE:
                # The id from a look-up that found another voucher is all that the provider can know.
                was_misled = result.fault == "wrong-voucher" and not result.changing
                known = was_misled or ticket.voucher_id in (None, result.case.voucher_id)
                require(known, f"{result.where}: the ticket names another voucher")
            code = "" if result.case.code is None else result.case.code.reveal()
            require(not code or code not in ticket.to_json(), f"{result.where}: the ticket holds the voucher's code")
            again = Intent.from_ticket(copy)
            for name in ("verb", "reference", "order", "voucher_id", "subject", "money"):
                was = getattr(result.intents[-1], name) if result.intents else None
                require(
                    getattr(again, name) == was, f"{result.where}: the ticket has another {name} than was announced"
                )

    @for_promise("E6")
    def test_a_wrong_echo_is_no_success(self, matrix: Callable[[], FaultMatrix]) -> None:
        for result in matrix().results:
            if result.fault != "wrong-echo" or not result.changing or result.case.money is None:
                continue
            # A request that was sent again may have got the true reply: then the result must be the true one.
            asked_again = result.repeats > 0 and not result.lasting
            require(
                result.error is not None or asked_again,
                f"{result.where}: the vendor's reply had another amount than was asked for, and it succeeded",
            )
            money = _money_of(result.result)
            require(
                result.error is not None or money == result.case.money,
                f"{result.where}: it succeeded with {money}, and {result.case.money} was asked for",
            )

    @for_promise("E12")
    def test_a_temporary_error_is_no_refusal(self, matrix: Callable[[], FaultMatrix]) -> None:
        faults = {*own_faults(matrix().vendor), *_TEMPORARY} & matrix().vendor.faults.keys()
        for result in matrix().results:
            if result.fault in faults and result.changing and isinstance(result.error, VoucherGatewayError):
                require(
                    result.error.outcome != "declined",
                    f"{result.where}: the vendor's error may be over soon, and {result.reply_text}",
                )
        if not faults:
            not_tried("the vendor has no temporary error")

    @for_promise("E13")
    def test_a_read_after_a_change_decides_nothing(self, matrix: Callable[[], FaultMatrix]) -> None:
        for result in matrix().results:
            if result.at <= max(matrix().dry_runs[result.operation].changing, default=result.at):
                continue
            if result.error is not None:
                require(result.unknown, f"{result.where}: the change happened before, and {result.reply_text}")
                continue
            money, remaining = _money_of(result.result), getattr(result.result, "remaining", None)
            require(
                result.case.money is None or money == result.case.money,
                f"{result.where}: the result says {money}, and {result.case.money} was asked for",
            )
            require(
                remaining is None or result.remaining is None or remaining == result.remaining,
                f"{result.where}: the result says that {remaining} remains, and it is {result.remaining}",
            )

    @for_promise("E10")
    def test_a_reply_about_another_voucher_is_no_success(
        self, vendor: SimulatedVendor, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        for operation in native_changes(provider_):
            case = make_case(operation, factory)
            if case.voucher_id is None:
                continue
            renaming, raised, result = _VoucherRenamer(vendor, case.voucher_id), None, None
            try:
                with use_before_send_hook(renaming):
                    result = case.call(provider_, factory.reference())
            except Exception as error:  # noqa: BLE001 - whatever a stranger's provider makes of it
                raised = error
            vendor.tamper(None)
            if not renaming.count or (raised is not None and not case.times()):
                continue  # the reply names no voucher, or nothing was sent
            seen = f"the reply to {operation.value} named another voucher, and"
            if raised is None and operation in (Operation.RESERVE, Operation.REDEEM):
                # A call by code names no voucher id; a journal may know the voucher.
                result_id = voucher_id_of(result)
                require(
                    result_id == renaming.other,
                    f"{seen} the result names {'none' if result_id is None else 'the first'}",
                )
                continue
            require(getattr(raised, "outcome", None) == "unknown", f"{seen} it came to: {_error_text(raised)}")

    @for_promise("E11")
    def test_a_404_of_a_server_in_front_of_the_vendor_is_no_refusal(
        self, matrix: Callable[[], FaultMatrix], vendor: VendorUnderTest, factory: VoucherFactory
    ) -> None:
        answers = [fault for fault in ("foreign-404", "html-after-commit") if fault in vendor.faults]
        for fault, (operation, dry_run) in itertools.product(answers, matrix().dry_runs.items()):
            case, provider, raised = make_case(operation, factory), vendor.provider(), None
            inject_lasting(vendor, fault, dry_run.changing[-1])
            with BeforeSendRecorder(vendor).watching():
                try:
                    case.call(provider, factory.reference())
                except Exception as error:  # noqa: BLE001 - whatever a stranger's provider makes of it
                    raised = error
            vendor.clear_faults()
            require(
                getattr(raised, "outcome", None) == "unknown",
                f"a server in front of the vendor answered {operation.value} with 404 ({fault}), and it came to:"
                f" {_error_text(raised)}",
            )


def _number_list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _money_of(result: Any) -> Money | None:
    """Return the amount that a result says was moved, or the value of a new voucher."""
    money: Money | None = result.initial if isinstance(result, Voucher) else getattr(result, "money", None)
    return money


def _error_text(error: BaseException | None) -> str:
    if isinstance(error, VoucherGatewayError):
        return f"{type(error).__name__}: {error.message}"
    return "nothing was raised" if error is None else type(error).__name__
