"""A verb of two requests: each has its own intent and key, a crash between them is made good, leftovers are named."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.simulators import make_journal_keys
from tests.support.two_steps import (
    ACTIVATE,
    CREATE,
    ReadsBetween,
    TwoStepProvider,
    TwoStepSettings,
    TwoStepSimulator,
    WithoutKeys,
)
from voucher_gateway import Gateway
from voucher_gateway.http.transport import Transport
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.outcome import Leftover
from voucher_gateway.provider_api import (
    Money,
    NewVoucher,
    Operation,
    OutcomeUnknown,
    ProviderUnavailable,
    Rejected,
    SecretSource,
    Voucher,
)
from voucher_gateway.reconciliation.findings import FindingKind
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.simulator import start

ISSUE = OperationKey("shop", Operation.ISSUE, "2001")
TEN = Money("10.00", "EUR")
EMPTY = "an empty card was left behind at the vendor: c1"
PERHAPS_EMPTY = "an empty card may have been left behind at the vendor"


class CardShop:
    """A shop with a journal and one account at the vendor."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.running = stack.enter_context(start(TwoStepSimulator))
        assert isinstance(self.running.simulator, TwoStepSimulator)
        self.vendor = self.running.simulator
        self._folder = folder
        self._stack = stack
        self.gateway = self.another_gateway()

    def another_gateway(self, kind: type[TwoStepProvider] = TwoStepProvider, *, journal: bool = True) -> Gateway:
        settings = TwoStepSettings(base_url=self.running.announcement["base_url"], token=SecretSource.of("t"), tries=1)
        url = f"sqlite:///{self._folder / 'journal.db'}"
        opened = open_journal(url, make_journal_keys()) if journal else None
        return self._stack.enter_context(Gateway({"shop": kind("shop", settings)}, journal=opened))

    def issue(self, gateway: Gateway | None = None) -> Voucher:
        return (gateway or self.gateway).issue("shop", NewVoucher(initial=TEN), reference="2001")

    def die(self, nth: int, *, after: bool) -> None:
        """Issue in a process that dies before or after its nth changing request."""
        child = os.fork()
        if child == 0:
            send, count = Transport.send, 0

            def dying(transport: Any, request: Any, **options: Any) -> Any:
                nonlocal count
                count += request.method == "POST"
                is_last = request.method == "POST" and count == nth
                if is_last and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                reply = send(transport, request, **options)
                if is_last:
                    os.kill(os.getpid(), signal.SIGKILL)
                return reply

            Transport.send = dying  # type: ignore[assignment,method-assign]  # dies
            try:
                self.issue()
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    def keys(self, path: str) -> set[str]:
        return {
            request.header("X-Key") or ""
            for request in self.running.requests
            if request.method == "POST" and request.path.endswith(path)
        }

    def left_behind(self, gateway: Gateway | None = None) -> list[str]:
        """What the journal knows to be left behind."""
        findings = reconcile(gateway or self.gateway, "shop").findings
        return [finding.explanation for finding in findings if finding.kind is FindingKind.LEFT_BEHIND]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[CardShop]:
    with ExitStack() as stack:
        yield CardShop(tmp_path, stack)


def test_a_card_is_issued_in_two_requests_with_a_key_each(shop: CardShop) -> None:
    card = shop.issue()
    assert (card.initial, shop.vendor.cards) == (TEN, {"c1": 1_000})
    assert len(shop.keys("/cards") | shop.keys("/activation")) == 2
    assert shop.issue().replayed
    assert shop.left_behind() == []


@pytest.mark.parametrize(("nth", "after"), [(1, False), (1, True), (2, False), (2, True)])
def test_after_a_crash_the_repeated_call_goes_on_with_the_same_card(shop: CardShop, nth: int, after: bool) -> None:
    shop.die(nth, after=after)
    card = shop.issue(shop.another_gateway())
    assert (card.id, shop.vendor.cards) == ("c1", {"c1": 1_000})
    assert (len(shop.keys("/cards")), len(shop.keys("/activation"))) == (1, 1)
    assert shop.left_behind() == []


@pytest.mark.parametrize(("nth", "after"), [(1, False), (1, True), (2, False), (2, True)])
def test_recover_says_what_a_crash_left_behind_and_the_repeated_call_still_uses_it(
    shop: CardShop, nth: int, after: bool
) -> None:
    shop.die(nth, after=after)
    gateway = shop.another_gateway()
    (resolution,) = gateway.recover(everything=True)
    if nth == 1:  # what prepares the call moves nothing
        assert resolution.state is OperationState.NOT_EXECUTED
        assert resolution.left_behind == (Leftover("an empty card", None, is_certain=False),)
        assert resolution.reason == "only what prepares the issue was sent, which moves nothing"
        assert shop.left_behind(gateway) == [PERHAPS_EMPTY]
    else:
        assert resolution.state is (OperationState.SUCCEEDED if after else OperationState.UNKNOWN)
        assert resolution.left_behind == ()
    assert shop.issue(gateway).id == "c1"
    assert shop.vendor.cards == {"c1": 1_000}
    assert shop.left_behind(gateway) == []


