"""What a caller asks for is checked when it is made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import InvalidRequest, UnsupportedOperation
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.requests import KEEP, NewVoucher, VoucherChanges, VoucherQuery
from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money

EUR = Money("10.53", "EUR")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOON_IN_BERLIN = NOON.astimezone(timezone(timedelta(hours=1)))
NAIVE = NOON.replace(tzinfo=None)
BEYOND = datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))

FILTERS_OF_TIME = ["created_from", "created_to", "valid_until_from", "valid_until_to"]
TIMES: list[tuple[str, Callable[[Any], Any]]] = [
    ("valid_until", lambda when: NewVoucher(initial=EUR, valid_until=when)),
    ("valid_until", lambda when: VoucherChanges(valid_until=when)),
    ("created_from", lambda when: VoucherQuery(created_from=when)),
    ("created_to", lambda when: VoucherQuery(created_to=when)),
    ("valid_until_from", lambda when: VoucherQuery(valid_until_from=when)),
    ("valid_until_to", lambda when: VoucherQuery(valid_until_to=when)),
]


@pytest.mark.parametrize(("field", "make"), TIMES)
def test_instants_are_kept_in_utc(field: str, make: Callable[[Any], Any]) -> None:
    kept = getattr(make(NOON_IN_BERLIN), field)
    assert kept == NOON
    assert kept.tzinfo is UTC
    assert getattr(make(None), field) is None


@pytest.mark.parametrize(("field", "make"), TIMES)
@pytest.mark.parametrize("wrong", [NAIVE, BEYOND])
def test_an_instant_that_is_naive_or_beyond_utc_is_refused_by_its_name(
    field: str, make: Callable[[Any], Any], wrong: datetime
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        make(wrong)
    assert refused.value.field == field


@pytest.mark.parametrize(("field", "make"), TIMES)
@pytest.mark.parametrize("wrong", ["2026-01-31T12:00:00Z", 1769860800, NOON.date()], ids=repr)
def test_an_instant_is_a_datetime(field: str, make: Callable[[Any], Any], wrong: object) -> None:
    with pytest.raises(TypeError, match=field):
        make(wrong)


def test_codes_and_pins_mask_themselves_from_the_start() -> None:
    new = NewVoucher(initial=EUR, code="GIFT-1234-ABCD", pin="987654")
    assert (new.code, new.pin) == (Code("GIFT-1234-ABCD"), Pin("987654"))
    assert NewVoucher(initial=EUR, code=new.code, pin=new.pin) == new
    query = VoucherQuery(code="GIFT-1234-ABCD")
    assert query.code == Code("GIFT-1234-ABCD")
    assert "GIFT-1234" not in repr(new) + repr(query)


@pytest.mark.parametrize("wrong", ["10.53", 10, None, 10.53], ids=repr)
def test_the_value_of_a_new_voucher_is_money(wrong: Any) -> None:
    with pytest.raises(TypeError):
        NewVoucher(initial=wrong)


@pytest.mark.parametrize("field", ["id", "tax_rate", "sku", "batch", "order"])
def test_the_texts_of_a_new_voucher_are_text(field: str) -> None:
    with pytest.raises(TypeError, match=field):
        NewVoucher(initial=EUR, **{field: 19})  # type: ignore[arg-type]  # what a caller may not do


@pytest.mark.parametrize("field", ["code", "pin"])
def test_a_code_is_text_and_is_not_quoted_when_it_is_not(field: str) -> None:
    with pytest.raises(TypeError) as refused:
        NewVoucher(initial=EUR, **{field: 123456})  # type: ignore[arg-type]  # what a caller may not do
    assert "123456" not in str(refused.value)


def test_a_new_voucher_with_metadata_is_hashable() -> None:
    new = NewVoucher(initial=EUR, metadata={"till": [1]})
    assert hash(new) == hash(attrs.evolve(new))


def test_changes_tell_what_is_kept_from_what_is_cleared() -> None:
    assert VoucherChanges().fields_to_change() == {}
    assert VoucherChanges(sku=None).fields_to_change() == {"sku": None}
    assert VoucherChanges(batch="2026", valid_until=NOON).fields_to_change() == {"batch": "2026", "valid_until": NOON}
    assert VoucherChanges(valid_until=None).fields_to_change() == {"valid_until": None}
    assert repr(VoucherChanges().sku) == repr(KEEP) == "KEEP"


@pytest.mark.parametrize("limit", [0, -1, True, False, 1.0, "5", 10.5], ids=repr)
def test_a_limit_is_a_whole_number_above_zero(limit: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        VoucherQuery(limit=limit)
    assert refused.value.field == "limit"


def test_only_the_filters_that_are_set_are_common_filters() -> None:
    everything: dict[str, Any] = {
        "code": Code("GIFT-1234-ABCD"),
        "status": Status.ACTIVE,
        **dict.fromkeys(FILTERS_OF_TIME, NOON),
        "sku": "gift",
        "batch": "2026",
        "has_value": False,
    }
    others: dict[str, Any] = {"native": {"filter[x]": "y"}, "newest_first": True, "limit": 5, "resume": "token"}
    assert VoucherQuery().common() == {}
    assert VoucherQuery(**others).common() == {}
    assert VoucherQuery(**everything, **others).common() == everything
    assert set(everything) | set(others) == set(attrs.fields_dict(VoucherQuery))


def test_a_query_shows_the_names_of_the_vendor_s_own_filters_and_not_what_they_ask_for() -> None:
    query = VoucherQuery(native={"filter[code]": "GIFT-1234-ABCD"})
    assert "filter[code]" in repr(query)
    assert "GIFT" not in repr(query)


queries = st.builds(
    VoucherQuery,
    code=st.none() | st.text(max_size=3),
    status=st.none() | st.sampled_from(Status),
    created_from=st.none() | st.datetimes(timezones=st.just(UTC)),
    sku=st.none() | st.text(max_size=3),
    batch=st.none() | st.text(max_size=3),
    has_value=st.none() | st.booleans(),
    native=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    newest_first=st.none() | st.booleans(),
    limit=st.none() | st.integers(1),
    resume=st.none() | st.text(),
)


@given(one=queries, other=queries, more=st.lists(st.text(max_size=3), max_size=2))
def test_a_fingerprint_tells_queries_apart_by_what_they_list(
    one: VoucherQuery, other: VoucherQuery, more: list[str]
) -> None:
    def listed(query: VoucherQuery) -> VoucherQuery:
        return attrs.evolve(query, limit=None, resume=None)

    same = listed(one) == listed(other)
    assert (one.fingerprint(*more) == other.fingerprint(*more)) is same
    assert one.fingerprint(*more) == listed(one).fingerprint(*more)
    assert one.fingerprint("a") != one.fingerprint("b")


def test_a_fingerprint_is_short_and_does_not_depend_on_the_order_of_filters() -> None:
    query = VoucherQuery(code="GIFT-1234-ABCD", native={"b": "2", "a": "1"})
    assert query.fingerprint() == VoucherQuery(code="GIFT-1234-ABCD", native={"a": "1", "b": "2"}).fingerprint()
    assert query.fingerprint("shop", "100") == query.fingerprint("shop", "100")
    assert len(query.fingerprint()) == 16


def test_a_provider_refuses_all_fields_of_a_new_voucher_but_those_that_its_vendor_stores() -> None:
    NewVoucher(initial=EUR, code="A-1").refuse_all_but("code")
    NewVoucher(initial=EUR).refuse_all_but()
    with pytest.raises(UnsupportedOperation, match="does not store active and sku of a new voucher"):
        NewVoucher(initial=EUR, code="A-1", sku="GIFT", active=False).refuse_all_but("code")


def test_a_provider_refuses_all_changes_but_those_that_its_vendor_takes() -> None:
    VoucherChanges(valid_until=None).refuse_all_but("valid_until")
    with pytest.raises(UnsupportedOperation, match="cannot change sku of a voucher"):
        VoucherChanges(sku=None, valid_until=NOON).refuse_all_but("valid_until")


def test_a_provider_refuses_all_filters_but_those_that_its_vendor_has() -> None:
    VoucherQuery(limit=3, code="A-1", native={"state": "ACTIVE"}).refuse_all_but("code", native={"state"})
    VoucherQuery(newest_first=True).refuse_all_but("newest_first")
    with pytest.raises(UnsupportedOperation, match="cannot list by status and newest_first"):
        VoucherQuery(code="A-1", status=Status.ACTIVE, newest_first=False).refuse_all_but("code")
    with pytest.raises(InvalidRequest, match="has no filter 'typ'; expected one of state, type") as refused:
        VoucherQuery(native={"typ": "A-1"}).refuse_all_but(native={"state", "type"})
    assert (refused.value.field, refused.value.rule) == ("native.typ", "one of state, type")
    with pytest.raises(InvalidRequest, match="no native filter"):
        VoucherQuery(native={"state": "ACTIVE"}).refuse_all_but()


def test_a_name_that_is_not_a_field_is_a_mistake_of_the_provider() -> None:
    with pytest.raises(TypeError, match="NewVoucher has no field codes"):
        NewVoucher(initial=EUR).refuse_all_but("codes")
    with pytest.raises(TypeError, match="VoucherQuery has no field state"):
        VoucherQuery().refuse_all_but("state")
