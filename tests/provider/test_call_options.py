"""The options of one call: what is accepted, what is refused before anything is sent, and where they are kept."""

from __future__ import annotations

from typing import Any

import pytest

from voucher_gateway.capabilities import Operation, OptionRule, OptionType, OptionValue
from voucher_gateway.errors import InvalidRequest, Ticket
from voucher_gateway.money import Money
from voucher_gateway.outcome import Intent, option_notes
from voucher_gateway.provider.call_options import check_options, current_options, parse_options, use_call_options

RULES = (
    OptionRule(name="location", operations=frozenset({Operation.REDEEM, Operation.ISSUE}), max_length=8),
    OptionRule(
        name="reason",
        operations=frozenset({Operation.DEACTIVATE}),
        required=True,
        choices=("LOST", "STOLEN"),
        help="why the card is stopped",
    ),
    OptionRule(name="tip", operations=frozenset({Operation.REDEEM}), type=OptionType.INTEGER),
    OptionRule(name="training", operations=frozenset({Operation.REDEEM}), type=OptionType.BOOLEAN),
    OptionRule(name="instruments", operations=frozenset({Operation.REDEEM}), type=OptionType.ARRAY),
)


@pytest.mark.parametrize(
    ("operation", "options"),
    [
        (Operation.REDEEM, {}),
        (Operation.REDEEM, {"location": "L1", "tip": 5, "training": False, "instruments": ("a", "b")}),
        (Operation.DEACTIVATE, {"reason": "LOST"}),
        (Operation.DELETE, {}),
    ],
)
def test_the_options_of_the_vendor_pass(operation: Operation, options: dict[str, OptionValue]) -> None:
    check_options(RULES, {operation}, options)


@pytest.mark.parametrize(
    ("operation", "options", "field", "rule"),
    [
        (Operation.REDEEM, {"till": "1"}, "options.till", "one of instruments, location, tip, training"),
        (Operation.DELETE, {"location": "L1"}, "options.location", "no option"),
        (Operation.DEACTIVATE, {"location": "L1", "reason": "LOST"}, "options.location", "one of reason"),
        (Operation.DEACTIVATE, {}, "options.reason", "required by the vendor"),
        (Operation.DEACTIVATE, {"reason": "GONE"}, "options.reason", "one of LOST, STOLEN"),
        (Operation.REDEEM, {"location": 7}, "options.location", "a string"),
        (Operation.REDEEM, {"location": ""}, "options.location", "a string of 1 to 8 printable characters"),
        (Operation.REDEEM, {"location": "L" * 9}, "options.location", "a string of 1 to 8 printable characters"),
        (Operation.REDEEM, {"location": "L\n1"}, "options.location", "a string of 1 to 8 printable characters"),
        (Operation.REDEEM, {"tip": "5"}, "options.tip", "an integer"),
        (Operation.REDEEM, {"tip": True}, "options.tip", "an integer"),
        (Operation.REDEEM, {"training": "yes"}, "options.training", "true or false"),
        (Operation.REDEEM, {"instruments": "a"}, "options.instruments", "an array of strings"),
        (Operation.REDEEM, {"instruments": ()}, "options.instruments", "an array of strings"),
        (Operation.REDEEM, {"instruments": ("a", 7)}, "options.instruments", "an array of strings"),
    ],
)
def test_any_other_option_is_refused_with_its_field_and_the_rule(
    operation: Operation, options: dict[str, Any], field: str, rule: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_options(RULES, {operation}, options)
    assert (refused.value.field, refused.value.rule) == (field, rule)


def test_texts_are_read_by_the_types_of_the_vendor() -> None:
    texts = ["location=L=1", "tip=-5", "training=true", "instruments=a", "instruments=b", "till=9"]
    assert parse_options(RULES, texts) == {
        "location": "L=1",
        "tip": -5,
        "training": True,
        "instruments": ("a", "b"),
        "till": "9",
    }
    # What is not a value of the type stays text, and is refused by the check.
    assert parse_options(RULES, ["tip=5.0", "training=yes"]) == {"tip": "5.0", "training": "yes"}


@pytest.mark.parametrize(
    ("texts", "field"), [(["location"], "options"), (["=L1"], "options"), (["tip=1", "tip=2"], "options.tip")]
)
def test_a_text_that_is_not_an_option_is_refused(texts: list[str], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_options(RULES, texts)
    assert refused.value.field == field


def test_a_provider_sees_the_options_of_its_verb_in_this_call_only() -> None:
    with use_call_options({"location": "L1", "tip": 5}):
        assert current_options(RULES, Operation.REDEEM) == {"location": "L1", "tip": 5}
        assert current_options(RULES, Operation.ISSUE.value) == {"location": "L1"}
        assert current_options(RULES, Operation.REFUND) == {}
    assert current_options(RULES, Operation.REDEEM) == {}


def test_an_intent_keeps_its_options_through_a_ticket() -> None:
    options: dict[str, OptionValue] = {"location": "L1", "tip": 5, "training": False, "instruments": ("a", "b")}
    intent = Intent(
        account="shop",
        provider="acme",
        host="acme.example",
        verb="redeem",
        reference="1001",
        money=Money(10, "EUR"),
        notes={"seen": "3"} | option_notes(options),
    )
    again = Intent.from_ticket(Ticket.from_json(intent.ticket("time-out").to_json()))
    assert again.options == options
    assert again.notes["seen"] == "3"
