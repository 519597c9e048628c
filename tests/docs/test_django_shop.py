"""The Django shop of docs/examples, with gunicorn, its own database and ATOMIC_REQUESTS, as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

import psycopg
import pytest
import requests
from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url

from tests.support.card import EXAMPLES, card_processor
from tests.support.example_shops import ExampleShop, environment_of, eventually, serve, write_config
from voucher_gateway.testing.simulated_vendor import start_vendor

pytestmark = pytest.mark.long

ORDERS: Final = count(1001)
CHARGE: Final = "POST /v1/reservations/*/charge"
SERVER: Final = ("gunicorn", "django_shop.wsgi", "--bind", "127.0.0.1:0", "--workers", "2", "--threads", "4")


@contextmanager
def database(server: str) -> Iterator[dict[str, str]]:
    """Make the database of the shop; give the environment by which it is found."""
    url = make_url(server)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE django_shop STRATEGY = FILE_COPY")
        yield {
            "PGDATABASE": "django_shop",
            "PGUSER": url.username or "",
            "PGHOST": str(url.host or url.query["host"]),
            "PGPASSWORD": url.password or "",
            **({"PGPORT": str(url.port)} if url.port else {}),
        }
        connection.execute("DROP DATABASE django_shop WITH (FORCE)")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[ExampleShop]:
    folder = tmp_path_factory.mktemp("django")
    with (
        start_vendor("jtl") as jtl,
        start_vendor("ticketing") as tickets,
        card_processor() as cards,
        database(postgres_server) as names,
    ):
        write_config(folder, jtl, tickets)
        names |= {"SHOP_SECRET_KEY": "not-a-secret", "DJANGO_SETTINGS_MODULE": "django_shop.settings"}
        environment = environment_of(folder, cards, **names)
        migrate = [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0"]
        subprocess.run(migrate, cwd=EXAMPLES, env=environment, check=True)
        log = folder / "server.log"
        with serve([*SERVER, "--worker-tmp-dir", str(folder)], environment, log, "Listening at:") as (process, url):
            yield ExampleShop(url, folder, process, log, environment, jtl, tickets, cards)
        assert [*jtl.crashes, *tickets.crashes] == []


@pytest.fixture
def shop(running: ExampleShop) -> ExampleShop:
    return running.begin()


class Customer:
    """A customer with an order."""

    def __init__(self, shop: ExampleShop, total: str, **fields: str) -> None:
        self.shop = shop
        self.number = str(next(ORDERS))
        assert self.post("", total=total, email="ada@mail.example", **fields)[0] == 201

    def post(self, step: str, **fields: str) -> tuple[int, dict[str, Any]]:
        reply = requests.post(f"{self.shop.base_url}/orders/{self.number}{step}", data=fields, timeout=60)
        assert "json" in reply.headers["Content-Type"], reply.text
        return reply.status_code, reply.json()

    def prepare(self, *codes: str, card: str = "tok_good") -> None:
        """Enter codes, and give a card for the rest. Nothing is taken yet."""
        for code in codes:
            assert self.post("/vouchers", code=code)[0] == 200
        assert self.post("/pay")[0] == 200
        assert self.post("/card", card=card)[0] == 200

    def state(self) -> str:
        """The state in the row of the shop."""
        names = {"host": "PGHOST", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
        parts = {name: self.shop.environment[variable] for name, variable in names.items()}
        with psycopg.connect(make_conninfo(**parts)) as connection:
            query = "SELECT state FROM django_shop_order WHERE number = %s"
            (state,) = connection.execute(query, [self.number]).fetchone() or ("",)
        return str(state)


def test_a_customer_pays_with_two_vouchers_and_a_card(shop: ExampleShop) -> None:
    first, second = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    assert customer.post("/vouchers", code=first)[1]["due"] == "59.90 EUR"
    assert customer.post("/vouchers", code=second)[1]["due"] == "39.90 EUR"
    status, page = customer.post("/pay")
    assert (status, page["text"], page["state"]) == (200, "Please pay 39.90 EUR by card.", "authorized")
    assert [voucher["state"] for voucher in page["vouchers"]] == ["held", "checked"]
    assert first not in str(page)
    assert customer.post("/card", card="tok_good")[0] == 200
    assert shop.left(first, second) == ["30.00", "20.00"]
    assert customer.post("/finish")[1]["state"] == "captured"
    assert shop.left(first, second) == ["0.00", "0.00"]
    assert shop.card() == ["captured 39.90"]
    assert customer.state() == "paid"


def test_an_order_of_vouchers_alone_needs_no_card(shop: ExampleShop) -> None:
    (code,) = shop.vouchers("30.00")
    customer = Customer(shop, "12.50")
    assert customer.post("/vouchers", code=code)[1]["due"] == "0.00 EUR"
    assert customer.post("/pay")[0] == 200
    assert customer.post("/finish")[1]["state"] == "captured"
    assert (shop.left(code), shop.card(), customer.state()) == (["17.50"], [], "paid")


def test_a_code_that_nobody_knows_is_not_added(shop: ExampleShop) -> None:
    customer = Customer(shop, "10.00")
    status, page = customer.post("/vouchers", code="JTL-NO-SUCH-CODE")
    assert (status, page["text"]) == (402, "This is declined. Please take another voucher or card.")


def test_an_order_is_not_finished_before_it_is_paid(shop: ExampleShop) -> None:
    (code,) = shop.vouchers("30.00")
    customer = Customer(shop, "50.00")
    customer.post("/vouchers", code=code)
    assert customer.post("/finish")[0] == 409
    customer.post("/pay")
    assert customer.post("/finish")[0] == 409
    assert (shop.left(code), customer.state()) == (["30.00"], "paying")


def test_a_card_that_is_declined_before_anything_is_taken_can_be_replaced(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    for code in codes:
        customer.post("/vouchers", code=code)
    customer.post("/pay")
    assert customer.post("/card", card="tok_declined")[0] == 402
    assert shop.left(*codes) == ["30.00", "20.00"]
    assert customer.post("/card", card="tok_good")[0] == 200
    assert customer.post("/finish")[0] == 200
    assert (shop.left(*codes), shop.card()) == (["0.00", "0.00"], ["captured 39.90"])


def test_a_customer_comes_back_from_the_page_of_the_card_with_another_voucher(shop: ExampleShop) -> None:
    first, second = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.post("/vouchers", code=first)
    assert customer.post("/pay")[1]["due"] == "59.90 EUR"
    assert customer.post("/vouchers", code=second)[1]["state"] == "open"
    assert customer.post("/finish")[0] == 409
    assert customer.post("/pay")[1]["due"] == "39.90 EUR"
    customer.post("/card", card="tok_good")
    assert customer.post("/finish")[1]["state"] == "captured"
    assert (shop.left(first, second), shop.card()) == (["0.00", "0.00"], ["captured 39.90"])
    assert customer.post("/vouchers", code=first)[0] == 409


def test_a_card_that_is_declined_after_the_vouchers_were_taken_gives_them_back(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.prepare(*codes, card="tok_capture_declined")
    status, page = customer.post("/finish")
    assert (status, page["state"]) == (402, "cancelled")
    assert (shop.left(*codes), shop.card(), customer.state()) == (["30.00", "20.00"], ["voided 0"], "cancelled")


@pytest.mark.parametrize("way", ["again", "cron"])
def test_an_order_whose_worker_is_killed_while_a_voucher_is_taken_is_finished(shop: ExampleShop, way: str) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.prepare(*codes)
    shop.jtl.inject("slow", CHARGE, delay_s=3)
    before = len(shop.jtl.request_lines)
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(customer.post, "/finish")
        eventually(lambda: any(line.endswith("/charge") for line in shop.jtl.request_lines[before:]))
        shop.kill_workers()
        assert isinstance(request.exception(), requests.ConnectionError)
    assert customer.state() == "paying"
    if way == "cron":
        shop.run("-m", "django", "finish_orders")
    else:
        assert customer.post("/finish")[1]["state"] == "captured"
    assert (shop.left(*codes), shop.card(), customer.state()) == (["0.00", "0.00"], ["captured 39.90"], "paid")


def test_a_lost_answer_of_the_card_is_asked_for_again(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.prepare(*codes)
    shop.cards.arm("reset-after", "capture")
    assert customer.post("/finish")[0] == 202
    assert customer.post("/finish")[0] == 200
    assert (shop.left(*codes), shop.card(), customer.state()) == (["0.00", "0.00"], ["captured 39.90"], "paid")


def test_a_double_click_takes_everything_once(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.prepare(*codes)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(customer.post, ["/finish", "/finish"]))
    assert [status for status, _ in answers] == [200, 200]
    assert (shop.left(*codes), shop.card(), customer.state()) == (["0.00", "0.00"], ["captured 39.90"], "paid")


def test_a_view_that_fails_after_the_capture_rolls_back_its_row_and_not_the_payment(shop: ExampleShop) -> None:
    (code,) = shop.vouchers("30.00")
    customer = Customer(shop, "50.00", gift="50.00")
    customer.prepare(code)
    mails = shop.folder / "mails"
    mails.write_text("a file where the folder of the mails should be")
    reply = requests.post(f"{shop.base_url}/orders/{customer.number}/finish", timeout=60)
    assert (reply.status_code, customer.state()) == (500, "paying")
    assert (shop.left(code), shop.card()) == (["0.00"], ["captured 20.00"])
    mails.unlink()
    assert customer.post("/finish")[0] == 200
    assert (shop.left(code), shop.card(), customer.state()) == (["0.00"], ["captured 20.00"], "paid")
    sold = shop.mail().partition("The code is ")[2].split()[0]
    assert str(shop.jtl.remaining(sold)) == "50.00 EUR"
    assert sum(entry["remaining"] == "50.00" for entry in shop.jtl.ledger()) == 1


def test_a_return_is_given_back_once_in_proportion(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.prepare(*codes)
    customer.post("/finish")
    fields = {"amount": "20.00", "return": "return-1"}
    assert customer.post("/returns", **fields)[1]["text"].startswith("You get 8.88 EUR back on your card")
    assert customer.post("/returns", **fields)[0] == 200
    assert (shop.left(*codes), shop.card()) == (["6.67", "4.45"], ["captured 31.02"])


def test_a_cancelled_order_gives_back_what_a_return_left(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.prepare(*codes)
    customer.post("/finish")
    customer.post("/returns", **{"amount": "20.00", "return": "return-1"})
    assert customer.post("/cancel")[1]["state"] == "cancelled"
    assert (shop.left(*codes), shop.card(), customer.state()) == (["30.00", "20.00"], ["captured 0.00"], "cancelled")


def test_cancelling_while_the_order_is_finished_leaves_one_of_both(shop: ExampleShop) -> None:
    codes = shop.vouchers("30.00", "20.00")
    customer = Customer(shop, "89.90")
    customer.prepare(*codes)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(customer.post, ["/finish", "/cancel"]))
    customer.post("/finish")
    assert customer.state() == "cancelled"
    assert shop.left(*codes) == ["30.00", "20.00"]
    assert shop.card() in (["voided 0"], ["captured 0.00"])


def test_no_code_is_in_the_log_of_the_server(shop: ExampleShop) -> None:
    first, second = shop.vouchers("30.00", "20.00")
    Customer(shop, "60.00").prepare(first, second)
    text = shop.log.read_text()
    assert os.path.getsize(shop.log) > 0
    assert (first in text, second in text) == (False, False)
