"""Commands that tell which accounts and providers there are."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.simulator import RunningSimulator


def test_accounts_are_listed_without_a_request_and_without_secrets(run: Any, both: dict[str, RunningSimulator]) -> None:
    told = run("--json", "accounts").done()
    shop, events = told.objects
    login = both["shop"].announcement["client_id"]
    assert (shop["account"], shop["provider"], shop["login"], shop["code_pattern"]) == ("shop", "jtl", login, "^JTL-")
    assert (events["account"], events["accept_risks"]) == ("events", ["redeem-by-update"])
    shown = run("accounts").done()
    for secret in (both["shop"].announcement["client_secret"], both["events"].announcement["api_key"]):
        assert secret not in told.out + shown.out
    assert both["shop"].requests == both["events"].requests == []


def test_providers_tell_what_each_vendor_can_do_and_at_what_risk(run: Any) -> None:
    told = {one["provider"]: one for one in run("--json", "providers").done().objects}
    jtl, ticketing = told["jtl"], told["ticketing"]
    assert (jtl["title"], jtl["distribution"], jtl["error"]) == ("JTL", "voucher-gateway", None)
    limits = {name: limit for name, limit in jtl["amounts"].items() if limit not in (None, {})}
    assert limits == {"decimals": 2, "minimum": "0", "maximum": "99999.99", "movement_minimum": "0"}
    assert (jtl["codes"]["max_length"], jtl["codes"]["alphabet"], jtl["options"]) == (255, None, [])
    assert jtl["operations"]["capture"]["support"] == "native"
    assert jtl["operations"]["redeem"]["support"] == "emulated"
    assert jtl["operations"]["redeem"]["emulation"] == "redeem-by-capture"
    assert ticketing["operations"]["redeem"]["support"] == "needs-accepted-risk"
    assert ticketing["operations"]["reserve"]["support"] == "unsupported"
    shown = run("providers").done().out
    assert "emulated (redeem-by-capture)" in shown
    assert "at a risk (redeem-by-update)" in shown


def test_a_broken_plugin_shows_its_sentence_and_breaks_no_other(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "acme_vouchers-1.2.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: acme-vouchers\nVersion: 1.2\n")
    info.joinpath("entry_points.txt").write_text("[voucher_gateway.providers]\nacme = acme_broken_plugin:Acme\n")
    tmp_path.joinpath("acme_broken_plugin.py").write_text(textwrap.dedent("raise RuntimeError('out of order')\n"))
    monkeypatch.syspath_prepend(tmp_path)
    told = {one["provider"]: one for one in run("--json", "providers").done().objects}
    assert told["acme"]["operations"] is None
    assert "provider acme of acme-vouchers 1.2 cannot be imported: RuntimeError: out of order" in told["acme"]["error"]
    assert told["jtl"]["operations"]["capture"]["support"] == "native"
    shown = run("providers").done()
    assert "broken" in shown.out
    assert "out of order" in shown.err


def test_a_renamed_account_shows_its_former_name_and_lists_its_operations(
    run: Any, kept: RunningSimulator, tmp_path: Path
) -> None:
    config = tmp_path / "voucher-gateway.toml"
    config.write_text(config.read_text().replace("[accounts.shop]", "[accounts.main-shop]"))
    for command in (["operations", "list"], ["doctor"]):
        refused = run(*command)
        assert refused.code == 2, refused
        assert 'former_names = ["shop"]' in refused.out + refused.err
    config.write_text(f'{config.read_text()}former_names = ["shop"]\n')
    assert run("--json", "accounts").done().object["former_names"] == ["shop"]
    assert "former names" in run("accounts").done().out
    told = run("--json", "operations", "list", "--account", "main-shop").done().objects
    assert {one["account"] for one in told} == {"main-shop"}
    old = run("operations", "list", "--account", "shop")
    assert (old.code, "the account shop is called main-shop now" in old.err) == (2, True)


def test_an_account_is_paused_for_all_commands_until_it_is_resumed(run: Any, kept: RunningSimulator, gift: str) -> None:
    paused = run("--json", "accounts", "pause", "shop", "--for", "2h", "--reason", "maintenance", "--by", "Ann").done()
    assert (paused.object["reason"], paused.object["by"], paused.object["everything"]) == ("maintenance", "Ann", False)
    refused = run("--json", "balance", "shop", "JTL-7K2M-9QXD-4HTP")
    assert (refused.code, refused.error["error"]) == (3, "AccountPaused")
    assert run("--json", "accounts").done().object["paused"]["until"] == paused.object["until"]
    assert "paused until" in run("accounts", "list").done().out
    assert any("the account is paused until" in warning for warning in run("--json", "doctor").object["warnings"])
    assert run("accounts", "resume", "shop").done().out == "shop: resumed\n"
    assert run("accounts", "resume", "shop").done().out == "shop: was not paused\n"
    run("balance", "shop", "JTL-7K2M-9QXD-4HTP").done()
    assert run("--json", "accounts").done().object["paused"] is None


def test_a_pause_of_an_unknown_length_or_account_is_refused(run: Any, kept: RunningSimulator) -> None:
    assert "--for must be a time such as" in run("accounts", "pause", "shop", "--for", "soon").err
    assert run("accounts", "pause", "nowhere").code == 2
    assert run("--json", "accounts").done().object["paused"] is None


def test_accounts_make_no_journal(run: Any, shop: RunningSimulator, tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    config = tmp_path / "voucher-gateway.toml"
    config.write_text(f'journal = "sqlite:///{path}"\n' + config.read_text())
    assert run("--json", "accounts").done().object["paused"] is None
    assert not path.exists()
