"""What every simulator keeps its vouchers with: book, records, the truth, seeds."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote

import attrs
import pytest

from voucher_gateway.simulator import (
    CAPITALS_AND_DIGITS,
    ODD_TEXTS,
    LedgerMovement,
    LedgerVoucher,
    VoucherStore,
    from_records,
    random_text,
    to_records,
)


@attrs.frozen
class Taken:
    amount: Decimal
    at: datetime


@attrs.frozen
class Card:
    id: str
    code: str
    left: int
    until: datetime | None = None
    taken: tuple[Taken, ...] = ()


def test_a_book_finds_by_id_and_code_and_keeps_the_order() -> None:
    book = VoucherStore([Card("1", "a", 5), Card("2", "b", 6)])
    book.put(Card("3", "a", 7))
    assert [card.id for card in book] == ["1", "2", "3"]
    assert book.get("2") == Card("2", "b", 6)
    assert book.get("9") is None
    assert [card.id for card in book.with_code("a")] == ["1", "3"]
    assert book.with_code("A") == []


def test_putting_a_voucher_again_replaces_it_in_its_place() -> None:
    book = VoucherStore([Card("1", "a", 5), Card("2", "b", 6)])
    book.put(Card("1", "a", 4))
    assert [(card.id, card.left) for card in book] == [("1", 4), ("2", 6)]
    assert len(book.with_code("a")) == 1


def test_what_is_removed_is_found_no_more() -> None:
    book = VoucherStore([Card("1", "a", 5), Card("2", "a", 6)])
    book.remove("1")
    assert (len(book), book.get("1"), [card.id for card in book.with_code("a")]) == (1, None, ["2"])
    with pytest.raises(LookupError):
        book.remove("1")


def test_records_are_json_and_come_back_as_they_were() -> None:
    noon = datetime(2030, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
    cards = [Card("1", "ü", 5), Card("2", "b", 6, noon, (Taken(Decimal("10.50"), noon),))]
    written = json.loads(json.dumps(to_records(cards)))
    assert from_records(list[Card], written) == cards
    assert str(from_records(list[Card], written)[1].taken[0].amount) == "10.50"


def test_records_are_no_parts_of_what_they_were_made_of() -> None:
    records = to_records([Card("1", "a", 5)])
    records[0]["code"] = "other"
    assert to_records([Card("1", "a", 5)])[0]["code"] == "a"


@pytest.mark.parametrize("bad", [None, [{}], [{"id": "1"}], [{"id": "1", "code": "a", "left": "many"}], "text"])
def test_other_records_are_refused_with_an_error_that_the_kit_expects(bad: object) -> None:
    with pytest.raises((LookupError, TypeError, ValueError)):
        from_records(list[Card], bad)


def test_the_truth_has_one_shape() -> None:
    movement = LedgerMovement(id="m", kind="sale", amount="1.00", at="2030-01-31T12:00:00Z")
    true = LedgerVoucher(
        id="1",
        code="SECRET-CODE",
        currency="EUR",
        initial="5.00",
        remaining="4.00",
        reserved="0.00",
        status="active",
        movements=(movement,),
        details={"pin": "1234"},
    )
    assert true.to_json() == {
        "id": "1",
        "code": "SECRET-CODE",
        "pin": "1234",
        "currency": "EUR",
        "initial": "5.00",
        "remaining": "4.00",
        "reserved": "0.00",
        "status": "active",
        "valid_until": None,
        "movements": [{"id": "m", "kind": "sale", "amount": "1.00", "reference": None, "at": "2030-01-31T12:00:00Z"}],
    }
    assert "SECRET-CODE" not in repr(true)
    assert "1234" not in repr(true)


def test_drawn_texts_repeat_with_their_seed() -> None:
    first, second = (random_text(random.Random(4), 12) for _ in range(2))
    assert first == second
    assert len(first) == 12
    assert set(first) <= set(CAPITALS_AND_DIGITS)


def test_odd_texts_are_each_changed_by_a_client_that_forgets_to_encode_them() -> None:
    lengthy = [text for text in ODD_TEXTS if len(text) > 100]
    dotted = [text for text in ODD_TEXTS if set(text) == {"."}]
    others = [text for text in ODD_TEXTS if text not in lengthy + dotted]
    assert lengthy
    assert dotted
    assert [text for text in others if quote(text, safe="") == text] == []
    assert len(set(ODD_TEXTS)) == len(ODD_TEXTS)
