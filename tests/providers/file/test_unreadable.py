"""Lines of a file that cannot be read: the file is refused, or with consent they are named and passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.provider_api import (
    Code,
    MalformedFile,
    Money,
    NewVoucher,
    UnreadableEntry,
    Voucher,
    VoucherNotFound,
)
from voucher_gateway_file import FileProvider
from voucher_gateway_file.settings import FileSettings

CSV = """\
code,currency,remaining
GIFT-1,EUR,1.00
GIFT-2,ZZZ,2.00
GIFT-3,EUR,1.2.3
GIFT-4,EUR,4.00
GIFT-5,EUR
"""


@pytest.fixture
def provider_of(tmp_path: Path) -> Any:
    """Make a provider of a file with some text; it passes over what cannot be read."""

    def make(text: str, *, name: str = "a.csv", **settings: Any) -> FileProvider:
        path = tmp_path / name
        path.write_text(text)
        given = {"skip_unreadable": True, "reveal": True, **settings}
        path.chmod(0o600)
        return FileProvider("paper", FileSettings(path=path, **given))

    return make


def codes(provider: FileProvider) -> list[str]:
    return [voucher.code.reveal() for voucher in provider.vouchers() if voucher.code is not None]


def named(provider: FileProvider) -> dict[str | None, str]:
    listing = provider.vouchers()
    list(listing)
    assert listing.report.consistent
    return {entry.id: entry.reason for entry in listing.unreadable}


def test_without_consent_the_file_is_refused(provider_of: Any) -> None:
    with pytest.raises(MalformedFile):
        codes(provider_of(CSV, skip_unreadable=False))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_with_consent_the_others_are_read_and_the_wrong_lines_are_named(provider_of: Any, name: str) -> None:
    lines = [
        '{"id":"a","code":"GIFT-1","remaining":{"amount":"1.00","currency":"EUR"}}',
        '{"id":"b","code":"GIFT-2","remaining":{"amount":"2.00","currency":"ZZZ"}}',
        '{"id":"c","code":"GIFT-4","remaining":{"amount":"4.00","currency":"EUR"}}',
        "not JSON",
    ]
    provider = provider_of(CSV if name == "a.csv" else "\n".join(lines) + "\n", name=name)
    assert codes(provider) == ["GIFT-1", "GIFT-4"]
    wrong = named(provider)
    assert list(wrong) == (["line:3", "line:4", "line:6"] if name == "a.csv" else ["line:2", "line:4"])
    assert "currency" in wrong["line:3" if name == "a.csv" else "line:2"]
    assert not any("GIFT" in reason for reason in wrong.values())


def test_of_two_lines_with_one_code_neither_is_read_as_which_is_right_is_not_known(provider_of: Any) -> None:
    provider = provider_of("code,currency,remaining\nGIFT-1,EUR,1.00\nGIFT-2,EUR,2.00\nGIFT-1,EUR,9.00\n")
    assert codes(provider) == ["GIFT-2"]
    assert named(provider) == {
        "line:2": "column code: duplicate code: line 4 has the same code",
        "line:4": "column code: duplicate code: line 2 has the same code",
    }
    with pytest.raises(VoucherNotFound):
        provider.find("GIFT-1")


def test_a_quote_that_is_not_closed_spoils_its_own_line_only(provider_of: Any) -> None:
    provider = provider_of('code,currency,remaining\nGIFT-1,EUR,1.00\n"GIFT-2,EUR,2.00\nGIFT-3,EUR,3.00\n')
    assert codes(provider) == ["GIFT-1", "GIFT-3"]
    assert list(named(provider)) == ["line:3"]


def test_a_file_of_which_nothing_can_be_read_is_refused(provider_of: Any) -> None:
    with pytest.raises(MalformedFile, match="2 problems"):
        codes(provider_of("code,currency,remaining\nGIFT-1,ZZZ,1.00\nGIFT-2,ZZZ,1.00\n"))


def test_a_wrong_header_is_refused_in_any_case(provider_of: Any) -> None:
    with pytest.raises(MalformedFile, match="header"):
        codes(provider_of("code,curency,remaining\nGIFT-1,EUR,1.00\n"))


def test_all_wrong_lines_are_listed_beside_the_file_and_counted_in_what_is_said_of_its_form(
    provider_of: Any, tmp_path: Path
) -> None:
    provider = provider_of(CSV, problems=tmp_path / "problems.txt")
    form = provider.prepare_source()
    assert form.sentences[-1] == f"3 records cannot be read; {tmp_path}/problems.txt lists them"
    assert form.settings["skip_unreadable"] is True
    assert [line.partition(",")[0] for line in (tmp_path / "problems.txt").read_text().splitlines()] == [
        "line 3",
        "line 4",
        "line 6: has 2 cells",
    ]


def test_a_filter_keeps_what_cannot_be_read_as_it_may_fit(provider_of: Any) -> None:
    from voucher_gateway.provider_api import VoucherQuery

    entries = list(provider_of(CSV).vouchers(VoucherQuery(code="GIFT-4")).entries())
    assert [entry.id for entry in entries if isinstance(entry, UnreadableEntry)] == ["line:3", "line:4", "line:6"]
    assert [entry.code for entry in entries if isinstance(entry, Voucher)] == [Code("GIFT-4")]


def test_vouchers_are_appended_after_lines_that_cannot_be_read(provider_of: Any) -> None:
    provider = provider_of(
        "code,currency,remaining,initial,status,created_at,id\nGIFT-1,ZZZ,1.00\nGIFT-2,EUR,2.00,,,,\n"
    )
    assert codes(provider) == ["GIFT-2"]
    provider.issue(NewVoucher(initial=Money("3.00", "EUR"), code="GIFT-3"), reference="a")
    assert codes(provider) == ["GIFT-2", "GIFT-3"]
    assert list(named(provider)) == ["line:2"]
