"""Stages: what differs between the tests, the sandbox and the shop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.config.test_loader import account, problem
from voucher_gateway import Gateway
from voucher_gateway.config.loader import CONFIG_VARIABLE, load_config
from voucher_gateway.config.stages import STAGE_VARIABLE
from voucher_gateway.errors import ConfigurationError


def staged(**stages: Any) -> dict[str, Any]:
    return {**account(client_secret={"env": "SECRET"}), "journal": "sqlite:///live.db", "stages": stages}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STAGE_VARIABLE, raising=False)
    monkeypatch.setenv("SECRET", "live")


SANDBOX = {
    "journal": "sqlite:///sandbox.db",
    "accounts": {"shop": {"base_url": "https://sandbox.example", "client_secret": {"file": "key"}}},
}


def test_without_a_stage_the_stages_change_nothing() -> None:
    config = load_config(staged(sandbox=SANDBOX))
    assert config.journal == "sqlite:///live.db"
    assert config.accounts["shop"].settings.base_url == "https://acme.example/v1"


def test_a_stage_replaces_its_keys_and_keeps_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text("sandbox")
    config = load_config(staged(sandbox=SANDBOX), stage="sandbox")
    settings = config.accounts["shop"].settings
    assert config.journal == "sqlite:///sandbox.db"
    assert (settings.base_url, settings.client_id) == ("https://sandbox.example", "shop-1")
    assert settings.client_secret.get().reveal() == "sandbox"


def test_the_environment_names_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STAGE_VARIABLE, "sandbox")
    assert load_config(staged(sandbox={"journal": "sqlite:///s.db"})).journal == "sqlite:///s.db"


def test_a_stage_may_add_an_account() -> None:
    other = account()["accounts"]["shop"]
    config = load_config(staged(sandbox={"accounts": {"second": other}}), stage="sandbox")
    assert list(config.accounts) == ["shop", "second"]


def test_an_unknown_stage_is_refused_with_the_stages_that_exist() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_config(staged(sandbox={}, live={}), stage="sandbx")
    assert refused.value.message == (
        "config: stages: has no stage 'sandbx'; did you mean sandbox?; it has: sandbox, live"
    )


@pytest.mark.parametrize(
    ("stages", "text"),
    [
        ([], "config: stages: must be a table of stages by name, not an array"),
        ({"live": 1}, "config: stages.live: must be a table, not an integer"),
        ({"live": {"stages": {}}}, "config: stages.live.stages: must not stand in a stage"),
        ({"live": {"jurnal": "x"}}, "config: jurnal: is not a key of a configuration; did you mean journal?"),
    ],
)
def test_a_wrong_stage_is_explained(stages: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STAGE_VARIABLE, "live")
    assert problem({**account(), "stages": stages}) == text


def test_from_env_reads_the_file_and_the_stage_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(
        """
        [accounts.shop]
        provider = "acme"
        base_url = "https://acme.example"
        client_id = "1"
        client_secret = { env = "SECRET" }
        [stages.test]
        journal = "sqlite:///test.db"
        """
    )
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    monkeypatch.setenv(STAGE_VARIABLE, "test")
    with Gateway.from_env() as gateway:
        assert gateway.accounts[0].name == "shop"
        assert gateway.journal is not None
    assert (tmp_path / "test.db").exists()
