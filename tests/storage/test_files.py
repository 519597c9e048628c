"""The file of an SQLite database: nobody else may read it, and no process goes on where it is gone."""

from __future__ import annotations

import gc
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.long import first
from tests.support.simulators import JOURNAL_KEYS
from voucher_gateway import Gateway
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.provider_api import DatabaseUnavailable, Money, NewVoucher, SecretSource
from voucher_gateway.setting_types import DatabaseUrl
from voucher_gateway.storage.connections import LOGS_CHECK_INTERVAL_S
from voucher_gateway.storage.engine import Database
from voucher_gateway_local import LocalProvider, LocalSettings

if TYPE_CHECKING:
    from tests.support.shop import Shop

REFUSED = "was deleted, moved or replaced while this process used it"
KEY = SecretSource.of("a-key-for-the-tests-of-vouchers")


def delete(path: Path) -> None:
    for name in ("", "-wal", "-shm"):
        Path(f"{path}{name}").unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))
    for name in ("-wal", "-shm"):
        Path(f"{path}{name}").unlink()


def restore(path: Path) -> None:
    shutil.copy(path.with_name("backup.db"), path.with_name("copy.db"))
    for name in ("-wal", "-shm"):
        Path(f"{path}{name}").unlink()
    path.with_name("copy.db").replace(path)


def take_in_another_process(shop: Shop, code: str) -> bool:
    return shop.another_gateway().redeem("shop", code, Money("10.00", "EUR"), reference="order-1").replayed


@pytest.mark.parametrize("change", [delete, move, restore])
def test_a_reference_is_taken_once_when_the_journals_file_changes_under_a_worker(
    shop: Shop,
    tmp_path: Path,
    change: Callable[[Path], None],
    at_once: Callable[[Callable[[], object], int], list[str]],
) -> None:
    _, code = shop.voucher("100.00")
    shop.redeem(code, reference="before")
    shutil.copy(tmp_path / "journal.db", tmp_path / "backup.db")
    change(tmp_path / "journal.db")
    sent = len(shop.changes())
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match=REFUSED):
            shop.redeem(code, reference="order-1")
    assert len(shop.changes()) == sent
    assert at_once(lambda: take_in_another_process(shop, code), 1) == ["False"]
    with pytest.raises(DatabaseUnavailable, match=REFUSED):
        shop.redeem(code, reference="order-1")
    assert shop.charges() == 2


def test_a_worker_does_not_read_a_deleted_file_either(shop: Shop, tmp_path: Path) -> None:
    _, code = shop.voucher("100.00")
    shop.redeem(code, reference="before")
    delete(tmp_path / "journal.db")
    with pytest.raises(DatabaseUnavailable, match=REFUSED):
        shop.gateway.redemption("shop", "before")
    assert not (tmp_path / "journal.db").exists()


def test_a_forked_child_does_not_go_on_with_another_file(
    shop: Shop, tmp_path: Path, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    _, code = shop.voucher("100.00")
    shop.redeem(code, reference="before")
    delete(tmp_path / "journal.db")
    assert REFUSED in at_once(lambda: shop.redeem(code, reference="order-1"), 1)[0]


@pytest.mark.parametrize("change", [delete, move, restore])
@pytest.mark.parametrize("journalled", [True, False], ids=["journal", "no journal"])
def test_vouchers_of_our_own_do_not_vanish_with_their_file(
    tmp_path: Path, change: Callable[[Path], None], journalled: bool
) -> None:
    own = tmp_path / "own.db"
    settings = LocalSettings(url=DatabaseUrl.of(f"sqlite:///{own}"), key=KEY)
    journal = str(tmp_path / "shop.db") if journalled else None
    with Gateway({"own": LocalProvider("own", settings)}, journal=journal and f"sqlite:///{journal}") as gateway:
        made = gateway.issue("own", NewVoucher(initial=Money(50, "EUR"), active=True), reference="issue")
        assert made.code is not None
        shutil.copy(own, tmp_path / "backup.db")
        change(own)
        for reference in ("first", "second"):
            with pytest.raises(DatabaseUnavailable, match=REFUSED):
                gateway.redeem("own", made.code, Money(1, "EUR"), reference=reference)
        with pytest.raises(DatabaseUnavailable, match=REFUSED):
            gateway.get("own", made.id)


@pytest.mark.parametrize("log", ["-wal", "-shm"])
def test_a_worker_stops_when_its_log_is_deleted(shop: Shop, tmp_path: Path, log: str) -> None:
    """Other processes would not see what it writes."""
    _, code = shop.voucher("100.00")
    shop.redeem(code, reference="before")
    (tmp_path / f"journal.db{log}").unlink()
    with pytest.raises(DatabaseUnavailable, match=f"journal.db{log} was deleted or replaced"):
        shop.redeem(code, reference="order-1")
    assert shop.charges() == 1


@pytest.mark.parametrize("log", ["-wal", "-shm"])
def test_a_worker_that_only_reads_notices_a_deleted_log_as_well(shop: Shop, tmp_path: Path, log: str) -> None:
    shop.redeem(shop.voucher("100.00")[1], reference="before")
    (tmp_path / f"journal.db{log}").unlink()
    time.sleep(LOGS_CHECK_INTERVAL_S)
    with pytest.raises(DatabaseUnavailable, match=f"journal.db{log} was deleted or replaced"):
        list(shop.gateway.operations())


def replace_by_symbolic_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))
    path.symlink_to("elsewhere.db")


