"""What `init` and `connect` do, called from a program. Their commands have the other tests."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from voucher_gateway import Pin, Secret, VoucherProvider, connect_account, write_first_config
from voucher_gateway.errors import ConfigurationError, InvalidRequest


def _provider_that(change: object, config: Path) -> type[VoucherProvider]:
    class Provider(VoucherProvider):  # only its class is used
        name = "acme"
        title = "Acme"

        @classmethod
        def connect(cls, base_url: str, pin: str | Pin) -> Mapping[str, str | Secret]:
            if change == "replaces the configuration by a folder":
                config.unlink()
                config.mkdir()
            return {"client_id": "id-1", "client_secret": Secret("s3cret-of-acme")}

    return Provider


def test_the_login_is_in_the_result_and_in_both_files(tmp_path: Path) -> None:
    config, secret_file = tmp_path / "config.toml", tmp_path / "secret"
    config.write_text('[accounts.till]\nprovider = "jtl"\n')
    provider = _provider_that("nothing", config)
    login = connect_account(
        provider, "https://acme.example", "4711", account="shop", secret_file=secret_file, config=config
    )
    table = tomllib.loads(config.read_text())["accounts"]
    assert set(table) == {"till", "shop"}
    assert table["shop"]["client_secret"] == {"file": str(secret_file)}
    assert secret_file.read_text() == "s3cret-of-acme\n"
    assert stat.S_IMODE(secret_file.stat().st_mode) == 0o600
    assert "s3cret-of-acme" not in repr(login) + login.to_toml() + config.read_text()
    assert "# SHOP_SECRET=s3cret-of-acme" in login.to_toml(reveal=True)


def test_a_login_that_cannot_be_added_to_the_configuration_is_told_without_its_secret(tmp_path: Path) -> None:
    config, secret_file = tmp_path / "config.toml", tmp_path / "secret"
    config.write_text("")
    provider = _provider_that("replaces the configuration by a folder", config)
    with pytest.raises(ConfigurationError, match="The login was made") as caught:
        connect_account(
            provider, "https://acme.example", "4711", account="shop", secret_file=secret_file, config=config
        )
    assert 'client_id = "id-1"' in str(caught.value)
    assert "s3cret-of-acme" not in str(caught.value)
    assert secret_file.read_text() == "s3cret-of-acme\n"


def test_an_account_that_exists_does_not_cost_the_pin(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[accounts.shop]\nprovider = "jtl"\n')
    provider = _provider_that("replaces the configuration by a folder", config)
    with pytest.raises(ConfigurationError, match="has an account of this name"):
        connect_account(provider, "https://acme.example", "4711", account="shop", config=config)
    assert config.is_file()


def test_a_first_configuration_says_what_is_to_be_corrected(tmp_path: Path) -> None:
    path = tmp_path / "voucher-gateway.toml"
    problems = write_first_config(path, provider="jtl", account="till")
    assert any("client_secret" in problem for problem in problems)
    assert set(tomllib.loads(path.read_text())["accounts"]) == {"till"}
    with pytest.raises(ConfigurationError, match="exists already"):
        write_first_config(path)
    with pytest.raises(InvalidRequest):
        write_first_config(tmp_path / "other.toml", account="a b")
