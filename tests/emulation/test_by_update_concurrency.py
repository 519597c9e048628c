"""Overwriting a value beside others: what can be seen is told with the evidence, what may have run is unknown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway import (
    ConcurrentModification,
    Gateway,
    InsufficientValue,
    MalformedResponse,
    Money,
    OutcomeUnknown,
    ProviderUnavailable,
    Redemption,
    Ticket,
    VoucherNotFound,
)
from voucher_gateway.emulation.registry import RISKS
from voucher_gateway.execution.direct import KeyedLocks

if TYPE_CHECKING:
    from tests.emulation.conftest import Slate

GatewayTo = Callable[..., Gateway]
CODE = "V-0001"
TICKET = Ticket(account="shop", provider="slate", host="slate.test", verb="redeem")


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.fixture
def gateway(slate: Slate, gateway_to: GatewayTo) -> Gateway:
    return gateway_to(slate)


def calls(gateway: Gateway) -> dict[str, Callable[[], object]]:
    taken = Redemption(account="shop", id="r", voucher_id="v", money=euros("10"))
    return {
        "redeem": lambda: gateway.redeem("shop", CODE, euros("10"), reference="r-1", order="1001"),
        "refund": lambda: gateway.refund("shop", taken, reference="r-1", order="1001"),
        "top_up": lambda: gateway.top_up("shop", "v", euros("10"), reference="r-1", order="1001"),
    }


def failing(error: Exception) -> Callable[[], object]:
    def fail() -> object:
        raise error

    return fail


@pytest.mark.parametrize("verb", ["redeem", "refund", "top_up"])
def test_a_checkout_between_reading_and_writing_is_told_and_not_undone(
    slate: Slate, gateway: Gateway, verb: str
) -> None:
    entry = slate.books.of(id="v")

    def checkout() -> None:
        entry.remaining -= euros("5")

    slate.books.at["before-write"] = [checkout]
    with pytest.raises(ConcurrentModification) as caught:
        calls(gateway)[verb]()
    written = euros("40") if verb == "redeem" else euros("60")
    assert caught.value.evidence == {
        "value before": "50.00 EUR",
        "value written": str(written),
        "value after": str(written),
        "remaining before": "50.00 EUR",
        "remaining after": str(written - euros("5")),
    }
    assert (entry.value, entry.remaining) == (written, written - euros("5"))


def test_an_overwrite_by_somebody_else_right_after_ours_is_told_and_left_alone(slate: Slate, gateway: Gateway) -> None:
    entry = slate.books.of(id="v")

    def overwrite() -> None:
        entry.value = entry.remaining = euros("77")

    slate.books.at["after-write"] = [overwrite]
    with pytest.raises(ConcurrentModification) as caught:
        calls(gateway)["redeem"]()
    assert caught.value.evidence["value written"] == "40.00 EUR"
    assert caught.value.evidence["value after"] == "77.00 EUR"
    assert (entry.value, entry.remaining) == (euros("77"), euros("77"))
    assert slate.books.log == [("redeem", "r-1")]


def test_a_change_that_shows_in_the_value_alone_is_told_too(slate: Slate, gateway: Gateway) -> None:
    # Somebody added 5 to the value, and a checkout took 5: what remains is what we expect all the same.
    entry = slate.books.of(id="v")
    slate.books.at["after-write"] = [lambda: setattr(entry, "value", entry.value + euros("5"))]
    with pytest.raises(ConcurrentModification) as caught:
        calls(gateway)["redeem"]()
    assert (caught.value.evidence["value after"], caught.value.evidence["remaining after"]) == (
        "45.00 EUR",
        "40.00 EUR",
    )


def test_a_concurrent_modification_is_no_call_to_repeat_and_comes_with_a_ticket(slate: Slate, gateway: Gateway) -> None:
    entry = slate.books.of(id="v")
    slate.books.at["after-write"] = [lambda: setattr(entry, "remaining", euros("1"))]
    with pytest.raises(ConcurrentModification) as caught:
        calls(gateway)["redeem"]()
    error = caught.value
    assert (error.outcome, error.retry_safe, error.account, error.operation) == ("unknown", False, "shop", "redeem")
    assert error.ticket is not None
    assert (error.ticket.verb, error.ticket.voucher_id, error.ticket.order) == ("redeem", "v", "1001")
    assert (error.ticket.amount, error.ticket.currency) == ("10.00", "EUR")
    assert CODE not in f"{error!r} {error} {error.evidence} {error.ticket}"


def test_what_cannot_be_seen_is_said_in_the_risk_that_must_be_accepted(slate: Slate, gateway: Gateway) -> None:
    # Somebody sets the value to 45 after we read it: our 40 takes its place, and nobody can tell by looking.
    entry = slate.books.of(id="v")

    def overwrite() -> None:
        entry.value = entry.remaining = euros("45")

    slate.books.at["before-write"] = [overwrite]
    calls(gateway)["redeem"]()
    assert entry.remaining == euros("40")
    assert "can be lost" in RISKS["redeem-by-update"]
    assert "cannot even be seen" in RISKS["redeem-by-update"]


@pytest.mark.parametrize(
    "error",
    [
        ProviderUnavailable("the vendor is gone"),
        MalformedResponse("balance: is missing"),
        VoucherNotFound("the vendor knows no such voucher"),
        KeyError("a mistake in the adapter"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("verb", ["redeem", "refund", "top_up"])
def test_if_the_value_cannot_be_read_back_the_outcome_is_unknown(
    slate: Slate, gateway: Gateway, verb: str, error: Exception
) -> None:
    slate.books.at["before-read"] = [lambda: None, failing(error)]
    with pytest.raises(OutcomeUnknown) as caught:
        calls(gateway)[verb]()
    assert (caught.value.outcome, caught.value.retry_safe) == ("unknown", False)
    ticket = caught.value.ticket
    assert (ticket.verb, ticket.voucher_id, ticket.reference) == (verb, "v", "r-1")
    after = "40.00 EUR" if verb == "redeem" else "60.00 EUR"
    assert (ticket.notes["value_before"], ticket.notes["value_after"]) == ("50.00 EUR", after)
    assert slate.books.of(id="v").value == (euros("40") if verb == "redeem" else euros("60"))


def test_what_the_text_of_an_adapters_mistake_says_is_not_passed_on(slate: Slate, gateway: Gateway) -> None:
    slate.books.at["before-read"] = [lambda: None, failing(ValueError(f"no balance of {CODE}"))]
    with pytest.raises(OutcomeUnknown) as caught:
        calls(gateway)["redeem"]()
    assert "ValueError" in caught.value.message
    assert CODE not in f"{caught.value!r} {caught.value.ticket}"


@pytest.mark.parametrize("moment", ["before-read-by-code", "before-read", "before-write"])
def test_what_fails_before_the_value_is_written_surely_did_nothing(slate: Slate, gateway: Gateway, moment: str) -> None:
    slate.books.at[moment] = [failing(ProviderUnavailable("the vendor is gone"))]
    with pytest.raises(ProviderUnavailable):
        calls(gateway)["redeem"]()
    assert slate.books.of(id="v").value == euros("50")
    calls(gateway)["redeem"]()
    assert slate.books.of(id="v").value == euros("40")


def test_an_unknown_outcome_of_the_writing_is_passed_on_and_nothing_is_written_again(
    slate: Slate, gateway: Gateway
) -> None:
    slate.books.at["after-write"] = [failing(OutcomeUnknown("no answer", ticket=TICKET))]
    with pytest.raises(OutcomeUnknown) as caught:
        calls(gateway)["redeem"]()
    assert caught.value.ticket is TICKET
    assert slate.books.log == [("redeem", "r-1")]


@pytest.mark.parametrize("moment", ["before-read", "before-write", "after-write"])
def test_the_voucher_is_free_again_after_every_failure(slate: Slate, gateway: Gateway, moment: str) -> None:
    for error in (ProviderUnavailable("gone"), KeyError("a mistake"), KeyboardInterrupt()):
        slate.books.at[moment] = [failing(error)]  # type: ignore[arg-type]  # an interrupt is no Exception
        with pytest.raises(type(error)):
            calls(gateway)["redeem"]()
    with ThreadPoolExecutor(1) as pool:  # a thread that did not hold the lock before
        assert pool.submit(calls(gateway)["top_up"]).result(timeout=10)


def test_fifty_threads_never_overspend_a_voucher(slate: Slate, gateway: Gateway) -> None:
    entry = slate.books.of(id="v")
    entry.value = entry.remaining = euros("30")
    slate.books.at["before-write"] = [lambda: time.sleep(0.0005)] * 100
    together = threading.Barrier(50)

    def spend(number: int) -> object:
        together.wait(10)
        try:
            return gateway.redeem("shop", CODE, euros("1"), reference=f"r-{number}")
        except InsufficientValue as error:
            return error

    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(spend, range(50)))
    taken = [result for result in results if isinstance(result, Redemption)]
    assert len(taken) == 30
    assert sorted(redemption.remaining.minor for redemption in taken if redemption.remaining) == list(
        range(1_00, 30_00, 1_00)
    )
    assert (entry.value, entry.remaining) == (euros("0"), euros("0"))


def test_two_gateways_of_one_process_keep_off_each_others_vouchers(slate: Slate, gateway_to: GatewayTo) -> None:
    gateways = [gateway_to(slate), gateway_to(slate)]
    slate.books.at["before-write"] = [lambda: time.sleep(0.0005)] * 40

    def spend(number: int) -> object:
        return gateways[number % 2].redeem("shop", CODE, euros("1"), reference=f"r-{number}")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(spend, range(20)))
    assert slate.books.of(id="v").remaining == euros("30")


def test_vouchers_are_locked_each_for_itself() -> None:
    locks = KeyedLocks()

    def take(host: str, id: str) -> None:
        with locks.hold(host, id):
            pass

    with ThreadPoolExecutor(3) as pool:
        with locks.hold("one.test", "v"):
            waiting = pool.submit(take, "one.test", "v")
            pool.submit(take, "one.test", "w").result(timeout=10)
            pool.submit(take, "two.test", "v").result(timeout=10)
            assert not waiting.done()
        waiting.result(timeout=10)


def test_locks_that_nobody_holds_take_no_memory() -> None:
    locks = KeyedLocks()

    def use(number: int) -> None:
        with locks.hold("one.test", f"v-{number % 7}"):
            time.sleep(0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(500)))
    assert locks._locks == {}


@given(
    outsider=st.sampled_from(["before-read", "after-read", "before-write", "after-write"]),
    kind=st.sampled_from(["checkout", "overwrite"]),
    amount=st.integers(1, 20_00),
)
def test_a_success_is_never_claimed_while_the_books_disagree(
    slates: type[Slate], gateway_to: GatewayTo, outsider: str, kind: str, amount: int
) -> None:
    """Whenever a redemption succeeds, what it says remains is what the vendor has, whoever else was there."""
    slate = slates()
    entry = slate.books.add("50.00")
    change = Money.from_minor(amount, "EUR")

    def interfere() -> None:
        entry.remaining -= change
        if kind == "overwrite":
            entry.value -= change

    slate.books.at[outsider] = [interfere]
    told: str
    try:
        told = str(gateway_to(slate).redeem("shop", CODE, euros("10"), reference="r-1").remaining)
    except ConcurrentModification as error:
        told = error.evidence["remaining after"]
    assert told == str(entry.remaining)
