"""Promises about killed, frozen and concurrent processes, through the gateway with a journal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import OperationInProgress, ReferenceConflict, VoucherGatewayError
from voucher_gateway.journal.records import OperationState
from voucher_gateway.money import exponent
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.testing.contracts.base import SpendContract
from voucher_gateway.testing.harness.calls import catch_error, changing_requests, expect_error
from voucher_gateway.testing.harness.child_process import (
    ANSWERED,
    SENDING,
    GatewayProcess,
    outcome_name,
    require_reached,
    run_forked,
    run_with_signal,
)
from voucher_gateway.testing.harness.crash import SHARES, CrashHarness
from voucher_gateway.testing.harness.fault_injection import inject_lasting, lasts, lift_fault
from voucher_gateway.testing.harness.vendor import ACCOUNT, VendorUnderTest
from voucher_gateway.testing.promises.checks import fail, for_promise, require

_THREADS: Final = 16
_SHARE: Final = 1000
"""The amount that each of several threads takes, in minor units."""

_LATE_BY: Final = 3
"""The largest number of changing requests before a late one arrives."""

_LOST: Final = ("commit-then-drop", "commit-then-hang")
"""Faults that leave the outcome of a refund unknown although it happened."""


class CrashContract(SpendContract):
    """Killed processes, frozen processes, and many callers at once."""

    @pytest.fixture
    def harness(
        self, vendor: VendorUnderTest, tmp_path: Path, request: pytest.FixtureRequest
    ) -> Iterator[CrashHarness]:
        """A gateway on a journal in SQLite."""
        thorough = bool(request.config.getoption("--contract-thorough", default=False))
        with closing(CrashHarness(vendor, f"sqlite:///{tmp_path / 'contract.db'}", thorough=thorough)) as harness:
            yield harness

    @for_promise("C1")
    def test_a_killed_process_and_a_repeat_move_money_once(self, harness: CrashHarness) -> None:
        for operation, at, label in harness.points():
            with harness.kill_at(operation, at, label) as attempt:
                attempt.repeat_while_lookups_lag()
                attempt.repeat()
                attempt.check(after="repeated")
        for operation, at in harness.waiting():
            with harness.kill_while_waiting(operation, at) as attempt:
                attempt.repeat_while_lookups_lag()
                attempt.repeat()
                attempt.check(after="repeated")

    @for_promise("C2")
    def test_recovery_reads_only_and_finds_what_happened(self, harness: CrashHarness) -> None:
        for operation, at, label in harness.points():
            with harness.kill_at(operation, at, label) as attempt:
                before, times = len(harness.vendor.request_lines), attempt.case.times()
                if harness.lag.prepared:
                    with harness.lag.lagging():
                        harness.recover(advancing=False)
                harness.recover()
                sent = changing_requests(harness.vendor.request_lines[before:], harness.reading)
                require(not sent, f"{attempt.name}: recovery sent a changing request: {', '.join(sent)}")
                # By now the reservation has ended, released or not.
                moved = operation is not Operation.RELEASE and attempt.case.times() > times
                require(not moved, f"{attempt.name}: recovery moved money")
                attempt.check(after="recovered")

    @for_promise("C3")
    def test_what_the_gateway_says_under_a_fault_is_true(self, harness: CrashHarness) -> None:
        for operation in harness.operations:
            for fault, at in harness.faults_to_try(operation):
                attempt = harness.start_case(operation, f"with the fault {fault} at its request {at}")
                with harness.impatient_gateway() as process:
                    harness.lag.prepare()
                    if lasts(harness.vendor, fault):
                        inject_lasting(harness.vendor, fault, at)
                    else:
                        harness.vendor.inject_fault(fault, at)
                    with catch_error() as caught:
                        attempt.case.call(process.client, attempt.reference)
                    if not lift_fault(harness.vendor, fault):
                        harness.vendor.clear_faults()
                attempt.judge(caught.error)
                attempt.repeat_while_lookups_lag()
                attempt.repeat()
                attempt.check(after="repeated", loud=_is_unknown(caught.error))

    @for_promise("S22")
    def test_a_reservation_whose_answer_is_lost_is_made_again_under_its_reference(self, harness: CrashHarness) -> None:
        at, attempt = (
            harness.profile(Operation.RESERVE).changing[-1],
            harness.start_case(Operation.RESERVE, "whose answer was lost"),
        )
        voucher_id = attempt.case.voucher_id
        assert voucher_id is not None
        before = harness.factory.snapshot().remaining(voucher_id)
        with harness.impatient_gateway() as process:
            harness.vendor.inject_fault("commit-then-drop", at)
            with catch_error() as caught:
                attempt.call(process.client)
            harness.vendor.clear_faults()
            require(_is_unknown(caught.error), f"{attempt.name}: its outcome is not unknown")
            try:
                reservation = attempt.call(process.client)
            except VoucherGatewayError as error:
                fail(f"{attempt.name}: the repeat raised {type(error).__name__}: {error.message}")
            process.client.capture(reservation, reference=harness.factory.reference())
        difference = before - harness.factory.snapshot().remaining(voucher_id)
        require(difference == attempt.case.money, f"{attempt.name}, made again and captured: {difference} was taken")

    @for_promise("C4")
    def test_a_frozen_process_keeps_its_operation(self, harness: CrashHarness) -> None:
        operation = harness.main_operation
        for at, label in enumerate(harness.profile(operation).points):
            if label not in (SENDING, ANSWERED):
                continue
            attempt = harness.start_case(operation, f"frozen {label}")
            with run_with_signal(harness.vendor, harness.url, attempt.call, at, signal.SIGSTOP) as child:
                require_reached(child, attempt.name)
                child.wait_frozen()
                with expect_error(f"{attempt.name}: a repeat by another process", OperationInProgress):
                    attempt.perform()
                harness.recover(advancing=False)
                require(attempt.state is OperationState.OPEN, f"{attempt.name}: recovery took it from a living process")
                child.resume()
                message = child.next_message()
                require(message == {"outcome": "succeeded"}, f"{attempt.name}: once awake it came to {message}")
            attempt.repeat()
            attempt.check(after="repeated")

    @for_promise("C5")
    def test_a_repeat_replays_the_result_and_another_call_conflicts(self, harness: CrashHarness) -> None:
        for operation in harness.operations:
            attempt = harness.start_case(operation, "repeated")
            first = attempt.perform()
            before = harness.count_changes()
            again = attempt.perform()
            require(harness.count_changes() == before, f"{attempt.name}: a repeat sent something that changes")
            require(getattr(again, "replayed", False), f"{attempt.name}: a repeat does not say that it is one")
            for part in _fields_in_replay(first, operation):
                values, was = getattr(again, part, None), getattr(first, part, None)
                require(values == was, f"{attempt.name}: a repeat has another {part} than the first call")
            require(
                attempt.case.times() == int(attempt.case.visible_in_ledger),
                f"{attempt.name}: it happened {attempt.case.times()} times",
            )
            if attempt.case.other_arguments is not None:
                with expect_error(f"{attempt.name}: another amount under its reference", ReferenceConflict):
                    attempt.case.call_with_other_amount(harness.process.client, attempt.reference)

    @for_promise("C6")
    def test_threads_never_overspend_a_voucher(self, harness: CrashHarness) -> None:
        factory = harness.factory
        subject = factory.spendable_voucher(SHARES * _SHARE + 21)
        # A voucher that was picked, because none can be issued, may be worth more.
        whole = subject.value.amount.scaleb(exponent(subject.value.currency))
        share = factory.money(int(whole) // SHARES)
        gate = threading.Barrier(_THREADS)

        def spend(number: int) -> str:
            gate.wait()
            reference = f"thread-{number}"
            return outcome_name(harness.process.client.redeem, subject.code, share, reference=reference, wait=20.0)

        with ThreadPoolExecutor(_THREADS) as pool:
            results = list(pool.map(spend, range(_THREADS)))
        spent = subject.value - factory.snapshot().remaining(subject.id)
        harness.require_sum(spent.amount / share.amount, results, "threads")

    @for_promise("C7")
    def test_both_processes_spend_after_a_fork(self, harness: CrashHarness) -> None:
        harness.start_case(harness.main_operation, "before the fork").perform()
        ours, theirs = (
            harness.start_case(harness.main_operation, f"in the {reference} process")
            for reference in ("first", "forked")
        )

        def work(say: Callable[[dict[str, str]], None]) -> None:
            # The same gateway and provider that were in use before the fork.
            say({"outcome": outcome_name(theirs.call, harness.process.client)})

        with run_forked(work) as child:
            ours.perform()
            message = child.next_message()
        require(
            message == {"outcome": "succeeded"}, f"in a forked process the same gateway came to {message['outcome']}"
        )
        for attempt in (ours, theirs):
            attempt.check(after="repeated")

    @for_promise("C9")
    def test_a_child_forked_without_hooks_keeps_nothing_of_its_parent(self, harness: CrashHarness) -> None:
        names = ("parent before", "parent first", "child first", "parent second", "child second")
        attempts = {
            name: harness.start_case(harness.main_operation, f"in the {name} a fork without hooks") for name in names
        }

        def server(say: Callable[[dict[str, str]], None]) -> None:
            # In a process of one thread, as servers fork their workers.
            process = GatewayProcess.open(harness.vendor, harness.url)

            def call(who: str) -> dict[str, str]:
                mine = {name: attempt for name, attempt in attempts.items() if name.startswith(who)}
                return {name: outcome_name(attempt.call, process.client) for name, attempt in mine.items()}

            before = call("parent before")
            del attempts["parent before"]

            def child_work(say: Callable[[dict[str, str]], None]) -> None:
                say(call("child"))

            with run_forked(child_work, hooks=False) as child:
                say({**before, **call("parent"), **child.next_message()})

        prepared = list(attempts.values())
        with run_forked(server) as process:
            outcomes = process.next_message()
        wrong = {name: outcome for name, outcome in outcomes.items() if outcome != "succeeded"}
        require(
            not wrong and outcomes.keys() == attempts.keys(),
            f"with a fork without hooks the same gateway came to {outcomes}",
        )
        for attempt in prepared:
            attempt.check(after="repeated")

    @for_promise("V8")
    def test_an_update_that_arrives_late_undoes_nothing(self, harness: CrashHarness) -> None:
        factory, client = harness.factory, harness.process.client
        subject, changes, reference = factory.spendable_voucher(), factory.changes(), factory.reference()
        with harness.impatient_gateway() as process:
            harness.vendor.inject_fault("deliver-late", harness.profile(Operation.UPDATE).changing[-1])
            with catch_error() as caught:
                process.client.update(subject.id, changes, reference=reference)
        require(_is_unknown(caught.error), "an update whose answer was lost is not unknown")
        with catch_error():
            client.update(subject.id, changes, reference=reference)
        before, share = factory.snapshot().remaining(subject.id), factory.money(_SHARE)
        with catch_error() as redeeming:
            client.redeem(subject.code, share, reference=factory.reference())
        for _ in range(_LATE_BY):
            factory.spendable_voucher()
        harness.vendor.clear_faults()
        left = factory.snapshot().remaining(subject.id)
        due = before - share if redeeming.error is None else before
        require(left == due, f"an update that arrived late left {left} on the voucher, where {due} was due")

    @for_promise("S24")
    def test_all_refunds_together_give_back_no_more_than_was_taken(self, harness: CrashHarness) -> None:
        factory, client = harness.factory, harness.process.client
        subject = factory.spendable_voucher()
        redemption = client.redeem(subject.code, factory.money(2000), reference=factory.reference())
        before = factory.snapshot().remaining(subject.id)
        fault = next((name for name in _LOST if name in harness.vendor.faults), None)
        if fault is not None and Operation.REFUND in harness.can.resolvable:
            with harness.impatient_gateway() as process:
                harness.vendor.inject_fault(fault, harness.profile(Operation.REFUND).changing[-1])
                with catch_error():
                    process.client.refund(redemption, factory.money(500), reference="in-doubt")
                harness.vendor.clear_faults()
        for number, minor in enumerate((700, None, 2000, None, 1)):
            money = None if minor is None else factory.money(minor)
            with catch_error():
                client.refund(redemption, money, reference=f"back-{number}")
            harness.process.gateway.recover(account=ACCOUNT, everything=True)
            refunded = factory.snapshot().remaining(subject.id) - before
            require(refunded <= redemption.money, f"{redemption.money} was taken, and {refunded} was given back")
        require(
            refunded == redemption.money,
            f"{redemption.money} was taken, and no more than {refunded} could be given back",
        )
        require(
            not harness.process.gateway.refundable(redemption),
            "all was given back, and the gateway says that something is left",
        )

    @for_promise("C8")
    def test_journal_and_vendor_agree_in_the_end(self, harness: CrashHarness) -> None:
        for operation in harness.operations:
            if not harness.is_emulated(operation):
                harness.start_case(operation, "reconciled").perform()
        harness.recover()
        harness.process.gateway.provider(ACCOUNT).check()
        reconciliation = reconcile(harness.process.gateway, ACCOUNT)
        explanations = [
            f"{difference.kind.value} {difference.verb} {difference.explanation}"
            for difference in reconciliation.differences
        ]
        require(not explanations, f"the journal and the vendor's history differ: {'; '.join(explanations)}")


def _is_unknown(error: VoucherGatewayError | None) -> bool:
    return error is not None and error.outcome == "unknown"


def _fields_in_replay(result: Any, operation: Operation) -> list[str]:
    """Return the fields of a result that a journal stores: all but secrets and the shop's own data.

    A journal holds no codes; only the code of an issued voucher can be looked up again.
    """
    not_kept = {"pin", "metadata"} if operation is Operation.ISSUE else {"code", "pin", "metadata"}
    return [field.name for field in attrs.fields(type(result)) if field.eq and field.name not in not_kept]
