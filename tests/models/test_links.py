"""What a vendor ties a voucher to: an immutable mapping of names to the vendor's ids."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from voucher_gateway import Voucher


def linked(**links: str) -> Voucher:
    """Return a voucher with links."""
    return Voucher(account="events", id="V1", links=links)


def test_a_voucher_without_links_has_an_empty_mapping() -> None:
    assert dict(Voucher(account="events", id="V1").links) == {}


def test_the_links_of_a_voucher_cannot_be_changed() -> None:
    links = linked(customer_id="c-1").links
    with pytest.raises(TypeError):
        links["customer_id"] = "c-2"  # type: ignore[index]  # this is what must fail
    with pytest.raises(AttributeError):
        links.other = "c-2"  # type: ignore[attr-defined]  # this is what must fail
    assert links["customer_id"] == "c-1"


def test_a_change_of_the_mapping_that_was_given_changes_no_voucher() -> None:
    given = {"customer_id": "c-1"}
    voucher = Voucher(account="events", id="V1", links=given)
    given["customer_id"] = "c-2"
    assert dict(voucher.links) == {"customer_id": "c-1"}


def test_vouchers_with_links_are_equal_by_their_links_and_can_be_hashed() -> None:
    assert linked(a="1", b="2") == linked(b="2", a="1")
    assert linked(a="1") != linked(a="2")
    assert len({linked(a="1", b="2"), linked(b="2", a="1"), linked(a="2")}) == 2


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_voucher_with_links_can_be_copied_and_pickled(duplicate: Any) -> None:
    assert duplicate(linked(customer_id="c-1")) == linked(customer_id="c-1")


def test_the_repr_shows_the_links() -> None:
    assert "links={'customer_id': 'c-1'}" in repr(linked(customer_id="c-1"))


@pytest.mark.parametrize("wrong", [{"a": 1}, {1: "a"}, "text", 7])
def test_links_are_texts_by_name(wrong: Any) -> None:
    with pytest.raises(TypeError, match="links"):
        Voucher(account="events", id="V1", links=wrong)
