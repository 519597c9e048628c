"""Reservations that were changed, removed or inserted by hand are found by what their operations have done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from voucher_gateway import Declined
from voucher_gateway.journal.schema import holds, operations
from voucher_gateway.money import Money

TEN: Final = Money("10.00", "EUR")


@attrs.frozen
class HeldShop:
    """A shop with a reservation of each state.

    Attributes:
        shop: the shop.
        ids: by reference, the operation that made the reservation. ``redeemed`` is that of a redemption.
    """

    shop: Shop
    ids: dict[str, str]

    def row(self, reference: str) -> dict[str, Any]:
        with self.shop.journal.database.read() as connection:
            query = sa.select(holds).where(holds.c.operation_id == self.ids[reference])
            return dict(connection.execute(query).mappings().one())

    def edit(self, reference: str, **values: Any) -> None:
        """Change a reservation as a person does who has the database and not the key."""
        with self.shop.journal.database.write() as connection:
            of_operation = holds.c.operation_id == self.ids[reference]
            connection.execute(sa.update(holds).where(of_operation).values(values))

    def explanations(self) -> list[str]:
        report = self.shop.gateway.verify_journal()
        assert {difference.table for difference in report.differences} <= {"holds"}, report.differences
        return [difference.explanation for difference in report.differences]


@pytest.fixture
def held(make_shop: Callable[..., Shop], either_url: str) -> HeldShop:
    shop = make_shop(either_url)
    gateway = shop.gateway
    codes = [shop.voucher()[1] for _ in range(6)]
    gateway.redeem("shop", codes[0], TEN, reference="redeemed", order="1001")
    gateway.reserve("shop", codes[1], TEN, reference="live", order="1002")
    captured = gateway.reserve("shop", codes[2], TEN, reference="captured", order="1003")
    gateway.capture("shop", captured, reference="capture", order="1003")
    released = gateway.reserve("shop", codes[3], TEN, reference="released", order="1004")
    gateway.release("shop", released, reference="release", order="1004")
    with pytest.raises(Declined):
        gateway.reserve("shop", codes[4], Money("999.00", "EUR"), reference="gone", order="1005")
    gateway.reserve("shop", codes[5], TEN, reference="superseded", order="1006")
    gateway.reserve("shop", codes[5], TEN, reference="later", order="1006")
    with shop.journal.database.read() as connection:
        ids = {row.reference: row.id for row in connection.execute(sa.select(operations))}
    held = HeldShop(shop, ids)
    assert held.explanations() == []
    return held


EDITS: Final[dict[str, tuple[str, dict[str, Any], str]]] = {
    "another vendor": ("live", {"provider": "another"}, "another provider"),
    "another host": ("live", {"host": "another"}, "another host"),
    "another voucher": ("live", {"fingerprint": "0" * 64}, "another fingerprint"),
    "another order": ("live", {"order_number": "1009"}, "another order"),
    "no order": ("live", {"order_number": None}, "another order"),
    "less": ("live", {"amount": "1.00"}, "is of 1.00 EUR, and it asked for 10.00 EUR"),
    "another currency": ("live", {"currency": "USD"}, "is of 10.00 USD"),
    "another reservation": ("live", {"reservation_id": "another"}, "another id"),
    "no reservation": ("live", {"reservation_id": None}, "has no id"),
    "another reservation of a redemption": ("redeemed", {"reservation_id": "another"}, "another id than it captured"),
    "a later end": ("live", {"expires_at": "2999-01-01T00:00:00.000000Z"}, "ends at 2999"),
    "an earlier end": ("live", {"expires_at": "2001-01-01T00:00:00.000000Z"}, "ends at 2001"),
    "without an end": ("live", {"expires_at": None}, "ends at None"),
    "an unknown state": ("live", {"state": "other"}, "unknown state"),
    "captured by no call": ("live", {"state": "captured"}, "no call has captured or released it"),
    "released by no call": ("live", {"state": "released"}, "no call has captured or released it"),
    "not made, though it was": ("live", {"state": "gone"}, "the vendor did not refuse it"),
    "not made and without an id": ("live", {"state": "gone", "reservation_id": None}, "the vendor did not refuse it"),
    "requested, though it was made": ("live", {"state": "asked"}, "has an id of the vendor"),
    "requested and without an id": ("live", {"state": "asked", "reservation_id": None}, "the vendor has named one"),
    "made, though it was refused": ("gone", {"state": "live", "reservation_id": "another"}, "no request made it"),
    "requested, though it was refused": ("gone", {"state": "asked"}, "the vendor made none"),
    "live again after its capture": ("captured", {"state": "live"}, "a call has captured it"),
    "live again after its release": ("released", {"state": "live"}, "a call has released it"),
    "live again after its redemption": ("redeemed", {"state": "live"}, "a call has captured it"),
    "superseded after its capture": ("captured", {"state": "superseded"}, "a call has captured it"),
}


def test_a_changed_reservation_is_named(held: HeldShop) -> None:
    missed = {}
    for what, (reference, values, words) in EDITS.items():
        before = held.row(reference)
        held.edit(reference, **values)
        explanations = held.explanations()
        is_named = any(words in explanation for explanation in explanations)
        if not is_named or any(held.ids[reference] not in explanation for explanation in explanations):
            missed[what] = explanations
        held.edit(reference, **before)
    assert missed == {}
    assert held.explanations() == []


def test_a_reservation_that_is_live_again_beside_the_later_one_is_named(held: HeldShop) -> None:
    later = held.row("later")
    held.edit("superseded", state="live", expires_at=f"2001{later['expires_at'][4:]}")

    assert any("has ended it" in explanation for explanation in held.explanations())


def test_a_removed_reservation_is_named(held: HeldShop) -> None:
    for reference in ("redeemed", "live", "captured", "gone", "superseded"):
        row = held.row(reference)
        with held.shop.journal.database.write() as connection:
            connection.execute(sa.delete(holds).where(holds.c.operation_id == held.ids[reference]))
        (explanation,) = held.explanations()
        assert explanation.startswith(f"operation {held.ids[reference]}: its reservation was removed")
        with held.shop.journal.database.write() as connection:
            connection.execute(sa.insert(holds).values(row))


def test_an_inserted_reservation_is_named(held: HeldShop) -> None:
    with held.shop.journal.database.write() as connection:
        row = dict(connection.execute(sa.select(holds).where(holds.c.state == "live")).mappings().first() or {})
        connection.execute(sa.insert(holds).values({**row, "operation_id": held.ids["capture"]}))

    assert any("its reservation was inserted" in explanation for explanation in held.explanations())
