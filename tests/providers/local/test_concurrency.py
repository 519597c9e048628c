"""Everybody wants the same voucher at the same moment."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.providers.local.conftest import MakeTill, Till, eur
from voucher_gateway.provider_api import InsufficientValue, VoucherGatewayError
from voucher_gateway_local import LocalSettings, provider
from voucher_gateway_local.open import OpenDatabase, open_book

AtOnce = Callable[[Callable[[], object], int], list[str]]


def in_threads(work: Callable[[int], object], count: int) -> list[str]:
    """Run something in threads that all start at one moment; gives what each came to, or the name of its error."""
    ready = threading.Barrier(count)

    def begin(number: int) -> str:
        ready.wait(30)
        try:
            return str(work(number))
        except VoucherGatewayError as error:
            return type(error).__name__

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_fifty_threads_never_overspend_a_voucher(either_till: Till) -> None:
    code = either_till.code("30.00")
    said = in_threads(lambda number: either_till.redeem(code, "1.00", reference=f"thread-{number}").money, 50)
    assert Counter(said) == {"1.00 EUR": 30, "InsufficientValue": 20}
    assert either_till.remaining(code) == "0.00"


def test_eight_processes_never_overspend_a_voucher(either_till: Till, at_once: AtOnce) -> None:
    code = either_till.code("10.00")

    def work() -> int:
        taken = 0
        for number in range(5):
            with suppress(InsufficientValue):
                either_till.redeem(code, "0.50", reference=f"{os.getpid()}-{number}")
                taken += 1
        return taken

    said = at_once(work, 8)
    assert sum(int(one) for one in said) == 20
    assert either_till.remaining(code) == "0.00"


def test_one_reference_in_many_threads_takes_once(either_till: Till) -> None:
    code = either_till.code("30.00")
    said = in_threads(lambda _: either_till.redeem(code, "10.00", reference="one").id, 12)
    assert set(said) == {"1-2"}
    assert either_till.remaining(code) == "20.00"


def test_one_code_is_given_out_once(either_till: Till) -> None:
    said = in_threads(lambda number: either_till.issue("5.00", code="GIFT-1", reference=f"r-{number}").code, 8)
    assert Counter(one == "DuplicateCode" for one in said) == {True: 7, False: 1}
    assert len(list(either_till.provider.vouchers())) == 1


def test_reservations_of_many_never_hold_more_than_there_is(either_till: Till) -> None:
    code = either_till.code("10.00")
    said = in_threads(lambda number: either_till.reserve(code, "3.00", reference=f"r-{number}").money, 10)
    assert Counter(said) == {"3.00 EUR": 3, "InsufficientValue": 7}


def test_one_reservation_is_captured_or_released_once(either_till: Till) -> None:
    reservation = either_till.reserve(either_till.code("30.00"), "10.00")
    own = either_till.provider

    def end(number: int) -> object:
        if number % 2:
            return own.release(reservation, reference=f"r-{number}").freed
        return own.capture(reservation, reference=f"r-{number}").money

    said = in_threads(end, 10)
    assert len([one for one in said if one in ("True", "10.00 EUR")]) == 1


def test_refunds_and_captures_in_every_order_end_without_a_deadlock(either_till: Till) -> None:
    own = either_till.provider
    codes = [either_till.code("100.00") for _ in range(3)]
    redemptions = [either_till.redeem(code, "50.00") for code in codes]
    reservations = [either_till.reserve(code, "20.00") for code in codes]

    def work(number: int) -> object:
        place = number % 3
        for step in range(4):
            own.refund(redemptions[(place + step) % 3], eur("0.50"), reference=f"back-{number}-{step}")
            own.redeem(codes[(place - step) % 3], eur("0.25"), reference=f"take-{number}-{step}")
        return own.capture(reservations[place], eur("1.00"), reference=f"capture-{place}").money

    said = in_threads(work, 12)
    assert Counter(said) == {"1.00 EUR": 12}  # four threads a reference: one captured, the others heard of it
    left = sum(eur(either_till.remaining(code)).minor for code in codes)
    assert left == 3 * 5000 + 48 * 50 - 48 * 25 - 3 * 100


def test_a_forked_process_goes_on_with_connections_of_its_own(either_till: Till, at_once: AtOnce) -> None:
    code = either_till.code("30.00")
    assert at_once(lambda: either_till.redeem(code, "1.00", reference=str(os.getpid())).money, 3) == ["1.00 EUR"] * 3
    assert either_till.remaining(code) == "27.00"


def test_a_process_forked_while_another_thread_opens_the_database_opens_it_itself(
    make_till: MakeTill, own_url: str, at_once: AtOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = make_till(own_url).code("30.00")
    till, begun, forked = make_till(own_url), threading.Event(), threading.Event()

    def slowly(settings: LocalSettings) -> OpenDatabase:
        if threading.current_thread() is not threading.main_thread():
            begun.set()
            forked.wait(30)
        return open_book(settings)

    def work() -> str:
        signal.alarm(20)  # or a child that waits for ever would be waited for
        return till.remaining(code)

    monkeypatch.setattr(provider, "open_book", slowly)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(till.remaining, code)
        begun.wait(30)
        assert at_once(work, 2) == ["30.00", "30.00"]
        forked.set()
        assert slow.result(30) == "30.00"
