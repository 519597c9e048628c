"""A command that was written wrong is explained without what was written: it may have been a code."""

from __future__ import annotations

from typing import Any

import pytest

CODE = "GIFT-4711-SECRET"


@pytest.mark.parametrize(
    "arguments",
    [
        ["find", f"--{CODE}"],
        ["find", f"--{CODE}=x"],
        ["find", f"-{CODE}"],
        ["find", "--code-of-small-letters"],
        [f"--{CODE}", "find"],
        ["operations", f"--{CODE}"],
        ["list", "shop", f"--{CODE}", "1"],
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_unknown_option_is_not_repeated(run: Any, arguments: list[str], form: list[str]) -> None:
    ran = run(*form, *arguments)
    assert ran.code == 2
    assert "Unknown option. A value that begins with - comes after --." in ran.err
    for part in ("GIFT", "4711", "code-of", "-G"):
        assert part not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["redeem", "--refrence", "x"], "Unknown option. Did you mean --reference?"),
        (["find", "--pn", "1"], "Unknown option. Did you mean --help or --pin?"),
    ],
)
def test_the_options_that_may_be_meant_are_named(run: Any, arguments: list[str], hint: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert hint in ran.err
    assert arguments[1] not in ran.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["opertions"], "No such command 'opertions'. Did you mean 'operations'?"),
        (["operations", "shwo"], "No such command 'shwo'. Did you mean 'show'?"),
        (["list", "shop", "--status", "actve"], "'actve' is not one of 'active', 'inactive'"),
        (["balence", "shop", CODE], "No such command 'balence'. Did you mean 'balance'?"),
    ],
)
def test_a_mistyped_word_is_repeated_with_what_may_be_meant(run: Any, arguments: list[str], sentence: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert sentence in ran.err
    assert CODE not in ran.err


@pytest.mark.parametrize("code", [CODE, "springtime", "list-4711", "LISST", "showshowshow", "redeem1"])
def test_a_word_that_could_be_a_code_is_not_repeated(run: Any, code: str) -> None:
    ran = run(code)
    assert ran.code == 2
    assert code not in ran.err


def test_a_mistyped_account_is_repeated_and_a_code_in_its_place_is_not(run: Any, shop: Any) -> None:
    del shop
    ran = run("balance", "shpo", CODE)
    assert ran.code == 2
    assert "unknown account 'shpo'; did you mean shop? The accounts are: shop" in ran.err
    ran = run("balance", CODE, "shop")
    assert "unknown account. The accounts are: shop" in ran.err
    assert CODE not in ran.err


def test_the_place_where_a_missing_configuration_was_looked_for_is_named(
    run: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOUCHER_GATEWAY_CONFIG", raising=False)
    default = run("accounts")
    assert default.code == 2
    assert f"The file {tmp_path / 'voucher-gateway.toml'} does not exist (neither --config nor $VOUCHER" in default.err
    assert "`voucher-gateway init` writes a first configuration." in default.err
    assert (
        f"The file {tmp_path / 'a.toml'} does not exist (--config names it)"
        in run("--config", "a.toml", "accounts").err
    )
    monkeypatch.setenv("VOUCHER_GATEWAY_CONFIG", "b.toml")
    assert f"The file {tmp_path / 'b.toml'} does not exist ($VOUCHER_GATEWAY_CONFIG names it)" in run("accounts").err


def test_a_mistyped_file_is_repeated_if_a_similar_one_is_there_and_a_code_in_its_place_is_not(
    run: Any, shop: Any, tmp_path: Any
) -> None:
    del shop
    (tmp_path / "ticket.json").write_text("{}")
    (tmp_path / "code.txt").write_text(CODE)
    ran = run("resolve", "--ticket", "tikcet.json")
    assert "the file 'tikcet.json' does not exist; did you mean ticket.json?" in ran.err
    ran = run("balance", "shop", "-", "--code-file", "kode.txt")
    assert "the file 'kode.txt' does not exist; did you mean code.txt?" in ran.err
    assert (
        "The file 'voucher-gatewy.toml' does not exist; did you mean voucher-gateway.toml?"
        in run("--config", "voucher-gatewy.toml", "accounts").err
    )
    ran = run("balance", "shop", "-", "--code-file", CODE)
    assert ran.code == 2
    assert CODE not in ran.err
