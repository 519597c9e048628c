"""What the vendors declare for planning is true: what they keep, how long, and how finely."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from tests.migration.plan.conftest import Vendors
from voucher_gateway.provider_api import (
    Interval,
    InvalidRequest,
    Medium,
    Money,
    NewVoucher,
    Pin,
    Status,
    UnsupportedOperation,
    Validity,
)
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider

MONEY = Money("50.00", "EUR")
FIELDS: dict[str, Any] = {
    "id": "own-id",
    "code": "GIFT-7K2M",
    "pin": "4711",
    "active": False,
    "medium": Medium.PRINT,
    "validity": Validity(3, Interval.YEARS),
    "taxable": True,
    "tax_rate": "19",
    "sku": "A-1",
    "batch": "B-1",
    "order": "O-1",
    "metadata": {"to": "Anna"},
}


def test_every_field_of_a_new_voucher_is_looked_at_here() -> None:
    names = {one.name for one in attrs.fields(NewVoucher)}
    assert names - {"initial", "valid_until"} == set(FIELDS)


def test_jtl_keeps_all_that_it_declares(vendors: Vendors) -> None:
    assert JtlProvider.declared.stored_fields == set(FIELDS)
    provider = vendors.gateway.provider("shop")
    made = provider.issue(NewVoucher(initial=MONEY, **FIELDS), reference="r")
    found = provider.get(made.id, secrets=True)
    assert found.status is Status.INACTIVE
    told = {name: getattr(found, name) for name in FIELDS if name not in ("active", "code", "pin")}
    assert told == {name: value for name, value in FIELDS.items() if name not in ("active", "code", "pin")}
    assert found.code is not None
    assert found.code.reveal() == FIELDS["code"]
    assert found.pin == Pin(FIELDS["pin"])


@pytest.mark.parametrize("field", JtlProvider.declared.max_text_lengths)
def test_jtl_keeps_texts_of_the_declared_length_and_no_longer(vendors: Vendors, field: str) -> None:
    provider, longest = vendors.gateway.provider("shop"), JtlProvider.declared.max_text_lengths[field]
    provider.issue(NewVoucher(initial=MONEY, **{field: "x" * longest}), reference="r")  # type: ignore[arg-type]  # texts
    with pytest.raises(InvalidRequest):
        provider.issue(NewVoucher(initial=MONEY, **{field: "x" * (longest + 1)}), reference="s")  # type: ignore[arg-type]  # texts


@pytest.mark.parametrize("field", sorted(FIELDS.keys() - TicketingProvider.declared.stored_fields))
def test_ticketing_refuses_what_it_does_not_declare_to_keep(vendors: Vendors, field: str) -> None:
    provider = vendors.gateway.provider("events")
    with pytest.raises(UnsupportedOperation):
        provider.issue(NewVoucher(initial=MONEY, **{field: FIELDS[field]}), reference="r")


def test_ticketing_keeps_the_code_and_an_end_to_the_declared_grain(vendors: Vendors) -> None:
    provider, grain = vendors.gateway.provider("events"), TicketingProvider.declared.expiry_resolution
    until = datetime(2099, 1, 1, tzinfo=UTC) + grain
    new = NewVoucher(initial=MONEY, code=FIELDS["code"], valid_until=until + timedelta(microseconds=1))
    made = provider.issue(new, reference="r")
    assert made.code is not None
    assert made.code.reveal() == FIELDS["code"]
    assert made.valid_until == until


def test_what_is_left_is_told_by_get_where_that_is_declared(vendors: Vendors) -> None:
    made = {"shop": vendors.issue_at_jtl()["id"], "events": vendors.issue_at_ticketing()["_id"]}
    for account, id in made.items():
        provider = vendors.gateway.provider(account)
        assert (provider.get(id).remaining is not None) is provider.declared.get_returns_balance
