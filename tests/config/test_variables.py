"""Values of a configuration that stand in environment variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.config.test_loader import CANARY, account, problem
from voucher_gateway.config.loader import load_config


def test_every_kind_of_value_can_stand_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "PROVIDER": "acme",
        "URL": "https://ACME.example/v1/",
        "TIMEOUT": "2.5",
        "PATTERN": "^ACME-",
        "RISKS": "redeem-by-update, top-up-by-update",
        "NORMALIZE": "upper-case,no-blanks",
        "FORMER": "old-shop",
    }.items():
        monkeypatch.setenv(name, text)
    table = account(
        provider={"env": "PROVIDER"},
        base_url={"env": "URL"},
        timeout={"env": "TIMEOUT"},
        code_pattern={"env": "PATTERN"},
        accept_risks={"env": "RISKS"},
        normalize_codes={"env": "NORMALIZE"},
        former_names={"env": "FORMER"},
    )

    shop = load_config(table).accounts["shop"]

    assert (shop.provider, shop.settings.base_url, shop.settings.timeout) == ("acme", "https://acme.example/v1", 2.5)
    assert shop.code_pattern is not None
    assert shop.code_pattern.pattern == "^ACME-"
    assert shop.accept_risks == {"redeem-by-update", "top-up-by-update"}
    assert shop.normalize_codes == {"upper-case", "no-blanks"}
    assert shop.former_names == ("old-shop",)


def test_a_variable_that_is_not_set_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("URL", raising=False)
    table = account(base_url={"env": "URL", "default": "https://sandbox.example"})
    assert load_config(table).accounts["shop"].settings.base_url == "https://sandbox.example"
    monkeypatch.setenv("URL", "https://live.example")
    assert load_config(table).accounts["shop"].settings.base_url == "https://live.example"


@pytest.mark.parametrize("key", ["base_url", "timeout", "provider", "code_pattern", "accept_risks", "former_names"])
def test_a_variable_that_is_missing_is_named_with_its_key(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MISSING_ONE", raising=False)
    text = problem(account(**{key: {"env": "MISSING_ONE"}}))
    assert text == f"config: accounts.shop.{key}: needs the environment variable MISSING_ONE, which is not set"


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ({"env": "V", "file": "x"}, 'must be { env = "NAME" } or { env = "NAME", default = "TEXT" }, with two strings'),
        ({"env": 7}, 'must be { env = "NAME" } or { env = "NAME", default = "TEXT" }, with two strings'),
        (
            {"env": "V", "default": 7},
            'must be { env = "NAME" } or { env = "NAME", default = "TEXT" }, with two strings',
        ),
        ({"env": "A-B"}, "must name an environment variable: letters, digits and underscores"),
    ],
)
def test_a_variable_of_another_form_is_refused(value: dict[str, Any], rule: str) -> None:
    assert problem(account(base_url=value)) == f"config: accounts.shop.base_url: {rule}"


@pytest.mark.parametrize("text", ["soon", CANARY, "nan", "inf", "8,5", " 8", "٨", "1_0", "8s", "1e1"])
def test_a_number_that_is_not_a_number_is_refused_without_a_quotation(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMEOUT", text)
    rule = "must be a number such as 8 or 2.5 in its environment variable"
    assert problem(account(timeout={"env": "TIMEOUT"})) == f"config: accounts.shop.timeout: {rule}"


def test_the_rule_of_a_key_applies_to_its_variable_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL", f"ftp://{CANARY}.example")
    assert "accounts.shop.base_url: must begin with https://" in problem(account(base_url={"env": "URL"}))


def test_a_secret_keeps_its_own_way_of_reading_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET", "first")
    secret = load_config(account(client_secret={"env": "SECRET"})).accounts["shop"].settings.client_secret
    monkeypatch.setenv("SECRET", "second")
    assert secret.get().reveal() == "second"


@pytest.mark.parametrize("text", ["5\n", "a\r\n", "a\udcffb", "\n"])
@pytest.mark.parametrize(
    "key", ["base_url", "client_id", "timeout", "provider", "code_pattern", "accept_risks", "former_names"]
)
def test_a_variable_with_a_line_break_or_a_wrong_byte_is_refused(
    key: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("V", text)
    rule = "must be one line of text in UTF-8: it has a line break, another control character, or a wrong byte"
    assert problem(account(**{key: {"env": "V"}})) == f"config: accounts.shop.{key}: {rule}"
