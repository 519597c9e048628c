"""The tree of errors: as drawn, with its promises, through a pickle and back."""

from __future__ import annotations

import copy
import json
import pickle
import re
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway import errors
from voucher_gateway.errors import (
    AuthenticationFailed,
    ConcurrentModification,
    FieldError,
    InvalidRequest,
    MissingScope,
    OutcomePending,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Ticket,
    UnsupportedOperation,
    VoucherGatewayError,
    VoucherNotFound,
)

TICKET = Ticket(account="shop", provider="jtl", host="vouchers.example", verb="capture")

# What each class takes beside the message and the names that all have.
OWN: dict[type[VoucherGatewayError], dict[str, Any]] = {
    UnsupportedOperation: {"emulation": "redeem-by-update"},
    InvalidRequest: {"field": "amount", "rule": "above zero"},
    Rejected: {"fields": (FieldError("amount", rule="MIN:0", code="X", message="too small"),)},
    MissingScope: {"scope": "use"},
    RateLimited: {"retry_after": 1.5},
    errors.TooManyChecks: {"retry_at": datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)},
    OutcomeUnknown: {"ticket": TICKET},
    errors.PartlyRedeemed: {"taken": "3.00 EUR", "redemption_id": "r-1", "voucher_id": "v-1"},
    errors.PaymentDeclined: {"leg": 2, "cause": None},
    errors.PaymentShort: {"short_by": "3.00 EUR", "leg": 2, "cause": None},
    errors.MalformedResponse: {"problems": ("amount", "currency")},
    errors.MalformedFile: {"problem_count": 3, "wrong_lines": 2, "listed_in": "vouchers.csv.problems.txt"},
    errors.ReferencePruned: {"state": "succeeded", "month": "2029-02"},
    ConcurrentModification: {"evidence": {"before": "10.00", "after": "7.00"}, "ticket": TICKET},
}
COMMON: dict[str, Any] = {
    "account": "shop",
    "operation": "capture",
    "http_status": 422,
    "vendor_code": "VOUCHER.X",
    "request_id": "r-1",
}


def children(root: type[VoucherGatewayError]) -> list[type[VoucherGatewayError]]:
    return [child for child in root.__subclasses__() if child.__module__ == errors.__name__]


def every(root: type[VoucherGatewayError] = VoucherGatewayError) -> list[type[VoucherGatewayError]]:
    return [root] + [kind for child in children(root) for kind in every(child)]


def own(kind: type[VoucherGatewayError]) -> dict[str, Any]:
    return next((OWN[base] for base in kind.__mro__ if base in OWN), {})


def made(kind: type[VoucherGatewayError]) -> VoucherGatewayError:
    return kind("no", **own(kind), **COMMON)


def test_the_head_of_the_module_names_each_kind_of_what_the_caller_must_do() -> None:
    drawing = re.findall(r"^    [├└]── ([A-Z]\w+) +\w", errors.__doc__ or "", re.MULTILINE)
    assert sorted(drawing) == sorted(child.__name__ for child in children(VoucherGatewayError))
    assert len(every()) > 25


@pytest.mark.parametrize("kind", every(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_survives_a_pickle_with_all_it_knows(kind: type[VoucherGatewayError], protocol: int) -> None:
    error = made(kind)
    error.add_note("seen in the till")
    for again in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error)):
        assert type(again) is kind
        assert vars(again) == vars(error)
        assert again.args == error.args == ("no",)
        assert str(again) == str(error) == "shop capture: no"
        assert (again.outcome, again.retry_safe) == (error.outcome, error.retry_safe)
        for name, value in {**COMMON, **own(kind)}.items():
            assert getattr(again, name) == value


def test_the_cause_of_a_declined_payment_survives_a_pickle() -> None:
    cause = VoucherNotFound("no such voucher", account="shop")
    again = pickle.loads(pickle.dumps(errors.PaymentDeclined("leg 1 cannot be had", leg=1, cause=cause)))
    assert type(again.cause) is VoucherNotFound
    assert str(again.cause) == "shop: no such voucher"


MOVED_NOTHING = ("not_executed", True)
DECLINED = ("declined", True)
MAY_HAVE_MOVED = ("unknown", False)

OUTCOMES = {
    "VoucherGatewayError": MOVED_NOTHING,
    "ConfigurationError": MOVED_NOTHING,
    "UnsupportedOperation": MOVED_NOTHING,
    "InvalidRequest": MOVED_NOTHING,
    "Declined": DECLINED,
    "AccessDenied": DECLINED,
    "AuthenticationFailed": MOVED_NOTHING,
    "NotExecuted": MOVED_NOTHING,
    "OutcomeUnknown": MAY_HAVE_MOVED,
    "OutcomePending": ("pending", False),
    "PartlyRedeemed": ("succeeded", False),
    "PaymentShort": ("succeeded", False),
    "PaymentConflict": MOVED_NOTHING,
    "SaleConflict": MOVED_NOTHING,
    "MalformedResponse": MOVED_NOTHING,
    "ReferenceConflict": MOVED_NOTHING,
    "OperationInProgress": MOVED_NOTHING,
    "ConcurrentModification": MAY_HAVE_MOVED,
}


