"""A lost or changed key of the journal is noticed before anything is sent or replayed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from tests.support.simulators import JOURNAL_KEYS
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.keys.keys import KEY_VARIABLE
from voucher_gateway.provider_api import ConfigurationError, Money, SecretSource

TEN = Money("10.00", "EUR")
FIRST = JOURNAL_KEYS["1"]
OTHER = "another-key-for-these-tests"


def _sources(**keys: str) -> dict[str, SecretSource]:
    return {name: SecretSource.of(key) for name, key in keys.items()}


@pytest.fixture
def own_key(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key file of a journal that has an entry; the gateway that wrote it is closed."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    url = shop.url.replace("journal.db", "own.db")
    gateway = shop.another_gateway_at(url, None)
    _, code = shop.voucher()
    gateway.redeem("shop", code, TEN, reference="1001-a")
    gateway.close()
    return Path(url.removeprefix("sqlite:///") + ".key")


def test_a_deleted_key_file_is_not_replaced_by_another(own_key: Path) -> None:
    url = f"sqlite:///{own_key}".removesuffix(".key")
    kept = own_key.read_bytes()
    own_key.unlink()
    with pytest.raises(ConfigurationError, match=r"journal key '1' is missing.*own\.db\.key.*restore"):
        open_journal(url)
    assert not own_key.exists()
    own_key.write_bytes(kept)
    own_key.chmod(0o600)
    open_journal(url).close()


def test_the_key_of_the_environment_does_not_take_the_place_of_the_key_file(
    own_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{own_key}".removesuffix(".key")
    monkeypatch.setenv(KEY_VARIABLE, OTHER)
    with pytest.raises(ConfigurationError, match=rf"journal key '1' .*{KEY_VARIABLE}") as refused:
        open_journal(url)
    assert OTHER not in str(refused.value)
    monkeypatch.setenv(KEY_VARIABLE, own_key.read_text())  # the same key may come from there
    open_journal(url).close()


def test_a_new_id_in_the_configuration_does_not_hide_the_key_file(own_key: Path) -> None:
    url = f"sqlite:///{own_key}".removesuffix(".key")
    with pytest.raises(ConfigurationError, match=r"journal key '1' is missing.*own\.db\.key"):
        open_journal(url, _sources(k2=OTHER))
    open_journal(url, {"1": SecretSource.of({"file": str(own_key)}), **_sources(k2=OTHER)}).close()


def test_another_key_under_a_known_id_is_refused(either_shop: Shop) -> None:
    """Machine 2 with another key: it would neither recognise codes nor see the reservations of machine 1."""
    _, code = either_shop.voucher()
    either_shop.gateway.reserve("shop", code, TEN, reference="1001-a", order="1001")
    with pytest.raises(ConfigurationError, match=r"journal key '1' .*another key"):
        either_shop.another_gateway(journal_keys={"1": OTHER})


def test_a_key_is_checked_before_there_are_entries(either_url: str) -> None:
    open_journal(either_url, _sources(k1=FIRST)).close()
    with pytest.raises(ConfigurationError, match="journal key 'k1'"):
        open_journal(either_url, _sources(k1=OTHER))


def test_each_of_several_keys_is_checked(either_url: str) -> None:
    open_journal(either_url, _sources(k1=FIRST)).close()
    open_journal(either_url, _sources(k1=FIRST, k2=OTHER)).close()
    with pytest.raises(ConfigurationError, match="journal key 'k1'"):
        open_journal(either_url, _sources(k1=OTHER, k2=OTHER))
    with pytest.raises(ConfigurationError, match="journal key 'k2'"):
        open_journal(either_url, _sources(k1=FIRST, k2=FIRST))
    open_journal(either_url, _sources(k2=OTHER)).close()  # no entry needs the other one


def test_a_key_that_entries_need_is_not_left_out(either_shop: Shop) -> None:
    _, code = either_shop.voucher()
    either_shop.redeem(code)
    with pytest.raises(ConfigurationError, match="journal key '1' is missing"):
        either_shop.another_gateway(journal_keys={"2": OTHER})


def test_of_machines_that_write_the_first_entry_with_different_keys_one_wins(
    either_url: str, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    open_journal(either_url, _sources(of="the-key-that-opens-the-database")).close()

    def work() -> str:
        open_journal(either_url, _sources(k1=f"the-key-of-machine-{os.getpid()}")).close()
        return "opened"

    said = at_once(work, 6)
    assert said.count("opened") == 1
    assert all("journal key 'k1'" in one for one in said if one != "opened"), said


def test_a_machine_that_runs_without_the_newest_key_reserves_nothing(either_shop: Shop) -> None:
    """It would not see the reservations that others make under the newest key."""
    _, code = either_shop.voucher()
    _, other_code = either_shop.voucher()
    either_shop.redeem(other_code)
    rotated = either_shop.another_gateway(journal_keys={"1": FIRST, "2": OTHER})
    either_shop.redeem(other_code, reference="1001-b")  # nothing was made under the newest key yet
    rotated.reserve("shop", code, TEN, reference="1002-a", order="1002")
    sent = either_shop.changes()
    with pytest.raises(ConfigurationError, match="journal key '2' is missing"):
        either_shop.gateway.reserve("shop", code, TEN, reference="1003-a", order="1003")
    assert either_shop.changes() == sent


def test_a_check_value_does_not_show_the_key(sqlite_url: str) -> None:
    journal = open_journal(sqlite_url, _sources(k1=FIRST))
    with journal.database.read() as connection:
        facts = connection.execute(sa.text("SELECT name, value FROM voucher_gateway_facts ORDER BY name DESC")).all()
    journal.close()
    assert [name for name, _ in facts if not name.endswith("-count")] == ["key:k1"]
    assert not any(FIRST in value for _, value in facts)
