"""One gateway for many threads, and for the children that a process forks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.support.forked_child import run_in_child
from tests.support.threads import run_numbered_threads
from voucher_gateway import (
    Account,
    Capabilities,
    Declined,
    Gateway,
    Money,
    NewVoucher,
    Operation,
    Redemption,
    Voucher,
    VoucherNotFound,
    VoucherProvider,
)
from voucher_gateway.execution.direct import KeyedLocks
from voucher_gateway.provider_api import CodeRules, Expiry, ListingRules, native
from voucher_gateway.simulator import RunningSimulator

THREADS = 20


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def test_twenty_threads_each_spend_their_own_voucher_exactly(gateway: Gateway, jtl: RunningSimulator) -> None:
    for number in range(THREADS):
        new = NewVoucher(initial=euros("50"), id=f"v-{number}", code=f"CODE-{number}", active=True)
        gateway.issue("shop", new, reference=f"i-{number}")

    def spend(number: int) -> object:
        redemption = gateway.redeem("shop", f"CODE-{number}", euros(f"{number + 1}.07"), reference=f"r-{number}")
        back = gateway.refund("shop", redemption, euros("0.07"), reference=f"b-{number}")
        return (
            redemption.voucher_id,
            redemption.money,
            back.money,
            gateway.balance("shop", f"CODE-{number}").remaining,
        )

    assert run_numbered_threads(THREADS, spend) == [
        (f"v-{number}", euros(f"{number + 1}.07"), euros("0.07"), euros(f"{49 - number}")) for number in range(THREADS)
    ]
    assert {entry["id"]: entry["remaining"] for entry in jtl.ledger()} == {
        f"v-{number}": f"{49 - number}.00" for number in range(THREADS)
    }


def test_twenty_threads_need_one_access_token(gateway: Gateway, jtl: RunningSimulator) -> None:
    assert (
        run_numbered_threads(THREADS, lambda _: gateway.find("CODE-1", broadcast=True).state) == ["not_found"] * THREADS
    )
    assert [record.path for record in jtl.requests].count("/oauth/token") == 1


def test_twenty_threads_on_one_voucher_take_what_they_say_they_took(
    gateway: Gateway, jtl: RunningSimulator, voucher: Voucher
) -> None:
    code = voucher.code
    assert code is not None

    def redeem(number: int) -> Redemption | Declined:
        try:
            return gateway.redeem("shop", code, euros("4"), reference=f"r-{number}")
        except Declined as error:
            return error

    results = run_numbered_threads(THREADS, redeem)
    # At JTL each reservation ends the one before, so some of them lose; none may lose or win without being told.
    taken = [result for result in results if isinstance(result, Redemption)]
    assert len(taken) >= 1
    (entry,) = jtl.ledger()
    assert Decimal(str(entry["remaining"])) == 50 - 4 * len(taken)


def test_a_child_uses_the_gateway_of_its_parent_and_so_does_the_parent_afterwards(
    gateway: Gateway, voucher: Voucher, true_value: Callable[[str], tuple[str, str]]
) -> None:
    code = voucher.code
    assert code is not None
    assert run_in_child(lambda: gateway.redeem("shop", code, euros("3"), reference="r-1").money) == repr(euros("3.00"))
    assert gateway.redeem("shop", code, euros("4"), reference="r-2").money == euros("4.00")
    assert run_in_child(lambda: gateway.balance("shop", code).remaining) == repr(euros("43.00"))
    assert true_value(voucher.id) == ("43.00", "0.00")


def test_a_child_forked_while_other_threads_use_the_gateway_does_not_hang(
    gateway: Gateway, voucher: Voucher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)  # the threads write log lines during the fork
    code = voucher.code
    assert code is not None
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.002):
            gateway.balance("shop", code)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            assert run_in_child(lambda: gateway.balance("shop", code).remaining) == repr(euros("50.00"))
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_child_can_take_the_locks_that_threads_of_its_parent_held() -> None:
    locks = KeyedLocks()
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with locks.hold("vendor.test", "v"):
            held.set()
            over.wait(10)

    def take() -> str:
        with locks.hold("vendor.test", "v"):
            return "taken"

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(10)
        assert run_in_child(take) == "'taken'"
    finally:
        over.set()
        thread.join()


def test_closing_a_gateway_closes_all_its_providers() -> None:
    closed: list[str] = []

    class Door(VoucherProvider):
        name = "door"
        title = "Door"
        settings_type = Account
        declared = Capabilities(
            operations={Operation.FIND: native(), Operation.GET: native()},
            codes=CodeRules(choosable=False, readable=False),
            expiry=Expiry.NONE,
            listing=ListingRules(page_size=1),
        )
        host = "door.test"

        def find(self, code: object, pin: object = None) -> Voucher:
            raise VoucherNotFound("there is nothing behind it")

        def get(self, id: str, *, secrets: bool = False) -> Voucher:
            raise VoucherNotFound("there is nothing behind it")

        def close(self) -> None:
            closed.append(self.account)

    with Gateway({"front": Door("front", None), "back": Door("back", None)}) as gateway:
        assert gateway.find("CODE-1", broadcast=True).asked == ("front", "back")
        assert closed == []
    assert closed == ["front", "back"]
