"""The command that writes a first configuration."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway import registry


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOUCHER_GATEWAY_CONFIG", raising=False)
    return tmp_path


@pytest.mark.parametrize("provider", [None, *sorted({found.name for found in registry.list_installed()})])
def test_it_is_toml_for_the_owners_eyes_only_and_says_what_doctor_would_say(
    run: Any, folder: Path, provider: str | None
) -> None:
    ran = run("init", *([provider] if provider else []), "--account", "till").done()
    path = folder / "voucher-gateway.toml"
    assert ran.out == "Wrote voucher-gateway.toml.\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    table = tomllib.loads(path.read_text())
    assert table["journal"].startswith("sqlite:///")
    if provider is None:
        assert "accounts" not in table
    else:
        assert table["accounts"]["till"]["provider"] == provider
        defaults = path.read_text().replace("\n# ", "\n")
        assert "accept_risks" in defaults
    said = run("doctor")
    for line in ran.err.splitlines()[1:]:
        assert line.strip() in said.err


def test_secrets_come_from_the_environment_and_every_setting_is_explained(run: Any, folder: Path) -> None:
    run("init", "jtl").done()
    text = (folder / "voucher-gateway.toml").read_text()
    assert '# client_secret: its secret.\nclient_secret = { env = "SHOP_CLIENT_SECRET" }' in text
    assert "# total_timeout_s = 8.0" in text
    assert "SHOP_CLIENT_SECRET" in run("doctor").err
    assert max(map(len, text.splitlines())) <= 110


def test_nothing_is_overwritten(run: Any, folder: Path) -> None:
    (folder / "voucher-gateway.toml").write_text("mine")
    ran = run("init", "jtl")
    assert ran.code == 2
    assert "exists already, and is never overwritten" in ran.err
    assert (folder / "voucher-gateway.toml").read_text() == "mine"
    object = run("--json", "--config", "other.toml", "init", "jtl").done().object
    assert (object["config"], object["account"], object["provider"]) == ("other.toml", "shop", "jtl")
    assert object["problems"]


@pytest.mark.parametrize("arguments", [["nobody"], ["jtl", "--account", "a b"], ["jtl", "--account", 'x"]']])
def test_a_wrong_argument_writes_nothing(run: Any, folder: Path, arguments: list[str]) -> None:
    assert run("init", *arguments).code == 2
    assert list(folder.iterdir()) == []
