"""Who steals the database alone has nothing, and nothing else shows a code either."""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.providers.local.conftest import KEY, Clock, MakeTill, Till, eur
from voucher_gateway.provider_api import (
    Code,
    ConfigurationError,
    NewVoucher,
    SecretSource,
    VoucherGatewayError,
)
from voucher_gateway.testing.harness.canary import Canary
from voucher_gateway_local import LocalProvider, LocalSettings
from voucher_gateway_local.vault import Vault

CODE = "GIFT-7K2M9QXD4HTP-SECRET"
PIN = "84719203"
OTHER_KEY = "another-key-that-is-long-enough"


def busy(till: Till) -> None:
    """Do a little of everything with a voucher of that code and PIN."""
    voucher = till.issue(code=CODE, pin=PIN)
    till.provider.refund(till.redeem(CODE, pin=PIN), reference="back")
    till.provider.capture(till.reserve(CODE, pin=PIN), reference="take")
    till.provider.deactivate(voucher.id, reference="off")


def stolen(till: Till, tmp_path: Path) -> bytes:
    """Return all that is in the database: every value of every table, and the files of SQLite but for the key."""
    database = till.provider._open().database
    dump = bytearray()
    with database.read() as connection:
        for table in sa.inspect(connection).get_table_names():
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}"):
                dump += repr(tuple(row)).encode()
    for file in tmp_path.rglob("*"):
        if file.is_file() and not file.name.endswith(".key"):
            dump += file.read_bytes()
    return bytes(dump)


def forms(secret: str) -> list[bytes]:
    """Return a secret as it could stand somewhere, and what guessing alone would find it by."""
    plain = secret.encode()
    found = [plain, plain.hex().encode(), plain[::-1]]
    for name in ("md5", "sha1", "sha256", "sha512", "blake2b", "blake2s", "sha3_256"):
        digest = hashlib.new(name, plain).digest()
        found += [digest, digest.hex().encode(), digest[:16].hex().encode()]
    return found


@pytest.mark.parametrize("secret", [CODE, PIN])
def test_a_stolen_database_gives_no_code_and_no_pin_away(either_till: Till, tmp_path: Path, secret: str) -> None:
    busy(either_till)
    dump = stolen(either_till, tmp_path)
    assert b"GIFT" not in dump
    assert [form for form in forms(secret) if form in dump] == []


def test_the_look_through_a_stolen_database_would_find_what_is_there(either_till: Till, tmp_path: Path) -> None:
    busy(either_till)
    either_till.issue(sku="SKU-IN-PLAIN", batch=hashlib.sha256(b"SKU-IN-PLAIN").hexdigest())
    found = [form for form in forms("SKU-IN-PLAIN") if form in stolen(either_till, tmp_path)]
    assert len(found) >= 2


def test_equal_codes_and_pins_look_different_in_every_database(make_till: MakeTill, tmp_path: Path) -> None:
    one, other = (make_till(f"sqlite:///{tmp_path / name}") for name in ("one.db", "other.db"))
    rows = []
    for till in (one, other):
        till.issue(code=CODE, pin=PIN)
        till.issue(pin=PIN)
        rows += till.rows("local_vouchers")
    assert len({row["fingerprint"] for row in rows}) == 4
    assert len({row["sealed"] for row in rows}) == 4


def test_a_sealed_code_tells_neither_its_length_nor_that_of_a_pin(till: Till) -> None:
    till.issue(code="A")
    till.issue(code="B" * 40, pin="1" * 8)
    assert len({len(row["sealed"]) for row in till.rows("local_vouchers")}) == 1


def test_a_sealed_code_opens_for_its_own_voucher_only() -> None:
    vault, _ = Vault.make(SecretSource.of(KEY).get())
    sealed = vault.seal("one", Code(CODE), None)
    assert vault.open("one", sealed)[0].reveal() == CODE
    with pytest.raises(ConfigurationError, match="does not open"):
        vault.open("two", sealed)
    with pytest.raises(ConfigurationError, match="does not open"):
        vault.open("one", "nonsense")


def test_nothing_that_is_said_shows_a_code_or_a_pin(either_till: Till, canary: Canary) -> None:
    for secret in (CODE, PIN, KEY):
        canary.plant(secret)
    provider = either_till.provider
    shown: list[object] = [provider, provider.settings, either_till.issue(code=CODE, pin=PIN)]
    calls: list[Callable[[], Any]] = [
        lambda: either_till.issue(code=CODE),
        lambda: either_till.redeem(CODE, "60.00", PIN),
        lambda: either_till.redeem(CODE, pin=PIN + "1"),
        lambda: either_till.redeem(CODE + "x"),
        lambda: provider.issue(NewVoucher(initial=eur("1.00"), code=CODE, pin=PIN), reference="r1"),
    ]
    for call in calls:
        with pytest.raises(VoucherGatewayError) as caught:
            call()
        canary.saw(caught.value)
    shown += [provider.find(CODE), provider.get(provider.find(CODE).id, secrets=True), list(provider.vouchers())]
    for one in shown:
        canary.note("a repr", f"{one!r} {one}")
    canary.note("a pickle", repr(pickle.dumps(shown[2:])))


