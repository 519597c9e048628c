"""The FastAPI shop of docs/examples, with uvicorn and the card inside the payment, as processes."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import pytest
import requests

from tests.support.card import RunningProcessor, card_processor
from tests.support.example_shops import ExampleShop, environment_of, eventually, serve, write_config
from voucher_gateway.testing.simulated_vendor import SimulatedVendor, start_vendor

pytestmark = pytest.mark.long

ORDERS: Final = count(1001)
CHARGE: Final = "POST /v1/reservations/*/charge"
SERVER: Final = ("uvicorn", "fastapi_shop.shop:app", "--port", "0")


@contextmanager
def running_shop(
    folder: Path, jtl: SimulatedVendor, tickets: SimulatedVendor, cards: RunningProcessor, **names: str
) -> Iterator[ExampleShop]:
    environment, log = environment_of(folder, cards, **names), folder / "server.log"
    with serve([*SERVER], environment, log, "Uvicorn running on") as (process, url):
        yield ExampleShop(url, folder, process, log, environment, jtl, tickets, cards)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleShop]:
    folder = tmp_path_factory.mktemp("fastapi")
    with start_vendor("jtl") as jtl, start_vendor("ticketing") as tickets, card_processor() as cards:
        write_config(folder, jtl, tickets)
        with running_shop(folder, jtl, tickets, cards) as shop:
            yield shop
        assert [*jtl.crashes, *tickets.crashes] == []


@pytest.fixture
def shop(running: ExampleShop) -> ExampleShop:
    return running.begin()


class Customer:
    """A customer with an order."""

    def __init__(self, shop: ExampleShop, total: str, gift: str | None = None) -> None:
        self.shop = shop
        self.number = str(next(ORDERS))
        self.execute("INSERT INTO orders VALUES (?, ?, ?, 'ada@mail.example', '', 'open')", self.number, total, gift)

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.shop.folder / "shop.db", isolation_level=None)) as database:
            database.execute("CREATE TABLE IF NOT EXISTS orders (number PRIMARY KEY, total, gift, email, card, state)")
            return database.execute(statement, values).fetchall()

    def post(self, step: str, **fields: str) -> tuple[int, dict[str, Any]]:
        reply = requests.post(f"{self.shop.base_url}/orders/{self.number}{step}", json=fields, timeout=60)
        return reply.status_code, reply.json()

    def enter(self, *codes: str) -> None:
        for code in codes:
            assert self.post("/vouchers", code=code)[0] == 200

    def state(self) -> str:
        """The state in the row of the shop."""
        return str(self.execute("SELECT state FROM orders WHERE number = ?", self.number)[0][0])


def test_a_customer_pays_with_two_vouchers_and_a_card(shop: ExampleShop) -> None:
    first, second = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    assert customer.post("/vouchers", code=first)[1]["due"] == "59.90 EUR"
    assert customer.post("/vouchers", code=second)[1]["due"] == "39.90 EUR"
    status, page = customer.post("/pay", card="tok_good")
    assert (status, page["state"]) == (200, "captured")
    assert first not in str(page)
    assert (shop.left(first, second), shop.card(), customer.state()) == (["0.00", "0.00"], ["captured 39.90"], "done")


def test_a_declined_card_takes_nothing_and_the_next_card_pays(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.enter(*codes)
    assert customer.post("/pay", card="tok_declined")[0] == 402
    assert shop.left(*codes) == ["30.00", "20.00"]
    assert customer.post("/pay", card="tok_good")[1]["state"] == "captured"
    assert (shop.left(*codes), shop.card()) == (["0.00", "0.00"], ["captured 39.90"])


def test_a_card_that_is_declined_after_the_vouchers_were_taken_gives_them_back(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.enter(*codes)
    status, page = customer.post("/pay", card="tok_capture_declined")
    assert (status, page["state"]) == (402, "cancelled")
    assert (shop.left(*codes), shop.card()) == (["30.00", "20.00"], ["voided 0"])


def test_the_customer_confirms_at_the_bank_while_the_vouchers_are_held(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.enter(*codes)
    assert customer.post("/pay", card="tok_3ds")[0] == 202
    (charge,) = [charge for charge in shop.cards.charges() if charge["status"] == "pending"]
    shop.cards.confirm(charge["key"])
    page = customer.post("/pay", card="tok_3ds")[1]
    assert page.get("state") == "captured", page
    assert (shop.left(*codes), shop.card()) == (["0.00", "0.00"], ["captured 39.90"])


def send_and_leave(customer: Customer, step: str, until: Callable[[], object], **fields: str) -> None:
    """Send a request, and close the connection before the answer."""
    address = urlsplit(customer.shop.base_url)
    body = json.dumps(fields).encode()
    head = f"POST /orders/{customer.number}{step} HTTP/1.1\r\nHost: {address.netloc}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(head.encode() + body)
        eventually(until)


@pytest.mark.parametrize("moment", ["authorize", "capture", "card"])
def test_a_request_that_is_cancelled_at_any_moment_is_finished_by_a_repeat(shop: ExampleShop, moment: str) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.enter(*codes)
    path = {"authorize": "/reservations", "capture": "/charge", "card": "/charge"}[moment]
    shop.jtl.inject("slow", f"POST *{path}", delay_s=1.5)
    before = len(shop.jtl.request_lines)

    def is_reached() -> bool:
        if moment == "card":
            return len(shop.card()) > 0
        return any(line.endswith(path) for line in shop.jtl.request_lines[before:])

    send_and_leave(customer, "/pay", is_reached, card="tok_good")
    eventually(lambda: "a call ended after its task was cancelled: succeeded" in shop.log.read_text())
    status, page = customer.post("/pay", card="tok_good")
    assert (status, page["state"]) == (200, "captured")
    assert (shop.left(*codes), shop.card(), customer.state()) == (["0.00", "0.00"], ["captured 39.90"], "done")


def adds(customer: Customer, code: str) -> bool:
    return customer.post("/vouchers", code=code)[0] == 200


def test_a_customer_who_is_told_to_wait_finds_the_order_paid(shop: ExampleShop, tmp_path: Path) -> None:
    write_config(tmp_path, shop.jtl, shop.tickets)
    codes = shop.vouchers("30.00", "20.00")
    with running_shop(tmp_path, shop.jtl, shop.tickets, shop.cards, SHOP_PATIENCE_S="0.5") as mine:
        customer = Customer(attrs.evolve(mine, earlier=shop.earlier), "89.90")
        for code in codes:
            eventually(partial(adds, customer, code))
        mine.jtl.inject("slow", CHARGE, delay_s=1.5)
        status, page = customer.post("/pay", card="tok_good")
        assert (status, page["text"].partition(".")[0]) == (202, "This takes longer than usual")
        eventually(lambda: customer.post("/pay", card="tok_good")[0] == 200)
    assert (shop.left(*codes), shop.card(), customer.state()) == (["0.00", "0.00"], ["captured 39.90"], "done")


def test_a_server_that_stops_waits_for_the_call_that_runs(shop: ExampleShop, tmp_path: Path) -> None:
    write_config(tmp_path, shop.jtl, shop.tickets)
    codes = shop.vouchers("30.00", "20.00")
    with running_shop(tmp_path, shop.jtl, shop.tickets, shop.cards) as mine:
        customer = Customer(attrs.evolve(mine, earlier=shop.earlier), "50.00")
        customer.enter(*codes)
        mine.jtl.inject("slow", CHARGE, delay_s=1.5)
        before = len(mine.jtl.request_lines)

        def is_charging() -> bool:
            return any(line.endswith("/charge") for line in mine.jtl.request_lines[before:])

        send_and_leave(customer, "/pay", is_charging, card="tok_good")
        mine.process.terminate()
        mine.process.wait(20)
        mine.run("-m", "fastapi_shop.recover")
    assert (shop.left(*codes), customer.state()) == (["0.00", "0.00"], "done")


def test_a_double_click_takes_everything_once(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.enter(*codes)
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(customer.post, "/pay", card="tok_good") for _ in range(2)]
    assert [answer.result()[0] for answer in answers] == [200, 200]
    assert (shop.left(*codes), shop.card()) == (["0.00", "0.00"], ["captured 39.90"])


def test_a_lost_answer_of_the_card_is_found_by_the_command_for_cron(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.enter(*codes)
    shop.cards.arm("reset-after", "capture")
    assert customer.post("/pay", card="tok_good")[0] == 202
    shop.run("-m", "fastapi_shop.recover")
    assert (shop.left(*codes), shop.card(), customer.state()) == (["0.00", "0.00"], ["captured 39.90"], "done")


def test_a_killed_shop_is_finished_by_the_command_for_cron_and_sells_one_voucher(
    shop: ExampleShop, tmp_path: Path
) -> None:
    write_config(tmp_path, shop.jtl, shop.tickets)
    codes = shop.vouchers("30.00", "20.00")
    with running_shop(tmp_path, shop.jtl, shop.tickets, shop.cards) as mine:
        customer = Customer(attrs.evolve(mine, earlier=shop.earlier), "89.90", gift="66.00")
        customer.enter(*codes)
        mine.jtl.inject("slow", CHARGE, delay_s=3)
        before = len(mine.jtl.request_lines)
        with ThreadPoolExecutor(1) as pool:
            request = pool.submit(customer.post, "/pay", card="tok_good")
            eventually(lambda: any(line.endswith("/charge") for line in mine.jtl.request_lines[before:]))
            mine.process.kill()
            assert isinstance(request.exception(), requests.ConnectionError)
        for _ in range(2):
            mine.run("-m", "fastapi_shop.recover")
    assert (shop.left(*codes), shop.card(), customer.state()) == (["0.00", "0.00"], ["captured 39.90"], "done")
    sold = (tmp_path / "mails" / customer.number).read_text().partition("Your code is ")[2].strip()
    assert str(shop.jtl.remaining(sold)) == "66.00 EUR"
    assert sum(entry["remaining"] == "66.00" for entry in shop.jtl.ledger()) == 1


def test_a_return_goes_to_the_card_first(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.enter(*codes)
    customer.post("/pay", card="tok_good")
    for _ in range(2):
        status, page = customer.post("/returns/return-1", amount="45.00")
        assert (status, page["text"]) == (200, "You get 39.90 EUR back on your card, and the rest on your vouchers.")
    left = sum(map(Decimal, shop.left(*codes)))
    assert (str(left), shop.card()) == ("5.10", ["captured 0.00"])


def test_a_cancelled_order_gives_back_what_a_return_left(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.enter(*codes)
    customer.post("/pay", card="tok_good")
    customer.post("/returns/return-1", amount="20.00")
    assert customer.post("/cancel")[1]["state"] == "cancelled"
    assert (shop.left(*codes), shop.card()) == (["30.00", "20.00"], ["captured 0.00"])


def test_a_code_that_nobody_knows_is_not_added_and_not_logged(shop: ExampleShop) -> None:
    customer = Customer(shop, "10.00")
    assert customer.post("/vouchers", code="JTL-NO-SUCH-CODE")[0] == 402
    assert "NO-SUCH" not in shop.log.read_text()
