"""Pages of a list: an entry that breaks the contract is unreadable, and all around the entries must be right."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import attrs
import pytest

from voucher_gateway.errors import MalformedResponse
from voucher_gateway.listing.unreadable import UnreadableEntry
from voucher_gateway.wire.amounts import DecimalText
from voucher_gateway.wire.converter import strict_converter
from voucher_gateway.wire.validation import map_entries, structure_page

CONVERTER = strict_converter()
SECRET = "SECRET-CODE-1"


@attrs.define(kw_only=True)
class Item:
    id: str
    amount: Annotated[Decimal, DecimalText(places=2)]


@attrs.define(kw_only=True)
class ItemPage:
    items: list[Item]
    total: int


def read(payload: object) -> tuple[int, list[Item | UnreadableEntry]]:
    page, entries = structure_page(CONVERTER, ItemPage, payload, array="items", what="item list")
    return page.total, entries


def item(id: Any, amount: Any = "1.00") -> dict[str, Any]:
    return {"id": id, "amount": amount, "code": SECRET}


def test_each_entry_is_read_by_itself() -> None:
    total, entries = read({"items": [item("a"), item("b", 1), item(None), item("d")], "total": 4})
    assert total == 4
    assert [entry.id for entry in entries] == ["a", "b", None, "d"]
    reasons = [entry.reason for entry in entries if isinstance(entry, UnreadableEntry)]
    assert [reason.partition(":")[0] for reason in reasons] == ["amount", "id"]
    assert SECRET not in repr(entries)


@pytest.mark.parametrize(
    "payload",
    [
        {"items": [item("a", 1)], "total": "1"},
        {"items": {"a": 1}, "total": 1},
        {"total": 1},
        [item("a")],
        None,
    ],
)
def test_what_is_around_the_entries_must_be_right(payload: object) -> None:
    with pytest.raises(MalformedResponse):
        read(payload)


def test_an_entry_that_cannot_be_made_is_unreadable_and_one_that_could_not_be_read_stays_so() -> None:
    unread = UnreadableEntry.of(item("b", 1), ("amount: expected text",))

    def make(wire: Item, _: object) -> str:
        if wire.amount == 2:
            raise MalformedResponse("off the grid", problems=("amount: expected another",))
        if wire.amount == 3:
            raise MalformedResponse("without problems")
        return wire.id

    wires = [Item(id=id, amount=Decimal(amount)) for id, amount in (("a", 1), ("c", 2), ("d", 3))]
    given: list[Item | UnreadableEntry] = [wires[0], unread, *wires[1:]]
    entries = map_entries(make, given, [item(id) for id in "abcd"])
    assert entries[:2] == ["a", unread]
    assert [(entry.id, entry.reason) for entry in entries[2:] if isinstance(entry, UnreadableEntry)] == [
        ("c", "amount: expected another"),
        ("d", "without problems"),
    ]
