"""Finding out later what became of operations: only by reading, safely from several processes, or by a person."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from voucher_gateway import Gateway
from voucher_gateway.execution.resolution import FIRST_LOOKUP_INTERVAL, MAX_LOOKUP_INTERVAL
from voucher_gateway.http.transport import Transport
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.journal.schema import operations
from voucher_gateway.provider_api import (
    Code,
    ConfigurationError,
    Effect,
    InsufficientValue,
    InvalidRequest,
    Money,
    NewVoucher,
    Operation,
    OperationInProgress,
    Outcome,
    OutcomeUnknown,
    Redemption,
    Ticket,
    Voucher,
    now,
)

if TYPE_CHECKING:
    from tests.support.shop import Shop

TEN = Money("10.00", "EUR")
REDEEM = OperationKey("shop", Operation.REDEEM, "1001-a")
CHARGE = "POST /v1/reservations/*/charge"


def _in_doubt(shop: Shop, fault: str, reference: str = "1001-a") -> tuple[str, str, Ticket]:
    """Redeem with a fault at the charge; return the voucher, its code and the ticket."""
    voucher_id, code = shop.voucher()
    shop.running.inject(fault, CHARGE)
    with pytest.raises(OutcomeUnknown) as caught:
        shop.redeem(code, reference=reference, order="1001")
    return voucher_id, code, caught.value.ticket


def test_recover_finds_what_happened_and_changes_nothing(either_shop: Shop) -> None:
    voucher_id, code, _ = _in_doubt(either_shop, "commit-then-drop")
    before = either_shop.changes()
    resolutions = either_shop.gateway.recover()
    assert [(one.reference, one.state) for one in resolutions] == [("1001-a", OperationState.SUCCEEDED)]
    assert either_shop.changes() == before
    assert either_shop.redeem(code, order="1001").replayed
    assert either_shop.remaining(voucher_id) == "40.00"
    assert either_shop.gateway.recover() == []


@pytest.mark.parametrize("dies", ["before", "after"])
def test_recover_takes_over_from_a_worker_that_was_killed(either_shop: Shop, dies: str) -> None:
    """The row is written; whether the request left or not, only the vendor can tell."""
    voucher_id, code = either_shop.voucher()
    child = os.fork()
    if child == 0:
        provider = either_shop.gateway.provider("shop")
        real = provider.capture

        def killed(*args: Any, **named: Any) -> Any:
            if dies == "after":
                real(*args, **named)
            os.kill(os.getpid(), signal.SIGKILL)

        if dies == "after":
            provider.capture = killed  # type: ignore[method-assign]  # dies with the answer in its hands
        else:
            send = Transport.send

            def dying(self: Any, request: Any, **options: Any) -> Any:
                if request.url.endswith("/charge"):
                    os.kill(os.getpid(), signal.SIGKILL)
                return send(self, request, **options)

            Transport.send = dying  # type: ignore[method-assign]  # dies between the row and the request
        try:
            either_shop.redeem(code)
        finally:
            os._exit(1)  # an error must not let the child go on as a second pytest
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    gateway = either_shop.another_gateway()
    resolutions = gateway.recover()
    assert [one.state for one in resolutions] == [
        OperationState.UNKNOWN if dies == "before" else OperationState.SUCCEEDED
    ]
    if dies == "before":
        either_shop.running.clock.advance(3600)
        assert [one.state for one in gateway.recover(everything=True)] == [OperationState.NOT_EXECUTED]
    assert gateway.redeem("shop", code, TEN, reference="1001-a").replayed == (dies == "after")
    assert either_shop.charges() == 1
    assert either_shop.remaining(voucher_id) == "40.00"


def test_look_ups_in_vain_grow_rare(shop: Shop) -> None:
    _in_doubt(shop, "drop-before")
    waits = []
    for _ in range(12):
        shop.gateway.recover(everything=True)
        entry = shop.journal.find(REDEEM)
        assert entry is not None
        assert entry.check_at is not None
        waits.append(round((entry.check_at - now()) / timedelta(minutes=1)))
    assert waits[:4] == [1, 2, 4, 8]
    assert timedelta(minutes=1) == FIRST_LOOKUP_INTERVAL
    assert waits[-1] == MAX_LOOKUP_INTERVAL / timedelta(minutes=1)
    before = len(shop.running.requests)
    assert shop.gateway.recover() == []  # nothing is due yet
    assert len(shop.running.requests) == before


def test_two_that_recover_at_once_do_not_disturb_each_other(either_shop: Shop) -> None:
    for number in range(6):
        _in_doubt(either_shop, "commit-then-drop" if number % 2 else "drop-before", reference=f"r-{number}")
    gateways = [either_shop.another_gateway() for _ in range(3)]
    found: list[Any] = []
    before = either_shop.changes()
    threads = [threading.Thread(target=lambda one=one: found.extend(one.recover())) for one in gateways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.reference for one in found} == {f"r-{number}" for number in range(6)}
    states = {entry.key.reference: entry.state for entry in either_shop.gateway.operations()}
    assert states == {f"r-{n}": OperationState.SUCCEEDED if n % 2 else OperationState.UNKNOWN for n in range(6)}
    assert either_shop.changes() == before


def test_recover_may_be_told_of_one_account(shop: Shop) -> None:
    _in_doubt(shop, "commit-then-drop")
    assert shop.gateway.recover(account="another") == []
    assert len(shop.gateway.recover(account="shop")) == 1


def test_nothing_is_looked_up_at_another_host(shop: Shop, make_shop: Callable[..., Shop]) -> None:
    _, _, ticket = _in_doubt(shop, "commit-then-drop")
    other = make_shop(shop.url)
    with pytest.raises(ConfigurationError, match="must not be looked up"):
        other.gateway.resolve(ticket)
    with pytest.raises(ConfigurationError, match="must not be looked up"):
        other.gateway.resolve(REDEEM)
    assert other.running.requests == []
    assert shop.gateway.resolve(ticket).state is OperationState.SUCCEEDED


def test_nothing_is_looked_up_by_another_login(shop: Shop) -> None:
    _, _, ticket = _in_doubt(shop, "commit-then-drop")
    before = len(shop.running.requests)
    with pytest.raises(ConfigurationError, match="must not be looked up"):
        shop.another_gateway(client_id="somebody-else").resolve(ticket)
    assert len(shop.running.requests) == before


def test_an_account_that_leads_elsewhere_does_not_keep_the_others_from_recovery(
    shop: Shop, make_shop: Callable[..., Shop]
) -> None:
    _in_doubt(shop, "commit-then-drop", reference="at-the-first")
    other = make_shop(shop.url)
    _in_doubt(other, "commit-then-drop", reference="at-the-second")
    resolutions = {one.reference: one for one in other.gateway.recover()}
    assert resolutions["at-the-second"].state is OperationState.SUCCEEDED
    assert resolutions["at-the-first"].state is OperationState.UNKNOWN
    assert "must not be looked up" in resolutions["at-the-first"].reason


def test_a_ticket_is_json_without_the_code(shop: Shop) -> None:
    _, code, ticket = _in_doubt(shop, "commit-then-drop")
    text = ticket.to_json()
    assert code not in text
    fields = json.loads(text)
    assert {fields["account"], fields["verb"], fields["reference"]} == {"shop", "redeem", "1001-a"}
    assert Ticket.from_json(text) == ticket
    resolution = shop.another_gateway().resolve(text)
    assert (resolution.state, resolution.reference) == (OperationState.SUCCEEDED, "1001-a")


def test_a_ticket_can_be_resolved_without_a_journal(shop: Shop) -> None:
    _, _, ticket = _in_doubt(shop, "commit-then-drop")
    with Gateway({"shop": shop.provider()}) as bare:
        outcome = bare.resolve(ticket.to_json())
        assert outcome.state is OperationState.SUCCEEDED
        with pytest.raises(ConfigurationError, match="only a ticket"):
            bare.resolve(REDEEM)
        with pytest.raises(ConfigurationError, match="needs a journal"):
            bare.recover()


def test_a_ticket_of_a_call_without_a_journal_can_be_resolved_with_one(shop: Shop) -> None:
    _, code = shop.voucher()
    with Gateway({"shop": shop.provider()}) as bare:
        shop.running.inject("commit-then-drop", CHARGE)
        with pytest.raises(OutcomeUnknown) as caught:
            bare.redeem("shop", code, TEN, reference="no-journal")
    assert shop.gateway.resolve(caught.value.ticket.to_json()).state is OperationState.SUCCEEDED
    assert list(shop.gateway.operations()) == []


def test_a_key_of_nothing_is_refused(shop: Shop) -> None:
    with pytest.raises(InvalidRequest, match="no such operation"):
        shop.gateway.resolve(REDEEM)


def test_what_is_settled_already_is_told_without_a_request(shop: Shop) -> None:
    _, code = shop.voucher()
    made = shop.redeem(code)
    before = len(shop.running.requests)
    resolution = shop.gateway.resolve(REDEEM)
    assert (resolution.state, resolution.result) == (OperationState.SUCCEEDED, made)
    assert len(shop.running.requests) == before


# --- a person's word ---


def test_a_person_may_decide_that_it_happened(shop: Shop) -> None:
    _, code, _ = _in_doubt(shop, "drop-before")
    decided = shop.gateway.decide(REDEEM, succeeded=True, by="Ada", reason="the till's receipt shows it")
    assert decided.state is OperationState.SUCCEEDED
    entry = shop.journal.find(REDEEM)
    assert entry is not None
    assert (entry.decided_by, entry.decision) == ("Ada", "the till's receipt shows it")
    before = len(shop.running.requests)
    replayed = shop.redeem(code, order="1001")
    assert (replayed.replayed, replayed.money) == (True, TEN)
    assert len(shop.running.requests) == before


def test_a_person_may_decide_that_it_did_not_and_the_call_runs_again(shop: Shop) -> None:
    voucher_id, code, _ = _in_doubt(shop, "drop-before")
    shop.gateway.decide(REDEEM, succeeded=False, by="Ada", reason="asked the vendor")
    assert not shop.redeem(code, order="1001").replayed
    assert shop.remaining(voucher_id) == "40.00"


def test_a_second_decision_corrects_the_first_and_both_are_kept(shop: Shop) -> None:
    voucher_id, code, _ = _in_doubt(shop, "drop-before")
    shop.gateway.decide(REDEEM, succeeded=True, by="Ada", reason="seen")
    corrected = shop.gateway.decide(REDEEM, succeeded=False, by="Bob", reason="the history does not have it")
    assert (corrected.state, corrected.result) == (OperationState.NOT_EXECUTED, None)
    entry = shop.journal.find(REDEEM)
    assert entry is not None
    assert (entry.state, entry.decided_by) == (OperationState.NOT_EXECUTED, "Bob")
    assert entry.decision == "the history does not have it (before, Ada decided that it had happened: seen)"
    assert not shop.redeem(code, order="1001").replayed
    assert shop.remaining(voucher_id) == "40.00"
    with pytest.raises(
        InvalidRequest, match="nothing is to be decided"
    ):  # no person decided what the vendor has answered
        shop.gateway.decide(REDEEM, succeeded=False, by="Ada", reason="again")


def test_a_decision_is_corrected_in_both_directions_and_not_repeated(shop: Shop) -> None:
    _, code, _ = _in_doubt(shop, "drop-before")
    shop.gateway.decide(REDEEM, succeeded=False, by="Ada", reason="asked")
    with pytest.raises(InvalidRequest, match="Ada has decided so already"):
        shop.gateway.decide(REDEEM, succeeded=False, by="Bob", reason="asked too")
    shop.gateway.decide(REDEEM, succeeded=True, by="Bob", reason="the receipt")
    assert shop.redeem(code, order="1001").replayed


def test_a_correction_never_contradicts_what_the_vendor_shows(shop: Shop) -> None:
    shop.running.inject("commit-then-drop", CHARGE)
    _, code = shop.voucher()
    shop.running.inject("error-before", "GET /*", times=0)
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code, order="1001")
    shop.gateway.decide(REDEEM, succeeded=False, by="Ada", reason="a guess")
    shop.running.clear_faults()
    corrected = shop.gateway.decide(REDEEM, succeeded=True, by="Bob", reason="seen in the history")
    assert corrected.state is OperationState.SUCCEEDED
    with pytest.raises(InvalidRequest, match="the vendor shows the contrary"):
        shop.gateway.decide(REDEEM, succeeded=False, by="Ada", reason="no, I am sure")


def test_a_wrong_decision_is_corrected_also_after_the_vendor_refused_the_next_attempt(shop: Shop) -> None:
    voucher_id, code, _ = _in_doubt(shop, "drop-before")
    shop.gateway.decide(REDEEM, succeeded=False, by="Ada", reason="not seen")
    shop.redeem(code, "45.00", reference="1002-a", if_held="replace")
    with pytest.raises(InsufficientValue):
        shop.redeem(code, order="1001")
    with pytest.raises(InvalidRequest, match="Ada has decided so already"):
        shop.gateway.decide(REDEEM, succeeded=False, by="Bob", reason="not seen")
    corrected = shop.gateway.decide(REDEEM, succeeded=True, by="Bob", reason="the receipt")
    assert corrected.state is OperationState.SUCCEEDED
    assert shop.redeem(code, order="1001").replayed
    assert shop.remaining(voucher_id) == "5.00"
    assert shop.gateway.verify_journal().is_clean


def test_a_redemption_with_a_refund_stays_as_it_was_decided(shop: Shop) -> None:
    _in_doubt(shop, "drop-before")
    decided = shop.gateway.decide(REDEEM, succeeded=True, by="Ada", reason="seen")
    assert isinstance(decided.result, Redemption)
    entry = shop.journal.find(REDEEM)
    assert entry is not None
    with shop.journal.database.write() as connection:
        row = dict(connection.execute(sa.select(operations).where(operations.c.id == entry.id)).mappings().one())
        row |= {"id": "0" * 32, "verb": "refund", "reference": "back", "target": decided.result.id, "result": None}
        connection.execute(sa.insert(operations).values(row))
    with pytest.raises(InvalidRequest, match="the refund 'back' depends on it"):
        shop.gateway.decide(REDEEM, succeeded=False, by="Bob", reason="no")


ISSUE = OperationKey("shop", Operation.ISSUE, "new-1")


def _issue_in_doubt(
    shop: Shop, fault: str, monkeypatch: pytest.MonkeyPatch, code: str | None = "NEW-CODE-0001"
) -> None:
    """Issue a voucher with a fault, at a vendor that cannot be asked what became of it."""
    unknown = Outcome(effect=Effect.UNKNOWN, reason="nothing shows it")
    monkeypatch.setattr(type(shop.gateway.provider("shop")), "resolve", lambda *_, **__: unknown)
    shop.running.inject(fault, "POST */vouchers", times=1)
    with pytest.raises(OutcomeUnknown):
        shop.gateway.issue("shop", NewVoucher(initial=TEN, code=code and Code(code)), reference="new-1")


def test_a_voucher_that_a_person_says_was_issued_is_read_by_its_id(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    _issue_in_doubt(shop, "commit-then-drop", monkeypatch)
    with pytest.raises(InvalidRequest, match="name its id at the vendor") as refused:
        shop.gateway.decide(ISSUE, succeeded=True, by="Ada", reason="seen")
    assert refused.value.field == "voucher_id"
    other, _ = shop.voucher()
    for id, message in (("nowhere", "no voucher with this id"), (other, "and the operation issued one of 10.00 EUR")):
        with pytest.raises(InvalidRequest, match=message):
            shop.gateway.decide(ISSUE, succeeded=True, by="Ada", reason="seen", voucher_id=id)
    (issued,) = [voucher.id for voucher in shop.gateway.vouchers("shop") if voucher.initial == TEN]
    decided = shop.gateway.decide(ISSUE, succeeded=True, by="Ada", reason="seen", voucher_id=issued)
    assert decided.state is OperationState.SUCCEEDED
    assert isinstance(decided.result, Voucher)
    assert (decided.result.id, decided.result.initial) == (issued, TEN)
    again = shop.gateway.issue("shop", NewVoucher(initial=TEN, code=Code("NEW-CODE-0001")), reference="new-1")
    assert (again.id, again.replayed) == (issued, True)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (None, "the operation 'new-0' has issued that voucher"),
        ("NEW-CODE-0001", "another code than the operation chose"),
    ],
)
def test_a_voucher_that_another_operation_issued_is_not_taken_for_this_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, code: str | None, message: str
) -> None:
    first = shop.gateway.issue("shop", NewVoucher(initial=TEN), reference="new-0")
    _issue_in_doubt(shop, "drop-before", monkeypatch, code)
    with pytest.raises(InvalidRequest, match=message):
        shop.gateway.decide(ISSUE, succeeded=True, by="Ada", reason="seen", voucher_id=first.id)


def test_a_decision_about_an_issue_can_be_corrected_to_name_the_voucher(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _issue_in_doubt(shop, "commit-then-drop", monkeypatch)
    shop.gateway.decide(ISSUE, succeeded=False, by="Ada", reason="not seen")
    (issued,) = [voucher.id for voucher in shop.gateway.vouchers("shop") if voucher.initial == TEN]
    shop.gateway.decide(ISSUE, succeeded=True, by="Bob", reason="seen", voucher_id=issued)
    entry = shop.journal.find(ISSUE)
    assert entry is not None
    assert (entry.state, entry.voucher_id, entry.decided_by) == (OperationState.SUCCEEDED, issued, "Bob")


def test_an_id_is_only_for_an_issue_that_happened(shop: Shop) -> None:
    _in_doubt(shop, "drop-before")
    with pytest.raises(InvalidRequest, match="only for an issue that happened"):
        shop.gateway.decide(REDEEM, succeeded=True, by="Ada", reason="seen", voucher_id="v-1")


def test_nobody_decides_against_what_the_vendor_shows(shop: Shop) -> None:
    _in_doubt(shop, "commit-then-drop")
    with pytest.raises(InvalidRequest, match="succeeded"):
        shop.gateway.decide(REDEEM, succeeded=False, by="Ada", reason="a guess")


@pytest.mark.parametrize(("by", "reason"), [("", "seen"), ("  ", "seen"), ("Ada", ""), ("Ada", " ")])
def test_a_decision_needs_a_name_and_a_reason(shop: Shop, by: str, reason: str) -> None:
    _in_doubt(shop, "drop-before")
    with pytest.raises(InvalidRequest, match="name and a reason"):
        shop.gateway.decide(REDEEM, succeeded=True, by=by, reason=reason)


def test_what_a_live_worker_is_on_is_not_decided(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.running.inject("slow", CHARGE, delay_s=0.4)
    worker = threading.Thread(target=shop.redeem, args=(code,))
    worker.start()
    while shop.charges() == 0:
        pass
    with pytest.raises(OperationInProgress):
        shop.gateway.decide(REDEEM, succeeded=False, by="Ada", reason="too fast")
    worker.join()
