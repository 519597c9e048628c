"""Promises about processes that die, freeze and crowd: through the gateway, with a journal."""

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
from voucher_gateway.reconcile import reconcile
from voucher_gateway.testing.contracts.base import SpendBase
from voucher_gateway.testing.harness.calls import changing_of, expect_error
from voucher_gateway.testing.harness.child_process import (
    ANSWERED,
    SENDING,
    GatewayProcess,
    came_to,
    must_have_struck,
    run_forked,
    run_until_killed,
)
from voucher_gateway.testing.harness.crash import SHARES, CrashHarness
from voucher_gateway.testing.harness.vendor import ACCOUNT, VendorUnderTest
from voucher_gateway.testing.promise_checks import fail, for_promise, require

_THREADS: Final = 16
_SHARE: Final = 1000
"""What each of several threads takes, in minor units."""

_LATE_BY: Final = 3
"""So many changing requests pass at the most before a late one arrives."""

_LOST: Final = ("commit-then-drop", "commit-then-hang")
"""Faults after which a refund that happened is in doubt."""


class CrashContract(SpendBase):
    """Deaths, frozen processes, crowds."""

    @pytest.fixture
    def rig(self, stage: VendorUnderTest, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[CrashHarness]:
        """A gateway on a journal in SQLite."""
        thorough = bool(request.config.getoption("--contract-thorough", default=False))
        with closing(CrashHarness(stage, f"sqlite:///{tmp_path / 'contract.db'}", thorough=thorough)) as rig:
            yield rig

    @for_promise("C1")
    def test_a_killed_process_and_a_repeat_move_money_once(self, rig: CrashHarness) -> None:
        for operation, at, label in rig.points():
            with rig.kill_at(operation, at, label) as trial:
                trial.repeat()
                trial.check(after="repeated")
        for operation, at in rig.waiting():
            with rig.kill_while_waiting(operation, at) as trial:
                trial.repeat()
                trial.check(after="repeated")

    @for_promise("C2")
    def test_recovery_reads_only_and_finds_what_happened(self, rig: CrashHarness) -> None:
        for operation, at, label in rig.points():
            with rig.kill_at(operation, at, label) as trial:
                before, times = len(rig.stage.requests()), trial.deed.times()
                rig.recover()
                sent = changing_of(rig.stage.requests()[before:], rig.reading)
                require(not sent, f"{trial.name}: recovery sent a changing request: {', '.join(sent)}")
                # What was set aside is over by now, released or not.
                moved = operation is not Operation.RELEASE and trial.deed.times() > times
                require(not moved, f"{trial.name}: recovery moved money")
                trial.check(after="recovered")

    @for_promise("C3")
    def test_what_the_gateway_says_under_a_fault_is_true(self, rig: CrashHarness) -> None:
        for operation in rig.operations:
            for fault, at in rig.selected_faults(operation):
                trial = rig.start_case(operation, f"with the fault {fault} at its request {at}")
                with rig.impatient_gateway() as desk:
                    rig.stage.inject_fault(fault, at)
                    error = _error_of(lambda: trial.deed.call(desk.till, trial.reference))  # noqa: B023 - called at once
                    rig.stage.clear_faults()
                trial.judge(error)
                trial.repeat()
                trial.check(after="repeated", loud=error is not None and error.outcome == "unknown")

    @for_promise("S22")
    def test_a_reservation_whose_answer_is_lost_is_made_again_under_its_reference(self, rig: CrashHarness) -> None:
        at, trial = rig.last_change(Operation.RESERVE), rig.start_case(Operation.RESERVE, "whose answer was lost")
        voucher_id = trial.deed.voucher_id
        assert voucher_id is not None
        before = rig.scenes.books().remaining(voucher_id)
        with rig.impatient_gateway() as desk:
            rig.stage.inject_fault("commit-then-drop", at)
            said = _error_of(lambda: trial.call(desk.till))
            rig.stage.clear_faults()
            require(
                said is not None and said.outcome == "unknown", f"{trial.name}: its outcome was not told as unknown"
            )
            try:
                held = trial.call(desk.till)
            except VoucherGatewayError as error:
                fail(f"{trial.name}: the repeat raised {type(error).__name__}: {error.message}")
            desk.till.capture(held, reference=rig.scenes.reference())
        taken = before - rig.scenes.books().remaining(voucher_id)
        require(taken == trial.deed.money, f"{trial.name}, made again and captured: {taken} was taken")

    @for_promise("C4")
    def test_a_frozen_process_keeps_its_operation(self, rig: CrashHarness) -> None:
        operation = rig.main_operation
        for at, label in enumerate(rig.labels(operation)):
            if label not in (SENDING, ANSWERED):
                continue
            trial = rig.start_case(operation, f"frozen {label}")
            with run_until_killed(rig.stage, rig.url, trial.call, at, signal.SIGSTOP) as victim:
                must_have_struck(victim, trial.name)
                victim.wait_frozen()
                expect_error(trial.perform, f"{trial.name}: a repeat by another process", OperationInProgress)
                rig.recover(advancing=False)
                require(trial.state is OperationState.OPEN, f"{trial.name}: recovery took it from a living process")
                victim.resume()
                message = victim.next_message()
                require(message == {"over": "succeeded"}, f"{trial.name}: once awake it came to {message}")
            trial.repeat()
            trial.check(after="repeated")

    @for_promise("C5")
    def test_a_repeat_replays_the_result_and_another_call_conflicts(self, rig: CrashHarness) -> None:
        for operation in rig.operations:
            trial = rig.start_case(operation, "repeated")
            first = trial.perform()
            before = rig.count_changes()
            again = trial.perform()
            require(rig.count_changes() == before, f"{trial.name}: a repeat sent something that changes")
            require(getattr(again, "replayed", False), f"{trial.name}: a repeat does not say that it is one")
            for part in _replayed_fields(first, operation):
                values, was = getattr(again, part, None), getattr(first, part, None)
                require(values == was, f"{trial.name}: a repeat tells another {part} than the first call")
            require(
                trial.deed.times() == int(trial.deed.visible_in_ledger),
                f"{trial.name}: it happened {trial.deed.times()} times",
            )
            if (other := trial.deed.with_other_amount) is not None:
                expect_error(
                    lambda: other(rig.desk.till, trial.reference),  # noqa: B023 - called at once
                    f"{trial.name}: another amount under its reference",
                    ReferenceConflict,
                )

    @for_promise("C6")
    def test_threads_never_overspend_a_voucher(self, rig: CrashHarness) -> None:
        scenes = rig.scenes
        subject = scenes.spendable(SHARES * _SHARE + 21)
        # One that was picked, because none can be issued, may be worth more than was asked for.
        whole = subject.value.amount.scaleb(exponent(subject.value.currency))
        share = scenes.money(int(whole) // SHARES)
        gate = threading.Barrier(_THREADS)

        def spend(number: int) -> str:
            gate.wait()
            reference = f"thread-{number}"
            return came_to(lambda: rig.desk.till.redeem(subject.code, share, reference=reference, wait=20.0))

        with ThreadPoolExecutor(_THREADS) as pool:
            results = list(pool.map(spend, range(_THREADS)))
        gone = subject.value - scenes.books().remaining(subject.id)
        rig.require_sum(gone.amount / share.amount, results, "threads")

    @for_promise("C7")
    def test_both_processes_spend_after_a_fork(self, rig: CrashHarness) -> None:
        rig.start_case(rig.main_operation, "before the fork").perform()
        ours, theirs = (
            rig.start_case(rig.main_operation, f"in the {reference} process") for reference in ("first", "forked")
        )

        def work(say: Callable[[dict[str, str]], None]) -> None:
            # The very gateway and provider that were in use before the fork.
            say({"over": came_to(lambda: theirs.deed.call(rig.desk.till, theirs.reference))})

        with run_forked(work) as child:
            ours.perform()
            message = child.next_message()
        require(message == {"over": "succeeded"}, f"in a forked process the same gateway came to {message['over']}")
        for trial in (ours, theirs):
            trial.check(after="repeated")

    @for_promise("C9")
    def test_a_child_forked_without_hooks_keeps_nothing_of_its_parent(self, rig: CrashHarness) -> None:
        names = ("parent before", *(f"{one} {turn}" for turn in ("first", "second") for one in ("parent", "child")))
        trials = {name: rig.start_case(rig.main_operation, f"in the {name} a fork without hooks") for name in names}

        def server(say: Callable[[dict[str, str]], None]) -> None:
            desk = GatewayProcess.open(rig.stage, rig.url)  # in a process of one thread, as servers fork their workers

            def call(who: str) -> dict[str, str]:
                mine = {name: trial for name, trial in trials.items() if name.startswith(who)}
                return {
                    name: came_to(lambda: trial.deed.call(desk.till, trial.reference))  # noqa: B023 - called at once
                    for name, trial in mine.items()
                }

            before = call("parent before")
            del trials["parent before"]
            with run_forked(lambda tell: tell(call("child")), hooks=False) as child:
                say({**before, **call("parent"), **child.next_message()})

        begun = list(trials.values())
        with run_forked(server) as process:
            said = process.next_message()
        wrong = {name: outcome for name, outcome in said.items() if outcome != "succeeded"}
        require(
            not wrong and said.keys() == trials.keys(), f"with a fork without hooks the same gateway came to {said}"
        )
        for trial in begun:
            trial.check(after="repeated")

    @for_promise("V8")
    def test_an_update_that_arrives_late_undoes_nothing(self, rig: CrashHarness) -> None:
        scenes, till = rig.scenes, rig.desk.till
        subject, changes, reference = scenes.spendable(), scenes.changes(), scenes.reference()
        with rig.impatient_gateway() as desk:
            rig.stage.inject_fault("deliver-late", rig.last_changing(Operation.UPDATE))
            said = _error_of(lambda: desk.till.update(subject.id, changes, reference=reference))
        require(said is not None and said.outcome == "unknown", "an update whose answer was lost is not unknown")
        _error_of(lambda: till.update(subject.id, changes, reference=reference))
        before, share = scenes.books().remaining(subject.id), scenes.money(_SHARE)
        taken = _error_of(lambda: till.redeem(subject.code, share, reference=scenes.reference()))
        for _ in range(_LATE_BY):
            scenes.spendable()
        rig.stage.clear_faults()
        left = scenes.books().remaining(subject.id)
        due = before if taken is not None else before - share
        require(left == due, f"an update that arrived late left {left} on the voucher, where {due} was due")

    @for_promise("S24")
    def test_all_refunds_together_give_back_no_more_than_was_taken(self, rig: CrashHarness) -> None:
        scenes, till = rig.scenes, rig.desk.till
        subject = scenes.spendable()
        taken = till.redeem(subject.code, scenes.money(2000), reference=scenes.reference())
        before = scenes.books().remaining(subject.id)
        fault = next((one for one in _LOST if one in rig.stage.faults), None)
        if fault is not None and Operation.REFUND in rig.can.resolvable:
            with rig.impatient_gateway() as desk:
                rig.stage.inject_fault(fault, rig.last_changing(Operation.REFUND))
                _error_of(lambda: desk.till.refund(taken, scenes.money(500), reference="in-doubt"))
                rig.stage.clear_faults()
        for number, minor in enumerate((700, None, 2000, None, 1)):
            money = None if minor is None else scenes.money(minor)
            _error_of(lambda: till.refund(taken, money, reference=f"back-{number}"))  # noqa: B023 - called at once
            rig.desk.gateway.recover(account=ACCOUNT, everything=True)
            back = scenes.books().remaining(subject.id) - before
            require(back <= taken.money, f"{taken.money} was taken, and {back} was given back")
        require(back == taken.money, f"{taken.money} was taken, and no more than {back} could be given back")
        require(
            not rig.desk.gateway.refundable(taken), "all was given back, and the gateway says that something is left"
        )

    @for_promise("C8")
    def test_journal_and_vendor_agree_in_the_end(self, rig: CrashHarness) -> None:
        for operation in rig.operations:
            if not rig.is_emulated(operation):
                rig.start_case(operation, "reconciled").perform()
        rig.recover()
        rig.desk.gateway.provider(ACCOUNT).check()
        reconciliation = reconcile(rig.desk.gateway, ACCOUNT)
        explanations = [
            f"{difference.kind.value} {difference.verb} {difference.explanation}"
            for difference in reconciliation.differences
        ]
        require(not explanations, f"the journal and the vendor's history differ: {'; '.join(explanations)}")


def _error_of(call: Callable[[], object]) -> VoucherGatewayError | None:
    try:
        call()
    except VoucherGatewayError as error:
        return error
    return None


def _replayed_fields(result: Any, operation: Operation) -> list[str]:
    """Return the names of what a journal keeps of a result: all but what shows secrets and the shop's own data.

    A journal holds no codes, and only that of an issued voucher is found out again.
    """
    not_kept = {"pin", "metadata"} if operation is Operation.ISSUE else {"code", "pin", "metadata"}
    return [field.name for field in attrs.fields(type(result)) if field.eq and field.name not in not_kept]