@pytest.mark.parametrize("by_link", first([True, False]), ids=["a link in its place", "nothing changed"])
def test_a_worker_stops_when_its_file_is_moved_and_a_link_leads_to_it(
    shop: Shop, tmp_path: Path, by_link: bool
) -> None:
    """SQLite's log is beside the real file, so two processes would have two logs for one database."""
    _, code = shop.voucher("100.00")
    shop.redeem(code, reference="before")
    if by_link:
        replace_by_symbolic_link(tmp_path / "journal.db")
    assert redeem_in_a_new_process(shop, code) == "False"
    if by_link:
        with pytest.raises(DatabaseUnavailable, match=REFUSED):
            shop.redeem(code, reference="order-1")
    else:
        assert shop.redeem(code, reference="order-1").replayed
    assert shop.charges() == 2


def test_a_file_with_a_second_name_is_not_opened_by_either_name(shop: Shop, tmp_path: Path) -> None:
    _, code = shop.voucher("100.00")
    shop.redeem(code, reference="before")
    other = tmp_path / "other.db"
    os.link(tmp_path / "journal.db", other)
    for name in ("other.db", "journal.db"):
        with pytest.raises(DatabaseUnavailable, match=r"has 2 names \(hard links\)"):
            Database(f"sqlite:///{tmp_path / name}", JOURNAL)
    other.unlink()
    Database(f"sqlite:///{tmp_path / 'journal.db'}", JOURNAL).close()
    assert shop.redeem(code, reference="before").replayed


def redeem_in_a_new_process(shop: Shop, code: str) -> str:
    """Run a process that is not forked: a fork closes the connections of its parent, and so its log."""
    program = """
import json, sys
from voucher_gateway import Gateway
from voucher_gateway.provider_api import Money, SecretSource
from voucher_gateway.journal.journal import open_journal
from voucher_gateway_jtl import JtlProvider, JtlSettings
url, key, vendor, code = json.loads(sys.argv[1])
secret = SecretSource.of(vendor["client_secret"])
settings = JtlSettings(base_url=vendor["base_url"], client_id=vendor["client_id"], client_secret=secret)
journal = open_journal(url, {"1": SecretSource.of(key)})
with Gateway({"shop": JtlProvider("shop", settings)}, journal=journal) as gateway:
    print(gateway.redeem("shop", code, Money("10.00", "EUR"), reference="order-1").replayed)
"""
    vendor = {name: shop.running.announcement[name] for name in ("base_url", "client_id", "client_secret")}
    arguments = json.dumps([shop.url, JOURNAL_KEYS["1"], vendor, code])
    done = subprocess.run(
        [sys.executable, "-c", program, arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_a_new_file_with_the_number_of_the_deleted_one_is_noticed(sqlite_url: str, tmp_path: Path) -> None:
    """File systems give the number of a deleted file to the next one, and no connection is open after a fork."""
    path = tmp_path / "journal.db"
    database = Database(sqlite_url, JOURNAL)
    database._shared.drop()  # as a fork does
    number = path.stat().st_ino
    path.unlink()
    for count in range(20):
        path.with_name(f"{count}.db").touch()
        if path.with_name(f"{count}.db").stat().st_ino == number:
            path.with_name(f"{count}.db").rename(path)
            break
    else:
        path.touch()
    with pytest.raises(DatabaseUnavailable, match=REFUSED), database.write():
        pass
    database.close()


def test_a_database_that_is_forgotten_keeps_no_descriptor(sqlite_url: str) -> None:
    def count_descriptors() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    Database(sqlite_url, JOURNAL).close()
    before = count_descriptors()
    for _ in range(3):
        Database(sqlite_url, JOURNAL).close()
    assert count_descriptors() == before


def test_a_log_that_its_last_user_deleted_is_no_reason_to_stop(sqlite_url: str, tmp_path: Path) -> None:
    first, second = Database(sqlite_url, JOURNAL), Database(sqlite_url, JOURNAL)
    second.close()
    first._shared.drop()  # as before a fork
    assert not (tmp_path / "journal.db-wal").exists()
    with first.write(), first.locks.hold("a voucher", wait_s=0):
        pass
    first.close()


def test_nobody_else_may_read_a_database_from_its_first_byte(tmp_path: Path) -> None:
    """With the usual umask. The modes are looked at by an audit hook, at every file that is opened."""
    program = """
import os, sys
os.umask(0o022)
from pathlib import Path
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.backup import copy_journal
from voucher_gateway.setting_types import DatabaseUrl
from voucher_gateway_local import LocalProvider, LocalSettings
folder = Path(sys.argv[1])
seen = {}
def look():
    for path in folder.iterdir():
        seen.setdefault(path.name, set()).add(oct(path.stat().st_mode & 0o777))
looking = False
def audit(event, args):
    global looking
    if not looking and event in ("open", "sqlite3.connect", "sqlite3.connect/handle", "os.rename", "os.link"):
        looking = True
        look()
        looking = False
sys.addaudithook(audit)
journal = open_journal(f"sqlite:///{folder}/journal.db")
with journal.database.write():
    look()
LocalProvider("own", LocalSettings(url=DatabaseUrl.of(f"sqlite:///{folder}/own.db"))).check()
look()
copy_journal(journal, folder / "backup.db")
look()
print(sorted(name for name in seen if name.startswith(("journal.db", "own.db", "backup.db"))))
print({name: modes for name, modes in seen.items() if modes != {"0o600"}})
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    names, wider = done.stdout.splitlines()
    for name in ("journal.db", "journal.db-wal", "journal.db-shm", "own.db", "own.db-wal", "backup.db"):
        assert repr(name) in names
    assert wider == "{}"


def test_a_file_that_others_may_read_stays_as_it_is(tmp_path: Path) -> None:
    """Two users of a machine may share a journal: its owner has decided so."""
    path = tmp_path / "journal.db"
    path.touch()
    path.chmod(0o660)
    Database(f"sqlite:///{path}", JOURNAL).close()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
