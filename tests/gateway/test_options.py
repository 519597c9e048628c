"""Options of one call, from the gateway to the vendor: kept with the call, and refused before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import attrs
import pytest

from tests.support.keyed import CODE, KeyedProvider, KeyedSettings, KeyedSimulator
from tests.support.simulators import make_journal_keys
from voucher_gateway import Gateway
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.records import OperationKey
from voucher_gateway.provider_api import (
    AmountOutOfRange,
    AmountRules,
    Capabilities,
    Effect,
    InvalidRequest,
    Money,
    Operation,
    OptionRule,
    OptionType,
    Outcome,
    OutcomeUnknown,
    Path,
    Redemption,
    ReferenceConflict,
    Request,
    SecretSource,
    positive,
)
from voucher_gateway.rules.codes import CodeNormalization
from voucher_gateway.simulator import RunningSimulator, start

TEN = Money("10.00", "EUR")


class TillProvider(KeyedProvider):
    """The keyed vendor, with a location and a tip for each redemption, and limits of one movement."""

    declared: ClassVar[Capabilities] = attrs.evolve(
        KeyedProvider.declared,
        options=(
            OptionRule(name="location", operations=frozenset({Operation.REDEEM}), help="the till"),
            OptionRule(name="tip", operations=frozenset({Operation.REDEEM}), type=OptionType.INTEGER),
        ),
        amounts=AmountRules(movement_minimum=Money("0.50", "EUR").amount, movement_maximum=Money(50, "EUR").amount),
    )

    def redeem(self, code: Any, money: Money, pin: Any = None, *, reference: str, order: Any = None) -> Redemption:
        intent = self.intent(Operation.REDEEM, reference=reference, order=order, voucher_id="c1", money=positive(money))
        key = self.make_key(intent)
        request = Request(
            method="POST",
            path=Path.of("/redemptions"),
            headers={"X-Idempotency-Key": key},
            json={"reference": intent.reference, "cents": int(money.amount * 100), **intent.options},
        )
        return self.http.change(request, intent, lambda reply: self.redemption(intent, reply.json()["id"]), key=key)

    def resolve(self, intent: Any, code: Any = None) -> Outcome:
        return Outcome(effect=Effect.UNKNOWN, reason=f"looked up with {intent.options}")


@attrs.define
class Till:
    """The gateway, and the vendor."""

    gateway: Gateway
    vendor: RunningSimulator

    def redeem(self, reference: str = "1001", money: Money = TEN, **options: Any) -> Redemption:
        return self.gateway.redeem("shop", CODE, money, reference=reference, options=options)

    def bodies(self) -> list[Any]:
        return [json.loads(request.body) for request in self.vendor.requests if request.method == "POST"]


@pytest.fixture(params=["with a journal", "without a journal"])
def till(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Till]:
    with ExitStack() as stack:
        vendor = stack.enter_context(start(KeyedSimulator))
        base_url = vendor.announcement["base_url"]
        provider = TillProvider("shop", KeyedSettings(base_url=base_url, token=SecretSource.of("t"), tries=1))
        journal = None
        if request.param == "with a journal":
            journal = open_journal(f"sqlite:///{tmp_path / 'journal.db'}", make_journal_keys())
        yield Till(stack.enter_context(Gateway({"shop": provider}, journal=journal)), vendor)


def test_the_vendor_gets_the_options_of_the_call(till: Till) -> None:
    till.redeem(location="L1", tip=5)
    till.redeem(reference="1002")
    assert [(body.get("location"), body.get("tip")) for body in till.bodies()] == [("L1", 5), (None, None)]


@pytest.mark.parametrize(
    ("options", "field"),
    [({"till": "L1"}, "options.till"), ({"location": 7}, "options.location"), ({"tip": "5"}, "options.tip")],
)
def test_an_option_that_the_vendor_does_not_have_is_refused_before_anything_is_sent(
    till: Till, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        till.redeem(**options)
    assert refused.value.field == field
    assert till.vendor.requests == []


@pytest.mark.parametrize("amount", ["0.49", "50.01"])
def test_an_amount_that_one_movement_cannot_have_is_refused_before_anything_is_sent(till: Till, amount: str) -> None:
    with pytest.raises(AmountOutOfRange, match=r"amounts of one movement from 0\.50 EUR to 50\.00 EUR"):
        till.redeem(money=Money(amount, "EUR"))
    assert till.vendor.requests == []


@pytest.mark.parametrize("till", ["with a journal"], indirect=True)
def test_options_are_part_of_the_call_that_a_reference_stands_for(till: Till) -> None:
    first = till.redeem(location="L1", tip=5)
    assert till.redeem(tip=5, location="L1") == first
    assert till.redeem(tip=5, location="L1").replayed
    with pytest.raises(ReferenceConflict, match="another content"):
        till.redeem(location="L2", tip=5)
    with pytest.raises(ReferenceConflict, match="another content"):
        till.redeem()
    assert len(till.bodies()) == 1


def test_a_ticket_and_the_journal_keep_the_options_for_the_look_up(till: Till) -> None:
    till.vendor.inject("commit-then-drop", "POST /redemptions")
    with pytest.raises(OutcomeUnknown) as lost:
        till.redeem(location="L1")
    assert lost.value.ticket is not None
    seen = "looked up with {'location': 'L1'}"
    assert str(till.gateway.resolve(lost.value.ticket).reason).startswith(seen)
    if till.gateway.journal is not None:
        key = OperationKey("shop", Operation.REDEEM, "1001")
        assert str(till.gateway.resolve(key).reason).startswith(seen)


@pytest.mark.parametrize("till", ["with a journal"], indirect=True)
def test_a_call_in_doubt_goes_on_with_its_options(till: Till) -> None:
    till.vendor.inject("commit-then-drop", "POST /redemptions")
    with pytest.raises(OutcomeUnknown):
        till.redeem(location="L1")
    till.redeem(location="L1")
    bodies = till.bodies()
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert bodies[0]["location"] == "L1"


# --- codes that people type ---


def test_codes_are_looked_up_in_the_form_of_the_account(till: Till) -> None:
    account = till.gateway.account("shop")
    names = frozenset({CodeNormalization.UPPER_CASE, CodeNormalization.NO_BLANKS})
    seen: list[str] = []

    class Watching(TillProvider):
        def find(self, code: Any, pin: Any = None) -> Any:
            seen.append(code.reveal())
            return super().find(code, pin)

        def redeem(self, code: Any, *arguments: Any, **keywords: Any) -> Redemption:
            seen.append(code.reveal())
            return super().redeem(code, *arguments, **keywords)

    provider = Watching("shop", account.provider.settings)
    normalizing = attrs.evolve(account, provider=provider, normalize_codes=names, code_pattern=None)
    with Gateway([normalizing]) as gateway:
        gateway.find(" keyed- 0042 ", broadcast=True)
        gateway.balance("shop", "keyed-0042")
        gateway.redeem("shop", "Keyed-0042", TEN, reference="1001")
    assert seen == ["KEYED-0042"] * 3
