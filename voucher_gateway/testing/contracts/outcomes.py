"""Promises about what is said of a call when something goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any, Final

import pytest

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import Ticket, VoucherGatewayError
from voucher_gateway.integrity import voucher_id_of
from voucher_gateway.outcome import Intent
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.request_hooks import use_before_send_hook
from voucher_gateway.testing.contracts.base import SpendBase, changing
from voucher_gateway.testing.contracts.declined import calls_that_fail
from voucher_gateway.testing.harness.calls import BeforeSendRecorder, changing_of
from voucher_gateway.testing.harness.canary import LONG_ENOUGH, Canary
from voucher_gateway.testing.harness.cases import ORDER, make_case
from voucher_gateway.testing.harness.fault_matrix import FaultMatrix
from voucher_gateway.testing.harness.reply_rewriting import each_leaf
from voucher_gateway.testing.harness.vendor import ACCOUNT, SimulatorVendor, VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promise_checks import for_promise, require, secrets_in

_CAMPAIGN: Final = "_campaign_of_strikes"


class _Renaming:
    """A witness from whose first announcement on every reply names another voucher."""

    def __init__(self, stage: SimulatorVendor, voucher_id: str) -> None:
        self.other = f"not-{voucher_id}"
        self.named = 0
        self._stage, self._voucher_id = stage, voucher_id

    def before_send(self, _: Intent) -> None:
        self._stage.tamper(each_leaf(self._renamed))

    def _renamed(self, value: Any) -> Any:
        if value != self._voucher_id or not isinstance(value, str):
            return value
        self.named += 1
        return self.other


class _Refusal(Exception):
    """What a witness raises that will not have the request sent."""


class _Refusing:
    """A witness that lets nothing be sent."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []

    def before_send(self, intent: Intent) -> None:
        self.intents.append(intent)
        raise _Refusal


