"""What is removed can be written into a file first, and only what that file holds is removed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.shop import Shop
from voucher_gateway import InvalidRequest, MalformedFile, Money, NewVoucher, ReferencePruned
from voucher_gateway.instants import now
from voucher_gateway.upkeep.archive import write_archive
from voucher_gateway.upkeep.archive_reader import iterate_lines, read_archive
from voucher_gateway.upkeep.prune import prune


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.fixture
def shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    return make_shop(either_url)


def test_an_archive_has_all_that_is_removed_and_no_code(shop: Shop, tmp_path: Path) -> None:
    _, code = shop.voucher()
    payment = shop.gateway.payment("1001", total=eur("30"))
    payment.add(code, account="shop")
    payment.authorize()
    payment.capture()
    sale = shop.gateway.sale("1002-1", "shop", NewVoucher(initial=eur("20")))
    sale.fulfil()
    sold_code = sale.code
    sale.delivered()
    file = tmp_path / "archive.jsonl.gz"
    summary = write_archive(shop.journal, file, now() + timedelta(days=2))
    assert (summary.operations, summary.payments, summary.sales) == (4, 1, 1)
    assert file.stat().st_mode & 0o777 == 0o600
    lines = list(iterate_lines(file, keys=shop.journal.keys))
    assert [line["kind"] for line in lines] == ["payments", "sales", *["operations"] * 4]
    assert [len(line["requests"]) for line in lines[2:]] == [1, 1, 1, 1]
    assert lines[2]["events"]
    (leg,) = lines[0]["payments"][0]["legs"]
    assert (leg["amount"], "sealed_code" in leg) == ("30", False) or leg["amount"].startswith("30")
    text = gzip.decompress(file.read_bytes()).decode()
    assert code not in text
    assert sold_code is not None
    assert sold_code.reveal() not in text
    assert [record.key.reference for record in read_archive(file)] == [
        record.key.reference for record in reversed(list(shop.gateway.operations()))
    ]


def test_a_prune_removes_only_what_the_archive_holds(shop: Shop, tmp_path: Path) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="archived")
    taken = shop.redeem(code, reference="changed-since")
    file = tmp_path / "archive.jsonl.gz"
    write_archive(shop.journal, file, now() + timedelta(days=2))
    shop.redeem(code, reference="newer")
    with shop.journal.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE voucher_gateway_operations SET updated_at = '2029-01-01T00:00:00.000000Z'"
            " WHERE reference = 'changed-since'"
        )
    summary = prune(shop.journal, now() + timedelta(days=9999), archive=file)
    assert summary.operations == 1
    with pytest.raises(ReferencePruned):
        shop.redeem(code, reference="archived")
    assert shop.redeem(code, reference="newer").replayed
    assert shop.redeem(code, reference="changed-since").id == taken.id


def test_a_prune_that_was_broken_off_goes_on_with_its_archive(shop: Shop, tmp_path: Path) -> None:
    _, code = shop.voucher()
    for reference in "abc":
        shop.redeem(code, reference=reference)
    file, before = tmp_path / "archive.jsonl.gz", now() + timedelta(days=2)
    with pytest.raises(KeyboardInterrupt):
        prune(shop.journal, before, archive=file, on_progress=_interrupt)
    assert prune(shop.journal, before, archive=file).operations == 0
    assert len(list(read_archive(file))) == 3


def _interrupt(_: int, __: int) -> None:
    raise KeyboardInterrupt


def test_a_file_that_exists_is_not_replaced_by_an_archive(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "taken.gz"
    file.write_text("mine")
    with pytest.raises(InvalidRequest, match="exists already"):
        write_archive(shop.journal, file, now())
    with pytest.raises(MalformedFile, match="not a complete archive"):
        prune(shop.journal, now(), archive=file)
    assert file.read_text() == "mine"


def test_an_archive_that_was_changed_or_cut_is_refused(shop: Shop, tmp_path: Path) -> None:
    _, code = shop.voucher()
    shop.redeem(code, reference="1001-a")
    file = tmp_path / "archive.jsonl.gz"
    write_archive(shop.journal, file, now() + timedelta(days=2))
    lines = gzip.decompress(file.read_bytes()).decode().splitlines(keepends=True)
    changed = [lines[0], lines[1].replace("10.00", "99.00"), *lines[2:]]
    end = json.loads(lines[-1])
    cases = {
        "changed": changed,
        "cut": lines[:-1],
        "sealed by another": [*lines[:-1], json.dumps({**end, "seal": "0" * 64}) + "\n"],
    }
    for name, content in cases.items():
        wrong = tmp_path / f"{name}.jsonl.gz"
        wrong.write_bytes(gzip.compress("".join(content).encode()))
        with pytest.raises(MalformedFile):
            prune(shop.journal, now() + timedelta(days=2), archive=wrong)
    assert shop.redeem(code, reference="1001-a").replayed, "nothing was removed"