# --- the key ---


def test_sqlite_has_a_key_file_of_its_owner_alone_where_none_is_given(tmp_path: Path) -> None:
    settings = LocalSettings(url=f"sqlite:///{tmp_path / 'own.db'}")
    with LocalProvider("own", settings) as own:
        own.issue(NewVoucher(initial=eur("5.00"), code=CODE), reference="a")
    key = tmp_path / "own.db.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with LocalProvider("own", settings) as own:
        assert own.find(CODE).remaining == eur("5.00")
    kept = key.read_text()
    key.unlink()
    with LocalProvider("own", settings) as own, pytest.raises(ConfigurationError, match="is gone"):
        own.find(CODE)
    assert not key.exists()
    key.touch(mode=0o644)
    os.chmod(key, 0o644)
    key.write_text(kept)
    with LocalProvider("own", settings) as own, pytest.raises(ConfigurationError, match="0600"):
        own.find(CODE)


def test_postgresql_needs_a_key(postgres_url: str) -> None:
    with LocalProvider("own", LocalSettings(url=postgres_url)) as own, pytest.raises(ConfigurationError, match="key"):
        own.find(CODE)


def test_a_short_key_is_refused(own_url: str) -> None:
    settings = LocalSettings(url=own_url, key="short")
    with LocalProvider("own", settings) as own, pytest.raises(ConfigurationError, match="16 characters"):
        own.find(CODE)


def test_another_key_opens_nothing_and_breaks_nothing(make_till: MakeTill, either_url: str) -> None:
    make_till(either_url).issue(code=CODE)
    stranger = make_till(either_url, key=OTHER_KEY)
    with pytest.raises(ConfigurationError, match="kept under another"):
        stranger.code()
    assert make_till(either_url).remaining(CODE) == "50.00"


def test_a_key_is_changed_machine_by_machine(make_till: MakeTill, either_url: str) -> None:
    old = make_till(either_url)
    old.issue(code=CODE, pin=PIN)
    changed = make_till(either_url, key=OTHER_KEY, former_keys=[KEY])
    changed.redeem(CODE, "1.00", PIN, reference="a")
    old.redeem(CODE, "2.00", PIN, reference="b")
    make_till(either_url).redeem(CODE, "3.00", PIN, reference="c")  # a machine that starts with the old key meanwhile
    assert make_till(either_url, key=OTHER_KEY).remaining(CODE) == "44.00"  # and the last one has changed over
    late = make_till(either_url)
    with pytest.raises(ConfigurationError, match="kept under another"):
        late.remaining(CODE)


def test_a_key_that_was_gone_back_from_opens_nothing_once_all_have_gone_back(
    make_till: MakeTill, either_url: str
) -> None:
    make_till(either_url).issue(code=CODE)
    make_till(either_url, key=OTHER_KEY, former_keys=[KEY]).remaining(CODE)
    for _ in range(2):  # the second machine finds it done
        make_till(either_url, former_keys=[OTHER_KEY]).remaining(CODE)
    back = make_till(either_url)
    assert back.remaining(CODE) == "50.00"
    assert len(back.rows("local_keys")) == 1
    late = make_till(either_url, key=OTHER_KEY)
    with pytest.raises(ConfigurationError, match="kept under another"):
        late.remaining(CODE)


def test_a_database_that_lost_its_keys_does_not_get_new_ones(make_till: MakeTill, either_url: str) -> None:
    till = make_till(either_url)
    till.issue(code=CODE)
    with till.provider._open().database.write() as connection:
        connection.exec_driver_sql("DELETE FROM local_keys")
    again = make_till(either_url)
    with pytest.raises(ConfigurationError, match="keys to their codes are missing"):
        again.remaining(CODE)


def test_the_first_of_many_processes_makes_the_keys(
    either_url: str, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    def work() -> str:
        with LocalProvider("own", LocalSettings(url=either_url, key=KEY), clock=Clock()) as own:
            return own.issue(NewVoucher(initial=eur("1.00"), active=True), reference=str(os.getpid())).id

    made = at_once(work, 6)
    with LocalProvider("own", LocalSettings(url=either_url, key=KEY)) as own:
        assert sorted(voucher.id for voucher in own.vouchers()) == sorted(made)