class EffectsContract(SpendBase):
    """Effects under every fault."""

    @pytest.fixture
    def campaign(self, request: pytest.FixtureRequest) -> Callable[[], FaultMatrix]:
        """Gives the strikes, which are made once for a class; the promises only look at what came of them."""

        def create() -> FaultMatrix:
            matrix = request.cls.__dict__.get(_CAMPAIGN)
            if matrix is None:
                thorough = bool(request.config.getoption("--contract-thorough", default=False))
                with closing(self.make_stage()) as stage:
                    matrix = FaultMatrix(stage, thorough=thorough).run()
                setattr(request.cls, _CAMPAIGN, matrix)
            assert isinstance(matrix, FaultMatrix)
            return matrix

        return create

    @for_promise("E1")
    def test_what_is_said_of_a_call_is_true(self, campaign: Callable[[], FaultMatrix]) -> None:
        for rehearsal in campaign().rehearsals.values():
            name = rehearsal.deed.operation.value
            require(rehearsal.error is None, f"{name} fails although nothing is wrong: {_error_text(rehearsal.error)}")
            require(
                rehearsal.times == int(rehearsal.deed.visible_in_ledger),
                f"{name} succeeded, and happened {rehearsal.times} times",
            )
        require(campaign().strikes, "nothing can go wrong at the stage: let its `faults` say what can")
        for strike in campaign().strikes:
            happened = f"{strike.where}: {strike.reply_text}, and it happened {strike.times} times"
            require(strike.times in (0, 1), happened)
            if strike.error is None:
                require(strike.times == 1, happened)
                continue
            known = isinstance(strike.error, VoucherGatewayError)
            require(
                known, f"{strike.where}: {_error_text(strike.error)} was raised, which is no error of voucher_gateway"
            )
            if not strike.unknown:
                require(strike.times == 0, happened)
            else:
                require(strike.intents, f"{strike.where}: {strike.reply_text}, although nothing had been sent yet")

    @for_promise("E2")
    def test_a_call_that_may_have_happened_is_not_sent_again(self, campaign: Callable[[], FaultMatrix]) -> None:
        for strike in campaign().strikes:
            if strike.changing and not strike.repeatable:
                require(not strike.repeats, f"{strike.where}: it was sent {strike.repeats + 1} times")

    @for_promise("E3")
    def test_every_changing_request_is_announced_right_before(self, campaign: Callable[[], FaultMatrix]) -> None:
        for rehearsal in campaign().rehearsals.values():
            name = rehearsal.deed.operation.value
            require(
                rehearsal.changing,
                f"{name} sent nothing that changes anything: {len(rehearsal.arrived)} requests arrived",
            )
            require(
                rehearsal.announced == rehearsal.changing,
                f"{name} sent its changing requests as number {_number_list(rehearsal.changing)} and announced"
                " those of number"
                f" {_number_list(rehearsal.announced)}",
            )

    @for_promise("E4")
    def test_nothing_is_sent_that_the_journal_refuses(
        self,
        campaign: Callable[[], FaultMatrix],
        stage: VendorUnderTest,
        provider_: VoucherProvider,
        scenes: VoucherFactory,
    ) -> None:
        for operation in changing(provider_):
            deed, witness, start = make_case(operation, scenes), _Refusing(), len(stage.requests())
            error_: BaseException | None = None
            with use_before_send_hook(witness):
                try:
                    deed.call(provider_, scenes.reference())
                except Exception as error:  # noqa: BLE001 - whatever a stranger's provider makes of it
                    error_ = error
            sent = changing_of(stage.requests()[start:], campaign().reading)
            name = operation.value
            require(
                isinstance(error_, _Refusal),
                f"{name} went on after its announcement was refused ({_error_text(error_)})",
            )
            require(not sent and deed.times() == 0, f"{name} was sent although its announcement was refused")

    @for_promise("E5")
    def test_the_ticket_of_an_unknown_outcome_is_whole(self, campaign: Callable[[], FaultMatrix]) -> None:
        unknown = [strike for strike in campaign().strikes if strike.unknown]
        if any(strike.changing and strike.commits for strike in campaign().strikes):
            require(unknown, "no fault left an outcome unknown, so that nothing shows what a ticket holds")
        provider = campaign().scenes.provider
        for strike in unknown:
            ticket = strike.ticket
            require(isinstance(ticket, Ticket), f"{strike.where}: the error has no ticket")
            assert ticket is not None
            copy = Ticket.from_json(ticket.to_json())
            require(copy == ticket, f"{strike.where}: the ticket is another one when it was written as JSON and read")
            expected: dict[str, Any] = {
                "account": ACCOUNT,
                "provider": provider.name,
                "host": provider.host,
                "login": provider.login,
                "verb": strike.operation.value,
                "order": ORDER,
            }
            if strike.deed.money is not None:
                expected |= {"amount": f"{strike.deed.money.amount:f}", "currency": strike.deed.money.currency}
            for name, value in expected.items():
                require(getattr(ticket, name) == value, f"{strike.where}: the ticket has another {name} than the call")
            require(ticket.reference, f"{strike.where}: the ticket has no reference")
            require(ticket.sent_at, f"{strike.where}: the ticket does not say when it was sent")
            if strike.operation is not Operation.ISSUE:
                known = ticket.voucher_id in (None, strike.deed.voucher_id)
                require(known, f"{strike.where}: the ticket names another voucher")
            code = "" if strike.deed.code is None else strike.deed.code.reveal()
            require(not code or code not in ticket.to_json(), f"{strike.where}: the ticket holds the voucher's code")
            again = Intent.from_ticket(copy)
            for name in ("verb", "reference", "order", "voucher_id", "subject", "money"):
                was = getattr(strike.intents[-1], name) if strike.intents else None
                require(
                    getattr(again, name) == was, f"{strike.where}: the ticket has another {name} than was announced"
                )

    @for_promise("E6")
    def test_a_wrong_echo_is_no_success(self, campaign: Callable[[], FaultMatrix]) -> None:
        for strike in campaign().strikes:
            if strike.fault != "wrong-echo" or not strike.changing or strike.error is not None:
                continue
            require(
                strike.deed.money is None,
                f"{strike.where}: the vendor's reply told of another amount than was asked for, and it succeeded",
            )

    @for_promise("E10")
    def test_a_reply_about_another_voucher_is_no_success(
        self, stage: SimulatorVendor, provider_: VoucherProvider, scenes: VoucherFactory
    ) -> None:
        for operation in changing(provider_):
            deed = make_case(operation, scenes)
            if deed.voucher_id is None:
                continue
            renaming, said, result = _Renaming(stage, deed.voucher_id), None, None
            try:
                with use_before_send_hook(renaming):
                    result = deed.call(provider_, scenes.reference())
            except Exception as error:  # noqa: BLE001 - whatever a stranger's provider makes of it
                said = error
            stage.tamper(None)
            if not renaming.named or (said is not None and not deed.times()):
                continue  # the reply names no voucher, or nothing was sent
            seen = f"the reply to {operation.value} named another voucher, and"
            if said is None and operation in (Operation.RESERVE, Operation.REDEEM):
                # What is called by its code alone can be about any voucher; a journal may know which.
                named = voucher_id_of(result)
                require(named == renaming.other, f"{seen} the result names {'none' if named is None else 'the first'}")
                continue
            require(getattr(said, "outcome", None) == "unknown", f"{seen} it came to: {_error_text(said)}")

    @for_promise("E11")
    def test_a_404_of_an_api_gateway_is_no_refusal(
        self, campaign: Callable[[], FaultMatrix], stage: VendorUnderTest, scenes: VoucherFactory
    ) -> None:
        for operation, rehearsal in campaign().rehearsals.items():
            deed, provider, said = make_case(operation, scenes), stage.provider(), None
            stage.inject_fault("foreign-404", rehearsal.changing[-1])
            with BeforeSendRecorder(stage).watching():
                try:
                    deed.call(provider, scenes.reference())
                except Exception as error:  # noqa: BLE001 - whatever a stranger's provider makes of it
                    said = error
            stage.clear_faults()
            require(
                getattr(said, "outcome", None) == "unknown",
                f"an API gateway answered {operation.value} with 404 in the vendor's place, and it came to:"
                f" {_error_text(said)}",
            )

    @for_promise("E7")
    def test_no_error_and_no_log_gives_a_code_away(
        self,
        stage: VendorUnderTest,
        provider_: VoucherProvider,
        scenes: VoucherFactory,
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

        for operation in changing(provider_):
            for fault in (None, "commit-then-drop", "error-after-commit"):
                deed = make_case(operation, scenes)
                if deed.code is not None:
                    canary.plant(deed.code.reveal())
                if fault in stage.faults and fault is not None:
                    stage.inject_fault(fault, 0)
                for _ in range(2):  # the second time it is declined, where the vendor knows the first
                    attempt(partial(deed.call, provider_, scenes.reference()))
                stage.clear_faults()
        for call in calls_that_fail(provider_, scenes, canary.plant):
            attempt(call)
        for record in caplog.records:
            canary.emit(record)
        for text in secrets_in([stage, provider_]):
            if len(text) >= LONG_ENOUGH:
                canary.plant(text)
        where = canary.find_leak()
        require(where is None, f"{where}")


def _number_list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _error_text(error: BaseException | None) -> str:
    if isinstance(error, VoucherGatewayError):
        return f"{type(error).__name__}: {error.message}"
    return "nothing was raised" if error is None else type(error).__name__