@pytest.mark.parametrize("kind", every(), ids=lambda kind: kind.__name__)
def test_each_says_what_became_of_the_call_and_whether_to_repeat_it(kind: type[VoucherGatewayError]) -> None:
    promised = next(OUTCOMES[base.__name__] for base in kind.__mro__ if base.__name__ in OUTCOMES)
    assert (made(kind).outcome, made(kind).retry_safe) == promised


def test_only_what_may_have_moved_money_is_unsafe_to_repeat() -> None:
    unsafe = {kind for kind in every() if not kind.retry_safe}
    assert unsafe == {kind for kind in every() if kind.outcome in ("unknown", "pending", "succeeded")}
    assert unsafe == {
        OutcomeUnknown,
        OutcomePending,
        ConcurrentModification,
        errors.PartlyRedeemed,
        errors.PaymentShort,
    }


def test_the_message_is_a_sentence_and_str_says_where_too() -> None:
    assert str(VoucherNotFound("no such voucher")) == "no such voucher"
    assert str(VoucherNotFound("no such voucher", account="shop")) == "shop: no such voucher"
    assert str(VoucherNotFound("no such voucher", operation="find")) == "find: no such voucher"
    error = VoucherNotFound("no such voucher", account="shop", operation="find")
    assert str(error) == "shop find: no such voucher"
    assert error.message == "no such voucher"


def test_about_fills_in_what_is_missing_and_nothing_else() -> None:
    error = AuthenticationFailed("no", account="shop")
    assert error.with_context(account="other", operation="find", http_status=401) is error
    assert (error.account, error.operation, error.http_status) == ("shop", "find", 401)
    assert error.with_context(http_status=500).http_status == 401


def test_about_refuses_a_name_that_errors_do_not_have() -> None:
    with pytest.raises(AttributeError):
        VoucherNotFound("no").with_context(colour="red")


words = st.text(min_size=1)
tickets = st.builds(
    Ticket,
    account=words,
    provider=words,
    host=words,
    verb=words,
    notes=st.dictionaries(words, words),
    reason=st.text(),
    **{
        name: st.none() | words
        for name in attrs.fields_dict(Ticket)
        if name not in ("account", "provider", "host", "verb", "notes", "reason")
    },
)


@given(tickets)
def test_a_ticket_comes_back_from_its_json_as_it_was(ticket: Ticket) -> None:
    text = ticket.to_json()
    assert "\n" not in text
    assert Ticket.from_json(text) == ticket
    assert hash(Ticket.from_json(text)) == hash(ticket)


def test_the_json_of_a_ticket_leaves_out_what_is_not_known() -> None:
    assert json.loads(TICKET.to_json()) == {
        "account": "shop",
        "provider": "jtl",
        "host": "vouchers.example",
        "verb": "capture",
    }


FOREIGN = [
    "",
    "null",
    "[]",
    "{}",
    "17",
    "NaN",
    '"ticket"',
    "not json",
    "[" * 100_000,
    '{"account": "shop"}',
    '{"account": "shop", "provider": "jtl", "host": "h", "verb": "v", "colour": "red"}',
    '{"account": 1, "provider": "jtl", "host": "h", "verb": "v"}',
    '{"account": "shop", "provider": "jtl", "host": "h", "verb": "v", "order": null}',
    '{"account": "shop", "provider": "jtl", "host": "h", "verb": "v", "amount": 10.53}',
    '{"account": "shop", "provider": "jtl", "host": "h", "verb": "v", "notes": null}',
    '{"account": "shop", "provider": "jtl", "host": "h", "verb": "v", "notes": "text"}',
    '{"account": "shop", "provider": "jtl", "host": "h", "verb": "v", "notes": ["text"]}',
    '{"account": "shop", "provider": "jtl", "host": "h", "verb": "v", "notes": {"seen": 3}}',
    '{"account": "shop", "provider": "jtl", "host": "h", "verb": "v", "notes": {"seen": {"a": "b"}}}',
]


@pytest.mark.parametrize("text", FOREIGN, ids=lambda text: str(text[:70]))
def test_foreign_json_is_no_ticket(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Ticket.from_json(text)
    assert refused.value.field == "ticket"
    assert refused.value.__cause__ is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from(sorted(attrs.fields_dict(Ticket))), json_values))
def test_json_of_a_ticket_s_shape_is_either_a_ticket_or_refused(fields: dict[str, Any]) -> None:
    whole = {"account": "shop", "provider": "jtl", "host": "h", "verb": "v", **fields}
    try:
        ticket = Ticket.from_json(json.dumps(whole))
    except InvalidRequest:
        return
    notes = attrs.asdict(ticket).pop("notes")
    assert all(isinstance(value, str) for value in notes.values())
    assert all(isinstance(value, str | None) for name, value in attrs.asdict(ticket).items() if name != "notes")
