"""What an account of one's own vouchers may be told, and what it then is."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.providers.local.conftest import KEY, eur
from voucher_gateway import Gateway
from voucher_gateway.capabilities import Expiry
from voucher_gateway.config.loader import load_config
from voucher_gateway.provider_api import (
    ConfigurationError,
    DatabaseUnavailable,
    DatabaseUrl,
    NewVoucher,
    Operation,
    RepeatSafety,
    Support,
)
from voucher_gateway_local import LocalProvider, LocalSettings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("url", "own.db"),
        ("reservation_minutes", 0),
        ("code_length", 7),
        ("code_length", 256),
        ("code_alphabet", "ABCABCABCABC"),
        ("code_alphabet", "ABC"),
        ("currency", "EURO"),
        ("page_size", 0),
        ("former_keys", "not a list"),
        ("host", "there is no such key"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_its_name(tmp_path: Path, key: str, value: Any) -> None:
    account = {"provider": "local", "url": f"sqlite:///{tmp_path / 'own.db'}", key: value}
    with pytest.raises(ConfigurationError, match=rf"accounts\.own\.{key}: "):
        load_config({"accounts": {"own": account}})


def test_the_url_and_the_keys_can_come_from_wherever_secrets_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    monkeypatch.setenv("OWN_URL", "sqlite:///vouchers.db")
    (tmp_path / "voucher-gateway.toml").write_text(
        '[accounts.own]\nprovider = "local"\nurl = { env = "OWN_URL" }\nkey = { file = "key" }\n'
        'former_keys = [{ file = "key" }]\n'
    )
    with Gateway.from_config(tmp_path / "voucher-gateway.toml") as gateway:
        gateway.issue("own", NewVoucher(initial=eur("5.00")), reference="a")
    assert (tmp_path / "vouchers.db").exists()
    assert not (tmp_path / "vouchers.db.key").exists()


def test_a_url_shows_its_password_nowhere() -> None:
    url = DatabaseUrl.of("postgresql://shop:hush-hush@db.example:5433/own")
    own = LocalProvider("own", LocalSettings(url=url, key=KEY))
    assert own.host == "db.example:5433/own"
    assert "hush-hush" not in f"{own.settings!r} {own.settings} {url!r} {own.host} {own.capabilities!r}"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql://db.example/own", "db.example:5432/own"),
        ("postgresql:///own?host=/run/postgres", "/run/postgres:5432/own"),
        ("postgresql:///own", "localhost:5432/own"),
        ("postgresql://shop@db.example", "db.example:5432/shop"),
        ("postgresql://db.example/?dbname=own", "db.example:5432/own"),
        ("postgresql://db.example/own?port=5433", "db.example:5433/own"),
        ("postgresql:///own?host=one&host=two:5433", "one:5432,two:5433/own"),
        ("postgresql:///own?host=one,two&port=5433,", "one:5433,two:5432/own"),
        ("postgresql://db.example/own?hostaddr=10.0.0.7", "10.0.0.7:5432/own"),
        ("sqlite:////srv/a/../own.db", "sqlite:/srv/own.db"),
    ],
)
def test_the_host_names_the_database(url: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER"):
        monkeypatch.delenv(name, raising=False)
    assert LocalProvider("own", LocalSettings(url=url, key=KEY)).host == host


def test_what_a_url_leaves_out_is_named_as_the_driver_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("PGPORT", "5433")
    monkeypatch.setenv("PGDATABASE", "other")
    assert LocalProvider("own", LocalSettings(url="postgresql:///", key=KEY)).host == "elsewhere:5433/other"
    assert LocalProvider("own", LocalSettings(url="postgresql://db:1/own", key=KEY)).host == "db:1/own"


@pytest.mark.parametrize(
    ("query", "said"), [("service=prod", "a service"), ("host=one&host=two:1&port=2", "as many ports as hosts")]
)
def test_a_url_that_does_not_say_which_database_it_is_is_refused(query: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        LocalProvider("own", LocalSettings(url=f"postgresql:///own?{query}", key=KEY))


def test_one_file_is_one_host_wherever_a_program_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    named = LocalProvider("own", LocalSettings(url="sqlite:///own.db")).host
    assert named == f"sqlite:{tmp_path / 'own.db'}"


def test_a_program_that_goes_elsewhere_opens_the_file_that_it_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(here)
    with LocalProvider("own", LocalSettings(url="sqlite:///own.db")) as own:
        monkeypatch.chdir(elsewhere)
        own.check()
        assert own.host == f"sqlite:{here / 'own.db'}"
    assert (here / "own.db.key").exists()
    assert list(elsewhere.iterdir()) == []


def test_a_folder_with_an_odd_name_is_that_folder_or_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy writes it into a URL such that it can be read again from 2.1 on."""
    odd = tmp_path / "where? 100%25"
    odd.mkdir()
    monkeypatch.chdir(odd)
    with suppress(ConfigurationError), LocalProvider("own", LocalSettings(url="sqlite:///own.db")) as own:
        own.check()
        assert (odd / "own.db").exists()
    assert list(tmp_path.iterdir()) == [odd]


def test_making_a_provider_opens_nothing(tmp_path: Path) -> None:
    settings = LocalSettings(url=f"sqlite:///{tmp_path / 'own.db'}")
    with LocalProvider("own", settings) as own:
        assert own.capabilities.of(Operation.REDEEM).support is Support.NATIVE
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said_when_it_is_needed(tmp_path: Path) -> None:
    settings = LocalSettings(url=f"sqlite:///{tmp_path}/nowhere/own.db")
    with LocalProvider("own", settings) as own, pytest.raises(DatabaseUnavailable, match="folder"):
        own.check()


def test_every_operation_but_the_presentation_is_native_and_a_repeat_of_every_change_is_safe() -> None:
    declared = LocalProvider.declared
    assert declared.of(Operation.PRESENTATION).support is Support.UNSUPPORTED
    for one in set(Operation) - {Operation.PRESENTATION}:
        assert declared.of(one).support is Support.NATIVE, one
        assert declared.of(one).repeat is (RepeatSafety.VENDOR_KEY if one.changes else None), one
        assert (one in declared.resolvable) == one.changes
    assert (declared.expiry, declared.expiry.takes_instants, declared.expiry.takes_lengths) == (Expiry.BOTH, True, True)


def test_a_check_looks_into_the_database_and_tells_the_currency(tmp_path: Path) -> None:
    settings = LocalSettings(url=f"sqlite:///{tmp_path / 'own.db'}", currency="EUR")
    with LocalProvider("own", settings) as own:
        found = own.check()
    assert (found.asked, found.currency) == (True, "EUR")


def test_without_its_library_the_provider_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from voucher_gateway_local import LocalProvider, LocalSettings\n"
        f"own = LocalProvider('own', LocalSettings(url='sqlite:///{tmp_path}/own.db'))\n"
        "try:\n    own.check()\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.startswith("ConfigurationError")
    assert "pip install 'voucher-gateway[local]'" in said
