"""The pretended card processor: idempotent by key, and what it does at its faults."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import attrs
import pytest

from docs.examples.card_processor.app import FAULTS
from docs.examples.card_processor.client import CardUnknown, CustomerMustConfirm
from tests.support.card import RunningProcessor, card_processor, kept
from voucher_gateway import Declined, Money, NotExecuted

MONEY = Money("10.00", "EUR")
UNANSWERED = [name for name in FAULTS if name not in ("declined", "rate-limit")]


@pytest.fixture(scope="module")
def processor() -> Iterator[RunningProcessor]:
    with card_processor() as running:
        yield running


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    return f"key-{request.node.name}"


@attrs.frozen
class Authorization:
    key: str


def authorization(key: str) -> Authorization:
    return Authorization(key)


def charge(processor: RunningProcessor, key: str) -> dict[str, object]:
    (found,) = [charge for charge in processor.charges() if charge["key"] == key]
    return found


def test_a_repeat_under_the_same_key_does_nothing_twice(processor: RunningProcessor, key: str) -> None:
    means = processor.means()
    assert means.authorize(MONEY, key) == means.authorize(MONEY, key)
    for _ in range(2):
        means.capture(MONEY, f"{key}-capture", authorization(key))
    for _ in range(2):
        means.refund(Money("4.00", "EUR"), f"{key}-refund", authorization(key))
    assert kept(charge(processor, key)) == Decimal("6.00")


def test_a_key_stands_for_one_request(processor: RunningProcessor, key: str) -> None:
    processor.means().authorize(MONEY, key)
    with pytest.raises(CardUnknown, match="409"):
        processor.means().authorize(Money("11.00", "EUR"), key)


def test_a_void_that_arrives_first_keeps_the_authorization_from_arriving(processor: RunningProcessor, key: str) -> None:
    processor.means().void(MONEY, f"{key}-void", authorization(key))
    with pytest.raises(Declined):
        processor.means().authorize(MONEY, key)
    assert key not in [charge["key"] for charge in processor.charges()]


def test_a_captured_charge_is_given_back_by_a_void(processor: RunningProcessor, key: str) -> None:
    means = processor.means()
    means.authorize(MONEY, key)
    means.capture(MONEY, f"{key}-capture", authorization(key))
    means.void(MONEY, f"{key}-void", authorization(key))
    assert charge(processor, key)["status"] == "captured"
    assert kept(charge(processor, key)) == 0


def test_a_processor_that_takes_at_once_gives_back_at_a_void(processor: RunningProcessor, key: str) -> None:
    means = processor.means(at_once=True)
    means.authorize(MONEY, key)
    assert kept(charge(processor, key)) == MONEY.amount
    means.capture(MONEY, f"{key}-capture", authorization(key))
    for _ in range(2):
        means.void(MONEY, f"{key}-void", authorization(key))
    assert kept(charge(processor, key)) == 0


def test_a_customer_confirms_with_3d_secure(processor: RunningProcessor, key: str) -> None:
    means = processor.means("tok_3ds")
    for _ in range(2):
        with pytest.raises(CustomerMustConfirm):
            means.authorize(MONEY, key)
    processor.confirm(key)
    assert means.authorize(MONEY, key)
    assert charge(processor, key)["status"] == "authorized"


def test_a_card_is_declined(processor: RunningProcessor, key: str) -> None:
    with pytest.raises(Declined):
        processor.means("tok_declined").authorize(MONEY, key)


def test_the_capture_of_a_card_is_declined(processor: RunningProcessor, key: str) -> None:
    means = processor.means("tok_capture_declined")
    means.authorize(MONEY, key)
    with pytest.raises(Declined):
        means.capture(MONEY, f"{key}-capture", authorization(key))
    assert kept(charge(processor, key)) == 0


def test_a_declined_request_is_declined_again(processor: RunningProcessor, key: str) -> None:
    processor.arm("declined", "authorize")
    for _ in range(2):
        with pytest.raises(Declined):
            processor.means().authorize(MONEY, key)


def test_a_processor_that_wants_fewer_requests_did_nothing(processor: RunningProcessor, key: str) -> None:
    processor.arm("rate-limit")
    with pytest.raises(NotExecuted):
        processor.means().authorize(MONEY, key)
    assert processor.means().authorize(MONEY, key)


def test_a_processor_that_does_not_listen_did_nothing(key: str) -> None:
    with pytest.raises(NotExecuted):
        RunningProcessor("http://127.0.0.1:1").means().authorize(MONEY, key)


@pytest.mark.parametrize("fault", UNANSWERED)
def test_a_request_without_an_answer_is_unknown_and_happens_once_at_most(
    processor: RunningProcessor, key: str, fault: str
) -> None:
    processor.arm(fault)
    with pytest.raises(CardUnknown):
        processor.means(timeout_s=0.1).authorize(MONEY, key)
    happened = key in [charge["key"] for charge in processor.charges()]
    assert happened == fault.endswith("-after")
    processor.deliver()
    assert processor.means().authorize(MONEY, key)
    assert charge(processor, key)["amount"] == "10.00"
