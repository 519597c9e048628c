"""`other_means`: the shop's card, named in the configuration, so that every process can complete a payment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.config.test_loader import account, problem
from voucher_gateway import Authorization, Gateway, Money
from voucher_gateway.config.loader import load_config


class Card:
    def authorize(self, money: Money, key: str) -> str | None:
        return f"{money} {key}"

    def capture(self, money: Money, key: str, authorization: Authorization) -> None: ...

    def void(self, money: Money, key: str, authorization: Authorization) -> None: ...

    def refund(self, money: Money, key: str, authorization: Authorization) -> None: ...


@pytest.fixture(autouse=True)
def shop_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop_of_test.py").write_text(
        """
class Card:
    def authorize(self, money, key): ...
    def capture(self, money, key, authorization): ...
    def void(self, money, key, authorization): ...
    def refund(self, money, key, authorization): ...

class Cards:
    main = Card()

card = Card()
nothing = object()

def broken():
    raise RuntimeError("4711 secret")
"""
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("name", ["card", "Card", "Cards.main"])
def test_it_is_an_object_a_class_or_a_part_of_one(name: str) -> None:
    means = load_config({**account(), "other_means": f"shop_of_test:{name}"}).other_means
    assert type(means).__name__ == "Card"


def test_a_dict_may_hold_the_object_itself() -> None:
    card = Card()
    with Gateway.from_config({**account(), "other_means": card}) as gateway:
        assert gateway.other_means is card


def test_a_gateway_without_it_has_none() -> None:
    with Gateway.from_config(account()) as gateway:
        assert gateway.other_means is None


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("shop_of_test.card", "must be MODULE:NAME, such as shop.card:means"),
        ("no_such_module:card", "cannot be imported: ModuleNotFoundError"),
        ("shop_of_test:no_card", "cannot be imported: AttributeError"),
        ("shop_of_test:nothing", "must have the methods authorize, capture, void, refund"),
        (7, "must be a string, not an integer"),
        ({}, "must be a string, not a table"),
    ],
)
def test_what_is_wrong_is_said_without_a_quotation(given: Any, text: str) -> None:
    assert problem({**account(), "other_means": given}) == f"config: other_means: {text}"


def test_an_error_of_the_shops_function_is_not_quoted() -> None:
    with pytest.raises(Exception, match="cannot be made: its function raised an error") as refused:
        load_config({**account(), "other_means": "shop_of_test:broken"})
    assert "4711" not in str(refused.value)
