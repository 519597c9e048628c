"""Several writers and readers of one file, and people who edit it at the same time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.providers.file.before_send import COMPLETE_FILES, BeforeSendHook
from voucher_gateway import (
    Code,
    NewVoucher,
    ProviderUnavailable,
    VoucherNotFound,
)
from voucher_gateway.request_hooks import use_before_send_hook

if TYPE_CHECKING:
    from tests.providers.file.conftest import Open

New = Callable[..., NewVoucher]


def test_threads_that_share_a_provider_write_every_voucher_once(open_file: Open, either_name: str, new: New) -> None:
    provider = open_file(either_name, reveal=True)

    def issue(number: int) -> str:
        return provider.issue(new(code=f"GIFT-{number:04}"), reference=f"r-{number}").id

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(issue, range(80)))
    found = list(open_file(either_name).vouchers())
    assert sorted(one.id for one in found) == sorted(ids)


def test_processes_write_side_by_side_without_a_broken_line(
    open_file: Open, either_name: str, new: New, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    provider = open_file(either_name, reveal=True)
    provider.issue(new(code="FIRST"), reference="r-0")

    def work() -> int:
        for number in range(20):
            provider.issue(new(code=f"GIFT-{os.getpid()}-{number}"), reference=f"r-{number}")
        return sum(1 for _ in provider.vouchers())

    said = at_once(work, 4)
    assert all(one.isdigit() for one in said), said
    assert len(list(open_file(either_name).vouchers())) == 81


def test_only_one_of_many_processes_gets_a_code(
    open_file: Open, either_name: str, new: New, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    provider = open_file(either_name, reveal=True)
    said = at_once(lambda: provider.issue(new(code="GIFT-0001"), reference=f"r-{os.getpid()}").id, 6)
    assert sum(one.startswith("DuplicateCode") for one in said) == 5
    assert len(list(open_file(either_name).vouchers())) == 1


def test_a_file_that_somebody_keeps_locked_is_surely_not_written(
    open_file: Open, new: New, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voucher_gateway_file.file_store.WAIT_S", 0.05)
    provider = open_file(text=COMPLETE_FILES["vouchers.jsonl"], reveal=True)
    with (tmp_path / "vouchers.jsonl").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert provider.get("v-1").id == "v-1"  # readers share
        with use_before_send_hook(hook := BeforeSendHook()), pytest.raises(ProviderUnavailable, match="locked"):
            provider.issue(new(), reference="r-1")
    assert hook.intents == []


def test_a_file_that_was_replaced_while_we_waited_is_the_one_that_is_written(
    open_file: Open, new: New, tmp_path: Path
) -> None:
    path = tmp_path / "vouchers.jsonl"
    provider = open_file(text=COMPLETE_FILES["vouchers.jsonl"], reveal=True)
    with path.open("rb") as other, ThreadPoolExecutor(1) as pool:
        fcntl.flock(other, fcntl.LOCK_EX)
        coming = pool.submit(provider.issue, new(id="v-2"), reference="r-1")
        time.sleep(0.05)
        path.rename(tmp_path / "old.jsonl")
        path.touch(0o600)
        fcntl.flock(other, fcntl.LOCK_UN)
        coming.result(10)
    assert (tmp_path / "old.jsonl").read_bytes() == COMPLETE_FILES["vouchers.jsonl"]
    assert [voucher.id for voucher in provider.vouchers()] == ["v-2"]


def test_a_file_that_was_edited_is_read_again(open_file: Open, either_name: str, tmp_path: Path) -> None:
    provider = open_file(either_name, COMPLETE_FILES[either_name] * 1)
    assert provider.find("GIFT-0001").id == "v-1"
    (tmp_path / either_name).write_bytes(
        COMPLETE_FILES[either_name].replace(b"0001", b"0002").replace(b"v-1", b"v-two")
    )
    assert provider.find("GIFT-0002").id == "v-two"
    with pytest.raises(VoucherNotFound):
        provider.find("GIFT-0001")
    (tmp_path / either_name).unlink()
    assert list(provider.vouchers()) == []


def test_two_writers_that_take_turns_read_only_what_the_other_one_wrote(
    open_file: Open, either_name: str, new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = open_file(either_name, reveal=True), open_file(either_name, reveal=True)
    for number in range(20):
        first.issue(new(code=f"A-{number}"), reference=f"a-{number}")
        second.issue(new(code=f"B-{number}"), reference=f"b-{number}")
    form = first._file.form
    parsed: list[bytes] = []

    def count(name: str) -> None:
        read = getattr(form, name)

        def read_and_count(body: bytes, *given: Any) -> object:
            result = read(body, *given)
            if result is not None:
                parsed.append(body)
            return result

        monkeypatch.setattr(form, name, read_and_count)

    for name in ("read", "read_rows", "names_of_rows"):
        count(name)
    assert first.find("B-19").code == Code("B-19")
    assert len(parsed) == 2  # the new record, and once more for the voucher that is returned
    assert all(body.count(b"B-19") == body.count(b"\n") == 1 for body in parsed)


def test_an_edit_within_a_file_that_grew_is_seen(open_file: Open, either_name: str, tmp_path: Path) -> None:
    path = tmp_path / either_name
    text = COMPLETE_FILES[either_name]
    provider = open_file(either_name, text)
    assert provider.find("GIFT-0001").id == "v-1"
    *_, last = text.splitlines(keepends=True)
    path.write_bytes(text.replace(b"0001", b"0009") + last.replace(b"v-1", b"v-2").replace(b"0001", b"0002"))
    assert {voucher.code for voucher in provider.vouchers()} == {Code("GIFT-0009"), Code("GIFT-0002")}
    assert provider.find("GIFT-0009").id == "v-1"
    with pytest.raises(VoucherNotFound):
        provider.find("GIFT-0001")


def test_a_last_line_that_another_program_completes_is_read_again(open_file: Open, tmp_path: Path) -> None:
    path = tmp_path / "vouchers.csv"
    provider = open_file("vouchers.csv", b"id,code,sku\r\nv-1,GIFT-0001,card")
    assert provider.get("v-1").sku == "card"
    with path.open("ab") as other:
        other.write(b"-small\r\nv-2,GIFT-0002,card\r\n")
    assert [voucher.sku for voucher in provider.vouchers()] == ["card-small", "card"]
