"""The names under which requests go out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.execution.attempts import wire_reference
from voucher_gateway.journal.keys.keys import new_id, tag_of

if TYPE_CHECKING:
    from tests.support.shop import Shop

ID = "0123456789abcdef0123456789"


def test_the_readable_order_comes_first() -> None:
    assert wire_reference("1001", ID, 1, 2, max_length=64) == "1001~cdef0123456789.1.2"


def test_an_order_that_is_too_long_is_cut_and_the_mark_is_kept() -> None:
    assert wire_reference("A" * 80, ID, 3, 1, max_length=30) == "A" * 11 + "~cdef0123456789.3.1"


def test_without_an_order_the_mark_stands_alone() -> None:
    assert wire_reference(None, ID, 1, 1, max_length=64) == "~cdef0123456789.1.1"


@given(
    order=st.none() | st.text(min_size=1, max_size=200),
    attempt=st.integers(1, 10_000),
    step=st.integers(1, 99),
    max_length=st.integers(24, 255),
)
def test_none_is_longer_than_the_vendor_takes(order: str | None, attempt: int, step: int, max_length: int) -> None:
    made = wire_reference(order, ID, attempt, step, max_length=max_length)
    assert 0 < len(made) <= max_length
    assert made.endswith(f"{ID[-14:]}.{attempt}.{step}")


@given(
    st.lists(st.tuples(st.integers(1, 99), st.integers(1, 9)), min_size=2, unique=True),
    st.none() | st.text("ab", max_size=90),
)
def test_no_two_attempts_or_steps_share_one(places: list[tuple[int, int]], order: str | None) -> None:
    made = {wire_reference(order, ID, attempt, step, max_length=40) for attempt, step in places}
    assert len(made) == len(places)


def test_an_id_sorts_by_time_and_ends_in_its_mark() -> None:
    earlier, later = new_id("0" * 14), new_id("0" * 14)
    assert earlier <= later
    assert tag_of(earlier) == "0" * 14
    assert len(earlier) == 26


def test_marks_differ_by_account_verb_and_reference(shop: Shop) -> None:
    keys = shop.journal.keys
    named = [("shop", "redeem", "1"), ("shop", "capture", "1"), ("shop", "redeem", "11"), ("shop1", "redeem", "1")]
    assert len({keys.tag(*one) for one in named}) == len(named)
    assert keys.tag(*named[0]) == keys.tag(*named[0])


def test_the_vendor_sees_what_the_journal_holds(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, order="Bestellung 1001")
    entry = next(shop.gateway.operations())
    sent = shop.journal.requests_of(entry.id)
    movement = shop.running.ledger()[0]["movements"][0]
    assert movement["reference"] == sent[-1].intent.reference
    assert movement["reference"].startswith("Bestellung 1001~")
