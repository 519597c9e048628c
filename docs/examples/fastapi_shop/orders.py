"""The orders of the shop, in an SQLite file. Each call commits, on a thread."""

from __future__ import annotations

import os
import sqlite3
from asyncio import to_thread
from pathlib import Path

import attrs

from voucher_gateway import Money

FOLDER = Path(os.environ["SHOP_FOLDER"])


@attrs.frozen
class Order:
    """An order.

    Attributes:
        number: the number of the order.
        total: what it costs.
        gift: the value of the voucher that the customer buys; None if it buys none.
        email: where that voucher is sent.
        card: what the page got for the card that pays what the vouchers do not; empty before.
    """

    number: str
    total: Money
    gift: Money | None
    email: str
    card: str


def place_order(number: str, total: str, gift: str | None, email: str) -> None:
    """Store a new order. It blocks."""
    _execute("INSERT INTO orders VALUES (?, ?, ?, ?, '', 'open')", number, total, gift, email)


async def note_card(number: str, card: str) -> None:
    """Store the card, and that the customer pays now."""
    await to_thread(
        _execute, "UPDATE orders SET card = ?, state = 'paying' WHERE number = ? AND state != 'done'", card, number
    )


async def note_end(number: str) -> None:
    """Store that nothing is left to do."""
    await to_thread(_execute, "UPDATE orders SET state = 'done' WHERE number = ?", number)


async def find_order(number: str) -> Order:
    """Return an order; KeyError if it does not exist."""
    query = "SELECT total, gift, email, card FROM orders WHERE number = ?"
    for total, gift, email, card in await to_thread(_execute, query, number):
        return Order(number, Money(total, "EUR"), Money(gift, "EUR") if gift else None, email, card)
    raise KeyError(number)


async def paying_orders() -> list[str]:
    """Return the numbers of the orders that are being paid."""
    return [number for (number,) in await to_thread(_execute, "SELECT number FROM orders WHERE state = 'paying'")]


def _execute(statement: str, *values: str | None) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(FOLDER / "shop.db", timeout=20, isolation_level=None)
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS orders (number PRIMARY KEY, total, gift, email, card, state)")
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()
