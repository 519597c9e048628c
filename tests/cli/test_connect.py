"""The command that exchanges a PIN for a login."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.simulator import RunningSimulator


@pytest.fixture
def pin(jtl: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The PIN that the vendor shows."""
    monkeypatch.chdir(tmp_path)
    return jtl.announcement["connect_pin"]


def test_the_account_is_printed_and_its_secret_goes_into_a_file_of_its_own(
    run: Any, jtl: RunningSimulator, pin: str, tmp_path: Path
) -> None:
    ran = run("connect", "jtl", "--base-url", jtl.announcement["base_url"], "--account", "till", "--pin", pin,
              "--secret-file", "till.secret").done()  # fmt: skip
    secret = (tmp_path / "till.secret").read_text().strip()
    assert len(secret) > 20
    assert secret not in ran.out + ran.err
    assert stat.S_IMODE((tmp_path / "till.secret").stat().st_mode) == 0o600
    (tmp_path / "voucher-gateway.toml").write_text(ran.out)
    assert run("--json", "doctor").done().object["account"] == "till"


def test_an_account_is_added_to_a_config_that_keeps_what_it_has(
    run: Any, shop: RunningSimulator, pin: str, tmp_path: Path
) -> None:
    config = tmp_path / "voucher-gateway.toml"
    before = config.read_text()
    arguments = ["connect", "jtl", "--base-url", shop.announcement["base_url"], "--pin", pin, "--secret-file", "s"]
    assert run(*arguments, "--account", "shop", "--write", str(config)).code == 2  # there is one already
    assert shop.requests == []
    run(*arguments, "--account", "till 2", "--write", str(config)).done()
    assert config.read_text().startswith(before)
    assert list(tomllib.loads(config.read_text())["accounts"]) == ["shop", "till 2"]


def test_an_account_of_the_config_can_get_another_login(run: Any, shop: RunningSimulator, pin: str) -> None:
    told = run("--json", "connect", "shop", "--pin-file", _file("pin", pin), "--reveal").done().object
    assert told["account"] == "shop"
    assert told["base_url"] == shop.announcement["base_url"]
    assert told["client_id"] != shop.announcement["client_id"]
    assert len(told["client_secret"]) > 20


def _file(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def test_the_account_is_not_folded_so_that_it_can_be_copied_from_a_narrow_terminal(
    run: Any, jtl: RunningSimulator, pin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    arguments = ["connect", "jtl", "--base-url", jtl.announcement["base_url"], "--pin", pin, "--secret-file", "s"]
    assert len(tomllib.loads(run(*arguments, terminal=True).done().out)["accounts"]["jtl"]) == 4


def test_revealing_prints_the_secret_as_a_remark_beside_its_place(run: Any, jtl: RunningSimulator, pin: str) -> None:
    ran = run("connect", "jtl", "--base-url", jtl.announcement["base_url"], "--pin", pin, "--reveal").done()
    assert 'client_secret = { env = "JTL_SECRET" }' in ran.out
    assert "# JTL_SECRET=" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--pin", "PIN"),  # the secret would be lost
        ("--reveal",),  # no PIN
        ("--pin", "PIN", "--reveal", "--write", "config.toml"),  # the secret would be lost
        ("--pin", "PIN", "--secret-file", "taken"),  # never overwritten
        ("--pin", "PIN", "--secret-file", "no/such/folder"),
        ("--pin", "PIN", "--secret-file", "new", "--write", "no/such/folder"),
        ("--pin", "PIN", "--secret-file", "new", "--write", "taken"),  # no TOML
    ],
)
def test_what_would_waste_the_pin_is_refused_before_it_is_sent(
    run: Any, jtl: RunningSimulator, pin: str, arguments: tuple[str, ...]
) -> None:
    Path("taken").write_text("something dear")
    given = [pin if one == "PIN" else one for one in arguments]
    assert run("connect", "jtl", "--base-url", jtl.announcement["base_url"], *given).code == 2
    assert run("connect", "jtl", "--pin", pin, "--reveal").code == 2
    assert jtl.requests == []
    assert Path("taken").read_text() == "something dear"


def test_a_refused_pin_is_1_and_leaves_no_file_behind(run: Any, jtl: RunningSimulator, pin: str) -> None:
    arguments = ["connect", "jtl", "--base-url", jtl.announcement["base_url"], "--secret-file", "s"]
    ran = run(*arguments, "--pin", "WRONG-PIN-1234")
    assert ran.code == 1
    assert "WRONG-PIN-1234" not in ran.out + ran.err
    assert not Path("s").exists()


def test_a_lost_answer_is_4_because_the_pin_may_be_used_up(run: Any, jtl: RunningSimulator, pin: str) -> None:
    jtl.inject("commit-then-drop", "POST /v1/clients/connect")
    arguments = ["connect", "jtl", "--base-url", jtl.announcement["base_url"], "--pin", pin, "--secret-file", "s"]
    assert run(*arguments).code == 4
    assert not Path("s").exists()


def test_a_vendor_without_pins_says_so(run: Any, ticketing: RunningSimulator, pin: str) -> None:
    url = ticketing.announcement["base_url"]
    assert run("connect", "ticketing", "--base-url", url, "--pin", "x", "--reveal").code == 1
