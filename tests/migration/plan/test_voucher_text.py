"""The JSON text of a planned voucher: the one that the converter writes and reads, only faster."""

from __future__ import annotations

import json
from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.migration import Action, Destination, Kind, PlannedVoucher
from voucher_gateway.migration.plan.voucher_text import planned_voucher, read_voucher_text, voucher_text
from voucher_gateway.provider_api import Money, Status, VoucherGatewayError, decode
from voucher_gateway.serialization import make_converter

CONVERTER = make_converter()
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
AMOUNTS = st.builds(Money.from_minor, st.integers(0, 10**15), st.sampled_from(["EUR", "JPY", "BHD"]))
INSTANTS = st.datetimes(timezones=st.just(UTC))
DESTINATIONS = st.builds(
    Destination,
    value=AMOUNTS,
    active=st.none() | st.booleans(),
    valid_until=st.none() | INSTANTS,
    validity_days=st.none() | st.integers(1, 9999),
    drift=st.none() | st.timedeltas(timedelta(), timedelta(days=400)),
    new_code=st.booleans(),
)
PLANNED = st.builds(
    PlannedVoucher,
    number=st.integers(1, 10**9),
    source_id=TEXTS,
    code=st.none() | TEXTS,
    fingerprint=st.none() | TEXTS,
    key_id=st.none() | TEXTS,
    kind=st.sampled_from(Kind),
    initial=st.none() | AMOUNTS,
    remaining=st.none() | AMOUNTS,
    status=st.none() | st.sampled_from(Status),
    valid_until=st.none() | INSTANTS,
    action=st.sampled_from(Action),
    reasons=st.lists(TEXTS, max_size=2).map(tuple),
    losses=st.lists(TEXTS, max_size=2).map(tuple),
    destination=st.none() | DESTINATIONS,
)


@given(PLANNED)
def test_a_voucher_is_written_as_the_converter_would_write_it(planned: PlannedVoucher) -> None:
    assert decode(voucher_text(planned).encode()) == decode(json.dumps(CONVERTER.unstructure(planned)).encode())


@given(PLANNED)
def test_a_voucher_is_read_as_the_converter_would_read_it(planned: PlannedVoucher) -> None:
    text = voucher_text(planned)
    assert read_voucher_text(text) == CONVERTER.structure(decode(text.encode()), PlannedVoucher) == planned


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "new"},
        {"action": "sell"},
        {"status": "lost"},
        {"number": None},
        {"source_id": ...},
        {"remaining": {"amount": "1.001", "currency": "EUR"}},
        {"remaining": {"amount": "1.00"}},
        {"valid_until": "tomorrow"},
        {"destination": {"active": True}},
    ],
)
def test_another_object_is_refused(change: dict[str, object]) -> None:
    value = {"number": 1, "source_id": "v", "kind": "unused", "action": "skip"} | change
    given = {name: part for name, part in value.items() if part is not ...}
    with pytest.raises((LookupError, ValueError, TypeError, VoucherGatewayError)):
        planned_voucher(given)