@pytest.mark.parametrize("fault", ["drop-before", "commit-then-drop"])
@pytest.mark.parametrize("step", [CREATE, ACTIVATE])
def test_after_a_lost_answer_the_repeated_call_goes_on_with_the_same_card(
    shop: CardShop, step: str, fault: str
) -> None:
    shop.running.inject(fault, step)
    with pytest.raises(OutcomeUnknown) as lost:
        shop.issue()
    if step == CREATE:
        assert lost.value.message.endswith(PERHAPS_EMPTY)
        assert lost.value.ticket is not None
        assert lost.value.ticket.notes["leaves"] == "an empty card"
    assert shop.issue().id == "c1"
    assert shop.vendor.cards == {"c1": 1_000}
    assert shop.left_behind() == []


def test_a_refused_activation_leaves_an_empty_card_which_the_error_and_the_journal_name(shop: CardShop) -> None:
    shop.vendor.refuses = True
    with pytest.raises(Rejected) as refused:
        shop.issue()
    assert refused.value.message == f"the vendor says too_much; {EMPTY}"
    resolution = shop.gateway.resolve(ISSUE)
    assert (resolution.state, resolution.left_behind) == (
        OperationState.DECLINED,
        (Leftover("an empty card", "c1", is_certain=True),),
    )
    assert EMPTY in resolution.reason
    assert shop.left_behind() == [EMPTY]
    # A new attempt has new keys, because the vendor may keep the refusal under the old one.
    shop.vendor.refuses = False
    assert shop.issue().id == "c2"
    assert shop.vendor.cards == {"c1": None, "c2": 1_000}
    assert shop.left_behind() == [EMPTY]


def test_an_activation_that_was_not_executed_is_repeated_with_the_same_card(shop: CardShop) -> None:
    shop.running.inject("rate-limit", ACTIVATE)
    with pytest.raises(Exception, match=EMPTY) as limited:
        shop.issue()
    assert getattr(limited.value, "outcome", None) == "not_executed"
    assert shop.left_behind() == [EMPTY]
    assert shop.issue().id == "c1"
    assert shop.vendor.cards == {"c1": 1_000}
    assert shop.left_behind() == []


def test_an_error_of_a_read_between_the_requests_is_not_in_doubt(shop: CardShop) -> None:
    gateway = shop.another_gateway(ReadsBetween)
    shop.vendor.reads_fail = True
    with pytest.raises(ProviderUnavailable) as failed:
        shop.issue(gateway)
    assert failed.value.message.endswith(EMPTY)
    assert gateway.resolve(ISSUE).state is OperationState.NOT_EXECUTED
    shop.vendor.reads_fail = False
    assert shop.issue(gateway).id == "c1"
    assert shop.vendor.cards == {"c1": 1_000}


@pytest.mark.parametrize("journal", [True, False])
def test_without_keys_a_new_card_is_made_and_the_other_one_is_named(shop: CardShop, journal: bool) -> None:
    gateway = shop.another_gateway(WithoutKeys, journal=journal)
    shop.running.inject("commit-then-drop", CREATE)
    with pytest.raises(OutcomeUnknown, match=PERHAPS_EMPTY):
        shop.issue(gateway)
    assert shop.issue(gateway).id == "c2"
    assert shop.vendor.cards == {"c1": None, "c2": 1_000}
    if journal:
        assert shop.left_behind(gateway) == [PERHAPS_EMPTY]


def test_without_keys_an_activation_in_doubt_is_never_sent_again(shop: CardShop) -> None:
    gateway = shop.another_gateway(WithoutKeys)
    shop.running.inject("drop-before", ACTIVATE)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            shop.issue(gateway)
    assert shop.vendor.cards == {"c1": None}
    assert gateway.resolve(ISSUE).state is OperationState.UNKNOWN


def test_a_key_that_is_over_is_not_used_again(shop: CardShop) -> None:
    """The vendor would make another card under it, and the activation would be of another card."""
    shop.die(1, after=True)
    shop.vendor.keys.forget(next(iter(shop.keys("/cards"))))
    gateway = shop.another_gateway()
    assert shop.issue(gateway).id == "c2"
    assert shop.vendor.cards == {"c1": None, "c2": 1_000}


def test_an_activation_in_doubt_is_not_sent_for_another_card(shop: CardShop) -> None:
    shop.running.inject("drop-before", ACTIVATE)
    with pytest.raises(OutcomeUnknown):
        shop.issue()
    shop.vendor.keys.forget(next(iter(shop.keys("/cards"))))  # earlier than the vendor promises
    with pytest.raises(OutcomeUnknown, match="the request differs from the one whose key it has"):
        shop.issue()
    assert shop.vendor.cards == {"c1": None, "c2": None}
