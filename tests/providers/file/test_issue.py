"""Appending: private, whole or not at all, and never anything left out."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.providers.file.before_send import COMPLETE_FILES, BeforeSendHook
from voucher_gateway import (
    ConfigurationError,
    DuplicateCode,
    Expiry,
    InvalidRequest,
    MalformedResponse,
    Money,
    NewVoucher,
    Operation,
    UnsupportedOperation,
)
from voucher_gateway.request_hooks import use_before_send_hook
from voucher_gateway_file.csv_form import WRITTEN

if TYPE_CHECKING:
    from tests.providers.file.conftest import Open

New = Callable[..., NewVoucher]


def test_a_new_file_is_private_and_has_all_columns(open_file: Open, either_name: str, new: New, tmp_path: Path) -> None:
    open_file(either_name, reveal=True).issue(new(code="GIFT-0001"), reference="r-1")
    path = tmp_path / either_name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if either_name.endswith(".csv"):
        assert path.read_bytes().startswith((",".join(f'"{name}"' for name in WRITTEN) + "\r\n").encode())


def test_a_file_that_others_may_read_gets_no_codes(open_file: Open, either_name: str, new: New, tmp_path: Path) -> None:
    provider = open_file(either_name, COMPLETE_FILES[either_name], reveal=True)
    (tmp_path / either_name).chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        provider.issue(new(code="GIFT-0002"), reference="r-1")
    assert (tmp_path / either_name).read_bytes() == COMPLETE_FILES[either_name]


def test_what_was_issued_can_be_read_at_once_and_by_others(open_file: Open, either_name: str, new: New) -> None:
    writer, reader = open_file(either_name, reveal=True), open_file(either_name)
    for number in range(5):
        voucher = writer.issue(new(code=f"GIFT-{number}"), reference=f"r-{number}")
        assert writer.find(f"GIFT-{number}") == reader.find(f"GIFT-{number}") == reader.get(voucher.id) == voucher
    assert len(list(reader.vouchers())) == 5


def test_two_writers_in_turn_see_what_the_other_wrote(open_file: Open, either_name: str, new: New) -> None:
    one, two = open_file(either_name, reveal=True), open_file(either_name, reveal=True)
    one.issue(new(code="GIFT-1"), reference="r-1")
    two.issue(new(code="GIFT-2"), reference="r-2")
    with pytest.raises(DuplicateCode, match="has the same"):
        one.issue(new(code="GIFT-2"), reference="r-3")
    assert len(list(one.vouchers())) == 2


def test_an_id_or_code_goes_into_a_file_once(open_file: Open, either_name: str, new: New) -> None:
    provider = open_file(either_name, reveal=True)
    provider.issue(new(id="v-1", code="GIFT-1"), reference="r-1")
    hook = BeforeSendHook()
    with use_before_send_hook(hook):
        for again in (new(id="v-1", code="GIFT-2"), new(id="v-2", code="GIFT-1")):
            with pytest.raises(DuplicateCode):
                provider.issue(again, reference="r-2")
    assert hook.intents == []


def test_the_journal_hears_of_a_record_before_it_is_written(
    open_file: Open, either_name: str, new: New, tmp_path: Path
) -> None:
    provider = open_file(either_name, reveal=True)
    sizes: list[int] = []
    with use_before_send_hook(hook := BeforeSendHook(lambda: sizes.append((tmp_path / either_name).stat().st_size))):
        voucher = provider.issue(new(id="v-1"), reference="r-1", order="1001")
    (intent,) = hook.intents
    assert sizes == [0]
    assert (intent.verb, intent.reference, intent.order, intent.voucher_id) == ("issue", "r-1", "1001", "v-1")
    assert intent.money == Money("25.00", "EUR")
    assert voucher.order == "1001"


def test_if_the_journal_refuses_nothing_is_written(open_file: Open, either_name: str, new: New, tmp_path: Path) -> None:
    def refuse() -> None:
        raise RuntimeError("no row, no request")

    provider = open_file(either_name, reveal=True)
    provider.issue(new(), reference="r-0")
    before = (tmp_path / either_name).read_bytes()
    with use_before_send_hook(BeforeSendHook(refuse)), pytest.raises(RuntimeError):
        provider.issue(new(), reference="r-1")
    assert (tmp_path / either_name).read_bytes() == before


def test_the_columns_of_a_file_stay_and_nothing_is_left_out(open_file: Open, new: New, tmp_path: Path) -> None:
    provider = open_file("v.csv", "created_at,remaining,initial,currency,id,code\n", reveal=True)
    provider.issue(new(id="v-1", code="GIFT-1"), reference="r-1")
    assert (tmp_path / "v.csv").read_text().splitlines()[1].endswith('"25.00","25.00","EUR","v-1","GIFT-1"')
    with pytest.raises(InvalidRequest, match="has no column batch, sku"):
        provider.issue(new(id="v-2", sku="card", batch="spring"), reference="r-2")


def test_a_last_line_without_its_line_break_gets_one_and_stays(
    open_file: Open, either_name: str, new: New, tmp_path: Path
) -> None:
    provider = open_file(either_name, COMPLETE_FILES[either_name].rstrip(), reveal=True)
    if either_name.endswith(".csv"):
        provider = open_file(
            either_name, b"id,code,currency,initial,remaining,created_at\nv-1,GIFT-0001,,,,", reveal=True
        )
    provider.issue(new(id="v-2", code="GIFT-0002"), reference="r-1")
    assert (
        [voucher.id for voucher in provider.vouchers()]
        == [voucher.id for voucher in open_file(either_name).vouchers()]
        == ["v-1", "v-2"]
    )


@pytest.mark.parametrize(
    ("name", "torn"),
    [
        ("vouchers.jsonl", b'{"id":"v-9","code":"GIFT-0009"'),
        ("vouchers.jsonl", b"\0" * 40),
        ("vouchers.csv", b'"v-9","GIF'),
        ("vouchers.csv", b'"v-9","two\r\nlines'),
    ],
)
def test_a_last_line_that_was_cut_off_goes_with_the_next_writing(
    open_file: Open, new: New, name: str, torn: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    header = b"id,code,currency,initial,remaining,created_at\nv-1,GIFT-0001,,,,\n"
    whole = COMPLETE_FILES[name] if name.endswith(".jsonl") else header
    provider = open_file(name, whole + torn, reveal=True)
    provider.issue(new(id="v-2", code="GIFT-0002"), reference="r-1")
    assert provider._file.index.cut_off is None
    assert (
        [voucher.id for voucher in provider.vouchers()]
        == [voucher.id for voucher in open_file(name).vouchers()]
        == ["v-1", "v-2"]
    )
    assert (tmp_path / name).read_bytes().startswith(whole)
    assert b"v-9" not in (tmp_path / name).read_bytes()
    assert "is removed" in caplog.text


def test_a_header_that_was_cut_off_is_written_again(open_file: Open, new: New) -> None:
    provider = open_file("v.csv", b'"id","code","pi', reveal=True)
    assert list(provider.vouchers()) == []
    provider.issue(new(id="v-1"), reference="r-1")
    assert [voucher.id for voucher in open_file("v.csv").vouchers()] == ["v-1"]


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("vouchers.jsonl", b'{"id": "v-9", "code": "GIFT-0009"'),
        ("vouchers.csv", b"v-9"),
        ("vouchers.csv", b'"v-9","a"b"\r\n"v-10","c"\r\n'),
    ],
)
def test_somebodys_mistake_is_never_taken_for_a_line_of_ours_and_cut(
    open_file: Open, new: New, name: str, mistake: bytes, tmp_path: Path
) -> None:
    provider = open_file(name, COMPLETE_FILES[name] + mistake, reveal=True)
    with pytest.raises(MalformedResponse):
        provider.issue(new(id="v-2"), reference="r-1")
    assert (tmp_path / name).read_bytes() == COMPLETE_FILES[name] + mistake


def test_codes_are_masked_without_reveal_and_refused_without_either(
    open_file: Open, either_name: str, new: New, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequest, match="would not be written"):
        open_file(either_name).issue(new(code="GIFT-SECRET-0001"), reference="r-1")
    with pytest.raises(InvalidRequest, match="would not be written"):
        open_file(either_name).issue(new(pin="739184"), reference="r-1")
    masking = open_file(either_name, mask=True)
    issued = masking.issue(new(id="v-1", code="GIFT-SECRET-0001", pin="739184"), reference="r-2")
    assert issued.code is not None
    text = (tmp_path / either_name).read_text()
    assert "••••0001" in text
    assert "SECRET" not in text
    assert "739184" not in text
    assert masking.get("v-1").code is None
    assert not masking.capabilities.codes.readable
    with pytest.raises(InvalidRequest, match="cannot have both"):
        open_file(either_name, reveal=True).issue(new(code="GIFT-0002"), reference="r-3")


def test_masks_do_not_go_into_a_file_of_codes(open_file: Open, either_name: str, new: New) -> None:
    with pytest.raises(InvalidRequest, match="as in line"):
        open_file(either_name, COMPLETE_FILES[either_name], mask=True).issue(new(code="GIFT-0002"), reference="r-1")


def test_capabilities_say_what_the_settings_allow(open_file: Open) -> None:
    silent, masking, open_one = open_file(), open_file(mask=True), open_file(reveal=True)
    assert [one.capabilities.codes.choosable for one in (silent, masking, open_one)] == [False, True, True]
    assert [one.capabilities.codes.readable for one in (silent, masking, open_one)] == [True, False, True]
    assert "pin" not in silent.capabilities.stored_fields
    assert silent.capabilities.expiry is Expiry.BOTH
    assert silent.capabilities.record


@pytest.mark.parametrize(
    "call",
    [
        lambda one: one.activate("v-1", reference="r"),
        lambda one: one.deactivate("v-1", reference="r"),
        lambda one: one.delete("v-1", "why", reference="r"),
        lambda one: one.top_up("v-1", Money("1.00", "EUR"), reference="r"),
        lambda one: one.redeem("GIFT-0001", Money("1.00", "EUR"), reference="r"),
        lambda one: one.reserve("GIFT-0001", Money("1.00", "EUR"), reference="r"),
        lambda one: one.history("v-1"),
    ],
)
def test_what_a_record_cannot_do_says_why(open_file: Open, call: Callable[[Any], object], tmp_path: Path) -> None:
    provider = open_file(text=COMPLETE_FILES["vouchers.jsonl"])
    with pytest.raises(UnsupportedOperation, match=r"A file has no .*: (a file is a record|a file has vouchers)"):
        call(provider)
    assert (tmp_path / "vouchers.jsonl").read_bytes() == COMPLETE_FILES["vouchers.jsonl"]


def test_the_operations_of_a_file_are_declared_as_they_are(open_file: Open) -> None:
    can = open_file().capabilities
    assert {one for one in Operation if can.of(one).available} == {
        Operation.FIND,
        Operation.GET,
        Operation.BALANCE,
        Operation.VOUCHERS,
        Operation.ISSUE,
    }
